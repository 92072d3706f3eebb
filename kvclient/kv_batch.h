/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guarded batches: many small writes of one owner as few transactions, every one of them under the
 * guard that says that the owner is still who he was (a leader: mod(leader) = his epoch; an agent:
 * create(presence) = its registration).
 *
 *  - Writes are queued, and sent at the end of the loop's turn or by kv_batch_flush(), in the order
 *    in which they were added, one transaction at a time. A transaction has at most KV_TXN_OPS_MAX
 *    compares and operations and at most KV_BATCH_BYTES_MAX bytes.
 *  - A write of a key that is still queued takes the older one's part, at the end of the queue: so
 *    no key is written twice in one transaction, and what is sent never runs before what it
 *    followed.
 *  - Every write ends with exactly one callback, never from inside kv_batch_add(), unless the batch
 *    is freed or the write forgotten first. Callbacks come from the loop, from an answer or from
 *    kv_batch_flush(); they may call anything here, kv_batch_free() too. The codes:
 *      0           written; revision is the mod_revision of a key that was put
 *      -ECANCELED  superseded by a newer write of its key before it was sent
 *      -EBADE      refused: a compare of its own does not hold. The other writes of its transaction
 *                  are not harmed: they are sent anew without it
 *      -ESTALE     the guard does not hold (or another store answers). Told to all that are queued;
 *                  the batch is fenced
 *      -ETIMEDOUT  unknown: it may have been written or may yet be; -EPROTO is as good. Told to the
 *                  writes of that transaction; the batch waits, and keeps what is queued
 *    and what else kv.h has, of that write or (-EACCES, -ENOSPC) of its transaction. -EAGAIN and
 *    -ENOMEM are not told: what did not happen stays queued and is sent again, with back-off.
 *
 *   sending --guard does not hold--> fenced: adding is refused with -ESTALE
 *      ^ |                              |
 *      | +--outcome unknown--> waiting  |
 *      |                          |     |
 *      +----- kv_batch_resume() --+-----+
 *
 * Why it waits: a transaction whose answer was lost may land late, on top of what was sent after
 * it. Under a new guard (a leader writes his key anew and has a new epoch) the late one is refused,
 * and the store can be read without it changing underneath.
 */
#ifndef KVCLIENT_KV_BATCH_H
#define KVCLIENT_KV_BATCH_H

#include "base/loop.h"
#include "kvclient/kv.h"

struct kv_batch;

/* Keys, values and KV_BATCH_PIECE_BYTES for each operation and compare around them; etcd takes
 * 1.5 MiB by default. */
enum { KV_BATCH_BYTES_MAX = 1024 * 1024, KV_BATCH_PIECE_BYTES = 64 };

struct kv_batch_result {
    int code;           /* see above */
    const char *reason; /* in words if code < 0 */
    int64_t revision;   /* of the store, after it; 0 if code < 0 */
};
typedef void (*kv_batch_fn)(const struct kv_batch_result *result, void *userdata);

struct kv_batch_write {
    struct kv_op op;                   /* PUT, or DELETE of one key */
    const struct kv_compare *compares; /* its own, besides the guard; NULL: none */
    size_t compare_count;
    kv_batch_fn fn; /* NULL: nobody wants to know */
    void *userdata;
};

/* The guard is copied. loop and kv are borrowed. loop may be NULL (kv_memory): then what is queued
 * is sent by kv_batch_flush() and by the answers to what was sent before. */
int kv_batch_new(struct loop *loop, struct kv *kv, const struct kv_compare *guard,
                 struct kv_batch **ret, struct error *err);
void kv_batch_free(struct kv_batch *batch); /* no callback comes afterwards */
DEFINE_AUTOPTR(kv_batch);

/* Queues it; all of it is copied. -EINVAL: it is neither a put nor a delete of one key; -E2BIG: it
 * does not fit into a transaction alone; -ESTALE: the batch is fenced. */
int kv_batch_add(struct kv_batch *batch, const struct kv_batch_write *write, struct error *err);

/* Sends now what is queued, unless a transaction is under way or the batch waits or is fenced. */
void kv_batch_flush(struct kv_batch *batch);

/* From now on under this guard: what is queued goes on. What is under way under the earlier one
 * ends as it does; if that guard was gone by then, it is sent anew. */
int kv_batch_resume(struct kv_batch *batch, const struct kv_compare *guard, struct error *err);

/* 0 while it sends, -ETIMEDOUT while it waits, -ESTALE when it is fenced. */
int kv_batch_state(const struct kv_batch *batch);

/* Drops every queued write with this userdata. One that is under way may still happen, but is no
 * longer told. */
void kv_batch_forget(struct kv_batch *batch, const void *userdata);

#endif
