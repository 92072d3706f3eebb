/* SPDX-License-Identifier: Apache-2.0 */
#include "container/id_ranges.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "tests/unit/harness.h"

#define autoranges __attribute__((cleanup(id_ranges_done))) struct id_ranges

static void the_ranges_of_an_owner_are_those_of_his_name(void **state)
{
    autoranges ranges = { 0 };
    (void)state;
    assert_int_equal(id_ranges_of_owner("root:1:2\ncontainers:100000:65536\ncontainer:5:5\n"
                                        "# containers:7:7\ncontainers:300000:10\nbroken\n\n",
                                        "containers", &ranges, NULL),
                     0);
    assert_int_equal(ranges.count, 2);
    assert_int_equal(ranges.items[0].start, 100000);
    assert_int_equal(ranges.items[0].count, 65536);
    assert_int_equal(ranges.items[1].start, 300000);
}

static void a_bad_line_of_the_owner_is_named(void **state)
{
    static const char *const bad[] = {
        "me:1", "me:1:", "me:x:1", "me:1:0", "me:4294967295:1", "me:1:4294967295", "me:-1:5", NULL
    };
    struct error err;
    (void)state;
    for (const char *const *line = bad; *line; line++) {
        autoranges ranges = { 0 };
        autofree char *text = text_format("you:1:1\n%s\n", *line);
        assert_int_equal(id_ranges_of_owner(text, "me", &ranges, &err), -EINVAL);
        assert_true(text_starts_with(err.text, "line 2: "));
    }
}

static void equal_wishes_find_equal_places(void **state)
{
    autoranges pool = { 0 };
    autoranges taken = { 0 };
    int64_t first = 0;
    int64_t again = 0;
    (void)state;
    assert_int_equal(id_ranges_add(&pool, (struct id_range){ 1000, 1000 }, NULL), 0);
    assert_int_equal(id_ranges_place(&pool, &taken, 10, 77, &first, NULL), 0);
    assert_int_equal(first, 1000 + 77 * 10);
    assert_int_equal(id_ranges_add(&taken, (struct id_range){ 1000, 20 }, NULL), 0);
    assert_int_equal(id_ranges_place(&pool, &taken, 10, 77, &again, NULL), 0);
    assert_int_equal(again, first);
}

static void a_pool_is_used_to_its_end_and_no_further(void **state)
{
    autoranges pool = { 0 };
    autoranges taken = { 0 };
    struct error err;
    (void)state;
    assert_int_equal(id_ranges_add(&pool, (struct id_range){ 100, 35 }, NULL), 0);
    assert_int_equal(id_ranges_add(&pool, (struct id_range){ 500, 9 }, NULL), 0);
    assert_int_equal(id_ranges_add(&pool, (struct id_range){ 700, 10 }, NULL), 0);
    int64_t start = 0;
    for (uint64_t i = 0; i < 4; i++) {
        assert_int_equal(id_ranges_place(&pool, &taken, 10, i * 7, &start, NULL), 0);
        assert_int_equal(id_ranges_add(&taken, (struct id_range){ start, 10 }, NULL), 0);
    }
    start = -7;
    assert_int_equal(id_ranges_place(&pool, &taken, 10, 1, &start, &err), -ENOSPC);
    assert_string_equal(err.text, "no 10 ids in a row are free");
    assert_int_equal(start, -7);
}

static bool overlap(struct id_range a, struct id_range b)
{
    return a.start < b.start + b.count && b.start < a.start + a.count;
}

static bool lies_in(const struct id_ranges *pool, struct id_range range)
{
    for (size_t i = 0; i < pool->count; i++)
        if (range.start >= pool->items[i].start &&
            range.start + range.count <= pool->items[i].start + pool->items[i].count)
            return true;
    return false;
}

/* Takes and gives back at random; what is told here is the whole contract. */
static void play(unsigned int seed)
{
    autoranges pool = { 0 };
    autoranges taken = { 0 };
    for (int i = 0; i < 3; i++)
        assert_int_equal(
            id_ranges_add(&pool, (struct id_range){ 1000000 * (i + 1), rand_r(&seed) % 100000 + 1 },
                          NULL),
            0);
    for (int step = 0; step < 300; step++) {
        if (taken.count && rand_r(&seed) % 3 == 0) {
            taken.items[(unsigned int)rand_r(&seed) % taken.count] = taken.items[taken.count - 1];
            taken.count--;
            continue;
        }
        struct id_range range = { .count = 1 << (rand_r(&seed) % 14) };
        if (id_ranges_place(&pool, &taken, range.count, (uint64_t)rand_r(&seed), &range.start,
                            NULL) < 0)
            continue;
        assert_true(lies_in(&pool, range));
        for (size_t i = 0; i < taken.count; i++)
            assert_false(overlap(range, taken.items[i]));
        assert_int_equal(id_ranges_add(&taken, range, NULL), 0);
    }
}

static void no_two_ever_overlap_whatever_is_taken_and_given_back(void **state)
{
    (void)state;
    for (unsigned int seed = 1; seed <= 100; seed++)
        play(seed);
}

static void a_huge_pool_of_single_ids_is_searched_at_once(void **state)
{
    autoranges pool = { 0 };
    autoranges taken = { 0 };
    int64_t start = 0;
    (void)state;
    assert_int_equal(id_ranges_add(&pool, (struct id_range){ 1, UINT32_MAX - 1 }, NULL), 0);
    assert_int_equal(id_ranges_add(&taken, (struct id_range){ 1, INT64_C(4000000000) }, NULL), 0);
    assert_int_equal(id_ranges_place(&pool, &taken, 1, 5, &start, NULL), 0);
    assert_int_equal(start, INT64_C(4000000001));
}

static void the_builtin_range_holds_thousands_of_containers(void **state)
{
    autoranges pool = { 0 };
    (void)state;
    assert_int_equal(id_ranges_add(&pool, id_range_builtin, NULL), 0);
    assert_true(id_range_builtin.count / 65536 > 4000);
    assert_true(id_range_builtin.start + id_range_builtin.count < INT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ranges_of_an_owner_are_those_of_his_name),
        cmocka_unit_test(a_bad_line_of_the_owner_is_named),
        cmocka_unit_test(equal_wishes_find_equal_places),
        cmocka_unit_test(a_pool_is_used_to_its_end_and_no_further),
        cmocka_unit_test(no_two_ever_overlap_whatever_is_taken_and_given_back),
        cmocka_unit_test(a_huge_pool_of_single_ids_is_searched_at_once),
        cmocka_unit_test(the_builtin_range_holds_thousands_of_containers),
    };
    return cmocka_run_group_tests_name("container/id_ranges", tests, NULL, NULL);
}
