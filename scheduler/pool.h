/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Things of one size, side by side in memory. Those of malloc() stand apart by what was allocated
 * between them, and if that is much the same each time, their first lines share a few sets of the
 * processor's cache and drive each other out, while most of it is empty.
 */
#ifndef SCHEDULER_POOL_H
#define SCHEDULER_POOL_H

#include <stddef.h>

enum { CACHE_LINE = 64 };

struct pool_spare;
struct pool_block;

/* Zero-initialise, but for size. */
struct pool {
    size_t size; /* of each: a multiple of CACHE_LINE, far below a large page */
    size_t room; /* for so many, taken or not */
    struct pool_block *blocks;
    struct pool_spare *spare; /* things that are not taken */
};

/* Zeros, from the beginning of a line on. NULL if memory ran out. */
void *pool_take(struct pool *pool);
void pool_give_back(struct pool *pool, void *thing);
/* Nothing that was taken may be used any more. */
void pool_done(struct pool *pool);

#endif
