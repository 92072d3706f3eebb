/* SPDX-License-Identifier: Apache-2.0 */
/* That a plan is brought into the order of machines without taking apart what belongs together. */
#include "scheduler/blocks.h"

#include <string.h>

#include "base/text.h"
#include "tests/unit/harness.h"

enum { ACTIONS_MAX = 16 };

static struct action assign(const char *machine, const char *unit)
{
    return (struct action){ .kind = ACTION_ASSIGN, .machine = machine, .unit = unit };
}

static struct action joined(struct action action)
{
    action.is_joined = true;
    return action;
}

static struct action of_kind(enum action_kind kind, struct action action)
{
    action.kind = kind;
    return action;
}

/* want: the units in order, those that are joined behind a plus. */
static void check_sorted(const struct action *actions, size_t count, const char *want)
{
    struct action sorted[ACTIONS_MAX];
    struct plan plan = { .actions = sorted, .count = count };
    autotext have = { 0 };
    assert_in_range(count, 1, ACTIONS_MAX);
    memcpy(sorted, actions, count * sizeof(*sorted));
    blocks_sort(&plan);
    for (size_t i = 0; i < count; i++)
        text_addf(&have, "%s%s", sorted[i].is_joined ? "+" : i > 0 ? " " : "", sorted[i].unit);
    assert_string_equal(have.data, want);
}

#define CHECK_SORTED(actions, want) \
    check_sorted(actions, sizeof(actions) / sizeof(*(actions)), want)

static void loners_are_sorted_by_machine_and_then_by_name(void **state)
{
    (void)state;
    const struct action actions[] = { assign("m2", "b"), assign("m1", "d"), assign("m2", "a"),
                                      assign("m1", "c") };
    CHECK_SORTED(actions, "c d a b");
}

static void who_is_joined_stays_behind_a_head_that_sorts_last(void **state)
{
    (void)state;
    const struct action actions[] = { assign("m1", "z-db"), joined(assign("m1", "b-web")),
                                      joined(assign("m1", "a-log")), assign("m1", "c") };
    CHECK_SORTED(actions, "c z-db+b-web+a-log");
}

static void groups_with_interleaved_names_are_not_mixed(void **state)
{
    (void)state;
    const struct action actions[] = { assign("m1", "c"), joined(assign("m1", "a")),
                                      joined(assign("m1", "f")), assign("m1", "b"),
                                      joined(assign("m1", "d")) };
    CHECK_SORTED(actions, "b+d c+a+f");
}

static void a_group_goes_where_its_head_goes(void **state)
{
    (void)state;
    const struct action actions[] = { assign("m2", "a"), joined(assign("m2", "y")),
                                      assign("m1", "z"), joined(assign("m1", "b")) };
    CHECK_SORTED(actions, "z+b a+y");
}

static void a_group_with_a_move_stays_where_it_is(void **state)
{
    (void)state;
    const struct action actions[] = {
        assign("m2", "e"),         assign("m2", "d"),
        assign("m1", "z"),         joined(of_kind(ACTION_MOVE, assign("m1", "x"))),
        joined(assign("m1", "y")), assign("m2", "b"),
        assign("m2", "a")
    };
    CHECK_SORTED(actions, "d e z+x+y a b");
}

static void kinds_keep_their_order(void **state)
{
    (void)state;
    const struct action actions[] = { of_kind(ACTION_DROP, assign("m2", "d")),
                                      of_kind(ACTION_DROP, assign("m1", "e")),
                                      of_kind(ACTION_VERDICT, assign(NULL, "c")),
                                      of_kind(ACTION_VERDICT, assign(NULL, "b")),
                                      assign("m1", "a") };
    CHECK_SORTED(actions, "e d c b a");
}

static void a_block_ends_where_the_next_head_is(void **state)
{
    (void)state;
    struct action actions[] = { assign("m1", "a"), joined(assign("m1", "b")),
                                joined(assign("m1", "c")), assign("m1", "d") };
    const struct plan plan = { .actions = actions, .count = 4 };
    assert_int_equal(block_length(&plan, 0), 3);
    assert_int_equal(block_length(&plan, 1), 2);
    assert_int_equal(block_length(&plan, 3), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loners_are_sorted_by_machine_and_then_by_name),
        cmocka_unit_test(who_is_joined_stays_behind_a_head_that_sorts_last),
        cmocka_unit_test(groups_with_interleaved_names_are_not_mixed),
        cmocka_unit_test(a_group_goes_where_its_head_goes),
        cmocka_unit_test(a_group_with_a_move_stays_where_it_is),
        cmocka_unit_test(kinds_keep_their_order),
        cmocka_unit_test(a_block_ends_where_the_next_head_is),
    };
    return cmocka_run_group_tests_name("scheduler/blocks", tests, NULL, NULL);
}
