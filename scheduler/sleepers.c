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

/* --- a heap for each group --- */

static void put_at(struct sleepers *heap, size_t i, struct unit *unit)
{
    heap->units[i] = unit;
    unit->pending_at = (uint32_t)i;
}

static void rise(struct sleepers *heap, size_t i)
{
    struct unit *unit = heap->units[i];
    while (i > 0 && unit_compare_ages(unit, heap->units[(i - 1) / 2]) < 0) {
        put_at(heap, i, heap->units[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    put_at(heap, i, unit);
}

static size_t older_child(const struct sleepers *heap, size_t i)
{
    size_t child = 2 * i + 1;
    bool other = child + 1 < heap->count &&
                 unit_compare_ages(heap->units[child + 1], heap->units[child]) < 0;
    return child + other;
}

static void sink(struct sleepers *heap, size_t i)
{
    struct unit *unit = heap->units[i];
    while (2 * i + 1 < heap->count) {
        size_t child = older_child(heap, i);
        if (unit_compare_ages(unit, heap->units[child]) <= 0)
            break;
        put_at(heap, i, heap->units[child]);
        i = child;
    }
    put_at(heap, i, unit);
}

/* The age of the one that is taken out may be another than when it was put in. */
static void take_out(struct sleepers *heap, size_t i)
{
    struct unit *last = heap->units[--heap->count];
    if (i == heap->count)
        return;
    put_at(heap, i, last);
    rise(heap, i);
    sink(heap, last->pending_at);
}

/* --- who sleeps --- */

/* With room for one more; NULL: there is no memory. */
static struct sleepers *get_heap(struct group *group)
{
    if (!group->asleep)
        group->asleep = calloc(1, sizeof(*group->asleep));
    struct sleepers *heap = group->asleep;
    struct unit **units = heap ? memory_grow_pointers(heap->units, heap->count, &heap->room) : NULL;
    if (!units)
        return NULL;
    heap->units = units;
    return heap;
}

void sleepers_free(struct sleepers *sleepers)
{
    if (sleepers)
        free(sleepers->units);
    free(sleepers);
}

void sleepers_add(struct model *model, struct unit *unit)
{
    struct sleepers *heap = unit->is_asleep ? NULL : get_heap(unit->group);
    if (!heap)
        return;
    if (sleepers_are_stale(model))
        sleepers_wake_all(model);
    model->sleep.told_at = model->told.changes;
    model_leave_pending_units(model, unit);
    if (heap->count == 0)
        DL_APPEND(model->sleep.groups, heap);
    unit->is_asleep = true;
    model->sleep.count++;
    put_at(heap, heap->count++, unit);
    rise(heap, unit->pending_at);
}

static void get_up(struct model *model, struct unit *unit)
{
    unit->is_asleep = false;
    model->sleep.count--;
    model_join_pending_units(model, unit);
}

void sleepers_wake(struct model *model, struct unit *unit)
{
    struct sleepers *heap = unit->group->asleep;
    take_out(heap, unit->pending_at);
    if (heap->count == 0)
        DL_DELETE(model->sleep.groups, heap);
    get_up(model, unit);
}

void sleepers_wake_all(struct model *model)
{
    while (model->sleep.groups) {
        struct sleepers *heap = model->sleep.groups;
        DL_DELETE(model->sleep.groups, heap);
        while (heap->count > 0)
            get_up(model, heap->units[--heap->count]);
    }
}

bool sleepers_are_stale(const struct model *model)
{
    return model->sleep.count > 0 && model->sleep.told_at != model->told.changes;
}

/* --- whose turn it is --- */

/* Whoever is marked has had its turn in this step. */
static void call(struct model *model, struct sleepers *heap, size_t count)
{
    struct unit *last = NULL;
    heap->called = count;
    while (count > 0 && heap->count > 0) {
        struct unit *unit = heap->units[0];
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
    struct sleepers *next = NULL;
    for (struct sleepers *heap = model->sleep.groups; heap; heap = next) {
        next = heap->next;
        call(model, heap, 1);
    }
}

void sleepers_call_more(struct model *model, struct group *group)
{
    if (group->asleep)
        call(model, group->asleep, 2 * group->asleep->called);
}
