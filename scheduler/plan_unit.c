/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of one unit. For each copy the question is first whether its machine is there:
 *
 *              absent        lost                          present
 *   wanted     wait          move (Failover=never: wait)   stay | rewrite | release → ack → move
 *   unwanted   wait          drop                          release → ack → drop
 *
 * A unit with MoveOrder=start-first may have two copies while it moves: succession.c.
 */
#include <string.h>

#include "scheduler/askers.h"
#include "scheduler/failing.h"
#include "scheduler/party.h"
#include "scheduler/place.h"
#include "scheduler/preempt.h"
#include "scheduler/refusals.h"
#include "scheduler/replace.h"
#include "scheduler/reserve.h"
#include "scheduler/sleepers.h"
#include "scheduler/step.h"
#include "scheduler/succession.h"

enum { LINGERS_LONG_MS = 10000 }; /* waiting for one's turn is worth a word after that */

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

/* --- where it may run, or not --- */

static void tell_nowhere(struct step *step, const struct party *party, const struct machine *lost,
                         const struct machine *reserved)
{
    struct unit *unit = party->members[0];
    autotext reason = { 0 };
    step_lost_words(lost, &reason);
    refusals_words(step->model, party, &reason);
    refusals_note_told(step->model, unit, lost, reason.data);
    step_give_nowhere(step, unit, reserved, text_take(&reason));
}

/* Who lacks room waits by its own clock, until a machine is reserved for it. */
static bool may_sleep(struct model *model, const struct unit *unit, const struct place *place)
{
    return unit->trouble && !place->lacks_room && !unit_is_global(unit) && !unit_is_tied(unit) &&
           refusals_are_told(model, unit, NULL) && unit_shares_luck(model, unit);
}

/* place: what was found instead of one. */
static void nowhere(struct step *step, struct unit *unit, const struct machine *lost,
                    const struct place *place)
{
    struct party party;
    party_of_one(unit, &party);
    step_set_pending(step, unit, true);
    if (step_preempt(step, &party, lost != NULL, place->lacks_room))
        return;
    const struct machine *reserved = step_reserve(step, &party, place->lacks_room);
    if (reserved || !refusals_are_told(step->model, unit, lost))
        tell_nowhere(step, &party, lost, reserved);
    if (may_sleep(step->model, unit, place))
        sleepers_add(step->model, unit);
}

static void somewhere(struct step *step, struct unit *unit)
{
    step_set_pending(step, unit, false);
    step_clear_verdict(step, unit,
                       unit_is_failing(unit) ? "it no longer fails" : "it has a machine");
}

/* It has been given a place that the store may yet refuse, say because the machine went meanwhile:
 * until the assignment is seen, whatever changes anything for waiting units wakes this one, too. */
void step_soon(struct step *step, struct unit *unit)
{
    step_set_pending(step, unit, true);
    if (!unit->trouble)
        return;
    model_forget_short(step->model, unit);
    if (!unit_is_failing(unit))
        step_clear_verdict(step, unit, "it gets a machine");
}

/* --- one copy --- */

static void release(struct step *step, struct placement *p, char *reason)
{
    step_release(step, p, MOVE_CAUSE_NONE, reason);
}

/* A copy that nobody wants here any more. */
static void give_up(struct step *step, struct placement *p, const char *why)
{
    switch (step_machine_status(step, p->key.machine)) {
    case MACHINE_HELD: /* nobody is moved anywhere by that */
    case MACHINE_LOST:
        step_drop(step, p, text_format("%s, and its machine is lost", why));
        return;
    case MACHINE_PRESENT:
        if (step_is_released(p))
            step_drop(step, p, text_format("%s, and it has stopped", why));
        else if (p->want != WANT_RELEASE)
            release(step, p, text_format("%s", why));
        return;
    case MACHINE_ABSENT:
    case MACHINE_STATUS_INVALID:
        return;
    }
}

/* That the copy is to have. */
static const char *text_of(const struct step *step, const struct placement *p)
{
    return step_rollout_holds(step, p->key.unit) ? p->blob : p->key.unit->blob;
}

/* It is to be started anew in its turn, and has not had it. */
static bool would_restart_early(const struct step *step, const struct placement *p)
{
    return p->assignment_mod < unit_restart_revision(p->key.unit) &&
           step_rollout_holds(step, p->key.unit);
}

const char *step_change_of(const struct step *step, const struct placement *p)
{
    const struct unit *unit = p->key.unit;
    if (p->want == WANT_RELEASE)
        return "wanted here again";
    if (p->blob != text_of(step, p))
        return "its text has changed";
    if (p->want != unit_want(unit))
        return unit->desired == DESIRED_LAUNCHED ? "to be launched" : "to be loaded only";
    if (would_restart_early(step, p))
        return NULL;
    if (p->unit_revision != unit->mod)
        return "asked for again";
    return p->failover != unit->group->failover ? "its Failover= has changed" : NULL;
}

void step_keep(struct step *step, struct placement *p)
{
    const char *change = step_change_of(step, p);
    if (!change && p->succeeds)
        change = "the copy that it was to follow is gone";
    if (change)
        (void)step_rewrite(step, p, text_of(step, p), text_format("%s", change));
}

/* never: which of its party says so. */
static void stays(struct step *step, struct placement *p, const struct unit *never)
{
    autotext reason = { 0 };
    text_add(&reason, "machine ");
    machine_words(p->key.machine, &reason);
    text_addf(&reason,
              " is gone and %s%sFailover=never: its state is unknown until the machine is back",
              never == p->key.unit ? "" : never->name,
              never == p->key.unit ? "" : ", which MachineOf= ties it to, has ");
    step_set_pending(step, p->key.unit, false);
    step_give_verdict(step, p->key.unit, VERDICT_NEVER, text_take(&reason));
}

static void decide_held(struct step *step, struct placement *p)
{
    const struct unit *never = step_party_never(step, p);
    if (never) {
        stays(step, p, never);
        return;
    }
    step_set_pending(step, p->key.unit, false);
    step_give_verdict(step, p->key.unit, VERDICT_HELD, step_brake_words(step, p->key.machine));
}

static void relocate(struct step *step, struct placement *p, bool lost)
{
    struct unit *unit = p->key.unit;
    if (step_party(step, unit))
        return;
    struct place place = place_find(step->model, unit);
    if (step_replace(step, unit, &place))
        return;
    if (place.machine) {
        step_move(step, p, lost, &place);
        step_soon(step, unit);
        return;
    }
    if (!lost)
        step_drop_stopped(step, p);
    nowhere(step, unit, lost ? p->key.machine : NULL, &place);
}

/* It may stay, and still a planned move that has begun is carried through. */
bool step_move_goes_on(const struct placement *p)
{
    if (!placement_moves(p))
        return false;
    if (p->cause == MOVE_CAUSE_RULE || p->cause == MOVE_CAUSE_REPLACE)
        return false;
    if (p->cause == MOVE_CAUSE_FAILING)
        return failing_goes_on(p);
    if (p->cause == MOVE_CAUSE_PREEMPT)
        return preempt_goes_on(p);
    return p->cause != MOVE_CAUSE_DRAIN || p->key.machine->drain_mod > 0;
}

static struct place next_place(struct step *step, struct placement *p)
{
    if (p->cause == MOVE_CAUSE_FAILING)
        return failing_place_alone(step, p);
    return p->cause == MOVE_CAUSE_REBALANCE ? place_find_anew(step->model, p)
                                            : place_find(step->model, p->key.unit);
}

/* Released by a planned move; if no other machine takes it any more, it is better off here. */
static void finish_move(struct step *step, struct placement *p)
{
    if (step_party(step, p->key.unit))
        return;
    struct place place = next_place(step, p);
    if (step_replace(step, p->key.unit, &place))
        return;
    if (!place.machine && p->cause == MOVE_CAUSE_PREEMPT) {
        step_drop_stopped(step, p);
        nowhere(step, p->key.unit, NULL, &place);
        return;
    }
    if (!place.machine || place.machine == p->key.machine) {
        step_keep(step, p);
        return;
    }
    step_move(step, p, false, &place);
    step_soon(step, p->key.unit);
}

static void forget_lingering(struct unit *unit)
{
    if (!unit->trouble)
        return;
    unit->trouble->lingers_since_ms = 0;
    model_trouble_trim(unit);
}

static void stay(struct step *step, struct placement *p)
{
    struct unit *unit = p->key.unit;
    step_keep(step, p);
    if (step_failing(step, p))
        step_set_pending(step, unit, unit->trouble && unit->trouble->lacks_machine);
    else if (step_tells_of_vain_move(step, p))
        step_set_pending(step, unit, false);
    else
        somewhere(step, unit);
    forget_lingering(unit);
}

/* Many may have lost their machines by one edit: they go as the budget lets them. */
static bool have_budget(struct step *step, const struct placement *p)
{
    struct party leaving;
    step_party_leaving(p, &leaving);
    return budget_allows_all(step_budget(step), &leaving, NULL);
}

/* It is there, to stop now or later: what was said while its machine was away is not true any more.
 */
static void clear_of_loss(struct step *step, struct unit *unit)
{
    enum verdict_kind kind = unit->trouble ? unit->trouble->verdict_kind : VERDICT_UNKNOWN;
    if (kind == VERDICT_NOWHERE || kind == VERDICT_HELD || kind == VERDICT_NEVER)
        step_clear_verdict(step, unit, "it has a machine");
}

/* It is told without figures, or it would be told anew with each that leaves. */
static void linger(struct step *step, struct placement *p, const struct refusal *refusal)
{
    struct unit *unit = p->key.unit;
    struct trouble *trouble = step_trouble(step, unit);
    unit->revisit = true;
    if (!trouble || !step_has_lasted(step, unit, &trouble->lingers_since_ms, LINGERS_LONG_MS)) {
        clear_of_loss(step, unit);
        return;
    }
    autofree char *reason = refusal_reason(step, p, refusal);
    step_give_verdict(step, unit, VERDICT_LEAVING,
                      text_format("%s; it waits for its turn, as others are down or on the move",
                                  reason ? reason : ""));
}

static void stop_lingering(struct step *step, struct unit *unit)
{
    if (unit->trouble && unit->trouble->verdict_kind == VERDICT_LEAVING)
        step_clear_verdict(step, unit, "it leaves");
    forget_lingering(unit);
}

static enum move_cause cause_to_leave(const struct placement *p, const struct refusal *refusal,
                                      bool may_linger)
{
    if (may_linger)
        return MOVE_CAUSE_RULE;
    return refusal->kind == REFUSAL_REPLACED && p->key.machine->is_cleared ? MOVE_CAUSE_REPLACE
                                                                           : MOVE_CAUSE_NONE;
}

/* It may not stay. */
static void leave(struct step *step, struct placement *p, const struct refusal *refusal)
{
    bool may_linger = match_may_linger(step->model, p, refusal);
    bool may_stop = !may_linger || have_budget(step, p);
    bool may_succeed = !may_linger || budget_allows_beside(step_budget(step), NULL);
    if (!may_stop && !(may_succeed && succession_applies(p))) {
        linger(step, p, refusal);
        return;
    }
    autofree char *reason = refusal_reason(step, p, refusal);
    enum move_cause cause = cause_to_leave(p, refusal, may_linger);
    if (may_succeed && step_leaves_in_order(step, p, refusal, cause, reason ? reason : "")) {
        stop_lingering(step, p->key.unit);
        return;
    }
    if (!may_stop) {
        linger(step, p, refusal);
        return;
    }
    step_release(step, p, cause, take_ptr(reason));
    stop_lingering(step, p->key.unit);
}

/* The one copy that counts, on a machine that is there. */
static void decide_present(struct step *step, struct placement *p)
{
    const struct refusal refusal = match(step->model, p->key.unit, p->key.machine, MATCH_STAY);
    if (refusal.kind == REFUSAL_NONE && step_move_goes_on(p)) {
        if (step_is_released(p))
            finish_move(step, p);
        else
            clear_of_loss(step, p->key.unit);
    } else if (refusal.kind == REFUSAL_NONE) {
        if (!replace_is_unknown(step, p))
            stay(step, p);
    } else if (step_is_released(p)) {
        relocate(step, p, false);
    } else if (p->want != WANT_RELEASE) {
        leave(step, p, &refusal);
    } else {
        clear_of_loss(step, p->key.unit);
    }
}

static void decide_lost(struct step *step, struct placement *p)
{
    const struct unit *never = step_party_never(step, p);
    if (never)
        stays(step, p, never);
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
struct placement *step_find_home(struct step *step, const struct unit *unit)
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
    if (step_party(step, unit))
        return;
    struct place place = place_find(step->model, unit);
    if (step_replace(step, unit, &place))
        return;
    if (!place.machine) {
        nowhere(step, unit, NULL, &place);
        return;
    }
    step_arrive_placed(step, unit, &place);
    step_soon(step, unit);
}

/* It has no copy, and nothing has ever been said of it. */
static bool is_new(const struct unit *unit)
{
    return !unit->placements && !unit->trouble;
}

static void decide_single(struct step *step, struct unit *unit)
{
    if (unit->settled)
        return;
    if (is_new(unit)) {
        decide_homeless(step, unit);
        return;
    }
    if (step_succession(step, unit))
        return;
    struct placement *home = step_find_home(step, unit);
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

static void leave_for_good(struct step *step, struct placement *p, const struct refusal *refusal)
{
    if (step_is_released(p))
        step_drop(step, p, text_format("it may not run here any more, and it has stopped"));
    else if (p->want != WANT_RELEASE)
        step_release(step, p, cause_to_leave(p, refusal, false), refusal_reason(step, p, refusal));
}

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
            step_arrive(step, unit, machine,
                        text_format("global: runs on every machine that matches"));
        return refusal.kind == REFUSAL_NONE;
    }
    bool leaves = refusal.kind != REFUSAL_NONE || step_move_goes_on(p);
    if (leaves)
        leave_for_good(step, p, &refusal);
    else if (!replace_is_unknown(step, p))
        step_keep(step, p);
    return refusal.kind == REFUSAL_NONE;
}

/* Who follows others goes by what becomes of them, too. */
static void decide_global(struct step *step, struct unit *unit)
{
    size_t count = 0;
    struct asker *asker = asker_get(step->model, unit);
    if (!asker) {
        step->failed = true;
        return;
    }
    asker->asks_all = asker->asks_all || unit->follows;
    struct machine *const *asked = asker_take(step->model, asker, &count);
    for (size_t i = 0; i < count; i++)
        asker_note(asker, asked[i], decide_global_on(step, unit, asked[i]));
    if (asker->count == 0)
        nowhere(step, unit, NULL, &(const struct place){ 0 });
    else
        somewhere(step, unit);
    step_set_pending(step, unit, true); /* each new machine is for it, too */
}

/* --- any unit --- */

static int compare_placements(const struct placement *a, const struct placement *b)
{
    return strcmp(a->key.machine->id, b->key.machine->id);
}

/* What runs everywhere goes by machines: to sort all of its copies would cost more than to ask
 * those that changed. */
static void sort_copies(struct unit *unit)
{
    if (unit->placements && unit->placements->unit_next)
        LL_SORT2(unit->placements, compare_placements, unit_next);
}

void step_unit(struct step *step, struct unit *unit)
{
    if (!unit_is_global(unit) || !unit_is_wanted(unit))
        sort_copies(unit);
    if (!unit_is_wanted(unit)) {
        step_set_pending(step, unit, false);
        give_up_others(step, unit, NULL,
                       unit->exists ? "the unit is to be inactive" : "the unit is destroyed");
        step_clear_verdict(step, unit, "it is not wanted any more");
    } else if (!unit_rules(unit)) {
        step_set_pending(step, unit, false);
        step_give_verdict(step, unit, VERDICT_UNREADABLE, text_format("%s", unit_problem(unit)));
    } else if (unit_is_global(unit)) {
        decide_global(step, unit);
    } else {
        decide_single(step, unit);
    }
}
