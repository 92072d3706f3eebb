/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the store holds: its keys, their history since the last compaction, and the leases; and what
 * transactions make of them.
 */
#include "kvclient/kv_memory_internal.h"

#include <errno.h>
#include <string.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/text.h"

void kv_memory_history_clear(struct history *history)
{
    for (size_t i = 0; i < history->count; i++)
        kv_pair_done(&history->events[i].pair);
    history->count = 0;
}

int kv_memory_history_add(struct history *history, const struct kv_pair *pair, bool deleted)
{
    if (history->count == history->room) {
        size_t room = history->room ? history->room * 2 : 64;
        struct kv_event *events = realloc(history->events, room * sizeof(*events));
        if (!events)
            return -ENOMEM;
        history->events = events;
        history->room = room;
    }
    struct kv_event *event = &history->events[history->count];
    event->deleted = deleted;
    int r = kv_pair_copy(pair, &event->pair, NULL);
    if (r == 0)
        history->count++;
    return r;
}

size_t kv_memory_history_seek(const struct history *history, int64_t revision)
{
    size_t low = 0;
    size_t high = history->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (history->events[middle].pair.mod_revision < revision)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct lease *kv_memory_find_lease(const struct kv_memory *store, int64_t id)
{
    struct lease *lease = NULL;
    DL_SEARCH_SCALAR(store->leases, lease, id, id);
    return lease;
}

bool kv_memory_matches(const char *key, const char *wanted, bool prefix)
{
    return prefix ? text_starts_with(key, wanted) : strcmp(key, wanted) == 0;
}

static int put(struct kv_memory *store, const struct kv_op *op, int64_t revision)
{
    const struct kv_pair *present = kv_pairs_find(&store->pairs, op->key);
    union {
        const char *borrowed;
        char *plain;
    } key = { .borrowed = op->key }, value = { .borrowed = op->value };
    struct kv_pair pair = {
        .key = key.plain,
        .value = value.plain,
        .value_length = kv_value_length(op->value, op->value_length),
        .create_revision = present ? present->create_revision : revision,
        .mod_revision = revision,
        .version = present ? present->version + 1 : 1,
        .lease = op->keep_lease && present ? present->lease : op->lease,
    };
    autoptr(kv_pair) copy = kv_pair_new(&pair);
    autoptr(kv_pair) old = NULL;
    if (!copy)
        return -ENOMEM;
    int r = kv_pairs_put(&store->pairs, copy, &old, NULL);
    if (r < 0)
        return r;
    copy = NULL;
    return kv_memory_history_add(&store->history, &pair, false);
}

static int delete_one(struct kv_memory *store, const char *key, int64_t revision)
{
    autoptr(kv_pair) old = kv_pairs_take(&store->pairs, key);
    struct kv_pair gone = { .key = old->key, .mod_revision = revision };
    return kv_memory_history_add(&store->history, &gone, true);
}

static int delete_matching(struct kv_memory *store, const struct kv_op *op, int64_t revision,
                           struct kv_op_result *ret)
{
    for (;;) {
        const struct kv_pair *pair =
            kv_pairs_get(&store->pairs, kv_pairs_seek(&store->pairs, op->key));
        if (!pair || !kv_memory_matches(pair->key, op->key, op->prefix))
            return 0;
        int r = delete_one(store, pair->key, revision);
        if (r < 0)
            return r;
        ret->count++;
    }
}

static size_t count_matching(const struct kv_pairs *pairs, const struct kv_op *op)
{
    size_t count = 0;
    struct kv_pairs_at at = kv_pairs_seek(pairs, op->key);
    const struct kv_pair *pair = kv_pairs_get(pairs, at);
    while (pair && kv_memory_matches(pair->key, op->key, op->prefix)) {
        count++;
        at = kv_pairs_next(pairs, at);
        pair = kv_pairs_get(pairs, at);
    }
    return count;
}

static int range(const struct kv_pairs *pairs, const struct kv_op *op, struct kv_op_result *ret)
{
    size_t count = count_matching(pairs, op);
    struct kv_pairs_at at = kv_pairs_seek(pairs, op->key);
    ret->count = (int64_t)count;
    if (op->count_only || count == 0)
        return 0;
    ret->pairs = calloc(count, sizeof(*ret->pairs));
    if (!ret->pairs)
        return -ENOMEM;
    for (; ret->pair_count < count; at = kv_pairs_next(pairs, at)) {
        struct kv_pair shown = *kv_pairs_get(pairs, at);
        if (op->keys_only)
            shown.value_length = 0;
        int r = kv_pair_copy(&shown, &ret->pairs[ret->pair_count], NULL);
        if (r < 0)
            return r;
        ret->pair_count++;
    }
    return 0;
}

static bool holds(const struct kv_memory *store, const struct kv_compare *compare)
{
    return kv_compare_holds(compare, kv_pairs_find(&store->pairs, compare->key));
}

static int run_op(struct kv_memory *store, const struct kv_op *op, int64_t revision,
                  struct kv_op_result *ret)
{
    if (op->kind == KV_OP_PUT)
        return put(store, op, revision);
    if (op->kind == KV_OP_DELETE)
        return delete_matching(store, op, revision, ret);
    return range(&store->pairs, op, ret);
}

/* What etcd would refuse as a whole, before anything is done. */
static int check_branch(const struct kv_memory *store, const struct kv_op *ops, size_t count,
                        struct answer *ret)
{
    for (size_t i = 0; i < count; i++) {
        if (ops[i].kind != KV_OP_PUT)
            continue;
        if (ops[i].lease && !ops[i].keep_lease && !kv_memory_find_lease(store, ops[i].lease)) {
            (void)strcpy(ret->reason, "requested lease not found");
            return -ENOENT;
        }
        for (size_t j = 0; j < i; j++) {
            if (ops[j].kind == KV_OP_PUT && strcmp(ops[i].key, ops[j].key) == 0) {
                (void)strcpy(ret->reason, "duplicate key given in txn request");
                return -EINVAL;
            }
        }
    }
    return 0;
}

int kv_memory_run_branch(struct kv_memory *store, const struct kv_op *ops, size_t count,
                         struct answer *ret)
{
    size_t events_before = store->history.count;
    int r = check_branch(store, ops, count, ret);
    if (r < 0 || count == 0)
        return r;
    ret->results = calloc(count, sizeof(*ret->results));
    if (!ret->results)
        return -ENOMEM;
    ret->result_count = count;
    for (size_t i = 0; r == 0 && i < count; i++)
        r = run_op(store, &ops[i], store->revision + 1, &ret->results[i]);
    if (store->history.count > events_before)
        store->revision++;
    return r;
}

int kv_memory_run_txn(struct kv_memory *store, const struct kv_txn *txn, struct answer *ret)
{
    bool succeeded = true;
    for (size_t i = 0; i < txn->compare_count; i++)
        succeeded = succeeded && holds(store, &txn->compares[i]);
    ret->succeeded = succeeded;
    int r = succeeded ? kv_memory_run_branch(store, txn->success, txn->success_count, ret)
                      : kv_memory_run_branch(store, txn->failure, txn->failure_count, ret);
    ret->revision = store->revision;
    return r;
}

/* The first key of a lease at that place or behind it; NULL if there is none. */
static const struct kv_pair *find_leased(const struct kv_memory *store, struct kv_pairs_at at,
                                         int64_t lease)
{
    const struct kv_pair *pair = kv_pairs_get(&store->pairs, at);
    while (pair && pair->lease != lease) {
        at = kv_pairs_next(&store->pairs, at);
        pair = kv_pairs_get(&store->pairs, at);
    }
    return pair;
}

/* All keys of a lease go in one revision. */
void kv_memory_drop_lease(struct kv_memory *store, struct lease *lease)
{
    struct kv_pairs_at start = { 0 };
    const struct kv_pair *pair = NULL;
    bool any = false;
    while ((pair = find_leased(store, start, lease->id))) {
        autofree char *key = strdup(pair->key);
        if (!key)
            break;
        (void)delete_one(store, key, store->revision + 1);
        start = kv_pairs_seek(&store->pairs, key);
        any = true;
    }
    if (any)
        store->revision++;
    DL_DELETE(store->leases, lease);
    free(lease);
}

void kv_memory_expire(struct kv_memory *store)
{
    struct lease *lease = NULL;
    struct lease *next = NULL;
    kv_memory_late_land(store);
    DL_FOREACH_SAFE(store->leases, lease, next) {
        if (clock_boot_ms() >= lease->expires_boot_ms)
            kv_memory_drop_lease(store, lease);
    }
}

int64_t kv_memory_next_ms(const struct kv_memory *store)
{
    int64_t next_ms = kv_memory_late_next_ms(store);
    const struct lease *lease = NULL;
    DL_FOREACH(store->leases, lease) {
        if (lease->expires_boot_ms < next_ms)
            next_ms = lease->expires_boot_ms;
    }
    return next_ms;
}

void kv_memory_revoke_all(struct kv_memory *store)
{
    while (store->leases)
        kv_memory_drop_lease(store, store->leases);
}

/* Carries out the events up to revision on pairs; returns how many they were. */
static int replay(struct kv_pairs *pairs, const struct history *history, int64_t revision,
                  size_t *ret_count)
{
    size_t i = 0;
    for (; i < history->count && history->events[i].pair.mod_revision <= revision; i++) {
        autoptr(kv_pair) old = NULL;
        if (history->events[i].deleted) {
            old = kv_pairs_take(pairs, history->events[i].pair.key);
            continue;
        }
        autoptr(kv_pair) copy = kv_pair_new(&history->events[i].pair);
        int r = copy ? kv_pairs_put(pairs, copy, &old, NULL) : -ENOMEM;
        if (r < 0)
            return r;
        copy = NULL;
    }
    *ret_count = i;
    return 0;
}

static int copy_pairs(const struct kv_pairs *from, struct kv_pairs *ret)
{
    struct kv_pairs_at at = { 0 };
    for (const struct kv_pair *pair = kv_pairs_get(from, at); pair;
         at = kv_pairs_next(from, at), pair = kv_pairs_get(from, at)) {
        struct kv_pair *old = NULL;
        autoptr(kv_pair) copy = kv_pair_new(pair);
        int r = copy ? kv_pairs_put(ret, copy, &old, NULL) : -ENOMEM;
        if (r < 0)
            return r;
        copy = NULL;
    }
    return 0;
}

int kv_memory_compact_at(struct kv_memory *store, int64_t revision)
{
    struct history *history = &store->history;
    size_t count = 0;
    int r = replay(&store->base, history, revision, &count);
    if (r < 0)
        return r;
    for (size_t i = 0; i < count; i++)
        kv_pair_done(&history->events[i].pair);
    history->count -= count;
    if (history->count)
        memmove(history->events, history->events + count,
                history->count * sizeof(*history->events));
    store->compacted = revision;
    return 0;
}

void kv_memory_compact(struct kv_memory *store)
{
    (void)kv_memory_compact_at(store, store->revision);
}

int kv_memory_range_at(const struct kv_memory *store, const struct kv_op *op, int64_t revision,
                       struct kv_op_result *ret)
{
    struct kv_pairs pairs = { 0 };
    size_t count = 0;
    int r = copy_pairs(&store->base, &pairs);
    if (r == 0)
        r = replay(&pairs, &store->history, revision, &count);
    if (r == 0)
        r = range(&pairs, op, ret);
    kv_pairs_done(&pairs);
    return r;
}

void kv_memory_turn_back(struct kv_memory *store, int64_t revisions)
{
    kv_memory_compact(store);
    store->revision -= revisions;
    store->compacted = store->revision;
}

int64_t kv_memory_revision(const struct kv_memory *store)
{
    return store->revision;
}

const struct kv_pair *kv_memory_peek(const struct kv_memory *store, const char *key)
{
    return kv_pairs_find(&store->pairs, key);
}
