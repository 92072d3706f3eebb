/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store in memory: the same semantics as etcd's (revisions, leases, watches, transactions), no
 * sockets, no clock of its own, and faults on demand. One kv_memory is the cluster's store; each
 * client opens a connection (a struct kv) to it, which can be cut and healed alone. Callbacks are
 * delivered by kv_memory_deliver(), in a deterministic order.
 */
#ifndef KVCLIENT_KV_MEMORY_H
#define KVCLIENT_KV_MEMORY_H

#include "kvclient/kv.h"

struct kv_memory;

int kv_memory_new(struct kv_memory **ret, struct error *err);
void kv_memory_free(struct kv_memory *store); /* after its connections */
DEFINE_AUTOPTR(kv_memory);

/* A client's connection; kv_free() closes it, but not from inside a callback. Requests are carried
 * out when they are made, and answered by kv_memory_deliver(). */
int kv_memory_connect(struct kv_memory *store, struct kv **ret, struct error *err);

/* Hands out what is due (answers and watch events) until nothing is left; returns how many
 * callbacks ran. Time for leases is base/clock's boot clock. */
size_t kv_memory_deliver(struct kv_memory *store);

/* One connection's share of that, for a simulator that decides who hears what when: the answers
 * that are there, the events that its watches have not seen, or both. What a callback asks for is
 * answered by the next call. is_due: whether there is anything to hand out. */
size_t kv_memory_deliver_to(struct kv *kv, bool answers, bool watches);
bool kv_memory_is_due(struct kv *kv);

/* Deletes what has expired by now, and carries out what lands late. Call when the fake clock moved.
 * next_ms: when there will be something to do, on the boot clock; INT64_MAX: never. */
void kv_memory_expire(struct kv_memory *store);
int64_t kv_memory_next_ms(const struct kv_memory *store);

/* Faults of one connection. Cut: requests end with -EAGAIN (never sent), and one that was sent but
 * not answered before the cut with -ETIMEDOUT (a read: -EAGAIN); watches are silent until healed,
 * then resume without loss. */
void kv_memory_cut(struct kv *kv, bool cut);
/* The next n transactions of this connection are applied (or, with applied false, dropped), and
 * answered -ETIMEDOUT either way. */
void kv_memory_lose_answers(struct kv *kv, unsigned int n, bool applied);
/* The next n writing transactions of this connection are answered -ETIMEDOUT, and carried out
 * delay_ms later, whether the connection is still there or not. */
void kv_memory_land_late(struct kv *kv, unsigned int n, int64_t delay_ms);

/* Somebody else is quicker: fn is called when a writing transaction of this connection has come to
 * the store, before it is carried out; what it writes by another connection stands by then. NULL:
 * nobody. */
typedef void (*kv_memory_overtake_fn)(const struct kv_txn *txn, void *userdata);
void kv_memory_overtake(struct kv *kv, kv_memory_overtake_fn fn, void *userdata);

/* Faults of the store. Revoke every lease now (a frozen etcd that wakes); forget history below the
 * present revision (watches behind it end with -ERANGE). */
void kv_memory_revoke_all(struct kv_memory *store);
void kv_memory_compact(struct kv_memory *store);

/* The store forgets that its last revisions were; what they wrote stays. */
void kv_memory_turn_back(struct kv_memory *store, int64_t revisions);

int64_t kv_memory_revision(const struct kv_memory *store);
/* The pair as it stands, or NULL; borrowed until the next change. For a test's checks. */
const struct kv_pair *kv_memory_peek(const struct kv_memory *store, const char *key);

#endif
