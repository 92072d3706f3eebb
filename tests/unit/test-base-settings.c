/* SPDX-License-Identifier: Apache-2.0 */
#include "base/settings.h"

#include <errno.h>
#include <string.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ttl_is_whole_seconds_within_bounds),
        cmocka_unit_test(a_timeout_is_seconds_within_bounds),
        cmocka_unit_test(servers_are_urls_in_either_form),
        cmocka_unit_test(a_key_prefix_begins_and_ends_with_a_slash),
        cmocka_unit_test(verbosity_is_one_digit),
    };
    return cmocka_run_group_tests_name("base/settings", tests, NULL, NULL);
}
