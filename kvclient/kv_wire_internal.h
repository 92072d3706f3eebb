/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of kv_wire.h share: the memory that a message is made of, and the readers of what
 * several answers have. For no one else.
 */
#ifndef KVCLIENT_KV_WIRE_INTERNAL_H
#define KVCLIENT_KV_WIRE_INTERNAL_H

#include <kvclient/etcd.pb-c.h>

#include "base/cleanup.h"
#include "kvclient/kv_wire.h"

/* Memory that is given in pieces and freed at once. Behind each piece is a zero byte, so that what
 * protobuf-c takes for bytes is a string as well. */
struct kv_wire_arena;
struct kv_wire_arena *kv_wire_arena_new(size_t room); /* NULL: no memory */
void kv_wire_arena_free(struct kv_wire_arena *arena);
DEFINE_AUTOPTR(kv_wire_arena);
void *kv_wire_arena_take(struct kv_wire_arena *arena,
                         size_t size); /* not zeroed; NULL: no memory */
/* What was given is zeroed, where it had a secret; it is to be freed next. */
void kv_wire_arena_wipe(struct kv_wire_arena *arena);
/* The memory of other is arena's from now on; other is freed. */
void kv_wire_arena_join(struct kv_wire_arena *arena, struct kv_wire_arena *other);

/* The message in an arena of its own, the caller's. -EPROTO: it is none, or would take memory out
 * of all proportion to what was sent; -ENOMEM. */
int kv_wire_unpack(const ProtobufCMessageDescriptor *descriptor, const uint8_t *data, size_t length,
                   struct kv_wire_arena **ret, struct error *err);
const void *kv_wire_arena_message(const struct kv_wire_arena *arena);

/* -EPROTO if there is none, if it names no cluster, or tells a revision below the smallest. */
int kv_wire_take_header(const Etcd__ResponseHeader *header, int64_t smallest,
                        struct kv_wire_header *ret, struct error *err);

/* A string of the message, where it lies. -EPROTO: it has a NUL in it. */
int kv_wire_take_text(const ProtobufCBinaryData *bytes, const char *what, char **ret,
                      struct error *err);

/* Key and value where they lie, with what every pair must have. */
int kv_wire_take_pair(const Etcd__KeyValue *kv, struct kv_pair *ret, struct error *err);

#endif
