/* SPDX-License-Identifier: Apache-2.0 */
#include "container/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "tests/unit/harness.h"

static int read_text(const char *text, struct container_settings **ret, struct error *err)
{
    char path[] = "/tmp/container.conf.XXXXXX";
    autoclose int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    int r = container_settings_read(path, ret, err);
    assert_int_equal(unlink(path), 0);
    return r;
}

static void crun_is_the_runtime_unless_one_is_said(void **state)
{
    autoptr(container_settings) silent = NULL;
    autoptr(container_settings) said = NULL;
    (void)state;
    assert_int_equal(read_text("# runtime = runc\n", &silent, NULL), 0);
    assert_int_equal(silent->runtime, CONTAINER_RUNTIME_CRUN);
    assert_int_equal(read_text("runtime = \"runc\"\n", &said, NULL), 0);
    assert_int_equal(said->runtime, CONTAINER_RUNTIME_RUNC);
}

static void the_network_of_those_who_do_not_say_is_a_bridge(void **state)
{
    autoptr(container_settings) silent = NULL;
    autoptr(container_settings) said = NULL;
    struct container_settings *none = NULL;
    struct error err;
    (void)state;
    assert_int_equal(read_text("", &silent, NULL), 0);
    assert_int_equal(silent->network, CONTAINER_NETWORK_BRIDGE);
    assert_int_equal(read_text("network = none\n", &said, NULL), 0);
    assert_int_equal(said->network, CONTAINER_NETWORK_NONE);
    assert_int_equal(read_text("network = ns:/run/x\n", &none, &err), -EINVAL);
    assert_non_null(strstr(err.text, "neither bridge, none nor host"));
}

static void the_environment_has_the_last_word(void **state)
{
    autoptr(container_settings) settings = NULL;
    struct container_settings *none = NULL;
    struct error err;
    (void)state;
    assert_int_equal(setenv("MUSTER_CONTAINER_RUNTIME", "runc", 1), 0);
    assert_int_equal(read_text("runtime = crun\n", &settings, NULL), 0);
    assert_int_equal(settings->runtime, CONTAINER_RUNTIME_RUNC);
    assert_int_equal(setenv("MUSTER_CONTAINER_RUNTIME", "", 1), 0);
    assert_int_equal(read_text("", &none, &err), -EINVAL);
    assert_string_equal(err.text,
                        "environment MUSTER_CONTAINER_RUNTIME: \"\" is neither crun nor runc");
    assert_int_equal(unsetenv("MUSTER_CONTAINER_RUNTIME"), 0);
}

static void images_may_take_a_size_or_a_part(void **state)
{
    autoptr(container_settings) silent = NULL;
    autoptr(container_settings) said = NULL;
    struct container_settings *none = NULL;
    static const char *const wrong[] = { "10", "G", "0G", "101%", "1.5G", "20GB", "-1G", "" };
    (void)state;
    assert_int_equal(read_text("", &silent, NULL), 0);
    assert_int_equal(silent->images_max_size.percent, 10);
    assert_int_equal(silent->images_max_size.bytes, 0);
    assert_int_equal(read_text("images_max_size = 3G\n", &said, NULL), 0);
    assert_int_equal(said->images_max_size.percent, 0);
    assert_int_equal(said->images_max_size.bytes, (int64_t)3 << 30);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        autofree char *text = text_format("images_max_size = %s\n", wrong[i]);
        assert_int_equal(read_text(text, &none, NULL), -EINVAL);
    }
}

static void a_registry_may_be_silent_for_so_long(void **state)
{
    autoptr(container_settings) silent = NULL;
    autoptr(container_settings) said = NULL;
    struct container_settings *none = NULL;
    (void)state;
    assert_int_equal(read_text("", &silent, NULL), 0);
    assert_int_equal(silent->registry_timeout_ms, 60000);
    assert_int_equal(read_text("registry_timeout = 5\n", &said, NULL), 0);
    assert_int_equal(said->registry_timeout_ms, 5000);
    assert_int_equal(read_text("registry_timeout = 0\n", &none, NULL), -EINVAL);
    assert_int_equal(read_text("registry_timeout = 3601\n", &none, NULL), -EINVAL);
    assert_int_equal(read_text("registry_timeout = 5s\n", &none, NULL), -EINVAL);
}

static void what_is_wrong_is_named_with_its_line(void **state)
{
    struct container_settings *none = NULL;
    struct error err;
    (void)state;
    assert_int_equal(read_text("\nruntime = rkt\n", &none, &err), -EINVAL);
    assert_true(text_ends_with(err.text, ": line 2: runtime: \"rkt\" is neither crun nor runc"));
    assert_int_equal(read_text("runtimes = crun\n", &none, &err), -EINVAL);
    assert_true(text_ends_with(err.text, "unknown key \"runtimes\"; did you mean \"runtime\"?"));
    assert_int_equal(container_settings_read("/nonexistent/container.conf", &none, &err), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crun_is_the_runtime_unless_one_is_said),
        cmocka_unit_test(the_network_of_those_who_do_not_say_is_a_bridge),
        cmocka_unit_test(the_environment_has_the_last_word),
        cmocka_unit_test(images_may_take_a_size_or_a_part),
        cmocka_unit_test(a_registry_may_be_silent_for_so_long),
        cmocka_unit_test(what_is_wrong_is_named_with_its_line),
    };
    return cmocka_run_group_tests_name("container/settings", tests, NULL, NULL);
}
