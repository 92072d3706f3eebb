/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each folder of tests/golden/units is a case: input.service, optionally name (of the unit, else
 * input.service), and either expected.error, or expected.unit with expected.json if it has a
 * container. UPDATE_GOLDEN=1 writes the expectations instead; read the diff before you commit it.
 */
#include "units/translate.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "tests/unit/harness.h"

enum { CASES_AT_LEAST = 25, FILE_MAX = 2 * 1024 * 1024 };

static const struct unit_host host = {
    .helper = "/usr/lib/muster/muster-container",
    .machine = {.host_name = "n1.example.org", .id = "1e93a2c45f6b4d07a8b9c0d1e2f30415"},
};

struct outcome {
    char *error; /* or NULL */
    struct translation *translation;
};

static char *golden_root(void)
{
    const char *top = getenv("top_srcdir");
    return text_format("%s/tests/golden/units", top ? top : ".");
}

/* The file of a case; NULL if it is absent. Any other failure ends the test. */
static char *read_if_there(const char *folder, const char *file, size_t *ret_length)
{
    autofree char *path = text_format("%s/%s", folder, file);
    char *data = NULL;
    struct error err = { 0 };
    int r = file_read(path, FILE_MAX, &data, ret_length, &err);
    if (r < 0 && r != -ENOENT)
        fail_msg("%s", err.text);
    return r < 0 ? NULL : data;
}

static struct outcome run_case(const char *folder)
{
    struct outcome outcome = { 0 };
    size_t length = 0;
    autofree char *input = read_if_there(folder, "input.service", &length);
    if (!input)
        fail_msg("%s has no input.service", folder);
    autofree char *name = read_if_there(folder, "name", NULL);
    if (name)
        name[strcspn(name, "\n")] = '\0';
    struct error err = { 0 };
    const char *unit = name ? name : "input.service";
    int r = unit_check(unit, input, length, &err);
    if (r >= 0)
        r = unit_translate(unit, input, length, &host, &outcome.translation, &err);
    if (r < 0)
        outcome.error = text_format("%s\n", err.text);
    return outcome;
}

static void write_expectation(const char *folder, const char *file, const char *text)
{
    autofree char *path = text_format("%s/%s", folder, file);
    struct error err = { 0 };
    int r = text ? file_write(path, text, strlen(text), 0644, &err) : file_remove(path, &err);
    if (r < 0)
        fail_msg("%s", err.text);
}

/* Both absent is equal too. */
static bool is_expected(const char *folder, const char *file, const char *actual)
{
    autofree char *expected = read_if_there(folder, file, NULL);
    if (text_equal(expected, actual))
        return true;
    print_message("# %s/%s\n# expected: %s\n# actual: %s\n", folder, file,
                  expected ? expected : "(nothing)", actual ? actual : "(nothing)");
    return false;
}

static bool judge(const char *folder, const struct outcome *outcome)
{
    const struct translation *t = outcome->translation;
    const char *unit = t ? t->unit_text : NULL;
    autofree char *json = t && t->container_json ? text_format("%s\n", t->container_json) : NULL;
    if (getenv("UPDATE_GOLDEN")) {
        write_expectation(folder, "expected.error", outcome->error);
        write_expectation(folder, "expected.unit", unit);
        write_expectation(folder, "expected.json", json);
        return true;
    }
    bool good = is_expected(folder, "expected.error", outcome->error);
    good = is_expected(folder, "expected.unit", unit) && good;
    return is_expected(folder, "expected.json", json) && good;
}

static void every_case_gives_what_is_expected(void **state)
{
    (void)state;
    autofree char *root = golden_root();
    DIR *directory = opendir(root);
    if (!directory)
        fail_msg("%s: %s", root, strerror(errno));
    unsigned int cases = 0, failures = 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        autofree char *folder = text_format("%s/%s", root, entry->d_name);
        struct outcome outcome = run_case(folder);
        cases++;
        if (!judge(folder, &outcome))
            failures++;
        free(outcome.error);
        translation_free(outcome.translation);
    }
    (void)closedir(directory);
    assert_int_equal(failures, 0);
    assert_true(cases >= CASES_AT_LEAST);
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
