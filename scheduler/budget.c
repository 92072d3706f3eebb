/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/budget.h"

#include "scheduler/party.h"
#include "scheduler/step.h"

enum { TEMPLATE_SHARE = 10, CLUSTER_SHARE = 20 };

static size_t at_least_one(size_t share)
{
    return share > 0 ? share : 1;
}

/* Its state can be believed, and answers an order to run. */
static bool copy_is(const struct placement *p, enum copy_health health)
{
    return placement_holds(p) && p->want == WANT_RUN && p->health == health &&
           placement_has_answered(p);
}

static bool has_copy(const struct unit *unit, enum copy_health health)
{
    const struct placement *p = NULL;
    LL_FOREACH2(unit->placements, p, unit_next)
        if (copy_is(p, health))
            return true;
    return false;
}

bool unit_is_up(const struct unit *unit)
{
    return !unit_is_wanted(unit) || unit->desired != DESIRED_LAUNCHED || has_copy(unit, COPY_UP);
}

bool unit_has_failed(const struct unit *unit)
{
    return !unit_is_up(unit) && has_copy(unit, COPY_FAILED);
}

/* It may take its time: nobody carries the move on before the unit's text can be read. */
static bool is_stranded(const struct placement *p)
{
    return unit_is_wanted(p->key.unit) && !unit_rules(p->key.unit) &&
           (p->want != WANT_RELEASE || step_is_released(p));
}

/* --- what is kept --- */

static struct family *family_of(const struct unit *unit)
{
    return unit->group ? unit->group->family : NULL;
}

/* On a machine that is gone nothing comes of it. */
static bool copy_moves(const struct placement *p)
{
    return placement_moves(p) && p->key.machine->registration > 0 && !is_stranded(p);
}

/* A unit and its successor are one move; who is left alone has arrived. */
static bool moves_as_one(const struct unit *unit)
{
    const struct placement *p = NULL;
    const struct family *family = family_of(unit);
    size_t copies = 0;
    bool succeeds = false;
    if (!family || family->succeeding == 0)
        return false;
    LL_FOREACH2(unit->placements, p, unit_next) {
        copies += p->assignment_mod > 0;
        succeeds = succeeds || (p->succeeds && p->want != WANT_RELEASE &&
                                p->cause != MOVE_CAUSE_NONE && !is_stranded(p));
    }
    return succeeds && copies > 1;
}

static size_t moves_of(const struct unit *unit)
{
    const struct placement *p = NULL;
    size_t count = 0;
    if (unit->moves_as_one)
        return 1;
    LL_FOREACH2(unit->placements, p, unit_next)
        count += p->is_moving;
    return count;
}

static void note_succeeds(struct placement *p)
{
    struct family *family = family_of(p->key.unit);
    if (p->is_succeeding == p->succeeds)
        return;
    family->succeeding += (size_t)p->succeeds - p->is_succeeding;
    p->is_succeeding = p->succeeds;
}

/* Of a unit that runs everywhere the other copies are not asked. */
static void note_move(struct model *model, struct placement *p)
{
    struct unit *unit = p->key.unit;
    bool as_one = moves_as_one(unit);
    bool moves = copy_moves(p);
    if (as_one == unit->moves_as_one) {
        if (!as_one)
            model->moves_known += (size_t)moves - p->is_moving;
        p->is_moving = moves;
        return;
    }
    model->moves_known -= moves_of(unit);
    unit->moves_as_one = as_one;
    p->is_moving = moves;
    model->moves_known += moves_of(unit);
}

/* It is up if this copy is; if not, any other will do. */
static void note_up(struct placement *p)
{
    struct unit *unit = p->key.unit;
    bool is_up = copy_is(p, COPY_UP);
    if (!unit_is_wanted(unit) || (unit->is_down ? !is_up : is_up || unit_is_up(unit)))
        return;
    unit->is_down = !unit->is_down;
    unit->group->family->down += unit->is_down ? 1 : (size_t)-1;
}

void budget_note_copy(struct model *model, struct placement *p)
{
    note_succeeds(p);
    note_move(model, p);
    note_up(p);
}

void budget_note_machine(struct model *model, const struct machine *machine)
{
    struct placement *p = NULL;
    DL_FOREACH2(machine->placements, p, machine_next)
        budget_note_copy(model, p);
}

void budget_forget_unit(struct model *model, struct unit *unit)
{
    struct family *family = family_of(unit);
    if (!unit_is_wanted(unit))
        return;
    model->wanted_count--;
    family->wanted--;
    family->down -= unit->is_down;
    unit->is_down = false;
}

void budget_note_unit(struct model *model, struct unit *unit)
{
    struct family *family = family_of(unit);
    struct placement *p = NULL;
    LL_FOREACH2(unit->placements, p, unit_next)
        note_move(model, p);
    if (!unit_is_wanted(unit))
        return;
    model->wanted_count++;
    family->wanted++;
    unit->is_down = !unit_is_up(unit);
    family->down += unit->is_down;
}

static void forget_copies(struct unit *unit)
{
    struct placement *p = NULL;
    unit->moves_as_one = false;
    LL_FOREACH2(unit->placements, p, unit_next) {
        p->is_moving = false;
        p->is_succeeding = false;
    }
}

static void note_copies(struct model *model, struct unit *unit)
{
    struct placement *p = NULL;
    LL_FOREACH2(unit->placements, p, unit_next)
        budget_note_copy(model, p);
}

void budget_count_anew(struct model *model)
{
    model->moves_known = 0;
    for (size_t i = 0; i < model->units.room; i++) {
        struct unit *unit = model->units.slots[i];
        if (!unit)
            continue;
        if (unit->group)
            unit->group->family->succeeding = 0;
        budget_forget_unit(model, unit);
        forget_copies(unit);
    }
    for (size_t i = 0; i < model->units.room; i++) {
        if (!model->units.slots[i])
            continue;
        budget_note_unit(model, model->units.slots[i]);
        note_copies(model, model->units.slots[i]);
    }
}

/* --- within a step --- */

static struct family *family_in_step(const struct model *model, const struct unit *unit)
{
    struct family *family = family_of(unit);
    if (family && family->budget_round != model->budget_round) {
        family->budget_round = model->budget_round;
        family->taken = 0;
    }
    return family;
}

/* Of the copies of one unit that the step has decided of the first stands for all. */
static bool is_first_touched(const struct placement *placement)
{
    const struct placement *p = NULL;
    LL_FOREACH2(placement->key.unit->placements, p, unit_next)
        if (p->touched && !p->is_newcomer)
            return p == placement;
    return false;
}

void budget_begin(struct model *model, struct placement *const *touched, size_t count)
{
    model->budget_round++;
    model->moving_count = model->moves_known;
    model->effort.counted += count;
    for (size_t i = 0; i < count; i++) {
        const struct unit *unit = touched[i]->key.unit;
        if (unit_is_wanted(unit) && !unit->is_down && !unit_is_up(unit) &&
            is_first_touched(touched[i]))
            family_in_step(model, unit)->taken++;
    }
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* What is down of a template already, and comes along. */
static size_t count_down(struct unit *const *units, size_t count, const struct family *family)
{
    size_t down = 0;
    for (size_t i = 0; i < count; i++)
        down += family_of(units[i]) == family && !unit_is_up(units[i]);
    return down;
}

static bool family_allows(const struct model *model, struct unit *const *units, size_t count,
                          size_t i, size_t at_a_time, struct text *why)
{
    const struct family *family = family_in_step(model, units[i]);
    if (!unit_is_wanted(units[i]))
        return true;
    size_t others_down = family->down + family->taken - count_down(units, count, family);
    size_t allowed = larger(at_least_one(family->wanted / TEMPLATE_SHARE), at_a_time);
    if (others_down < allowed)
        return true;
    if (why)
        text_addf(why, "%zu of %zu units of %s are down already, and no more than %zu may be",
                  others_down, family->wanted, family->name, allowed);
    return false;
}

static bool cluster_allows(const struct model *model, size_t at_a_time, struct text *why)
{
    size_t allowed = larger(at_least_one(model->wanted_count / CLUSTER_SHARE), at_a_time);
    if (model->moving_count < allowed)
        return true;
    if (why)
        text_addf(why, "%zu unit%s on the move already, and no more than %zu may be",
                  model->moving_count, model->moving_count == 1 ? " is" : "s are", allowed);
    return false;
}

bool budget_allows_beside(const struct model *model, struct text *why)
{
    return cluster_allows(model, 1, why);
}

void budget_take_beside(struct model *model)
{
    model->moving_count++;
}

static bool allows(const struct model *model, struct unit *const *units, size_t count,
                   size_t at_a_time, struct text *why)
{
    for (size_t i = 0; i < count; i++)
        if (!unit_has_failed(units[i]) && !(cluster_allows(model, at_a_time, why) &&
                                            family_allows(model, units, count, i, at_a_time, why)))
            return false;
    return true;
}

bool budget_allows_of(const struct model *model, struct unit *unit, size_t at_a_time,
                      struct text *why)
{
    return allows(model, &unit, 1, at_a_time, why);
}

bool budget_allows(const struct model *model, struct unit *unit, struct text *why)
{
    return allows(model, &unit, 1, 1, why);
}

bool budget_allows_all(const struct model *model, const struct party *party, struct text *why)
{
    return allows(model, party->members, party->count, 1, why);
}

bool budget_has_room(const struct model *model)
{
    return model->moving_count < at_least_one(model->wanted_count / CLUSTER_SHARE);
}

void budget_take(struct model *model, const struct unit *unit)
{
    model->moving_count++;
    if (unit_is_up(unit))
        budget_note_down(model, unit);
}

void budget_note_down(struct model *model, const struct unit *unit)
{
    if (unit_is_wanted(unit))
        family_in_step(model, unit)->taken++;
}
