/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/sleepers.h"

#include "base/memory.h"

static bool has_a_past(const struct trouble *trouble)
{
    return trouble && (trouble->kept || (trouble->tried && *trouble->tried));
}

bool unit_shares_luck(struct model *model, const struct unit *unit)
{
    struct pattern **matched = NULL;
    return !unit->placements && !unit->follows && !has_a_past(unit->trouble) &&
           index_matched(model, unit, &matched) == unit->group->family->pattern_count;
}

/* --- a heap in each group, the oldest on top --- */

static void put_at(struct group *group, size_t i, struct unit *unit)
{
    group->asleep[i] = unit;
    unit->pending_at = (uint32_t)i;
}

static void rise(struct group *group, size_t i)
{
    struct unit *unit = group->asleep[i];
    while (i > 0 && unit_compare_ages(unit, group->asleep[(i - 1) / 2]) < 0) {
        put_at(group, i, group->asleep[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    put_at(group, i, unit);
}

static size_t older_child(const struct group *group, size_t i)
{
    size_t child = 2 * i + 1;
    bool other = child + 1 < group->asleep_count &&
                 unit_compare_ages(group->asleep[child + 1], group->asleep[child]) < 0;
    return child + other;
}

static void sink(struct group *group, size_t i)
{
    struct unit *unit = group->asleep[i];
    while (2 * i + 1 < group->asleep_count) {
        size_t child = older_child(group, i);
        if (unit_compare_ages(unit, group->asleep[child]) <= 0)
            break;
        put_at(group, i, group->asleep[child]);
        i = child;
    }
    put_at(group, i, unit);
}

/* The age of the one that is taken out may be another than when it was put in. */
static void take_out(struct group *group, size_t i)
{
    struct unit *last = group->asleep[--group->asleep_count];
    if (i == group->asleep_count)
        return;
    put_at(group, i, last);
    rise(group, i);
    sink(group, last->pending_at);
}

/* --- who sleeps --- */

static bool reserve_bed(struct group *group)
{
    struct unit **asleep =
        memory_grow_pointers(group->asleep, group->asleep_count, &group->asleep_room);
    if (asleep)
        group->asleep = asleep;
    return asleep != NULL;
}

void sleepers_add(struct model *model, struct unit *unit)
{
    struct group *group = unit->group;
    struct sleepers *sleepers = &model->sleepers;
    if (unit->is_asleep || !reserve_bed(group))
        return;
    if (sleepers_are_stale(model))
        sleepers_wake_all(model);
    sleepers->told_at = model->told.changes;
    model_leave_pending_units(model, unit);
    if (group->asleep_count == 0)
        DL_APPEND2(sleepers->groups, group, asleep_prev, asleep_next);
    unit->is_asleep = true;
    sleepers->count++;
    put_at(group, group->asleep_count++, unit);
    rise(group, unit->pending_at);
}

static void get_up(struct model *model, struct unit *unit)
{
    unit->is_asleep = false;
    model->sleepers.count--;
    model_join_pending_units(model, unit);
}

void sleepers_wake(struct model *model, struct unit *unit)
{
    struct group *group = unit->group;
    take_out(group, unit->pending_at);
    if (group->asleep_count == 0)
        DL_DELETE2(model->sleepers.groups, group, asleep_prev, asleep_next);
    get_up(model, unit);
}

void sleepers_wake_all(struct model *model)
{
    struct sleepers *sleepers = &model->sleepers;
    while (sleepers->groups) {
        struct group *group = sleepers->groups;
        DL_DELETE2(sleepers->groups, group, asleep_prev, asleep_next);
        while (group->asleep_count > 0)
            get_up(model, group->asleep[--group->asleep_count]);
    }
}

bool sleepers_are_stale(const struct model *model)
{
    return model->sleepers.count > 0 && model->sleepers.told_at != model->told.changes;
}

/* --- whose turn it is --- */

/* Whoever is marked has had its turn in this step. */
static void call(struct model *model, struct group *group, size_t count)
{
    struct unit *last = NULL;
    while (count > 0 && group->asleep_count > 0) {
        struct unit *unit = group->asleep[0];
        if (!unit->marked) {
            last = unit;
            count--;
        }
        model_mark_unit(model, unit);
    }
    if (last)
        last->speaks = true;
}

void sleepers_call_first(struct model *model)
{
    struct group *next = NULL;
    for (struct group *group = model->sleepers.groups; group; group = next) {
        next = group->asleep_next;
        group->called = 1;
        call(model, group, 1);
    }
}

void sleepers_call_more(struct model *model, struct group *group)
{
    group->called *= 2;
    call(model, group, group->called);
}
