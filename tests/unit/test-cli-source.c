/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/source.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "tests/unit/harness.h"
#include "tests/unit/tree.h"

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

static const char *directory;

static void put_file(const char *name, const char *content)
{
    autofree char *path = text_format("%s/%s", directory, name);
    assert_int_equal(file_write(path, content, strlen(content), 0644, NULL), 0);
}

static int set_up(void **state)
{
    store_has_template = store_has_unit = false;
    assert_int_equal(tree_setup(state), 0);
    directory = *state;
    return 0;
}

static void put_drop_in(const char *folder, const char *name, const char *content)
{
    autofree char *path = text_format("%s/%s", directory, folder);
    autofree char *file = text_format("%s/%s", folder, name);
    assert_int_equal(file_make_dirs(path, 0755, NULL), 0);
    put_file(file, content);
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

static void drop_ins_beside_the_file_become_part_of_the_text(void **state)
{
    (void)state;
    put_file("t@.service", "[Service]\nExecStart=/bin/a\n");
    put_drop_in("t@.service.d", "10-a.conf", "[Service]\nNice=1\n");
    put_drop_in("t@.service.d", "20-b.conf", "[Service]\nNice=2\n");
    put_drop_in("t@1.service.d", "20-b.conf", "[Service]\nNice=3\n");
    put_drop_in("t@2.service.d", "30-c.conf", "[Service]\nNice=4\n");
    put_drop_in("service.d", "05-all.conf", "[Unit]\nDescription=x\n");
    put_drop_in("service.d", "README", "not a drop-in");
    check("[Service]\nExecStart=/bin/a\n"
          "\n# service.d/05-all.conf\n[Unit]\nDescription=x\n"
          "\n# t@.service.d/10-a.conf\n[Service]\nNice=1\n"
          "\n# t@1.service.d/20-b.conf\n[Service]\nNice=3\n",
          false);
}

static void a_link_to_dev_null_masks_a_drop_in(void **state)
{
    (void)state;
    put_file("t@1.service", "[Service]\n");
    put_drop_in("t@.service.d", "10-a.conf", "[Service]\nNice=1\n");
    put_drop_in("t@1.service.d", "20-b.conf", "");
    put_drop_in("t@.service.d", "20-b.conf", "[Service]\nNice=2\n");
    autofree char *link = text_format("%s/t@1.service.d/10-a.conf", directory);
    assert_int_equal(symlink("/dev/null", link), 0);
    check("[Service]\n", false);
}

static void a_template_of_the_store_is_given_the_drop_ins_of_its_instance_alone(void **state)
{
    (void)state;
    store_has_template = true;
    put_drop_in("t@.service.d", "10-a.conf", "[Service]\nNice=1\n");
    put_drop_in("t@1.service.d", "20-b.conf", "[Service]\nNice=2\n");
    autofree char *wanted =
        text_format("%s\n# t@1.service.d/20-b.conf\n[Service]\nNice=2\n", template_text);
    check(wanted, false);
}

static void a_bad_drop_in_is_refused_by_its_name(void **state)
{
    struct source source = { 0 };
    struct error err;
    autofree char *typed = text_format("%s/t@1", directory);
    (void)state;
    put_file("t@1.service", "[Service]\n");
    put_drop_in("t@.service.d", "10-a.conf", "\nNice=1\n");
    assert_int_equal(source_find(typed, &store, &source, &err), -EINVAL);
    assert_string_equal(err.text,
                        "t@.service.d/10-a.conf: line 2: \"Nice=1\": it stands before any "
                        "[Section]");
}

/* Finds DIR/typed and checks the unit's name and its text. */
static void check_named(const char *typed, const char *name, const char *wanted)
{
    __attribute__((cleanup(source_done))) struct source source = { 0 };
    autofree char *path = text_format("%s/%s", directory, typed);
    struct error err = { 0 };
    if (source_find(path, &store, &source, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(source.name, name);
    assert_string_equal(source.text, wanted);
}

static void a_container_file_is_a_service_with_drop_ins_of_its_own(void **state)
{
    (void)state;
    put_file("w.container", "[Container]\n");
    put_drop_in("w.container.d", "1.conf", "[Container]\nImage=x\n");
    put_drop_in("w.service.d", "2.conf", "[Service]\nNice=1\n");
    check_named("w.container", "w.service",
                "[Container]\n\n# w.container.d/1.conf\n[Container]\nImage=x\n");
    put_file("x@.container", "[Container]\n");
    check_named("x@7.container", "x@7.service", "[Container]\n");
    put_file("y@.container", "[Container]\nServiceName=other\n");
    check_named("y@7.container", "other@7.service", "[Container]\nServiceName=other\n");
}

static void what_ought_to_be_escaped_is_refused_with_the_name_to_write(void **state)
{
    struct source source;
    struct error err;
    (void)state;
    assert_int_equal(source_find("foo@/dev/sda", &store, &source, &err), -EINVAL);
    assert_string_equal(err.text,
                        "\"foo@/dev/sda\": a path is escaped in a unit's name: write "
                        "'foo@dev-sda', or 'foo@-dev-sda' if the unit expects its first slash, "
                        "too (see systemd-escape)");
    assert_int_equal(source_find("x.volume", &store, &source, &err), -EINVAL);
    assert_non_null(strstr(err.text, "x.volume: a .volume is no unit of muster; "));
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
                                        tree_teardown),
        cmocka_unit_test_setup_teardown(the_template_in_the_store_comes_before_the_one_beside,
                                        set_up, tree_teardown),
        cmocka_unit_test_setup_teardown(the_template_beside_is_the_last_resort, set_up,
                                        tree_teardown),
        cmocka_unit_test_setup_teardown(a_unit_in_the_store_needs_no_file_and_is_compared_with_one,
                                        set_up, tree_teardown),
        cmocka_unit_test_setup_teardown(drop_ins_beside_the_file_become_part_of_the_text, set_up,
                                        tree_teardown),
        cmocka_unit_test_setup_teardown(a_link_to_dev_null_masks_a_drop_in, set_up, tree_teardown),
        cmocka_unit_test_setup_teardown(
            a_template_of_the_store_is_given_the_drop_ins_of_its_instance_alone, set_up,
            tree_teardown),
        cmocka_unit_test_setup_teardown(a_bad_drop_in_is_refused_by_its_name, set_up,
                                        tree_teardown),
        cmocka_unit_test_setup_teardown(a_container_file_is_a_service_with_drop_ins_of_its_own,
                                        set_up, tree_teardown),
        cmocka_unit_test_setup_teardown(what_ought_to_be_escaped_is_refused_with_the_name_to_write,
                                        set_up, tree_teardown),
        cmocka_unit_test_setup_teardown(what_is_nowhere_is_an_error_that_names_it, set_up,
                                        tree_teardown),
        cmocka_unit_test_setup_teardown(a_text_that_is_not_utf8_is_refused_with_its_line, set_up,
                                        tree_teardown),
        cmocka_unit_test_setup_teardown(a_name_that_is_no_units_is_refused, set_up, tree_teardown),
    };
    return cmocka_run_group_tests_name("cli/source", tests, NULL, NULL);
}
