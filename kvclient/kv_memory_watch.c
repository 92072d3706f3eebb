/* SPDX-License-Identifier: Apache-2.0 */
#include "kvclient/kv_memory_internal.h"

#include <errno.h>
#include <string.h>
#include <utlist.h>

void kv_memory_watch_free(struct memory_watch *watch)
{
    DL_DELETE(watch->connection->store->watches, watch);
    free(watch->key);
    free(watch);
}

int kv_memory_watch(struct kv *kv, const char *key, bool prefix, int64_t from_revision,
                    const struct kv_watch_callbacks *callbacks, void *userdata,
                    struct kv_watch **ret, struct error *err)
{
    struct connection *connection = (struct connection *)kv;
    autofree char *copy = strdup(key);
    struct memory_watch *watch = copy ? calloc(1, sizeof(*watch)) : NULL;
    if (!watch)
        return error_oom(err);
    *watch = (struct memory_watch){
        .watch = { .kv = kv },
        .connection = connection,
        .key = take_ptr(copy),
        .prefix = prefix,
        .next_revision = from_revision,
        .callbacks = *callbacks,
        .userdata = userdata,
    };
    DL_APPEND(connection->store->watches, watch);
    *ret = &watch->watch;
    return 0;
}

void kv_memory_watch_pause(struct kv *kv, struct kv_watch *base, bool pause)
{
    (void)kv;
    ((struct memory_watch *)base)->paused = pause;
}

void kv_memory_watch_stop(struct kv *kv, struct kv_watch *base)
{
    struct memory_watch *watch = (struct memory_watch *)base;
    (void)kv;
    watch->stopped = true;
    if (watch->busy == 0)
        kv_memory_watch_free(watch);
}

static size_t tell_state(struct memory_watch *watch, bool standing)
{
    if (watch->standing == standing)
        return 0;
    watch->standing = standing;
    if (!watch->callbacks.on_state)
        return 0;
    watch->callbacks.on_state(standing, watch->userdata);
    return 1;
}

static size_t end_watch(struct memory_watch *watch, int code, const char *reason)
{
    watch->ended = true;
    watch->callbacks.on_lost(code, reason, watch->userdata);
    return 1;
}

/* The events are lent from history, which a callback may add to: so they are copied first. */
static size_t tell_events(struct memory_watch *watch)
{
    const struct kv_memory *store = watch->connection->store;
    struct history due = { 0 };
    for (size_t i = kv_memory_history_seek(&store->history, watch->next_revision);
         i < store->history.count; i++) {
        const struct kv_event *event = &store->history.events[i];
        if (kv_memory_matches(event->pair.key, watch->key, watch->prefix))
            (void)kv_memory_history_add(&due, &event->pair, event->deleted);
    }
    if (store->revision >= watch->next_revision)
        watch->next_revision = store->revision + 1;
    if (due.count)
        watch->callbacks.on_events(due.events, due.count,
                                   due.events[due.count - 1].pair.mod_revision, watch->userdata);
    size_t told = due.count ? 1 : 0;
    kv_memory_history_clear(&due);
    free(due.events);
    return told;
}

static size_t deliver_watch(struct memory_watch *watch)
{
    const struct kv_memory *store = watch->connection->store;
    if (watch->ended)
        return 0;
    if (watch->connection->cut)
        return tell_state(watch, false);
    size_t ran = tell_state(watch, true);
    if (watch->stopped)
        return ran;
    if (watch->next_revision <= store->compacted)
        return ran + end_watch(watch, -ERANGE, "history is compacted");
    if (watch->next_revision > store->revision + 1)
        return ran + end_watch(watch, -EREMCHG, "the store's revision went back");
    return watch->paused ? ran : ran + tell_events(watch);
}

static bool is_among(const struct memory_watch *watch, const struct connection *only)
{
    return !only || watch->connection == only;
}

size_t kv_memory_deliver_watches(struct kv_memory *store, const struct connection *only)
{
    size_t ran = 0;
    struct memory_watch *watch = NULL;
    struct memory_watch *next = NULL;
    DL_FOREACH(store->watches, watch) {
        watch->busy += is_among(watch, only);
    }
    DL_FOREACH(store->watches, watch) {
        /* One that was made during this loop is served by the next. */
        if (watch->busy && !watch->stopped)
            ran += deliver_watch(watch);
    }
    DL_FOREACH_SAFE(store->watches, watch, next) {
        watch->busy = 0;
        if (watch->stopped)
            kv_memory_watch_free(watch);
    }
    return ran;
}

/* What does not concern the watch is passed over here, so that it is not looked at again. */
static bool has_missed(struct memory_watch *watch)
{
    const struct kv_memory *store = watch->connection->store;
    if (watch->standing == watch->connection->cut || watch->next_revision <= store->compacted ||
        watch->next_revision > store->revision + 1)
        return true;
    if (watch->connection->cut || watch->paused)
        return false;
    for (size_t i = kv_memory_history_seek(&store->history, watch->next_revision);
         i < store->history.count; i++)
        if (kv_memory_matches(store->history.events[i].pair.key, watch->key, watch->prefix))
            return true;
    watch->next_revision = store->revision + 1;
    return false;
}

bool kv_memory_watches_are_due(const struct connection *connection)
{
    struct memory_watch *watch = NULL;
    DL_FOREACH(connection->store->watches, watch) {
        if (watch->connection == connection && !watch->ended && !watch->stopped &&
            has_missed(watch))
            return true;
    }
    return false;
}
