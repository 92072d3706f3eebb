/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A set of pairs in key order: what the mirror and the store in memory are made of.
 *
 * Pointers lie in chunks of some hundred, so that to put or take one of 100,000 moves no more than
 * one chunk's, and to find one costs two binary searches. To put the one that follows what was put
 * last costs none.
 */
#ifndef KVCLIENT_KV_PAIRS_H
#define KVCLIENT_KV_PAIRS_H

#include "base/error.h"
#include "kvclient/kv.h"

struct kv_chunk;

/* A place in the set, good until the next put or take. */
struct kv_pairs_at {
    size_t chunk;
    size_t index;
};

/* Zero-initialise. */
struct kv_pairs {
    struct kv_chunk **chunks; /* none of them empty */
    size_t chunk_count;
    size_t chunk_room;
    size_t count;
    struct kv_pairs_at last; /* where the last was put; something else may be there by now */
};

void kv_pairs_done(struct kv_pairs *pairs);

/* NULL if absent; borrowed until the next change. */
struct kv_pair *kv_pairs_find(const struct kv_pairs *pairs, const char *key);

/* The place of the first key that is not less than key. */
struct kv_pairs_at kv_pairs_seek(const struct kv_pairs *pairs, const char *key);

/* The pair at that place, NULL behind the last one; and the place after it. */
struct kv_pair *kv_pairs_get(const struct kv_pairs *pairs, struct kv_pairs_at at);
struct kv_pairs_at kv_pairs_next(const struct kv_pairs *pairs, struct kv_pairs_at at);

/* Puts in the pair, which the set owns from here on. *ret_old is what stood there before, owned by
 * the caller, or NULL. On -ENOMEM the pair stays the caller's. */
int kv_pairs_put(struct kv_pairs *pairs, struct kv_pair *pair, struct kv_pair **ret_old,
                 struct error *err);

/* Takes the pair out: the caller's, or NULL if absent. */
struct kv_pair *kv_pairs_take(struct kv_pairs *pairs, const char *key);

/* One pair of its own memory: a copy; NULL if memory ran out. kv_pair_free(NULL) is fine. */
struct kv_pair *kv_pair_new(const struct kv_pair *from);
void kv_pair_free(struct kv_pair *pair);
DEFINE_AUTOPTR(kv_pair);

/* Fills ret with copies of key and value and the numbers. -ENOMEM leaves it empty. */
int kv_pair_copy(const struct kv_pair *from, struct kv_pair *ret, struct error *err);

/* Frees an array of count pairs and what they hold. */
void kv_pair_array_free(struct kv_pair *pairs, size_t count);

#endif
