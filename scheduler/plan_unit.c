/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of one unit. For each copy the question is first whether its machine is there:
 *
 *              absent        lost                          present
 *   wanted     wait          move (Failover=never: wait)   stay | rewrite | release → ack → move
 *   unwanted   wait          drop                          release → ack → drop
 */
#include <string.h>

#include "scheduler/budget.h"
#include "scheduler/failing.h"
#include "scheduler/place.h"
#include "scheduler/preempt.h"
#include "scheduler/step.h"

/* --- words --- */

static char *refusal_reason(struct step *step, const struct placement *p,
                            const struct refusal *refusal)
{
    autotext reason = { 0 };
    text_add(&reason, "must leave ");
    machine_words(p->key.machine, &reason);
    text_add(&reason, ": ");
    refusal_words(step->model, p->key.unit, p->key.machine, refusal, &reason);
    return text_take(&reason);
}

static void gone_words(const struct step *step, const struct machine *machine, struct text *words)
{
    text_add(words, "machine ");
    machine_words(machine, words);
    text_addf(words, " is gone for %.1f s",
              (double)(step->clock->now_ms - machine->absent_since_ms) / 1000.0);
}

static char *move_reason(const struct step *step, const struct placement *from, bool lost,
                         const struct place *place)
{
    autotext reason = { 0 };
    if (lost) {
        gone_words(step, from->key.machine, &reason);
    } else {
        text_add(&reason, from->cause == MOVE_CAUSE_REBALANCE ? "rebalanced off " : "released by ");
        machine_words(from->key.machine, &reason);
    }
    text_add(&reason, ", moving to ");
    machine_words(place->machine, &reason);
    text_add(&reason, ": ");
    place_words(place->eligible, place->load, place->wishes, &reason);
    return text_take(&reason);
}

/* --- verdicts --- */

static void clear_verdict(struct step *step, struct unit *unit, const char *why)
{
    if (unit_verdict_mod(unit) == 0)
        return;
    struct action *action =
        step_action(step, ACTION_CLEAR_VERDICT, unit, NULL, text_format("%s", why));
    if (action)
        action->verdict_mod = unit_verdict_mod(unit);
}

/* Written only if it says something new: an idle cluster writes nothing. reason is taken over. */
static void give_verdict(struct step *step, struct unit *unit, enum verdict_kind kind, char *reason)
{
    if (reason && unit_verdict_mod(unit) > 0 && unit->trouble->verdict_unit_revision == unit->mod &&
        text_equal(unit->trouble->verdict_reason, reason)) {
        free(reason);
        return;
    }
    struct action *action = step_action(step, ACTION_VERDICT, unit, NULL, reason);
    if (!action)
        return;
    action->verdict = kind;
    action->unit_revision = unit->mod;
    action->unit_mod = unit->mod;
    action->verdict_mod = unit_verdict_mod(unit);
}

static void set_pending(struct step *step, struct unit *unit, bool pending)
{
    if (!model_set_pending(step->model, unit, pending))
        step->failed = true;
}

static void nowhere(struct step *step, struct unit *unit, const struct machine *lost)
{
    autotext reason = { 0 };
    set_pending(step, unit, true);
    if (step_preempt(step, unit, lost != NULL))
        return;
    if (lost) {
        text_add(&reason, "machine ");
        machine_words(lost, &reason);
        text_add(&reason, " is gone, and ");
    }
    place_refusals(step->model, unit, &reason);
    give_verdict(step, unit, VERDICT_NOWHERE, text_take(&reason));
}

static void somewhere(struct step *step, struct unit *unit)
{
    set_pending(step, unit, false);
    clear_verdict(step, unit, unit_is_failing(unit) ? "it no longer fails" : "it has a machine");
}

/* It has been given a place that the store may yet refuse, say because the machine went meanwhile:
 * until the assignment is seen, whatever changes anything for waiting units wakes this one, too. */
static void soon(struct step *step, struct unit *unit)
{
    set_pending(step, unit, true);
    if (!unit_is_failing(unit))
        clear_verdict(step, unit, "it gets a machine");
}

/* --- writing assignments --- */

static enum want want_of(const struct unit *unit)
{
    return unit->desired == DESIRED_LAUNCHED ? WANT_RUN : WANT_LOADED;
}

/* What the unit wants now. */
static void fill_assignment(struct action *action, const struct unit *unit,
                            const struct machine *machine)
{
    if (!action)
        return;
    action->blob = unit->blob;
    action->want = want_of(unit);
    action->unit_revision = unit->mod;
    action->restart_revision = unit_restart_revision(unit);
    action->failover = unit_rules(unit)->failover;
    action->unit_mod = unit->mod;
    action->assignment_mod = 0;
    action->registration = machine->registration;
}

static struct action *assign(struct step *step, enum action_kind kind, const struct unit *unit,
                             const struct machine *machine, char *reason)
{
    struct action *action = step_action(step, kind, unit, machine, reason);
    fill_assignment(action, unit, machine);
    return action;
}

static void rewrite(struct step *step, struct placement *p, const char *why)
{
    struct action *action =
        assign(step, ACTION_ASSIGN, p->key.unit, p->key.machine, text_format("%s", why));
    if (action)
        action->assignment_mod = p->assignment_mod;
    step_plan_arrival(step, p);
}

void step_release(struct step *step, struct placement *p, enum move_cause cause, char *reason)
{
    const struct unit *unit = p->key.unit;
    struct action *action = step_action(step, ACTION_ASSIGN, unit, p->key.machine, reason);
    if (!action)
        return;
    action->blob = p->blob;
    action->want = WANT_RELEASE;
    action->cause = cause;
    if (cause != MOVE_CAUSE_NONE)
        budget_take(step_budget(step), unit);
    action->unit_revision = unit->exists ? unit->mod : p->unit_revision;
    action->failover = p->failover;
    action->unit_mod = unit->mod;
    action->assignment_mod = p->assignment_mod;
    action->registration = p->key.machine->registration;
    step_plan_leaving(step, p);
}

static void release(struct step *step, struct placement *p, char *reason)
{
    step_release(step, p, MOVE_CAUSE_NONE, reason);
}

static void drop(struct step *step, struct placement *p, char *reason)
{
    struct action *action = step_action(step, ACTION_DROP, p->key.unit, p->key.machine, reason);
    if (!action)
        return;
    action->assignment_mod = p->assignment_mod;
    action->state_mod = p->state_mod;
    action->registration = p->key.machine->registration; /* 0: still absent */
    step_plan_leaving(step, p);
}

static void move(struct step *step, struct placement *from, bool lost, const struct place *place)
{
    struct unit *unit = from->key.unit;
    struct placement *to = step_placement(step, place->machine, unit);
    struct action *action =
        to ? assign(step, ACTION_MOVE, unit, place->machine, move_reason(step, from, lost, place))
           : NULL;
    if (!action)
        return;
    action->from_machine = from->key.machine->id;
    action->from_assignment_mod = from->assignment_mod;
    action->from_state_mod = from->state_mod;
    action->from_registration = lost ? 0 : -1;
    step_plan_leaving(step, from);
    step_plan_arrival(step, to);
}

static void arrive(struct step *step, struct unit *unit, struct machine *machine, char *reason)
{
    struct placement *to = step_placement(step, machine, unit);
    if (to && assign(step, ACTION_ASSIGN, unit, machine, reason))
        step_plan_arrival(step, to);
    else if (!to)
        free(reason);
}

/* --- one copy --- */

bool step_is_released(const struct placement *p)
{
    return p->want == WANT_RELEASE && p->state_mod > 0 &&
           p->released_revision == p->assignment_mod &&
           p->state_registration == p->key.machine->registration;
}

/* A copy that nobody wants here any more. */
static void give_up(struct step *step, struct placement *p, const char *why)
{
    switch (step_machine_status(step, p->key.machine)) {
    case MACHINE_HELD: /* nobody is moved anywhere by that */
    case MACHINE_LOST:
        drop(step, p, text_format("%s, and its machine is lost", why));
        return;
    case MACHINE_PRESENT:
        if (step_is_released(p))
            drop(step, p, text_format("%s, and it has stopped", why));
        else if (p->want != WANT_RELEASE)
            release(step, p, text_format("%s", why));
        return;
    case MACHINE_ABSENT:
    case MACHINE_STATUS_INVALID:
        return;
    }
}

static const char *change_of(const struct placement *p)
{
    const struct unit *unit = p->key.unit;
    if (p->want == WANT_RELEASE)
        return "wanted here again";
    if (p->blob != unit->blob)
        return "its text has changed";
    if (p->want != want_of(unit))
        return unit->desired == DESIRED_LAUNCHED ? "to be launched" : "to be loaded only";
    if (p->unit_revision != unit->mod)
        return "asked for again";
    return p->failover != unit_rules(unit)->failover ? "its Failover= has changed" : NULL;
}

/* It may stay: bring its assignment up to date. */
static void keep(struct step *step, struct placement *p)
{
    const char *change = change_of(p);
    if (change)
        rewrite(step, p, change);
}

static void stays(struct step *step, struct placement *p)
{
    autotext reason = { 0 };
    text_add(&reason, "machine ");
    machine_words(p->key.machine, &reason);
    text_add(&reason,
             " is gone and Failover=never: its state is unknown until the machine is back");
    set_pending(step, p->key.unit, false);
    give_verdict(step, p->key.unit, VERDICT_NEVER, text_take(&reason));
}

static void decide_held(struct step *step, struct placement *p)
{
    if (unit_rules(p->key.unit)->failover == FAILOVER_NEVER) {
        stays(step, p);
        return;
    }
    set_pending(step, p->key.unit, false);
    give_verdict(step, p->key.unit, VERDICT_HELD, step_brake_words(step, p->key.machine));
}

static void relocate(struct step *step, struct placement *p, bool lost)
{
    struct unit *unit = p->key.unit;
    const struct place place = place_find(step->model, unit);
    if (place.machine) {
        move(step, p, lost, &place);
        soon(step, unit);
        return;
    }
    if (!lost)
        drop(step, p, text_format("it has stopped, and no other machine may run it"));
    nowhere(step, unit, lost ? p->key.machine : NULL);
}

/* It may stay, and still a planned move that has begun is carried through. */
static bool move_goes_on(const struct placement *p)
{
    if (!placement_moves(p))
        return false;
    if (p->cause == MOVE_CAUSE_FAILING)
        return unit_failed_on(p->key.unit, p->key.machine);
    if (p->cause == MOVE_CAUSE_PREEMPT)
        return preempt_goes_on(p);
    return p->cause != MOVE_CAUSE_DRAIN || p->key.machine->drain_mod > 0;
}

static struct place next_place(struct step *step, struct placement *p)
{
    if (p->cause == MOVE_CAUSE_FAILING)
        return failing_place(step, p->key.unit, p->key.machine);
    return p->cause == MOVE_CAUSE_REBALANCE ? place_find_anew(step->model, p)
                                            : place_find(step->model, p->key.unit);
}

/* Released by a planned move; if no other machine takes it any more, it is better off here. */
static void finish_move(struct step *step, struct placement *p)
{
    const struct place place = next_place(step, p);
    if (!place.machine && p->cause == MOVE_CAUSE_PREEMPT) {
        drop(step, p, text_format("it has yielded its place, and no other machine has room"));
        nowhere(step, p->key.unit, NULL);
        return;
    }
    if (!place.machine || place.machine == p->key.machine) {
        keep(step, p);
        return;
    }
    move(step, p, false, &place);
    soon(step, p->key.unit);
}

/* The one copy that counts, on a machine that is there. */
static void decide_present(struct step *step, struct placement *p)
{
    const struct refusal refusal = match(step->model, p->key.unit, p->key.machine, MATCH_STAY);
    if (refusal.kind == REFUSAL_NONE && move_goes_on(p)) {
        if (step_is_released(p))
            finish_move(step, p);
    } else if (refusal.kind == REFUSAL_NONE) {
        keep(step, p);
        if (step_failing(step, p))
            set_pending(step, p->key.unit,
                        p->key.unit->trouble && p->key.unit->trouble->lacks_machine);
        else
            somewhere(step, p->key.unit);
    } else if (step_is_released(p)) {
        relocate(step, p, false);
    } else if (p->want != WANT_RELEASE) {
        release(step, p, refusal_reason(step, p, &refusal));
    }
}

static void decide_lost(struct step *step, struct placement *p)
{
    if (unit_rules(p->key.unit)->failover == FAILOVER_NEVER)
        stays(step, p);
    else
        relocate(step, p, true);
}

/* --- a unit that runs once --- */

static int rank_home(struct step *step, const struct placement *p)
{
    bool going = p->want == WANT_RELEASE;
    bool present = step_machine_status(step, p->key.machine) == MACHINE_PRESENT;
    return (going ? 2 : 0) + (present ? 0 : 1);
}

/* The copy that counts. There is one, unless a unit that was global is so no longer. */
static struct placement *find_home(struct step *step, const struct unit *unit)
{
    struct placement *home = NULL;
    int home_rank = 0;
    struct placement *p = NULL;
    LL_FOREACH2(unit->placements, p, unit_next) {
        if (p->assignment_mod == 0)
            continue;
        int rank = rank_home(step, p);
        if (!home || rank < home_rank ||
            (rank == home_rank && p->assignment_mod < home->assignment_mod)) {
            home = p;
            home_rank = rank;
        }
    }
    return home;
}

static void give_up_others(struct step *step, struct unit *unit, const struct placement *home,
                           const char *why)
{
    struct placement *p = NULL;
    LL_FOREACH2(unit->placements, p, unit_next)
        if (p != home && p->assignment_mod > 0)
            give_up(step, p, why);
}

static void decide_homeless(struct step *step, struct unit *unit)
{
    const struct place place = place_find(step->model, unit);
    if (!place.machine) {
        nowhere(step, unit, NULL);
        return;
    }
    struct placement *to = step_placement(step, place.machine, unit);
    struct action *action = to ? step_action_placed(step, ACTION_ASSIGN, unit, &place) : NULL;
    if (!action)
        return;
    fill_assignment(action, unit, place.machine);
    step_plan_arrival(step, to);
    soon(step, unit);
}

static void decide_single(struct step *step, struct unit *unit)
{
    struct placement *home = find_home(step, unit);
    if (!home) {
        decide_homeless(step, unit);
        return;
    }
    give_up_others(step, unit, home, "it is on another machine");
    switch (step_machine_status(step, home->key.machine)) {
    case MACHINE_PRESENT:
        decide_present(step, home);
        return;
    case MACHINE_LOST:
        decide_lost(step, home);
        return;
    case MACHINE_HELD:
        decide_held(step, home);
        return;
    case MACHINE_ABSENT:
    case MACHINE_STATUS_INVALID:
        return;
    }
}

/* --- a unit that runs everywhere --- */

/* True if the machine has it or gets it. A machine that is gone keeps its assignment: it will find
 * it there when it is back. */
static bool decide_global_on(struct step *step, struct unit *unit, struct machine *machine)
{
    struct placement *p = model_placement(step->model, machine, unit);
    bool here = p && p->assignment_mod > 0;
    if (here && machine->registration == 0)
        return false;
    const struct refusal refusal =
        match(step->model, unit, machine, here ? MATCH_STAY : MATCH_ARRIVE);
    if (!here) {
        if (refusal.kind == REFUSAL_NONE)
            arrive(step, unit, machine, text_format("global: runs on every machine that matches"));
        return refusal.kind == REFUSAL_NONE;
    }
    bool leaves = refusal.kind != REFUSAL_NONE || move_goes_on(p);
    if (!leaves)
        keep(step, p);
    else if (step_is_released(p))
        drop(step, p, text_format("it may not run here any more, and it has stopped"));
    else if (p->want != WANT_RELEASE)
        release(step, p, refusal_reason(step, p, &refusal));
    return refusal.kind == REFUSAL_NONE;
}

static void decide_global(struct step *step, struct unit *unit)
{
    size_t count = 0;
    for (size_t i = 0; i < step->model->machine_count; i++)
        count += decide_global_on(step, unit, step->model->machines_by_id[i]);
    if (count == 0)
        nowhere(step, unit, NULL);
    else
        somewhere(step, unit);
    set_pending(step, unit, true); /* each new machine is for it, too */
}

/* --- any unit --- */

static int compare_placements(const struct placement *a, const struct placement *b)
{
    return strcmp(a->key.machine->id, b->key.machine->id);
}

void step_unit(struct step *step, struct unit *unit)
{
    if (unit->placements && unit->placements->unit_next)
        LL_SORT2(unit->placements, compare_placements, unit_next);
    if (!unit_is_wanted(unit)) {
        set_pending(step, unit, false);
        give_up_others(step, unit, NULL,
                       unit->exists ? "the unit is to be inactive" : "the unit is destroyed");
        clear_verdict(step, unit, "it is not wanted any more");
    } else if (!unit_rules(unit)) {
        set_pending(step, unit, false);
        give_verdict(step, unit, VERDICT_UNREADABLE, text_format("%s", unit_problem(unit)));
    } else if (unit_rules(unit)->global) {
        decide_global(step, unit);
    } else {
        decide_single(step, unit);
    }
}
