/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Machines that are to be empty. Each unit goes by a planned move as soon as the budget lets it and
 * another machine would take it; those that run everywhere stop last, when nobody else is left.
 * What cannot go stays, runs on, and is told in ops/drain/<id>.
 */
#include <string.h>

#include "scheduler/budget.h"
#include "scheduler/party.h"
#include "scheduler/place.h"
#include "scheduler/refusals.h"
#include "scheduler/step.h"
#include "scheduler/succession.h"

enum { STUCK_MS = 10000 }; /* waiting for budget is worth a word after that */

/* What a look at one machine found. It is not repeated as long as it would find the same. */
struct look {
    bool may_begin;      /* the time is not over */
    struct text problem; /* of the first unit that does not go */
    size_t more;         /* others that do not */
    size_t left;         /* copies still assigned */
    size_t waiting;      /* of them wait for budget only */
    size_t going;        /* are being released, or have a successor on its way */
    size_t open;         /* whether they go may change by itself, or by what happens to others */
    size_t owed;         /* the time is over, and they have had a turn, but are not released yet */
};

/* --- words --- */

static char *drain_reason(const struct machine *machine)
{
    autotext reason = { 0 };
    text_add(&reason, "drain of ");
    machine_words(machine, &reason);
    return text_take(&reason);
}

static char *stop_first_reason(const struct placement *p)
{
    autofree char *reason = drain_reason(p->key.machine);
    const char *obstacle = succession_obstacle(p);
    return reason && obstacle ? text_format("%s; %s", reason, obstacle) : take_ptr(reason);
}

/* Where to say why a unit does not go; NULL: others of which that is said come before it. */
static struct text *words_for(struct look *look, struct text *words)
{
    return look->problem.length == 0 ? words : NULL;
}

/* It does not; why: as of words_for(). */
static void note(struct look *look, const struct unit *unit, const struct text *why)
{
    if (why)
        text_addf(&look->problem, "%s: %s", unit->name, why->data ? why->data : "");
    else
        look->more++;
}

static void note_as(struct look *look, const struct unit *unit, const char *why)
{
    autotext words = { 0 };
    text_add(&words, why);
    note(look, unit, words_for(look, &words));
}

/* --- one copy --- */

/* Would another machine take it, with all of its party that are here? Where the first goes, all
 * go. */
static bool can_go(struct step *step, const struct placement *p, const struct party *here,
                   struct text *why)
{
    struct party_lift lift = { .count = 0 };
    if (here->members[0] != p->key.unit) {
        if (why)
            text_addf(why, "goes where %s goes", here->members[0]->name);
        return false;
    }
    if (here->count > 1)
        party_lift(step->model, here, &lift);
    bool is_alone = here->count == 1 && !p->key.unit->follows;
    bool can = is_alone ? place_find(step->model, p->key.unit).machine != NULL
                        : place_find_party(step->model, here).machine != NULL;
    if (!can && why)
        refusals_words(step->model, here, why);
    party_set_down(step->model, &lift);
    return can;
}

static void no_successor_words(struct step *step, struct unit *unit, struct text *why)
{
    struct party alone;
    party_of_one(unit, &alone);
    if (place_find(step->model, unit).machine) /* what it could wait for is another matter */
        text_add(why, "no other machine is left to try it");
    else
        refusals_words(step->model, &alone, why);
}

/* It runs on until it is up elsewhere. */
static void look_at_start_first(struct step *step, struct placement *p, struct look *look)
{
    autotext words = { 0 };
    struct text *why = words_for(look, &words);
    const struct place place = succession_place(step, p);
    if (!place.machine) {
        if (why)
            no_successor_words(step, p->key.unit, why);
        note(look, p->key.unit, why);
    } else if (!succession_is_due(step, p->key.unit, why)) {
        note(look, p->key.unit, why);
    } else if (!budget_allows_beside(step_budget(step), why)) {
        look->waiting++;
        note(look, p->key.unit, why);
    } else {
        autofree char *reason = drain_reason(p->key.machine);
        step_succeed(step, p, &place, MOVE_CAUSE_DRAIN, reason ? reason : "");
        look->going++;
    }
}

/* It has had its turn, so now it stops first. */
static bool has_been_tried(const struct placement *p)
{
    return succession_applies(p) && unit_moves_in_vain(p->key.unit);
}

static void look_at_stop_first(struct step *step, struct placement *p, struct look *look)
{
    autotext words = { 0 };
    struct text *why = words_for(look, &words);
    struct party here;
    bool may_go = look->may_begin || has_been_tried(p);
    step_party_here(p, &here);
    if (!can_go(step, p, &here, why)) {
        note(look, p->key.unit, why);
        return;
    }
    look->owed += !look->may_begin && may_go;
    if (!budget_allows_all(step_budget(step), &here, why)) {
        look->waiting++;
        note(look, p->key.unit, why);
    } else if (!may_go) {
        note_as(look, p->key.unit, "its turn did not come in time");
    } else {
        autofree char *reason = stop_first_reason(p);
        step_release_party(step, p, MOVE_CAUSE_DRAIN, reason ? reason : "");
        look->going++;
    }
}

static void look_at_known(struct step *step, struct placement *p, struct look *look)
{
    const struct unit *unit = p->key.unit;
    const bool starts_first = succession_applies(p);
    look->open += starts_first || unit_is_tied(unit) || (unit->trouble && unit->trouble->kept);
    if (look->may_begin && starts_first)
        look_at_start_first(step, p, look);
    else
        look_at_stop_first(step, p, look);
}

/* A successor of it is to run, or was. */
static bool has_had_a_turn(const struct placement *p)
{
    struct succession s;
    if (unit_find_succession(p->key.unit, &s))
        return p == s.old && s.next->want == WANT_RUN;
    return has_been_tried(p);
}

/* It is to have been gone by now, whatever becomes of its successor. */
static void hurry(struct step *step, struct placement *p)
{
    autotext reason = { 0 };
    text_add(&reason, "the time is over for the drain of ");
    machine_words(p->key.machine, &reason);
    step_release(step, p, MOVE_CAUSE_DRAIN, text_take(&reason));
}

/* Nobody decides on it before its text can be read: not even what has been told to stop goes, but
 * where the unit is not wanted any more. */
static bool is_left_as_it_is(const struct placement *p)
{
    return !unit_rules(p->key.unit) && !p->touched &&
           (unit_is_wanted(p->key.unit) || p->want != WANT_RELEASE);
}

static void look_at_single(struct step *step, struct placement *p, struct look *look)
{
    struct succession s = { 0 };
    if (is_left_as_it_is(p)) {
        note_as(look, p->key.unit, unit_problem(p->key.unit));
    } else if (p->want == WANT_RELEASE) {
        look->going++;
    } else if (p->touched || unit_find_succession(p->key.unit, &s)) {
        bool is_owed = !look->may_begin && has_had_a_turn(p);
        look->going++;
        look->open++;
        look->owed += is_owed;
        if (is_owed && !p->touched && !s.next->touched) /* this step has decided nothing of it */
            hurry(step, p);
    } else {
        look_at_known(step, p, look);
    }
}

static int compare_by_name(const struct placement *a, const struct placement *b)
{
    return strcmp(a->key.unit->name, b->key.unit->name);
}

static void look_at_globals(struct step *step, const struct machine *machine, struct look *look)
{
    struct placement *p = NULL;
    DL_FOREACH2(machine->placements, p, machine_next) {
        if (p->assignment_mod == 0 || !unit_is_global(p->key.unit))
            continue;
        bool is_going = p->want == WANT_RELEASE || p->touched;
        look->left++;
        look->going += is_going || look->may_begin;
        if (!is_going && look->may_begin)
            step_release(step, p, MOVE_CAUSE_DRAIN, drain_reason(machine));
    }
}

/* In the order of names, so that the same facts give the same plan. */
static void look_at(struct step *step, struct machine *machine, struct look *look)
{
    struct placement *p = NULL;
    DL_SORT2(machine->placements, compare_by_name, machine_prev, machine_next);
    DL_FOREACH2(machine->placements, p, machine_next) {
        if (p->assignment_mod == 0 || unit_is_global(p->key.unit))
            continue;
        look->left++;
        step->model->effort.drained++;
        if (machine->registration > 0)
            look_at_single(step, p, look);
        else /* it may be back */
            look->owed += !look->may_begin && has_had_a_turn(p);
    }
    if (look->left == 0 && machine->registration > 0)
        look_at_globals(step, machine, look);
}

/* --- telling --- */

/* False: it is written already. */
static bool report(struct step *step, const struct machine *machine, bool drained, bool expired,
                   const char *problem)
{
    const struct record_drain *now = &machine->drain;
    if (now->drained == drained && now->expired == expired && text_equal(now->problem, problem))
        return false;
    const char *what = drained    ? "nothing of ours is left there"
                       : expired  ? "the time is over"
                       : *problem ? problem
                                  : "it goes on";
    struct action *action = step_action(step, ACTION_DRAIN, NULL, machine, text_format("%s", what));
    if (!action)
        return true;
    action->more->op_mod = machine->drain_mod;
    const struct record_drain record = { .since_ms = now->since_ms,
                                         .timeout_ms = now->timeout_ms,
                                         .drained = drained,
                                         .expired = expired,
                                         .problem = strdup(problem) };
    action->more->drain = malloc(sizeof(*action->more->drain));
    if (action->more->drain)
        *action->more->drain = record;
    else
        free(record.problem);
    step->failed = step->failed || !action->more->drain || !record.problem;
    return true;
}

/* Some of it is under way, or was a moment ago. */
static bool goes_on(struct step *step, struct machine *machine, const struct look *look)
{
    if (look->going > 0 || look->waiting == 0) {
        machine->drain_stuck_since_ms = -1;
        return look->going > 0;
    }
    if (machine->drain_stuck_since_ms < 0)
        machine->drain_stuck_since_ms = step->clock->now_ms;
    return !step_is_past(step, machine->drain_stuck_since_ms + STUCK_MS);
}

/* 0: it is over. */
static int64_t time_left_ms(const struct step *step, const struct machine *machine)
{
    const struct record_drain *drain = &machine->drain;
    int64_t left_ms = drain->since_ms + drain->timeout_ms - step->clock->wall_ms;
    if (drain->timeout_ms == 0)
        return INT64_MAX;
    if (left_ms > drain->timeout_ms) /* clocks differ */
        return drain->timeout_ms;
    return left_ms > 0 ? left_ms : 0;
}

/* --- a machine where nothing happens --- */

/* What a step has decided already may count for those that it asks later; and so may what becomes
 * of a unit that a machine is kept for. */
static bool has_decided(const struct step *step)
{
    return step->touched_count > 0 || step->arrivals.machines || step->model->kept;
}

static bool rests(const struct step *step, const struct machine *machine)
{
    const struct model *model = step->model;
    return machine->drain_rests && machine->drain_eased_at == model->index.easings &&
           machine->drain_told_at == model->told.changes && !has_decided(step);
}

/* What is told to stop goes on stopping, and the others cannot go. */
static void note_rest(const struct step *step, struct machine *machine, const struct look *look)
{
    const struct model *model = step->model;
    machine->drain_rests = look->may_begin && look->left > 0 && machine->registration > 0 &&
                           look->waiting + look->owed + look->open == 0 && !has_decided(step);
    machine->drain_eased_at = model->index.easings;
    machine->drain_told_at = model->told.changes;
}

/* --- all of them --- */

static bool tell(struct step *step, struct machine *machine, const struct look *look)
{
    autotext problem = { 0 };
    bool quiet = goes_on(step, machine, look) && look->may_begin;
    if (look->problem.data && !quiet)
        text_add(&problem, look->problem.data);
    else if (quiet && look->going == 0) /* not for long, as far as this leader has seen */
        text_add(&problem, machine->drain.problem);
    if (look->more > 0 && !quiet)
        text_addf(&problem, "; and %zu more", look->more);
    return report(step, machine, look->left == 0,
                  look->left > 0 && !look->may_begin && look->owed == 0,
                  problem.data && look->left > 0 ? problem.data : "");
}

static void drain(struct step *step, struct machine *machine)
{
    int64_t left_ms = time_left_ms(step, machine);
    struct look look = { .may_begin = left_ms > 0 };
    bool has_rested = look.may_begin && rests(step, machine);
    if (!has_rested)
        look_at(step, machine, &look);
    if ((has_rested || look.left > 0) && look.may_begin && left_ms < INT64_MAX)
        step_wake_at(step, step->clock->now_ms + left_ms);
    if (has_rested)
        return;
    machine->drain_rests = false;
    if (!tell(step, machine, &look))
        note_rest(step, machine, &look);
    text_done(&look.problem);
}

static int compare_by_id(const struct machine *a, const struct machine *b)
{
    return strcmp(a->id, b->id);
}

void step_drains(struct step *step)
{
    struct machine *m = NULL;
    DL_SORT2(step->model->draining, compare_by_id, drain_prev, drain_next);
    DL_FOREACH2(step->model->draining, m, drain_next)
        if (machine_is_draining(m) && !m->drain.drained && !step->failed)
            drain(step, m);
}
