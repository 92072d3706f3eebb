/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A leader that plans over a toy store, agents that acknowledge late, and a random world: machines
 * die, return, are cordoned, drained and relabelled, units are submitted, stopped, destroyed and
 * rolled out,
 * writes meet guards that have changed, leaders are replaced in the middle of a plan. After each
 * write:
 *
 *   - no unit is assigned to two machines, no role has more holders than nodes
 *   - two units in conflict are never on one machine
 *   - a unit leaves a machine only if that is gone or has said that it stopped
 *   - no newcomer goes to a machine that does not take any
 *   - no machine has promised more memory than it has
 *   - of what runs no more is taken down for drains and rebalancing than the budget has
 *   - a rollout takes down no instance while another is down
 *
 * and when the world calms down everything that fits somewhere, were it for the less important to
 * yield, has a place, what does not has a
 * verdict, a rollout has ended with one text everywhere or says why it does not go on, and an idle
 * leader writes nothing.
 *
 * SEEDS=n runs n seeds, SEED=n that one; a failing seed prints its story.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/chance.h"
#include "tests/sim/seeds.h"
#include "tests/unit/harness.h"
#include "tests/unit/sched_feed.h"

enum { MACHINES = 5, UNITS = 16, KEYS_MAX = 256, STEPS = 60, NODES = 2, CALM_ROUNDS = 400 };

struct entry {
    char *key;
    json_t *value; /* NULL: free */
    int64_t create, mod;
};

struct event {
    char *key;
    json_t *value; /* json_null(): deleted */
    int64_t create, mod;
};

struct sim {
    uint64_t random;
    uint64_t seed;
    struct entry store[KEYS_MAX];
    int64_t revision;
    int64_t now_ms;
    struct event *events;
    size_t event_count;
    struct model *model;
    struct text story;
};

enum { MEMORY = 100 }; /* of each machine */

/* What the test knows of its units by itself: the rules are checked without the code under test. */
static const struct sort {
    const char *name;
    const char *x_fleet;
    const char *rack; /* wants this rack */
    const char *role; /* wants db to be this */
    const char *peer; /* wants to be with it */
    char group;       /* conflicts with others of its group */
    bool stays;       /* Failover=never */
    int memory;       /* that it asks, of MEMORY */
    int priority;
} sorts[UNITS] = {
    {"c1.service",       "{\"conflicts\":[\"c*.service\"]}",     NULL, NULL,      NULL,         'c', false, 0,  0 },
    { "c2.service",      "{\"conflicts\":[\"c*.service\"]}",     NULL, NULL,      NULL,         'c', false, 0,  0 },
    { "c3.service",      "{}",                                   NULL, NULL,      NULL,         'c', false, 0,  0 },
    { "plain.service",   "{}",                                   NULL, NULL,      NULL,         0,   false, 0,  0 },
    { "rack.service",    "{\"metadata\":[\"rack=r1\"]}",         "r1", NULL,      NULL,         0,   false, 0,  0 },
    { "stays.service",   "{\"failover\":\"never\"}",             NULL, NULL,      NULL,         0,   true,  0,  0 },
    { "follows.service", "{\"machine_of\":[\"c1.service\"]}",    NULL, NULL,      "c1.service", 0,   false, 0,
     0                                                                                                            },
    { "active.service",  "{\"metadata\":[\"role.db=active\"]}",  NULL, "active",  NULL,         0,   false, 0,
     0                                                                                                            },
    { "spare.service",   "{\"metadata\":[\"role.db=standby\"]}", NULL, "standby", NULL,         0,   false, 0,
     0                                                                                                            },
    { "t@1.service",     "{}",                                   NULL, NULL,      NULL,         0,   false, 0,  0 },
    { "t@2.service",     "{}",                                   NULL, NULL,      NULL,         0,   false, 0,  0 },
    { "t@3.service",     "{}",                                   NULL, NULL,      NULL,         0,   false, 0,  0 },
    { "high.service",    "{\"memory\":70,\"priority\":9}",       NULL, NULL,      NULL,         0,   false, 70, 9 },
    { "mid.service",     "{\"memory\":60,\"priority\":4}",       NULL, NULL,      NULL,         0,   false, 60, 4 },
    { "low.service",     "{\"memory\":45}",                      NULL, NULL,      NULL,         0,   false, 45, 0 },
    { "least.service",   "{\"memory\":40,\"priority\":-3}",      NULL, NULL,      NULL,         0,   false, 40, -3},
};

/* --- story and chance --- */

static uint64_t dice(struct sim *sim, uint64_t sides)
{
    return (chance_next(&sim->random) >> 11) % sides;
}

static void tell(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void tell(struct sim *sim, const char *format, ...)
{
    char line[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    text_addf(&sim->story, "%" PRId64 ": %s\n", sim->now_ms, line);
}

static void broken(struct sim *sim, const char *what, const char *which)
{
    fprintf(stderr, "%s\nseed %" PRIu64 ": %s (%s)\n", sim->story.data, sim->seed, what, which);
    fail();
}

static void require(struct sim *sim, bool holds, const char *what, const char *which)
{
    if (!holds)
        broken(sim, what, which);
}

/* --- the store --- */

static struct entry *find(struct sim *sim, const char *key)
{
    for (size_t i = 0; i < KEYS_MAX; i++)
        if (sim->store[i].value && strcmp(sim->store[i].key, key) == 0)
            return &sim->store[i];
    return NULL;
}

static struct entry *findf(struct sim *sim, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static struct entry *findf(struct sim *sim, const char *format, ...)
{
    char key[128];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(key, sizeof(key), format, args);
    va_end(args);
    return find(sim, key);
}

static void notify(struct sim *sim, const char *key, json_t *value, int64_t create)
{
    struct event *grown = realloc(sim->events, (sim->event_count + 1) * sizeof(*grown));
    assert_non_null(grown);
    sim->events = grown;
    grown[sim->event_count++] =
        (struct event){ strdup(key), json_incref(value), create, sim->revision };
}

/* Takes value. */
static void put(struct sim *sim, const char *key, json_t *value)
{
    struct entry *entry = find(sim, key);
    assert_non_null(value);
    sim->revision++;
    for (size_t i = 0; !entry && i < KEYS_MAX; i++)
        if (!sim->store[i].value) {
            entry = &sim->store[i];
            entry->key = strdup(key);
            entry->create = sim->revision;
        }
    assert_non_null(entry);
    json_decref(entry->value);
    entry->value = value;
    entry->mod = sim->revision;
    notify(sim, key, value, entry->create);
}

static void del(struct sim *sim, const char *key)
{
    struct entry *entry = find(sim, key);
    if (!entry)
        return;
    sim->revision++;
    notify(sim, key, json_null(), 0);
    json_decref(entry->value);
    free(entry->key);
    *entry = (struct entry){ 0 };
}

static void deliver(struct sim *sim)
{
    for (size_t i = 0; i < sim->event_count; i++) {
        struct event *e = &sim->events[i];
        feed(sim->model, e->key, e->create, e->mod, e->value, sim->now_ms);
        json_decref(e->value);
        free(e->key);
    }
    sim->event_count = 0;
}

/* A new leader reads everything, in an order of its own. */
static void new_leader(struct sim *sim)
{
    deliver(sim);
    model_free(sim->model);
    assert_int_equal(model_new(&sim->model, NULL), 0);
    size_t start = dice(sim, KEYS_MAX);
    for (size_t i = 0; i < KEYS_MAX; i++) {
        const struct entry *e = &sim->store[(start + i * 7) % KEYS_MAX];
        if (e->value)
            feed(sim->model, e->key, e->create, e->mod, e->value, sim->now_ms);
    }
    model_touch_all(sim->model);
    tell(sim, "a new leader");
}

/* --- the world --- */

static char letter(size_t machine)
{
    return (char)('a' + machine);
}

static bool is_present(struct sim *sim, char m)
{
    return findf(sim, "nodes/%c/presence", m) != NULL;
}

static json_t *record(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    json_t *value = json_vpack_ex(NULL, 0, format, args);
    va_end(args);
    assert_non_null(value);
    return value;
}

static void putf(struct sim *sim, json_t *value, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void putf(struct sim *sim, json_t *value, const char *format, ...)
{
    char key[128];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(key, sizeof(key), format, args);
    va_end(args);
    tell(sim, "put %s", key);
    put(sim, key, value);
}

static void delf(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void delf(struct sim *sim, const char *format, ...)
{
    char key[128];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(key, sizeof(key), format, args);
    va_end(args);
    tell(sim, "delete %s", key);
    del(sim, key);
}

static void put_member(struct sim *sim, char m)
{
    const char *priority = dice(sim, 6) == 0 ? "db=0" : dice(sim, 3) == 0 ? "db=200" : "";
    putf(sim,
         record("{s:s,s:i,s:i,s:{s:s},s:s}", "name", "node", "ttl_ms", 2000, "memory_bytes", MEMORY,
                "metadata", "rack", dice(sim, 3) ? "r1" : "r2", "role_priority", priority),
         "members/%c", m);
}

static void put_presence(struct sim *sim, char m, bool ready)
{
    putf(sim, record("{s:s,s:b}", "nonce", "n", "ready", ready), "nodes/%c/presence", m);
}

#define TEMPLATE "t@.service"

static bool is_instance(const char *unit)
{
    return text_starts_with(unit, "t@");
}

static const char *field_of(const struct entry *entry, const char *name)
{
    const char *text = entry ? json_string_value(json_object_get(entry->value, name)) : NULL;
    return text ? text : "";
}

static int64_t number_of(const struct entry *entry, const char *name)
{
    return entry ? json_integer_value(json_object_get(entry->value, name)) : 0;
}

/* Instances come with the text that their template has. */
static void put_unit(struct sim *sim, const struct sort *sort, const char *desired)
{
    json_t *x_fleet = json_loads(sort->x_fleet, 0, NULL);
    const struct entry *rollout = find(sim, "ops/rollout/" TEMPLATE);
    const char *blob = dice(sim, 2) ? "b1" : "b2";
    if (is_instance(sort->name))
        blob = rollout ? field_of(rollout, "blob") : "b0";
    putf(sim,
         record("{s:s,s:s,s:I,s:o}", "blob", blob, "desired", desired, "restart_revision",
                (json_int_t)number_of(findf(sim, "units/%s", sort->name), "restart_revision"),
                "x-fleet", x_fleet),
         "units/%s", sort->name);
}

/* --- rollouts: what the API does --- */

static void read_rollout(struct sim *sim, struct record_rollout *ret)
{
    const struct entry *entry = find(sim, "ops/rollout/" TEMPLATE);
    autofree char *text = entry ? json_dumps(entry->value, 0) : NULL;
    if (text)
        assert_int_equal(record_rollout_decode(text, strlen(text), ret, NULL), 0);
}

static void put_rollout(struct sim *sim, const struct record_rollout *rollout)
{
    autofree char *text = NULL;
    assert_int_equal(record_rollout_encode(rollout, &text, NULL), 0);
    putf(sim, json_loads(text, 0, NULL), "ops/rollout/" TEMPLATE);
    tell(sim, "%s", text);
}

static void start_rollout(struct sim *sim, struct record_rollout *rollout)
{
    autofree char *blob = text_format("v%" PRId64, sim->revision);
    const struct rollout_version *good = NULL;
    if (rollout->version_count == 0) {
        assert_int_equal(rollout_add_version(rollout, "b0", "found", 1, NULL), 0);
        rollout->versions[0].good = true;
    }
    rollout->restart = dice(sim, 3) == 0;
    if (!rollout->restart)
        assert_int_equal(rollout_add_version(rollout, blob, "start", 1, NULL), 0);
    good = rollout_last_good(rollout, rollout->blob);
    free(rollout->previous);
    rollout->previous = strdup(good && !rollout->restart ? good->blob : "");
    rollout->back = false;
    rollout->roll_back = !rollout->restart && dice(sim, 2);
    rollout->parallel = 1;
    rollout->wait_ms = (int64_t)dice(sim, 2) * 1000;
    rollout->timeout_ms = 20000;
    rollout->since_revision = sim->revision;
}

static void disturb_rollout(struct sim *sim)
{
    autorecord(rollout) rollout = { 0 };
    read_rollout(sim, &rollout);
    if (rollout.state == ROLLOUT_RUNNING) {
        rollout.state = ROLLOUT_PAUSED;
        put_rollout(sim, &rollout);
        return;
    }
    if (rollout.state != ROLLOUT_PAUSED || dice(sim, 3) == 0)
        start_rollout(sim, &rollout);
    rollout.state = ROLLOUT_RUNNING;
    rollout.retry_revision = sim->revision;
    free(rollout.reason);
    rollout.reason = strdup("");
    put_rollout(sim, &rollout);
}

static void disturb_drain(struct sim *sim, char m)
{
    if (findf(sim, "ops/drain/%c", m)) {
        delf(sim, "cordons/%c", m);
        delf(sim, "ops/drain/%c", m);
        return;
    }
    putf(sim, record("{}"), "cordons/%c", m);
    putf(sim,
         record("{s:I,s:i}", "since_ms", (json_int_t)sim->now_ms, "timeout_ms",
                dice(sim, 3) ? 0 : 5000),
         "ops/drain/%c", m);
}

static void disturb_machine(struct sim *sim)
{
    char m = letter(dice(sim, MACHINES));
    switch (dice(sim, 7)) {
    case 6:
        disturb_drain(sim, m);
        return;
    case 0:
    case 1:
        if (is_present(sim, m))
            delf(sim, "nodes/%c/presence", m);
        else
            put_presence(sim, m, true);
        return;
    case 2:
        if (findf(sim, "ops/drain/%c", m))
            return;
        if (findf(sim, "cordons/%c", m))
            delf(sim, "cordons/%c", m);
        else
            putf(sim, record("{}"), "cordons/%c", m);
        return;
    case 3:
        if (is_present(sim, m))
            put_presence(sim, m, dice(sim, 2));
        return;
    default:
        put_member(sim, m);
    }
}

static void disturb_unit(struct sim *sim)
{
    static const char *const wishes[] = { "launched", "launched", "loaded", "inactive" };
    const struct sort *sort = &sorts[dice(sim, UNITS)];
    if (dice(sim, 5) == 0)
        delf(sim, "units/%s", sort->name);
    else
        put_unit(sim, sort, wishes[dice(sim, 4)]);
}

static void disturb(struct sim *sim)
{
    if (dice(sim, 60) == 0)
        putf(sim, record("{s:b}", "hold", 0), "ops/brake");
    if (dice(sim, 12) == 0)
        disturb_rollout(sim);
    if (dice(sim, 40) == 0)
        putf(sim, record("{s:s}", "mode", dice(sim, 2) ? "auto" : "off"), "ops/rebalance");
    if (dice(sim, 2))
        disturb_machine(sim);
    else
        disturb_unit(sim);
}

/* Agents of machines that are there answer assignments; late, unless hurry. */
static bool agents(struct sim *sim, bool hurry)
{
    bool did = false;
    for (size_t i = 0; i < KEYS_MAX; i++) {
        char m = 0;
        char name[64] = "";
        const struct entry *e = &sim->store[i];
        if (!e->value || sscanf(e->key, "nodes/%c/units/%63s", &m, name) != 2)
            continue;
        const struct entry *presence = findf(sim, "nodes/%c/presence", m);
        const struct entry *state = findf(sim, "states/%c/%s", m, name);
        if (!presence || (!hurry && dice(sim, 3)))
            continue;
        if (state &&
            json_integer_value(json_object_get(state->value, "assignment_revision")) == e->mod &&
            json_integer_value(json_object_get(state->value, "registration")) == presence->create)
            continue;
        bool release = strcmp(json_string_value(json_object_get(e->value, "want")), "release") == 0;
        putf(sim,
             record("{s:s,s:s,s:I,s:I,s:I}", "invocation", dice(sim, 5) ? "i" : "j", "active",
                    release        ? "inactive"
                    : dice(sim, 8) ? "active"
                                   : "failed",
                    "registration", (json_int_t)presence->create, "assignment_revision",
                    (json_int_t)e->mod, "released_revision", (json_int_t)(release ? e->mod : 0)),
             "states/%c/%s", m, name);
        did = true;
    }
    return did;
}

/* --- what must always hold --- */

/* Machines whose assignment of the unit says so; '\0' at the end. */
static size_t homes_of(struct sim *sim, const char *name, char homes[MACHINES + 1])
{
    size_t count = 0;
    for (size_t i = 0; i < MACHINES; i++)
        if (findf(sim, "nodes/%c/units/%s", letter(i), name))
            homes[count++] = letter(i);
    homes[count] = '\0';
    return count;
}

static void check_conflicts(struct sim *sim, const struct sort *a, const struct sort *b)
{
    for (size_t i = 0; a != b && a->group && a->group == b->group && i < MACHINES; i++)
        require(sim,
                !findf(sim, "nodes/%c/units/%s", letter(i), a->name) ||
                    !findf(sim, "nodes/%c/units/%s", letter(i), b->name),
                "two units in conflict share a machine", a->name);
}

static size_t count_holders(struct sim *sim, char holders[MACHINES + 1])
{
    size_t count = 0;
    for (unsigned int i = 0; i < MACHINES; i++) {
        const struct entry *slot = findf(sim, "slots/db/%u", i);
        if (slot && count < MACHINES)
            holders[count++] = json_string_value(json_object_get(slot->value, "machine"))[0];
    }
    holders[count] = '\0';
    return count;
}

static void check_memory(struct sim *sim, char m)
{
    int used = 0;
    for (size_t i = 0; i < UNITS; i++)
        if (findf(sim, "nodes/%c/units/%s", m, sorts[i].name))
            used += sorts[i].memory;
    require(sim, used <= MEMORY, "a machine has promised too much memory", (char[]){ m, 0 });
}

static void check_store(struct sim *sim)
{
    char homes[MACHINES + 1];
    for (size_t i = 0; i < UNITS; i++) {
        require(sim, homes_of(sim, sorts[i].name, homes) <= 1, "a unit is on two machines",
                sorts[i].name);
        for (size_t j = 0; j < UNITS; j++)
            check_conflicts(sim, &sorts[i], &sorts[j]);
    }
    for (size_t i = 0; i < MACHINES; i++)
        check_memory(sim, letter(i));
    size_t count = count_holders(sim, homes);
    require(sim, count <= NODES, "a role has too many holders", homes);
    require(sim, count < 2 || homes[0] != homes[1], "a machine holds a role twice", homes);
}

static bool takes_newcomers(struct sim *sim, char m)
{
    const struct entry *presence = findf(sim, "nodes/%c/presence", m);
    return presence && json_is_true(json_object_get(presence->value, "ready")) &&
           !findf(sim, "cordons/%c", m);
}

/* Nine units: one at a time. */
static size_t count_moving(struct sim *sim)
{
    size_t count = 0;
    for (size_t i = 0; i < KEYS_MAX; i++) {
        const char *cause = sim->store[i].value
                                ? json_string_value(json_object_get(sim->store[i].value, "cause"))
                                : NULL;
        count += cause && *cause && is_present(sim, sim->store[i].key[strlen("nodes/")]);
    }
    return count;
}

static bool has_failed(struct sim *sim, char m, const char *unit)
{
    const struct entry *state = findf(sim, "states/%c/%s", m, unit);
    return state &&
           strcmp(json_string_value(json_object_get(state->value, "active")), "failed") == 0;
}

static bool is_to_run(struct sim *sim, const char *unit)
{
    return text_equal(field_of(findf(sim, "units/%s", unit), "desired"), "launched");
}

/* A machine that is there says so of the very assignment. */
static bool is_up(struct sim *sim, const char *unit)
{
    for (size_t i = 0; i < MACHINES; i++) {
        const struct entry *presence = findf(sim, "nodes/%c/presence", letter(i));
        const struct entry *assignment = findf(sim, "nodes/%c/units/%s", letter(i), unit);
        const struct entry *state = findf(sim, "states/%c/%s", letter(i), unit);
        if (presence && assignment && text_equal(field_of(assignment, "want"), "run") &&
            text_equal(field_of(state, "active"), "active") &&
            number_of(state, "assignment_revision") == assignment->mod &&
            number_of(state, "registration") == presence->create)
            return true;
    }
    return false;
}

static bool is_another_down(struct sim *sim, const char *unit)
{
    for (size_t i = 0; is_instance(unit) && i < UNITS; i++)
        if (is_instance(sorts[i].name) && !text_equal(sorts[i].name, unit) &&
            is_to_run(sim, sorts[i].name) && !is_up(sim, sorts[i].name))
            return true;
    return false;
}

/* The rollout takes this one down although it runs: then all the others do. */
static bool takes_down(struct sim *sim, const struct action *a)
{
    if (a->kind != ACTION_UPDATE || !is_to_run(sim, a->unit) || !is_up(sim, a->unit))
        return false;
    require(sim, !is_another_down(sim, a->unit), "a rollout takes one down while another is down",
            a->unit);
    return true;
}

/* Before anything changes under it. */
static void check_plan(struct sim *sim, const struct plan *plan)
{
    size_t moves = 0;
    size_t updates = 0;
    for (size_t i = 0; i < plan->count; i++) {
        const struct action *a = &plan->actions[i];
        autofree char *reason = action_reason(a);
        require(sim, reason && *reason, "an action without a reason", action_kind_name(a->kind));
        moves += (a->cause == MOVE_CAUSE_DRAIN || a->cause == MOVE_CAUSE_REBALANCE) &&
                 !has_failed(sim, a->machine[0], a->unit);
        updates += takes_down(sim, a);
        bool arrives = a->kind == ACTION_MOVE || a->kind == ACTION_SLOT ||
                       (a->kind == ACTION_ASSIGN && a->assignment_mod == 0);
        require(sim, !arrives || takes_newcomers(sim, a->machine[0]),
                "a newcomer for a machine that takes none", reason);
    }
    require(sim, moves == 0 || (moves == 1 && count_moving(sim) == 0),
            "too many planned moves at a time", "");
    require(sim, updates <= 1, "a rollout takes several down at a time", TEMPLATE);
}

/* --- writes of the leader --- */

static bool guard(struct sim *sim, int64_t want, bool create, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static bool guard(struct sim *sim, int64_t want, bool create, const char *format, ...)
{
    char key[128];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(key, sizeof(key), format, args);
    va_end(args);
    const struct entry *e = find(sim, key);
    int64_t have = !e ? 0 : create ? e->create : e->mod;
    return want < 0 || want == have;
}

static bool op_is_as_seen(struct sim *sim, const struct action *a)
{
    if (a->rollout)
        return guard(sim, a->op_mod, false, "ops/rollout/%s", a->rollout);
    if (a->kind == ACTION_CORDON)
        return guard(sim, a->op_mod, false, "cordons/%c", a->machine[0]);
    return a->kind == ACTION_CLEAR_BRAKE
               ? guard(sim, a->op_mod, false, "ops/brake")
               : guard(sim, a->op_mod, false, "ops/drain/%c", a->machine ? a->machine[0] : '-');
}

static bool guards_hold(struct sim *sim, const struct action *a)
{
    char m = a->machine ? a->machine[0] : '-';
    char from = a->from_machine ? a->from_machine[0] : '-';
    const char *unit = a->unit ? a->unit : "-";
    return guard(sim, a->unit_mod, false, "units/%s", unit) &&
           guard(sim, a->assignment_mod, false, "nodes/%c/units/%s", m, unit) &&
           guard(sim, a->state_mod, false, "states/%c/%s", m, unit) &&
           guard(sim, a->registration, true, "nodes/%c/presence", m) &&
           guard(sim, a->from_assignment_mod, false, "nodes/%c/units/%s", from, unit) &&
           guard(sim, a->from_state_mod, false, "states/%c/%s", from, unit) &&
           guard(sim, a->from_registration, true, "nodes/%c/presence", from) &&
           guard(sim, a->verdict_mod, false, "verdicts/%s", unit) && op_is_as_seen(sim, a) &&
           (!a->role || guard(sim, a->slot_mod, false, "slots/%s/%u", a->role, a->index));
}

/* The one way to lose a copy that runs: its machine is gone, or said that it stopped. */
static void check_leave(struct sim *sim, char m, const char *unit)
{
    const struct entry *presence = findf(sim, "nodes/%c/presence", m);
    const struct entry *assignment = findf(sim, "nodes/%c/units/%s", m, unit);
    const struct entry *state = findf(sim, "states/%c/%s", m, unit);
    bool stopped =
        presence && assignment && state &&
        json_integer_value(json_object_get(state->value, "released_revision")) == assignment->mod &&
        json_integer_value(json_object_get(state->value, "registration")) == presence->create;
    require(sim, !presence || stopped, "taken from a machine that still runs it", unit);
}

static void write_assignment(struct sim *sim, const struct action *a)
{
    autofree char *reason = action_reason(a);
    putf(sim,
         record("{s:s,s:s,s:s,s:I,s:s,s:i,s:s}", "cause", move_cause_name(a->cause), "blob",
                a->blob, "want", want_name(a->want), "unit_revision", (json_int_t)a->unit_revision,
                "failover", failover_name(a->failover), "epoch", 1, "reason", reason),
         "nodes/%c/units/%s", a->machine[0], a->unit);
}

static void update_unit(struct sim *sim, const struct action *a)
{
    const struct entry *unit = findf(sim, "units/%s", a->unit);
    putf(sim,
         record("{s:s,s:s,s:I,s:O}", "blob", a->blob, "desired", desired_name(a->desired),
                "restart_revision", (json_int_t)a->restart_revision, "x-fleet",
                json_object_get(unit->value, "x-fleet")),
         "units/%s", a->unit);
}

static void leave(struct sim *sim, char m, const char *unit)
{
    check_leave(sim, m, unit);
    delf(sim, "nodes/%c/units/%s", m, unit);
    delf(sim, "states/%c/%s", m, unit);
}

static void perform(struct sim *sim, const struct action *a)
{
    char m[2] = { a->machine ? a->machine[0] : '-', '\0' };
    autofree char *reason = action_reason(a);
    tell(sim, "%s %s %s: %s", action_kind_name(a->kind), a->unit ? a->unit : a->role, m, reason);
    switch (a->kind) {
    case ACTION_MOVE:
        leave(sim, a->from_machine[0], a->unit);
        write_assignment(sim, a);
        return;
    case ACTION_ASSIGN:
        write_assignment(sim, a);
        return;
    case ACTION_DROP:
        leave(sim, m[0], a->unit);
        return;
    case ACTION_VERDICT:
        putf(sim,
             record("{s:I,s:s,s:s,s:s,s:I}", "attempts", (json_int_t)a->attempts, "tried",
                    a->tried ? a->tried : "", "kind", verdict_kind_name(a->verdict), "reason",
                    reason, "unit_revision", (json_int_t)a->unit_revision),
             "verdicts/%s", a->unit);
        return;
    case ACTION_CLEAR_VERDICT:
        delf(sim, "verdicts/%s", a->unit);
        return;
    case ACTION_SLOT:
        putf(sim, record("{s:s}", "machine", m), "slots/%s/%u", a->role, a->index);
        return;
    case ACTION_CLEAR_SLOT:
        delf(sim, "slots/%s/%u", a->role, a->index);
        return;
    case ACTION_DRAIN:
        putf(sim,
             record("{s:b,s:b,s:s,s:I,s:I}", "drained", a->drain->drained, "expired",
                    a->drain->expired, "problem", a->drain->problem, "since_ms",
                    (json_int_t)a->drain->since_ms, "timeout_ms", (json_int_t)a->drain->timeout_ms),
             "ops/drain/%s", m);
        return;
    case ACTION_CORDON:
        putf(sim, record("{s:s}", "reason", reason), "cordons/%s", m);
        return;
    case ACTION_CLEAR_BRAKE:
        delf(sim, "ops/brake");
        return;
    case ACTION_UPDATE:
        update_unit(sim, a);
        return;
    case ACTION_ROLLOUT:
        tell(sim, "%s", a->record);
        putf(sim, json_loads(a->record, 0, NULL), "ops/rollout/%s", a->rollout);
        return;
    case ACTION_INVALID:
        broken(sim, "an action of no kind", reason);
    }
}

/* One turn of the leader; true if it wrote anything. */
static bool lead(struct sim *sim, bool calm, int64_t *ret_wake_ms)
{
    autoptr(plan) plan = NULL;
    const struct plan_clock clock = { sim->now_ms, 0, sim->now_ms };
    deliver(sim);
    assert_int_equal(plan_step(sim->model, &clock, &plan, NULL), 0);
    check_plan(sim, plan);
    *ret_wake_ms = plan->wake_ms;
    for (size_t i = 0; i < plan->count; i++) {
        if (!calm && dice(sim, 8) == 0)
            disturb(sim);
        if (!calm && dice(sim, 40) == 0) {
            new_leader(sim);
            break;
        }
        bool lands = guards_hold(sim, &plan->actions[i]);
        require(sim, lands || !calm, "a guard fails though nothing changed",
                action_kind_name(plan->actions[i].kind));
        if (lands)
            perform(sim, &plan->actions[i]);
        check_store(sim);
    }
    return plan->count > 0;
}

/* --- the end: calm --- */

static const char *metadata_of(struct sim *sim, char m, const char *key)
{
    const struct entry *member = findf(sim, "members/%c", m);
    return json_string_value(json_object_get(json_object_get(member->value, "metadata"), key));
}

static bool role_fits(struct sim *sim, char m, const char *wish)
{
    char holders[MACHINES + 1];
    (void)count_holders(sim, holders);
    if (strchr(holders, m))
        return strcmp(wish, "active") == 0;
    const char *priority =
        json_string_value(json_object_get(findf(sim, "members/%c", m)->value, "role_priority"));
    return strcmp(wish, "standby") == 0 && strcmp(priority, "db=0") != 0;
}

static bool rules_hold(struct sim *sim, const struct sort *sort, char m)
{
    if (sort->rack && strcmp(metadata_of(sim, m, "rack"), sort->rack) != 0)
        return false;
    if (sort->role && !role_fits(sim, m, sort->role))
        return false;
    if (sort->peer && !findf(sim, "nodes/%c/units/%s", m, sort->peer))
        return false;
    for (size_t i = 0; i < UNITS; i++)
        if (&sorts[i] != sort && sort->group && sorts[i].group == sort->group &&
            findf(sim, "nodes/%c/units/%s", m, sorts[i].name))
            return false;
    return true;
}

static bool is_wanted(struct sim *sim, const struct sort *sort)
{
    const struct entry *unit = findf(sim, "units/%s", sort->name);
    return unit &&
           strcmp(json_string_value(json_object_get(unit->value, "desired")), "inactive") != 0;
}

/* Is there room for it beside those of its priority or a higher one (or beside all)? */
static bool has_room(struct sim *sim, const struct sort *sort, char m, bool beside_all)
{
    int used = 0;
    for (size_t i = 0; i < UNITS; i++)
        if (&sorts[i] != sort && (beside_all || sorts[i].priority >= sort->priority) &&
            findf(sim, "nodes/%c/units/%s", m, sorts[i].name))
            used += sorts[i].memory;
    return sort->memory == 0 || used + sort->memory <= MEMORY;
}

/* What a drained machine still has is what nobody else takes, or what waits for another instance to
 * be up again. */
static void check_drained(struct sim *sim, const struct sort *sort, char home)
{
    const struct entry *drain = findf(sim, "ops/drain/%c", home);
    if (!drain || json_is_true(json_object_get(drain->value, "expired")))
        return;
    for (size_t i = 0; !is_another_down(sim, sort->name) && i < MACHINES; i++)
        require(sim,
                !takes_newcomers(sim, letter(i)) || !rules_hold(sim, sort, letter(i)) ||
                    !has_room(sim, sort, letter(i), true),
                "a drain leaves a unit that another machine takes", sort->name);
    require(sim, *json_string_value(json_object_get(drain->value, "problem")) != '\0',
            "a drain does not say what it leaves", sort->name);
}

static void check_unit_at_rest(struct sim *sim, const struct sort *sort)
{
    char homes[MACHINES + 1];
    size_t count = homes_of(sim, sort->name, homes);
    if (!is_wanted(sim, sort)) {
        require(sim, count == 0, "an unwanted unit is still assigned", sort->name);
        return;
    }
    if (count == 1 && is_present(sim, homes[0])) {
        require(sim, rules_hold(sim, sort, homes[0]), "a unit is where it must not be", sort->name);
        check_drained(sim, sort, homes[0]);
        return;
    }
    require(sim, findf(sim, "verdicts/%s", sort->name) != NULL, "a unit is forgotten", sort->name);
    for (size_t i = 0; !(count == 1 && sort->stays) && i < MACHINES; i++)
        require(sim,
                !takes_newcomers(sim, letter(i)) || !rules_hold(sim, sort, letter(i)) ||
                    !has_room(sim, sort, letter(i), false),
                "a unit waits though a machine would do, or less important ones would yield",
                sort->name);
}

static bool has_the_text(struct sim *sim, const struct record_rollout *rollout, const char *unit)
{
    const struct entry *e = findf(sim, "units/%s", unit);
    if (!e || !is_instance(unit))
        return true;
    if (rollout->restart) /* or somebody has started it since */
        return e->mod > rollout->since_revision || !is_to_run(sim, unit);
    return text_equal(field_of(e, "blob"), rollout->blob);
}

/* What it left is one text, if nobody came between; what does not go on says why. */
static void check_rollout_at_rest(struct sim *sim)
{
    autorecord(rollout) rollout = { 0 };
    read_rollout(sim, &rollout);
    bool ended = rollout.state == ROLLOUT_DONE || rollout.state == ROLLOUT_ROLLED_BACK;
    require(sim, rollout.state != ROLLOUT_RUNNING || *rollout.reason,
            "a rollout neither ends nor says why", TEMPLATE);
    for (size_t i = 0; ended && i < UNITS; i++)
        require(sim, has_the_text(sim, &rollout, sorts[i].name),
                "a rollout leaves a unit as it was", sorts[i].name);
}

/* What rebalancing could still gain, it has gained. */
static void check_even(struct sim *sim)
{
    struct model_advice *advices = NULL;
    size_t count = 0;
    const struct entry *rebalance = findf(sim, "ops/rebalance");
    if (!rebalance ||
        strcmp(json_string_value(json_object_get(rebalance->value, "mode")), "auto") != 0)
        return;
    assert_int_equal(model_advise(sim->model, 1, &advices, &count, NULL), 0);
    require(sim, count == 0, "a unit would gain by a move", count ? advices[0].reason : "");
    model_advices_free(advices, count);
}

static void calm_down(struct sim *sim)
{
    int64_t wake_ms = -1;
    bool busy = true;
    for (int round = 0; busy || wake_ms >= 0; round++) {
        require(sim, round < CALM_ROUNDS, "it never comes to rest", "");
        sim->now_ms = !busy && wake_ms > sim->now_ms ? wake_ms : sim->now_ms + 500;
        busy = agents(sim, true);
        busy = lead(sim, true, &wake_ms) || busy;
    }
    for (size_t i = 0; i < UNITS; i++)
        check_unit_at_rest(sim, &sorts[i]);
    check_rollout_at_rest(sim);
    model_touch_all(sim->model);
    require(sim, !lead(sim, true, &wake_ms), "an idle leader writes", "");
    new_leader(sim);
    sim->now_ms += 60000;
    for (int i = 0; i < 3; i++, sim->now_ms += 60000)
        require(sim, !lead(sim, true, &wake_ms), "a new leader of an idle cluster writes", "");
    check_even(sim);
}

/* --- one seed, many seeds --- */

static void run_seed(uint64_t seed)
{
    int64_t wake_ms = -1;
    struct sim sim = { .seed = seed,
                       .random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1,
                       .now_ms = 100000 };
    assert_int_equal(model_new(&sim.model, NULL), 0);
    for (size_t i = 0; i < MACHINES; i++) {
        put_member(&sim, letter(i));
        if (dice(&sim, 4))
            put_presence(&sim, letter(i), true);
    }
    putf(&sim, record("{s:i}", "nodes", NODES), "roles/db");
    for (int step = 0; step < STEPS; step++) {
        sim.now_ms += (int64_t)dice(&sim, 700);
        disturb(&sim);
        if (dice(&sim, 30) == 0)
            new_leader(&sim);
        (void)agents(&sim, false);
        (void)lead(&sim, false, &wake_ms);
        check_store(&sim);
    }
    calm_down(&sim);
    deliver(&sim);
    for (size_t i = 0; i < KEYS_MAX; i++) {
        json_decref(sim.store[i].value);
        free(sim.store[i].key);
    }
    free(sim.events);
    model_free(sim.model);
    text_done(&sim.story);
}

static void every_seed_keeps_the_rules_and_comes_to_rest(void **state)
{
    (void)state;
    uint64_t one = seeds_number("SEED", 0);
    uint64_t count = seeds_number("SEEDS", 300);
    if (one) {
        run_seed(one);
        return;
    }
    for (uint64_t seed = 1; seed <= count; seed++)
        run_seed(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_seed_keeps_the_rules_and_comes_to_rest),
    };
    return cmocka_run_group_tests_name("scheduler/simulator", tests, NULL, NULL);
}
