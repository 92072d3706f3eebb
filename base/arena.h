/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory for many small things that end together: taken piece by piece from a few large blocks, and
 * given back in one go.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct arena_block;

/* Zero-initialise. */
struct arena {
    struct arena_block *blocks; /* the first is the one in use */
};

/* A block with so much room, for who knows beforehand about how much is taken. False: no memory. */
bool arena_reserve(struct arena *arena, size_t room);

/* Room for size bytes, aligned for anything, and a NUL behind them; what is in it is left as it
 * was. The arena's; NULL if memory ran out. */
void *arena_take(struct arena *arena, size_t size);

/* The memory of other is arena's from now on. */
void arena_join(struct arena *arena, struct arena *other);

/* Overwrites all that was taken. */
void arena_wipe(struct arena *arena);

void arena_done(struct arena *arena);

#endif
