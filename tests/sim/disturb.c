/* SPDX-License-Identifier: Apache-2.0 */
/* What the world and people do to a cluster, by lot. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/systemd_fake.h"
#include "base/digest.h"
#include "tests/sim/cluster.h"

enum { PAUSE_MAX_MS = 4000 };

static int64_t between(struct sim *sim, int64_t from_ms, int64_t to_ms)
{
    return from_ms + (int64_t)sim_dice(sim, (uint64_t)(to_ms - from_ms));
}

/* --- people --- */

static void put_record(struct sim *sim, enum store_key_kind kind, const char *machine,
                       const char *name, char *value)
{
    autofree char *own = value;
    autofree char *key = store_key(SIM_PREFIX, kind, machine, name, 0);
    if (key && own)
        sim_put(sim, key, own);
    else
        sim_break(sim, "no memory");
}

static void delete_record(struct sim *sim, enum store_key_kind kind, const char *machine,
                          const char *name)
{
    autofree char *key = store_key(SIM_PREFIX, kind, machine, name, 0);
    if (key)
        sim_delete(sim, key);
}

static void put_text(struct sim *sim, int number, const char *x_fleet,
                     char ret_digest[static DIGEST_HEX_SIZE])
{
    autofree char *text = text_format("[Service]\nExecStart=/bin/sleep %d\n[X-Fleet]\n%s", number,
                                      x_fleet ? x_fleet : "");
    if (!text)
        return;
    digest_sha256_hex(text, strlen(text), ret_digest);
    put_record(sim, STORE_KEY_BLOB, NULL, ret_digest, take_ptr(text));
}

static bool is_instance(size_t unit)
{
    return text_starts_with(sim_sorts[unit].name, "t@");
}

/* With the mark, as the API does it. value NULL: deletes it. */
static void change_unit(struct sim *sim, size_t unit, char *value)
{
    autofree char *own = value;
    autofree char *key = store_key(SIM_PREFIX, STORE_KEY_UNIT, NULL, sim_sorts[unit].name, 0);
    const struct kv_op op = own ? kv_op_put(key, own) : kv_op_delete(key);
    if (key)
        sim_change_unit(sim, &op);
    else
        sim_break(sim, "no memory");
}

/* The text is there before the unit that names it, so this is one write less than the API makes of
 * it. Two texts do for each unit; instances have that of the last rollout. */
void sim_wish(struct sim *sim, size_t unit, enum desired desired)
{
    char digest[DIGEST_HEX_SIZE] = "";
    char *value = NULL;
    int number = is_instance(unit) ? sim->text_of_instances : sim_dice(sim, 4) ? 1 : 2;
    put_text(sim, number, sim_sorts[unit].x_fleet, digest);
    const struct record_unit record = { .blob = digest, .desired = desired };
    if (record_unit_encode(&record, &value, NULL) == 0)
        change_unit(sim, unit, value);
}

static void disturb_unit(struct sim *sim)
{
    static const enum desired wishes[] = { DESIRED_LAUNCHED, DESIRED_LAUNCHED, DESIRED_LAUNCHED,
                                           DESIRED_LAUNCHED, DESIRED_LOADED,   DESIRED_INACTIVE };
    size_t unit = sim_dice(sim, SIM_UNITS);
    enum desired desired = wishes[sim_dice(sim, 6)];
    if (sim_dice(sim, 8) == 0) {
        sim_tell(sim, "%s is destroyed", sim_sorts[unit].name);
        change_unit(sim, unit, NULL);
        return;
    }
    sim_tell(sim, "%s is to be %s", sim_sorts[unit].name, desired_name(desired));
    sim_wish(sim, unit, desired);
}

/* --- orders to the leader --- */

static void put_rollout(struct sim *sim, const struct record_rollout *rollout)
{
    char *value = NULL;
    if (record_rollout_encode(rollout, &value, NULL) == 0)
        put_record(sim, STORE_KEY_ROLLOUT, NULL, SIM_TEMPLATE, value);
}

static int copy_text(char **to, const char *from)
{
    free(*to);
    *to = strdup(from);
    return *to ? 0 : -1;
}

/* As the API begins one, or goes on with one that is paused. */
static int order_rollout(struct sim *sim, struct record_rollout *rollout)
{
    char digest[DIGEST_HEX_SIZE] = "";
    bool is_new = rollout->state != ROLLOUT_PAUSED || sim_dice(sim, 2);
    autofree char *before = strdup(rollout->blob ? rollout->blob : "");
    sim->text_of_instances += is_new;
    put_text(sim, sim->text_of_instances, NULL, digest);
    if (!before || copy_text(&rollout->reason, "") < 0)
        return -1;
    rollout->state = ROLLOUT_RUNNING;
    rollout->retry_revision = kv_memory_revision(sim->store);
    if (!is_new)
        return 0;
    rollout->back = false;
    rollout->roll_back = sim_dice(sim, 2);
    rollout->parallel = 1;
    rollout->wait_ms = 1000;
    rollout->timeout_ms = 20000;
    rollout->since_revision = rollout->retry_revision;
    if (copy_text(&rollout->previous, before) < 0)
        return -1;
    return rollout_add_version(rollout, digest, "start", sim->now_ms, NULL);
}

static void disturb_rollout(struct sim *sim)
{
    autorecord(rollout) rollout = { 0 };
    const struct kv_pair *pair = sim_peekf(sim, "ops/rollout/%s", SIM_TEMPLATE);
    if (pair && record_rollout_decode(pair->value, pair->value_length, &rollout, NULL) < 0) {
        sim_break(sim, "a rollout cannot be read");
        return;
    }
    if (rollout.state == ROLLOUT_RUNNING) {
        sim_tell(sim, "a rollout is paused");
        rollout.state = ROLLOUT_PAUSED;
    } else {
        sim_tell(sim, "a rollout is ordered");
        if (order_rollout(sim, &rollout) < 0)
            sim_break(sim, "no memory");
    }
    put_rollout(sim, &rollout);
}

static void put_rebalance(struct sim *sim, const char *mode)
{
    char *value = NULL;
    const struct record_rebalance rebalance = { .mode = (char *)mode, .since_ms = sim->now_ms };
    sim_tell(sim, "rebalancing is %s", mode);
    if (record_rebalance_encode(&rebalance, &value, NULL) == 0)
        put_record(sim, STORE_KEY_REBALANCE, NULL, NULL, value);
}

static void disturb_rebalance(struct sim *sim)
{
    put_rebalance(sim, sim_dice(sim, 3) ? "auto" : "off");
}

/* What is lost from now on is held; or what is held is let go. */
static void disturb_brake(struct sim *sim)
{
    char *value = NULL;
    const struct record_brake brake = { .hold = !sim->held_since_ms && sim_dice(sim, 2),
                                        .since_ms = sim->now_ms };
    sim_tell(sim, "the brake %s", brake.hold ? "is held" : "lets go");
    if (record_brake_encode(&brake, &value, NULL) == 0)
        put_record(sim, STORE_KEY_BRAKE, NULL, NULL, value);
}

void sim_call_off(struct sim *sim)
{
    put_rebalance(sim, "off");
    if (sim->held_since_ms)
        delete_record(sim, STORE_KEY_BRAKE, NULL, NULL);
}

/* --- machines --- */

static struct sim_machine *any_machine(struct sim *sim)
{
    return &sim->machines[sim_dice(sim, SIM_MACHINES)];
}

/* Whoever leads, if anybody does; it is where most can go wrong. */
static struct sim_machine *likely_leader(struct sim *sim)
{
    struct sim_machine *leader = NULL;
    if (sim_peekf(sim, "leader") && sim_dice(sim, 2))
        leader = sim_leader(sim);
    return leader ? leader : any_machine(sim);
}

static void disturb_cordon(struct sim *sim)
{
    char *value = NULL;
    struct sim_machine *m = any_machine(sim);
    const struct record_cordon cordon = { .reason = (char *)"", .since_ms = sim->now_ms };
    const struct record_drain drain = { .problem = (char *)"",
                                        .since_ms = sim->now_ms,
                                        .timeout_ms = sim_dice(sim, 2) ? 0 : 5000 };
    if (!sim_peekf(sim, "members/%s", m->machine.id))
        return;
    if (m->cordoned_since_ms) {
        sim_tell(sim, "%s is uncordoned", m->machine.name);
        delete_record(sim, STORE_KEY_CORDON, m->machine.id, NULL);
        delete_record(sim, STORE_KEY_DRAIN, m->machine.id, NULL);
        return;
    }
    bool drains = sim_dice(sim, 2);
    sim_tell(sim, "%s is %s", m->machine.name, drains ? "drained" : "cordoned");
    if (record_cordon_encode(&cordon, &value, NULL) == 0)
        put_record(sim, STORE_KEY_CORDON, m->machine.id, NULL, value);
    if (drains && record_drain_encode(&drain, &value, NULL) == 0)
        put_record(sim, STORE_KEY_DRAIN, m->machine.id, NULL, value);
}

static void switch_off(struct sim *sim)
{
    struct sim_machine *m = likely_leader(sim);
    if (!m->systemd)
        return;
    int64_t ms = sim_dice(sim, 3) ? between(sim, 8000, 40000) : between(sim, 500, 4000);
    sim_tell(sim, "%s loses its power for %d ms", m->machine.name, (int)ms);
    sim_power_off(sim, m);
    m->off_until_ms = sim->now_ms + ms;
}

static void kill_musterd(struct sim *sim)
{
    struct sim_machine *m = likely_leader(sim);
    if (!m->agent)
        return;
    int64_t ms = sim_dice(sim, 3) ? 100 : between(sim, 1000, 15000);
    bool asked = sim_dice(sim, 2) && !m->hung_until_ms;
    sim_tell(sim, "musterd of %s %s for %d ms", m->machine.name, asked ? "is stopped" : "is killed",
             (int)ms);
    if (asked)
        agent_stop(m->agent);
    else
        sim_musterd_kill(sim, m);
    m->down_until_ms = sim->now_ms + ms;
}

static void cut_off(struct sim *sim)
{
    struct sim_machine *m = likely_leader(sim);
    if (!m->systemd || m->cut_until_ms)
        return;
    int64_t ms = sim_dice(sim, 2) ? between(sim, 6000, 30000) : between(sim, 200, 6000);
    sim_tell(sim, "%s is cut off for %d ms", m->machine.name, (int)ms);
    m->cut_until_ms = sim->now_ms + ms;
    sim_cut(sim, m, true);
}

static void slow_down(struct sim *sim)
{
    struct sim_machine *m = likely_leader(sim);
    if (!m->agent || m->lag_until_ms)
        return;
    m->lag_ms = between(sim, 50, SIM_LAG_MAX_MS);
    m->lag_until_ms = sim->now_ms + between(sim, 500, 8000);
    sim_tell(sim, "%s hears the store %d ms late", m->machine.name, (int)m->lag_ms);
}

static void hang(struct sim *sim)
{
    struct sim_machine *m = likely_leader(sim);
    if (!m->agent || m->hung_until_ms)
        return;
    int64_t ms = between(sim, 500, 9000);
    sim_tell(sim, "musterd of %s hangs for %d ms", m->machine.name, (int)ms);
    m->hung_until_ms = sim->now_ms + ms;
}

static void lose_bus(struct sim *sim)
{
    struct sim_machine *m = any_machine(sim);
    if (!m->agent || m->bus_until_ms || m->hung_until_ms)
        return;
    int64_t ms = between(sim, 100, 5000);
    sim_tell(sim, "%s loses systemd's bus for %d ms", m->machine.name, (int)ms);
    m->bus_until_ms = sim->now_ms + ms;
    sim_bus(sim, m, false);
}

static void lose_answers(struct sim *sim)
{
    struct sim_machine *m = likely_leader(sim);
    unsigned int n = 1 + (unsigned int)sim_dice(sim, 3);
    if (!m->agent)
        return;
    m->calm_since_ms = sim->now_ms;
    if (sim_dice(sim, 2)) {
        int64_t ms = between(sim, 100, 5000);
        sim_tell(sim, "%u writes of %s land %d ms late", n, m->machine.name, (int)ms);
        kv_memory_land_late(m->kv, n, ms);
        return;
    }
    bool applied = sim_dice(sim, 2);
    sim_tell(sim, "%u answers for %s are lost, %s", n, m->machine.name,
             applied ? "what was asked is done" : "nothing is done");
    kv_memory_lose_answers(m->kv, n, applied);
}

/* A unit that the transaction assigns, by lot; SIM_UNITS: it assigns none. */
static size_t assigned_unit(struct sim *sim, const struct kv_txn *txn)
{
    size_t found[SIM_UNITS];
    size_t count = 0;
    for (size_t i = 0; i < txn->success_count && count < SIM_UNITS; i++) {
        struct store_key_parts parts;
        store_key_parse(SIM_PREFIX, txn->success[i].key, &parts);
        for (size_t u = 0; u < SIM_UNITS && count < SIM_UNITS; u++)
            if (txn->success[i].kind == KV_OP_PUT && parts.kind == STORE_KEY_ASSIGNMENT &&
                text_equal(parts.name, sim_sorts[u].name))
                found[count++] = u;
    }
    return count ? found[sim_dice(sim, count)] : SIM_UNITS;
}

/* What was planned rests on a unit that is another by the time it is written. */
static void on_overtaken(const struct kv_txn *txn, void *userdata)
{
    struct sim *sim = userdata;
    size_t unit = assigned_unit(sim, txn);
    if (unit == SIM_UNITS || sim_dice(sim, 4) == 0)
        return;
    sim_tell(sim, "%s is changed before what is planned for it is written", sim_sorts[unit].name);
    if (sim_dice(sim, 2))
        change_unit(sim, unit, NULL);
    else
        sim_wish(sim, unit, sim_dice(sim, 2) ? DESIRED_LAUNCHED : DESIRED_INACTIVE);
}

static void overtake(struct sim *sim)
{
    struct sim_machine *m = likely_leader(sim);
    if (!m->agent)
        return;
    bool ends = sim_dice(sim, 2);
    sim_tell(sim, "people are %s quick for %s", ends ? "not so" : "too", m->machine.name);
    kv_memory_overtake(m->kv, ends ? NULL : on_overtaken, sim);
}

/* --- units --- */

static void curse(struct sim *sim)
{
    struct sim_machine *m = any_machine(sim);
    size_t unit = sim_dice(sim, SIM_UNITS);
    m->copies[unit].cursed = !m->copies[unit].cursed;
    sim_tell(sim, "%s %s on %s from now on", sim_sorts[unit].name,
             m->copies[unit].cursed ? "fails to start" : "starts", m->machine.name);
}

static void crash(struct sim *sim)
{
    struct sim_machine *m = any_machine(sim);
    size_t unit = sim_dice(sim, SIM_UNITS);
    if (!m->systemd || strcmp(m->copies[unit].active, "active") != 0)
        return;
    sim_tell(sim, "%s fails on %s", sim_sorts[unit].name, m->machine.name);
    systemd_fake_set(m->systemd, sim_sorts[unit].name, "failed", "failed");
}

/* --- the store --- */

static void freeze(struct sim *sim)
{
    int64_t ms = between(sim, 1000, 16000);
    sim_tell(sim, "the store freezes for %d ms", (int)ms);
    sim->frozen_until_ms = sim->now_ms + ms;
    for (size_t i = 0; i < SIM_MACHINES; i++)
        if (sim->machines[i].kv) /* which is no fault of the machine's */
            kv_memory_cut(sim->machines[i].kv, true);
}

static void end_leases(struct sim *sim)
{
    sim_tell(sim, "every lease ends");
    sim->store_calm_since_ms = sim->now_ms;
    kv_memory_revoke_all(sim->store);
}

/* Who has not heard of the last changes by now will find the history gone. */
static void compact(struct sim *sim)
{
    sim_tell(sim, "the history is compacted");
    (void)kv_memory_deliver_to(sim->witness, false, true);
    kv_memory_compact(sim->store);
}

/* --- by lot --- */

static const struct {
    unsigned int weight;
    void (*fn)(struct sim *sim);
    bool wants_store; /* nobody can write to it, or see it, while it is frozen */
} disturbances[] = {
    {24, disturb_unit,      true },
    { 4, disturb_cordon,    true },
    { 4, disturb_rollout,   true },
    { 2, disturb_rebalance, true },
    { 1, disturb_brake,     true },
    { 5, switch_off,        false},
    { 5, kill_musterd,      false},
    { 5, cut_off,           false},
    { 4, slow_down,         false},
    { 3, hang,              false},
    { 2, lose_bus,          false},
    { 5, lose_answers,      false},
    { 4, overtake,          false},
    { 2, curse,             false},
    { 3, crash,             false},
    { 2, freeze,            true },
    { 1, end_leases,        true },
    { 3, compact,           true },
};

void sim_disturb(struct sim *sim)
{
    uint64_t all = 0;
    size_t i = 0;
    for (size_t j = 0; j < sizeof(disturbances) / sizeof(*disturbances); j++)
        all += disturbances[j].weight;
    uint64_t lot = sim_dice(sim, all);
    for (; lot >= disturbances[i].weight; i++)
        lot -= disturbances[i].weight;
    if (!disturbances[i].wants_store || !sim->frozen_until_ms)
        disturbances[i].fn(sim);
    sim->next_disturbance_ms = sim->now_ms + (int64_t)sim_dice(sim, PAUSE_MAX_MS);
}
