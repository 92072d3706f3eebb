/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of a plan belongs together: a block is an action that is not joined, its head, with the
 * joined ones right behind it. The store is to get all of it at once, unless no transaction has
 * room for so much. is_joined is a fact of position, so whoever changes the order of a plan moves
 * blocks, never actions.
 */
#ifndef SCHEDULER_BLOCKS_H
#define SCHEDULER_BLOCKS_H

#include "scheduler/plan.h"

/* How many actions the block has that begins at first; first is below plan->count. Of a block that
 * was begun already, the rest. */
size_t block_length(const struct plan *plan, size_t first);

/* Brings blocks for one machine together, by the names of their heads, so that its registration is
 * compared once, its watch told once, and the keys that are written are neighbours. Only among
 * neighbours that assign, or that drop, alone: the order of kinds has its reasons, and a block of
 * several kinds, or with a move, stays where it is. Nothing rests on this order: if memory runs
 * out, the plan is left as it is. */
void blocks_sort(struct plan *plan);

#endif
