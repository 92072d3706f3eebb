/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/replace.h"

#include "scheduler/askers.h"
#include "scheduler/failing.h"
#include "scheduler/index.h"
#include "scheduler/match.h"
#include "scheduler/reserve.h"
#include "scheduler/sleepers.h"

enum { REPLACED_MAX = 8 }; /* on one machine */

/* Who would have to leave one machine, lifted. */
struct leavers {
    struct party_lift lifts[REPLACED_MAX];
    size_t count;
    bool
        may_stay; /* one of them: nobody moves it, or knows yet where it is, or they are too many */
};

static bool must_go(const struct placement *p, const struct unit *unit)
{
    return placement_occupies(p) && unit_replaces(unit, p->key.unit);
}

/* Nobody stops it as long as its text cannot be read. */
static bool is_left_alone(const struct unit *unit)
{
    return unit->exists && !unit_rules(unit);
}

static void lift_leavers(struct model *model, const struct unit *unit,
                         const struct machine *machine, struct leavers *ret)
{
    struct placement *p = NULL;
    ret->count = 0;
    ret->may_stay = false;
    DL_FOREACH2(machine->placements, p, machine_next) {
        if (ret->may_stay) /* the others do not matter */
            return;
        if (!must_go(p, unit))
            continue;
        if (is_left_alone(p->key.unit) || ret->count == REPLACED_MAX ||
            p->assignment_mod == 0) /* it has only just come */
            ret->may_stay = true;
        else
            party_lift_one(model, p, &ret->lifts[ret->count++]);
    }
}

static void set_down(struct model *model, const struct leavers *leavers)
{
    for (size_t i = leavers->count; i-- > 0;)
        party_set_down(model, &leavers->lifts[i]);
}

/* One more level of load for each that would have to leave. False: it may not run there. */
static bool would_do(struct model *model, const struct unit *unit, const struct machine *machine,
                     struct merit *ret)
{
    struct leavers leavers;
    model->effort.trials++;
    lift_leavers(model, unit, machine, &leavers);
    bool fits = leavers.count > 0 && !leavers.may_stay &&
                match(model, unit, machine, MATCH_ARRIVE).kind == REFUSAL_NONE;
    if (fits)
        *ret = place_merit(model, unit, machine);
    ret->level += (unsigned int)leavers.count;
    set_down(model, &leavers);
    return fits;
}

/* Where others wait for the same nobody joins them. */
static bool is_free_for(const struct machine *machine, const struct unit *unit)
{
    return machine_is_open(machine) && (!machine->kept_for || machine->kept_for == unit);
}

/* In the order of their ids. */
static struct machine *ask_machines(struct model *model, const struct unit *unit,
                                    struct machine *const *machines, size_t count)
{
    struct machine *best = NULL;
    struct merit least = { 0 };
    for (size_t i = 0; i < count; i++) {
        struct machine *m = machines[i];
        struct merit merit = { 0 };
        if (!is_free_for(m, unit) || unit_has_tried(unit, m) || !place_drives_away(unit, m) ||
            !would_do(model, unit, m, &merit))
            continue;
        if (m->kept_for == unit && m->is_cleared) /* some may have left already */
            return m;
        if (!best || merit_compare(&merit, &least) < 0) {
            best = m;
            least = merit;
        }
    }
    return best;
}

/* Those that the group has not asked yet, or that something has happened to since. */
static struct machine *ask_for_group(struct model *model, const struct unit *unit)
{
    size_t count = 0;
    struct asker *asker = asker_get(model, unit->group);
    if (!asker) /* it can do without */
        return ask_machines(model, unit, model->machines_by_id, model->machine_count);
    struct machine *const *machines = asker_take(model, asker, &count);
    struct machine *best = ask_machines(model, unit, machines, count);
    if (best)
        asker_forget(model, unit->group);
    return best;
}

/* Whom place_find() has found no machine for finds one here only when something has eased. */
static struct machine *find_best(struct model *model, const struct unit *unit,
                                 const struct place *found)
{
    struct group *group = unit->group;
    bool is_noted = !found->machine && unit_shares_luck(model, unit);
    if (!is_noted)
        return ask_machines(model, unit, model->machines_by_id, model->machine_count);
    if (group->barred_at == model->index.easings)
        return NULL;
    struct machine *best = ask_for_group(model, unit);
    if (!best)
        group->barred_at = model->index.easings;
    return best;
}

/* Those that have had their turn in this step have the next. */
static void call(struct step *step, const struct unit *unit, const struct machine *machine)
{
    struct placement *p = NULL;
    DL_FOREACH2(machine->placements, p, machine_next) {
        if (!must_go(p, unit) || p->want == WANT_RELEASE)
            continue;
        model_mark_unit(step->model, p->key.unit);
        p->key.unit->revisit = true;
        step_wake_at(step, step->clock->now_ms);
    }
}

static void take_back(struct step *step, struct unit *unit)
{
    struct party party;
    party_of_one(unit, &party);
    step_unreserve(step, &party);
}

static const struct unit *find_replaced(const struct unit *unit, const struct machine *machine)
{
    const struct placement *p = NULL;
    DL_FOREACH2(machine->placements, p, machine_next)
        if (must_go(p, unit))
            return p->key.unit;
    return NULL;
}

/* Who is nowhere, and is to have this machine, is told whom it waits for, if that lasts. */
static void wait_for(struct step *step, struct unit *unit, const struct machine *machine)
{
    const struct unit *other = find_replaced(unit, machine);
    autotext words = { 0 };
    step_set_pending(step, unit, true);
    if (!other || unit_is_held_anywhere(unit) || !step_waits_long(step, unit))
        return;
    text_addf(&words, "waits for %s, which it replaces, to stop on ", other->name);
    machine_words(machine, &words);
    step_give_nowhere(step, unit, NULL, text_take(&words));
}

/* All that had to have left it. */
static bool is_ready(struct model *model, const struct unit *unit, const struct machine *kept)
{
    return kept && kept->is_cleared && !place_drives_away(unit, kept) &&
           match(model, unit, kept, MATCH_ARRIVE).kind == REFUSAL_NONE;
}

bool step_make_leave(struct step *step, struct unit *unit, struct place *found)
{
    struct machine *kept = unit->trouble ? unit->trouble->kept : NULL;
    if ((found->machine && !place_drives_away(unit, found->machine)) ||
        (kept && !kept->is_cleared && !kept->is_reserved)) /* others yield to it already */
        return false;
    if (is_ready(step->model, unit, kept)) {
        *found = (struct place){ .machine = kept, .note = "those that it replaces have left it" };
        return false;
    }
    struct machine *best = find_best(step->model, unit, found);
    if (!best && found->machine && found->machine->is_cleared) { /* for another, but they go */
        wait_for(step, unit, found->machine);
        return true;
    }
    if (!best)
        return false;
    if (!model_keep(step->model, best, unit, unit_priority(unit), false)) {
        step->failed = true;
        return false;
    }
    model_clear(step->model, best);
    take_back(step, unit);
    wait_for(step, unit, best);
    call(step, unit, best);
    return true;
}

bool replace_is_unknown(struct step *step, struct placement *p)
{
    if (p->want != WANT_RELEASE || p->cause != MOVE_CAUSE_REPLACE || step->model->has_decided)
        return false;
    p->key.unit->revisit = true;
    index_stir(step->model, p->key.machine); /* one that runs everywhere asks who changed */
    step_wake_at(step, step->clock->now_ms);
    return true;
}
