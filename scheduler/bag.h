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

#include "scheduler/bits.h"

/* Zero-initialise. */
struct bag {
    uint32_t *list;   /* a machine for each unit, as a rule the youngest last; or NULL */
    uint32_t *counts; /* or NULL: of each machine, in place of the list */
    uint64_t *bits;   /* or NULL: there is none beside the list */
    uint32_t size;    /* units */
    uint32_t room;    /* of the list */
    uint32_t repeats; /* units that have another of their machine; known if there are bits */
    uint32_t changes; /* of what is in it; it comes round */
};

void bag_done(struct bag *bag);

/* words: of a bitmap of all machines. False if memory ran out; the bag is as it was. */
static inline bool bag_add(struct bag *bag, uint32_t machine, size_t words);
/* Something that is not there may be taken away: nothing happens. */
static inline void bag_remove(struct bag *bag, uint32_t machine);
uint32_t bag_count(const struct bag *bag, uint32_t machine);
static inline bool bag_has(const struct bag *bag, uint32_t machine);
/* One word of its set. */
static inline uint64_t bag_word(const struct bag *bag, size_t i);
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

/* Room in the list for one more. False if memory ran out. */
bool bag_grow(struct bag *bag);
/* It has become so large that a bitmap or counts are worth it. Without memory for them it does
 * without. */
void bag_reshape(struct bag *bag, size_t words);
/* Where it is in the list before `end`, the last first; end: it is not. */
uint32_t bag_find_before(const struct bag *bag, uint32_t end, uint32_t machine);

/* A bitmap is made when the list has a number for each fourth of its words: with it a bag is a set
 * that is ready to be intersected. Counts are made when the list has a number for each fourth
 * machine: it takes as much memory then, within a factor of four, and is slow to search. */
enum { BAG_BITS_WORTH = 4, BAG_COUNTS_WORTH = BITS_PER_WORD / 4 };

static inline void bag_count_bit(struct bag *bag, uint32_t machine)
{
    bag->repeats += bits_test(bag->bits, machine);
    bits_set(bag->bits, machine);
}

static inline bool bag_add(struct bag *bag, uint32_t machine, size_t words)
{
    if (bag->counts)
        bag->counts[machine]++;
    else if (bag->size < bag->room || bag_grow(bag))
        bag->list[bag->size] = machine;
    else
        return false;
    bag->size++;
    bag->changes++;
    if (bag->bits)
        bag_count_bit(bag, machine);
    if (bag->bits ? !bag->counts && bag->size >= words * BAG_COUNTS_WORTH
                  : (size_t)bag->size * BAG_BITS_WORTH >= words)
        bag_reshape(bag, words);
    return true;
}

/* Any that is in it, or none. */
void bag_remove_any(struct bag *bag, uint32_t machine);

/* What was added last, and has no other of its machine before it, is soon gone. */
static inline void bag_remove(struct bag *bag, uint32_t machine)
{
    if (bag->counts || bag->size == 0 || bag->list[bag->size - 1] != machine || bag->repeats > 0) {
        bag_remove_any(bag, machine);
        return;
    }
    bag->size--;
    bag->changes++;
    if (bag->bits)
        bits_clear(bag->bits, machine);
}

static inline bool bag_has(const struct bag *bag, uint32_t machine)
{
    return bag->bits ? bits_test(bag->bits, machine)
                     : bag_find_before(bag, bag->size, machine) < bag->size;
}

/* Without a branch for each of the list: in which word it is cannot be foreseen. */
static inline uint64_t bag_word(const struct bag *bag, size_t i)
{
    uint64_t word = 0;
    if (bag->bits)
        return bag->bits[i];
    for (uint32_t at = 0; at < bag->size; at++)
        word |= (uint64_t)(bag->list[at] / BITS_PER_WORD == i) << bag->list[at] % BITS_PER_WORD;
    return word;
}

/* What is in several bags. As a rule there is one, and then it is that one, which nobody has to
 * tell what comes and goes. Zero-initialise. */
struct bag_sum {
    const struct bag *only; /* of one part; NULL: there is none, or there have been more */
    size_t parts;
    struct bag all; /* of these */
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
static inline bool bag_sum_add(struct bag_sum *sum, uint32_t machine, size_t words)
{
    return sum->only || bag_add(&sum->all, machine, words);
}

static inline void bag_sum_remove(struct bag_sum *sum, uint32_t machine)
{
    if (!sum->only)
        bag_remove(&sum->all, machine);
}

#endif
