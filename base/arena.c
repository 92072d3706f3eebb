/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <sanitizer/asan_interface.h> /* what is not taken is not to be touched */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

enum {
    PIECE_ALIGN = 16,
    ROOM_MIN = 1024,
};

struct arena_block {
    struct arena_block *next;
    size_t room;
    size_t used;
    _Alignas(PIECE_ALIGN) char bytes[];
};

bool arena_reserve(struct arena *arena, size_t room)
{
    if (room < ROOM_MIN)
        room = ROOM_MIN;
    struct arena_block *block = room > PTRDIFF_MAX ? NULL : malloc(sizeof(*block) + room);
    if (!block)
        return false;
    block->next = arena->blocks;
    block->room = room;
    block->used = 0;
    ASAN_POISON_MEMORY_REGION(block->bytes, room);
    arena->blocks = block;
    return true;
}

/* A block with so much left; each is twice as large as the one before it. */
static struct arena_block *block_with(struct arena *arena, size_t size)
{
    const struct arena_block *block = arena->blocks;
    if (!block || size > block->room - block->used) {
        const size_t twice = block ? block->room * 2 : 0;
        if (!arena_reserve(arena, twice > size ? twice : size))
            return NULL;
    }
    return arena->blocks;
}

void *arena_take(struct arena *arena, size_t size)
{
    size_t whole = (size + PIECE_ALIGN) & ~(size_t)(PIECE_ALIGN - 1); /* one byte more at least */
    struct arena_block *block = whole < size ? NULL : block_with(arena, whole);
    if (!block)
        return NULL;
    char *piece = block->bytes + block->used;
    block->used += whole;
    ASAN_UNPOISON_MEMORY_REGION(piece, size + 1);
    piece[size] = '\0';
    return piece;
}

void arena_join(struct arena *arena, struct arena *other)
{
    struct arena_block **last = &arena->blocks;
    while (*last)
        last = &(*last)->next;
    *last = take_ptr(other->blocks);
}

void arena_wipe(struct arena *arena)
{
    for (struct arena_block *block = arena->blocks; block; block = block->next) {
        ASAN_UNPOISON_MEMORY_REGION(block->bytes, block->used);
        explicit_bzero(block->bytes, block->used);
    }
}

void arena_done(struct arena *arena)
{
    while (arena->blocks) {
        struct arena_block *next = arena->blocks->next;
        ASAN_UNPOISON_MEMORY_REGION(arena->blocks->bytes, arena->blocks->room);
        free(arena->blocks);
        arena->blocks = next;
    }
}
