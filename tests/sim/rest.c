/* SPDX-License-Identifier: Apache-2.0 */
/* Where a cluster comes to rest once nothing disturbs it, and that it stays there: when nothing
 * happens, when another leads, and when the history that watches live on is gone. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/cluster.h"

enum {
    QUIET_MS = 10000,     /* without a write, it may have come to rest */
    PATIENCE_MS = 240000, /* the brake's tokens, and forgiving what failed, take minutes */
    LEADER_MS = 3 * SIM_TTL_MS,
};

/* What does not hold yet; "" if all does. */
typedef char complaint[256];

/* --- one unit --- */

static bool is_present(const struct sim_machine *m)
{
    return m->registration != 0;
}

static void read_verdict(const struct sim *sim, size_t unit, char *ret, size_t size)
{
    autorecord(verdict) verdict = { 0 };
    const struct kv_pair *pair = sim_peekf(sim, "verdicts/%s", sim_sorts[unit].name);
    bool known =
        pair && record_verdict_decode(pair->value, pair->value_length, &verdict, NULL) == 0;
    (void)snprintf(ret, size, "%s", known ? verdict.kind : "");
}

/* What the store says of a unit is what its machine's systemd says. */
static void check_state(const struct sim *sim, const struct sim_machine *m, size_t unit,
                        complaint ret)
{
    autorecord(state) state = { 0 };
    const char *name = sim_sorts[unit].name;
    const struct kv_pair *pair = sim_peekf(sim, "states/%s/%s", m->machine.id, name);
    if (!pair || record_state_decode(pair->value, pair->value_length, &state, NULL) < 0)
        (void)snprintf(ret, sizeof(complaint), "nothing is said of %s on %s", name,
                       m->machine.name);
    else if (strcmp(state.active, m->copies[unit].active) != 0)
        (void)snprintf(ret, sizeof(complaint), "%s on %s is %s, the store says %s", name,
                       m->machine.name, m->copies[unit].active, state.active);
}

static void check_home(const struct sim *sim, const struct sim_machine *m, size_t unit,
                       enum desired desired, const char *verdict, complaint ret)
{
    const char *name = sim_sorts[unit].name;
    bool given_up = strcmp(verdict, "failed") == 0;
    const char *want = desired == DESIRED_LAUNCHED ? "active" : "inactive";
    if (strcmp(verdict, "failing") == 0)
        (void)snprintf(ret, sizeof(complaint), "%s has failed, which is not forgotten yet", name);
    else if (!sim_rules_hold(sim, m, unit))
        (void)snprintf(ret, sizeof(complaint), "%s is on %s, where it may not be", name,
                       m->machine.name);
    else if (strcmp(m->copies[unit].active, want) != 0 && !given_up)
        (void)snprintf(ret, sizeof(complaint), "%s on %s is %s", name, m->machine.name,
                       m->copies[unit].active);
    else
        check_state(sim, m, unit, ret);
}

static bool would_do(const struct sim *sim, const struct sim_machine *m, size_t unit)
{
    return sim_takes_newcomers(sim, m) && sim_rules_hold(sim, m, unit) && sim_has_room(m, unit);
}

static void check_everywhere(const struct sim *sim, size_t unit, enum desired desired,
                             complaint ret)
{
    for (size_t i = 0; i < SIM_MACHINES && !*ret; i++) {
        const struct sim_machine *m = &sim->machines[i];
        if (m->copies[unit].assignment_mod && is_present(m) &&
            strcmp(m->copies[unit].active, "failed") != 0)
            check_home(sim, m, unit, desired, "", ret);
        else if (!m->copies[unit].assignment_mod && would_do(sim, m, unit))
            (void)snprintf(ret, sizeof(complaint), "%s is not on %s", sim_sorts[unit].name,
                           m->machine.name);
    }
}

static void check_homeless(const struct sim *sim, size_t unit, const char *verdict, complaint ret)
{
    const char *name = sim_sorts[unit].name;
    if (!*verdict)
        (void)snprintf(ret, sizeof(complaint), "%s is forgotten", name);
    if (strcmp(verdict, "held") == 0) /* until there is a token again */
        (void)snprintf(ret, sizeof(complaint), "%s is held by the brake", name);
    if (strcmp(verdict, "failed") == 0 || sim_sorts[unit].never)
        return;
    for (size_t i = 0; i < SIM_MACHINES && !*ret; i++)
        if (would_do(sim, &sim->machines[i], unit))
            (void)snprintf(ret, sizeof(complaint), "%s waits (%s), and %s would take it", name,
                           verdict, sim->machines[i].machine.name);
}

static void check_unit(const struct sim *sim, size_t unit, complaint ret)
{
    char verdict[32];
    enum desired desired = DESIRED_INVALID;
    const struct sim_machine *home = NULL;
    size_t homes = 0;
    for (size_t i = 0; i < SIM_MACHINES; i++)
        if (sim->machines[i].copies[unit].assignment_mod) {
            home = &sim->machines[i];
            homes++;
        }
    read_verdict(sim, unit, verdict, sizeof(verdict));
    if (!sim_is_wanted(sim, unit, &desired)) {
        for (size_t i = 0; i < SIM_MACHINES && !*ret; i++)
            if (sim->machines[i].copies[unit].assignment_mod || sim->machines[i].copies[unit].runs)
                (void)snprintf(ret, sizeof(complaint), "%s is not wanted, and is on %s",
                               sim_sorts[unit].name, sim->machines[i].machine.name);
    } else if (sim_sorts[unit].global) {
        check_everywhere(sim, unit, desired, ret);
    } else if (homes > 1) {
        (void)snprintf(ret, sizeof(complaint), "%s has two copies", sim_sorts[unit].name);
    } else if (home && is_present(home)) {
        check_home(sim, home, unit, desired, verdict, ret);
    } else if (!home || !sim_sorts[unit].never) {
        check_homeless(sim, unit, verdict, ret);
    }
}

/* --- all --- */

static void check_machine(const struct sim_machine *m, complaint ret)
{
    if (m->agent && !is_present(m))
        (void)snprintf(ret, sizeof(complaint), "%s is not registered", m->machine.name);
    for (size_t u = 0; u < SIM_UNITS && !*ret; u++)
        if (m->copies[u].runs && !m->copies[u].assignment_mod)
            (void)snprintf(ret, sizeof(complaint), "%s still runs on %s", sim_sorts[u].name,
                           m->machine.name);
}

static bool somebody_is_up(const struct sim *sim)
{
    bool up = false;
    for (size_t i = 0; i < SIM_MACHINES; i++)
        up = up || sim->machines[i].agent;
    return up;
}

static void check_rollout(const struct sim *sim, complaint ret)
{
    autorecord(rollout) rollout = { 0 };
    const struct kv_pair *pair = sim_peekf(sim, "ops/rollout/%s", SIM_TEMPLATE);
    if (pair && (record_rollout_decode(pair->value, pair->value_length, &rollout, NULL) < 0 ||
                 (rollout.state == ROLLOUT_RUNNING && !*rollout.reason)))
        (void)snprintf(ret, sizeof(complaint), "a rollout neither ends nor says why");
}

static void check_all(const struct sim *sim, complaint ret)
{
    const struct sim_machine *leader = sim_leader(sim);
    ret[0] = '\0';
    if (!leader || !leader->agent)
        (void)snprintf(ret, sizeof(complaint), "nobody leads");
    for (size_t i = 0; i < SIM_MACHINES && !*ret; i++)
        check_machine(&sim->machines[i], ret);
    for (size_t u = 0; u < SIM_UNITS && !*ret; u++)
        check_unit(sim, u, ret);
    if (!*ret)
        check_rollout(sim, ret);
}

/* --- coming to rest, and staying --- */

static void await_rest(struct sim *sim)
{
    complaint why = "";
    int64_t deadline_ms = sim->now_ms + PATIENCE_MS;
    do {
        int64_t revision = kv_memory_revision(sim->store);
        sim_run(sim, QUIET_MS);
        (void)snprintf(why, sizeof(why), "it writes and writes");
        if (revision == kv_memory_revision(sim->store))
            check_all(sim, why);
    } while (*why && !*sim->broken && sim->now_ms < deadline_ms);
    if (*why)
        sim_break(sim, "it does not come to rest: %s", why);
}

struct places {
    int64_t states;
    int64_t assignments[SIM_MACHINES][SIM_UNITS];
    unsigned int orders[SIM_MACHINES][SIM_UNITS];
};

static void note_places(const struct sim *sim, struct places *ret)
{
    ret->states = sim->states;
    for (size_t i = 0; i < SIM_MACHINES; i++)
        for (size_t u = 0; u < SIM_UNITS; u++) {
            const struct sim_copy *copy = &sim->machines[i].copies[u];
            ret->assignments[i][u] = copy->assignment_mod;
            ret->orders[i][u] = copy->starts + copy->stops;
        }
}

/* Neither an assignment was written nor a unit started or stopped. */
static void check_places(struct sim *sim, const struct places *before, const char *after)
{
    complaint why = "";
    for (size_t i = 0; i < SIM_MACHINES; i++)
        for (size_t u = 0; u < SIM_UNITS; u++) {
            const struct sim_machine *m = &sim->machines[i];
            const struct sim_copy *copy = &m->copies[u];
            if (before->assignments[i][u] != copy->assignment_mod ||
                before->orders[i][u] != copy->starts + copy->stops)
                sim_break(sim, "%s on %s is touched though nothing is wrong: %s", sim_sorts[u].name,
                          m->machine.name, after);
        }
    if (sim->states != before->states)
        sim_break(sim, "a state is written though none has changed: %s", after);
    check_all(sim, why);
    if (*why)
        sim_break(sim, "%s: %s", after, why);
}

static void check_idle(struct sim *sim)
{
    int64_t revision = kv_memory_revision(sim->store);
    sim_run(sim, QUIET_MS);
    if (kv_memory_revision(sim->store) != revision)
        sim_break(sim, "an idle cluster writes");
}

/* The next leader knows what the store has, and that is enough. One that is killed is back before
 * its lease ends and leads again, most likely; of one that is stopped another takes over. */
static void change_leader(struct sim *sim, const struct places *before, bool kills)
{
    struct sim_machine *m = sim_leader(sim);
    if (!m)
        return;
    sim_tell(sim, "musterd of %s, which leads, %s and comes back", m->machine.name,
             kills ? "is killed" : "is stopped");
    if (kills)
        sim_musterd_kill(sim, m);
    else
        agent_stop(m->agent);
    m->down_until_ms = sim->now_ms + (kills ? 100 : 2000);
    sim_run(sim, LEADER_MS);
    check_places(sim, before, "another leads");
}

/* Everybody is behind when the history goes: all have to read everything again. */
static void lose_history(struct sim *sim, const struct places *before)
{
    sim_tell(sim, "everybody is slow, and the history is compacted");
    for (size_t i = 0; i < SIM_MACHINES; i++) {
        struct sim_machine *m = &sim->machines[i];
        m->lag_until_ms = m->agent ? sim->now_ms + 100 : 0;
        m->lag_ms = 1000;
        if (m->agent)
            m->pump_ms = sim->now_ms + 500 + (int64_t)sim_dice(sim, 1000);
    }
    sim_put(sim, SIM_PREFIX "blobs/of-no-concern", "something happens");
    for (size_t i = 0; i < SIM_MACHINES; i++) {
        autofree char *key =
            store_key(SIM_PREFIX, STORE_KEY_ASSIGNMENT, sim->machines[i].machine.id, "no.one", 0);
        if (key)
            sim_delete(sim, key);
    }
    sim_witness(sim);
    kv_memory_compact(sim->store);
    sim_run(sim, LEADER_MS);
    check_places(sim, before, "history was lost");
}

/* That it is at rest does not mean that it is deaf. */
static void obey_once_more(struct sim *sim)
{
    size_t unit = sim_dice(sim, SIM_UNITS);
    enum desired desired = DESIRED_INVALID;
    bool wanted = sim_is_wanted(sim, unit, &desired);
    sim_tell(sim, "%s is to be %s", sim_sorts[unit].name, wanted ? "inactive" : "launched");
    sim_wish(sim, unit, wanted ? DESIRED_INACTIVE : DESIRED_LAUNCHED);
    await_rest(sim);
}

void sim_come_to_rest(struct sim *sim)
{
    struct places places;
    sim_heal(sim);
    sim_run(sim, 1);
    sim_call_off(sim);
    for (size_t i = 0; i < SIM_MACHINES && !somebody_is_up(sim); i++)
        if (sim->machines[i].off_until_ms)
            sim_power_on(sim, &sim->machines[i]);
    await_rest(sim);
    note_places(sim, &places);
    if (!*sim->broken)
        check_idle(sim);
    if (!*sim->broken)
        change_leader(sim, &places, true);
    if (!*sim->broken)
        lose_history(sim, &places);
    if (!*sim->broken)
        change_leader(sim, &places, false);
    if (!*sim->broken)
        obey_once_more(sim);
}
