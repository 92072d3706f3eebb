/* SPDX-License-Identifier: Apache-2.0 */
/* What [Container] reads is in tests/golden/units; here is its JSON. */
#include "units/container.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "tests/unit/harness.h"
#include "units/signal_name.h"
#include "units/specifier.h"
#include "units/unit_file.h"

static struct container *read_container(const char *text)
{
    autoptr(unit_file) file = NULL;
    struct container *container = NULL;
    struct error err = { 0 };
    assert_int_equal(unit_file_parse(text, strlen(text), &file, NULL), 0);
    if (container_read(file, "a@1.service", &specifier_any_machine, &container, &err) < 0)
        fail_msg("%s", err.text);
    return container;
}

static char *to_text(const struct container *container)
{
    autojson json = NULL;
    char *text = NULL;
    assert_int_equal(container_to_json(container, &json, NULL), 0);
    assert_int_equal(json_write(json, &text, NULL), 0);
    return text;
}

static void no_section_is_no_container(void **state)
{
    (void)state;
    assert_null(read_container("[Service]\nExecStart=/bin/true\n"));
}

static void json_brings_back_what_was_read(void **state)
{
    (void)state;
    static const char *const units[] = {
        "[Container]\nImage=oci:/i\n",
        "[Container]\nImage=oci:/i:t\nExec=a \"b c\"\nEnvironment=K=V L=\nVolume=/a:/b:ro\n"
        "Volume=/c:/d\nHostName=h\nNetwork=host\nNotify=yes\n",
    };
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        autoptr(container) container = read_container(units[i]);
        autofree char *text = to_text(container);
        autojson json = NULL;
        assert_int_equal(json_read(text, strlen(text), &json, NULL), 0);
        autoptr(container) back = NULL;
        assert_int_equal(container_from_json(json, &back, NULL), 0);
        autofree char *again = to_text(back);
        assert_string_equal(text, again);
    }
}

static void a_variable_set_twice_has_its_last_value(void **state)
{
    (void)state;
    autoptr(container) container =
        read_container("[Container]\nImage=oci:/i\nEnvironment=AB=1 A=1\nEnvironment=A=2 B=3\n");
    assert_int_equal(strv_length(container->environment), 3);
    assert_string_equal(container->environment[0], "AB=1");
    assert_string_equal(container->environment[1], "A=2");
}

static void wrong_json_is_refused_by_field(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"{}",                                                              "neither field \"image\" nor \"rootfs\""},
        { "{\"image\":1}",                                                  "field \"image\" is not a string"       },
        { "{\"image\":\"i\"}",                                              "field \"hostName\" is missing"         },
        { "{\"image\":\"i\",\"hostName\":\"h\",\"network\":\"moon\"}",
         "field \"network\": \"moon\" is none of its words"                                                         },
        { "{\"image\":\"i\",\"hostName\":\"h\",\"mounts\":[{}]}",
         "field \"mounts\" item 0 has no type or destination"                                                       },
        { "{\"image\":\"i\",\"hostName\":\"h\",\"mounts\":[{\"type\":1}]}",
         "field \"mounts\" item 0: field \"type\" is not a string"                                                  },
        { "{\"image\":\"i\",\"hostName\":\"h\",\"exec\":[1]}",
         "field \"exec\" is not an array of strings"                                                                },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        autojson json = NULL;
        autoptr(container) container = NULL;
        struct error err = { 0 };
        assert_int_equal(json_read(cases[i][0], strlen(cases[i][0]), &json, NULL), 0);
        assert_int_equal(container_from_json(json, &container, &err), -EPROTO);
        assert_string_equal(err.text, cases[i][1]);
    }
}

static void every_signal_that_has_a_name_has_its_number(void **state)
{
    (void)state;
    const struct {
        const char *said;
        int number;
    } cases[] = {
        {"TERM",        SIGTERM     },
        { "sigio",      SIGIO       },
        { "1",          SIGHUP      },
        { "SIGRTMIN+3", SIGRTMIN + 3},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *name = signal_name_find(cases[i].said);
        assert_non_null(name);
        assert_int_equal(signal_name_number(name), cases[i].number);
    }
    autofree char *last = text_format("%d", SIGRTMIN + 30);
    assert_string_equal(signal_name_find(last), "SIGRTMIN+30");
    assert_null(signal_name_find("0"));
    assert_null(signal_name_find("RTMIN+31"));
    assert_int_equal(signal_name_number("SIGNOTHING"), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_signal_that_has_a_name_has_its_number),
        cmocka_unit_test(no_section_is_no_container),
        cmocka_unit_test(json_brings_back_what_was_read),
        cmocka_unit_test(a_variable_set_twice_has_its_last_value),
        cmocka_unit_test(wrong_json_is_refused_by_field),
    };
    return cmocka_run_group_tests_name("units/container", tests, NULL, NULL);
}
