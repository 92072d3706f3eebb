/* SPDX-License-Identifier: Apache-2.0 */
#include "api/cache.h"

#include <errno.h>
#include <stdlib.h>
#include <utlist.h>

#include "api/view.h"

enum {
    LINGER_MS = 60000, /* the mirror after its last use */
    LAG_MS = 200,      /* how long a read waits for the mirror to catch up */
};

/* A read that waits for the mirror to show a revision. */
struct reader {
    struct cache *cache; /* borrowed, as the call */
    struct call *call;
    int64_t revision;
    struct loop_timer *patience;
    struct reader *prev;
    struct reader *next;
};

struct cache {
    struct api *api; /* borrowed */
    struct cache_listener listener;
    struct kv_mirror *mirror;
    struct loop_timer *linger; /* set: somebody read within the last minute */
    unsigned int holds;
    bool lost; /* the mirror has stopped where it was */
    struct reader *readers;
};

/* --- the mirror --- */

static void close_mirror(struct cache *cache)
{
    kv_mirror_free(cache->mirror);
    cache->mirror = NULL;
    cache->lost = false;
}

static void on_linger_over(struct loop_timer *timer, void *userdata)
{
    struct cache *cache = userdata;
    (void)timer;
    if (!cache->holds)
        close_mirror(cache);
}

static void on_change(const struct kv_pair *old, const struct kv_pair *pair, void *userdata)
{
    const struct cache *cache = userdata;
    cache->listener.on_change(old, pair, cache->listener.userdata);
}

static void answer_readers(struct cache *cache, int64_t revision);

static void on_revision(int64_t revision, void *userdata)
{
    struct cache *cache = userdata;
    cache->listener.on_revision(revision, cache->listener.userdata);
    answer_readers(cache, revision);
}

static void on_lost(int code, const char *reason, void *userdata)
{
    struct cache *cache = userdata;
    cache->lost = true;
    cache->listener.on_lost(code, reason, cache->listener.userdata);
}

static int open_mirror(struct cache *cache, struct error *err)
{
    static const struct kv_mirror_callbacks callbacks = {
        .on_change = on_change,
        .on_revision = on_revision,
        .on_lost = on_lost,
    };
    if (cache->lost)
        close_mirror(cache);
    if (cache->mirror)
        return 0;
    return kv_mirror_new(cache->api->loop, cache->api->kv, cache->api->prefix, &callbacks, cache,
                         &cache->mirror, err);
}

int cache_hold(struct cache *cache, struct error *err)
{
    int r = open_mirror(cache, err);
    if (r == 0)
        cache->holds++;
    return r;
}

void cache_release(struct cache *cache)
{
    cache->holds--;
    if (!cache->holds)
        loop_timer_set(cache->linger, LINGER_MS);
}

const struct kv_mirror *cache_mirror(const struct cache *cache)
{
    return cache->mirror;
}

/* --- reading --- */

static void show_nothing(struct call *call, int code, const char *reason)
{
    if (call->on_no_view)
        call->on_no_view(call, reason);
    else
        call_fail_code(call, code, reason);
}

static void show(struct call *call, const struct kv_pair *pairs, size_t count, int64_t revision)
{
    autoptr(view) view = NULL;
    struct error err;
    int r = view_new(call->api->prefix, pairs, count, revision, &view, &err);
    if (r < 0)
        call_fail_code(call, r, err.text);
    else
        call->on_view(call, view);
}

static void on_prefix_read(const struct kv_range_result *result, void *userdata)
{
    struct call *call = userdata;
    if (result->code < 0) /* a read has no outcome to be unsure of */
        show_nothing(call, result->code == -ETIMEDOUT ? -EAGAIN : result->code, result->reason);
    else
        show(call, result->pairs, result->pair_count, result->revision);
}

static void read_store(struct call *call)
{
    struct error err;
    int r = kv_range(call->api->kv, call->api->prefix, true, on_prefix_read, call, &err);
    if (r < 0)
        show_nothing(call, r, err.text);
}

/* Borrowed copies of what the mirror has. */
struct gathered {
    struct kv_pair *pairs;
    size_t count;
    size_t room;
};

static int gather(const struct kv_pair *pair, void *userdata)
{
    struct gathered *all = userdata;
    if (all->count == all->room) {
        size_t room = all->room ? 2 * all->room : 64;
        struct kv_pair *more = reallocarray(all->pairs, room, sizeof(*more));
        if (!more)
            return -ENOMEM;
        all->pairs = more;
        all->room = room;
    }
    all->pairs[all->count++] = *pair;
    return 0;
}

static void show_mirror(const struct cache *cache, struct call *call)
{
    struct gathered all = { 0 };
    int r = kv_mirror_each(cache->mirror, cache->api->prefix, gather, &all);
    if (r < 0)
        call_fail_code(call, r, "out of memory");
    else
        show(call, all.pairs, all.count, kv_mirror_revision(cache->mirror));
    free(all.pairs);
}

static void reader_free(struct reader *reader)
{
    DL_DELETE(reader->cache->readers, reader);
    loop_timer_free(reader->patience);
    free(reader);
}

static void answer_readers(struct cache *cache, int64_t revision)
{
    struct reader *reader = NULL;
    struct reader *next = NULL;
    DL_FOREACH_SAFE(cache->readers, reader, next) {
        struct call *call = reader->call;
        if (reader->revision > revision)
            continue;
        reader_free(reader);
        show_mirror(cache, call);
    }
}

/* Other users of the store write, too, and of their revisions the mirror never hears. */
static void on_patience_over(struct loop_timer *timer, void *userdata)
{
    struct reader *reader = userdata;
    struct call *call = reader->call;
    (void)timer;
    reader_free(reader);
    read_store(call);
}

static int wait_for(struct cache *cache, struct call *call, int64_t revision)
{
    struct reader *reader = calloc(1, sizeof(*reader));
    if (!reader)
        return -ENOMEM;
    *reader = (struct reader){ .cache = cache, .call = call, .revision = revision };
    DL_APPEND(cache->readers, reader);
    if (loop_timer_new(cache->api->loop, "api lag", on_patience_over, reader, &reader->patience,
                       NULL) < 0) {
        reader_free(reader);
        return -ENOMEM;
    }
    loop_timer_set(reader->patience, LAG_MS);
    return 0;
}

static void on_revision_read(const struct kv_txn_result *result, void *userdata)
{
    struct call *call = userdata;
    struct cache *cache = call->api->cache;
    bool usable = result->code == 0 && cache->mirror && !cache->lost;
    if (usable && kv_mirror_revision(cache->mirror) >= result->revision)
        show_mirror(cache, call);
    else if (!usable || wait_for(cache, call, result->revision) < 0)
        read_store(call); /* which also says why, where the store does not answer */
}

/* Any read tells the store's revision; this one is of one key. */
static int ask_revision(struct cache *cache, struct call *call)
{
    autofree char *key = store_key(cache->api->prefix, STORE_KEY_CLUSTER, NULL, NULL, 0);
    if (!key)
        return -ENOMEM;
    struct kv_op read = kv_op_range(key);
    struct kv_txn txn = { .success = &read, .success_count = 1 };
    return kv_txn(cache->api->kv, &txn, on_revision_read, call, NULL);
}

void cache_read(struct cache *cache, struct call *call)
{
    bool often = cache->holds || loop_timer_is_set(cache->linger);
    bool ready = cache->mirror && !cache->lost && kv_mirror_revision(cache->mirror) > 0;
    if (often && !ready)
        (void)open_mirror(cache, NULL); /* for the next; this one does not wait for it */
    loop_timer_set(cache->linger, LINGER_MS);
    if (!ready || ask_revision(cache, call) < 0)
        read_store(call);
}

void cache_forget(struct cache *cache, const struct call *call)
{
    struct reader *reader = NULL;
    struct reader *next = NULL;
    DL_FOREACH_SAFE(cache->readers, reader, next) {
        if (reader->call == call)
            reader_free(reader);
    }
}

/* --- life --- */

int cache_new(struct api *api, struct cache **ret, struct error *err)
{
    struct cache *cache = calloc(1, sizeof(*cache));
    if (!cache)
        return error_oom(err);
    cache->api = api;
    int r = loop_timer_new(api->loop, "api cache", on_linger_over, cache, &cache->linger, err);
    if (r < 0) {
        free(cache);
        return r;
    }
    *ret = cache;
    return 0;
}

void cache_free(struct cache *cache)
{
    if (!cache)
        return;
    while (cache->readers)
        reader_free(cache->readers);
    kv_mirror_free(cache->mirror);
    loop_timer_free(cache->linger);
    free(cache);
}

void cache_listen(struct cache *cache, const struct cache_listener *listener)
{
    cache->listener = *listener;
}
