/* SPDX-License-Identifier: Apache-2.0 */
#include "base/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "tests/unit/harness.h"

static void a_ttl_is_whole_seconds_within_bounds(void **state)
{
    static const char *const refused[] = { "30", "1s", "61m", "2500ms", "-5s", "", "v0", NULL };
    int64_t ms = 7;
    struct error err;
    (void)state;
    for (const char *const *text = refused; *text; text++)
        assert_int_equal(setting_read_ttl(*text, &ms, NULL), -EINVAL);
    assert_int_equal(ms, 7);
    assert_int_equal(setting_read_ttl("1s", &ms, &err), -EINVAL);
    assert_string_equal(err.text, "1s is not a whole number of seconds from 2s to 1h");
    assert_int_equal(setting_read_ttl("2s", &ms, NULL), 0);
    assert_int_equal(ms, 2000);
    assert_int_equal(setting_read_ttl("1h", &ms, NULL), 0);
    assert_int_equal(ms, 3600000);
}

static void a_timeout_is_seconds_within_bounds(void **state)
{
    static const char *const refused[] = { "0", "0.09", "60.1", "nan", "-1", "", "1s", NULL };
    int64_t ms = 7;
    (void)state;
    for (const char *const *text = refused; *text; text++)
        assert_int_equal(setting_read_timeout(*text, &ms, NULL), -EINVAL);
    assert_int_equal(ms, 7);
    assert_int_equal(setting_read_timeout("0.1", &ms, NULL), 0);
    assert_int_equal(ms, 100);
    assert_int_equal(setting_read_timeout("60", &ms, NULL), 0);
    assert_int_equal(ms, 60000);
}

static void servers_are_urls_in_either_form(void **state)
{
    static const char *const refused[] = { "", "[]", "10.0.0.1:2379", "http://a,b", NULL };
    autostrv servers = NULL;
    (void)state;
    for (const char *const *text = refused; *text; text++)
        assert_int_equal(setting_read_servers(*text, &servers, NULL), -EINVAL);
    assert_null(servers);
    struct error err;
    assert_int_equal(setting_read_servers("http://root:geheim@a", &servers, &err), -EINVAL);
    assert_null(strstr(err.text, "geheim"));
    assert_int_equal(setting_read_servers("[\"http://a:1\", \"https://b\"]", &servers, NULL), 0);
    assert_int_equal(strv_length(servers), 2);
    assert_string_equal(servers[1], "https://b");
}

static void a_key_prefix_begins_and_ends_with_a_slash(void **state)
{
    autofree char *bare = NULL;
    autofree char *ended = NULL;
    char *none = NULL;
    (void)state;
    assert_int_equal(setting_read_key_prefix("muster", &none, NULL), -EINVAL);
    assert_int_equal(setting_read_key_prefix("/m", &bare, NULL), 0);
    assert_string_equal(bare, "/m/");
    assert_int_equal(setting_read_key_prefix("/m/", &ended, NULL), 0);
    assert_string_equal(ended, "/m/");
}

static void verbosity_is_one_digit(void **state)
{
    unsigned int level = 7;
    struct error err;
    (void)state;
    assert_int_equal(setting_read_verbosity("-1", &level, &err), -EINVAL);
    assert_string_equal(err.text, "\"-1\" is not a number from 0 to 9");
    assert_int_equal(setting_read_verbosity("10", &level, NULL), -EINVAL);
    assert_int_equal(level, 7);
    assert_int_equal(setting_read_verbosity("9", &level, NULL), 0);
    assert_int_equal(level, 9);
}

static int collect(void *userdata, const char *key, const char *value, struct error *err)
{
    if (strcmp(key, "bad") == 0)
        return error_set(err, -EINVAL, "%s is bad", value);
    return strv_addf(userdata, err, "%s|%s", key, value);
}

static int read_text(const char *text, char ***ret, struct error *err)
{
    char path[] = "/tmp/settings.XXXXXX";
    autoclose int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    int r = settings_read_file(path, collect, ret, err);
    assert_int_equal(unlink(path), 0);
    return r;
}

static void a_file_is_lines_of_key_and_value(void **state)
{
    autostrv seen = NULL;
    (void)state;
    assert_int_equal(read_text("# one\n\n a = b c \nd=\"e f\"\n;g=h\ni='=j'", &seen, NULL), 0);
    assert_int_equal(strv_length(seen), 3);
    assert_string_equal(seen[0], "a|b c");
    assert_string_equal(seen[1], "d|e f");
    assert_string_equal(seen[2], "i|=j");
    assert_int_equal(settings_read_file("/nonexistent/settings", collect, &seen, NULL), -ENOENT);
}

static void a_bad_line_is_named_by_its_number(void **state)
{
    autostrv seen = NULL;
    struct error err;
    (void)state;
    assert_int_equal(read_text("a=b\n\nsecret", &seen, &err), -EINVAL);
    assert_true(text_ends_with(err.text, ": line 3: not KEY = VALUE"));
    assert_int_equal(read_text("bad=x", &seen, &err), -EINVAL);
    assert_true(text_ends_with(err.text, ": line 1: x is bad"));
}

static void an_unknown_key_brings_the_nearest(void **state)
{
    const char *const names[] = { "runtime", "verbosity", NULL };
    struct error err;
    (void)state;
    assert_int_equal(settings_unknown_key("runtim", names, &err), -EINVAL);
    assert_string_equal(err.text, "unknown key \"runtim\"; did you mean \"runtime\"?");
    assert_int_equal(settings_unknown_key("colour", names, &err), -EINVAL);
    assert_string_equal(err.text, "unknown key \"colour\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ttl_is_whole_seconds_within_bounds),
        cmocka_unit_test(a_timeout_is_seconds_within_bounds),
        cmocka_unit_test(servers_are_urls_in_either_form),
        cmocka_unit_test(a_key_prefix_begins_and_ends_with_a_slash),
        cmocka_unit_test(verbosity_is_one_digit),
        cmocka_unit_test(a_file_is_lines_of_key_and_value),
        cmocka_unit_test(a_bad_line_is_named_by_its_number),
        cmocka_unit_test(an_unknown_key_brings_the_nearest),
    };
    return cmocka_run_group_tests_name("base/settings", tests, NULL, NULL);
}
