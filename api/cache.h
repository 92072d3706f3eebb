/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The prefix of the store in memory, while somebody asks often or waits: a mirror that is opened
 * for a waiter or for the second read within a minute, and closed a minute after the last use. An
 * idle daemon watches nothing for it.
 *
 * A read is as fresh as one of the store: it asks the store for its revision, and is answered from
 * the mirror once that shows it. Where the mirror is not there or lags, the store is read.
 *
 * With the mirror a view of it is kept, decoded, with what texts say and the scheduler's model in
 * it: a change costs what it touches, and an answer what is in it.
 */
#ifndef API_CACHE_H
#define API_CACHE_H

#include "api/call.h"
#include "kvclient/kv_mirror.h"

struct cache;

/* What the waiters hear of the mirror: as kv_mirror.h has it. */
struct cache_listener {
    void (*on_change)(const struct kv_pair *old, const struct kv_pair *pair, void *userdata);
    void (*on_revision)(int64_t revision, void *userdata);
    void (*on_lost)(int code, const char *reason, void *userdata);
    void *userdata;
};

int cache_new(struct api *api, struct cache **ret, struct error *err);
void cache_free(struct cache *cache); /* NULL is fine */

/* One listener: the waits. Copied. */
void cache_listen(struct cache *cache, const struct cache_listener *listener);

/* Keeps the mirror open until cache_release(); opens it if need be. */
int cache_hold(struct cache *cache, struct error *err);
void cache_release(struct cache *cache);
const struct kv_mirror *cache_mirror(const struct cache *cache); /* NULL: not open; borrowed */

/* How many texts of units have been parsed while the mirror was open: each is once, as long as it
 * stays. */
size_t cache_parsed_texts(const struct cache *cache);

/* Ends in call->on_view with a view no older than this call, or in the call's failure. */
void cache_read(struct cache *cache, struct call *call);
/* The call is going away. */
void cache_forget(struct cache *cache, const struct call *call);

#endif
