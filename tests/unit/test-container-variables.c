/* SPDX-License-Identifier: Apache-2.0 */
#include "container/variables.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "tests/unit/harness.h"

static char *of_service[] = { (char *)"PATH=/bin", (char *)"HTTP_PROXY=http://p", (char *)"TOKEN=x",
                              (char *)"TOKENS=y",  (char *)"no_proxy=lan",        NULL };

static void assert_variables(char *const *list, const char *expected)
{
    autotext joined = { 0 };
    for (; list && *list; list++)
        text_addf(&joined, "%s|", *list);
    autofree char *text = text_take(&joined);
    assert_string_equal(text, expected);
}

static void proxies_are_handed_on_unless_the_unit_says_no(void **state)
{
    (void)state;
    struct container container = { 0 };
    autostrv list = NULL;
    autostrv none = NULL;
    assert_int_equal(variables_of_service(&container, of_service, &list, NULL), 0);
    assert_variables(list, "HTTP_PROXY=http://p|no_proxy=lan|");
    container.no_http_proxy = true;
    assert_int_equal(variables_of_service(&container, of_service, &none, NULL), 0);
    assert_variables(none, "");
}

static void a_bare_name_hands_on_that_variable_alone(void **state)
{
    (void)state;
    char *names[] = { (char *)"TOKEN", (char *)"ABSENT", NULL };
    struct container container = { .environment_names = names, .no_http_proxy = true };
    autostrv list = NULL;
    assert_int_equal(variables_of_service(&container, of_service, &list, NULL), 0);
    assert_variables(list, "TOKEN=x|");
}

static void a_file_has_values_to_the_end_of_the_line(void **state)
{
    (void)state;
    static const char text[] =
        "# said\n\nA=1\n  B=two words # and this\r\nC=\"quoted\"\nTOKEN\nABSENT\nD=";
    autostrv list = NULL;
    assert_int_equal(variables_parse(text, of_service, &list, NULL), 0);
    assert_variables(list, "A=1|B=two words # and this|C=\"quoted\"|TOKEN=x|D=|");
}

static void a_line_that_is_no_variable_is_told_by_its_number(void **state)
{
    (void)state;
    static const char *const texts[] = { "A=1\n=x\n", "A=1\nexport B=2\n" };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        autostrv list = NULL;
        struct error err = { 0 };
        assert_int_equal(variables_parse(texts[i], of_service, &list, &err), -EINVAL);
        assert_true(text_starts_with(err.text, "line 2: "));
    }
}

static void a_missing_file_is_an_error_unless_it_is_optional(void **state)
{
    (void)state;
    char *files[] = { (char *)"-/nonexistent/a", NULL };
    struct container container = { .environment_files = files };
    autostrv list = NULL;
    struct error err = { 0 };
    assert_int_equal(variables_of_files(&container, of_service, &list, &err), 0);
    files[0] = (char *)"/nonexistent/a";
    assert_int_equal(variables_of_files(&container, of_service, &list, &err), -ENOENT);
    assert_non_null(strstr(err.text, "/nonexistent/a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(proxies_are_handed_on_unless_the_unit_says_no),
        cmocka_unit_test(a_bare_name_hands_on_that_variable_alone),
        cmocka_unit_test(a_file_has_values_to_the_end_of_the_line),
        cmocka_unit_test(a_line_that_is_no_variable_is_told_by_its_number),
        cmocka_unit_test(a_missing_file_is_an_error_unless_it_is_optional),
    };
    return cmocka_run_group_tests_name("container/variables", tests, NULL, NULL);
}
