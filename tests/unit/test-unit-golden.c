/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each folder of tests/golden/units is a case: input.service, optionally name (of the unit, else
 * input.service), and either expected.error, or expected.unit with expected.json if it has a
 * container.
 */
#include "units/translate.h"

#include "tests/unit/golden.h"

static const struct unit_host host = {
    .helper = "/usr/lib/muster/muster-container",
    .machine = {.host_name = "n1.example.org", .id = "1e93a2c45f6b4d07a8b9c0d1e2f30415"},
};

struct outcome {
    char *error; /* or NULL */
    struct translation *translation;
};

static struct outcome run_case(const char *name)
{
    struct outcome outcome = { 0 };
    size_t length = 0;
    autofree char *input = golden_read("units", name, "input.service", &length);
    if (!input)
        fail_msg("%s has no input.service", name);
    autofree char *named = golden_read("units", name, "name", NULL);
    if (named)
        named[strcspn(named, "\n")] = '\0';
    struct error err = { 0 };
    const char *unit = named ? named : "input.service";
    int r = unit_check(unit, input, length, &err);
    if (r >= 0)
        r = unit_translate(unit, input, length, &host, &outcome.translation, &err);
    if (r < 0)
        outcome.error = text_format("%s\n", err.text);
    return outcome;
}

static bool is_expected(const char *name, const struct outcome *outcome)
{
    const struct translation *t = outcome->translation;
    autofree char *json = t && t->container_json ? text_format("%s\n", t->container_json) : NULL;
    bool good = golden_judge("units", name, "expected.error", outcome->error);
    good = golden_judge("units", name, "expected.unit", t ? t->unit_text : NULL) && good;
    return golden_judge("units", name, "expected.json", json) && good;
}

static bool judge(const char *name)
{
    struct outcome outcome = run_case(name);
    bool good = is_expected(name, &outcome);
    free(outcome.error);
    translation_free(outcome.translation);
    return good;
}

static void every_case_gives_what_is_expected(void **state)
{
    (void)state;
    golden_each("units", 25, judge);
}

/* What we generated for a plain unit is itself a unit; for any input the same bytes come out. */
static void translation_is_repeatable(void **state)
{
    (void)state;
    static const char text[] =
        "[Container]\nImage=oci:/i\nEnvironment=B=2 A=1\n[Service]\nRestart=no";
    autoptr(translation) first = NULL;
    autoptr(translation) second = NULL;
    assert_int_equal(unit_translate("a.service", text, strlen(text), &host, &first, NULL), 0);
    assert_int_equal(unit_translate("a.service", text, strlen(text), &host, &second, NULL), 0);
    assert_string_equal(first->unit_text, second->unit_text);
    assert_string_equal(first->container_json, second->container_json);
}

static void odd_helper_paths_are_quoted(void **state)
{
    (void)state;
    static const char text[] = "[Container]\nImage=oci:/i\n";
    autoptr(translation) t = NULL;
    struct error err = { 0 };
    const struct unit_host odd = { "/o pt/100%/\"h\\", host.machine };
    const struct unit_host relative = { "helper", host.machine };
    assert_int_equal(unit_translate("a.service", text, strlen(text), &odd, &t, &err), 0);
    assert_non_null(strstr(t->unit_text, "\nExecStart=\"/o pt/100%%/\\\"h\\\\\" start %n\n"));
    assert_int_equal(unit_translate("a.service", text, strlen(text), &relative, &t, &err), -EINVAL);
    assert_string_equal(err.text, "the helper's path \"helper\" is not absolute");
}

static void templates_are_checked_but_not_translated(void **state)
{
    (void)state;
    static const char text[] = "[Service]\nExecStart=/bin/true\n[X-Fleet]\n"
                               "MachineOf=%p-db@%i.service\n";
    autoptr(translation) t = NULL;
    struct error err = { 0 };
    assert_int_equal(unit_check("a@.service", text, strlen(text), &err), 0);
    assert_int_equal(unit_translate("a@.service", text, strlen(text), &host, &t, &err), -EINVAL);
    assert_null(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_gives_what_is_expected),
        cmocka_unit_test(translation_is_repeatable),
        cmocka_unit_test(odd_helper_paths_are_quoted),
        cmocka_unit_test(templates_are_checked_but_not_translated),
    };
    return cmocka_run_group_tests_name("units/translate", tests, NULL, NULL);
}
