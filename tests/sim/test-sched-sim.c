/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A leader that plans over a toy store, agents that acknowledge late, and a random world: machines
 * die, return, leave for good, are cordoned, drained and relabelled, units are submitted, stopped,
 * destroyed, rolled out, crash and have texts that cannot be read, roles get other settings, the
 * brake is held, writes meet guards that have changed, leaders are replaced in the middle of a
 * plan. After each write:
 *
 *   - no unit is assigned to two machines, but for the two copies of one with MoveOrder=start-first
 *     that moves; that one is stopped by no drain or rebalancing before it is up elsewhere
 *   - no role has more holders than nodes
 *   - two units in conflict are never on one machine, two that follow each other never on two
 *   - a unit leaves a machine only if that has said that it stopped, or is gone for longer than the
 *     debounce, and then not with Failover=never, nor while an order holds it
 *   - it is told to leave only if it is not wanted as it was, or the rules do not let it stay, or
 *     for a planned move
 *   - no plan writes a key twice
 *   - no newcomer goes to a machine that does not take any
 *   - no machine has promised more memory than it has
 *   - nobody goes where a machine is reserved for another who is no less important
 *   - of what runs no more is taken down for drains and rebalancing than the budget has
 *   - a rollout takes down no instance while another is down, nor a copy of what runs everywhere
 *
 * and when the world calms down everything that fits somewhere, were it for the less important to
 * yield, has a place, what does not has a verdict, a rollout has ended with one text everywhere or
 * says why it does not go on, and an idle leader writes nothing. Where nothing happens the leader
 * has nothing more to do after a few turns. What was told event by event is planned as what is read
 * at once, and what a leader has noted to save itself work makes none of its plans differ. When a
 * machine is lost at rest, its units move and no others.
 *
 * Most clusters have five machines, one in 25 has 12 to 16. SEEDS=n runs n seeds from FIRST_SEED
 * on, SEED=n that one; a failing seed prints its story.
 */
#include "scheduler/reserve.h"
#include "tests/sim/sched.h"
#include "tests/sim/seeds.h"

/* --- one seed, many seeds --- */

static void begin_world(struct sim *sim)
{
    sim->machines = MACHINES;
    if (sim->seed % LARGE_EACH == 0)
        sim->machines = MACHINES_LARGE + sim_dice(sim, MACHINES_MAX - MACHINES_LARGE + 1);
    for (size_t i = 0; i < sim->machines; i++) {
        sim_put_member(sim, sim_letter(i));
        sim->absent_since_ms[i] = sim->now_ms;
        if (sim_dice(sim, 4))
            sim_put_presence(sim, sim_letter(i), true);
    }
    sim_putf(sim, sim_record("{s:i}", "nodes", NODES), "roles/db");
    for (size_t i = 0; i < UNITS; i++)
        if (sim_dice(sim, 3) == 0)
            sim_put_unit(sim, &sim_sorts[i], "launched");
}

static void end_world(struct sim *sim)
{
    HASH_CLEAR(hh, sim->by_key);
    for (size_t i = 0; i < KEYS_MAX; i++) {
        json_decref(sim->store[i].value);
        free(sim->store[i].key);
    }
    for (size_t i = 0; i < sim->event_count; i++) {
        json_decref(sim->events[i].value);
        free(sim->events[i].key);
    }
    free(sim->events);
    model_free(sim->model);
    model_free(sim->forgetful);
    text_done(&sim->story);
}

static void run_seed(uint64_t seed)
{
    int64_t wake_ms = -1;
    struct sim sim = { .seed = seed,
                       .random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1,
                       .now_ms = 100000 };
    assert_int_equal(model_new(&sim.model, NULL), 0);
    assert_int_equal(model_new(&sim.forgetful, NULL), 0);
    begin_world(&sim);
    for (int step = 0; step < STEPS; step++) {
        sim.now_ms += sim_dice(&sim, 25) ? (int64_t)sim_dice(&sim, 700) : RESERVE_AFTER_MS;
        sim_disturb(&sim);
        if (sim_dice(&sim, 30) == 0)
            sim_new_leader(&sim);
        (void)sim_agents(&sim, false);
        (void)sim_lead(&sim, false, &wake_ms);
        sim_check_store(&sim);
    }
    sim_check_twins(&sim);
    sim_calm_down(&sim);
    end_world(&sim);
}

static void every_seed_keeps_the_rules_and_comes_to_rest(void **state)
{
    (void)state;
    uint64_t one = seeds_number("SEED", 0);
    uint64_t count = seeds_number("SEEDS", 300);
    uint64_t first = seeds_number("FIRST_SEED", 1);
    if (one) {
        run_seed(one);
        return;
    }
    for (uint64_t seed = first; seed < first + count; seed++)
        run_seed(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_seed_keeps_the_rules_and_comes_to_rest),
    };
    return cmocka_run_group_tests_name("scheduler/simulator", tests, NULL, NULL);
}
