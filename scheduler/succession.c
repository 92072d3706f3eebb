/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/succession.h"

#include "scheduler/failing.h"
#include "scheduler/failures.h"
#include "scheduler/party.h"

/* --- who is on the way --- */

bool unit_find_succession(const struct unit *unit, struct succession *ret)
{
    struct succession found = { 0 };
    size_t count = 0;
    struct placement *p = NULL;
    LL_FOREACH2(unit->placements, p, unit_next) {
        if (p->assignment_mod == 0)
            continue;
        bool succeeds =
            p->succeeds && (!found.next || p->assignment_mod > found.next->assignment_mod);
        found.old = succeeds ? found.next ? found.next : found.old : p;
        found.next = succeeds ? p : found.next;
        if (++count > 2) /* it runs everywhere */
            return false;
    }
    if (count != 2 || !found.next)
        return false;
    *ret = found;
    return true;
}

bool unit_moves_in_vain(const struct unit *unit)
{
    return unit_verdict_holds(unit) && unit->trouble->verdict_kind == VERDICT_MOVING;
}

static int64_t attempts_of(const struct unit *unit)
{
    return unit_moves_in_vain(unit) ? unit->trouble->attempts : 0;
}

/* --- who may have a successor --- */

static bool is_in_order(const struct unit *unit)
{
    return unit_rules(unit) && unit_rules(unit)->start_first && !unit_is_global(unit) &&
           unit->desired == DESIRED_LAUNCHED && !unit_is_tied(unit);
}

static bool is_only_copy(const struct placement *placement)
{
    const struct placement *p = NULL;
    LL_FOREACH2(placement->key.unit->placements, p, unit_next)
        if (p != placement && placement_occupies(p))
            return false;
    return true;
}

static bool is_active(const struct placement *p)
{
    return p->want == WANT_RUN && p->health == COPY_UP && placement_has_answered(p);
}

bool succession_applies(const struct placement *p)
{
    return is_in_order(p->key.unit) && is_active(p) && is_only_copy(p);
}

const char *succession_obstacle(const struct placement *p)
{
    const struct unit *unit = p->key.unit;
    if (!unit_rules(unit) || !unit_rules(unit)->start_first || unit->desired != DESIRED_LAUNCHED)
        return NULL;
    if (unit_is_tied(unit))
        return "stops first, as MachineOf= ties it to others";
    return is_active(p) ? NULL : "stops first, as it is not active";
}

/* --- how the successor does --- */

static bool is_up(const struct placement *p)
{
    return is_active(p) && (p->check == CHECK_NONE || p->check == CHECK_HEALTHY);
}

static bool is_late(struct step *step, struct unit *unit)
{
    struct trouble *trouble = step_trouble(step, unit);
    return trouble && step_has_lasted(step, unit, &trouble->succeeds_since_ms, SUCCESSION_UP_MS);
}

/* Why it is no good, in words after its machine; false: it may still be. */
static bool has_gone_wrong(struct step *step, const struct placement *next, struct text *why)
{
    struct unit *unit = next->key.unit;
    if (placement_has_answered(next) && next->health == COPY_FAILED)
        text_addf(why, "failed there: %s", failure_of(step->model, next));
    else if (placement_has_answered(next) && next->check == CHECK_UNHEALTHY)
        text_add(why, "was unhealthy there");
    else if (is_late(step, unit))
        text_addf(why, "was not %s there within %d s",
                  next->check == CHECK_STARTING ? "healthy" : "active", SUCCESSION_UP_MS / 1000);
    return why->length > 0;
}

/* --- giving it up --- */

static void tell_failure(struct step *step, const struct succession *s, const struct text *why)
{
    autotext words = { 0 };
    int64_t attempts = attempts_of(s->next->key.unit) + 1;
    text_add(&words, "it stays on ");
    machine_words(s->old->key.machine, &words);
    text_add(&words, ", as it cannot move to ");
    machine_words(s->next->key.machine, &words);
    text_addf(&words, ": it %s; ", why->data ? why->data : "");
    if (attempts >= SUCCESSION_MACHINES)
        text_add(&words, "enough machines have tried");
    else
        text_addf(&words, "another may try in %lld s",
                  (long long)(failing_wait_ms(attempts) / 1000));
    step_give_tried(step, s->next, VERDICT_MOVING, attempts, text_take(&words));
}

static void fail(struct step *step, const struct succession *s, const struct text *why)
{
    autotext reason = { 0 };
    const struct unit *unit = s->next->key.unit;
    if (!unit_moves_in_vain(unit) || !unit_has_tried(unit, s->next->key.machine)) {
        tell_failure(step, s, why);
        if (s->next->cause == MOVE_CAUSE_REBALANCE &&
            !rebalance_note_vain(step->model, unit, step->clock->now_ms))
            step->failed = true;
    }
    text_addf(&reason, "it %s, and runs on where it was, on ", why->data ? why->data : "");
    machine_words(s->old->key.machine, &reason);
    step_release(step, s->next, MOVE_CAUSE_NONE, text_take(&reason));
}

/* The old one's machine did not suit it. */
static bool is_forced(enum move_cause cause)
{
    return cause == MOVE_CAUSE_NONE || cause == MOVE_CAUSE_RULE;
}

/* Why the successor is not wanted any more; false: it is. */
static bool is_called_off(struct step *step, const struct succession *s,
                          const struct refusal *refusal, struct text *why)
{
    const struct unit *unit = s->next->key.unit;
    const struct refusal there = match(step->model, unit, s->next->key.machine, MATCH_STAY);
    if (!is_in_order(unit))
        text_add(why, "it is not to have two copies any more");
    else if (s->next->cause == MOVE_CAUSE_DRAIN && s->old->key.machine->drain_mod == 0)
        text_add(why, "the drain has been called off");
    else if (is_forced(s->next->cause) && refusal->kind == REFUSAL_NONE)
        text_add(why, "it may stay where it is");
    else if (there.kind != REFUSAL_NONE)
        refusal_words(step->model, unit, s->next->key.machine, &there, why);
    else if (machine_is_draining(s->next->key.machine))
        text_add(why, "this machine is to be empty, too");
    return why->length > 0;
}

/* --- going on --- */

static void let_old_go(struct step *step, const struct succession *s)
{
    autotext reason = { 0 };
    text_add(&reason, "runs on ");
    machine_words(s->next->key.machine, &reason);
    text_add(&reason, " now");
    step_release_for(step, s->old, s->next, text_take(&reason));
}

static void rewrite(struct step *step, const struct succession *s, const char *change)
{
    const struct unit *unit = s->next->key.unit;
    struct action *action = step_rewrite(step, s->next, unit->blob, text_format("%s", change));
    if (!action)
        return;
    action->cause = s->next->cause;
    action->more->moves_from = s->old->key.machine->id;
    if (unit->trouble) /* it has as much time as the first text had */
        unit->trouble->succeeds_since_ms = step->clock->now_ms;
}

/* Both are there, and both are to run. */
static void go_on(struct step *step, const struct succession *s)
{
    autotext why = { 0 };
    const struct unit *unit = s->next->key.unit;
    const struct refusal refusal = match(step->model, unit, s->old->key.machine, MATCH_STAY);
    const char *change = step_change_of(step, s->next);
    if (refusal.kind != REFUSAL_NONE &&
        !match_is_of_the_machine(step->model, unit, s->old->key.machine, &refusal)) {
        refusal_words(step->model, unit, s->old->key.machine, &refusal, &why);
        step_release(step, s->old, MOVE_CAUSE_NONE, text_take(&why));
    } else if (is_called_off(step, s, &refusal, &why)) {
        step_release(step, s->next, MOVE_CAUSE_NONE, text_take(&why));
    } else if (change) {
        rewrite(step, s, change);
    } else if (is_up(s->next)) {
        let_old_go(step, s);
    } else if (has_gone_wrong(step, s->next, &why)) {
        fail(step, s, &why);
    }
}

/* What has been given up stops; the old one is again all there is of the unit. */
static void end_in_vain(struct step *step, const struct succession *s)
{
    const struct unit *unit = s->old->key.unit;
    if (step_is_released(s->next))
        step_drop(step, s->next, text_format("it has stopped, and does not move here"));
    if (s->old->want != WANT_RELEASE &&
        match(step->model, unit, s->old->key.machine, MATCH_STAY).kind == REFUSAL_NONE)
        step_keep(step, s->old);
}

static void drop_gone_successor(struct step *step, const struct succession *s)
{
    step_drop(step, s->next, text_format("it was to move here, and this machine is gone"));
}

static void decide_present(struct step *step, const struct succession *s,
                           enum machine_status next_status)
{
    switch (next_status) {
    case MACHINE_LOST:
    case MACHINE_HELD: /* it gives nothing up: the old one is there */
        drop_gone_successor(step, s);
        return;
    case MACHINE_PRESENT:
        if (s->next->want == WANT_RELEASE)
            end_in_vain(step, s);
        else if (s->old->want != WANT_RELEASE)
            go_on(step, s);
        else if (step_is_released(s->old))
            step_take_over(step, s->old, s->next);
        return;
    case MACHINE_ABSENT:
    case MACHINE_STATUS_INVALID:
        return;
    }
}

/* The copy that was to follow is what is left of the unit, whatever the brake says: nothing is
 * started for it. If neither is there, what was told to stop goes, or else what may never have been
 * up; what is left fares as any other that is lost or held. */
static void decide_gone(struct step *step, const struct succession *s,
                        enum machine_status next_status)
{
    if (next_status == MACHINE_PRESENT && s->next->want != WANT_RELEASE)
        step_take_over(step, s->old, s->next);
    else if (next_status == MACHINE_PRESENT && step_is_released(s->next))
        step_drop(step, s->next, text_format("it has stopped, and does not move here"));
    else if ((next_status == MACHINE_LOST || next_status == MACHINE_HELD) &&
             s->old->want == WANT_RELEASE)
        step_drop(step, s->old, text_format("its machine is gone, and it was to move away"));
    else if (next_status == MACHINE_LOST || next_status == MACHINE_HELD)
        drop_gone_successor(step, s);
}

static void forget_wait(struct unit *unit)
{
    if (!unit->trouble || unit->trouble->succeeds_since_ms == 0)
        return;
    unit->trouble->succeeds_since_ms = 0;
    model_trouble_trim(unit);
}

bool step_succession(struct step *step, struct unit *unit)
{
    struct succession s;
    if (!unit_find_succession(unit, &s)) {
        forget_wait(unit);
        return false;
    }
    enum machine_status next_status = step_machine_status(step, s.next->key.machine);
    switch (step_machine_status(step, s.old->key.machine)) {
    case MACHINE_PRESENT:
        decide_present(step, &s, next_status);
        break;
    case MACHINE_LOST:
    case MACHINE_HELD:
        decide_gone(step, &s, next_status);
        break;
    case MACHINE_ABSENT:
    case MACHINE_STATUS_INVALID:
        break;
    }
    return true;
}

/* --- beginning --- */

bool succession_is_due(struct step *step, struct unit *unit, struct text *why)
{
    int64_t attempts = attempts_of(unit);
    if (attempts == 0 ||
        (attempts < SUCCESSION_MACHINES && step_has_waited(step, unit, failing_wait_ms(attempts))))
        return true;
    if (why)
        text_add(why, unit->trouble->verdict_reason);
    return false;
}

void step_succeed_on(struct step *step, struct placement *old, struct machine *machine,
                     enum move_cause cause, char *reason)
{
    struct unit *unit = old->key.unit;
    struct trouble *trouble = step_trouble(step, unit);
    step_plan_change(step, unit);
    struct action *action = step_arrive(step, unit, machine, reason);
    if (!trouble || !action)
        return;
    trouble->succeeds_since_ms = step->clock->now_ms;
    action->cause = cause;
    action->more->moves_from = old->key.machine->id;
    if (cause != MOVE_CAUSE_NONE)
        budget_take_beside(step_budget(step));
}

struct place succession_place(struct step *step, const struct placement *old)
{
    struct place place = attempts_of(old->key.unit) > 0 ? failing_place_alone(step, old)
                                                        : place_find(step->model, old->key.unit);
    if (place.machine == old->key.machine)
        place.machine = NULL;
    return place;
}

void step_succeed(struct step *step, struct placement *old, const struct place *place,
                  enum move_cause cause, const char *why)
{
    autotext reason = { 0 };
    text_addf(&reason, "%s: starts here before it stops there; ", why);
    place_words(place->eligible, place->load, place->wishes, &reason);
    step_succeed_on(step, old, place->machine, cause, text_take(&reason));
}

bool step_leaves_in_order(struct step *step, struct placement *p, const struct refusal *refusal,
                          enum move_cause cause, const char *why)
{
    struct unit *unit = p->key.unit;
    if (!succession_applies(p) || attempts_of(unit) >= SUCCESSION_MACHINES ||
        !match_is_of_the_machine(step->model, unit, p->key.machine, refusal))
        return false;
    if (!succession_is_due(step, unit, NULL))
        return true;
    const struct place place = succession_place(step, p);
    if (place.machine)
        step_succeed(step, p, &place, cause, why);
    return place.machine != NULL;
}

bool step_tells_of_vain_move(struct step *step, const struct placement *p)
{
    struct unit *unit = p->key.unit;
    return unit_moves_in_vain(unit) && (machine_is_draining(p->key.machine) ||
                                        !step_has_waited(step, unit, FAILING_FORGIVEN_MS));
}
