/* SPDX-License-Identifier: Apache-2.0 */
/* What a step decides of units, written down as actions. */

#include "scheduler/budget.h"
#include "scheduler/place.h"
#include "scheduler/step.h"
#include "scheduler/succession.h"

/* --- words --- */

void step_lost_words(const struct machine *lost, struct text *words)
{
    if (!lost)
        return;
    text_add(words, "machine ");
    machine_words(lost, words);
    text_add(words, " is gone, and ");
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
    if (place->note)
        text_add(&reason, place->note);
    if (place->eligible > 0)
        place_words(place->eligible, place->load, place->wishes, &reason);
    return text_take(&reason);
}

/* --- verdicts --- */

void step_clear_verdict(struct step *step, struct unit *unit, const char *why)
{
    if (unit_verdict_mod(unit) == 0)
        return;
    struct action *action =
        step_action(step, ACTION_CLEAR_VERDICT, unit, NULL, text_format("%s", why));
    if (action)
        action->more->verdict_mod = unit_verdict_mod(unit);
}

/* Written only if it says something new: an idle cluster writes nothing. */
static void write_verdict(struct step *step, struct unit *unit, enum verdict_kind kind,
                          const struct machine *reserved, char *reason)
{
    if (reason && unit_verdict_holds(unit) && text_equal(unit->trouble->verdict_reason, reason)) {
        free(reason);
        return;
    }
    struct action *action = step_action(step, ACTION_VERDICT, unit, reserved, reason);
    if (!action)
        return;
    action->verdict = kind;
    action->unit_revision = unit->mod;
    action->more->unit_mod = unit->mod;
    action->more->verdict_mod = unit_verdict_mod(unit);
}

void step_give_verdict(struct step *step, struct unit *unit, enum verdict_kind kind, char *reason)
{
    write_verdict(step, unit, kind, NULL, reason);
}

void step_give_nowhere(struct step *step, struct unit *unit, const struct machine *reserved,
                       char *reason)
{
    autofree char *why = reason;
    autotext words = { 0 };
    if (reserved) {
        text_add(&words, "machine ");
        machine_words(reserved, &words);
        text_add(&words, " is reserved for it; ");
    }
    if (why)
        text_add(&words, why);
    else
        step->failed = true;
    write_verdict(step, unit, VERDICT_NOWHERE, reserved, text_take(&words));
}

/* --- writing assignments --- */

bool step_is_released(const struct placement *p)
{
    return p->want == WANT_RELEASE && p->state_mod > 0 &&
           p->released_revision == p->assignment_mod &&
           p->state_registration == p->key.machine->registration;
}

static struct action *assign(struct step *step, enum action_kind kind, const struct unit *unit,
                             const struct machine *machine, char *reason)
{
    struct action *action = step_action(step, kind, unit, machine, reason);
    if (!action)
        return NULL;
    action->blob = unit->blob;
    action->want = unit_want(unit);
    action->unit_revision = unit->mod;
    action->failover = unit->group->failover;
    action->registration = machine->registration;
    action->more->restart_revision = unit_restart_revision(unit);
    action->more->unit_mod = unit->mod;
    action->more->assignment_mod = 0;
    return action;
}

struct action *step_rewrite(struct step *step, struct placement *p, const char *blob, char *reason)
{
    struct action *action = assign(step, ACTION_ASSIGN, p->key.unit, p->key.machine, reason);
    if (action) {
        action->more->assignment_mod = p->assignment_mod;
        action->blob = blob;
    }
    step_plan_arrival(step, p);
    return action;
}

/* Whatever it goes for, there is less that others may take down. */
static void take_down(struct step *step, struct placement *p, bool moves)
{
    struct model *model = moves ? step_budget(step) : step->model;
    bool was_up = step->has_budget && unit_is_up(p->key.unit);
    if (moves)
        budget_take_beside(model);
    step_plan_leaving(step, p);
    if (was_up && !unit_is_up(p->key.unit))
        budget_note_down(model, p->key.unit);
}

struct action *step_release(struct step *step, struct placement *p, enum move_cause cause,
                            char *reason)
{
    const struct unit *unit = p->key.unit;
    struct succession on_the_way = { 0 };
    bool is_taken = unit_find_succession(unit, &on_the_way); /* of the budget, from its beginning */
    struct action *action = step_action(step, ACTION_ASSIGN, unit, p->key.machine, reason);
    if (!action)
        return NULL;
    action->blob = p->blob;
    action->want = WANT_RELEASE;
    action->cause = cause;
    if (on_the_way.next == p)
        action->more->moves_from = on_the_way.old->key.machine->id;
    action->unit_revision = unit->exists ? unit->mod : p->unit_revision;
    action->failover = p->failover;
    action->more->unit_mod = unit->mod;
    action->more->assignment_mod = p->assignment_mod;
    action->registration = p->key.machine->registration;
    take_down(step, p, cause != MOVE_CAUSE_NONE && !is_taken);
    return action;
}

void step_drop(struct step *step, struct placement *p, char *reason)
{
    struct action *action = step_action(step, ACTION_DROP, p->key.unit, p->key.machine, reason);
    if (!action)
        return;
    action->more->assignment_mod = p->assignment_mod;
    action->more->state_mod = p->state_mod;
    action->registration = p->key.machine->registration; /* 0: still absent */
    step_plan_leaving(step, p);
}

void step_drop_stopped(struct step *step, struct placement *p)
{
    step_drop(step, p,
              text_format("%s", p->cause == MOVE_CAUSE_PREEMPT
                                    ? "it has yielded its place, and no other machine has room"
                                    : "it has stopped, and no other machine may run it"));
}

/* What a move takes away, and what that rests on. */
static void move_off(struct step *step, struct action *action, struct placement *from)
{
    action->more->from_machine = from->key.machine->id;
    action->more->from_assignment_mod = from->assignment_mod;
    action->more->from_state_mod = from->state_mod;
    action->more->from_registration = from->key.machine->registration; /* 0: still absent */
    step_plan_leaving(step, from);
}

void step_move(struct step *step, struct placement *from, bool lost, const struct place *place)
{
    struct unit *unit = from->key.unit;
    struct placement *to = step_placement(step, place->machine, unit);
    struct action *action =
        to ? assign(step, ACTION_MOVE, unit, place->machine, move_reason(step, from, lost, place))
           : NULL;
    if (!action)
        return;
    move_off(step, action, from);
    step_plan_arrival(step, to);
}

static char *take_over_reason(const struct step *step, const struct placement *old)
{
    autotext reason = { 0 };
    if (old->key.machine->registration == 0) {
        gone_words(step, old->key.machine, &reason);
        text_add(&reason, ", and it was to move here");
    } else {
        text_add(&reason, "moved here from ");
        machine_words(old->key.machine, &reason);
        text_add(&reason, ", where it stopped once it ran here");
        if (old->cause != MOVE_CAUSE_NONE)
            text_addf(&reason, " (%s)", move_cause_name(old->cause));
    }
    return text_take(&reason);
}

void step_take_over(struct step *step, struct placement *old, struct placement *next)
{
    struct unit *unit = old->key.unit;
    struct action *action =
        assign(step, ACTION_MOVE, unit, next->key.machine, take_over_reason(step, old));
    if (!action)
        return;
    action->more->assignment_mod = next->assignment_mod;
    move_off(step, action, old);
    step_plan_arrival(step, next);
    step_clear_verdict(step, unit, "it has moved");
}

void step_release_for(struct step *step, struct placement *old, const struct placement *next,
                      char *reason)
{
    struct action *action = step_release(step, old, next->cause, reason);
    if (!action)
        return;
    action->more->successor = next->key.machine->id;
    action->more->successor_state_mod = next->state_mod;
    action->more->successor_registration = next->key.machine->registration;
}

struct action *step_arrive(struct step *step, struct unit *unit, struct machine *machine,
                           char *reason)
{
    struct placement *to = step_placement(step, machine, unit);
    struct action *action = to ? assign(step, ACTION_ASSIGN, unit, machine, reason) : NULL;
    if (action)
        step_plan_arrival(step, to);
    if (!to)
        free(reason);
    return action;
}

/* Of one that has more to say. */
static struct action *assign_placed(struct step *step, const struct unit *unit,
                                    const struct place *place)
{
    char *note = text_format("%s", place->note ? place->note : "");
    struct action *action = assign(step, ACTION_ASSIGN, unit, place->machine, note);
    if (!action)
        return NULL;
    action->eligible = (uint32_t)place->eligible;
    action->load = (uint32_t)place->load;
    action->wishes = (uint8_t)place->wishes;
    return action;
}

void step_arrive_placed(struct step *step, struct unit *unit, const struct place *place)
{
    struct placement *to = step_placement(step, place->machine, unit);
    bool says_more = place->note || unit_restart_revision(unit) > 0;
    if (to &&
        (says_more ? assign_placed(step, unit, place) : step_action_placed(step, unit, place)))
        step_plan_arrival(step, to);
}
