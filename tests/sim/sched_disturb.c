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
    rollout->restart = sim_dice(sim, 3) == 0 && !sim_is_global(name);
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

static void disturb_machine(struct sim *sim)
{
    char m = sim_letter(sim_dice(sim, MACHINES));
    switch (sim_dice(sim, 7)) {
    case 6:
        disturb_drain(sim, m);
        return;
    case 0:
    case 1:
        if (sim_is_present(sim, m))
            sim_delf(sim, "nodes/%c/presence", m);
        else
            sim_put_presence(sim, m, true);
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

void sim_disturb(struct sim *sim)
{
    if (sim_dice(sim, 60) == 0)
        sim_putf(sim, sim_record("{s:b}", "hold", 0), "ops/brake");
    if (sim_dice(sim, 8) == 0)
        disturb_rollout(sim);
    if (sim_dice(sim, 40) == 0)
        sim_putf(sim, sim_record("{s:s}", "mode", sim_dice(sim, 2) ? "auto" : "off"),
                 "ops/rebalance");
    if (sim_dice(sim, 2))
        disturb_machine(sim);
    else
        disturb_unit(sim);
}

/* Agents of machines that are there answer assignments; late, unless hurry. */
bool sim_agents(struct sim *sim, bool hurry)
{
    bool did = false;
    for (size_t i = 0; i < KEYS_MAX; i++) {
        char m = 0;
        char name[64] = "";
        const struct entry *e = &sim->store[i];
        if (!e->value || sscanf(e->key, "nodes/%c/units/%63s", &m, name) != 2)
            continue;
        const struct entry *presence = sim_findf(sim, "nodes/%c/presence", m);
        const struct entry *state = sim_findf(sim, "states/%c/%s", m, name);
        if (!presence || (!hurry && sim_dice(sim, 3)))
            continue;
        if (sim_number_of(state, "assignment_revision") == e->mod &&
            sim_number_of(state, "registration") == presence->create)
            continue;
        bool release = text_equal(sim_field_of(e, "want"), "release");
        sim_putf(sim,
                 sim_record(
                     "{s:s,s:s,s:I,s:I,s:I}", "invocation", sim_dice(sim, 5) ? "i" : "j", "active",
                     release            ? "inactive"
                     : sim_dice(sim, 8) ? "active"
                                        : "failed",
                     "registration", (json_int_t)presence->create, "assignment_revision",
                     (json_int_t)e->mod, "released_revision", (json_int_t)(release ? e->mod : 0)),
                 "states/%c/%s", m, name);
        did = true;
    }
    return did;
}
