/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/bag.h"

#include <stdlib.h>

enum { ROOM_MIN = 4 };

void bag_done(struct bag *bag)
{
    free(bag->list);
    free(bag->counts);
    free(bag->bits);
    *bag = (struct bag){ .changes = bag->changes + 1 };
}

/* --- what it is made of --- */

bool bag_grow(struct bag *bag)
{
    uint32_t room = bag->room ? 2 * bag->room : ROOM_MIN;
    uint32_t *grown = realloc(bag->list, room * sizeof(*grown));
    if (!grown)
        return false;
    bag->list = grown;
    bag->room = room;
    return true;
}

/* Without memory for it the list alone does. */
static void make_bits(struct bag *bag, size_t words)
{
    bag->bits = calloc(words, sizeof(*bag->bits));
    bag->repeats = 0;
    for (uint32_t i = 0; bag->bits && i < bag->size; i++)
        bag_count_bit(bag, bag->list[i]);
}

/* The same. */
static void make_counts(struct bag *bag, size_t words)
{
    bag->counts = calloc(words * BITS_PER_WORD, sizeof(*bag->counts));
    if (!bag->counts)
        return;
    for (uint32_t i = 0; i < bag->size; i++)
        bag->counts[bag->list[i]]++;
    free(bag->list);
    bag->list = NULL;
    bag->room = 0;
}

void bag_reshape(struct bag *bag, size_t words)
{
    if (!bag->bits)
        make_bits(bag, words);
    if (bag->bits && !bag->counts && bag->size >= words * BAG_COUNTS_WORTH)
        make_counts(bag, words);
}

/* --- one less --- */

uint32_t bag_find_before(const struct bag *bag, uint32_t end, uint32_t machine)
{
    for (uint32_t i = end; i > 0; i--)
        if (bag->list[i - 1] == machine)
            return i - 1;
    return end;
}

static bool take_from_list(struct bag *bag, uint32_t machine)
{
    uint32_t at = bag_find_before(bag, bag->size, machine);
    if (at == bag->size)
        return false;
    bag->list[at] = bag->list[--bag->size];
    return true;
}

static bool take_from_counts(struct bag *bag, uint32_t machine)
{
    if (bag->counts[machine] == 0)
        return false;
    bag->counts[machine]--;
    bag->size--;
    return true;
}

/* One of the machine has been taken out. */
static void uncount_bit(struct bag *bag, uint32_t machine)
{
    if (bag->repeats > 0 && bag_count(bag, machine) > 0)
        bag->repeats--;
    else
        bits_clear(bag->bits, machine);
}

void bag_remove_any(struct bag *bag, uint32_t machine)
{
    if (bag->counts ? take_from_counts(bag, machine) : take_from_list(bag, machine)) {
        bag->changes++;
        if (bag->bits)
            uncount_bit(bag, machine);
        if (bag->counts && bag->size == 0)
            bag_done(bag);
    }
}

/* --- questions --- */

uint32_t bag_count(const struct bag *bag, uint32_t machine)
{
    uint32_t count = 0;
    if (bag->counts)
        return bag->counts[machine];
    for (uint32_t i = 0; i < bag->size; i++)
        count += bag->list[i] == machine;
    return count;
}

bool bag_has_all(const struct bag *bag, size_t machines)
{
    return bag->bits ? bag->size - bag->repeats >= machines : machines == 0;
}

void bag_unite(const struct bag *bag, uint64_t *bits, size_t words)
{
    for (size_t i = 0; bag->bits && i < words; i++)
        bits[i] |= bag->bits[i];
    for (uint32_t i = 0; !bag->bits && i < bag->size; i++)
        bits_set(bits, bag->list[i]);
}

static void unite_listed(const struct bag *bag, uint32_t minimum, uint64_t *bits, uint32_t *zeros)
{
    for (uint32_t i = 0; i < bag->size; i++)
        if (++zeros[bag->list[i]] == minimum)
            bits_set(bits, bag->list[i]);
    for (uint32_t i = 0; i < bag->size; i++)
        zeros[bag->list[i]] = 0;
}

void bag_unite_from(const struct bag *bag, uint32_t minimum, uint64_t *bits, size_t words,
                    uint32_t *zeros)
{
    if (minimum <= 1)
        bag_unite(bag, bits, words);
    else if (!bag->counts)
        unite_listed(bag, minimum, bits, zeros);
    for (size_t i = 0; minimum > 1 && bag->counts && i < words * BITS_PER_WORD; i++)
        if (bag->counts[i] >= minimum)
            bits_set(bits, i);
}

bool bag_next(const struct bag *bag, struct bag_walk *walk)
{
    if (walk->passed == bag->size)
        return false;
    if (!bag->counts) {
        walk->machine = bag->list[walk->passed++];
        return true;
    }
    while (walk->passed_of == bag->counts[walk->machine]) {
        walk->machine++;
        walk->passed_of = 0;
    }
    walk->passed_of++;
    walk->passed++;
    return true;
}

/* --- sums --- */

static bool add_all(struct bag *bag, const struct bag *more, size_t words)
{
    struct bag_walk walk = { 0 };
    bool is_added = true;
    while (is_added && bag_next(more, &walk))
        is_added = bag_add(bag, walk.machine, words);
    return is_added;
}

bool bag_sum_join(struct bag_sum *sum, const struct bag *part, size_t words)
{
    const struct bag *first = sum->only;
    sum->only = sum->parts++ == 0 ? part : NULL;
    return sum->only ||
           ((!first || add_all(&sum->all, first, words)) && add_all(&sum->all, part, words));
}

void bag_sum_quit(struct bag_sum *sum, const struct bag *part)
{
    if (sum->only == part)
        sum->only = NULL;
    if (--sum->parts == 0)
        bag_done(&sum->all);
}
