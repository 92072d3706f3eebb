/* SPDX-License-Identifier: Apache-2.0 */
/* How a leader's plan comes into the store in memory: in how many transactions, what stands in one
 * of them, and what becomes of it when somebody writes meanwhile or an answer is lost. */
#include "agent/plan_writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/decisions.h"
#include "base/log.h"
#include "base/text.h"
#include "scheduler/records.h"
#include "tests/unit/harness.h"
#include "tests/unit/leader-fixture.h"

/* More than all transactions in flight have room for. */
enum { MANY = 1100 };

static void launch_many(struct world *world)
{
    for (int i = 0; i < MANY; i++) {
        autofree char *name = text_format("many@%d.service", i);
        world_launch(world, name);
    }
}

/* How many of them are assigned to one machine, written once. */
static int count_assigned_once(struct world *world)
{
    int count = 0;
    for (int i = 0; i < MANY; i++) {
        autofree char *name = text_format("many@%d.service", i);
        autofree char *one = store_key(PREFIX, STORE_KEY_ASSIGNMENT, M1, name, 0);
        autofree char *other = store_key(PREFIX, STORE_KEY_ASSIGNMENT, M2, name, 0);
        const struct kv_pair *a = kv_memory_peek(world->store, one);
        const struct kv_pair *b = kv_memory_peek(world->store, other);
        count += (a && !b && a->version == 1) || (b && !a && b->version == 1);
    }
    return count;
}

static void a_plan_is_written_in_as_few_transactions_as_hold_it(void **state)
{
    struct world *world = *state;
    world_join(world, M1);
    world_join(world, M2);
    launch_many(world);
    int64_t before = kv_memory_revision(world->store);
    world_lead(world);
    world_run_for(world, 300);
    assert_int_equal(count_assigned_once(world), MANY);
    /* The leader's key, the cluster's, and a guard for each unit besides a few. */
    assert_true(kv_memory_revision(world->store) - before <= 2 + MANY / 120 + 1);
}

/* Of the first plan as much as may be in flight is in the store, and not answered. */
static int64_t write_some(struct world *world)
{
    enum { FOUNDING = 1, IN_FLIGHT = 8, TURNS_MAX = 20 };
    int64_t wanted = kv_memory_revision(world->store) + FOUNDING + IN_FLIGHT;
    for (int i = 0; i < TURNS_MAX && kv_memory_revision(world->store) < wanted; i++)
        (void)kv_memory_deliver_to(world->kv, true, true);
    assert_int_equal(kv_memory_revision(world->store), wanted);
    return FOUNDING + IN_FLIGHT;
}

static void a_leader_that_lost_the_store_writes_nothing_more_of_its_plan(void **state)
{
    struct world *world = *state;
    world_join(world, M1);
    launch_many(world);
    world_lead(world);
    int64_t unseen = write_some(world);
    int written = count_assigned_once(world);
    assert_in_range(written, 1, MANY - 1);
    kv_memory_turn_back(world->store, unseen + 1);
    (void)kv_memory_deliver_to(world->kv, false, true);
    assert_int_equal(world->barred, 1);
    world_run_for(world, 500);
    assert_int_equal(count_assigned_once(world), written);
    assert_int_equal(world->renewals, 0);
    assert_int_equal(world->barred, 1);
}

/* Nothing could be planned of it, and to tell it is work for the store. */
static void what_comes_while_a_long_plan_is_written_is_heard_after_it(void **state)
{
    struct world *world = *state;
    world_join(world, M1);
    launch_many(world);
    world_lead(world);
    (void)write_some(world);
    assert_in_range(count_assigned_once(world), 1, MANY - 1);
    int64_t heard = leader_store_revision(world->leader);
    (void)world_put_untold(world, PREFIX "settings/x", "{}");
    (void)kv_memory_deliver_to(world->kv, false, true);
    assert_int_equal(leader_store_revision(world->leader), heard);
    world_run_for(world, 500);
    assert_int_equal(count_assigned_once(world), MANY);
    assert_int_equal(leader_store_revision(world->leader), kv_memory_revision(world->store));
}

struct told {
    unsigned int by_themselves;
    unsigned int together;
    unsigned int ends;
};

static void count_told(const char *line, void *userdata)
{
    struct told *told = userdata;
    unsigned int count = 0;
    told->by_themselves += text_starts_with(line, "leader: assign many@");
    if (sscanf(line, "leader: and %u more", &count) == 1)
        told->together += count;
    told->ends += text_starts_with(line, "leader: 1100 of 1100 actions written in ");
}

static void a_great_plan_does_not_flood_the_log(void **state)
{
    struct world *world = *state;
    struct told told = { 0 };
    world_join(world, M1);
    world_join(world, M2);
    launch_many(world);
    log_set_sink(count_told, &told);
    world_lead(world);
    world_run_for(world, 300);
    log_set_sink(NULL, NULL);
    assert_int_equal(count_assigned_once(world), MANY);
    assert_int_equal(told.by_themselves, DECISIONS_TOLD_MAX);
    assert_int_equal(told.together, MANY - DECISIONS_TOLD_MAX);
    assert_int_equal(told.ends, 1);
}

/* --- units that are written between a plan and its writing --- */

static bool is_assigned(struct world *world, const char *name)
{
    autofree char *one = store_key(PREFIX, STORE_KEY_ASSIGNMENT, M1, name, 0);
    autofree char *other = store_key(PREFIX, STORE_KEY_ASSIGNMENT, M2, name, 0);
    return kv_memory_peek(world->store, one) || kv_memory_peek(world->store, other);
}

static int count_assigned(struct world *world, char **ret_missing)
{
    int count = 0;
    for (int i = 0; i < MANY; i++) {
        autofree char *name = text_format("many@%d.service", i);
        if (is_assigned(world, name)) {
            count++;
        } else {
            free(*ret_missing);
            *ret_missing = take_ptr(name);
        }
    }
    return count;
}

/* Until the leader has sent as much of its plan as it may at once, and no answer is here. Returns a
 * unit that is still to come. */
static char *begin_many(struct world *world)
{
    char *missing = NULL;
    world_join(world, M1);
    world_join(world, M2);
    launch_many(world);
    (void)world_put(world, PREFIX "units-written", "{}");
    world_lead(world);
    for (int i = 0; i < 100 && count_assigned(world, &missing) == 0; i++) {
        (void)kv_memory_deliver_to(world->kv, true, true);
        loop_run_once(world->loop, false);
    }
    assert_in_range(count_assigned(world, &missing), MANY / 2, MANY - 1);
    return missing;
}

/* As the API does it: of this version, or of one that does not put the mark. */
static void destroy(struct world *world, const char *name)
{
    autofree char *key = store_key(PREFIX, STORE_KEY_UNIT, NULL, name, 0);
    const struct kv_op ops[] = { kv_op_delete(key), kv_op_put(PREFIX "units-written", "{}") };
    (void)world_write(world, ops, world->members_mark ? 2 : 1);
}

static void assert_destroyed_stays_unassigned(struct world *world)
{
    autofree char *name = begin_many(world);
    destroy(world, name);
    world_run_for(world, 1000);
    assert_false(is_assigned(world, name));
    assert_int_equal(count_assigned_once(world), MANY - 1);
}

static void a_unit_destroyed_between_plan_and_writing_is_not_assigned(void **state)
{
    struct world *world = *state;
    world->members_mark = true;
    assert_destroyed_stays_unassigned(world);
}

static void nor_one_that_an_older_member_destroys_without_saying_so(void **state)
{
    struct world *world = *state;
    world->members_mark = false;
    assert_destroyed_stays_unassigned(world);
}

/* What the one guard for all has refused is written at once under others, not planned anew. */
static void a_unit_written_meanwhile_is_in_nobodys_way(void **state)
{
    struct world *world = *state;
    world->members_mark = true;
    autofree char *name = begin_many(world);
    int64_t before = kv_memory_revision(world->store);
    (void)world_put(world, PREFIX "units-written", "{}");
    assert_true(is_assigned(world, name));
    assert_int_equal(count_assigned_once(world), MANY);
    assert_in_range(kv_memory_revision(world->store) - before, 2, 3);
}

/* The revision that assigned a member of a group to either machine. */
static int64_t assigned_at(struct world *world, int group, int member)
{
    autofree char *name = text_format("g%d@%d.service", group, member);
    autofree char *one = store_key(PREFIX, STORE_KEY_ASSIGNMENT, M1, name, 0);
    autofree char *other = store_key(PREFIX, STORE_KEY_ASSIGNMENT, M2, name, 0);
    const struct kv_pair *a = kv_memory_peek(world->store, one);
    const struct kv_pair *b = kv_memory_peek(world->store, other);
    assert_true((a != NULL) != (b != NULL));
    return a ? a->mod_revision : b->mod_revision;
}

/* All follow the member that is called head. */
static void launch_group(struct world *world, int group, int members, int head)
{
    autofree char *text = text_format("[Service]\nExecStart=/bin/sleep 1\n[X-Fleet]\n"
                                      "MachineOf=g%d@%d.service\n",
                                      group, head);
    for (int member = 0; member < members; member++) {
        autofree char *name = text_format("g%d@%d.service", group, member);
        world_launch_text(world, name,
                          member != head ? text : "[Service]\nExecStart=/bin/sleep 1\n");
    }
}

static void assert_written_at_once(struct world *world, int group, int members)
{
    for (int member = 1; member < members; member++)
        assert_int_equal(assigned_at(world, group, member), assigned_at(world, group, 0));
}

/* Of many groups some would lie across the end of a transaction. The head is the first to be
 * planned, and not by name the first. */
static void a_group_is_written_at_once(void **state)
{
    enum { GROUPS = 20, MEMBERS = 13 };
    struct world *world = *state;
    world_join(world, M1);
    world_join(world, M2);
    for (int group = 0; group < GROUPS; group++)
        launch_group(world, group, MEMBERS, 9);
    world_lead(world);
    world_run_for(world, 300);
    for (int group = 0; group < GROUPS; group++)
        assert_written_at_once(world, group, MEMBERS);
    assert_true(assigned_at(world, 0, 0) != assigned_at(world, GROUPS - 1, 0));
}

/* On a machine that was forgotten, so it is lost, and no token is asked for. */
static void assign_to_forgotten(struct world *world, int group, int member)
{
    autofree char *name = text_format("g%d@%d.service", group, member);
    autofree char *machine = text_format("%016d%016d", group + 1, member);
    autofree char *unit = store_key(PREFIX, STORE_KEY_UNIT, NULL, name, 0);
    autofree char *key = store_key(PREFIX, STORE_KEY_ASSIGNMENT, machine, name, 0);
    autofree char *value = NULL;
    char blob[] = "c5782822c5782822c5782822c5782822c5782822c5782822c5782822c5782822";
    const struct record_assignment record = {
        .blob = blob,
        .want = WANT_RUN,
        .unit_revision = kv_memory_peek(world->store, unit)->mod_revision,
        .failover = FAILOVER_AT_LEAST_ONCE,
        .epoch = 1,
        .reason = (char *)"",
        .cause = (char *)"",
    };
    assert_int_equal(record_assignment_encode(&record, &value, NULL), 0);
    (void)world_put(world, key, value);
}

/* Each unit was on a machine of its own, which nobody has seen since. */
static void lose_group(struct world *world, int group, int members)
{
    launch_group(world, group, members, members - 1);
    for (int member = 0; member < members; member++)
        assign_to_forgotten(world, group, member);
}

static bool is_on_first_machine(struct world *world, int group, int members)
{
    for (int member = 0; member < members; member++) {
        autofree char *name = text_format("g%d@%d.service", group, member);
        autofree char *key = store_key(PREFIX, STORE_KEY_ASSIGNMENT, M1, name, 0);
        if (!kv_memory_peek(world->store, key))
            return false;
    }
    return true;
}

static void wait_until_moved(struct world *world, int group, int members)
{
    for (int i = 0; i < 400 && !is_on_first_machine(world, group, members); i++) {
        world_run_for(world, 50);
        (void)usleep(5000); /* the loop's timers are real */
    }
    assert_true(is_on_first_machine(world, group, members));
}

/* The presence of each of their machines is compared, too, so both do not fit one transaction. */
static void groups_of_many_lost_machines_are_written_at_once_each(void **state)
{
    enum { FIRST = 20, SECOND = 13 };
    struct world *world = *state;
    world_join(world, M1);
    lose_group(world, 0, FIRST);
    lose_group(world, 1, SECOND);
    world_lead(world);
    wait_until_moved(world, 0, FIRST);
    wait_until_moved(world, 1, SECOND);
    assert_written_at_once(world, 0, FIRST);
    assert_written_at_once(world, 1, SECOND);
    assert_true(assigned_at(world, 0, 0) != assigned_at(world, 1, 0));
}

static void a_group_too_large_for_any_transaction_is_written_in_two_and_hinders_nobody(void **state)
{
    enum { UNITS = 40 };
    struct world *world = *state;
    world_join(world, M1);
    lose_group(world, 0, UNITS);
    launch_group(world, 1, 2, 1);
    world_lead(world);
    wait_until_moved(world, 0, UNITS);
    world_run_for(world, 300);
    int at_once = 0;
    for (int member = 0; member < UNITS; member++)
        at_once += assigned_at(world, 0, member) == assigned_at(world, 0, UNITS - 1);
    assert_in_range(at_once, 30, UNITS - 1);
    assert_written_at_once(world, 1, 2);
    int64_t before = kv_memory_revision(world->store);
    world_run_for(world, 1000);
    assert_int_equal(kv_memory_revision(world->store), before);
}

/* Whether what was in flight has landed or not: the mirror shows it under the new epoch. */
static void lose_one_of_several(struct world *world, bool applied)
{
    world_lead(world);
    world_run_for(world, 300);
    launch_many(world);
    world_run_for(world, 300);
    kv_memory_lose_answers(world->kv, 1, applied);
    world_join(world, M1);
    world_run_for(world, 300);
    assert_int_equal(world->renewals, 1);
    assert_true(count_assigned_once(world) < MANY);
    world_renew(world);
    world_run_for(world, 300);
    assert_int_equal(world->renewals, 1);
    assert_int_equal(count_assigned_once(world), MANY);
}

static void of_several_in_flight_one_that_landed_unheard_doubles_nothing(void **state)
{
    lose_one_of_several(*state, true);
}

static void of_several_in_flight_one_that_is_lost_is_written_anew(void **state)
{
    lose_one_of_several(*state, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_leader_that_lost_the_store_writes_nothing_more_of_its_plan, world_set_up,
            world_tear_down),
        cmocka_unit_test_setup_teardown(what_comes_while_a_long_plan_is_written_is_heard_after_it,
                                        world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(a_great_plan_does_not_flood_the_log, world_set_up,
                                        world_tear_down),
        cmocka_unit_test_setup_teardown(a_plan_is_written_in_as_few_transactions_as_hold_it,
                                        world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(a_unit_destroyed_between_plan_and_writing_is_not_assigned,
                                        world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(nor_one_that_an_older_member_destroys_without_saying_so,
                                        world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(a_unit_written_meanwhile_is_in_nobodys_way, world_set_up,
                                        world_tear_down),
        cmocka_unit_test_setup_teardown(a_group_is_written_at_once, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(groups_of_many_lost_machines_are_written_at_once_each,
                                        world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(
            a_group_too_large_for_any_transaction_is_written_in_two_and_hinders_nobody,
            world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(
            of_several_in_flight_one_that_landed_unheard_doubles_nothing, world_set_up,
            world_tear_down),
        cmocka_unit_test_setup_teardown(of_several_in_flight_one_that_is_lost_is_written_anew,
                                        world_set_up, world_tear_down),
    };
    return cmocka_run_group_tests_name("agent/plan_writer", tests, NULL, NULL);
}
