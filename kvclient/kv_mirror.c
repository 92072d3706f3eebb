/* SPDX-License-Identifier: Apache-2.0 */
/*
 *   listing --answer--> following --history compacted--> listing
 *      |  ^                 |
 *      |  +-- failed: wait  +-- another store, or it went back; refused --> stopped
 *      +-- likewise --> stopped
 */
#include "kvclient/kv_mirror.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "kvclient/backoff.h"
#include "kvclient/kv_pairs.h"

enum { RETRY_FIRST_MS = 100, RETRY_MAX_MS = 2000 };

struct kv_mirror {
    struct kv *kv; /* borrowed */
    char *prefix;
    struct kv_mirror_callbacks callbacks;
    void *userdata;
    struct kv_pairs pairs;
    int64_t revision;
    struct kv_watch *watch;
    struct loop_timer *timer; /* NULL without a loop */
    struct backoff backoff;
    bool listing; /* a range is under way */
    bool paused;
    bool stopped; /* on_lost was called */
    bool freed;   /* by its owner, from inside a callback */
    int busy;
};

static void mirror_destroy(struct kv_mirror *mirror)
{
    kv_watch_stop(mirror->kv, mirror->watch);
    kv_forget(mirror->kv, mirror);
    loop_timer_free(mirror->timer);
    kv_pairs_done(&mirror->pairs);
    free(mirror->prefix);
    free(mirror);
}

void kv_mirror_free(struct kv_mirror *mirror)
{
    if (!mirror)
        return;
    mirror->freed = true;
    if (mirror->busy == 0)
        mirror_destroy(mirror);
}

static void leave(struct kv_mirror *mirror)
{
    if (--mirror->busy == 0 && mirror->freed)
        mirror_destroy(mirror);
}

static bool is_over(const struct kv_mirror *mirror)
{
    return mirror->stopped || mirror->freed;
}

static void stop(struct kv_mirror *mirror, int code, const char *reason)
{
    kv_watch_stop(mirror->kv, take_ptr(mirror->watch));
    mirror->stopped = true;
    mirror->callbacks.on_lost(code, reason, mirror->userdata);
}

static void tell_change(struct kv_mirror *mirror, const struct kv_pair *old,
                        const struct kv_pair *pair)
{
    if (!mirror->freed)
        mirror->callbacks.on_change(old, pair, mirror->userdata);
}

static int change_put(struct kv_mirror *mirror, struct kv_pair *pair)
{
    autoptr(kv_pair) old = NULL;
    int r = kv_pairs_put(&mirror->pairs, pair, &old, NULL);
    if (r < 0) {
        kv_pair_free(pair);
        return r;
    }
    tell_change(mirror, old, pair);
    return 0;
}

static void change_delete(struct kv_mirror *mirror, const char *key)
{
    autoptr(kv_pair) old = kv_pairs_take(&mirror->pairs, key);
    if (old)
        tell_change(mirror, old, NULL);
}

static void list_later(struct kv_mirror *mirror);

/* Without the memory for one change the mirror is no mirror; a listing makes it one again. */
static void out_of_memory(struct kv_mirror *mirror)
{
    kv_watch_stop(mirror->kv, take_ptr(mirror->watch));
    list_later(mirror);
}

static void stand_at(struct kv_mirror *mirror, int64_t revision)
{
    mirror->revision = revision;
    if (!mirror->freed)
        mirror->callbacks.on_revision(revision, mirror->userdata);
}

static void on_events(const struct kv_event *events, size_t count, int64_t revision, void *userdata)
{
    struct kv_mirror *mirror = userdata;
    int r = 0;
    mirror->busy++;
    for (size_t i = 0; r == 0 && !mirror->freed && i < count; i++) {
        if (events[i].deleted) {
            change_delete(mirror, events[i].pair.key);
            continue;
        }
        struct kv_pair *pair = kv_pair_new(&events[i].pair);
        r = pair ? change_put(mirror, pair) : -ENOMEM;
    }
    if (r < 0)
        out_of_memory(mirror);
    else
        stand_at(mirror, revision);
    leave(mirror);
}

static void list_now(struct kv_mirror *mirror);

static void on_watch_lost(int code, const char *reason, void *userdata)
{
    struct kv_mirror *mirror = userdata;
    mirror->busy++;
    if (code == -ERANGE) {
        kv_watch_stop(mirror->kv, take_ptr(mirror->watch));
        list_now(mirror);
    } else if (code == -EACCES) {
        kv_watch_stop(mirror->kv, take_ptr(mirror->watch));
        list_later(mirror);
    } else {
        stop(mirror, code, reason);
    }
    leave(mirror);
}

static void on_watch_state(bool connected, void *userdata)
{
    const struct kv_mirror *mirror = userdata;
    if (mirror->callbacks.on_state)
        mirror->callbacks.on_state(connected, mirror->userdata);
}

static void watch_on(struct kv_mirror *mirror)
{
    static const struct kv_watch_callbacks callbacks = { .on_events = on_events,
                                                         .on_lost = on_watch_lost,
                                                         .on_state = on_watch_state };
    if (is_over(mirror))
        return;
    if (kv_watch(mirror->kv, mirror->prefix, true, mirror->revision + 1, &callbacks, mirror,
                 &mirror->watch, NULL) < 0)
        list_later(mirror);
    else
        kv_watch_pause(mirror->kv, mirror->watch, mirror->paused);
}

/* Moves the listed pair into memory of its own. */
static struct kv_pair *take_listed(struct kv_pair *listed)
{
    struct kv_pair *pair = malloc(sizeof(*pair));
    if (!pair)
        return NULL;
    *pair = *listed;
    *listed = (struct kv_pair){ 0 };
    return pair;
}

/* What was deleted while we did not see it: in the mirror, not in the listing. Both are in order.
 */
static void delete_unlisted(struct kv_mirror *mirror, const struct kv_range_result *result)
{
    size_t listed = 0;
    struct kv_pairs_at at = { 0 };
    const struct kv_pair *pair = NULL;
    while (!mirror->freed && (pair = kv_pairs_get(&mirror->pairs, at))) {
        while (listed < result->pair_count && strcmp(result->pairs[listed].key, pair->key) < 0)
            listed++;
        if (listed < result->pair_count && strcmp(result->pairs[listed].key, pair->key) == 0) {
            at = kv_pairs_next(&mirror->pairs, at);
            continue;
        }
        autoptr(kv_pair) old = kv_pairs_take(&mirror->pairs, pair->key);
        at = kv_pairs_seek(&mirror->pairs, old->key);
        tell_change(mirror, old, NULL);
    }
}

static int put_listed(struct kv_mirror *mirror, const struct kv_range_result *result)
{
    for (size_t i = 0; i < result->pair_count && !mirror->freed; i++) {
        const struct kv_pair *present = kv_pairs_find(&mirror->pairs, result->pairs[i].key);
        if (present && present->mod_revision == result->pairs[i].mod_revision)
            continue;
        struct kv_pair *pair = take_listed(&result->pairs[i]);
        int r = pair ? change_put(mirror, pair) : -ENOMEM;
        if (r < 0)
            return r;
    }
    return 0;
}

static void take_listing(struct kv_mirror *mirror, const struct kv_range_result *result)
{
    if (result->revision < mirror->revision) {
        stop(mirror, -EREMCHG, "the store's revision went back");
        return;
    }
    backoff_reset(&mirror->backoff);
    delete_unlisted(mirror, result);
    if (put_listed(mirror, result) < 0) {
        list_later(mirror);
        return;
    }
    stand_at(mirror, result->revision);
    watch_on(mirror);
}

static bool is_final(int code)
{
    return code == -ESTALE || code == -EREMCHG || code == -EINVAL;
}

static void on_listing(const struct kv_range_result *result, void *userdata)
{
    struct kv_mirror *mirror = userdata;
    mirror->busy++;
    mirror->listing = false;
    if (result->code == 0)
        take_listing(mirror, result);
    else if (is_final(result->code))
        stop(mirror, result->code, result->reason);
    else
        list_later(mirror);
    leave(mirror);
}

static void list_now(struct kv_mirror *mirror)
{
    mirror->listing = true;
    if (kv_range(mirror->kv, mirror->prefix, true, on_listing, mirror, NULL) < 0)
        list_later(mirror);
}

static void list_later(struct kv_mirror *mirror)
{
    mirror->listing = false;
    if (mirror->timer && !is_over(mirror))
        loop_timer_set(mirror->timer, backoff_next_ms(&mirror->backoff));
}

void kv_mirror_pause(struct kv_mirror *mirror, bool pause)
{
    mirror->paused = pause;
    kv_watch_pause(mirror->kv, mirror->watch, pause);
}

void kv_mirror_retry(struct kv_mirror *mirror)
{
    if (!mirror->listing && !mirror->watch && !is_over(mirror))
        list_now(mirror);
}

static void on_timer(struct loop_timer *timer, void *userdata)
{
    (void)timer;
    kv_mirror_retry(userdata);
}

int kv_mirror_new(struct loop *loop, struct kv *kv, const char *prefix,
                  const struct kv_mirror_callbacks *callbacks, void *userdata,
                  struct kv_mirror **ret, struct error *err)
{
    autoptr(kv_mirror) mirror = calloc(1, sizeof(*mirror));
    if (!mirror)
        return error_oom(err);
    *mirror = (struct kv_mirror){
        .kv = kv,
        .callbacks = *callbacks,
        .userdata = userdata,
        .backoff = {.first_ms = RETRY_FIRST_MS, .max_ms = RETRY_MAX_MS},
    };
    mirror->prefix = strdup(prefix);
    if (!mirror->prefix)
        return error_oom(err);
    int r = 0;
    if (loop)
        r = loop_timer_new(loop, "mirror retry", on_timer, mirror, &mirror->timer, err);
    if (r == 0)
        r = kv_range(kv, prefix, true, on_listing, mirror, err);
    if (r < 0)
        return r;
    mirror->listing = true;
    *ret = take_ptr(mirror);
    return 0;
}

int64_t kv_mirror_revision(const struct kv_mirror *mirror)
{
    return mirror->revision;
}

const struct kv_pair *kv_mirror_get(const struct kv_mirror *mirror, const char *key)
{
    return kv_pairs_find(&mirror->pairs, key);
}

const struct kv_pair *kv_mirror_next(const struct kv_mirror *mirror, const char *key)
{
    struct kv_pairs_at at = kv_pairs_seek(&mirror->pairs, key ? key : "");
    const struct kv_pair *pair = kv_pairs_get(&mirror->pairs, at);
    if (!pair || !key || strcmp(pair->key, key) != 0)
        return pair;
    return kv_pairs_get(&mirror->pairs, kv_pairs_next(&mirror->pairs, at));
}

int kv_mirror_each(const struct kv_mirror *mirror, const char *prefix, kv_mirror_visit_fn fn,
                   void *userdata)
{
    struct kv_pairs_at at = kv_pairs_seek(&mirror->pairs, prefix);
    const struct kv_pair *pair = kv_pairs_get(&mirror->pairs, at);
    while (pair && text_starts_with(pair->key, prefix)) {
        int r = fn(pair, userdata);
        if (r != 0)
            return r;
        at = kv_pairs_next(&mirror->pairs, at);
        pair = kv_pairs_get(&mirror->pairs, at);
    }
    return 0;
}
