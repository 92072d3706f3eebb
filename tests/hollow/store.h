/* SPDX-License-Identifier: Apache-2.0 */
/* The store as a drive uses it: one thing after another. Each function ends the program, with the
 * reason, if it cannot, or if one of the drive's processes ends by itself meanwhile. */
#ifndef TESTS_HOLLOW_STORE_H
#define TESTS_HOLLOW_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kvclient/kv.h"

struct store;

struct store *store_open(const char *url);
void store_close(struct store *store);
/* The loop runs meanwhile. */
void store_pause(struct store *store, int64_t ms);

/* Does transactions, as many at a time as a leader: how long it took. Each must succeed. */
int64_t store_commit_ns(struct store *store, const struct kv_txn *txns, size_t count);
/* Writes in transactions of KV_TXN_OPS_MAX, likewise. */
int64_t store_write_ns(struct store *store, const struct kv_op *ops, size_t count);
void store_revoke(struct store *store, int64_t lease);

/* How many keys begin with it. */
int64_t store_count(struct store *store, const char *prefix);
int64_t store_revision(struct store *store);
/* fn sees each pair that begins with prefix. */
void store_each(struct store *store, const char *prefix,
                void (*fn)(const struct kv_pair *pair, void *userdata), void *userdata);

/* From now on the store is asked for its revision all the time, so that it can be told when one
 * came about: on the monotonic clock, between two askings as if writes came evenly. */
void store_track(struct store *store, bool on);
int64_t store_time_of_ns(const struct store *store, int64_t revision);

/* What etcd's own counters say. */
struct store_traffic {
    int64_t received; /* messages from clients */
    int64_t watched;  /* messages to watches */
    int64_t watches;  /* that stand */
    double cpu_s;     /* of its process */
};
struct store_traffic store_get_traffic(struct store *store);

int64_t store_now_ns(void);

#endif
