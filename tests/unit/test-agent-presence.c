/* SPDX-License-Identifier: Apache-2.0 */
/* The registration against a store in memory: what another boot, an outage and a watch that lags do
 * to it. */
#include "agent/presence.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "kvclient/kv_memory.h"
#include "scheduler/records.h"
#include "tests/unit/harness.h"

#define PREFIX   "/t/"
#define MACHINE  "0123456789abcdef0123456789abcdef"
#define PRESENCE PREFIX "nodes/" MACHINE "/presence"

enum { TTL_MS = 2000, LONG_MS = 60000 };

struct world {
    struct loop *loop;
    struct kv_memory *store;
    struct kv *kv;     /* the agent's connection */
    struct kv *others; /* everybody else's */
    struct machine machine;
    struct presence *presence;
    char lease_file[64];
    int64_t now_ms;
    int registered;
    int gone;
    int duplicates;
    int younger;
    int contacts;
};

static void on_registered(int64_t registration, bool resumed, void *userdata)
{
    (void)registration;
    (void)resumed;
    ((struct world *)userdata)->registered++;
}

static void on_gone(void *userdata)
{
    struct world *world = userdata;
    world->gone++;
    presence_start(world->presence); /* as an owner does who has seen that the store is his */
}

static void on_younger(void *userdata)
{
    ((struct world *)userdata)->younger++;
}

static void on_contact(void *userdata)
{
    ((struct world *)userdata)->contacts++;
}

static void on_keepalive(void *userdata)
{
    (void)userdata;
}

static void on_duplicate(const char *reason, void *userdata)
{
    (void)reason;
    ((struct world *)userdata)->duplicates++;
}

static void on_changed(const struct kv_txn_result *result, void *userdata)
{
    (void)userdata;
    assert_int_equal(result->code, 0);
}

static void change(struct world *world, struct kv_op op)
{
    struct kv_txn txn = { .success = &op, .success_count = 1 };
    assert_int_equal(kv_txn(world->others, &txn, on_changed, NULL, NULL), 0);
    (void)kv_memory_deliver(world->store);
}

static void put_another_boot(struct world *world)
{
    autofree char *value = NULL;
    struct record_presence other = { .boot_id = (char *)"another",
                                     .nonce = (char *)"n",
                                     .address = (char *)"192.0.2.9",
                                     .ready = true,
                                     .not_ready_reason = (char *)"" };
    assert_int_equal(record_presence_encode(&other, &value, NULL), 0);
    change(world, kv_op_put(PRESENCE, value));
}

/* Everything that is due now, and what the loop's (real) timers bring within ms. */
static void run_for(struct world *world, int ms)
{
    for (int t = 0; t <= ms; t += 5) {
        (void)kv_memory_deliver(world->store);
        loop_run_once(world->loop, false);
        (void)kv_memory_deliver(world->store);
        (void)usleep(5000);
    }
}

static void pass(struct world *world, int64_t ms)
{
    world->now_ms += ms;
    clock_fake_set(world->now_ms);
    kv_memory_expire(world->store);
}

static int set_up_with(void **state, int64_t ttl_ms)
{
    static const struct presence_callbacks callbacks = { .on_registered = on_registered,
                                                         .on_gone = on_gone,
                                                         .on_younger = on_younger,
                                                         .on_contact = on_contact,
                                                         .on_keepalive = on_keepalive,
                                                         .on_duplicate = on_duplicate };
    struct world *world = calloc(1, sizeof(*world));
    assert_non_null(world);
    *state = world;
    world->now_ms = 1000000;
    clock_fake_set(world->now_ms);
    world->machine = (struct machine){ .id = MACHINE, .boot_id = "this" };
    (void)snprintf(world->lease_file, sizeof(world->lease_file), "/tmp/muster-lease-XXXXXX");
    int fd = mkstemp(world->lease_file);
    assert_true(fd >= 0);
    (void)close(fd);
    assert_int_equal(loop_new(&world->loop, NULL), 0);
    assert_int_equal(kv_memory_new(&world->store, NULL), 0);
    assert_int_equal(kv_memory_connect(world->store, &world->kv, NULL), 0);
    assert_int_equal(kv_memory_connect(world->store, &world->others, NULL), 0);
    const struct presence_config config = { .loop = world->loop,
                                            .kv = world->kv,
                                            .prefix = PREFIX,
                                            .machine = &world->machine,
                                            .address = "192.0.2.1",
                                            .lease_file = world->lease_file,
                                            .ttl_ms = ttl_ms };
    return presence_new(&config, &callbacks, world, &world->presence, NULL);
}

static int set_up(void **state)
{
    return set_up_with(state, TTL_MS);
}

static int set_up_long(void **state)
{
    return set_up_with(state, LONG_MS);
}

static int tear_down(void **state)
{
    struct world *world = *state;
    presence_free(world->presence);
    kv_free(world->kv);
    kv_free(world->others);
    kv_memory_free(world->store);
    loop_free(world->loop);
    clock_fake_set(-1);
    (void)unlink(world->lease_file);
    free(world);
    return 0;
}

static void another_boot_that_stays_is_a_duplicate(void **state)
{
    struct world *world = *state;
    put_another_boot(world);
    presence_start(world->presence);
    run_for(world, 20);
    assert_string_equal(presence_state_text(world->presence), "blocked");
    assert_int_equal(world->duplicates, 0);
    pass(world, LONG_MS);
    presence_on_deleted(world->presence, 1); /* a reason to look now */
    run_for(world, 20);
    assert_int_equal(world->duplicates, 1);
}

static void an_outage_is_no_proof_of_a_duplicate(void **state)
{
    struct world *world = *state;
    put_another_boot(world);
    presence_start(world->presence);
    run_for(world, 20);
    assert_string_equal(presence_state_text(world->presence), "blocked");
    kv_memory_cut(world->kv, true);
    presence_on_deleted(world->presence, 1);
    run_for(world, 20);
    pass(world, LONG_MS);
    kv_memory_cut(world->kv, false);
    run_for(world, 600);
    assert_string_equal(presence_state_text(world->presence), "blocked");
    assert_int_equal(world->duplicates, 0);
    change(world, kv_op_delete(PRESENCE));
    presence_on_deleted(world->presence, 1);
    run_for(world, 600);
    assert_int_equal(world->registered, 1);
}

static void a_lease_that_waited_for_another_boot_is_kept_alive_at_once(void **state)
{
    struct world *world = *state;
    put_another_boot(world);
    presence_start(world->presence);
    run_for(world, 20);
    pass(world, TTL_MS * 9 / 10);
    change(world, kv_op_delete(PRESENCE));
    presence_on_deleted(world->presence, 1);
    run_for(world, 20);
    assert_int_equal(world->registered, 1);
    pass(world, TTL_MS * 3 / 10);
    assert_non_null(kv_memory_peek(world->store, PRESENCE));
}

static void a_watch_that_lags_costs_no_registration(void **state)
{
    struct world *world = *state;
    presence_start(world->presence);
    run_for(world, 20);
    int64_t first = presence_registration(world->presence);
    assert_true(first > 0);
    kv_memory_revoke_all(world->store);
    presence_check_now(world->presence);
    run_for(world, 20);
    assert_int_equal(world->gone, 1);
    assert_int_equal(world->registered, 2);
    assert_int_equal(world->contacts, 2);
    presence_on_deleted(world->presence, first);
    run_for(world, 20);
    assert_int_equal(world->gone, 1);
    /* and one that does not lag is believed */
    int64_t second = presence_registration(world->presence);
    kv_memory_revoke_all(world->store);
    presence_on_deleted(world->presence, second);
    run_for(world, 20);
    assert_int_equal(world->gone, 2);
    assert_int_equal(world->registered, 3);
}

static void a_store_that_has_gone_back_is_told_and_one_that_stands_still_is_none(void **state)
{
    struct world *world = *state;
    presence_start(world->presence);
    run_for(world, 20);
    change(world, kv_op_put("/t/other", "1"));
    for (int i = 0; i < 2; i++) {
        presence_check_now(world->presence);
        run_for(world, 20);
    }
    assert_int_equal(world->younger, 0);
    assert_int_equal(presence_store_revision(world->presence), kv_memory_revision(world->store));
    kv_memory_turn_back(world->store, 1);
    presence_check_now(world->presence);
    run_for(world, 20);
    assert_int_equal(world->younger, 1);
    assert_int_equal(world->gone, 0);
}

static bool stored_ready(struct world *world)
{
    autorecord(presence) record = { 0 };
    const struct kv_pair *pair = kv_memory_peek(world->store, PRESENCE);
    assert_non_null(pair);
    assert_int_equal(record_presence_decode(pair->value, pair->value_length, &record, NULL), 0);
    return record.ready;
}

static void readiness_that_was_not_written_is_written_with_the_next_proof(void **state)
{
    struct world *world = *state;
    presence_start(world->presence);
    run_for(world, 20);
    assert_true(stored_ready(world));
    kv_memory_lose_answers(world->kv, 1, false);
    presence_set_ready(world->presence, false, "a test");
    run_for(world, 20);
    assert_true(stored_ready(world));
    presence_check_now(world->presence);
    run_for(world, 20);
    assert_false(stored_ready(world));
}

static void readiness_that_was_written_unheard_is_taken_back_with_a_proof(void **state)
{
    struct world *world = *state;
    presence_start(world->presence);
    run_for(world, 20);
    kv_memory_lose_answers(world->kv, 1, true);
    presence_set_ready(world->presence, false, "a test");
    run_for(world, 20);
    assert_false(stored_ready(world));
    presence_set_ready(world->presence, true, "");
    presence_check_now(world->presence);
    run_for(world, 20);
    assert_true(stored_ready(world));
}

static void a_shorter_lease_to_judge_has_the_store_read_in_the_next_turn(void **state)
{
    struct world *world = *state;
    const struct contact *contact = presence_contact(world->presence);
    presence_start(world->presence);
    run_for(world, 20);
    int64_t registered_ms = world->now_ms;
    pass(world, 5000);
    presence_judge(world->presence, LONG_MS);
    run_for(world, 20);
    assert_int_equal(contact->heard_ms, registered_ms);
    presence_judge(world->presence, TTL_MS);
    (void)kv_memory_deliver(world->store);
    assert_int_equal(contact->heard_ms, registered_ms);
    run_for(world, 20);
    assert_int_equal(contact->heard_ms, world->now_ms);
    assert_int_equal(world->contacts, 2); /* it had been silent for too long to judge by */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(another_boot_that_stays_is_a_duplicate, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_outage_is_no_proof_of_a_duplicate, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_lease_that_waited_for_another_boot_is_kept_alive_at_once,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_watch_that_lags_costs_no_registration, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_store_that_has_gone_back_is_told_and_one_that_stands_still_is_none, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(
            readiness_that_was_not_written_is_written_with_the_next_proof, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            readiness_that_was_written_unheard_is_taken_back_with_a_proof, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_shorter_lease_to_judge_has_the_store_read_in_the_next_turn, set_up_long, tear_down),
    };
    return cmocka_run_group_tests_name("agent/presence", tests, NULL, NULL);
}
