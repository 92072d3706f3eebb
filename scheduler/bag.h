/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bag of machine numbers: which machines have how many of something (units of a template, units
 * that match a pattern, holders of a port). Small ones are a sorted list; those that are worth it
 * have a bitmap beside it.
 */
#ifndef SCHEDULER_BAG_H
#define SCHEDULER_BAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bag_entry {
    uint32_t machine;
    uint32_t count;
};

/* Zero-initialise. */
struct bag {
    struct bag_entry *entries; /* sorted by machine; counts are above 0 */
    uint32_t size, room;       /* distinct machines */
    uint64_t *bits;            /* or NULL */
};

void bag_done(struct bag *bag);

/* words: of a bitmap of all machines. False if memory ran out; the bag is as it was. */
bool bag_add(struct bag *bag, uint32_t machine, size_t words);
/* Something that is not there may be taken away: nothing happens. */
void bag_remove(struct bag *bag, uint32_t machine);
uint32_t bag_count(const struct bag *bag, uint32_t machine);

/* Adds the bag's machines to a set. */
void bag_unite(const struct bag *bag, uint64_t *bits, size_t words);
/* The same for those that have at least minimum. */
void bag_unite_from(const struct bag *bag, uint32_t minimum, uint64_t *bits);

#endif
