/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/budget.h"

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

/* On a machine that is gone nothing comes of it. A unit and its successor are one move. */
static size_t count_moves(const struct unit *unit)
{
    size_t count = 0;
    size_t copies = 0;
    bool succeeds = false;
    const struct placement *p = NULL;
    LL_FOREACH2(unit->placements, p, unit_next) {
        bool is_there = p->key.machine->registration > 0;
        copies += p->assignment_mod > 0;
        if (is_stranded(p))
            continue;
        count += placement_moves(p) && is_there;
        succeeds =
            succeeds || (p->succeeds && p->want != WANT_RELEASE && p->cause != MOVE_CAUSE_NONE);
    }
    return succeeds && copies > 1 ? 1 : count; /* who is left alone has arrived */
}

static void count_unit(struct model *model, const struct unit *unit)
{
    model->moving_count += count_moves(unit);
    struct family *family = unit->group ? unit->group->family : NULL;
    if (!family || !unit_is_wanted(unit))
        return;
    if (family->budget_round != model->budget_round) {
        family->budget_round = model->budget_round;
        family->wanted = 0;
        family->down = 0;
    }
    family->wanted++;
    family->down += !unit_is_up(unit);
}

void budget_count(struct model *model)
{
    model->budget_round++;
    model->moving_count = 0;
    for (size_t i = 0; i < model->units.room; i++)
        if (model->units.slots[i])
            count_unit(model, model->units.slots[i]);
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static bool family_allows(const struct model *model, const struct unit *unit, size_t at_a_time,
                          struct text *why)
{
    const struct family *family = unit->group ? unit->group->family : NULL;
    if (!family || family->budget_round != model->budget_round || !unit_is_wanted(unit))
        return true;
    size_t others_down = family->down - !unit_is_up(unit);
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
        text_addf(why, "%zu units are on the move already, and no more than %zu may be",
                  model->moving_count, allowed);
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

bool budget_allows_of(const struct model *model, const struct unit *unit, size_t at_a_time,
                      struct text *why)
{
    return unit_has_failed(unit) ||
           (cluster_allows(model, at_a_time, why) && family_allows(model, unit, at_a_time, why));
}

bool budget_allows(const struct model *model, const struct unit *unit, struct text *why)
{
    return budget_allows_of(model, unit, 1, why);
}

bool budget_has_room(const struct model *model)
{
    return model->moving_count < at_least_one(model->wanted_count / CLUSTER_SHARE);
}

void budget_take(struct model *model, const struct unit *unit)
{
    struct family *family = unit->group ? unit->group->family : NULL;
    model->moving_count++;
    if (family && family->budget_round == model->budget_round && unit_is_wanted(unit))
        family->down += unit_is_up(unit);
}
