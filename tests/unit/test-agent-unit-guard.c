/* SPDX-License-Identifier: Apache-2.0 */
/* When one key speaks for all units, and when it does not. */
#include "agent/unit_guard.h"

#include "tests/unit/harness.h"

/* With all that was written with it. */
static void see_mark(struct unit_guard *guard, int64_t mod)
{
    unit_guard_see_mark(guard, mod);
    unit_guard_settle(guard);
}

static void the_mark_stands_for_all_units_while_nobody_writes_any(void **state)
{
    struct unit_guard guard = { 0 };
    (void)state;
    unit_guard_see_unit(&guard, 7);
    see_mark(&guard, 7);
    assert_int_equal(unit_guard_plan(&guard), 7);
    see_mark(&guard, 9); /* one was deleted */
    assert_int_equal(unit_guard_plan(&guard), 9);
    assert_int_equal(unit_guard_plan(&guard), 9);
}

static void a_store_without_it_or_with_a_younger_unit_has_a_guard_for_each(void **state)
{
    struct unit_guard guard = { 0 };
    (void)state;
    assert_int_equal(unit_guard_plan(&guard), 0);
    see_mark(&guard, 5);
    unit_guard_see_unit(&guard, 6);
    assert_int_equal(unit_guard_plan(&guard), 0);
    see_mark(&guard, 8);
    assert_int_equal(unit_guard_plan(&guard), 8);
    see_mark(&guard, 0);
    assert_int_equal(unit_guard_plan(&guard), 0);
}

static void what_it_has_refused_needs_a_plan_without_a_write_since_the_last(void **state)
{
    struct unit_guard guard = { 0 };
    (void)state;
    see_mark(&guard, 5);
    assert_int_equal(unit_guard_plan(&guard), 5);
    unit_guard_refuse(&guard);
    see_mark(&guard, 6);
    assert_int_equal(unit_guard_plan(&guard), 0);
    see_mark(&guard, 7);
    assert_int_equal(unit_guard_plan(&guard), 0);
    assert_int_equal(unit_guard_plan(&guard), 7);
}

static void a_member_that_may_write_units_without_it_speaks_against_it(void **state)
{
    struct unit_guard guard = { 0 };
    (void)state;
    see_mark(&guard, 5);
    unit_guard_see_member(&guard, true);
    unit_guard_see_member(&guard, false);
    assert_int_equal(unit_guard_plan(&guard), 0);
    unit_guard_forget_member(&guard, false); /* and is one that does, now */
    unit_guard_see_member(&guard, true);
    assert_int_equal(unit_guard_plan(&guard), 5);
}

static void who_knows_a_unit_as_it_was_before_compares_each(void **state)
{
    struct unit_guard guard = { 0 };
    (void)state;
    see_mark(&guard, 5);
    unit_guard_see_unreadable_unit(&guard);
    assert_int_equal(unit_guard_plan(&guard), 0);
}

/* A listing that ends midway has shown the key, and not the units. */
static void a_mark_says_nothing_before_all_of_its_revision_is_seen(void **state)
{
    struct unit_guard guard = { 0 };
    (void)state;
    see_mark(&guard, 5);
    unit_guard_see_mark(&guard, 9);
    assert_int_equal(unit_guard_plan(&guard), 5);
    unit_guard_see_unit(&guard, 8);
    assert_int_equal(unit_guard_plan(&guard), 0);
    unit_guard_settle(&guard);
    assert_int_equal(unit_guard_plan(&guard), 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_mark_stands_for_all_units_while_nobody_writes_any),
        cmocka_unit_test(a_mark_says_nothing_before_all_of_its_revision_is_seen),
        cmocka_unit_test(a_store_without_it_or_with_a_younger_unit_has_a_guard_for_each),
        cmocka_unit_test(what_it_has_refused_needs_a_plan_without_a_write_since_the_last),
        cmocka_unit_test(a_member_that_may_write_units_without_it_speaks_against_it),
        cmocka_unit_test(who_knows_a_unit_as_it_was_before_compares_each),
    };
    return cmocka_run_group_tests_name("agent/unit_guard", tests, NULL, NULL);
}
