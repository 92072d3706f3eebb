/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bag of machine numbers: which machines have how many of something (units of a template, units
 * that match a pattern, holders of a port). It is made of what it costs least to be: a list with a
 * number for each unit, the youngest last; with a bitmap beside it when there are a few;
 * or a count for each machine when a good part of them are in it.
 *
 * Adding, and taking back what was added last, takes no search: a step that decides a million
 * placements takes them back group by group, the last first, at next to no cost. Where groups share
 * a bag and took turns in it, there is a list to search, never longer than a count for each fourth
 * machine.
 */
#ifndef SCHEDULER_BAG_H
#define SCHEDULER_BAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zero-initialise. */
struct bag {
    uint32_t *list;   /* a machine for each unit, in no order; or NULL */
    uint32_t *counts; /* or NULL: of each machine, in place of the list */
    uint64_t *bits;   /* or NULL: there is none beside the list */
    uint32_t size;    /* units */
    uint32_t room;    /* of the list */
    uint32_t repeats; /* units that have another of their machine; known if there are bits */
    uint32_t changes; /* of what is in it; it comes round */
};

void bag_done(struct bag *bag);

/* words: of a bitmap of all machines. False if memory ran out; the bag is as it was. */
bool bag_add(struct bag *bag, uint32_t machine, size_t words);
/* Something that is not there may be taken away: nothing happens. */
void bag_remove(struct bag *bag, uint32_t machine);
uint32_t bag_count(const struct bag *bag, uint32_t machine);
bool bag_has(const struct bag *bag, uint32_t machine);
/* True only if every one of so many machines is in it; false may also mean that nobody counted. */
bool bag_has_all(const struct bag *bag, size_t machines);

/* Adds the bag's machines to a set. */
void bag_unite(const struct bag *bag, uint64_t *bits, size_t words);
/* The same for those that have at least minimum, which is above 0. zeros: one for each machine,
 * before and after. */
void bag_unite_from(const struct bag *bag, uint32_t minimum, uint64_t *bits, size_t words,
                    uint32_t *zeros);

/* Goes through its units. Zero-initialise; machine is that of the unit come to. False: that was the
 * last. */
struct bag_walk {
    uint32_t machine;
    uint32_t passed;    /* units */
    uint32_t passed_of; /* the machine, if there are counts */
};
bool bag_next(const struct bag *bag, struct bag_walk *walk);

/* What is in several bags. As a rule there is one, and then it is that one, which nobody has to
 * tell what comes and goes. Zero-initialise. */
struct bag_sum {
    size_t parts;
    const struct bag *only; /* of one part; NULL: there is none, or there have been more */
    struct bag all;         /* of these */
};

static inline const struct bag *bag_sum(const struct bag_sum *sum)
{
    return sum->only ? sum->only : &sum->all;
}

/* One more; borrowed until it quits. False if memory ran out: it is part of it, and what is in the
 * sum is not to be relied on. */
bool bag_sum_join(struct bag_sum *sum, const struct bag *part, size_t words);
/* An empty one. */
void bag_sum_quit(struct bag_sum *sum, const struct bag *part);
/* What a part has got, or no longer has. */
bool bag_sum_add(struct bag_sum *sum, uint32_t machine, size_t words);
void bag_sum_remove(struct bag_sum *sum, uint32_t machine);

#endif
