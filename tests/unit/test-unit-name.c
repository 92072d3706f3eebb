/* SPDX-License-Identifier: Apache-2.0 */
#include "units/unit_name.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "tests/unit/harness.h"

/* A name of this many bytes in all. */
static char *name_of_length(size_t length)
{
    char *name = text_format("%*s.service", (int)(length - strlen(".service")), "");
    memset(name, 'a', length - strlen(".service"));
    return name;
}

static void good_names_pass(void **state)
{
    (void)state;
    static const char *const names[] = {
        "foo.service", "foo.socket",     "foo.mount",     "foo.target",    "foo.snapshot",
        "a.b.service", "foo@.service",   "foo@1.service", "foo@b@c.timer", "foo:bar-_.service",
        "FOO.slice",   "f\\x2do.device", "0.path",        "foo@.target",   "-.slice",
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct error err = { 0 };
        if (unit_name_check(names[i], &err) < 0)
            fail_msg("%s: %s", names[i], err.text);
    }
}

static void bad_names_are_refused_with_the_reason(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *text;
    } cases[] = {
        {"",                  "unit name is empty"                                               },
        { "foo",              "unit name \"foo\" does not end in a type such as .service"        },
        { "foo.",             "unit name \"foo.\" does not end in a type such as .service"       },
        { ".service",         "unit name \".service\" begins with '.'"                           },
        { "@.service",        "unit name \"@.service\" begins with '@'"                          },
        { "foo.servce",
         "unit name \"foo.servce\": \"servce\" is no type of unit; did you mean \"service\"?"    },
        { "foo.kubernetes",   "unit name \"foo.kubernetes\": \"kubernetes\" is no type of unit"  },
        { "web@.container",
         "unit name \"web@.container\": name it web@.service; a file with [Container] becomes a "
          "service"                                                                              },
        { "foo@1.mount",      "unit name \"foo@1.mount\": a mount has no templates and instances"},
        { "a/b.service",
         "unit name \"a/b.service\": '/' is not allowed; letters, digits and :-_.\\@ are"        },
        { "a b.service",
         "unit name has a byte 0x20; only letters, digits and :-_.\\@ are allowed"               },
        { "\xc3\xa9.service",
         "unit name has a byte 0xc3; only letters, digits and :-_.\\@ are allowed"               },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct error err = { 0 };
        assert_int_equal(unit_name_check(cases[i].name, &err), -EINVAL);
        assert_string_equal(err.text, cases[i].text);
    }
}

static void length_is_bounded_by_256(void **state)
{
    (void)state;
    autofree char *longest = name_of_length(256);
    autofree char *too_long = name_of_length(257);
    assert_int_equal(unit_name_check(longest, NULL), 0);
    assert_int_equal(unit_name_check(too_long, NULL), -EINVAL);
}

static void templates_and_instances_are_told_apart(void **state)
{
    (void)state;
    assert_true(unit_name_is_template("p@.service"));
    assert_false(unit_name_is_template("p@i.service"));
    assert_false(unit_name_is_template("p.service"));
    assert_true(unit_name_is_instance("p@i.service"));
    assert_true(unit_name_is_instance("p@a.b@c.service"));
    assert_false(unit_name_is_instance("p@.service"));
    assert_false(unit_name_is_instance("p.service"));
    autofree char *template = unit_name_template("p@a.b@c.service");
    assert_string_equal(template, "p@.service");
    assert_null(unit_name_template("p@.service"));
    assert_null(unit_name_template("p.service"));
    assert_string_equal(unit_name_type("p@a.b.timer"), "timer");
    assert_string_equal(unit_name_type("p"), "");
}

static void typed_names_are_completed(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"foo",                  "foo.service"  },
        { "foo.service",         "foo.service"  },
        { "./dir.x/foo@1.timer", "foo@1.timer"  },
        { "/abs/foo",            "foo.service"  },
        { "v1.2",                "v1.2.service" },
        { "foo@1",               "foo@1.service"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        autofree char *name = unit_name_mangle(cases[i][0]);
        assert_string_equal(name, cases[i][1]);
    }
}

static void escaping_keeps_names_apart(void **state)
{
    (void)state;
    autofree char *instance = unit_name_escape("busybox@1");
    autofree char *literal = unit_name_escape("busybox\\x401");
    assert_string_equal(instance, "busybox\\x401");
    assert_string_equal(literal, "busybox\\x5cx401");
    autofree char *odd = unit_name_escape("a b/\xc3");
    assert_string_equal(odd, "a\\x20b\\x2f\\xc3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_names_pass),
        cmocka_unit_test(bad_names_are_refused_with_the_reason),
        cmocka_unit_test(length_is_bounded_by_256),
        cmocka_unit_test(templates_and_instances_are_told_apart),
        cmocka_unit_test(typed_names_are_completed),
        cmocka_unit_test(escaping_keeps_names_apart),
    };
    return cmocka_run_group_tests_name("units/unit_name", tests, NULL, NULL);
}
