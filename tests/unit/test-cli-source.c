/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/source.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "tests/unit/harness.h"

/* A store with one template. */
static const char template_text[] = "[Service]\nExecStart=/bin/stored\n";
static bool store_has_template;
static bool store_has_unit;

static const char *hash(const char *name, void *userdata)
{
    (void)userdata;
    if (text_equal(name, "t@.service"))
        return store_has_template ? "aa" : NULL;
    return store_has_unit && text_equal(name, "t@1.service") ? "aa" : NULL;
}

static int text(const char *name, char **ret, struct error *err, void *userdata)
{
    (void)userdata;
    assert_string_equal(name, "t@.service");
    *ret = strdup(template_text);
    return *ret ? 0 : error_oom(err);
}

static const struct source_store store = { hash, text, NULL };

static char directory[] = "/tmp/test-cli-source.XXXXXX";

static void put_file(const char *name, const char *content)
{
    autofree char *path = text_format("%s/%s", directory, name);
    assert_int_equal(file_write(path, content, strlen(content), 0644, NULL), 0);
}

static int set_up(void **state)
{
    (void)state;
    store_has_template = store_has_unit = false;
    return 0;
}

static int tear_down(void **state)
{
    static const char *const names[] = { "t@.service", "t@1.service" };
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        autofree char *path = text_format("%s/%s", directory, names[i]);
        (void)file_remove(path, NULL);
    }
    return 0;
}

/* Finds DIR/t@1 (the suffix is added) and checks where its text is from. */
static void check(const char *wanted_text, bool in_store)
{
    __attribute__((cleanup(source_done))) struct source source = { 0 };
    autofree char *typed = text_format("%s/t@1", directory);
    assert_int_equal(source_find(typed, &store, &source, NULL), 0);
    assert_string_equal(source.name, "t@1.service");
    assert_int_equal(source.in_store, in_store);
    if (wanted_text)
        assert_string_equal(source.text, wanted_text);
    else
        assert_null(source.text);
    assert_int_equal(source.differs, in_store && wanted_text);
}

static void the_file_itself_comes_before_every_template(void **state)
{
    (void)state;
    store_has_template = true;
    put_file("t@1.service", "own");
    put_file("t@.service", "beside");
    check("own", false);
}

static void the_template_in_the_store_comes_before_the_one_beside(void **state)
{
    (void)state;
    store_has_template = true;
    put_file("t@.service", "beside");
    check(template_text, false);
}

static void the_template_beside_is_the_last_resort(void **state)
{
    (void)state;
    put_file("t@.service", "beside");
    check("beside", false);
}

static void a_unit_in_the_store_needs_no_file_and_is_compared_with_one(void **state)
{
    (void)state;
    store_has_unit = true;
    check(NULL, true);
    put_file("t@.service", "beside");
    check("beside", true);
}

static void what_is_nowhere_is_an_error_that_names_it(void **state)
{
    struct source source;
    struct error err;
    (void)state;
    assert_int_equal(source_find("nowhere/t@1", &store, &source, &err), -ENOENT);
    assert_string_equal(err.text, "unit t@1.service is neither in the store nor a file here, nor "
                                  "is its template");
}

static void a_text_that_is_not_utf8_is_refused_with_its_line(void **state)
{
    struct source source = { 0 };
    struct error err;
    autofree char *typed = text_format("%s/t@1.service", directory);
    (void)state;
    put_file("t@1.service", "[Service]\nExecStart=/bin/true \xff\n");
    assert_int_equal(source_find(typed, &store, &source, &err), -EINVAL);
    assert_non_null(strstr(err.text, "t@1.service: line 2: not UTF-8"));
}

static void a_name_that_is_no_units_is_refused(void **state)
{
    struct source source;
    (void)state;
    struct error err;
    assert_int_equal(source_find("a b.service", &store, &source, NULL), -EINVAL);
    assert_int_equal(source_find("web@*", &store, &source, &err), -EINVAL);
    assert_string_equal(err.text, "\"web@*\" is a pattern; name each unit, as the shell does with "
                                  "NAME@{1,2}.service");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_file_itself_comes_before_every_template, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_template_in_the_store_comes_before_the_one_beside,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_template_beside_is_the_last_resort, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_unit_in_the_store_needs_no_file_and_is_compared_with_one,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_nowhere_is_an_error_that_names_it, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_text_that_is_not_utf8_is_refused_with_its_line, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_name_that_is_no_units_is_refused, set_up, tear_down),
    };
    if (!mkdtemp(directory))
        return 1;
    int r = cmocka_run_group_tests_name("cli/source", tests, NULL, NULL);
    (void)rmdir(directory);
    return r;
}
