/* SPDX-License-Identifier: Apache-2.0 */
/* The leader against a store in memory: that it founds, places, moves, and never acts under an old
 * epoch. */
#include "agent/leader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/decisions.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/text.h"
#include "kvclient/kv_memory.h"
#include "scheduler/records.h"
#include "tests/unit/contact.h"
#include "tests/unit/harness.h"

#define PREFIX "/t/"
#define M1     "11111111111111111111111111111111"
#define M2     "22222222222222222222222222222222"
#define UNIT   "hello.service"

struct world {
    struct loop *loop;
    struct kv_memory *store;
    struct kv *kv;     /* the leader's connection */
    struct kv *others; /* everybody else's */
    struct leader *leader;
    int64_t now_ms;
    int64_t epoch;
    struct contact contact;
    int64_t judged_ttl_ms;
    int renewals;
    int barred;
    bool members_mark; /* the units that they write */
    const char *uuid;  /* of the cluster that this machine remembers; NULL: none */
};

static void on_put(const struct kv_txn_result *result, void *userdata)
{
    assert_int_equal(result->code, 0);
    *(int64_t *)userdata = result->revision;
}

static int64_t change(struct world *world, struct kv_op op)
{
    struct kv_txn txn = { .success = &op, .success_count = 1 };
    int64_t revision = 0;
    assert_int_equal(kv_txn(world->others, &txn, on_put, &revision, NULL), 0);
    (void)kv_memory_deliver(world->store);
    return revision;
}

static int64_t put(struct world *world, const char *key, const char *value)
{
    return change(world, kv_op_put(key, value));
}

/* Lets the fake clock run, with everything that comes due on the way. The loop's own timers run on
 * real time, so those of the leader (a debounce of 250 ms, say) are waited for in steps. */
static void run_for(struct world *world, int64_t ms)
{
    for (int64_t t = 0; t < ms; t += 50) {
        world->now_ms += 50;
        clock_fake_set(world->now_ms);
        for (int i = 0; i < 4; i++) {
            (void)kv_memory_deliver(world->store);
            loop_run_once(world->loop, false);
        }
    }
}

static const struct contact *contact(void *userdata)
{
    return &((const struct world *)userdata)->contact;
}

static void judge(int64_t ttl_ms, void *userdata)
{
    ((struct world *)userdata)->judged_ttl_ms = ttl_ms;
}

static bool may_lead(const char *uuid, void *userdata)
{
    const struct world *world = userdata;
    return !world->uuid || (uuid && strcmp(uuid, world->uuid) == 0);
}

static void on_barred(void *userdata)
{
    ((struct world *)userdata)->barred++;
}

static void renew_epoch(void *userdata)
{
    struct world *world = userdata;
    world->renewals++;
}

static void lead(struct world *world)
{
    const struct leader_config config = { .loop = world->loop,
                                          .kv = world->kv,
                                          .prefix = PREFIX,
                                          .machine = M1,
                                          .contact = contact,
                                          .judge = judge,
                                          .may_lead = may_lead,
                                          .on_barred = on_barred,
                                          .renew_epoch = renew_epoch,
                                          .userdata = world };
    world->epoch = put(world, PREFIX "leader", "{\"machine\":\"" M1 "\",\"nonce\":\"x\"}");
    assert_int_equal(leader_new(&config, world->epoch, &world->leader, NULL), 0);
}

static void join(struct world *world, const char *machine)
{
    autofree char *value = NULL;
    autofree char *member = store_key(PREFIX, STORE_KEY_MEMBER, machine, NULL, 0);
    autofree char *presence = store_key(PREFIX, STORE_KEY_PRESENCE, machine, NULL, 0);
    autofree char *present = NULL;
    struct record_member record = { .name = (char *)machine,
                                    .public_ip = (char *)"",
                                    .ttl_ms = 2000,
                                    .may_lead = true,
                                    .version = (char *)"0",
                                    .roles = (char *)"",
                                    .role_priority = (char *)"",
                                    .marks_units = world->members_mark };
    struct record_presence here = { .boot_id = (char *)"b",
                                    .nonce = (char *)"n",
                                    .address = (char *)"",
                                    .ready = true,
                                    .not_ready_reason = (char *)"" };
    assert_int_equal(record_member_encode(&record, &value, NULL), 0);
    assert_int_equal(record_presence_encode(&here, &present, NULL), 0);
    (void)put(world, member, value);
    (void)put(world, presence, present);
}

static void launch_text(struct world *world, const char *name, const char *text)
{
    char digest[DIGEST_HEX_SIZE];
    autofree char *value = NULL;
    digest_sha256_hex(text, strlen(text), digest);
    autofree char *blob = store_key(PREFIX, STORE_KEY_BLOB, NULL, digest, 0);
    autofree char *key = store_key(PREFIX, STORE_KEY_UNIT, NULL, name, 0);
    struct record_unit unit = { .blob = digest, .desired = DESIRED_LAUNCHED };
    assert_int_equal(record_unit_encode(&unit, &value, NULL), 0);
    (void)put(world, blob, text);
    (void)put(world, key, value);
}

static void launch_named(struct world *world, const char *name)
{
    launch_text(world, name, "[Service]\nExecStart=/bin/sleep 1\n");
}

static void launch(struct world *world)
{
    launch_named(world, UNIT);
}

/* More than all transactions in flight have room for. */
enum { MANY = 1100 };

static void launch_many(struct world *world)
{
    for (int i = 0; i < MANY; i++) {
        autofree char *name = text_format("many@%d.service", i);
        launch_named(world, name);
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

static const struct kv_pair *assignment(struct world *world, const char *machine)
{
    autofree char *key = store_key(PREFIX, STORE_KEY_ASSIGNMENT, machine, UNIT, 0);
    return kv_memory_peek(world->store, key);
}

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    assert_non_null(world);
    world->now_ms = 1000000;
    world->contact = contact_always;
    clock_fake_set(world->now_ms);
    assert_int_equal(loop_new(&world->loop, NULL), 0);
    assert_int_equal(kv_memory_new(&world->store, NULL), 0);
    assert_int_equal(kv_memory_connect(world->store, &world->kv, NULL), 0);
    assert_int_equal(kv_memory_connect(world->store, &world->others, NULL), 0);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    leader_free(world->leader);
    kv_free(world->kv);
    kv_free(world->others);
    kv_memory_free(world->store);
    loop_free(world->loop);
    clock_fake_set(-1);
    free(world);
    return 0;
}

static void the_first_leader_founds_the_cluster_once(void **state)
{
    struct world *world = *state;
    lead(world);
    run_for(world, 200);
    const struct kv_pair *cluster = kv_memory_peek(world->store, PREFIX "cluster");
    assert_non_null(cluster);
    int64_t founded = cluster->mod_revision;
    leader_free(take_ptr(world->leader));
    lead(world);
    run_for(world, 200);
    assert_int_equal(kv_memory_peek(world->store, PREFIX "cluster")->mod_revision, founded);
}

static void a_wiped_store_is_neither_founded_nor_led_by_who_remembers_another(void **state)
{
    struct world *world = *state;
    world->uuid = "0123";
    lead(world);
    join(world, M1);
    launch(world);
    run_for(world, 300);
    assert_null(kv_memory_peek(world->store, PREFIX "cluster"));
    assert_int_equal(world->barred, 1);
    assert_null(assignment(world, M1));
    (void)put(world, PREFIX "cluster", "{\"uuid\":\"4567\",\"schema\":1}");
    run_for(world, 300);
    assert_null(assignment(world, M1));
}

static void a_launched_unit_is_assigned_and_then_nothing_is_written(void **state)
{
    struct world *world = *state;
    lead(world);
    join(world, M1);
    join(world, M2);
    launch(world);
    run_for(world, 500);
    assert_true(!assignment(world, M1) != !assignment(world, M2));
    int64_t before = kv_memory_revision(world->store);
    run_for(world, 1000);
    assert_int_equal(kv_memory_revision(world->store), before);
}

static void a_lost_machines_unit_moves(void **state)
{
    struct world *world = *state;
    lead(world);
    join(world, M1);
    launch(world);
    run_for(world, 300);
    assert_non_null(assignment(world, M1));
    join(world, M2);
    (void)change(world, kv_op_delete(PREFIX "nodes/" M1 "/presence"));
    for (int i = 0; i < 200 && !assignment(world, M2); i++) {
        run_for(world, 50);
        (void)usleep(5000); /* the loop's timers are real */
    }
    assert_non_null(assignment(world, M2));
    assert_null(assignment(world, M1));
}

/* Its machine's proofs went unanswered when it saw another machine go. Nothing else happens in the
 * store afterwards: the first good proof must be enough. */
static void a_leader_that_regains_contact_looks_at_what_was_lost(void **state)
{
    struct world *world = *state;
    lead(world);
    join(world, M1);
    launch(world);
    run_for(world, 300);
    join(world, M2);
    contact_end(&world->contact);
    (void)change(world, kv_op_delete(PREFIX "nodes/" M1 "/presence"));
    run_for(world, 500);
    assert_non_null(assignment(world, M1));
    world->contact = contact_always;
    leader_on_contact(world->leader);
    run_for(world, 500);
    assert_non_null(assignment(world, M2));
}

/* A machine's lease may end in a silence of the store that others' sleep through: our contact is
 * asked whether there was one, so it must be fine enough for the shortest. */
static void the_shortest_lease_of_all_machines_is_judged(void **state)
{
    struct world *world = *state;
    lead(world);
    join(world, M1);
    run_for(world, 300);
    assert_int_equal(world->judged_ttl_ms, 2000);
    (void)change(world, kv_op_delete(PREFIX "members/" M1));
    (void)change(world, kv_op_delete(PREFIX "nodes/" M1 "/presence"));
    run_for(world, 300);
    assert_int_equal(world->judged_ttl_ms, 0);
}

static void a_leader_deposed_before_it_founds_asks_for_its_epoch(void **state)
{
    struct world *world = *state;
    lead(world);
    (void)put(world, PREFIX "leader", "{\"machine\":\"" M2 "\",\"nonce\":\"y\"}");
    run_for(world, 300);
    assert_null(kv_memory_peek(world->store, PREFIX "cluster"));
    assert_int_equal(world->renewals, 1);
}

static void a_deposed_leader_writes_nothing_and_asks_for_its_epoch(void **state)
{
    struct world *world = *state;
    lead(world);
    join(world, M1);
    run_for(world, 300);
    kv_memory_cut(world->kv, true); /* it does not see that another leads now */
    (void)put(world, PREFIX "leader", "{\"machine\":\"" M2 "\",\"nonce\":\"y\"}");
    kv_memory_cut(world->kv, false);
    launch(world);
    run_for(world, 300);
    assert_null(assignment(world, M1));
    assert_true(world->renewals > 0);
}

static void an_unknown_outcome_is_followed_by_a_new_epoch_and_no_double(void **state)
{
    struct world *world = *state;
    lead(world);
    join(world, M1);
    run_for(world, 300);
    kv_memory_lose_answers(world->kv, 1, true);
    launch(world);
    run_for(world, 300);
    assert_int_equal(world->renewals, 1);
    const struct kv_pair *first = assignment(world, M1);
    assert_non_null(first);
    int64_t mod = first->mod_revision;
    world->epoch = put(world, PREFIX "leader", "{\"machine\":\"" M1 "\",\"nonce\":\"x\"}");
    leader_set_epoch(world->leader, world->epoch);
    run_for(world, 300);
    assert_int_equal(assignment(world, M1)->mod_revision, mod);
}

static void renew(struct world *world)
{
    world->epoch = put(world, PREFIX "leader", "{\"machine\":\"" M1 "\",\"nonce\":\"x\"}");
    leader_set_epoch(world->leader, world->epoch);
}

static void a_plan_is_written_in_as_few_transactions_as_hold_it(void **state)
{
    struct world *world = *state;
    join(world, M1);
    join(world, M2);
    launch_many(world);
    int64_t before = kv_memory_revision(world->store);
    lead(world);
    run_for(world, 300);
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
    join(world, M1);
    launch_many(world);
    lead(world);
    int64_t unseen = write_some(world);
    int written = count_assigned_once(world);
    assert_in_range(written, 1, MANY - 1);
    kv_memory_turn_back(world->store, unseen + 1);
    (void)kv_memory_deliver_to(world->kv, false, true);
    assert_int_equal(world->barred, 1);
    run_for(world, 500);
    assert_int_equal(count_assigned_once(world), written);
    assert_int_equal(world->renewals, 0);
    assert_int_equal(world->barred, 1);
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
    join(world, M1);
    join(world, M2);
    launch_many(world);
    log_set_sink(count_told, &told);
    lead(world);
    run_for(world, 300);
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
    join(world, M1);
    join(world, M2);
    launch_many(world);
    (void)put(world, PREFIX "units-written", "{}");
    lead(world);
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
    const struct kv_txn txn = { .success = ops, .success_count = world->members_mark ? 2 : 1 };
    int64_t revision = 0;
    assert_int_equal(kv_txn(world->others, &txn, on_put, &revision, NULL), 0);
    (void)kv_memory_deliver(world->store);
}

static void assert_destroyed_stays_unassigned(struct world *world)
{
    autofree char *name = begin_many(world);
    destroy(world, name);
    run_for(world, 1000);
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
    (void)put(world, PREFIX "units-written", "{}");
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
        launch_text(world, name, member != head ? text : "[Service]\nExecStart=/bin/sleep 1\n");
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
    join(world, M1);
    join(world, M2);
    for (int group = 0; group < GROUPS; group++)
        launch_group(world, group, MEMBERS, 9);
    lead(world);
    run_for(world, 300);
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
    (void)put(world, key, value);
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
        run_for(world, 50);
        (void)usleep(5000); /* the loop's timers are real */
    }
    assert_true(is_on_first_machine(world, group, members));
}

/* The presence of each of their machines is compared, too, so both do not fit one transaction. */
static void groups_of_many_lost_machines_are_written_at_once_each(void **state)
{
    enum { FIRST = 20, SECOND = 13 };
    struct world *world = *state;
    join(world, M1);
    lose_group(world, 0, FIRST);
    lose_group(world, 1, SECOND);
    lead(world);
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
    join(world, M1);
    lose_group(world, 0, UNITS);
    launch_group(world, 1, 2, 1);
    lead(world);
    wait_until_moved(world, 0, UNITS);
    run_for(world, 300);
    int at_once = 0;
    for (int member = 0; member < UNITS; member++)
        at_once += assigned_at(world, 0, member) == assigned_at(world, 0, UNITS - 1);
    assert_in_range(at_once, 30, UNITS - 1);
    assert_written_at_once(world, 1, 2);
    int64_t before = kv_memory_revision(world->store);
    run_for(world, 1000);
    assert_int_equal(kv_memory_revision(world->store), before);
}

/* Whether what was in flight has landed or not: the mirror shows it under the new epoch. */
static void lose_one_of_several(struct world *world, bool applied)
{
    lead(world);
    run_for(world, 300);
    launch_many(world);
    run_for(world, 300);
    kv_memory_lose_answers(world->kv, 1, applied);
    join(world, M1);
    run_for(world, 300);
    assert_int_equal(world->renewals, 1);
    assert_true(count_assigned_once(world) < MANY);
    renew(world);
    run_for(world, 300);
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

/* The watch is behind when the history goes: everything is read again, which is no news. */
static void history_that_is_lost_moves_nothing_and_hides_nothing(void **state)
{
    struct world *world = *state;
    lead(world);
    join(world, M1);
    launch(world);
    run_for(world, 300);
    int64_t mod = assignment(world, M1)->mod_revision;
    kv_memory_cut(world->kv, true);
    join(world, M2);
    (void)put(world, PREFIX "units/other.service",
              kv_memory_peek(world->store, PREFIX "units/" UNIT)->value);
    kv_memory_compact(world->store);
    kv_memory_cut(world->kv, false);
    run_for(world, 300);
    assert_int_equal(assignment(world, M1)->mod_revision, mod);
    assert_null(assignment(world, M2));
    assert_non_null(kv_memory_peek(world->store, PREFIX "nodes/" M2 "/units/other.service"));
}

/* Not told to anybody yet but to who writes. */
static int64_t put_untold(struct world *world, const char *key, const char *value)
{
    const struct kv_op op = kv_op_put(key, value);
    const struct kv_txn txn = { .success = &op, .success_count = 1 };
    int64_t revision = 0;
    assert_int_equal(kv_txn(world->others, &txn, on_put, &revision, NULL), 0);
    (void)kv_memory_deliver_to(world->others, true, false);
    return revision;
}

static void an_epoch_that_is_renewed_unasked_finds_a_plan_in_flight(void **state)
{
    struct world *world = *state;
    lead(world);
    launch(world);
    join(world, M1);
    run_for(world, 300);
    (void)put_untold(world, PREFIX "units/other.service",
                     kv_memory_peek(world->store, PREFIX "units/" UNIT)->value);
    (void)kv_memory_deliver_to(world->kv, false, true); /* sent, not answered */
    assert_non_null(kv_memory_peek(world->store, PREFIX "nodes/" M1 "/units/other.service"));
    world->epoch = put_untold(world, PREFIX "leader", "{\"machine\":\"" M1 "\",\"nonce\":\"x\"}");
    leader_set_epoch(world->leader, world->epoch);
    (void)kv_memory_deliver_to(world->kv, false, true); /* the mirror is sooner than the answer */
    run_for(world, 300);
    assert_int_equal(world->renewals, 0);
    assert_int_equal(kv_memory_revision(world->store), world->epoch);
}

static void the_next_leader_carries_on_and_writes_nothing(void **state)
{
    struct world *world = *state;
    lead(world);
    join(world, M1);
    join(world, M2);
    launch(world);
    run_for(world, 300);
    leader_free(take_ptr(world->leader));
    lead(world);
    run_for(world, 300);
    assert_int_equal(kv_memory_revision(world->store), world->epoch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_first_leader_founds_the_cluster_once, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            a_wiped_store_is_neither_founded_nor_led_by_who_remembers_another, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_launched_unit_is_assigned_and_then_nothing_is_written,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_lost_machines_unit_moves, set_up, tear_down),
        cmocka_unit_test_setup_teardown(history_that_is_lost_moves_nothing_and_hides_nothing,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_epoch_that_is_renewed_unasked_finds_a_plan_in_flight,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_next_leader_carries_on_and_writes_nothing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_leader_that_regains_contact_looks_at_what_was_lost,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_shortest_lease_of_all_machines_is_judged, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_leader_deposed_before_it_founds_asks_for_its_epoch,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_deposed_leader_writes_nothing_and_asks_for_its_epoch,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_unknown_outcome_is_followed_by_a_new_epoch_and_no_double,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_leader_that_lost_the_store_writes_nothing_more_of_its_plan, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_great_plan_does_not_flood_the_log, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_plan_is_written_in_as_few_transactions_as_hold_it, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_unit_destroyed_between_plan_and_writing_is_not_assigned,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(nor_one_that_an_older_member_destroys_without_saying_so,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_unit_written_meanwhile_is_in_nobodys_way, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_group_is_written_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(groups_of_many_lost_machines_are_written_at_once_each,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_group_too_large_for_any_transaction_is_written_in_two_and_hinders_nobody, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(
            of_several_in_flight_one_that_landed_unheard_doubles_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(of_several_in_flight_one_that_is_lost_is_written_anew,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests_name("agent/leader", tests, NULL, NULL);
}
