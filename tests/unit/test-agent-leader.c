/* SPDX-License-Identifier: Apache-2.0 */
/* The leader against a store in memory: that it founds, places, moves, and never acts under an old
 * epoch. */
#include "agent/leader.h"

#include <unistd.h>

#include "base/text.h"
#include "scheduler/records.h"
#include "tests/unit/contact.h"
#include "tests/unit/harness.h"
#include "tests/unit/leader-fixture.h"

#define UNIT "hello.service"

static void launch(struct world *world)
{
    world_launch(world, UNIT);
}

static const struct kv_pair *assignment(struct world *world, const char *machine)
{
    autofree char *key = store_key(PREFIX, STORE_KEY_ASSIGNMENT, machine, UNIT, 0);
    return kv_memory_peek(world->store, key);
}

static void the_first_leader_founds_the_cluster_once(void **state)
{
    struct world *world = *state;
    world_lead(world);
    world_run_for(world, 200);
    const struct kv_pair *cluster = kv_memory_peek(world->store, PREFIX "cluster");
    assert_non_null(cluster);
    int64_t founded = cluster->mod_revision;
    leader_free(take_ptr(world->leader));
    world_lead(world);
    world_run_for(world, 200);
    assert_int_equal(kv_memory_peek(world->store, PREFIX "cluster")->mod_revision, founded);
}

static void a_wiped_store_is_neither_founded_nor_led_by_who_remembers_another(void **state)
{
    struct world *world = *state;
    world->uuid = "0123";
    world_lead(world);
    world_join(world, M1);
    launch(world);
    world_run_for(world, 300);
    assert_null(kv_memory_peek(world->store, PREFIX "cluster"));
    assert_int_equal(world->barred, 1);
    assert_null(assignment(world, M1));
    (void)world_put(world, PREFIX "cluster", "{\"uuid\":\"4567\",\"schema\":1}");
    world_run_for(world, 300);
    assert_null(assignment(world, M1));
}

static void a_launched_unit_is_assigned_and_then_nothing_is_written(void **state)
{
    struct world *world = *state;
    world_lead(world);
    world_join(world, M1);
    world_join(world, M2);
    launch(world);
    world_run_for(world, 500);
    assert_true(!assignment(world, M1) != !assignment(world, M2));
    int64_t before = kv_memory_revision(world->store);
    world_run_for(world, 1000);
    assert_int_equal(kv_memory_revision(world->store), before);
}

static void a_lost_machines_unit_moves(void **state)
{
    struct world *world = *state;
    world_lead(world);
    world_join(world, M1);
    launch(world);
    world_run_for(world, 300);
    assert_non_null(assignment(world, M1));
    world_join(world, M2);
    (void)world_delete(world, PREFIX "nodes/" M1 "/presence");
    for (int i = 0; i < 200 && !assignment(world, M2); i++) {
        world_run_for(world, 50);
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
    world_lead(world);
    world_join(world, M1);
    launch(world);
    world_run_for(world, 300);
    world_join(world, M2);
    contact_end(&world->contact);
    (void)world_delete(world, PREFIX "nodes/" M1 "/presence");
    world_run_for(world, 500);
    assert_non_null(assignment(world, M1));
    world->contact = contact_always;
    leader_on_contact(world->leader);
    world_run_for(world, 500);
    assert_non_null(assignment(world, M2));
}

/* A machine's lease may end in a silence of the store that others' sleep through: our contact is
 * asked whether there was one, so it must be fine enough for the shortest. */
static void the_shortest_lease_of_all_machines_is_judged(void **state)
{
    struct world *world = *state;
    world_lead(world);
    world_join(world, M1);
    world_run_for(world, 300);
    assert_int_equal(world->judged_ttl_ms, 2000);
    (void)world_delete(world, PREFIX "members/" M1);
    (void)world_delete(world, PREFIX "nodes/" M1 "/presence");
    world_run_for(world, 300);
    assert_int_equal(world->judged_ttl_ms, 0);
}

static void a_leader_deposed_before_it_founds_asks_for_its_epoch(void **state)
{
    struct world *world = *state;
    world_lead(world);
    (void)world_put(world, PREFIX "leader", "{\"machine\":\"" M2 "\",\"nonce\":\"y\"}");
    world_run_for(world, 300);
    assert_null(kv_memory_peek(world->store, PREFIX "cluster"));
    assert_int_equal(world->renewals, 1);
}

static void a_deposed_leader_writes_nothing_and_asks_for_its_epoch(void **state)
{
    struct world *world = *state;
    world_lead(world);
    world_join(world, M1);
    world_run_for(world, 300);
    kv_memory_cut(world->kv, true); /* it does not see that another leads now */
    (void)world_put(world, PREFIX "leader", "{\"machine\":\"" M2 "\",\"nonce\":\"y\"}");
    kv_memory_cut(world->kv, false);
    launch(world);
    world_run_for(world, 300);
    assert_null(assignment(world, M1));
    assert_true(world->renewals > 0);
}

static void an_unknown_outcome_is_followed_by_a_new_epoch_and_no_double(void **state)
{
    struct world *world = *state;
    world_lead(world);
    world_join(world, M1);
    world_run_for(world, 300);
    kv_memory_lose_answers(world->kv, 1, true);
    launch(world);
    world_run_for(world, 300);
    assert_int_equal(world->renewals, 1);
    const struct kv_pair *first = assignment(world, M1);
    assert_non_null(first);
    int64_t mod = first->mod_revision;
    world_renew(world);
    world_run_for(world, 300);
    assert_int_equal(assignment(world, M1)->mod_revision, mod);
}

/* The watch is behind when the history goes: everything is read again, which is no news. */
static void history_that_is_lost_moves_nothing_and_hides_nothing(void **state)
{
    struct world *world = *state;
    world_lead(world);
    world_join(world, M1);
    launch(world);
    world_run_for(world, 300);
    int64_t mod = assignment(world, M1)->mod_revision;
    kv_memory_cut(world->kv, true);
    world_join(world, M2);
    (void)world_put(world, PREFIX "units/other.service",
                    kv_memory_peek(world->store, PREFIX "units/" UNIT)->value);
    kv_memory_compact(world->store);
    kv_memory_cut(world->kv, false);
    world_run_for(world, 300);
    assert_int_equal(assignment(world, M1)->mod_revision, mod);
    assert_null(assignment(world, M2));
    assert_non_null(kv_memory_peek(world->store, PREFIX "nodes/" M2 "/units/other.service"));
}

static void an_epoch_that_is_renewed_unasked_finds_a_plan_in_flight(void **state)
{
    struct world *world = *state;
    world_lead(world);
    launch(world);
    world_join(world, M1);
    world_run_for(world, 300);
    (void)world_put_untold(world, PREFIX "units/other.service",
                           kv_memory_peek(world->store, PREFIX "units/" UNIT)->value);
    (void)kv_memory_deliver_to(world->kv, false, true); /* sent, not answered */
    assert_non_null(kv_memory_peek(world->store, PREFIX "nodes/" M1 "/units/other.service"));
    world->epoch =
        world_put_untold(world, PREFIX "leader", "{\"machine\":\"" M1 "\",\"nonce\":\"x\"}");
    leader_set_epoch(world->leader, world->epoch);
    (void)kv_memory_deliver_to(world->kv, false, true); /* the mirror is sooner than the answer */
    world_run_for(world, 300);
    assert_int_equal(world->renewals, 0);
    assert_int_equal(kv_memory_revision(world->store), world->epoch);
}

static void the_next_leader_carries_on_and_writes_nothing(void **state)
{
    struct world *world = *state;
    world_lead(world);
    world_join(world, M1);
    world_join(world, M2);
    launch(world);
    world_run_for(world, 300);
    leader_free(take_ptr(world->leader));
    world_lead(world);
    world_run_for(world, 300);
    assert_int_equal(kv_memory_revision(world->store), world->epoch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_first_leader_founds_the_cluster_once, world_set_up,
                                        world_tear_down),
        cmocka_unit_test_setup_teardown(
            a_wiped_store_is_neither_founded_nor_led_by_who_remembers_another, world_set_up,
            world_tear_down),
        cmocka_unit_test_setup_teardown(a_launched_unit_is_assigned_and_then_nothing_is_written,
                                        world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(a_lost_machines_unit_moves, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(history_that_is_lost_moves_nothing_and_hides_nothing,
                                        world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(an_epoch_that_is_renewed_unasked_finds_a_plan_in_flight,
                                        world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(the_next_leader_carries_on_and_writes_nothing, world_set_up,
                                        world_tear_down),
        cmocka_unit_test_setup_teardown(a_leader_that_regains_contact_looks_at_what_was_lost,
                                        world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(the_shortest_lease_of_all_machines_is_judged, world_set_up,
                                        world_tear_down),
        cmocka_unit_test_setup_teardown(a_leader_deposed_before_it_founds_asks_for_its_epoch,
                                        world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(a_deposed_leader_writes_nothing_and_asks_for_its_epoch,
                                        world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(an_unknown_outcome_is_followed_by_a_new_epoch_and_no_double,
                                        world_set_up, world_tear_down),
    };
    return cmocka_run_group_tests_name("agent/leader", tests, NULL, NULL);
}
