/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/pool.h"

#include <sanitizer/asan_interface.h> /* what is not taken is not to be touched */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_THINGS = 64 };

struct pool_spare {
    struct pool_spare *next;
};

struct pool_block {
    _Alignas(CACHE_LINE) struct pool_block *next;
    _Alignas(CACHE_LINE) char things[];
};

static void add_spare(struct pool *pool, void *thing)
{
    struct pool_spare *spare = thing;
    spare->next = pool->spare;
    pool->spare = spare;
    ASAN_POISON_MEMORY_REGION(thing, pool->size);
}

/* The first of it is taken first. */
static bool add_block(struct pool *pool)
{
    struct pool_block *block =
        aligned_alloc(CACHE_LINE, sizeof(*block) + BLOCK_THINGS * pool->size);
    if (!block)
        return false;
    block->next = pool->blocks;
    pool->blocks = block;
    for (size_t i = BLOCK_THINGS; i > 0; i--)
        add_spare(pool, block->things + (i - 1) * pool->size);
    return true;
}

void *pool_take(struct pool *pool)
{
    if (!pool->spare && !add_block(pool))
        return NULL;
    struct pool_spare *spare = pool->spare;
    ASAN_UNPOISON_MEMORY_REGION(spare, pool->size);
    pool->spare = spare->next;
    memset(spare, 0, pool->size);
    return spare;
}

void pool_give_back(struct pool *pool, void *thing)
{
    add_spare(pool, thing);
}

void pool_done(struct pool *pool)
{
    while (pool->blocks) {
        struct pool_block *block = pool->blocks;
        pool->blocks = block->next;
        free(block);
    }
    pool->spare = NULL;
}
