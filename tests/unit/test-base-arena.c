/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdint.h>
#include <string.h>

#include "tests/unit/harness.h"

enum { PIECES = 300 };

/* Of all sizes, over several blocks. */
static void take_all(struct arena *arena, char *pieces[PIECES])
{
    for (size_t i = 0; i < PIECES; i++) {
        pieces[i] = arena_take(arena, i);
        assert_non_null(pieces[i]);
        memset(pieces[i], (int)(1 + i % 100), i);
    }
}

static void expect_whole(char *const pieces[PIECES])
{
    for (size_t i = 0; i < PIECES; i++) {
        assert_int_equal((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
        assert_int_equal(pieces[i][i], '\0');
        for (size_t at = 0; at < i; at++)
            assert_int_equal(pieces[i][at], 1 + i % 100);
    }
}

static void each_piece_is_its_takers_and_ends_with_a_nul(void **state)
{
    struct arena arena = { 0 };
    char *pieces[PIECES];
    (void)state;
    take_all(&arena, pieces);
    expect_whole(pieces);
    arena_done(&arena);
    assert_null(arena.blocks);
}

static void one_that_is_larger_than_all_before_has_room(void **state)
{
    struct arena arena = { 0 };
    (void)state;
    assert_true(arena_reserve(&arena, 100));
    char *large = arena_take(&arena, 1000000);
    assert_non_null(large);
    memset(large, 'x', 1000000);
    assert_null(arena_take(&arena, SIZE_MAX));
    assert_null(arena_take(&arena, SIZE_MAX - 64));
    arena_done(&arena);
}

static void what_was_joined_is_kept_as_long_as_the_rest(void **state)
{
    struct arena arena = { 0 };
    struct arena other = { 0 };
    char *pieces[PIECES];
    char *others[PIECES];
    (void)state;
    arena_join(&arena, &other); /* neither has any */
    take_all(&other, others);
    arena_join(&arena, &other);
    assert_null(other.blocks);
    take_all(&arena, pieces);
    expect_whole(others);
    expect_whole(pieces);
    arena_done(&arena);
}

static void what_is_wiped_is_zero(void **state)
{
    struct arena arena = { 0 };
    char *pieces[PIECES];
    (void)state;
    take_all(&arena, pieces);
    arena_wipe(&arena);
    for (size_t i = 0; i < PIECES; i++)
        for (size_t at = 0; at < i; at++)
            assert_int_equal(pieces[i][at], 0);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_piece_is_its_takers_and_ends_with_a_nul),
        cmocka_unit_test(one_that_is_larger_than_all_before_has_room),
        cmocka_unit_test(what_was_joined_is_kept_as_long_as_the_rest),
        cmocka_unit_test(what_is_wiped_is_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
