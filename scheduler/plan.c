/* SPDX-License-Identifier: Apache-2.0 */
/* The frame of a step: which machines are gone, what must be looked at and in which order. */
#include "scheduler/plan.h"

#include <string.h>

#include "scheduler/step.h"

/* Of a chain of MachineOf= longer than this the rest takes further steps. */
enum { FOLLOW_DEPTH_MAX = 256 };

static const char *const kind_names[] = {
    [ACTION_ASSIGN] = "assign",
    [ACTION_MOVE] = "move",
    [ACTION_DROP] = "drop",
    [ACTION_VERDICT] = "verdict",
    [ACTION_SLOT] = "slot",
    [ACTION_CLEAR_VERDICT] = "clear-verdict",
    [ACTION_CLEAR_SLOT] = "clear-slot",
};

const char *action_kind_name(enum action_kind kind)
{
    return kind >= ACTION_ASSIGN && kind <= ACTION_CLEAR_SLOT ? kind_names[kind] : NULL;
}

/* --- actions --- */

static void action_done(struct action *action)
{
    free(action->unit);
    free(action->machine);
    free(action->from_machine);
    free(action->role);
    free(action->reason);
    free(action->blob);
}

void plan_free(struct plan *plan)
{
    for (size_t i = 0; plan && i < plan->count; i++)
        action_done(&plan->actions[i]);
    if (plan)
        free(plan->actions);
    free(plan);
}

static struct action *plan_grow(struct plan *plan)
{
    bool full = (plan->count & (plan->count - 1)) == 0; /* 0 and powers of two */
    if (full) {
        size_t room = plan->count ? plan->count * 2 : 1;
        struct action *grown = realloc(plan->actions, room * sizeof(*grown));
        if (!grown)
            return NULL;
        plan->actions = grown;
    }
    return &plan->actions[plan->count];
}

static const struct action unguarded = {
    .unit_mod = -1,
    .assignment_mod = -1,
    .state_mod = -1,
    .from_assignment_mod = -1,
    .from_state_mod = -1,
    .registration = -1,
    .from_registration = -1,
    .slot_mod = -1,
    .verdict_mod = -1,
};

struct action *step_action(struct step *step, enum action_kind kind, const struct unit *unit,
                           const struct machine *machine, char *reason)
{
    struct action action = unguarded;
    struct action *place = reason ? plan_grow(step->plan) : NULL;
    action.kind = kind;
    action.reason = reason;
    action.unit = unit ? strdup(unit->name) : NULL;
    action.machine = machine ? strdup(machine->id) : NULL;
    if (!place || (unit && !action.unit) || (machine && !action.machine)) {
        action_done(&action);
        step->failed = true;
        return NULL;
    }
    *place = action;
    step->plan->count++;
    return place;
}

/* --- what the step has decided --- */

static void touch(struct step *step, struct placement *placement)
{
    if (placement->touched)
        return;
    placement->touched = true;
    placement->touched_next = step->touched;
    step->touched = placement;
}

void step_plan_arrival(struct step *step, struct placement *placement)
{
    touch(step, placement);
    if (!placement->planned && placement->assignment_mod == 0)
        placement->key.machine->planned++;
    placement->planned = true;
    placement->leaving = false;
}

void step_plan_leaving(struct step *step, struct placement *placement)
{
    touch(step, placement);
    placement->leaving = true;
}

struct placement *step_placement(struct step *step, struct machine *machine, struct unit *unit)
{
    struct placement *p = model_placement_get(step->model, machine, unit);
    if (!p)
        step->failed = true;
    return p;
}

static void forget_slot_plans(struct role *role)
{
    struct slot *slot = NULL;
    struct slot *next = NULL;
    DL_FOREACH_SAFE(role->slots, slot, next) {
        slot->has_plan = false;
        slot->planned = NULL;
        if (slot->mod == 0) {
            DL_DELETE(role->slots, slot);
            free(slot);
        }
    }
}

/* Nothing is remembered but the model: what was decided is known once the store says so. */
static void forget_plans(struct step *step)
{
    for (struct placement *p = step->touched; p; p = p->touched_next) {
        p->planned = false;
        p->leaving = false;
        p->touched = false;
        p->key.machine->planned = 0;
    }
    step->touched = NULL;
    for (struct role *r = step->model->roles; r; r = r->hh.next)
        forget_slot_plans(r);
}

/* --- time --- */

void step_wake_at(struct step *step, int64_t at_ms)
{
    if (step->plan->wake_ms < 0 || at_ms < step->plan->wake_ms)
        step->plan->wake_ms = at_ms;
}

/*
 * Absent for long enough, by somebody who could have seen it return: a leader whose own contact
 * with the store is younger than the machine's TTL may be looking at the end of an outage, in which
 * every machine is about to come back.
 */
enum machine_status step_machine_status(struct step *step, struct machine *machine)
{
    const struct plan_clock *clock = step->clock;
    if (machine->registration > 0)
        return MACHINE_PRESENT;
    if (machine->absent_since_ms < 0)
        machine->absent_since_ms = clock->now_ms;
    int64_t lost_at_ms = machine->absent_since_ms + PLAN_DEBOUNCE_MS;
    if (clock->contact_since_ms >= 0) {
        int64_t trusted_at_ms =
            clock->contact_since_ms + machine->member.ttl_ms + PLAN_CONTACT_MARGIN_MS;
        if (trusted_at_ms > lost_at_ms)
            lost_at_ms = trusted_at_ms;
        if (clock->now_ms >= lost_at_ms)
            return MACHINE_LOST;
        step_wake_at(step, lost_at_ms);
    }
    machine->revisit = true;
    model_mark_machine(step->model, machine);
    return MACHINE_ABSENT;
}

/* --- which units, and in which order --- */

struct turn {
    struct unit *unit;
    bool lost;          /* its machine is lost: it goes before newcomers take the room */
    unsigned int depth; /* peers before those that follow them */
};

/* Each unit is measured once a step, in the order of names, so that a cycle is always cut at the
 * same place. */
static unsigned int follow_depth(const struct model *model, struct unit *unit, unsigned int so_far)
{
    if (so_far == FOLLOW_DEPTH_MAX)
        return 0;
    if (unit->depth_round == model->depth_round)
        return unit->depth;
    unit->depth_round = model->depth_round;
    unit->depth = 0;
    unsigned int deepest = 0;
    for (size_t i = 0; i < unit->follow_count; i++) {
        unsigned int depth = 1 + follow_depth(model, unit->follows[i].peer, so_far + 1);
        deepest = depth > deepest ? depth : deepest;
    }
    unit->depth = deepest;
    return deepest;
}

static bool is_on_lost_machine(struct step *step, const struct unit *unit)
{
    const struct placement *p = NULL;
    DL_FOREACH2(unit->placements, p, unit_next)
        if (p->assignment_mod > 0 && step_machine_status(step, p->key.machine) == MACHINE_LOST)
            return true;
    return false;
}

static int compare_turns(const void *a, const void *b)
{
    const struct turn *left = a;
    const struct turn *right = b;
    if (left->lost != right->lost)
        return left->lost ? -1 : 1;
    if (left->depth != right->depth)
        return left->depth < right->depth ? -1 : 1;
    return strcmp(left->unit->name, right->unit->name);
}

static int take_turns(struct step *step, struct turn **ret, size_t *ret_count, struct error *err)
{
    size_t count = 0;
    size_t i = 0;
    struct unit *unit = NULL;
    DL_COUNT2(step->model->marked_units, unit, count, mark_next);
    struct turn *turns = calloc(count + 1, sizeof(*turns));
    if (!turns)
        return error_oom(err);
    DL_FOREACH2(step->model->marked_units, unit, mark_next)
        turns[i++] = (struct turn){ unit, is_on_lost_machine(step, unit), 0 };
    qsort(turns, count, sizeof(*turns), compare_turns);
    step->model->depth_round++;
    for (i = 0; i < count; i++)
        turns[i].depth = follow_depth(step->model, turns[i].unit, 0);
    qsort(turns, count, sizeof(*turns), compare_turns);
    *ret = turns;
    *ret_count = count;
    return 0;
}

static void spread_marks(struct step *step)
{
    struct model *model = step->model;
    struct machine *m = NULL;
    struct unit *u = NULL;
    DL_FOREACH2(model->marked_machines, m, mark_next) {
        model_mark_units_of(model, m);
        model->retry = true;
        model->roles_marked = true;
    }
    if (model->retry)
        DL_FOREACH2(model->pending_units, u, pending_next)
            model_mark_unit(model, u);
}

static int decide(struct step *step, struct error *err)
{
    autofree struct turn *turns = NULL;
    size_t count = 0;
    int r = model_sort_machines(step->model, err);
    if (r < 0)
        return r;
    spread_marks(step);
    if (step->model->roles_marked) {
        step_roles(step);
        spread_marks(step);
    }
    r = take_turns(step, &turns, &count, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < count && !step->failed; i++)
        step_unit(step, turns[i].unit);
    return step->failed ? error_oom(err) : 0;
}

int plan_step(struct model *model, const struct plan_clock *clock, struct plan **ret,
              struct error *err)
{
    autoptr(plan) plan = calloc(1, sizeof(*plan));
    if (!plan)
        return error_oom(err);
    plan->wake_ms = -1;
    struct step step = { .model = model, .clock = clock, .plan = plan };
    int r = decide(&step, err);
    forget_plans(&step);
    if (r < 0)
        return r; /* the marks stay: nothing was decided */
    model_sweep(model);
    *ret = take_ptr(plan);
    return 0;
}
