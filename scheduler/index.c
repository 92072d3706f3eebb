/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of machines, kept as the model changes, or built anew. */
#include "scheduler/index.h"

#include <string.h>

#include "scheduler/askers.h"
#include "scheduler/bits.h"
#include "scheduler/match.h"
#include "scheduler/model_data.h"

enum { LEVELS_MIN = 64, LEVELS_FULL = 512, LEVELS_MAX = 4096 };

static bool is_live(const struct model *model)
{
    return !model->index.stale;
}

static void ease(struct index *index)
{
    index->easings = ++index->last_easing;
}

void index_ease(struct model *model)
{
    ease(&model->index);
}

/* By what comes to it or leaves it, unless that is only tried out. */
static void stir(struct model *model, const struct machine *machine)
{
    if (!model->is_lifted)
        index_stir(model, machine);
}

/* --- levels --- */

static size_t level_of(const struct machine *machine, size_t units, const int64_t *more, int sign)
{
    size_t level = units;
    if (!machine->is_bounded)
        return level;
    for (size_t i = 0; i < RESOURCES; i++) {
        if (machine->capacity[i] <= 0)
            continue;
        int64_t used = machine->used[i] + (more ? sign * more[i] : 0);
        double share = (double)used / (double)machine->capacity[i];
        size_t filled = (size_t)(share * LEVELS_FULL);
        if (filled > LEVELS_MAX)
            filled = LEVELS_MAX;
        level = filled > level ? filled : level;
    }
    return level;
}

size_t index_level(const struct machine *machine)
{
    return level_of(machine, machine_load(machine), NULL, 0);
}

size_t index_level_with(const struct machine *machine, const struct requirements *rules, int sign)
{
    size_t units = machine_load(machine);
    return level_of(machine, sign > 0 ? units + 1 : units - 1, rules->requests, sign);
}

/* Room for it, and its set. */
static bool make_level(struct index *index, size_t level)
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

static inline void enter_level(struct index *index, struct machine *machine, size_t level)
{
    bool is_made = level < index->level_room && index->levels[level].bits;
    if (!is_made && !make_level(index, level)) {
        index->stale = true;
        return;
    }
    struct level *entered = &index->levels[level];
    size_t word = machine->number / BITS_PER_WORD;
    bool is_first = index->lowest == index->top;
    machine->level = (uint32_t)level;
    bits_set(entered->bits, machine->number);
    entered->count++;
    if (word < entered->first || entered->count == 1)
        entered->first = word;
    if (is_first || level < index->lowest)
        index->lowest = level;
    if (level >= index->top)
        index->top = level + 1;
}

static inline void trim_levels(struct index *index)
{
    while (index->lowest < index->top && index->levels[index->lowest].count == 0)
        index->lowest++;
    while (index->top > index->lowest && index->levels[index->top - 1].count == 0)
        index->top--;
    if (index->lowest == index->top)
        index->lowest = index->top = 0;
}

static inline void leave_level(struct index *index, const struct machine *machine)
{
    struct level *level = &index->levels[machine->level];
    bits_clear(level->bits, machine->number);
    level->count--;
}

static void change_level(struct model *model, struct machine *machine)
{
    struct index *index = &model->index;
    size_t level = index_level(machine);
    if (machine->level == level || !bits_test(index->open, machine->number))
        return;
    leave_level(index, machine);
    enter_level(index, machine, level);
    trim_levels(index);
    rebalance_note(model, machine);
}

/* --- machines --- */

void index_renumber(struct model *model)
{
    model->index.stale = true;
}

static void open_machine(struct model *model, struct machine *machine)
{
    struct index *index = &model->index;
    bits_set(index->open, machine->number);
    index->open_count++;
    enter_level(index, machine, index_level(machine));
    rebalance_note(model, machine);
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
    ease(index);
    if (machine_is_open(machine))
        open_machine(model, machine);
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

void index_reclass(struct model *model, struct machine *machine, bool roles_only)
{
    struct index *index = &model->index;
    if (is_live(model) && !roles_only && index_spread_is_off(index, machine))
        index_renumber(model);
    if (!is_live(model))
        return;
    index->changes++;
    ease(index);
    index_stir(model, machine);
    for (size_t i = 0; i < index->classes.room; i++) {
        struct machine_class *class = index->classes.slots[i];
        if (class && (class->sees_roles || !roles_only))
            judge(model, class, machine);
    }
    change_level(model, machine);
}

/* --- what is on them --- */

static void note(struct index *index, struct bag *bag, const struct machine *machine)
{
    if (!bag_add(bag, machine->number, index->words))
        index->stale = true;
}

static void note_in_sum(struct index *index, struct bag_sum *sum, const struct machine *machine)
{
    if (!bag_sum_add(sum, machine->number, index->words))
        index->stale = true;
}

static void note_declared(struct index *index, struct group *group, const struct machine *machine)
{
    for (size_t i = 0; i < group->conflict_count; i++)
        note_in_sum(index, &group->conflicts[i]->conflicting, machine);
    for (size_t i = 0; i < group->replace_count; i++)
        note_in_sum(index, &group->replaces[i]->replacing, machine);
    for (size_t i = 0; i < group->port_count; i++)
        note_in_sum(index, &group->ports[i]->taken, machine);
}

static void note_group(struct index *index, struct group *group, const struct machine *machine)
{
    note(index, &group->here, machine);
    note_in_sum(index, &group->family->here, machine);
    if (!group->is_plain) /* it declares nothing */
        note_declared(index, group, machine);
}

static void unnote_declared(struct group *group, uint32_t number)
{
    for (size_t i = 0; i < group->conflict_count; i++)
        bag_sum_remove(&group->conflicts[i]->conflicting, number);
    for (size_t i = 0; i < group->replace_count; i++)
        bag_sum_remove(&group->replaces[i]->replacing, number);
    for (size_t i = 0; i < group->port_count; i++)
        bag_sum_remove(&group->ports[i]->taken, number);
}

static void unnote_group(struct group *group, uint32_t number)
{
    bag_remove(&group->here, number);
    bag_sum_remove(&group->family->here, number);
    if (!group->is_plain)
        unnote_declared(group, number);
}

/* The patterns that match this unit and not, of necessity, its whole family. */
static size_t matched_by_name(struct model *model, const struct unit *unit, struct pattern ***ret)
{
    struct index *index = &model->index;
    if (index->name_count == 0 && index->glob_count == 0) /* the group need not be looked at */
        return 0;
    size_t count = index_matched(model, unit, ret);
    *ret += unit->group->family->pattern_count;
    return count - unit->group->family->pattern_count;
}

static void count_used(struct machine *machine, const struct group *group, int sign)
{
    for (size_t i = 0; i < RESOURCES; i++)
        machine->used[i] += sign * group->requests[i];
}

/* sign: 1 or -1. The machine is only looked at if the group asks for room. */
static void count_load(const struct index *index, uint32_t number, const struct group *group,
                       int sign)
{
    if (group->asks_room)
        count_used(index->by_number[number], group, sign);
    for (size_t i = 0; i < group->family->tally_count; i++) {
        struct tally *tally = group->family->tallies[i];
        tally->counts[tally->spread->domain_of[number]] += (uint32_t)sign;
    }
}

void index_occupy(struct model *model, const struct placement *placement)
{
    struct index *index = &model->index;
    struct machine *machine = placement->key.machine;
    const struct unit *unit = placement->key.unit;
    struct pattern **matched = NULL;
    if (!is_live(model))
        return;
    stir(model, machine);
    size_t count = matched_by_name(model, unit, &matched);
    for (size_t i = 0; i < count; i++)
        note(index, &matched[i]->matching, machine);
    note_group(index, unit->group, machine);
    if (unit_is_strange(unit))
        note(index, &index->strange, machine);
    count_load(index, machine->number, unit->group, 1);
    change_level(model, machine);
}

void index_vacate_unit(struct model *model, const struct placement *placement)
{
    struct index *index = &model->index;
    uint32_t number = placement->key.machine->number;
    const struct unit *unit = placement->key.unit;
    struct pattern **matched = NULL;
    if (!is_live(model))
        return;
    size_t count = matched_by_name(model, unit, &matched);
    for (size_t i = 0; i < count; i++)
        bag_remove(&matched[i]->matching, number);
    if (unit_is_strange(unit))
        bag_remove(&index->strange, number);
}

void index_vacate_group(struct model *model, struct group *group, struct machine *machine)
{
    if (!is_live(model))
        return;
    unnote_group(group, machine->number);
    count_load(&model->index, machine->number, group, -1);
}

void index_vacate_last(struct model *model, struct group *group, uint32_t count)
{
    for (; count > 0; count--) {
        uint32_t number = group->here.list[group->here.size - 1];
        unnote_group(group, number);
        count_load(&model->index, number, group, -1);
    }
}

void index_settle(struct model *model, struct machine *machine)
{
    ease(&model->index);
    if (!is_live(model))
        return;
    stir(model, machine);
    change_level(model, machine);
}

void index_vacate(struct model *model, const struct placement *placement)
{
    index_vacate_unit(model, placement);
    index_vacate_group(model, placement->key.unit->group, placement->key.machine);
    index_settle(model, placement->key.machine);
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
    for (size_t i = 0; i < index->groups.room; i++)
        if (index->groups.slots[i])
            bag_done(&((struct group *)index->groups.slots[i])->here);
    for (size_t i = 0; i < index->families.room; i++)
        if (index->families.slots[i])
            bag_done(&((struct family *)index->families.slots[i])->here.all);
    for (size_t i = 0; i < index->patterns.room; i++) {
        struct pattern *pattern = index->patterns.slots[i];
        if (!pattern)
            continue;
        bag_done(&pattern->matching);
        bag_done(&pattern->conflicting.all);
        bag_done(&pattern->replacing.all);
    }
    for (size_t i = 0; i < index->ports.room; i++)
        if (index->ports.slots[i])
            bag_done(&((struct port_set *)index->ports.slots[i])->taken.all);
}

static bool renew_sets(struct index *index, size_t machine_count)
{
    uint64_t **const sets[] = { &index->open,   &index->avoid,  &index->shun,   &index->mates,
                                &index->mates2, &index->wanted, &index->beside, &index->stirred };
    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        free(*sets[i]);
        *sets[i] = calloc(index->words, sizeof(**sets[i]));
        if (!*sets[i])
            return false;
    }
    free(index->others);
    free(index->zeros);
    free(index->asked);
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): pointers are what is kept */
    index->asked = calloc(machine_count + 1, sizeof(*index->asked));
    index->others = calloc(machine_count + 1, sizeof(*index->others));
    index->zeros = calloc(machine_count + 1, sizeof(*index->zeros));
    index->open_count = 0;
    return index->others && index->zeros && index->asked;
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
            judge(model, class, index->by_number[m]);
    }
    return true;
}

static bool renew_spreads(struct model *model)
{
    struct index *index = &model->index;
    for (size_t i = 0; i < index->spreads.room; i++)
        if (index->spreads.slots[i] && !index_spread_build(model, index->spreads.slots[i]))
            return false;
    for (size_t i = 0; i < index->families.room; i++) {
        struct family *family = index->families.slots[i];
        for (size_t t = 0; family && t < family->tally_count; t++)
            if (!index_tally_renew(family->tallies[t]))
                return false;
    }
    return true;
}

/* The levels are entered once the loads are counted. */
static void renew_occupants(struct model *model)
{
    for (size_t i = 0; i < model->machine_count; i++) {
        struct machine *machine = model->machines_by_id[i];
        const struct placement *p = NULL;
        memset(machine->used, 0, sizeof(machine->used));
        DL_FOREACH2(machine->placements, p, machine_next)
            if (placement_occupies(p))
                index_occupy(model, p);
        if (machine_is_open(machine))
            open_machine(model, machine);
    }
}

static int compare_numbered(const void *a, const void *b, void *userdata)
{
    const struct machine *const *left = a;
    const struct machine *const *right = b;
    const struct spread *primary = userdata;
    int r = primary ? strcmp(index_spread_value(*left, primary->key),
                             index_spread_value(*right, primary->key))
                    : 0;
    return r ? r : strcmp((*left)->id, (*right)->id);
}

static bool number_machines(struct model *model)
{
    struct index *index = &model->index;
    size_t count = model->machine_count;
    free(index->by_number);
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): pointers are what is kept */
    index->by_number = calloc(count + 1, sizeof(*index->by_number));
    if (!index->by_number)
        return false;
    for (size_t i = 0; i < count; i++)
        index->by_number[i] = model->machines_by_id[i];
    index->primary = index_spread_first(index);
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): the same */
    qsort_r(index->by_number, count, sizeof(*index->by_number), compare_numbered, index->primary);
    for (size_t i = 0; i < count; i++)
        index->by_number[i]->number = (uint32_t)i;
    return true;
}

int index_refresh(struct model *model, struct error *err)
{
    struct index *index = &model->index;
    int r = model_sort_machines(model, err);
    if (r < 0 || is_live(model))
        return r;
    askers_forget(model);
    model->told.is_stale = true;
    index->words = bits_words(model->machine_count) + 1;
    forget_levels(index);
    forget_bags(index);
    if (!number_machines(model) || !renew_sets(index, model->machine_count) ||
        !renew_classes(model) || !renew_spreads(model))
        return error_oom(err);
    index->stale = false;
    index->changes++;
    ease(index);
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
    free(index->mates);
    free(index->mates2);
    free(index->wanted);
    free(index->beside);
    free(index->others);
    free(index->zeros);
    free(index->stirred);
    free(index->asked);
    free(index->by_number);
    free(index->globs);
    free(index->matched);
    table_done(&index->classes);
    table_done(&index->families);
    table_done(&index->groups);
    table_done(&index->patterns);
    table_done(&index->ports);
    table_done(&index->spreads);
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
    return own ? bag_count(bag, machine->number) > 1 : bag_has(bag, machine->number);
}

static bool matches_other(const struct pattern *pattern, const struct machine *machine, bool own)
{
    return own ? pattern_count_on(pattern, machine->number) > 1
               : pattern_matches_on(pattern, machine->number);
}

static bool are_taken(const struct group *group, const struct machine *machine, bool here)
{
    for (size_t i = 0; i < group->shut_count; i++) {
        bool own = false;
        for (size_t j = 0; here && j < group->port_count; j++)
            own = own || group->ports[j] == group->shut[i];
        if (holds_other(bag_sum(&group->shut[i]->taken), machine, own))
            return true;
    }
    return false;
}

static bool are_unwelcome(struct model *model, const struct unit *unit,
                          const struct machine *machine, bool here)
{
    const struct group *group = unit->group;
    struct pattern **matched = NULL;
    size_t count = index_matched(model, unit, &matched);
    for (size_t i = 0; i < group->conflict_count; i++)
        if (matches_other(group->conflicts[i], machine,
                          here && is_among(matched, count, group->conflicts[i])))
            return true;
    for (size_t i = 0; i < count; i++)
        if (holds_other(bag_sum(&matched[i]->conflicting), machine,
                        here && is_among(group->conflicts, group->conflict_count, matched[i])) ||
            holds_other(bag_sum(&matched[i]->replacing), machine,
                        here && is_among(group->replaces, group->replace_count, matched[i])))
            return true;
    return false;
}

bool index_may_conflict(struct model *model, const struct unit *unit, const struct machine *machine)
{
    if (!is_live(model))
        return true;
    const struct placement *p = model_placement(model, machine, unit);
    bool here = p && placement_occupies(p);
    return are_unwelcome(model, unit, machine, here) || are_taken(unit->group, machine, here) ||
           holds_other(&model->index.strange, machine, here && unit_is_strange(unit));
}
