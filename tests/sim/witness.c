/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who watches the store as a client does, revision by revision, and compares what leaders and
 * agents write with what must hold, and what runs with what may run.
 */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/cluster.h"

enum {
    DEBOUNCE_MS = 250, /* doc/failover.md: how long a presence is gone before its machine is lost */
    BACK_MS = 8000, /* a machine that is in contact has found its registration gone, and has one */
    STRAY_MS = 15000, /* a machine that is in contact has stopped what is not assigned to it */
};

/* --- what the rules say --- */

static size_t unit_of(const char *name)
{
    size_t u = 0;
    while (u < SIM_UNITS && strcmp(sim_sorts[u].name, name) != 0)
        u++;
    return u;
}

bool sim_rules_hold(const struct sim *sim, const struct sim_machine *m, size_t unit)
{
    const struct sim_sort *sort = &sim_sorts[unit];
    bool odd = (m - sim->machines) % 2;
    if (sort->rack && strcmp(sort->rack, odd ? "r2" : "r1") != 0)
        return false;
    if (sort->role && (m->slots > 0) != (strcmp(sort->role, "active") == 0))
        return false;
    if (sort->peer) {
        const struct sim_copy *peer = &m->copies[unit_of(sort->peer)];
        if (!peer->assignment_mod || peer->want == WANT_RELEASE)
            return false;
    }
    for (size_t u = 0; u < SIM_UNITS; u++)
        if (u != unit && sort->group && sim_sorts[u].group == sort->group &&
            m->copies[u].assignment_mod)
            return false;
    return true;
}

/* By units that are no less important than that. */
static int memory_used(const struct sim_machine *m, size_t but, int priority)
{
    int used = 0;
    for (size_t u = 0; u < SIM_UNITS; u++)
        if (u != but && m->copies[u].assignment_mod && sim_sorts[u].priority >= priority)
            used += sim_sorts[u].memory;
    return used;
}

bool sim_has_room(const struct sim_machine *m, size_t unit)
{
    const struct sim_sort *sort = &sim_sorts[unit];
    return sort->memory == 0 || memory_used(m, unit, sort->priority) + sort->memory <= SIM_MEMORY;
}

bool sim_takes_newcomers(const struct sim *sim, const struct sim_machine *m)
{
    autorecord(presence) presence = { 0 };
    const struct kv_pair *pair = sim_peekf(sim, "nodes/%s/presence", m->machine.id);
    return pair && !m->cordoned_since_ms &&
           record_presence_decode(pair->value, pair->value_length, &presence, NULL) == 0 &&
           presence.ready;
}

bool sim_is_wanted(const struct sim *sim, size_t unit, enum desired *ret)
{
    autorecord(unit) record = { 0 };
    const struct kv_pair *pair = sim_peekf(sim, "units/%s", sim_sorts[unit].name);
    if (!pair || record_unit_decode(pair->value, pair->value_length, &record, NULL) < 0)
        return false;
    *ret = record.desired;
    return record.desired != DESIRED_INACTIVE;
}

/* --- assignments --- */

static bool is_recent(const struct sim *sim, int64_t at_ms)
{
    return at_ms && (at_ms > sim->now_ms || sim->now_ms - at_ms < SIM_STALE_MS);
}

static bool has_failed(const struct sim *sim, const struct sim_machine *m, size_t unit)
{
    autorecord(state) state = { 0 };
    const struct kv_pair *pair =
        sim_peekf(sim, "states/%s/%s", m->machine.id, sim_sorts[unit].name);
    return pair && record_state_decode(pair->value, pair->value_length, &state, NULL) == 0 &&
           (strcmp(state.active, "failed") == 0 || *state.problem);
}

static void accuse(struct sim_copy *copy, const struct record_assignment *record)
{
    copy->accused = true;
    (void)snprintf(copy->cause, sizeof(copy->cause), "%s", record->cause);
    (void)snprintf(copy->reason, sizeof(copy->reason), "%s", record->reason);
}

/* What is tied goes along with the first of it. */
static bool goes_with_failed(const struct sim *sim, const struct sim_machine *m, size_t unit)
{
    const char *peer = sim_sorts[unit].peer;
    return has_failed(sim, m, unit) || (peer && has_failed(sim, m, unit_of(peer)));
}

/* Another copy is active, and its machine is there. */
static bool is_up_beside(const struct sim *sim, const struct sim_machine *machine, size_t unit)
{
    for (size_t i = 0; i < SIM_MACHINES; i++) {
        const struct sim_machine *m = &sim->machines[i];
        const struct sim_copy *copy = &m->copies[unit];
        if (m != machine && m->registration && copy->want == WANT_RUN && copy->active_since_ms)
            return true;
    }
    return false;
}

/* What has been up for so long that everybody knows is stopped only when it is up elsewhere. */
static bool leaves_too_early(const struct sim *sim, const struct sim_machine *m, size_t unit)
{
    enum desired desired = DESIRED_INVALID;
    const struct sim_copy *copy = &m->copies[unit];
    bool is_planned = strcmp(copy->cause, "drain") == 0 || strcmp(copy->cause, "rebalance") == 0;
    return sim_sorts[unit].first && is_planned && m->registration && copy->active_since_ms &&
           sim->now_ms - copy->active_since_ms > SIM_STALE_MS &&
           sim_is_wanted(sim, unit, &desired) && desired == DESIRED_LAUNCHED &&
           !is_recent(sim, sim->unit_changed_ms[unit]) && !is_up_beside(sim, m, unit);
}

/* A unit is told to leave a machine that is there only for a reason: it is not wanted as it was,
 * the machine may not have it, or a move was planned. */
static void check_release(struct sim *sim, const struct sim_machine *m, size_t unit)
{
    const struct sim_copy *copy = &m->copies[unit];
    enum desired desired = DESIRED_INVALID;
    const char *name = sim_sorts[unit].name;
    bool wanted = sim_is_wanted(sim, unit, &desired);
    bool drained =
        sim_peekf(sim, "ops/drain/%s", m->machine.id) || is_recent(sim, m->drain_seen_ms);
    if (strcmp(copy->cause, "drain") == 0 && !drained)
        sim_break(sim, "%s is drained from %s, which nobody drains", name, m->machine.name);
    else if (strcmp(copy->cause, "rebalance") == 0 && !is_recent(sim, sim->rebalance_seen_ms))
        sim_break(sim, "%s leaves %s for others, which nobody asked for", name, m->machine.name);
    else if (strcmp(copy->cause, "preempt") == 0 && sim_sorts[unit].memory == 0)
        sim_break(sim, "%s yields its place on %s, where it takes none", name, m->machine.name);
    else if (strcmp(copy->cause, "failing") == 0 && !goes_with_failed(sim, m, unit))
        sim_break(sim, "%s leaves %s for failing, and has not failed", name, m->machine.name);
    else if (leaves_too_early(sim, m, unit))
        sim_break(sim, "%s leaves %s, and is up nowhere else", name, m->machine.name);
    else if (!*copy->cause && !*copy->moves_from && wanted &&
             !is_recent(sim, sim->unit_changed_ms[unit]) &&
             sim->now_ms - copy->lawful_since_ms > SIM_STALE_MS)
        sim_break(sim, "%s leaves %s for no reason (\"%s\")", name, m->machine.name, copy->reason);
}

static void check_newcomer(struct sim *sim, const struct sim_machine *m, size_t unit,
                           const struct record_assignment *record)
{
    const char *name = sim_sorts[unit].name;
    const struct kv_pair *wish = sim_peekf(sim, "units/%s", name);
    if (!m->registration)
        sim_break(sim, "%s comes to %s, which is not there", name, m->machine.name);
    if (m->cordoned_since_ms && sim->now_ms - m->cordoned_since_ms > SIM_STALE_MS)
        sim_break(sim, "%s comes to %s, which is cordoned", name, m->machine.name);
    if (!wish || wish->mod_revision != record->unit_revision)
        sim_break(sim, "%s comes to %s by an order that is past", name, m->machine.name);
    if (record->want == WANT_RELEASE)
        sim_break(sim, "%s is released on %s before it came", name, m->machine.name);
}

static void take_assignment(struct sim *sim, struct sim_machine *m, size_t unit,
                            const struct kv_pair *pair)
{
    struct error err = { 0 };
    autorecord(assignment) record = { 0 };
    struct sim_copy *copy = &m->copies[unit];
    const struct kv_pair *leader = sim_peekf(sim, "leader");
    if (record_assignment_decode(pair->value, pair->value_length, &record, &err) < 0) {
        sim_break(sim, "an assignment cannot be read: %s", err.text);
        return;
    }
    if (!leader || leader->mod_revision != record.epoch)
        sim_break(sim, "%s is assigned under the epoch %" PRId64 ", which is past",
                  sim_sorts[unit].name, record.epoch);
    if (!*record.reason)
        sim_break(sim, "%s is assigned without a reason", sim_sorts[unit].name);
    sim_tell(sim, "store %" PRId64 ": %s on %s: %s: %s", pair->mod_revision, sim_sorts[unit].name,
             m->machine.name, want_name(record.want), record.reason);
    if (!copy->assignment_mod)
        check_newcomer(sim, m, unit, &record);
    else if (record.want == WANT_RELEASE && copy->want != WANT_RELEASE)
        accuse(copy, &record);
    copy->assignment_mod = pair->mod_revision;
    copy->want = record.want;
    (void)snprintf(copy->moves_from, sizeof(copy->moves_from), "%s", record.moves_from);
    copy->changed_ms = sim->now_ms;
    copy->stray = false;
}

/* The one way to take a copy from a machine that is there: it said that it stopped. */
static bool is_released(const struct sim *sim, const struct sim_machine *m, size_t unit)
{
    autorecord(state) state = { 0 };
    const struct kv_pair *pair =
        sim_peekf(sim, "states/%s/%s", m->machine.id, sim_sorts[unit].name);
    return pair && record_state_decode(pair->value, pair->value_length, &state, NULL) == 0 &&
           state.registration == m->registration &&
           state.released_revision == m->copies[unit].assignment_mod;
}

/* Units are taken from a machine that is not there if that lasts, and if the machine itself was out
 * of contact: that all leases end at once is no reason. */
static void check_loss(struct sim *sim, const struct sim_machine *m, size_t unit)
{
    const char *name = sim_sorts[unit].name;
    enum desired desired = DESIRED_INVALID;
    if (!sim_is_wanted(sim, unit, &desired))
        return; /* nothing is moved */
    if (sim->now_ms - m->absent_since_ms < DEBOUNCE_MS)
        sim_break(sim, "%s is taken from %s within the debounce", name, m->machine.name);
    if (m->agent && !m->cut_until_ms && !m->lag_until_ms && !m->hung_until_ms &&
        sim->now_ms - m->calm_since_ms > BACK_MS)
        sim_break(sim, "%s is taken from %s, which was never away", name, m->machine.name);
    sim->moves++;
}

static void take_away(struct sim *sim, struct sim_machine *m, size_t unit, int64_t revision)
{
    struct sim_copy *copy = &m->copies[unit];
    sim_tell(sim, "store %" PRId64 ": %s no longer on %s", revision, sim_sorts[unit].name,
             m->machine.name);
    copy->stray = !m->registration;
    if (!m->registration)
        check_loss(sim, m, unit);
    else if (!is_released(sim, m, unit))
        sim_break(sim, "%s is taken from %s, which has not said that it stopped",
                  sim_sorts[unit].name, m->machine.name);
    copy->assignment_mod = 0;
    copy->want = WANT_INVALID;
    copy->moves_from[0] = '\0';
    copy->active_since_ms = 0;
    copy->changed_ms = sim->now_ms;
}

/* --- one event of the store --- */

static void take_state(struct sim *sim, struct sim_machine *m, size_t unit,
                       const struct kv_pair *pair)
{
    autorecord(state) state = { 0 };
    sim->states++;
    if (record_state_decode(pair->value, pair->value_length, &state, NULL) < 0 ||
        state.registration != m->registration ||
        state.assignment_revision != m->copies[unit].assignment_mod)
        sim_break(sim, "a state of %s on %s outlives its registration or its assignment",
                  sim_sorts[unit].name, m->machine.name);
    m->copies[unit].answered = *state.problem ? 0 : state.assignment_revision;
    if (strcmp(state.active, "active") != 0)
        m->copies[unit].active_since_ms = 0;
    else if (!m->copies[unit].active_since_ms)
        m->copies[unit].active_since_ms = sim->now_ms;
    sim_tell(sim, "store %" PRId64 ": %s on %s says %s%s%s", pair->mod_revision,
             sim_sorts[unit].name, m->machine.name, state.active,
             state.released_revision ? ", released" : "", state.problem);
}

static void take_presence(struct sim *sim, struct sim_machine *m, const struct kv_event *event)
{
    int64_t registration = event->deleted ? 0 : event->pair.create_revision;
    if (!registration)
        m->absent_since_ms = sim->now_ms;
    for (size_t u = 0; registration != m->registration && u < SIM_UNITS; u++)
        m->copies[u].active_since_ms = 0;
    if (registration != m->registration)
        sim_tell(sim, "store %" PRId64 ": %s is %s", event->pair.mod_revision, m->machine.name,
                 registration ? "registered" : "absent");
    m->registration = registration;
}

static void take_unit_event(struct sim *sim, const struct store_key_parts *parts,
                            const struct kv_event *event)
{
    struct sim_machine *m = sim_machine_of(sim, parts->machine);
    size_t unit = unit_of(parts->name);
    if (!m || unit == SIM_UNITS)
        sim_break(sim, "nobody knows %s", event->pair.key);
    else if (parts->kind == STORE_KEY_STATE && !event->deleted)
        take_state(sim, m, unit, &event->pair);
    else if (parts->kind == STORE_KEY_ASSIGNMENT && event->deleted)
        take_away(sim, m, unit, event->pair.mod_revision);
    else if (parts->kind == STORE_KEY_ASSIGNMENT)
        take_assignment(sim, m, unit, &event->pair);
}

static void take_brake(struct sim *sim, const struct kv_event *event)
{
    autorecord(brake) brake = { 0 };
    bool holds =
        !event->deleted &&
        record_brake_decode(event->pair.value, event->pair.value_length, &brake, NULL) == 0 &&
        brake.hold;
    sim->held_since_ms = holds ? sim->now_ms : 0;
}

/* How long it may go on after it was switched off is counted from then. */
static void take_rebalance(struct sim *sim, const struct kv_event *event)
{
    autorecord(rebalance) rebalance = { 0 };
    bool is_auto = !event->deleted &&
                   record_rebalance_decode(event->pair.value, event->pair.value_length, &rebalance,
                                           NULL) == 0 &&
                   strcmp(rebalance.mode, "auto") == 0;
    if (is_auto)
        sim->rebalance_seen_ms = INT64_MAX;
    else if (sim->rebalance_seen_ms == INT64_MAX)
        sim->rebalance_seen_ms = sim->now_ms;
}

static void take_wish(struct sim *sim, size_t unit, int64_t revision)
{
    sim->unit_changed_ms[unit] = sim->now_ms;
    sim->units_changed = revision;
}

static void take_event(struct sim *sim, const struct kv_event *event)
{
    struct store_key_parts parts;
    store_key_parse(SIM_PREFIX, event->pair.key, &parts);
    struct sim_machine *m = *parts.machine ? sim_machine_of(sim, parts.machine) : NULL;
    if (parts.kind == STORE_KEY_PRESENCE && m)
        take_presence(sim, m, event);
    else if (parts.kind == STORE_KEY_CORDON && m)
        m->cordoned_since_ms = event->deleted ? 0 : sim->now_ms;
    else if (parts.kind == STORE_KEY_DRAIN && m)
        m->drain_seen_ms = sim->now_ms;
    else if (parts.kind == STORE_KEY_UNIT && unit_of(parts.name) < SIM_UNITS)
        take_wish(sim, unit_of(parts.name), event->pair.mod_revision);
    else if (parts.kind == STORE_KEY_UNITS_MARK)
        sim->units_marked = event->pair.mod_revision;
    else if (parts.kind == STORE_KEY_SLOT)
        sim->slots_changed = true;
    else if (parts.kind == STORE_KEY_BRAKE)
        take_brake(sim, event);
    else if (parts.kind == STORE_KEY_REBALANCE)
        take_rebalance(sim, event);
    else if (parts.kind == STORE_KEY_LEADER)
        sim->leader_since_ms = event->deleted ? INT64_MAX : sim->now_ms;
    else if (parts.kind == STORE_KEY_ASSIGNMENT || parts.kind == STORE_KEY_STATE)
        take_unit_event(sim, &parts, event);
    if (parts.kind == STORE_KEY_VERDICT || parts.kind == STORE_KEY_SLOT ||
        parts.kind == STORE_KEY_LEADER || parts.kind == STORE_KEY_CORDON ||
        parts.kind == STORE_KEY_DRAIN || parts.kind == STORE_KEY_UNIT ||
        parts.kind == STORE_KEY_ROLLOUT || parts.kind == STORE_KEY_BRAKE)
        sim_tell(sim, "store %" PRId64 ": %s %s", event->pair.mod_revision, event->pair.key,
                 event->deleted ? "deleted" : event->pair.value);
}

static void keep(struct sim *sim, const struct kv_event *event)
{
    autoptr(kv_pair) old = NULL;
    if (event->deleted) {
        old = kv_pairs_take(&sim->shadow, event->pair.key);
        return;
    }
    autoptr(kv_pair) pair = kv_pair_new(&event->pair);
    if (!pair || kv_pairs_put(&sim->shadow, pair, &old, NULL) < 0)
        sim_break(sim, "no memory");
    else
        pair = NULL;
}

/* --- what one revision leaves --- */

/* Who moves in this order has two assignments meanwhile, one of them a successor of the other. */
static bool is_move_of_two(const struct sim *sim, size_t unit)
{
    size_t successors = 0;
    for (size_t i = 0; i < SIM_MACHINES; i++) {
        const struct sim_copy *copy = &sim->machines[i].copies[unit];
        const struct sim_machine *from =
            copy->assignment_mod ? sim_machine_of(sim, copy->moves_from) : NULL;
        successors += from && from != &sim->machines[i] && from->copies[unit].assignment_mod;
    }
    return sim_sorts[unit].first && successors == 1;
}

static void check_unit(struct sim *sim, size_t unit)
{
    size_t homes = 0;
    for (size_t i = 0; i < SIM_MACHINES; i++)
        homes += sim->machines[i].copies[unit].assignment_mod != 0;
    if (homes > 1 && !sim_sorts[unit].global && (homes > 2 || !is_move_of_two(sim, unit)))
        sim_break(sim, "%s is assigned %zu times", sim_sorts[unit].name, homes);
}

static void check_machine(struct sim *sim, struct sim_machine *m)
{
    for (size_t u = 0; u < SIM_UNITS; u++) {
        struct sim_copy *copy = &m->copies[u];
        bool lawful = sim_rules_hold(sim, m, u);
        if (!lawful)
            copy->lawful_since_ms = INT64_MAX;
        else if (copy->lawful_since_ms == INT64_MAX)
            copy->lawful_since_ms = sim->now_ms;
        if (copy->accused)
            check_release(sim, m, u);
        copy->accused = false;
        if (copy->assignment_mod && memory_used(m, SIM_UNITS, INT_MIN) > SIM_MEMORY)
            sim_break(sim, "%s has promised too much memory", m->machine.name);
        for (size_t v = 0; v < u; v++)
            if (copy->assignment_mod && sim_sorts[u].group &&
                sim_sorts[u].group == sim_sorts[v].group && m->copies[v].assignment_mod)
                sim_break(sim, "%s and %s conflict and share %s", sim_sorts[u].name,
                          sim_sorts[v].name, m->machine.name);
    }
}

static void count_slots(struct sim *sim)
{
    static const char prefix[] = SIM_PREFIX "slots/db/";
    struct kv_pairs_at at = kv_pairs_seek(&sim->shadow, prefix);
    const struct kv_pair *pair = kv_pairs_get(&sim->shadow, at);
    for (size_t i = 0; i < SIM_MACHINES; i++)
        sim->machines[i].slots = 0;
    for (; pair && text_starts_with(pair->key, prefix);
         at = kv_pairs_next(&sim->shadow, at), pair = kv_pairs_get(&sim->shadow, at)) {
        autorecord(slot) slot = { 0 };
        struct sim_machine *m =
            record_slot_decode(pair->value, pair->value_length, &slot, NULL) == 0
                ? sim_machine_of(sim, slot.machine)
                : NULL;
        if (m)
            m->slots++;
        else
            sim_break(sim, "nobody holds %s", pair->key);
    }
    sim->slots_changed = false;
}

static void check_role(struct sim *sim)
{
    size_t holders = 0;
    for (size_t i = 0; i < SIM_MACHINES; i++) {
        holders += sim->machines[i].slots;
        if (sim->machines[i].slots > 1)
            sim_break(sim, "%s holds a role twice", sim->machines[i].machine.name);
    }
    if (holders > SIM_ROLE_NODES)
        sim_break(sim, "a role has more holders than nodes");
}

static void check_revision(struct sim *sim)
{
    if (sim->slots_changed)
        count_slots(sim);
    if (sim->units_marked < sim->units_changed)
        sim_break(sim, "a unit is written without a word of it");
    for (size_t u = 0; u < SIM_UNITS; u++)
        check_unit(sim, u);
    for (size_t i = 0; i < SIM_MACHINES; i++)
        check_machine(sim, &sim->machines[i]);
    check_role(sim);
}

/* All of one revision is judged by what was before it, and taken in together. */
static void on_events(const struct kv_event *events, size_t count, int64_t revision, void *userdata)
{
    struct sim *sim = userdata;
    (void)revision;
    for (size_t from = 0; from < count && !*sim->broken;) {
        size_t to = from;
        for (; to < count && events[to].pair.mod_revision == events[from].pair.mod_revision; to++)
            take_event(sim, &events[to]);
        for (; from < to; from++)
            keep(sim, &events[from]);
        check_revision(sim);
    }
}

static void on_lost(int code, const char *reason, void *userdata)
{
    (void)code;
    sim_break(userdata, "the witness has lost the store: %s", reason);
}

int sim_witness_begin(struct sim *sim)
{
    static const struct kv_watch_callbacks callbacks = { .on_events = on_events,
                                                         .on_lost = on_lost };
    sim->leader_since_ms = INT64_MAX;
    int r = kv_memory_connect(sim->store, &sim->witness, NULL);
    return r < 0 ? r
                 : kv_watch(sim->witness, SIM_PREFIX, true, 2, &callbacks, sim, &sim->watch, NULL);
}

/* --- what runs --- */

static void check_orders(struct sim *sim, struct sim_machine *m, size_t unit)
{
    struct sim_copy *copy = &m->copies[unit];
    const char *name = sim_sorts[unit].name;
    bool started = copy->starts != copy->starts_seen;
    bool settled =
        copy->answered && copy->answered == copy->assignment_mod && copy->want == WANT_RUN;
    if (copy->stops != copy->stops_seen && settled)
        sim_break(sim, "%s is stopped on %s, which is to run it", name, m->machine.name);
    if (started && settled && copy->started_for == copy->assignment_mod &&
        sim_is_calm(sim, m, SIM_STALE_MS))
        sim_break(sim, "%s is started again on %s", name, m->machine.name);
    if (started)
        copy->started_for = copy->assignment_mod;
    copy->starts_seen = copy->starts;
    copy->stops_seen = copy->stops;
}

/* A copy runs where it is assigned, or where it was when its machine was taken for lost: there
 * until the machine is back in contact, and knows. */
static void check_copy(struct sim *sim, struct sim_machine *m, size_t unit)
{
    struct sim_copy *copy = &m->copies[unit];
    const char *name = sim_sorts[unit].name;
    check_orders(sim, m, unit);
    if (!copy->runs || copy->assignment_mod)
        return;
    if (!copy->stray)
        sim_break(sim, "%s runs on %s, where it is not assigned", name, m->machine.name);
    else if (sim_is_calm(sim, m, STRAY_MS) && sim->now_ms - copy->changed_ms > STRAY_MS &&
             sim->leader_since_ms != INT64_MAX && sim->now_ms - sim->leader_since_ms > STRAY_MS)
        sim_break(sim, "%s still runs on %s, which is back in contact", name, m->machine.name);
}

void sim_witness(struct sim *sim)
{
    (void)kv_memory_deliver_to(sim->witness, false, true);
    for (size_t i = 0; i < SIM_MACHINES; i++)
        for (size_t u = 0; sim->machines[i].systemd && u < SIM_UNITS; u++)
            check_copy(sim, &sim->machines[i], u);
}
