/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A prefix of the store kept in memory, consistent at a revision: listed at R, watched from R + 1,
 * listed again (and the difference told as events) when history was compacted away.
 *
 * Memory is bounded by what is watched: the pairs themselves, while a listing comes in that listing
 * beside them, and of the stream what came in one turn of the loop and the message that is not
 * whole yet (etcd's fragments are of some MiB; one over 64 MiB ends the stream). Nothing is queued
 * for an owner that is slow: callbacks run before more is read, so what we do not take stays in
 * etcd and in TCP.
 *
 * The owner is told of each change once, in the store's order, whatever happened to connections
 * between.
 */
#ifndef KVCLIENT_KV_MIRROR_H
#define KVCLIENT_KV_MIRROR_H

#include "base/loop.h"
#include "kvclient/kv.h"

struct kv_mirror;

struct kv_mirror_callbacks {
    /* One key was put (old NULL: new) or deleted (pair NULL). Both borrowed for the call. */
    void (*on_change)(const struct kv_pair *old, const struct kv_pair *pair, void *userdata);
    /* The mirror stands at revision: after the first whole listing, and after every batch of
     * changes. */
    void (*on_revision)(int64_t revision, void *userdata);
    /* Another store answers (-ESTALE), it went back (-EREMCHG), or the request is wrong (-EINVAL):
     * the mirror has stopped where it was. Nothing may be concluded from what it lacks. A store
     * that refuses our user is as one out of reach: the mirror stays as it is, and asks again. */
    void (*on_lost)(int code, const char *reason, void *userdata);
    /* The stream was lost or is back; may be NULL. */
    void (*on_state)(bool connected, void *userdata);
};

/* Begins at once. loop may be NULL (kv_memory): a listing that failed is then tried again at once
 * when kv_mirror_retry() is called; with a loop it retries by itself, jittered. */
int kv_mirror_new(struct loop *loop, struct kv *kv, const char *prefix,
                  const struct kv_mirror_callbacks *callbacks, void *userdata,
                  struct kv_mirror **ret, struct error *err);
void kv_mirror_free(struct kv_mirror *mirror);
DEFINE_AUTOPTR(kv_mirror);
/* What changes need not be told until that is taken back: kv_watch_pause(). */
void kv_mirror_pause(struct kv_mirror *mirror, bool pause);
void kv_mirror_retry(struct kv_mirror *mirror);

/* 0 until the first listing is whole. */
int64_t kv_mirror_revision(const struct kv_mirror *mirror);

/* Borrowed until the next change. NULL if absent. */
const struct kv_pair *kv_mirror_get(const struct kv_mirror *mirror, const char *key);
/* The pair of the first key behind this one (NULL: of all), likewise. NULL if there is none. */
const struct kv_pair *kv_mirror_next(const struct kv_mirror *mirror, const char *key);

/* Visits the pairs whose keys begin with prefix in key order until fn returns non-zero, which is
 * returned. */
typedef int (*kv_mirror_visit_fn)(const struct kv_pair *pair, void *userdata);
int kv_mirror_each(const struct kv_mirror *mirror, const char *prefix, kv_mirror_visit_fn fn,
                   void *userdata);

#endif
