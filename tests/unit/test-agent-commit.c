/* SPDX-License-Identifier: Apache-2.0 */
/* What the leader's transactions compare: enough, and nothing twice. */
#include "agent/commit.h"

#include <string.h>

#include "base/text.h"
#include "tests/unit/harness.h"

#define M1   "11111111111111111111111111111111"
#define M2   "22222222222222222222222222222222"
#define BLOB "c5782822c5782822c5782822c5782822c5782822c5782822c5782822c5782822"

static const struct commit_context context = { .prefix = "/t/", .epoch = 5 };

/* Of a newcomer, as long as it has no more. */
static struct action assign(const char *unit, const char *machine)
{
    return (struct action){ .kind = ACTION_ASSIGN,
                            .unit = unit,
                            .machine = machine,
                            .want = WANT_RUN,
                            .blob = BLOB,
                            .unit_revision = 7,
                            .failover = FAILOVER_AT_LEAST_ONCE,
                            .registration = 3 };
}

static int add(struct commit *commit, const struct action *action)
{
    return commit_add(&context, commit, action, 1, NULL);
}

static int count_compares(const struct commit *commit, const char *key)
{
    int count = 0;
    for (size_t i = 0; i < commit->extent.compare_count; i++)
        count += strcmp(commit->compares[i].key, key) == 0;
    return count;
}

static void every_transaction_compares_the_epoch(void **state)
{
    struct commit commit;
    (void)state;
    assert_int_equal(commit_begin(&context, &commit, NULL), 0);
    assert_int_equal(commit.extent.compare_count, 1);
    assert_string_equal(commit.compares[0].key, "/t/leader");
    assert_int_equal(commit.compares[0].target, KV_TARGET_MOD);
    assert_int_equal(commit.compares[0].number, 5);
    commit_done(&commit);
}

static void a_registration_is_compared_once_for_all_that_rests_on_it(void **state)
{
    const struct action actions[] = { assign("a.service", M1), assign("b.service", M1),
                                      assign("c.service", M2), assign("d.service", M1) };
    struct commit commit;
    (void)state;
    assert_int_equal(commit_begin(&context, &commit, NULL), 0);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(add(&commit, &actions[i]), 0);
    assert_int_equal(count_compares(&commit, "/t/nodes/" M1 "/presence"), 1);
    assert_int_equal(count_compares(&commit, "/t/nodes/" M2 "/presence"), 1);
    assert_int_equal(count_compares(&commit, "/t/units/a.service"), 1);
    assert_int_equal(count_compares(&commit, "/t/units/d.service"), 1);
    assert_int_equal(commit.extent.op_count, 4);
    commit_done(&commit);
}

static void what_is_released_for_its_successor_compares_that_it_is_up(void **state)
{
    struct action_more more = {
        .unit_mod = 7,
        .assignment_mod = 7,
        .successor = M2,
        .successor_state_mod = 8,
        .successor_registration = 9,
    };
    struct action action = assign("a.service", M1);
    struct commit commit;
    (void)state;
    action.more = &more;
    assert_int_equal(commit_begin(&context, &commit, NULL), 0);
    assert_int_equal(add(&commit, &action), 0);
    assert_int_equal(count_compares(&commit, "/t/states/" M2 "/a.service"), 1);
    assert_int_equal(count_compares(&commit, "/t/nodes/" M2 "/presence"), 1);
    assert_int_equal(commit.extent.op_count, 1);
    commit_done(&commit);
}

/* One that is sent again, because its answer was lost, must find that it has landed. */
static void new_assignments_are_not_written_twice(void **state)
{
    struct action_more known = { .unit_mod = 7, .assignment_mod = 9 };
    struct action actions[] = { assign("a.service", M1), assign("b.service", M1),
                                assign("c.service", M1) };
    struct commit commit;
    (void)state;
    actions[2].more = &known;
    assert_int_equal(commit_begin(&context, &commit, NULL), 0);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(add(&commit, &actions[i]), 0);
    assert_int_equal(count_compares(&commit, "/t/nodes/" M1 "/units/a.service"), 1);
    assert_int_equal(count_compares(&commit, "/t/nodes/" M1 "/units/b.service"), 0);
    assert_int_equal(count_compares(&commit, "/t/nodes/" M1 "/units/c.service"), 1);
    commit_done(&commit);
}

static void a_transaction_takes_as_many_assignments_as_it_has_compares_for(void **state)
{
    struct action action = assign("a.service", M1);
    autostrv names = NULL;
    struct commit commit;
    (void)state;
    assert_int_equal(commit_begin(&context, &commit, NULL), 0);
    int r = 0;
    for (int i = 0; r == 0; i++) {
        assert_int_equal(strv_addf(&names, NULL, "u%d.service", i), 0);
        action.unit = names[i];
        r = add(&commit, &action);
    }
    assert_int_equal(r, 1);
    assert_true(commit.extent.op_count > 120);
    assert_true(commit.extent.compare_count <= KV_TXN_OPS_MAX);
    commit_done(&commit);
}

static const struct commit_context marked = { .prefix = "/t/", .epoch = 5, .units_mark = 33 };

static int add_marked(struct commit *commit, const struct action *action)
{
    return commit_add(&marked, commit, action, 1, NULL);
}

static void one_compare_does_for_all_units_where_one_key_speaks_for_them(void **state)
{
    const struct action actions[] = { assign("a.service", M1), assign("b.service", M1),
                                      assign("c.service", M2) };
    struct commit commit;
    (void)state;
    assert_int_equal(commit_begin(&marked, &commit, NULL), 0);
    assert_int_equal(add_marked(&commit, &actions[0]), 0);
    assert_int_equal(count_compares(&commit, "/t/units/a.service"), 1); /* alone, it has its own */
    assert_int_equal(add_marked(&commit, &actions[1]), 0);
    assert_int_equal(add_marked(&commit, &actions[2]), 0);
    assert_int_equal(count_compares(&commit, "/t/units/a.service"), 0);
    assert_int_equal(count_compares(&commit, "/t/units/b.service"), 0);
    assert_int_equal(count_compares(&commit, "/t/units-written"), 1);
    assert_int_equal(commit.compares[commit.extent.unit_compare].number, 33);
    assert_int_equal(commit.compares[commit.extent.unit_compare].target, KV_TARGET_MOD);
    assert_true(commit.extent.has_mark);
    commit_done(&commit);
}

/* The second block brings a second unit, and has no room. */
static void a_block_that_is_left_out_leaves_the_guards_as_they_were(void **state)
{
    enum { UNITS = KV_TXN_OPS_MAX };
    const struct action first = assign("first.service", M1);
    struct action block[UNITS];
    autostrv names = NULL;
    struct commit commit;
    (void)state;
    for (size_t i = 0; i < UNITS; i++) {
        assert_int_equal(strv_addf(&names, NULL, "u%zu.service", i), 0);
        block[i] = assign(names[i], M1);
    }
    assert_int_equal(commit_begin(&marked, &commit, NULL), 0);
    assert_int_equal(add_marked(&commit, &first), 0);
    assert_int_equal(commit_add(&marked, &commit, block, UNITS, NULL), 1);
    assert_int_equal(count_compares(&commit, "/t/units/first.service"), 1);
    assert_int_equal(count_compares(&commit, "/t/units-written"), 0);
    assert_false(commit.extent.has_mark);
    assert_int_equal(add_marked(&commit, &block[0]), 0);
    assert_int_equal(count_compares(&commit, "/t/units-written"), 1);
    commit_done(&commit);
}

static struct action turn(const char *unit, struct action_more *more)
{
    return (struct action){
        .kind = ACTION_UPDATE, .unit = unit, .blob = BLOB, .desired = DESIRED_LAUNCHED, .more = more
    };
}

static void who_writes_units_says_so_once_in_a_transaction(void **state)
{
    struct action_more more = { .rollout = "t@.service", .unit_mod = 7, .op_mod = 4 };
    const struct action actions[] = { turn("t@1.service", &more), turn("t@2.service", &more) };
    struct commit commit;
    (void)state;
    assert_int_equal(commit_begin(&marked, &commit, NULL), 0);
    assert_int_equal(add_marked(&commit, &actions[0]), 0);
    assert_int_equal(add_marked(&commit, &actions[1]), 0);
    assert_int_equal(commit.extent.op_count, 3);
    assert_int_equal(count_compares(&commit, "/t/units/t@1.service"), 1);
    assert_int_equal(count_compares(&commit, "/t/units/t@2.service"), 1);
    int marks = 0;
    for (size_t i = 0; i < commit.extent.op_count; i++)
        marks += strcmp(commit.ops[i].key, "/t/units-written") == 0;
    assert_int_equal(marks, 1);
    assert_true(commit.extent.marks_units);
    commit_done(&commit);
}

/* Of units that are placed as one there are never more (scheduler/party.h). */
static void forty_units_leave_a_lost_machine_in_one_transaction(void **state)
{
    enum { UNITS = 40 };
    struct action_more off = {
        .unit_mod = 7,
        .from_machine = M2,
        .from_assignment_mod = 4,
        .from_state_mod = 5,
    };
    struct action action = assign("a.service", M1);
    autostrv names = NULL;
    struct commit commit;
    (void)state;
    action.kind = ACTION_MOVE;
    action.more = &off;
    assert_int_equal(commit_begin(&context, &commit, NULL), 0);
    for (int i = 0; i < UNITS; i++) {
        assert_int_equal(strv_addf(&names, NULL, "u%d.service", i), 0);
        action.unit = names[i];
        assert_int_equal(add(&commit, &action), 0);
    }
    commit_done(&commit);
}

/* Each comes from a machine of its own, whose presence is compared. */
static void what_belongs_together_is_added_whole_or_not_at_all(void **state)
{
    enum { UNITS = 32, FIT = 31 };
    struct action_more known = { .unit_mod = 7, .assignment_mod = 9 };
    struct action first = assign("first.service", M2);
    struct action_more off[UNITS];
    struct action moves[UNITS];
    autostrv names = NULL;
    struct commit commit;
    (void)state;
    first.more = &known;
    for (size_t i = 0; i < UNITS; i++) {
        assert_int_equal(strv_addf(&names, NULL, "u%zu.service", i), 0);
        assert_int_equal(strv_addf(&names, NULL, "%032zu", i), 0);
        moves[i] = assign(names[2 * i], M1);
        moves[i].kind = ACTION_MOVE;
        off[i] = (struct action_more){
            .unit_mod = 7,
            .from_machine = names[2 * i + 1],
            .from_assignment_mod = 4,
            .from_state_mod = 5,
            .from_registration = 0,
        };
        moves[i].more = &off[i];
    }
    assert_int_equal(commit_begin(&context, &commit, NULL), 0);
    assert_int_equal(commit_add(&context, &commit, moves, UNITS, NULL), 1);
    assert_int_equal(commit.extent.op_count, 0);
    assert_int_equal(commit_add(&context, &commit, moves, FIT, NULL), 0);
    commit_done(&commit);
    assert_int_equal(commit_begin(&context, &commit, NULL), 0);
    assert_int_equal(add(&commit, &first), 0);
    const size_t bytes = commit.extent.bytes;
    assert_int_equal(commit_add(&context, &commit, moves, FIT, NULL), 1);
    assert_int_equal(commit.extent.op_count, 1);
    assert_int_equal(commit.extent.compare_count, 4);
    assert_int_equal(commit.extent.bytes, bytes);
    commit_done(&commit);
}

static void what_would_be_too_many_bytes_is_left_for_the_next(void **state)
{
    enum { LONG = 200 * 1024 };
    autofree char *words = malloc(LONG + 1);
    struct commit commit;
    (void)state;
    assert_non_null(words);
    memset(words, 'w', LONG);
    words[LONG] = '\0';
    struct action_more more = { .words = words, .unit_mod = -1 };
    const struct action action = {
        .kind = ACTION_VERDICT, .unit = "a.service", .verdict = VERDICT_NOWHERE, .more = &more
    };
    assert_int_equal(commit_begin(&context, &commit, NULL), 0);
    assert_int_equal(add(&commit, &action), 0);
    assert_int_equal(add(&commit, &action), 0);
    assert_int_equal(add(&commit, &action), 1);
    assert_int_equal(commit.extent.op_count, 2);
    assert_int_equal(commit.extent.compare_count, 3);
    commit_done(&commit);
}

static void a_verdict_is_about_the_unit_as_it_was(void **state)
{
    struct commit commit;
    struct action_more more = { .words = (char *)"no room", .unit_mod = 7, .verdict_mod = 3 };
    const struct action action = {
        .kind = ACTION_VERDICT, .unit = "a.service", .verdict = VERDICT_NOWHERE, .more = &more
    };
    (void)state;
    assert_int_equal(commit_begin(&context, &commit, NULL), 0);
    assert_int_equal(add(&commit, &action), 0);
    assert_int_equal(commit.extent.compare_count, 3); /* the epoch's is the first */
    assert_string_equal(commit.compares[1].key, "/t/units/a.service");
    assert_int_equal(commit.compares[1].number, 7);
    assert_string_equal(commit.compares[2].key, "/t/verdicts/a.service");
    assert_int_equal(commit.compares[2].number, 3);
    commit_done(&commit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_transaction_compares_the_epoch),
        cmocka_unit_test(a_registration_is_compared_once_for_all_that_rests_on_it),
        cmocka_unit_test(new_assignments_are_not_written_twice),
        cmocka_unit_test(what_is_released_for_its_successor_compares_that_it_is_up),
        cmocka_unit_test(a_transaction_takes_as_many_assignments_as_it_has_compares_for),
        cmocka_unit_test(one_compare_does_for_all_units_where_one_key_speaks_for_them),
        cmocka_unit_test(a_block_that_is_left_out_leaves_the_guards_as_they_were),
        cmocka_unit_test(who_writes_units_says_so_once_in_a_transaction),
        cmocka_unit_test(forty_units_leave_a_lost_machine_in_one_transaction),
        cmocka_unit_test(what_belongs_together_is_added_whole_or_not_at_all),
        cmocka_unit_test(a_verdict_is_about_the_unit_as_it_was),
        cmocka_unit_test(what_would_be_too_many_bytes_is_left_for_the_next),
    };
    return cmocka_run_group_tests_name("agent/commit", tests, NULL, NULL);
}
