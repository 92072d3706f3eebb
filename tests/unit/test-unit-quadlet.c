/* SPDX-License-Identifier: Apache-2.0 */
#include "units/quadlet.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "tests/unit/harness.h"
#include "units/unit_file.h"

static void containers_are_services(void **state)
{
    static const char *const cases[][3] = {
        {"web.container",      NULL,  "web.service"        },
        { "web@1.container",   NULL,  "web@1.service"      },
        { "web@.container",    NULL,  "web@.service"       },
        { "a.b.container",     NULL,  "a.b.service"        },
        { "web.container",     "app", "app.service"        },
        { "web@a@b.container", "app", "app@a@b.service"    },
        { "web@.container",    "app", "app@.service"       },
        { "web.pod",           NULL,  "web-pod.service"    },
        { "web@a@b.pod",       NULL,  "web-pod@a@b.service"},
        { "web@.pod",          NULL,  "web-pod@.service"   },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        autofree char *name = NULL;
        assert_int_equal(quadlet_service(cases[i][0], cases[i][1], &name, NULL), 0);
        assert_string_equal(name, cases[i][2]);
    }
    assert_true(quadlet_is_name("web.container"));
    assert_true(quadlet_is_name("web.kube"));
    assert_false(quadlet_is_name("web.service"));
    assert_false(quadlet_is_name("container"));
}

static void other_kinds_are_refused_with_what_to_do_instead(void **state)
{
    static const char *const names[] = { "a.volume", "a.network", "a.image",
                                         "a.kube",   "a.build",   "a.artifact" };
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char *name = NULL;
        struct error err = { 0 };
        assert_int_equal(quadlet_service(names[i], NULL, &name, &err), -EINVAL);
        assert_non_null(strstr(err.text, " is no unit of muster; "));
        assert_non_null(strstr(err.text, ".container"));
    }
    char *name = NULL;
    assert_int_equal(quadlet_service("a.container", "b c", &name, NULL), -EINVAL);
}

static struct unit_file *parse(const char *text)
{
    struct unit_file *file = NULL;
    assert_int_equal(unit_file_parse(text, strlen(text), &file, NULL), 0);
    return file;
}

static void names_in_unit_are_translated_and_nothing_else(void **state)
{
    (void)state;
    autoptr(unit_file) file = parse("# web\n[Unit]\n"
                                    "Wants=db.container  x@1.container y.service\n"
                                    "After = a\\x2db.service \\\n  z.mount\n"
                                    "Description=runs db.container\n"
                                    "Before=my.container.service a.containers\n"
                                    "[X-A]\nWants=db.container\n");
    autofree char *text = NULL;
    assert_int_equal(quadlet_translate(file, NULL), 0);
    assert_int_equal(unit_file_write(file, &text, NULL), 0);
    assert_string_equal(text, "# web\n[Unit]\n"
                              "Wants=db.service x@1.service y.service\n"
                              "After = a\\x2db.service \\\n  z.mount\n"
                              "Description=runs db.container\n"
                              "Before=my.container.service a.containers\n"
                              "[X-A]\nWants=db.container\n");
}

static void a_dependency_on_what_is_no_unit_is_refused(void **state)
{
    (void)state;
    struct error err = { 0 };
    autoptr(unit_file) file = parse("[Unit]\nRequires=a.service data.volume\n");
    assert_int_equal(quadlet_translate(file, &err), -EINVAL);
    assert_string_equal(err.text,
                        "line 2: [Unit] Requires=a.service data.volume: a .volume is no unit of "
                        "muster; name the volume in Volume= of the .container that uses it");
}

static void the_network_is_waited_for_unless_the_file_says_no(void **state)
{
    (void)state;
    bool value = false;
    struct error err = { 0 };
    autoptr(unit_file) silent = parse("[Container]\nImage=x\n");
    autoptr(unit_file) no = parse("[Quadlet]\nDefaultDependencies=yes\nDefaultDependencies=no\n");
    autoptr(unit_file) odd = parse("[Quadlet]\nDefaultDependencies=perhaps\n");
    autoptr(unit_file) other = parse("[Quadlet]\nDefaultDependency=no\n");
    assert_int_equal(quadlet_default_dependencies(silent, &value, NULL), 0);
    assert_true(value);
    assert_int_equal(quadlet_default_dependencies(no, &value, NULL), 0);
    assert_false(value);
    assert_int_equal(quadlet_default_dependencies(odd, &value, &err), -EINVAL);
    assert_string_equal(err.text, "line 2: [Quadlet] DefaultDependencies=perhaps: write yes or no");
    assert_int_equal(quadlet_default_dependencies(other, &value, NULL), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(containers_are_services),
        cmocka_unit_test(other_kinds_are_refused_with_what_to_do_instead),
        cmocka_unit_test(names_in_unit_are_translated_and_nothing_else),
        cmocka_unit_test(a_dependency_on_what_is_no_unit_is_refused),
        cmocka_unit_test(the_network_is_waited_for_unless_the_file_says_no),
    };
    return cmocka_run_group_tests_name("units/quadlet", tests, NULL, NULL);
}
