/* SPDX-License-Identifier: Apache-2.0 */
#include "api/cache.h"

#include <errno.h>
#include <stdlib.h>
#include <utlist.h>

#include "api/assembly.h"

enum {
    LINGER_MS = 60000, /* the mirror after its last use */
    LAG_MS = 200,      /* how long a read waits for the mirror to catch up */
};

/* A read that waits: for the mirror to show a revision, and then for the view of it; or for a view
 * of its own. */
struct reader {
    struct cache *cache; /* borrowed, as the call */
    struct call *call;
    int64_t revision;
    struct loop_timer *patience; /* with the mirror */
    struct assembly *own;        /* NULL: it waits for the mirror's */
    struct reader *prev;
    struct reader *next;
};

struct cache {
    struct api *api; /* borrowed */
    struct cache_listener listener;
    struct kv_mirror *mirror;
    struct assembly *assembly; /* of the mirror; NULL: nobody has read from it yet */
    struct loop_timer *linger; /* set: somebody read within the last minute */
    unsigned int holds;
    bool lost; /* the mirror has stopped where it was */
    struct reader *readers;
};

/* --- the mirror --- */

static void read_store(struct call *call);
static void reader_free(struct reader *reader);

static void close_mirror(struct cache *cache)
{
    struct reader *reader = NULL;
    struct reader *next = NULL;
    DL_FOREACH_SAFE(cache->readers, reader, next) {
        struct call *call = reader->call;
        if (reader->own)
            continue;
        reader_free(reader);
        read_store(call);
    }
    assembly_free(take_ptr(cache->assembly));
    kv_mirror_free(take_ptr(cache->mirror));
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
    struct cache *cache = userdata;
    cache->listener.on_change(old, pair, cache->listener.userdata);
    if (cache->assembly && assembly_change(cache->assembly, pair ? pair->key : old->key, pair) < 0)
        assembly_free(take_ptr(cache->assembly)); /* who reads next begins another */
}

static void answer_readers(struct cache *cache);

static void on_revision(int64_t revision, void *userdata)
{
    struct cache *cache = userdata;
    cache->listener.on_revision(revision, cache->listener.userdata);
    if (cache->assembly)
        assembly_stand(cache->assembly, revision);
    answer_readers(cache);
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

size_t cache_parsed_texts(const struct cache *cache)
{
    return cache->assembly ? assembly_parsed_texts(cache->assembly) : 0;
}

/* --- reading --- */

static void show_nothing(struct call *call, int code, const char *reason)
{
    if (call->on_no_view)
        call->on_no_view(call, reason);
    else
        call_fail_code(call, code, reason);
}

static void reader_free(struct reader *reader)
{
    DL_DELETE(reader->cache->readers, reader);
    assembly_free(reader->own);
    loop_timer_free(reader->patience);
    free(reader);
}

/* NULL: memory ran out, and the call is answered. */
static struct reader *reader_new(struct call *call)
{
    struct reader *reader = calloc(1, sizeof(*reader));
    if (!reader) {
        call_fail_code(call, -ENOMEM, "out of memory");
        return NULL;
    }
    reader->cache = call->api->cache;
    reader->call = call;
    DL_APPEND(reader->cache->readers, reader);
    return reader;
}

static void fail(struct reader *reader, int code)
{
    struct call *call = reader->call;
    reader_free(reader);
    call_fail_code(call, code, "out of memory");
}

static void try_assembly(struct reader *reader, struct assembly *assembly)
{
    struct call *call = reader->call;
    const struct view *view = assembly_view(assembly, call->asks_texts);
    if (!view)
        return;
    struct assembly *own = take_ptr(reader->own); /* which the view is part of */
    reader_free(reader);
    call->on_view(call, view);
    assembly_free(own);
}

/* --- of the store --- */

static void on_own_ready(int code, void *userdata)
{
    struct reader *reader = userdata;
    if (code < 0)
        fail(reader, code);
    else
        try_assembly(reader, reader->own);
}

static void on_prefix_read(const struct kv_range_result *result, void *userdata)
{
    struct call *call = userdata;
    if (result->code < 0) { /* a read has no outcome to be unsure of */
        show_nothing(call, result->code == -ETIMEDOUT ? -EAGAIN : result->code, result->reason);
        return;
    }
    struct reader *reader = reader_new(call);
    if (!reader)
        return;
    int r = assembly_from_listing(call->api->loop, call->api->prefix, result, on_own_ready, reader,
                                  &reader->own, NULL);
    if (r < 0)
        fail(reader, r);
    else
        try_assembly(reader, reader->own);
}

static void read_store(struct call *call)
{
    struct error err;
    int r = kv_range(call->api->kv, call->api->prefix, true, on_prefix_read, call, &err);
    if (r < 0)
        show_nothing(call, r, err.text);
}

/* --- of the mirror --- */

static void on_ready(int code, void *userdata)
{
    struct cache *cache = userdata;
    if (code < 0)
        assembly_free(take_ptr(cache->assembly));
    answer_readers(cache);
}

static int begin_assembly(struct cache *cache)
{
    if (cache->assembly)
        return 0;
    return assembly_from_mirror(cache->api->loop, cache->api->prefix, cache->mirror, on_ready,
                                cache, &cache->assembly, NULL);
}

/* Once the mirror shows what it is to, it only has to be made ready. */
static void answer_reader(struct reader *reader)
{
    struct cache *cache = reader->cache;
    struct call *call = reader->call;
    loop_timer_cancel(reader->patience);
    if (begin_assembly(cache) < 0) {
        reader_free(reader);
        read_store(call);
        return;
    }
    try_assembly(reader, cache->assembly);
}

static void answer_readers(struct cache *cache)
{
    struct reader *reader = NULL;
    struct reader *next = NULL;
    DL_FOREACH_SAFE(cache->readers, reader, next) {
        if (!reader->own && cache->mirror && reader->revision <= kv_mirror_revision(cache->mirror))
            answer_reader(reader);
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

static void read_mirror(struct cache *cache, struct call *call, int64_t revision)
{
    struct reader *reader = reader_new(call);
    if (!reader)
        return;
    reader->revision = revision;
    if (loop_timer_new(cache->api->loop, "api lag", on_patience_over, reader, &reader->patience,
                       NULL) < 0) {
        fail(reader, -ENOMEM);
        return;
    }
    loop_timer_set(reader->patience, LAG_MS);
    if (kv_mirror_revision(cache->mirror) >= revision)
        answer_reader(reader);
}

static void on_revision_read(const struct kv_txn_result *result, void *userdata)
{
    struct call *call = userdata;
    struct cache *cache = call->api->cache;
    if (result->code == 0 && cache->mirror && !cache->lost)
        read_mirror(cache, call, result->revision);
    else
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
    close_mirror(cache);
    loop_timer_free(cache->linger);
    free(cache);
}

void cache_listen(struct cache *cache, const struct cache_listener *listener)
{
    cache->listener = *listener;
}
