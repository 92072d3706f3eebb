/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "tests/sim/sched.h"

/* --- what must always hold --- */

/* Machines whose assignment of the unit says so; '\0' at the end. */
size_t sim_homes_of(struct sim *sim, const char *name, char homes[MACHINES + 1])
{
    size_t count = 0;
    for (size_t i = 0; i < MACHINES; i++)
        if (sim_findf(sim, "nodes/%c/units/%s", sim_letter(i), name))
            homes[count++] = sim_letter(i);
    homes[count] = '\0';
    return count;
}

char sim_successor_of(struct sim *sim, const char *name)
{
    for (size_t i = 0; i < MACHINES; i++) {
        char m = sim_letter(i);
        if (*sim_field_of(sim_findf(sim, "nodes/%c/units/%s", m, name), "moves_from"))
            return m;
    }
    return '\0';
}

/* The one exception to one assignment: a second one that says whose successor it is. */
static bool is_move_of_two(struct sim *sim, const struct sim_sort *sort, const char *homes)
{
    char next = sim_successor_of(sim, sort->name);
    if (!sort->first || !next || strlen(homes) != 2)
        return false;
    const char *from =
        sim_field_of(sim_findf(sim, "nodes/%c/units/%s", next, sort->name), "moves_from");
    return *from != next && strchr(homes, *from);
}

static void check_conflicts(struct sim *sim, const struct sim_sort *a, const struct sim_sort *b)
{
    for (size_t i = 0; a != b && a->group && a->group == b->group && i < MACHINES; i++)
        sim_require(sim,
                    !sim_findf(sim, "nodes/%c/units/%s", sim_letter(i), a->name) ||
                        !sim_findf(sim, "nodes/%c/units/%s", sim_letter(i), b->name),
                    "two units in conflict share a machine", a->name);
}

const struct sim_sort *sim_sort_named(const char *name)
{
    for (size_t i = 0; name && i < UNITS; i++)
        if (strcmp(sim_sorts[i].name, name) == 0)
            return &sim_sorts[i];
    return NULL;
}

int sim_memory_of(const struct sim_sort *sort)
{
    const struct sim_sort *twin = sim_sort_named(sort->twin);
    return sort->memory + (twin ? twin->memory : 0);
}

/* Each of the two has to be with the other. */
static void check_twins(struct sim *sim, const struct sim_sort *sort)
{
    char homes[MACHINES + 1];
    char others[MACHINES + 1];
    if (sort->twin && sim_homes_of(sim, sort->name, homes) > 0 &&
        sim_homes_of(sim, sort->twin, others) > 0)
        sim_require(sim, strcmp(homes, others) == 0, "two that follow each other are apart",
                    sort->name);
}

size_t sim_count_holders(struct sim *sim, char holders[MACHINES + 1])
{
    size_t count = 0;
    for (unsigned int i = 0; i < MACHINES; i++) {
        const struct entry *slot = sim_findf(sim, "slots/db/%u", i);
        if (slot && count < MACHINES)
            holders[count++] = *sim_field_of(slot, "machine");
    }
    holders[count] = '\0';
    return count;
}

static void check_memory(struct sim *sim, char m)
{
    int used = 0;
    for (size_t i = 0; i < UNITS; i++)
        if (sim_findf(sim, "nodes/%c/units/%s", m, sim_sorts[i].name))
            used += sim_sorts[i].memory;
    sim_require(sim, used <= MEMORY, "a machine has promised too much memory", (char[]){ m, 0 });
}

void sim_check_store(struct sim *sim)
{
    char homes[MACHINES + 1];
    for (size_t i = 0; i < UNITS; i++) {
        sim_require(sim,
                    sim_homes_of(sim, sim_sorts[i].name, homes) <= 1 ||
                        sim_is_global(sim_sorts[i].name) ||
                        is_move_of_two(sim, &sim_sorts[i], homes),
                    "a unit is on two machines", sim_sorts[i].name);
        check_twins(sim, &sim_sorts[i]);
        for (size_t j = 0; j < UNITS; j++)
            check_conflicts(sim, &sim_sorts[i], &sim_sorts[j]);
    }
    for (size_t i = 0; i < MACHINES; i++)
        check_memory(sim, sim_letter(i));
    size_t count = sim_count_holders(sim, homes);
    sim_require(sim, count <= NODES, "a role has too many holders", homes);
    sim_require(sim, count < 2 || homes[0] != homes[1], "a machine holds a role twice", homes);
}

bool sim_takes_newcomers(struct sim *sim, char m)
{
    const struct entry *presence = sim_findf(sim, "nodes/%c/presence", m);
    return presence && json_is_true(json_object_get(presence->value, "ready")) &&
           !sim_findf(sim, "cordons/%c", m);
}

bool sim_is_wanted(struct sim *sim, const struct sim_sort *sort)
{
    const char *desired = sim_field_of(sim_findf(sim, "units/%s", sort->name), "desired");
    return *desired && strcmp(desired, "inactive") != 0;
}

static bool has_reserved(struct sim *sim, const struct sim_sort *sort, char m)
{
    const char *id = sim_field_of(sim_findf(sim, "verdicts/%s", sort->name), "reserved");
    return *id == m && sim_is_wanted(sim, sort);
}

bool sim_is_reserved(struct sim *sim, const struct sim_sort *sort, char m)
{
    for (size_t i = 0; sim_memory_of(sort) > 0 && i < UNITS; i++)
        if (&sim_sorts[i] != sort && !text_equal(sim_sorts[i].name, sort->twin) &&
            sim_sorts[i].priority >= sort->priority && has_reserved(sim, &sim_sorts[i], m))
            return true;
    return false;
}

/* What the plan says before of whom it is reserved for is not in the store yet. */
static bool is_said_before(const struct plan *plan, size_t end, const char *unit)
{
    for (size_t i = 0; i < end; i++)
        if ((plan->actions[i].kind == ACTION_VERDICT ||
             plan->actions[i].kind == ACTION_CLEAR_VERDICT) &&
            text_equal(plan->actions[i].unit, unit))
            return true;
    return false;
}

static void check_reserved(struct sim *sim, const struct plan *plan, size_t at)
{
    const struct action *a = &plan->actions[at];
    const struct sim_sort *sort = sim_sort_named(a->unit);
    for (size_t i = 0; sort && sim_memory_of(sort) > 0 && i < UNITS; i++) {
        const struct sim_sort *other = &sim_sorts[i];
        sim_require(sim,
                    other == sort || text_equal(other->name, sort->twin) ||
                        other->priority < sort->priority ||
                        !has_reserved(sim, other, a->machine[0]) ||
                        is_said_before(plan, at, other->name),
                    "a newcomer where a machine is reserved for another", a->unit);
    }
}

/* So few units: one at a time. What runs everywhere stops when its machine has nothing else. */
static size_t count_moving(struct sim *sim)
{
    size_t count = 0;
    for (size_t i = 0; i < KEYS_MAX; i++) {
        bool goes = *sim_field_of(&sim->store[i], "cause") && !strstr(sim->store[i].key, GLOBAL);
        count += goes && sim_is_present(sim, sim->store[i].key[strlen("nodes/")]);
    }
    return count;
}

static bool has_failed(struct sim *sim, char m, const char *unit)
{
    return text_equal(sim_field_of(sim_findf(sim, "states/%c/%s", m, unit), "active"), "failed");
}

bool sim_is_to_run(struct sim *sim, const char *unit)
{
    return text_equal(sim_field_of(sim_findf(sim, "units/%s", unit), "desired"), "launched");
}

/* A machine that is there says so of the very assignment. */
static bool is_up_on(struct sim *sim, char m, const char *unit)
{
    const struct entry *presence = sim_findf(sim, "nodes/%c/presence", m);
    const struct entry *assignment = sim_findf(sim, "nodes/%c/units/%s", m, unit);
    const struct entry *state = sim_findf(sim, "states/%c/%s", m, unit);
    return presence && assignment && text_equal(sim_field_of(assignment, "want"), "run") &&
           text_equal(sim_field_of(state, "active"), "active") &&
           sim_number_of(state, "assignment_revision") == assignment->mod &&
           sim_number_of(state, "registration") == presence->create;
}

static bool is_up(struct sim *sim, const char *unit)
{
    for (size_t i = 0; i < MACHINES; i++)
        if (is_up_on(sim, sim_letter(i), unit))
            return true;
    return false;
}

static bool is_released_by(const struct plan *plan, char m, const char *unit)
{
    for (size_t i = 0; i < plan->count; i++) {
        const struct action *a = &plan->actions[i];
        if (a->kind == ACTION_ASSIGN && a->want == WANT_RELEASE && a->machine[0] == m &&
            text_equal(a->unit, unit))
            return true;
    }
    return false;
}

/* On a machine that is there and is to run it, also after this plan. */
static bool is_another_copy_down(struct sim *sim, const struct plan *plan, char but,
                                 const char *unit)
{
    for (size_t i = 0; i < MACHINES; i++) {
        char m = sim_letter(i);
        const struct entry *e = sim_findf(sim, "nodes/%c/units/%s", m, unit);
        if (m != but && sim_is_present(sim, m) && e && text_equal(sim_field_of(e, "want"), "run") &&
            !is_up_on(sim, m, unit) && !is_released_by(plan, m, unit))
            return true;
    }
    return false;
}

bool sim_is_another_down(struct sim *sim, const char *unit)
{
    for (size_t i = 0; sim_is_instance(unit) && i < UNITS; i++)
        if (sim_is_instance(sim_sorts[i].name) && !text_equal(sim_sorts[i].name, unit) &&
            sim_is_to_run(sim, sim_sorts[i].name) && !is_up(sim, sim_sorts[i].name))
            return true;
    return false;
}

/* The rollout takes this one down although it runs: then all the others do. */
static bool takes_down(struct sim *sim, const struct plan *plan, const struct action *a)
{
    if (a->kind == ACTION_ASSIGN && action_more(a)->rollout &&
        is_up_on(sim, a->machine[0], a->unit)) {
        sim_require(sim, !is_another_copy_down(sim, plan, a->machine[0], a->unit),
                    "a rollout takes one down while another is down", a->unit);
        return true;
    }
    if (sim_is_global(a->unit ? a->unit : ""))
        return false; /* what runs has its text already */
    if (a->kind != ACTION_UPDATE || !sim_is_to_run(sim, a->unit) || !is_up(sim, a->unit))
        return false;
    sim_require(sim, !sim_is_another_down(sim, a->unit),
                "a rollout takes one down while another is down", a->unit);
    return true;
}

/* What is tied together is one move. */
static bool is_own_move(const struct plan *plan, const struct action *a)
{
    const struct sim_sort *sort = sim_sort_named(a->unit);
    for (size_t i = 0; i < plan->count; i++) {
        const struct action *b = &plan->actions[i];
        if (b->cause == a->cause && b->machine[0] == a->machine[0] &&
            (text_equal(b->unit, sort->peer) ||
             (text_equal(b->unit, sort->twin) && strcmp(b->unit, a->unit) < 0)))
            return false;
    }
    return true;
}

/* Its machine may still run it. */
static bool leaves_a_lost_machine(struct sim *sim, const struct action *a)
{
    const struct sim_sort *sort = sim_sort_named(a->unit);
    return a->kind == ACTION_MOVE && sort->stays &&
           !sim_is_present(sim, action_more(a)->from_machine[0]);
}

static bool is_move(struct sim *sim, const struct plan *plan, const struct action *a)
{
    bool begins =
        a->want == WANT_RELEASE ? !sim_successor_of(sim, a->unit) : a->assignment_mod == 0;
    return (a->cause == MOVE_CAUSE_DRAIN || a->cause == MOVE_CAUSE_REBALANCE) && begins &&
           !has_failed(sim, a->machine[0], a->unit) && is_own_move(plan, a) &&
           !sim_is_global(a->unit);
}

/* What moves in this order is up somewhere all the while, unless the time of its drain is over. */
static void check_order(struct sim *sim, const struct action *a)
{
    const struct sim_sort *sort = sim_sort_named(a->unit);
    const struct entry *drain = sim_findf(sim, "ops/drain/%c", a->machine ? a->machine[0] : '-');
    int64_t timeout_ms = sim_number_of(drain, "timeout_ms");
    bool is_over = timeout_ms > 0 && sim->now_ms >= sim_number_of(drain, "since_ms") + timeout_ms;
    bool leaves = a->kind == ACTION_ASSIGN && a->want == WANT_RELEASE && sort && sort->first &&
                  (a->cause == MOVE_CAUSE_DRAIN || a->cause == MOVE_CAUSE_REBALANCE);
    if (!leaves || is_over || !sim_is_to_run(sim, a->unit) ||
        !is_up_on(sim, a->machine[0], a->unit))
        return;
    size_t up = 0;
    for (size_t i = 0; i < MACHINES; i++)
        up += is_up_on(sim, sim_letter(i), a->unit);
    sim_require(sim, up == 2, "a move stops what is up nowhere else", a->unit);
}

/* Before anything changes under it. */
void sim_check_plan(struct sim *sim, const struct plan *plan)
{
    size_t moves = 0;
    size_t updates[2] = { 0 };
    for (size_t i = 0; i < plan->count; i++) {
        const struct action *a = &plan->actions[i];
        autofree char *reason = action_reason(a);
        sim_require(sim, reason && *reason, "an action without a reason",
                    action_kind_name(a->kind));
        moves += is_move(sim, plan, a);
        check_order(sim, a);
        updates[sim_is_global(a->unit ? a->unit : "")] += takes_down(sim, plan, a);
        bool arrives =
            a->kind == ACTION_SLOT ||
            ((a->kind == ACTION_MOVE || a->kind == ACTION_ASSIGN) && a->assignment_mod == 0);
        sim_require(sim, !arrives || sim_takes_newcomers(sim, a->machine[0]),
                    "a newcomer for a machine that takes none", reason);
        sim_require(sim, !leaves_a_lost_machine(sim, a), "Failover=never has been moved", a->unit);
        if (arrives)
            check_reserved(sim, plan, i);
    }
    sim_require(sim, moves == 0 || (moves == 1 && count_moving(sim) == 0),
                "too many planned moves at a time", "");
    for (size_t i = 0; i < 2; i++)
        sim_require(sim, updates[i] <= 1, "a rollout takes several down at a time",
                    i ? GLOBAL : TEMPLATE);
}
