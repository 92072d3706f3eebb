/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "tests/sim/sched.h"

/* --- rollouts: what the API does --- */

void sim_read_rollout(struct sim *sim, const char *name, struct record_rollout *ret)
{
    const struct entry *entry = sim_findf(sim, "ops/rollout/%s", name);
    autofree char *text = entry ? json_dumps(entry->value, 0) : NULL;
    if (text)
        assert_int_equal(record_rollout_decode(text, strlen(text), ret, NULL), 0);
}

static void put_rollout(struct sim *sim, const char *name, const struct record_rollout *rollout)
{
    autofree char *text = NULL;
    assert_int_equal(record_rollout_encode(rollout, &text, NULL), 0);
    sim_putf(sim, json_loads(text, 0, NULL), "ops/rollout/%s", name);
    sim_tell(sim, "rollout of %s: %s", name, text);
}

static void start_rollout(struct sim *sim, const char *name, struct record_rollout *rollout)
{
    autofree char *blob = text_format("v%" PRId64, sim->revision);
    const struct rollout_version *good = NULL;
    const struct entry *unit = sim_findf(sim, "units/%s", name);
    if (rollout->version_count == 0) {
        const char *found = unit ? sim_field_of(unit, "blob") : "b0";
        assert_int_equal(rollout_add_version(rollout, found, "found", 1, NULL), 0);
        rollout->versions[0].good = true;
    }
    bool mixed = rollout->state == ROLLOUT_PAUSED && !rollout->restart && sim_is_global(name);
    rollout->restart = sim_dice(sim, 3) == 0 && !mixed;
    if (!rollout->restart)
        assert_int_equal(rollout_add_version(rollout, blob, "start", 1, NULL), 0);
    good = rollout_last_good(rollout, rollout->blob);
    free(rollout->previous);
    rollout->previous = strdup(good && !rollout->restart ? good->blob : "");
    rollout->back = false;
    rollout->roll_back = !rollout->restart && sim_dice(sim, 2);
    rollout->parallel = 1;
    rollout->wait_ms = (int64_t)sim_dice(sim, 2) * 1000;
    rollout->timeout_ms = 20000;
    rollout->since_revision = sim->revision;
}

static void disturb_rollout(struct sim *sim)
{
    const char *name = sim_dice(sim, 2) ? TEMPLATE : GLOBAL;
    autorecord(rollout) rollout = { 0 };
    sim_read_rollout(sim, name, &rollout);
    if (rollout.state == ROLLOUT_RUNNING) {
        rollout.state = ROLLOUT_PAUSED;
        put_rollout(sim, name, &rollout);
        return;
    }
    if (rollout.state != ROLLOUT_PAUSED || sim_dice(sim, 3) == 0)
        start_rollout(sim, name, &rollout);
    rollout.state = ROLLOUT_RUNNING;
    rollout.retry_revision = sim->revision;
    free(rollout.reason);
    rollout.reason = strdup("");
    put_rollout(sim, name, &rollout);
}

static void disturb_drain(struct sim *sim, char m)
{
    if (sim_findf(sim, "ops/drain/%c", m)) {
        sim_delf(sim, "cordons/%c", m);
        sim_delf(sim, "ops/drain/%c", m);
        return;
    }
    sim_putf(sim, sim_record("{}"), "cordons/%c", m);
    sim_putf(sim,
             sim_record("{s:I,s:i}", "since_ms", (json_int_t)sim->now_ms, "timeout_ms",
                        sim_dice(sim, 3) ? 0 : 5000),
             "ops/drain/%c", m);
}

/* One that left for good: its record goes, or comes back with it. */
static void disturb_membership(struct sim *sim, char m)
{
    if (!sim_findf(sim, "members/%c", m))
        sim_put_member(sim, m);
    else if (!sim_is_present(sim, m) && sim_dice(sim, 2))
        sim_delf(sim, "members/%c", m);
}

void sim_lose(struct sim *sim, char m)
{
    char holders[MACHINES_MAX + 1];
    (void)sim_count_holders(sim, holders);
    sim_delf(sim, "nodes/%c/presence", m);
    sim->absent_since_ms[sim_number(m)] = sim->now_ms;
    sim->held_a_slot[sim_number(m)] = strchr(holders, m) != NULL;
    sim->seemed_let_go[sim_number(m)] = false;
}

static void disturb_presence(struct sim *sim, char m)
{
    if (!sim_is_present(sim, m)) {
        if (!sim_findf(sim, "members/%c", m))
            sim_put_member(sim, m);
        sim_put_presence(sim, m, true);
        return;
    }
    sim_lose(sim, m);
}

static void disturb_machine(struct sim *sim)
{
    char m = sim_letter(sim_dice(sim, sim->machines));
    switch (sim_dice(sim, 8)) {
    case 7:
        disturb_membership(sim, m);
        return;
    case 6:
        disturb_drain(sim, m);
        return;
    case 0:
    case 1:
        disturb_presence(sim, m);
        return;
    case 2:
        if (sim_findf(sim, "ops/drain/%c", m))
            return;
        if (sim_findf(sim, "cordons/%c", m))
            sim_delf(sim, "cordons/%c", m);
        else
            sim_putf(sim, sim_record("{}"), "cordons/%c", m);
        return;
    case 3:
        if (sim_is_present(sim, m))
            sim_put_presence(sim, m, sim_dice(sim, 2));
        return;
    default:
        sim_put_member(sim, m);
    }
}

static void disturb_unit(struct sim *sim)
{
    static const char *const wishes[] = { "launched", "launched", "loaded", "inactive" };
    const struct sim_sort *sort = &sim_sorts[sim_dice(sim, UNITS)];
    if (sim_dice(sim, 5) == 0)
        sim_delf(sim, "units/%s", sort->name);
    else
        sim_put_unit(sim, sort, wishes[sim_dice(sim, 4)]);
}

/* Machines that are lost from now on are held; or the order is taken back, or all are let go. */
static void disturb_brake(struct sim *sim)
{
    bool holds = sim->held_since_ms > 0;
    sim->held_since_ms = 0;
    if (holds && sim_dice(sim, 2)) {
        sim_delf(sim, "ops/brake");
        return;
    }
    sim->held_since_ms = !holds && sim_dice(sim, 2) ? sim->now_ms : 0;
    sim_putf(sim, sim_record("{s:b}", "hold", sim->held_since_ms > 0), "ops/brake");
}

static void disturb_rebalance(struct sim *sim)
{
    static const char *const modes[] = { "auto", "auto", "advise", "off" };
    sim_putf(sim, sim_record("{s:s}", "mode", modes[sim_dice(sim, 4)]), "ops/rebalance");
}

static void disturb_role(struct sim *sim)
{
    static const char *const shorts[] = { "run", "hold", "stop" };
    sim_putf(sim,
             sim_record("{s:i,s:i,s:s,s:o,s:s,s:b,s:i,s:i}", "nodes", NODES, "min_nodes",
                        (int)sim_dice(sim, NODES + 1), "spread", sim_dice(sim, 2) ? "rack" : "",
                        "require", sim_dice(sim, 3) ? json_array() : json_pack("[s]", "rack=r1"),
                        "when_short", shorts[sim_dice(sim, 3)], "fail_back", sim_dice(sim, 2),
                        "fail_back_after_ms", 1000, "promote_after_ms",
                        sim_dice(sim, 3) ? 0 : 3000),
             "roles/db");
}

static const struct {
    unsigned int one_in;
    void (*fn)(struct sim *sim);
} rarely[] = {
    {40,  disturb_brake    },
    { 8,  disturb_rollout  },
    { 40, disturb_rebalance},
    { 30, disturb_role     },
};

void sim_disturb(struct sim *sim)
{
    for (size_t i = 0; i < sizeof(rarely) / sizeof(*rarely); i++)
        if (sim_dice(sim, rarely[i].one_in) == 0)
            rarely[i].fn(sim);
    if (sim_dice(sim, 2))
        disturb_machine(sim);
    else
        disturb_unit(sim);
}

/* --- agents --- */

/* What a unit that is to run is like. Of instances the health is checked. */
static void put_state(struct sim *sim, char m, const struct entry *assignment, const char *active)
{
    static const char *const healths[] = { "healthy", "healthy", "starting", "unhealthy" };
    const char *name = strrchr(assignment->key, '/') + 1;
    bool release = text_equal(sim_field_of(assignment, "want"), "release");
    const struct entry *presence = sim_findf(sim, "nodes/%c/presence", m);
    json_t *state = sim_record("{s:s,s:s,s:I,s:I,s:I}", "invocation", sim_dice(sim, 5) ? "i" : "j",
                               "active", active, "registration", (json_int_t)presence->create,
                               "assignment_revision", (json_int_t)assignment->mod,
                               "released_revision", (json_int_t)(release ? assignment->mod : 0));
    if (strcmp(active, "active") == 0 && sim_is_instance(name))
        (void)json_object_set_new(state, "health", json_string(healths[sim_dice(sim, 4)]));
    sim_putf(sim, state, "states/%c/%s", m, name);
}

static bool has_answered(struct sim *sim, char m, const struct entry *assignment)
{
    const struct entry *presence = sim_findf(sim, "nodes/%c/presence", m);
    const struct entry *state =
        sim_findf(sim, "states/%c/%s", m, strrchr(assignment->key, '/') + 1);
    return sim_number_of(state, "assignment_revision") == assignment->mod &&
           sim_number_of(state, "registration") == presence->create;
}

/* It crashes, or comes back by itself, or is on its way, which does not last. */
static bool changes_by_itself(struct sim *sim, char m, const struct entry *assignment, bool hurry)
{
    static const char *const states[] = { "failed", "active", "activating" };
    const struct entry *state =
        sim_findf(sim, "states/%c/%s", m, strrchr(assignment->key, '/') + 1);
    bool passes = text_equal(sim_field_of(state, "active"), "activating");
    if (text_equal(sim_field_of(assignment, "want"), "release") ||
        (hurry ? !passes : sim_dice(sim, 40) != 0))
        return false;
    put_state(sim, m, assignment, hurry ? "active" : states[sim_dice(sim, 3)]);
    return true;
}

/* Agents of machines that are there answer assignments; late, unless hurry. */
bool sim_agents(struct sim *sim, bool hurry)
{
    bool did = false;
    for (size_t i = 0; i < KEYS_MAX; i++) {
        const struct entry *e = &sim->store[i];
        if (!e->value || !text_starts_with(e->key, "nodes/") || !strstr(e->key, "/units/"))
            continue;
        char m = e->key[strlen("nodes/")];
        if (!sim_is_present(sim, m) || (!hurry && sim_dice(sim, 3)))
            continue;
        if (has_answered(sim, m, e)) {
            did = changes_by_itself(sim, m, e, hurry) || did;
            continue;
        }
        bool release = text_equal(sim_field_of(e, "want"), "release");
        put_state(sim, m, e, release ? "inactive" : sim_dice(sim, 8) ? "active" : "failed");
        did = true;
    }
    return did;
}
