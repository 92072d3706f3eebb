/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/rollout_list.h"

#include <string.h>

#include "base/memory.h"
#include "scheduler/bits.h"

static struct rollout *rollout_of(const struct model *model, const struct unit *unit)
{
    struct rollout *rollout = NULL;
    if (model->rollouts && unit->group)
        HASH_FIND_STR(model->rollouts, unit->group->family->name, rollout);
    return rollout;
}

/* --- the units --- */

static int compare_names(const char *left, const char *right)
{
    int order = strverscmp(left, right);
    return order ? order : strcmp(left, right);
}

static int compare_units(const void *a, const void *b)
{
    const struct unit *const *left = a;
    const struct unit *const *right = b;
    return compare_names((*left)->name, (*right)->name);
}

/* Where it is among them, or belongs. */
static size_t place_of(const struct rollout *rollout, const char *name)
{
    size_t low = 0;
    size_t high = rollout->unit_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_names(rollout->units[middle]->name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_at(const struct rollout *rollout, size_t place, const char *name)
{
    return place < rollout->unit_count && strcmp(rollout->units[place]->name, name) == 0;
}

static bool takes_part(const struct rollout *rollout, const struct unit *unit)
{
    return unit->exists && unit->group && strcmp(unit->group->family->name, rollout->name) == 0;
}

/* All units of the model are walked once, when a rollout begins: each is far from the one before in
 * memory, so what is read of it is fetched ahead. */
static struct unit **find_units(const struct model *model, const struct rollout *rollout,
                                size_t *ret_count)
{
    enum { AHEAD = 16 };
    struct unit **const slots = (struct unit **)model->units.slots;
    size_t room = 0;
    size_t count = 0;
    struct unit **units = memory_grow_pointers(NULL, 0, &room);
    for (size_t i = 0; i < model->units.room && units; i++) {
        if (i + AHEAD < model->units.room)
            index_fetch(slots[i + AHEAD], offsetof(struct unit, own));
        if (!slots[i] || !takes_part(rollout, slots[i]))
            continue;
        struct unit **grown = memory_grow_pointers(units, count, &room);
        if (!grown)
            free(units);
        units = grown;
        if (units)
            units[count++] = slots[i];
    }
    *ret_count = count;
    return units;
}

static bool list_units(const struct model *model, struct rollout *rollout)
{
    if (rollout->units)
        return true;
    rollout->units = find_units(model, rollout, &rollout->unit_count);
    if (!rollout->units)
        return false;
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): pointers are what is sorted */
    qsort(rollout->units, rollout->unit_count, sizeof(*rollout->units), compare_units);
    return true;
}

/* NOLINTBEGIN(bugprone-sizeof-expression): pointers are what is moved */
static bool insert(struct rollout *rollout, struct unit *unit)
{
    size_t place = place_of(rollout, unit->name);
    struct unit **grown =
        reallocarray(rollout->units, rollout->unit_count + 2, sizeof(*rollout->units));
    if (!grown)
        return false;
    rollout->units = grown;
    memmove(&grown[place + 1], &grown[place], (rollout->unit_count - place) * sizeof(*grown));
    grown[place] = unit;
    rollout->unit_count++;
    return true;
}

static void take_out(struct rollout *rollout, const struct unit *unit)
{
    size_t place = place_of(rollout, unit->name);
    if (!is_at(rollout, place, unit->name))
        return;
    rollout->unit_count--;
    memmove(&rollout->units[place], &rollout->units[place + 1],
            (rollout->unit_count - place) * sizeof(*rollout->units));
}
/* NOLINTEND(bugprone-sizeof-expression) */

void rollout_join(const struct model *model, struct unit *unit)
{
    struct rollout *rollout = rollout_of(model, unit);
    if (!rollout)
        return;
    rollout_list_drop(rollout);
    if (rollout->units && !insert(rollout, unit))
        free(take_ptr(rollout->units)); /* they are listed anew */
}

void rollout_leave(const struct model *model, const struct unit *unit)
{
    struct rollout *rollout = rollout_of(model, unit);
    if (!rollout)
        return;
    rollout_list_drop(rollout);
    if (rollout->units)
        take_out(rollout, unit);
}

/* --- the members --- */

void rollout_list_drop(struct rollout *rollout)
{
    struct rollout_list *list = take_ptr(rollout->list);
    if (!list)
        return;
    for (size_t i = 0; i < SETS; i++)
        free(list->sets[i]);
    free(list->members);
    free(list->owns);
    free(list);
}

static int compare_copies(const void *a, const void *b)
{
    const struct rollout_member *left = a;
    const struct rollout_member *right = b;
    return strcmp(left->copy->key.machine->id, right->copy->key.machine->id);
}

/* The unit, and before it its copies, if they have turns of their own, by machine. */
static void add_members(struct rollout_list *list, struct unit *unit)
{
    struct rollout_member *members = &list->members[list->count];
    size_t count = 0;
    struct placement *p = NULL;
    if (unit_is_global(unit))
        LL_FOREACH2(unit->placements, p, unit_next)
            if (p->assignment_mod > 0)
                members[count++] = (struct rollout_member){ .unit = unit, .copy = p };
    if (count > 1)
        qsort(members, count, sizeof(*members), compare_copies);
    members[count] = (struct rollout_member){ .unit = unit };
    for (size_t i = 0; i <= count; i++) {
        members[i].first = list->count;
        members[i].own = list->count + count;
    }
    list->count += count + 1;
}

static size_t count_room(const struct rollout *rollout)
{
    size_t room = 0;
    for (size_t i = 0; i < rollout->unit_count; i++) {
        const struct placement *p = NULL;
        size_t copies = 0;
        LL_COUNT2(rollout->units[i]->placements, p, copies, unit_next);
        room += 1 + copies;
    }
    return room;
}

static bool allocate(struct rollout_list *list, size_t room, size_t unit_count)
{
    bool is_done = true;
    list->words = bits_words(room) + 1;
    list->members = calloc(room + 1, sizeof(*list->members));
    list->owns = calloc(unit_count + 1, sizeof(*list->owns));
    for (size_t i = 0; i < SETS; i++) {
        list->sets[i] = calloc(list->words, sizeof(*list->sets[i]));
        is_done = is_done && list->sets[i];
    }
    return is_done && list->members && list->owns;
}

/* The member that the record calls so: a unit, or its copy, with the machine behind a slash. NULL:
 * it is none of the list. */
static struct rollout_member *named(const struct rollout *rollout, const char *name)
{
    struct rollout_list *list = rollout->list;
    const char *machine = strchr(name, '/');
    autofree char *unit = machine ? strndup(name, (size_t)(machine - name)) : strdup(name);
    size_t place = unit ? place_of(rollout, unit) : rollout->unit_count;
    if (!unit || !is_at(rollout, place, unit))
        return NULL;
    size_t own = list->owns[place];
    if (!machine)
        return &list->members[own];
    for (size_t i = list->members[own].first; i < own; i++)
        if (strcmp(list->members[i].copy->key.machine->id, machine + 1) == 0)
            return &list->members[i];
    return NULL;
}

static void mark_stale(const struct rollout_list *list, size_t i)
{
    bits_set(list->sets[SET_STALE], i);
}

static void set_listed(const struct rollout *rollout, char *const *changing, bool is_listed)
{
    for (; changing && *changing; changing++) {
        struct rollout_member *member = named(rollout, *changing);
        if (!member)
            continue;
        member->is_listed = is_listed;
        mark_stale(rollout->list, (size_t)(member - rollout->list->members));
    }
}

bool rollout_list_make(const struct model *model, struct rollout *rollout)
{
    if (rollout->list)
        return true;
    if (!list_units(model, rollout))
        return false;
    rollout->list = calloc(1, sizeof(*rollout->list));
    if (!rollout->list || !allocate(rollout->list, count_room(rollout), rollout->unit_count)) {
        rollout_list_drop(rollout);
        return false;
    }
    for (size_t i = 0; i < rollout->unit_count; i++) {
        add_members(rollout->list, rollout->units[i]);
        rollout->list->owns[i] = rollout->list->count - 1;
    }
    for (size_t i = 0; i < rollout->list->count; i++)
        mark_stale(rollout->list, i);
    set_listed(rollout, rollout->record.changing, true);
    return true;
}

/* --- what happens to them --- */

/* The unit itself, or, where copies have turns of their own, that one. SIZE_MAX: none. */
static size_t find_copy(const struct rollout_list *list, size_t own, const struct machine *machine)
{
    size_t low = list->members[own].first;
    size_t high = own;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(list->members[middle].copy->key.machine->id, machine->id);
        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return SIZE_MAX;
}

/* Where the unit itself is; SIZE_MAX: there is no list that it is in. */
static size_t find_own(const struct rollout *rollout, const struct unit *unit)
{
    if (!rollout || !rollout->list)
        return SIZE_MAX;
    size_t place = place_of(rollout, unit->name);
    return is_at(rollout, place, unit->name) ? rollout->list->owns[place] : SIZE_MAX;
}

void rollout_note_unit(const struct model *model, const struct unit *unit)
{
    struct rollout *rollout = rollout_of(model, unit);
    size_t own = find_own(rollout, unit);
    if (own == SIZE_MAX)
        return;
    if (unit_is_global(unit) || rollout->list->members[own].first < own)
        rollout_list_drop(rollout);
    else
        mark_stale(rollout->list, own);
}

/* A copy that is not in the list yet is one that it must get. */
void rollout_note_copy(const struct model *model, const struct placement *p)
{
    struct rollout *rollout = rollout_of(model, p->key.unit);
    size_t own = find_own(rollout, p->key.unit);
    if (own == SIZE_MAX)
        return;
    size_t at = unit_is_global(p->key.unit) ? find_copy(rollout->list, own, p->key.machine) : own;
    if (at != SIZE_MAX)
        mark_stale(rollout->list, at);
    else if (p->assignment_mod > 0)
        rollout_list_drop(rollout);
}

void rollout_note_machine(const struct model *model, const struct machine *machine)
{
    const struct placement *p = NULL;
    if (model->rollouts)
        DL_FOREACH2(machine->placements, p, machine_next)
            rollout_note_copy(model, p);
}

void rollout_note_copies(const struct model *model, const struct unit *unit)
{
    struct rollout *rollout = unit_is_global(unit) ? rollout_of(model, unit) : NULL;
    if (rollout)
        rollout_list_drop(rollout);
}

/* What is not in the two lists of who is changing, nor in the words. */
static bool is_same_order(const struct record_rollout *a, const struct record_rollout *b)
{
    struct record_rollout before = *a;
    before.changing = b->changing;
    before.reason = b->reason;
    return record_rollout_equal(&before, b);
}

void rollout_note_record(struct rollout *rollout, const struct record_rollout *next)
{
    if (!rollout->list)
        return;
    if (!is_same_order(&rollout->record, next)) {
        rollout_list_drop(rollout);
        return;
    }
    set_listed(rollout, rollout->record.changing, false);
    set_listed(rollout, next->changing, true);
}

void rollout_touch(const struct model *model, const struct placement *p)
{
    struct rollout *rollout = rollout_of(model, p->key.unit);
    size_t own = find_own(rollout, p->key.unit);
    if (own == SIZE_MAX)
        return;
    size_t at = find_copy(rollout->list, own, p->key.machine);
    bits_set(rollout->list->sets[SET_TOUCHED], own);
    if (at != SIZE_MAX)
        bits_set(rollout->list->sets[SET_TOUCHED], at);
}
