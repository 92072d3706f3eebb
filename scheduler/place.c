/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/place.h"

#include <string.h>

#include "scheduler/bits.h"

enum { REFUSALS_SHOWN = 8 };

/* --- asking every machine --- */

static size_t load_of(const struct machine *machine)
{
    return machine->load + machine->planned;
}

/* Machines come in the order of their ids: of equals the first stays. */
static void consider(struct model *model, const struct unit *unit, struct machine *machine,
                     struct place *best)
{
    if (match(model, unit, machine, MATCH_ARRIVE).kind != REFUSAL_NONE)
        return;
    best->eligible++;
    if (!best->machine || load_of(machine) < load_of(best->machine) ||
        (load_of(machine) == load_of(best->machine) && machine->number < best->machine->number))
        best->machine = machine;
    best->load = load_of(best->machine);
}

struct place place_find_slowly(struct model *model, const struct unit *unit)
{
    struct place best = { 0 };
    for (size_t i = 0; i < model->machine_count; i++)
        consider(model, unit, model->machines_by_id[i], &best);
    return best;
}

/* It goes where its first peer is, or nowhere. */
static struct place find_beside_peer(struct model *model, const struct unit *unit)
{
    struct place best = { 0 };
    const struct placement *p = NULL;
    LL_FOREACH2(unit->follows->links[0].peer->placements, p, unit_next)
    consider(model, unit, p->key.machine, &best);
    return best;
}

/* --- asking the index --- */

/* Machines with units that the unit may not be beside, or that may not be beside it. NULL: none. */
static const uint64_t *gather_avoided(struct model *model, const struct unit *unit)
{
    struct index *index = &model->index;
    const struct group *group = unit->group;
    struct pattern **matched = NULL;
    size_t count = index_matched(model, unit, &matched);
    if (count == 0 && group->conflict_count == 0 && index->strange.size == 0)
        return NULL;
    memset(index->avoid, 0, index->words * sizeof(*index->avoid));
    for (size_t i = 0; i < group->conflict_count; i++)
        bag_unite(&group->conflicts[i]->matching, index->avoid, index->words);
    for (size_t i = 0; i < count; i++)
        bag_unite(&matched[i]->conflicting, index->avoid, index->words);
    bag_unite(&index->strange, index->avoid, index->words);
    return index->avoid;
}

static bool asks_nothing(const struct machine_class *class)
{
    return class->key[0] == '\0';
}

static size_t count_open(struct index *index, struct machine_class *class)
{
    if (asks_nothing(class))
        return index->open_count;
    if (class->counted_at != index->changes) {
        class->open_count = bits_count(class->bits, index->open, NULL, index->words);
        class->counted_at = index->changes;
    }
    return class->open_count;
}

static size_t count_eligible(struct index *index, struct machine_class *class,
                             const uint64_t *avoided)
{
    if (!avoided)
        return count_open(index, class);
    return bits_count(index->open, asks_nothing(class) ? NULL : class->bits, avoided, index->words);
}

/* The first machine of a level that is among the wanted and not among the avoided; either may be
 * NULL. */
static struct machine *first_of(const struct model *model, struct level *level,
                                const uint64_t *wanted, const uint64_t *avoided)
{
    while (!level->bits[level->first])
        level->first++; /* the level is not empty */
    for (size_t i = level->first; i < model->index.words; i++) {
        uint64_t word = level->bits[i];
        if (wanted)
            word &= wanted[i];
        if (avoided)
            word &= ~avoided[i];
        if (word)
            return model->machines_by_id[i * BITS_PER_WORD + bits_first(word)];
    }
    return NULL;
}

static struct machine *find_least_loaded(const struct model *model, const uint64_t *wanted,
                                         const uint64_t *avoided)
{
    const struct index *index = &model->index;
    struct machine *machine = NULL;
    for (size_t i = index->lowest; i < index->top && !machine; i++)
        if (index->levels[i].count > 0)
            machine = first_of(model, &index->levels[i], wanted, avoided);
    return machine;
}

/* Whether one of the group finds no place does not depend on its name. */
static bool shares_hope(const struct index *index)
{
    return index->name_count == 0 && index->glob_count == 0;
}

struct place place_find(struct model *model, const struct unit *unit)
{
    struct index *index = &model->index;
    struct group *group = unit->group;
    struct place place = { 0 };
    if (unit->follows)
        return find_beside_peer(model, unit);
    if (group->hopeless_at == index->easings && shares_hope(index))
        return place;
    const uint64_t *avoided = gather_avoided(model, unit);
    place.eligible = count_eligible(index, group->class, avoided);
    if (place.eligible > 0)
        place.machine = find_least_loaded(
            model, asks_nothing(group->class) ? NULL : group->class->bits, avoided);
    if (place.machine)
        place.load = load_of(place.machine);
    else
        group->hopeless_at = index->easings;
    return place;
}

/* --- words --- */

void place_words(size_t eligible, size_t load, struct text *words)
{
    const char *plural = load == 1 ? "" : "s";
    if (eligible == 1)
        text_addf(words, "the only eligible machine (%zu unit%s)", load, plural);
    else
        text_addf(words, "least loaded of %zu eligible machines (%zu unit%s)", eligible, load,
                  plural);
}

/* A machine that left for good and holds nothing is not worth a word. */
static bool is_worth_a_word(const struct machine *machine)
{
    return machine->is_member || machine->registration > 0;
}

static void one_refusal(struct model *model, const struct unit *unit, const struct machine *machine,
                        struct text *words)
{
    const struct refusal refusal = match(model, unit, machine, MATCH_ARRIVE);
    machine_words(machine, words);
    text_add(words, ": ");
    refusal_words(model, unit, machine, &refusal, words);
}

/* A peer that is nowhere is the same answer on every machine: one sentence says it. */
static const char *missing_peer(const struct unit *unit)
{
    for (size_t i = 0; i < unit_follow_count(unit); i++)
        if (!unit_is_held_anywhere(unit->follows->links[i].peer))
            return unit->follows->links[i].peer->name;
    return NULL;
}

void place_refusals(struct model *model, const struct unit *unit, struct text *words)
{
    const char *peer = missing_peer(unit);
    size_t said = 0;
    size_t unsaid = 0;
    if (peer) {
        text_addf(words, "waits for %s, which is on no machine", peer);
        return;
    }
    for (size_t i = 0; i < model->machine_count; i++) {
        if (!is_worth_a_word(model->machines_by_id[i]))
            continue;
        if (said == REFUSALS_SHOWN) {
            unsaid++;
            continue;
        }
        text_add(words, said++ == 0 ? "no machine may run it: " : "; ");
        one_refusal(model, unit, model->machines_by_id[i], words);
    }
    if (unsaid > 0)
        text_addf(words, "; and %zu more", unsaid);
    if (said == 0)
        text_add(words, "no machine may run it: the cluster has no machines");
}
