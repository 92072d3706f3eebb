/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of machines, kept as the model changes, or built anew. */
#include "scheduler/index.h"

#include <string.h>

#include "scheduler/bits.h"
#include "scheduler/match.h"
#include "scheduler/model_data.h"

enum { LEVELS_MIN = 64 };

static bool is_live(const struct model *model)
{
    return !model->index.stale;
}

void index_ease(struct model *model)
{
    model->index.easings++;
}

/* --- levels --- */

static size_t level_of(const struct machine *machine)
{
    return machine->load + machine->planned;
}

static bool reserve_level(struct index *index, size_t level)
{
    if (level >= index->level_room) {
        size_t room = level + level / 2 + LEVELS_MIN;
        struct level *grown = realloc(index->levels, room * sizeof(*grown));
        if (!grown)
            return false;
        memset(&grown[index->level_room], 0, (room - index->level_room) * sizeof(*grown));
        index->levels = grown;
        index->level_room = room;
    }
    if (!index->levels[level].bits)
        index->levels[level].bits = calloc(index->words, sizeof(uint64_t));
    return index->levels[level].bits != NULL;
}

static void enter_level(struct index *index, struct machine *machine)
{
    size_t level = level_of(machine);
    if (!reserve_level(index, level)) {
        index->stale = true;
        return;
    }
    struct level *entered = &index->levels[level];
    size_t word = machine->number / BITS_PER_WORD;
    machine->level = (uint32_t)level;
    bits_set(entered->bits, machine->number);
    entered->count++;
    if (word < entered->first || entered->count == 1)
        entered->first = word;
    if (level < index->lowest)
        index->lowest = level;
    if (level >= index->top)
        index->top = level + 1;
}

static void trim_levels(struct index *index)
{
    while (index->lowest < index->top && index->levels[index->lowest].count == 0)
        index->lowest++;
    while (index->top > index->lowest && index->levels[index->top - 1].count == 0)
        index->top--;
    if (index->lowest == index->top)
        index->lowest = index->top = 0;
}

static void leave_level(struct index *index, const struct machine *machine)
{
    struct level *level = &index->levels[machine->level];
    bits_clear(level->bits, machine->number);
    level->count--;
}

static void change_level(struct index *index, struct machine *machine)
{
    if (!bits_test(index->open, machine->number) || machine->level == level_of(machine))
        return;
    leave_level(index, machine);
    enter_level(index, machine);
    trim_levels(index);
}

/* --- machines --- */

void index_renumber(struct model *model)
{
    model->index.stale = true;
}

static void open_machine(struct index *index, struct machine *machine)
{
    bits_set(index->open, machine->number);
    index->open_count++;
    enter_level(index, machine);
}

static void close_machine(struct index *index, struct machine *machine)
{
    bits_clear(index->open, machine->number);
    index->open_count--;
    leave_level(index, machine);
    trim_levels(index);
}

void index_reopen(struct model *model, struct machine *machine)
{
    struct index *index = &model->index;
    if (!is_live(model) || bits_test(index->open, machine->number) == machine_is_open(machine))
        return;
    index->changes++;
    index->easings++;
    if (machine_is_open(machine))
        open_machine(index, machine);
    else
        close_machine(index, machine);
}

static void judge(const struct model *model, struct machine_class *class,
                  const struct machine *machine)
{
    if (match_class(model, class->rules, machine).kind == REFUSAL_NONE)
        bits_set(class->bits, machine->number);
    else
        bits_clear(class->bits, machine->number);
}

void index_reclass(struct model *model, const struct machine *machine, bool roles_only)
{
    struct index *index = &model->index;
    if (!is_live(model))
        return;
    index->changes++;
    index->easings++;
    for (size_t i = 0; i < index->classes.room; i++) {
        struct machine_class *class = index->classes.slots[i];
        if (class && (class->sees_roles || !roles_only))
            judge(model, class, machine);
    }
}

/* --- what is on them --- */

static void note(struct index *index, struct bag *bag, const struct machine *machine)
{
    if (!bag_add(bag, machine->number, index->words))
        index->stale = true;
}

void index_occupy(struct model *model, const struct placement *placement)
{
    struct index *index = &model->index;
    struct machine *machine = placement->key.machine;
    const struct unit *unit = placement->key.unit;
    struct pattern **matched = NULL;
    if (!is_live(model))
        return;
    note(index, &unit->group->family->here, machine);
    size_t count = index_matched(model, unit, &matched);
    for (size_t i = 0; i < count; i++)
        note(index, &matched[i]->matching, machine);
    for (size_t i = 0; i < unit->group->conflict_count; i++)
        note(index, &unit->group->conflicts[i]->conflicting, machine);
    if (unit_is_strange(unit))
        note(index, &index->strange, machine);
    change_level(index, machine);
}

void index_vacate(struct model *model, const struct placement *placement)
{
    struct index *index = &model->index;
    struct machine *machine = placement->key.machine;
    const struct unit *unit = placement->key.unit;
    struct pattern **matched = NULL;
    index->easings++;
    if (!is_live(model))
        return;
    bag_remove(&unit->group->family->here, machine->number);
    size_t count = index_matched(model, unit, &matched);
    for (size_t i = 0; i < count; i++)
        bag_remove(&matched[i]->matching, machine->number);
    for (size_t i = 0; i < unit->group->conflict_count; i++)
        bag_remove(&unit->group->conflicts[i]->conflicting, machine->number);
    if (unit_is_strange(unit))
        bag_remove(&index->strange, machine->number);
    change_level(index, machine);
}

/* --- anew --- */

static void forget_levels(struct index *index)
{
    for (size_t i = 0; i < index->level_room; i++)
        free(index->levels[i].bits);
    free(index->levels);
    index->levels = NULL;
    index->level_room = index->lowest = index->top = 0;
}

static void forget_bags(struct index *index)
{
    bag_done(&index->strange);
    for (size_t i = 0; i < index->families.room; i++)
        if (index->families.slots[i])
            bag_done(&((struct family *)index->families.slots[i])->here);
    for (size_t i = 0; i < index->patterns.room; i++) {
        struct pattern *pattern = index->patterns.slots[i];
        if (!pattern)
            continue;
        bag_done(&pattern->matching);
        bag_done(&pattern->conflicting);
    }
}

static bool renew_sets(struct index *index)
{
    uint64_t **const sets[] = { &index->open, &index->avoid, &index->shun };
    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        free(*sets[i]);
        *sets[i] = calloc(index->words, sizeof(**sets[i]));
        if (!*sets[i])
            return false;
    }
    index->open_count = 0;
    return true;
}

static bool renew_classes(struct model *model)
{
    struct index *index = &model->index;
    for (size_t i = 0; i < index->classes.room; i++) {
        struct machine_class *class = index->classes.slots[i];
        if (!class)
            continue;
        free(class->bits);
        class->bits = calloc(index->words, sizeof(*class->bits));
        if (!class->bits)
            return false;
        for (size_t m = 0; m < model->machine_count; m++)
            judge(model, class, model->machines_by_id[m]);
    }
    return true;
}

/* The levels are entered once the loads are counted. */
static void renew_occupants(struct model *model)
{
    for (size_t i = 0; i < model->machine_count; i++) {
        struct machine *machine = model->machines_by_id[i];
        const struct placement *p = NULL;
        DL_FOREACH2(machine->placements, p, machine_next)
            if (placement_occupies(p))
                index_occupy(model, p);
        if (machine_is_open(machine))
            open_machine(&model->index, machine);
    }
}

int index_refresh(struct model *model, struct error *err)
{
    struct index *index = &model->index;
    int r = model_sort_machines(model, err);
    if (r < 0 || is_live(model))
        return r;
    for (size_t i = 0; i < model->machine_count; i++)
        model->machines_by_id[i]->number = (uint32_t)i;
    index->words = bits_words(model->machine_count) + 1;
    forget_levels(index);
    forget_bags(index);
    if (!renew_sets(index) || !renew_classes(model))
        return error_oom(err);
    index->stale = false;
    index->changes++;
    index->easings++;
    renew_occupants(model);
    return index->stale ? error_oom(err) : 0;
}

void index_done(struct model *model)
{
    struct index *index = &model->index;
    forget_levels(index);
    bag_done(&index->strange);
    free(index->open);
    free(index->avoid);
    free(index->shun);
    free(index->globs);
    free(index->matched);
    table_done(&index->classes);
    table_done(&index->families);
    table_done(&index->groups);
    table_done(&index->patterns);
}

/* --- a quick look --- */

static bool is_among(struct pattern *const *patterns, size_t count, const struct pattern *pattern)
{
    for (size_t i = 0; i < count; i++)
        if (patterns[i] == pattern)
            return true;
    return false;
}

/* Of what is in the bag on this machine, is any not the unit's own? */
static bool holds_other(const struct bag *bag, const struct machine *machine, bool own)
{
    return bag_count(bag, machine->number) > (own ? 1U : 0U);
}

bool index_may_conflict(struct model *model, const struct unit *unit, const struct machine *machine)
{
    const struct group *group = unit->group;
    struct pattern **matched = NULL;
    if (!is_live(model))
        return true;
    const struct placement *p = model_placement(model, machine, unit);
    bool here = p && placement_occupies(p);
    size_t count = index_matched(model, unit, &matched);
    for (size_t i = 0; i < group->conflict_count; i++)
        if (holds_other(&group->conflicts[i]->matching, machine,
                        here && is_among(matched, count, group->conflicts[i])))
            return true;
    for (size_t i = 0; i < count; i++)
        if (holds_other(&matched[i]->conflicting, machine,
                        here && is_among(group->conflicts, group->conflict_count, matched[i])))
            return true;
    return holds_other(&model->index.strange, machine, here && unit_is_strange(unit));
}
