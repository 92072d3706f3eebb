/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/arena.h"
#include "kvclient/kv_wire_internal.h"

enum {
    /* A pair takes some 300 bytes of structs, and 20 to be sent at the least; nothing that etcd
     * says comes near this. A message of empty messages would take more. */
    GROWTH_MAX = 40,
    GROWTH_FREE = 65536,
};

struct kv_wire_arena {
    struct arena memory;
    ProtobufCAllocator allocator;
    const void *message;
    size_t allowed; /* what protobuf-c may still take */
    bool exceeded;
    bool exhausted; /* there was no memory */
};

void *kv_wire_arena_take(struct kv_wire_arena *arena, size_t size)
{
    return arena_take(&arena->memory, size);
}

static void *on_alloc(void *data, size_t size)
{
    struct kv_wire_arena *arena = data;
    arena->exceeded |= size > arena->allowed;
    if (arena->exceeded)
        return NULL;
    arena->allowed -= size;
    void *piece = arena_take(&arena->memory, size);
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
    if (!arena_reserve(&arena->memory, room)) {
        free(arena);
        return NULL;
    }
    return arena;
}

void kv_wire_arena_free(struct kv_wire_arena *arena)
{
    if (!arena)
        return;
    arena_done(&arena->memory);
    free(arena);
}

void kv_wire_arena_wipe(struct kv_wire_arena *arena)
{
    arena_wipe(&arena->memory);
}

void kv_wire_arena_join(struct kv_wire_arena *arena, struct kv_wire_arena *other)
{
    arena_join(&arena->memory, &other->memory);
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
