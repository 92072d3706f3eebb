/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/pool.h"

#include <sanitizer/asan_interface.h> /* what is not taken is not to be touched */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { FEW = 64, MANY = 1024 };

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

/* A few at a time, which waste little. Those of many are together on large pages: small ones would
 * be more than the processor keeps addresses of. */
static struct pool_block *block_new(const struct pool *pool, size_t *ret_count)
{
    if (pool->room < MANY) {
        *ret_count = FEW;
        return aligned_alloc(CACHE_LINE, sizeof(struct pool_block) + FEW * pool->size);
    }
    *ret_count = (MEMORY_LARGE_PAGE - sizeof(struct pool_block)) / pool->size;
    return memory_large_page();
}

/* The first of it is taken first. */
static bool add_block(struct pool *pool)
{
    size_t count = 0;
    struct pool_block *block = block_new(pool, &count);
    if (!block)
        return false;
    block->next = pool->blocks;
    pool->blocks = block;
    pool->room += count;
    for (size_t i = count; i > 0; i--)
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
    pool->room = 0;
}
