/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/place_plain.h"

#include "scheduler/bits.h"

/* The first that is not in the bag; NULL: all are. */
static struct machine *first_of_level(const struct index *index, struct level *level,
                                      const struct bag *bag)
{
    for (size_t i = level_first_word(level); i < index->words; i++) {
        uint64_t word = level->bits[i] ? level->bits[i] & ~bag_word(bag, i) : 0;
        if (word)
            return index->by_number[i * BITS_PER_WORD + bits_first(word)];
    }
    return NULL;
}

static struct machine *least_loaded(const struct index *index, const struct bag *but)
{
    struct machine *machine = NULL;
    for (size_t i = index->lowest; i < index->top && !machine; i++)
        if (index->levels[i].count > 0)
            machine = first_of_level(index, &index->levels[i], but);
    return machine;
}

static void fetch_machine(const struct model *model, size_t number)
{
    if (number < model->machine_count)
        index_fetch(model->index.by_number[number], CACHE_LINE);
}

/* Instances of one template come to machines in the order of their numbers. Those of many in turn
 * come to the machines of one word, in whatever order, and then to those of the next. */
static void foresee(const struct model *model, const struct machine *chosen)
{
    enum { AHEAD = 8 };
    fetch_machine(model, chosen->number + AHEAD);
    fetch_machine(model, chosen->number + BITS_PER_WORD);
}

struct place place_find_plain(const struct model *model, const struct group *group)
{
    static const struct bag none;
    const struct index *index = &model->index;
    const struct bag *here = bag_sum(&group->family->here);
    bool is_everywhere = bag_has_all(here, model->machine_count);
    struct machine *apart = is_everywhere ? NULL : least_loaded(index, here);
    struct machine *machine = apart ? apart : least_loaded(index, &none);
    foresee(model, machine);
    return (struct place){
        .machine = machine,
        .eligible = index->open_count,
        .load = machine_load(machine),
        .wishes = apart && group->family->is_template && here->size > 0 ? PLACE_APART : 0,
    };
}
