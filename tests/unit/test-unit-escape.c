/* SPDX-License-Identifier: Apache-2.0 */
/* Escaping and the specifiers that undo it. The expectations are what systemd 252 said. */
#include "units/unit_escape.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "tests/unit/harness.h"
#include "units/specifier.h"

static void strings_are_escaped_as_systemd_escape_does(void **state)
{
    static const char *const cases[][2] = {
        {"",                   ""                              },
        { "/",                 "-"                             },
        { "/dev/sda",          "-dev-sda"                      },
        { "a-b",               "a\\x2db"                       },
        { ".a",                "\\x2ea"                        },
        { "a.b@c\\d \xc3\xa9", "a.b\\x40c\\x5cd\\x20\\xc3\\xa9"},
        { "//a//b/",           "--a--b-"                       },
        { "x:_y",              "x:_y"                          },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        autofree char *escaped = unit_escape(cases[i][0]);
        autofree char *back = NULL;
        assert_string_equal(escaped, cases[i][1]);
        assert_int_equal(unit_unescape(escaped, &back, NULL), 0);
        assert_string_equal(back, cases[i][0]);
    }
}

static void paths_lose_their_outer_slashes(void **state)
{
    static const char *const cases[][2] = {
        {"/",         "-"       },
        { "/dev/sda", "dev-sda" },
        { "//a//b/",  "a-b"     },
        { "/a/./b",   "a-b"     },
        { "/.a/b",    "\\x2ea-b"},
        { "/a-b",     "a\\x2db" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        autofree char *escaped = NULL;
        assert_int_equal(unit_escape_path(cases[i][0], &escaped, NULL), 0);
        assert_string_equal(escaped, cases[i][1]);
    }
    char *none = NULL;
    assert_int_equal(unit_escape_path("a/b", &none, NULL), -EINVAL);
    assert_int_equal(unit_escape_path("", &none, NULL), -EINVAL);
    assert_int_equal(unit_escape_path("/a/../b", &none, NULL), -EINVAL);
}

static void only_what_is_escaped_is_unescaped(void **state)
{
    static const char *const bad[] = { "\\", "\\x", "\\xzz", "\\x4", "a\\qb", "\\x00" };
    static const char *const no_path[] = { "", "-dev-sda", "a-", "\\x2f", "a--b", "a-.-b", ".." };
    char *none = NULL;
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(unit_unescape(bad[i], &none, NULL), -EINVAL);
    for (size_t i = 0; i < sizeof(no_path) / sizeof(no_path[0]); i++)
        assert_int_equal(unit_unescape_path(no_path[i], &none, NULL), -EINVAL);
    autofree char *path = NULL;
    assert_int_equal(unit_unescape_path("\\x2ea-b", &path, NULL), 0);
    assert_string_equal(path, "/.a/b");
}

static void specifiers_are_systemds(void **state)
{
    static const char every[] = "%n %N %p %P %i %I %j %J %f %%n";
    static const char *const cases[][2] = {
        {"a-b@dev-sda.service",
         "a-b@dev-sda.service a-b@dev-sda a-b a/b dev-sda dev/sda b b /dev/sda %n"            },
        { "a\\x2db-c@x\\x2dy.service",
         "a\\x2db-c@x\\x2dy.service a\\x2db-c@x\\x2dy a\\x2db-c a-b/c x\\x2dy x-y c c /x-y %n"},
        { "a-b.service",               "a-b.service a-b a-b a/b   b b /a/b %n"                },
        { "web@a@b.timer",             "web@a@b.timer web@a@b web web a@b a@b web web /a@b %n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        autofree char *expanded = NULL;
        assert_int_equal(specifier_expand(every, cases[i][0], NULL, &expanded, NULL), 0);
        assert_string_equal(expanded, cases[i][1]);
    }
    autofree char *manager = NULL;
    assert_int_equal(
        specifier_expand("%t %S %C %L %E %T %V %u %U %g %G %h", "a.service", NULL, &manager, NULL),
        0);
    assert_string_equal(manager, "/run /var/lib /var/cache /var/log /etc /tmp /var/tmp root 0 root "
                                 "0 /root");
}

static void what_depends_on_the_machine_needs_one(void **state)
{
    static const struct specifier_machine machine = { "n1.example.org", "1e93" };
    static const char *const bad[] = { "%H", "%m", "%l", "%b", "%v", "%", "%f" };
    autofree char *of_machine = NULL;
    assert_int_equal(specifier_expand("%H %l %m", "a.service", &machine, &of_machine, NULL), 0);
    assert_string_equal(of_machine, "n1.example.org n1 1e93");
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char *none = NULL;
        struct error err = { 0 };
        assert_int_equal(specifier_expand(bad[i], "a@-b.service", NULL, &none, &err), -EINVAL);
        assert_true(*err.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_are_escaped_as_systemd_escape_does),
        cmocka_unit_test(paths_lose_their_outer_slashes),
        cmocka_unit_test(only_what_is_escaped_is_unescaped),
        cmocka_unit_test(specifiers_are_systemds),
        cmocka_unit_test(what_depends_on_the_machine_needs_one),
    };
    return cmocka_run_group_tests_name("units/unit_escape and specifier", tests, NULL, NULL);
}
