/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/pool.h"

#include <stdint.h>
#include <string.h>

#include "tests/unit/harness.h"

enum { THING = 2 * CACHE_LINE, MANY = 40000 }; /* some on large pages */

static void what_is_taken_is_zeros_on_lines_of_its_own(void **state)
{
    static const char zeros[THING];
    struct pool pool = { .size = THING };
    static char *things[MANY];
    (void)state;
    for (size_t i = 0; i < MANY; i++) {
        things[i] = pool_take(&pool);
        assert_non_null(things[i]);
        assert_int_equal((uintptr_t)things[i] % CACHE_LINE, 0);
        assert_memory_equal(things[i], zeros, THING);
        memset(things[i], (int)(i % 255) + 1, THING);
    }
    for (size_t i = 0; i < MANY; i++)
        for (size_t at = 0; at < THING; at++)
            assert_int_equal((unsigned char)things[i][at], i % 255 + 1);
    pool_done(&pool);
}

static void those_that_are_taken_one_after_the_other_stand_side_by_side(void **state)
{
    struct pool pool = { .size = THING };
    (void)state;
    const char *first = pool_take(&pool);
    const char *second = pool_take(&pool);
    assert_ptr_equal(second, first + THING);
    pool_done(&pool);
}

static void what_is_given_back_is_taken_again_as_zeros(void **state)
{
    static const char zeros[THING];
    struct pool pool = { .size = THING };
    (void)state;
    char *before = pool_take(&pool);
    assert_non_null(pool_take(&pool));
    memset(before, 1, THING);
    pool_give_back(&pool, before);
    char *after = pool_take(&pool);
    assert_ptr_equal(after, before);
    assert_memory_equal(after, zeros, THING);
    pool_done(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_taken_is_zeros_on_lines_of_its_own),
        cmocka_unit_test(those_that_are_taken_one_after_the_other_stand_side_by_side),
        cmocka_unit_test(what_is_given_back_is_taken_again_as_zeros),
    };
    return cmocka_run_group_tests_name("scheduler/pool", tests, NULL, NULL);
}
