/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "kvclient/kv_wire_internal.h"

enum {
    PIECE_ALIGN = 16,
    CHUNK_MIN = 1024,
    /* A pair takes some 300 bytes of structs, and 20 to be sent at the least; nothing that etcd
     * says comes near this. A message of empty messages would take more. */
    GROWTH_MAX = 40,
    GROWTH_FREE = 65536,
};

struct chunk {
    struct chunk *next;
    size_t room;
    size_t used;
    _Alignas(PIECE_ALIGN) char bytes[];
};

struct kv_wire_arena {
    struct chunk *chunks; /* the first is the one in use */
    ProtobufCAllocator allocator;
    const void *message;
    size_t allowed; /* what protobuf-c may still take */
    bool exceeded;
    bool exhausted; /* there was no memory */
};

static bool add_chunk(struct kv_wire_arena *arena, size_t room)
{
    struct chunk *chunk = malloc(sizeof(*chunk) + room);
    if (!chunk)
        return false;
    chunk->next = arena->chunks;
    chunk->room = room;
    chunk->used = 0;
    arena->chunks = chunk;
    return true;
}

static void *take(struct kv_wire_arena *arena, size_t size)
{
    size_t whole = (size + PIECE_ALIGN) & ~(size_t)(PIECE_ALIGN - 1); /* one byte more at least */
    struct chunk *chunk = arena->chunks;
    if (whole < size)
        return NULL;
    if (whole > chunk->room - chunk->used) {
        size_t room = chunk->room * 2 > whole ? chunk->room * 2 : whole;
        if (!add_chunk(arena, room))
            return NULL;
        chunk = arena->chunks;
    }
    char *piece = chunk->bytes + chunk->used;
    chunk->used += whole;
    piece[size] = '\0';
    return piece;
}

void *kv_wire_arena_take(struct kv_wire_arena *arena, size_t size)
{
    return take(arena, size);
}

static void *on_alloc(void *data, size_t size)
{
    struct kv_wire_arena *arena = data;
    arena->exceeded |= size > arena->allowed;
    if (arena->exceeded)
        return NULL;
    arena->allowed -= size;
    void *piece = take(arena, size);
    arena->exhausted |= !piece;
    return piece;
}

static void on_free(void *data, void *piece)
{
    (void)data;
    (void)piece;
}

struct kv_wire_arena *kv_wire_arena_new(size_t room)
{
    struct kv_wire_arena *arena = calloc(1, sizeof(*arena));
    if (!arena)
        return NULL;
    arena->allocator =
        (ProtobufCAllocator){ .alloc = on_alloc, .free = on_free, .allocator_data = arena };
    if (!add_chunk(arena, room > CHUNK_MIN ? room : CHUNK_MIN)) {
        free(arena);
        return NULL;
    }
    return arena;
}

void kv_wire_arena_free(struct kv_wire_arena *arena)
{
    if (!arena)
        return;
    while (arena->chunks) {
        struct chunk *next = arena->chunks->next;
        free(arena->chunks);
        arena->chunks = next;
    }
    free(arena);
}

void kv_wire_arena_wipe(struct kv_wire_arena *arena)
{
    for (struct chunk *chunk = arena->chunks; chunk; chunk = chunk->next)
        explicit_bzero(chunk->bytes, chunk->used);
}

void kv_wire_arena_join(struct kv_wire_arena *arena, struct kv_wire_arena *other)
{
    struct chunk *last = arena->chunks;
    while (last->next)
        last = last->next;
    last->next = take_ptr(other->chunks);
    kv_wire_arena_free(other);
}

/* protobuf-c does not say why it failed. */
static int unpack_failure(const struct kv_wire_arena *arena, size_t length, struct error *err)
{
    if (arena->exhausted)
        return error_oom(err);
    if (arena->exceeded)
        return error_set(err, -EPROTO, "an answer of %zu bytes is made of next to nothing", length);
    return error_set(err, -EPROTO, "an answer of %zu bytes is no message that was asked for",
                     length);
}

int kv_wire_unpack(const ProtobufCMessageDescriptor *descriptor, const uint8_t *data, size_t length,
                   struct kv_wire_arena **ret, struct error *err)
{
    autoptr(kv_wire_arena) arena = kv_wire_arena_new(length * 2);
    if (!arena)
        return error_oom(err);
    arena->allowed = length * GROWTH_MAX + GROWTH_FREE;
    arena->message = protobuf_c_message_unpack(descriptor, &arena->allocator, length, data);
    if (!arena->message)
        return unpack_failure(arena, length, err);
    *ret = take_ptr(arena);
    return 0;
}

const void *kv_wire_arena_message(const struct kv_wire_arena *arena)
{
    return arena->message;
}
