/* SPDX-License-Identifier: Apache-2.0 */
#include "container/filter_cache.h"

#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "tests/unit/harness.h"
#include "tests/unit/tree.h"

static const struct utsname machine = { .machine = "x86_64", .release = "6.1.0", .version = "#1" };

/* Two instructions. */
static const char filter[] = "\x06\0\0\0\0\0\x05\0\x06\0\0\0\0\0\xff\x7f";
enum { FILTER_BYTES = sizeof(filter) - 1 };
static const char filter_base64[] = "BgAAAAAABQAGAAAAAAD/fw==";

static void name_of(const char *profile, const struct utsname *of, const char *runtime,
                    char ret[DIGEST_HEX_SIZE])
{
    autojson seccomp = json_loads(profile, 0, NULL);
    assert_non_null(seccomp);
    assert_int_equal(filter_cache_name(seccomp, of, runtime, ret, NULL), 0);
}

static void keep(const char *directory, const char *name)
{
    autofree char *compiled = text_format("%s/seccomp.bpf", directory);
    autofree char *cache = text_format("%s/cache", directory);
    assert_int_equal(file_write(compiled, filter, FILTER_BYTES, 0600, NULL), 0);
    assert_int_equal(filter_cache_keep(cache, name, compiled, NULL), 0);
}

static int find(const char *directory, const char *name, char **ret)
{
    autofree char *cache = text_format("%s/cache", directory);
    return filter_cache_find(cache, name, ret, NULL);
}

static void what_was_kept_is_found_under_its_name_only(void **state)
{
    char name[DIGEST_HEX_SIZE];
    char other[DIGEST_HEX_SIZE];
    autofree char *found = NULL;
    name_of("{\"defaultAction\": \"a\"}", &machine, "sh", name);
    name_of("{\"defaultAction\": \"b\"}", &machine, "sh", other);
    assert_int_equal(find(*state, name, &found), -ENOENT);
    keep(*state, name);
    assert_int_equal(find(*state, other, &found), -ENOENT);
    assert_int_equal(find(*state, name, &found), 0);
    assert_string_equal(found, filter_base64);
}

static void a_name_is_of_all_that_a_filter_depends_on(void **state)
{
    (void)state;
    struct utsname newer = machine;
    char name[DIGEST_HEX_SIZE];
    char again[DIGEST_HEX_SIZE];
    newer.release[0] = '7';
    name_of("{\"a\": 1, \"b\": 2}", &machine, "sh", name);
    name_of("{\"b\": 2, \"a\": 1}", &machine, "sh", again);
    assert_string_equal(name, again);
    name_of("{\"a\": 1, \"b\": 3}", &machine, "sh", again);
    assert_string_not_equal(name, again);
    name_of("{\"a\": 1, \"b\": 2}", &newer, "sh", again);
    assert_string_not_equal(name, again);
    name_of("{\"a\": 1, \"b\": 2}", &machine, "env", again);
    assert_string_not_equal(name, again);
}

static void a_program_that_is_nowhere_has_no_name(void **state)
{
    (void)state;
    char name[DIGEST_HEX_SIZE];
    autojson seccomp = json_object();
    assert_int_equal(filter_cache_name(seccomp, &machine, "no-such-runtime", name, NULL), -ENOENT);
}

static void replace(const char *directory, const char *name, const char *text, size_t length)
{
    autofree char *path = text_format("%s/cache/%s", directory, name);
    assert_int_equal(file_write(path, text, length, 0600, NULL), 0);
}

static void what_is_damaged_is_not_found_whatever_byte_it_is(void **state)
{
    char name[DIGEST_HEX_SIZE];
    autofree char *text = NULL;
    autofree char *found = NULL;
    size_t length = 0;
    name_of("{}", &machine, "sh", name);
    keep(*state, name);
    autofree char *path = text_format("%s/cache/%s", (char *)*state, name);
    assert_int_equal(file_read(path, 4096, &text, &length, NULL), 0);
    for (size_t i = 0; i < length; i++) {
        text[i] ^= 1;
        replace(*state, name, text, length);
        assert_int_equal(find(*state, name, &found), -ENOENT);
        text[i] ^= 1;
        replace(*state, name, text, i);
        assert_int_equal(find(*state, name, &found), -ENOENT);
    }
    replace(*state, name, text, length + 1); /* the NUL, too */
    assert_int_equal(find(*state, name, &found), -ENOENT);
    replace(*state, name, text, length);
    assert_int_equal(find(*state, name, &found), 0);
}

static void a_file_under_anothers_name_is_not_found(void **state)
{
    char name[DIGEST_HEX_SIZE];
    char other[DIGEST_HEX_SIZE];
    autofree char *found = NULL;
    name_of("{\"a\": 1}", &machine, "sh", name);
    name_of("{\"a\": 2}", &machine, "sh", other);
    keep(*state, name);
    autofree char *from = text_format("%s/cache/%s", (char *)*state, name);
    autofree char *to = text_format("%s/cache/%s", (char *)*state, other);
    assert_int_equal(rename(from, to), 0);
    assert_int_equal(find(*state, other, &found), -ENOENT);
}

static void what_is_no_filter_is_not_kept(void **state)
{
    static const size_t wrong[] = { 0, 7, FILTER_BYTES - 1 };
    char name[DIGEST_HEX_SIZE];
    autofree char *found = NULL;
    autofree char *compiled = text_format("%s/wrong.bpf", (char *)*state);
    autofree char *cache = text_format("%s/cache", (char *)*state);
    name_of("{\"wrong\": 1}", &machine, "sh", name);
    assert_int_equal(filter_cache_keep(cache, name, compiled, NULL), -ENOENT);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(file_write(compiled, filter, wrong[i], 0600, NULL), 0);
        assert_int_equal(filter_cache_keep(cache, name, compiled, NULL), -EPROTO);
    }
    assert_int_equal(find(*state, name, &found), -ENOENT);
}

static void a_hundred_kinds_of_containers_do_not_fill_the_memory(void **state)
{
    char name[DIGEST_HEX_SIZE];
    size_t there = 0;
    autofree char *found = NULL;
    for (int i = 0; i < 100; i++) {
        autofree char *profile = text_format("{\"kind\": %d}", i);
        name_of(profile, &machine, "sh", name);
        keep(*state, name);
    }
    assert_int_equal(find(*state, name, &found), 0);
    for (int i = 0; i < 100; i++) {
        autofree char *profile = text_format("{\"kind\": %d}", i);
        autofree char *old = NULL;
        name_of(profile, &machine, "sh", name);
        there += find(*state, name, &old) == 0;
    }
    assert_in_range(there, 1, 64);
}

static void who_tells_crun_of_filters_has_no_part_in_it(void **state)
{
    (void)state;
    char *own[] = { (char *)"a=b", (char *)"run.oci.seccomp_bpf_data=BgAAAAAA/38=", NULL };
    char *plain[] = { (char *)"a=run.oci.seccomp_bpf_data", NULL };
    struct container container = { .annotations = own };
    assert_true(filter_cache_is_bypassed(&container));
    container = (struct container){ .labels = own };
    assert_true(filter_cache_is_bypassed(&container));
    container = (struct container){ .labels = plain, .annotations = plain };
    assert_false(filter_cache_is_bypassed(&container));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_kept_is_found_under_its_name_only),
        cmocka_unit_test(a_name_is_of_all_that_a_filter_depends_on),
        cmocka_unit_test(a_program_that_is_nowhere_has_no_name),
        cmocka_unit_test(what_is_damaged_is_not_found_whatever_byte_it_is),
        cmocka_unit_test(a_file_under_anothers_name_is_not_found),
        cmocka_unit_test(what_is_no_filter_is_not_kept),
        cmocka_unit_test(a_hundred_kinds_of_containers_do_not_fill_the_memory),
        cmocka_unit_test(who_tells_crun_of_filters_has_no_part_in_it),
    };
    return cmocka_run_group_tests(tests, tree_setup, tree_teardown);
}
