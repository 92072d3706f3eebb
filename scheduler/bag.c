/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/bag.h"

#include <stdlib.h>
#include <string.h>

#include "scheduler/bits.h"

/* A bitmap is made when it takes no more than this many times the room of the list: from there on
 * it is also the quicker one to unite. */
enum { BITMAP_WORTH = 1, ROOM_MIN = 2 };

void bag_done(struct bag *bag)
{
    free(bag->entries);
    free(bag->bits);
    *bag = (struct bag){ 0 };
}

/* The place of the machine, or where it would have to be. */
static uint32_t find(const struct bag *bag, uint32_t machine)
{
    uint32_t low = 0;
    uint32_t high = bag->size;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (bag->entries[middle].machine < machine)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_at(const struct bag *bag, uint32_t at, uint32_t machine)
{
    return at < bag->size && bag->entries[at].machine == machine;
}

static bool grow(struct bag *bag)
{
    if (bag->size < bag->room)
        return true;
    uint32_t room = bag->room ? bag->room + bag->room / 2 + 1 : ROOM_MIN;
    struct bag_entry *grown = realloc(bag->entries, room * sizeof(*grown));
    if (!grown)
        return false;
    bag->entries = grown;
    bag->room = room;
    return true;
}

/* Without memory for it the list alone does. */
static void make_bits(struct bag *bag, size_t words)
{
    bag->bits = calloc(words, sizeof(*bag->bits));
    for (uint32_t i = 0; bag->bits && i < bag->size; i++)
        bits_set(bag->bits, bag->entries[i].machine);
}

bool bag_add(struct bag *bag, uint32_t machine, size_t words)
{
    uint32_t at = find(bag, machine);
    if (is_at(bag, at, machine)) {
        bag->entries[at].count++;
        return true;
    }
    if (!grow(bag))
        return false;
    memmove(&bag->entries[at + 1], &bag->entries[at], (bag->size - at) * sizeof(*bag->entries));
    bag->entries[at] = (struct bag_entry){ machine, 1 };
    bag->size++;
    if (bag->bits)
        bits_set(bag->bits, machine);
    else if ((size_t)bag->size * BITMAP_WORTH >= words)
        make_bits(bag, words);
    return true;
}

void bag_remove(struct bag *bag, uint32_t machine)
{
    uint32_t at = find(bag, machine);
    if (!is_at(bag, at, machine) || --bag->entries[at].count > 0)
        return;
    bag->size--;
    memmove(&bag->entries[at], &bag->entries[at + 1], (bag->size - at) * sizeof(*bag->entries));
    if (bag->bits)
        bits_clear(bag->bits, machine);
}

uint32_t bag_count(const struct bag *bag, uint32_t machine)
{
    uint32_t at = find(bag, machine);
    return is_at(bag, at, machine) ? bag->entries[at].count : 0;
}

void bag_unite(const struct bag *bag, uint64_t *bits, size_t words)
{
    if (!bag->bits || (size_t)bag->size * BITMAP_WORTH < words) {
        bag_unite_from(bag, 1, bits);
        return;
    }
    for (size_t i = 0; i < words; i++)
        bits[i] |= bag->bits[i];
}

void bag_unite_from(const struct bag *bag, uint32_t minimum, uint64_t *bits)
{
    for (uint32_t i = 0; i < bag->size; i++)
        if (bag->entries[i].count >= minimum)
            bits_set(bits, bag->entries[i].machine);
}
