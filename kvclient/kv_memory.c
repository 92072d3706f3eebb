/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests are carried out when they are made and answered by kv_memory_deliver(), so an answer can
 * be lost between: what the caller then knows is what a client of a real store would.
 */
#include "kvclient/kv_memory.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/text.h"
#include "kvclient/kv_pairs.h"

struct lease {
    int64_t id;
    int64_t ttl_s;
    int64_t expires_boot_ms;
    struct lease *prev;
    struct lease *next;
};

struct history {
    struct kv_event *events;
    size_t count;
    size_t room;
};

struct kv_memory {
    struct kv_pairs pairs;
    struct kv_pairs base;   /* as the store stood at compacted */
    struct history history; /* every event after compacted */
    int64_t revision;
    int64_t compacted;
    struct lease *leases;
    struct answer *answers; /* in the order of their requests */
    struct memory_watch *watches;
    struct connection *connections;
};

struct connection {
    struct kv kv;
    struct kv_memory *store; /* borrowed */
    bool cut;
    unsigned int lose; /* answers of so many transactions */
    bool lose_applied;
    struct connection *prev;
    struct connection *next;
};

enum answer_kind {
    ANSWER_INVALID = 0,
    ANSWER_TXN,
    ANSWER_RANGE,
    ANSWER_LEASE,
    ANSWER_COMPACT,
    ANSWER_MEMBERS,
    ANSWER_STATUS,
};

struct answer {
    struct connection *connection; /* borrowed */
    enum answer_kind kind;
    bool is_read;
    int code;
    char reason[128];
    bool succeeded;
    int64_t revision;
    int64_t sent_boot_ms;
    int64_t lease_id;
    int64_t ttl_s;
    int64_t left_s;
    struct kv_op_result *results; /* RANGE has one */
    size_t result_count;
    union {
        kv_txn_fn txn;
        kv_range_fn range;
        kv_lease_fn lease;
        kv_compact_fn compact;
        kv_members_fn members;
        kv_status_fn status;
    } fn;
    void *userdata;
    struct answer *prev;
    struct answer *next;
};

struct memory_watch {
    struct kv_watch watch;
    struct connection *connection; /* borrowed */
    char *key;
    bool prefix;
    int64_t next_revision;
    struct kv_watch_callbacks callbacks;
    void *userdata;
    bool standing; /* as the owner was told */
    bool ended;
    bool stopped;
    int busy;
    struct memory_watch *prev;
    struct memory_watch *next;
};

/* The store. */

int kv_memory_new(struct kv_memory **ret, struct error *err)
{
    struct kv_memory *store = calloc(1, sizeof(*store));
    if (!store)
        return error_oom(err);
    store->revision = 1; /* as etcd's empty store has it */
    *ret = store;
    return 0;
}

static void history_clear(struct history *history)
{
    for (size_t i = 0; i < history->count; i++)
        kv_pair_done(&history->events[i].pair);
    history->count = 0;
}

void kv_memory_free(struct kv_memory *store)
{
    if (!store)
        return;
    assert(!store->connections);
    struct lease *lease = NULL;
    struct lease *next = NULL;
    DL_FOREACH_SAFE(store->leases, lease, next) {
        DL_DELETE(store->leases, lease);
        free(lease);
    }
    kv_pairs_done(&store->pairs);
    kv_pairs_done(&store->base);
    history_clear(&store->history);
    free(store->history.events);
    free(store);
}

static int history_add(struct history *history, const struct kv_pair *pair, bool deleted)
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

static struct lease *find_lease(const struct kv_memory *store, int64_t id)
{
    struct lease *lease = NULL;
    DL_SEARCH_SCALAR(store->leases, lease, id, id);
    return lease;
}

static bool matches(const char *key, const char *wanted, bool prefix)
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
    return history_add(&store->history, &pair, false);
}

static int delete_one(struct kv_memory *store, const char *key, int64_t revision)
{
    autoptr(kv_pair) old = kv_pairs_take(&store->pairs, key);
    struct kv_pair gone = { .key = old->key, .mod_revision = revision };
    return history_add(&store->history, &gone, true);
}

static int delete_matching(struct kv_memory *store, const struct kv_op *op, int64_t revision,
                           struct kv_op_result *ret)
{
    for (;;) {
        const struct kv_pair *pair =
            kv_pairs_get(&store->pairs, kv_pairs_seek(&store->pairs, op->key));
        if (!pair || !matches(pair->key, op->key, op->prefix))
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
    while (pair && matches(pair->key, op->key, op->prefix)) {
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
        if (ops[i].lease && !ops[i].keep_lease && !find_lease(store, ops[i].lease)) {
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

static int run_branch(struct kv_memory *store, const struct kv_op *ops, size_t count,
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

static int run_txn(struct kv_memory *store, const struct kv_txn *txn, struct answer *ret)
{
    bool succeeded = true;
    for (size_t i = 0; i < txn->compare_count; i++)
        succeeded = succeeded && holds(store, &txn->compares[i]);
    ret->succeeded = succeeded;
    int r = succeeded ? run_branch(store, txn->success, txn->success_count, ret)
                      : run_branch(store, txn->failure, txn->failure_count, ret);
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
static void drop_lease(struct kv_memory *store, struct lease *lease)
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
    DL_FOREACH_SAFE(store->leases, lease, next) {
        if (clock_boot_ms() >= lease->expires_boot_ms)
            drop_lease(store, lease);
    }
}

void kv_memory_revoke_all(struct kv_memory *store)
{
    while (store->leases)
        drop_lease(store, store->leases);
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

static int compact_at(struct kv_memory *store, int64_t revision)
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
    (void)compact_at(store, store->revision);
}

static int range_at(const struct kv_memory *store, const struct kv_op *op, int64_t revision,
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

int64_t kv_memory_revision(const struct kv_memory *store)
{
    return store->revision;
}

const struct kv_pair *kv_memory_peek(const struct kv_memory *store, const char *key)
{
    return kv_pairs_find(&store->pairs, key);
}

/* Requests. */

static void answer_free(struct answer *answer)
{
    DL_DELETE(answer->connection->store->answers, answer);
    for (size_t i = 0; i < answer->result_count; i++)
        kv_pair_array_free(answer->results[i].pairs, answer->results[i].pair_count);
    free(answer->results);
    free(answer);
}

static struct answer *answer_new(struct kv *kv, enum answer_kind kind, void *userdata,
                                 struct error *err)
{
    struct connection *connection = (struct connection *)kv;
    struct answer *answer = calloc(1, sizeof(*answer));
    if (!answer) {
        (void)error_oom(err);
        return NULL;
    }
    *answer = (struct answer){
        .connection = connection,
        .kind = kind,
        .userdata = userdata,
        .sent_boot_ms = clock_boot_ms(),
    };
    if (connection->cut) {
        answer->code = -EAGAIN;
        (void)strcpy(answer->reason, "not reached: the connection is cut");
    }
    DL_APPEND(connection->store->answers, answer);
    return answer;
}

static bool is_read(const struct kv_txn *txn)
{
    for (size_t i = 0; i < txn->success_count; i++)
        if (txn->success[i].kind != KV_OP_RANGE)
            return false;
    for (size_t i = 0; i < txn->failure_count; i++)
        if (txn->failure[i].kind != KV_OP_RANGE)
            return false;
    return true;
}

static void lose(struct answer *answer)
{
    answer->code = answer->is_read ? -EAGAIN : -ETIMEDOUT;
    (void)strcpy(answer->reason, "no answer: it was lost on the way");
}

static int memory_txn(struct kv *kv, const struct kv_txn *txn, kv_txn_fn fn, void *userdata,
                      struct error *err)
{
    struct connection *connection = (struct connection *)kv;
    struct answer *answer = answer_new(kv, ANSWER_TXN, userdata, err);
    if (!answer)
        return -ENOMEM;
    answer->fn.txn = fn;
    answer->is_read = is_read(txn);
    if (answer->code < 0)
        return 0;
    bool lost = connection->lose > 0;
    connection->lose -= lost;
    if (!lost || connection->lose_applied)
        answer->code = run_txn(connection->store, txn, answer);
    if (lost)
        lose(answer);
    return 0;
}

static void refuse(struct answer *answer, int code, const char *reason)
{
    answer->code = code;
    (void)snprintf(answer->reason, sizeof(answer->reason), "%s", reason);
}

static void run_range(struct answer *answer, const struct kv_op *op, int64_t revision)
{
    struct kv_memory *store = answer->connection->store;
    if (revision == 0) {
        answer->code = run_branch(store, op, 1, answer);
        answer->revision = store->revision;
        return;
    }
    answer->revision = revision;
    if (revision < store->compacted) {
        refuse(answer, -ERANGE, "required revision has been compacted");
    } else if (revision > store->revision) {
        refuse(answer, -ESTALE, "required revision is a future revision");
    } else {
        answer->results = calloc(1, sizeof(*answer->results));
        answer->result_count = answer->results ? 1 : 0;
        answer->code = answer->results ? range_at(store, op, revision, answer->results) : -ENOMEM;
    }
}

static int memory_range(struct kv *kv, const char *key, bool prefix, int64_t revision,
                        kv_range_fn fn, void *userdata, struct error *err)
{
    const struct kv_op op = { .kind = KV_OP_RANGE, .key = key, .prefix = prefix };
    struct answer *answer = answer_new(kv, ANSWER_RANGE, userdata, err);
    if (!answer)
        return -ENOMEM;
    answer->fn.range = fn;
    answer->is_read = true;
    if (answer->code == 0)
        run_range(answer, &op, revision);
    return 0;
}

static int memory_compact(struct kv *kv, int64_t revision, kv_compact_fn fn, void *userdata,
                          struct error *err)
{
    struct answer *answer = answer_new(kv, ANSWER_COMPACT, userdata, err);
    if (!answer)
        return -ENOMEM;
    struct kv_memory *store = answer->connection->store;
    answer->fn.compact = fn;
    answer->revision = revision;
    if (answer->code < 0)
        return 0;
    if (revision > store->revision)
        refuse(answer, -ESTALE, "required revision is a future revision");
    else if (revision > store->compacted)
        answer->code = compact_at(store, revision);
    return 0;
}

static int memory_members(struct kv *kv, kv_members_fn fn, void *userdata, struct error *err)
{
    struct answer *answer = answer_new(kv, ANSWER_MEMBERS, userdata, err);
    if (!answer)
        return -ENOMEM;
    answer->fn.members = fn;
    answer->is_read = true;
    return 0;
}

static int memory_status(struct kv *kv, kv_status_fn fn, void *userdata, struct error *err)
{
    struct answer *answer = answer_new(kv, ANSWER_STATUS, userdata, err);
    if (!answer)
        return -ENOMEM;
    answer->fn.status = fn;
    answer->is_read = true;
    answer->revision = answer->connection->store->revision;
    return 0;
}

static struct answer *lease_answer_new(struct kv *kv, int64_t id, kv_lease_fn fn, void *userdata,
                                       struct error *err)
{
    struct answer *answer = answer_new(kv, ANSWER_LEASE, userdata, err);
    if (answer) {
        answer->fn.lease = fn;
        answer->lease_id = id;
    }
    return answer;
}

static void renew(struct lease *lease, struct answer *answer)
{
    lease->expires_boot_ms = clock_boot_ms() + lease->ttl_s * 1000;
    answer->ttl_s = lease->ttl_s;
}

static void no_such_lease(struct answer *answer)
{
    answer->code = -ENOENT;
    (void)strcpy(answer->reason, "requested lease not found");
}

static int memory_lease_grant(struct kv *kv, int64_t id, int64_t ttl_s, kv_lease_fn fn,
                              void *userdata, struct error *err)
{
    struct kv_memory *store = ((struct connection *)kv)->store;
    struct answer *answer = lease_answer_new(kv, id, fn, userdata, err);
    if (!answer)
        return -ENOMEM;
    if (answer->code < 0)
        return 0;
    struct lease *lease = find_lease(store, id);
    if (!lease) {
        lease = calloc(1, sizeof(*lease));
        if (!lease) {
            answer_free(answer);
            return error_oom(err);
        }
        *lease = (struct lease){ .id = id, .ttl_s = ttl_s };
        DL_APPEND(store->leases, lease);
    }
    renew(lease, answer);
    return 0;
}

static int memory_lease_keep_alive(struct kv *kv, int64_t id, kv_lease_fn fn, void *userdata,
                                   struct error *err)
{
    struct answer *answer = lease_answer_new(kv, id, fn, userdata, err);
    if (!answer)
        return -ENOMEM;
    if (answer->code < 0)
        return 0;
    struct lease *lease = find_lease(answer->connection->store, id);
    if (lease)
        renew(lease, answer);
    else
        no_such_lease(answer);
    return 0;
}

static int memory_lease_revoke(struct kv *kv, int64_t id, kv_lease_fn fn, void *userdata,
                               struct error *err)
{
    struct answer *answer = lease_answer_new(kv, id, fn, userdata, err);
    if (!answer)
        return -ENOMEM;
    if (answer->code < 0)
        return 0;
    struct lease *lease = find_lease(answer->connection->store, id);
    if (lease)
        drop_lease(answer->connection->store, lease);
    else
        no_such_lease(answer);
    return 0;
}

static int memory_lease_time_to_live(struct kv *kv, int64_t id, kv_lease_fn fn, void *userdata,
                                     struct error *err)
{
    struct answer *answer = lease_answer_new(kv, id, fn, userdata, err);
    if (!answer)
        return -ENOMEM;
    answer->is_read = true;
    if (answer->code < 0)
        return 0;
    const struct lease *lease = find_lease(answer->connection->store, id);
    if (!lease) {
        no_such_lease(answer);
        return 0;
    }
    answer->ttl_s = lease->ttl_s;
    answer->left_s = (lease->expires_boot_ms - clock_boot_ms()) / 1000;
    return 0;
}

static void memory_forget(struct kv *kv, const void *userdata)
{
    struct connection *connection = (struct connection *)kv;
    struct answer *answer = NULL;
    struct answer *next = NULL;
    DL_FOREACH_SAFE(connection->store->answers, answer, next) {
        if (answer->connection == connection && answer->userdata == userdata)
            answer_free(answer);
    }
}

/* Watches. */

static void watch_free(struct memory_watch *watch)
{
    DL_DELETE(watch->connection->store->watches, watch);
    free(watch->key);
    free(watch);
}

static int memory_watch(struct kv *kv, const char *key, bool prefix, int64_t from_revision,
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

static void memory_watch_stop(struct kv *kv, struct kv_watch *base)
{
    struct memory_watch *watch = (struct memory_watch *)base;
    (void)kv;
    watch->stopped = true;
    if (watch->busy == 0)
        watch_free(watch);
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
    for (size_t i = 0; i < store->history.count; i++) {
        const struct kv_event *event = &store->history.events[i];
        if (event->pair.mod_revision >= watch->next_revision &&
            matches(event->pair.key, watch->key, watch->prefix))
            (void)history_add(&due, &event->pair, event->deleted);
    }
    if (store->revision >= watch->next_revision)
        watch->next_revision = store->revision + 1;
    if (due.count)
        watch->callbacks.on_events(due.events, due.count,
                                   due.events[due.count - 1].pair.mod_revision, watch->userdata);
    size_t told = due.count ? 1 : 0;
    history_clear(&due);
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
        return ran + end_watch(watch, -ESTALE, "the store's revision went back");
    return ran + tell_events(watch);
}

/* Delivery. */

static void tell_txn(const struct answer *answer)
{
    struct kv_txn_result result = {
        .code = answer->code,
        .reason = answer->reason,
        .succeeded = answer->code == 0 && answer->succeeded,
        .revision = answer->revision,
        .sent_boot_ms = answer->sent_boot_ms,
        .results = answer->results,
        .result_count = answer->code == 0 ? answer->result_count : 0,
    };
    answer->fn.txn(&result, answer->userdata);
}

static void tell_range(const struct answer *answer)
{
    bool any = answer->code == 0 && answer->result_count;
    struct kv_range_result result = {
        .code = answer->code,
        .reason = answer->reason,
        .revision = answer->revision,
        .pairs = any ? answer->results[0].pairs : NULL,
        .pair_count = any ? answer->results[0].pair_count : 0,
    };
    answer->fn.range(&result, answer->userdata);
}

static void tell_lease(const struct answer *answer)
{
    struct kv_lease_result result = {
        .code = answer->code,
        .reason = answer->reason,
        .id = answer->lease_id,
        .ttl_s = answer->ttl_s,
        .left_s = answer->left_s,
        .sent_boot_ms = answer->sent_boot_ms,
    };
    answer->fn.lease(&result, answer->userdata);
}

static void tell_compact(const struct answer *answer)
{
    struct kv_compact_result result = { .code = answer->code,
                                        .reason = answer->reason,
                                        .revision = answer->revision };
    answer->fn.compact(&result, answer->userdata);
}

/* The store in memory is one member, with the id 1. */
static void tell_members(const struct answer *answer)
{
    char name[] = "memory";
    struct kv_member self = { .id = 1, .name = name };
    struct kv_members_result result = { .code = answer->code,
                                        .reason = answer->reason,
                                        .members = &self,
                                        .member_count = answer->code == 0 ? 1 : 0 };
    answer->fn.members(&result, answer->userdata);
}

static int64_t size_of(const struct kv_pairs *pairs)
{
    size_t size = 0;
    struct kv_pairs_at at = { 0 };
    for (const struct kv_pair *pair = kv_pairs_get(pairs, at); pair;
         at = kv_pairs_next(pairs, at), pair = kv_pairs_get(pairs, at))
        size += strlen(pair->key) + pair->value_length;
    return (int64_t)size;
}

static void tell_status(const struct answer *answer)
{
    int64_t size = size_of(&answer->connection->store->pairs);
    struct kv_status_result result = { .code = answer->code,
                                       .reason = answer->reason,
                                       .version = "memory",
                                       .revision = answer->revision,
                                       .size_bytes = size,
                                       .in_use_bytes = size,
                                       .member = 1,
                                       .leader = 1 };
    answer->fn.status(&result, answer->userdata);
}

static void call_back(const struct answer *answer)
{
    switch (answer->kind) {
    case ANSWER_TXN:
        tell_txn(answer);
        return;
    case ANSWER_RANGE:
        tell_range(answer);
        return;
    case ANSWER_LEASE:
        tell_lease(answer);
        return;
    case ANSWER_COMPACT:
        tell_compact(answer);
        return;
    case ANSWER_MEMBERS:
        tell_members(answer);
        return;
    case ANSWER_STATUS:
        tell_status(answer);
        return;
    case ANSWER_INVALID:
        return;
    }
}

static size_t deliver_answers(struct kv_memory *store)
{
    size_t ran = 0;
    while (store->answers) {
        struct answer *answer = store->answers;
        struct answer *own = answer;
        DL_DELETE(store->answers, answer);
        /* It was sent before the cut: the answer is what is lost. */
        if (own->connection->cut && own->code == 0)
            lose(own);
        call_back(own);
        DL_PREPEND(store->answers, own); /* for answer_free(), which takes it out */
        answer_free(own);
        ran++;
    }
    return ran;
}

static size_t deliver_watches(struct kv_memory *store)
{
    size_t ran = 0;
    struct memory_watch *watch = NULL;
    struct memory_watch *next = NULL;
    DL_FOREACH(store->watches, watch) {
        watch->busy++;
    }
    DL_FOREACH(store->watches, watch) {
        /* One that was made during this loop is served by the next. */
        if (watch->busy && !watch->stopped)
            ran += deliver_watch(watch);
    }
    DL_FOREACH_SAFE(store->watches, watch, next) {
        watch->busy = 0;
        if (watch->stopped)
            watch_free(watch);
    }
    return ran;
}

size_t kv_memory_deliver(struct kv_memory *store)
{
    size_t ran = 0;
    for (;;) {
        size_t now = deliver_answers(store);
        now += deliver_watches(store);
        if (now == 0)
            return ran;
        ran += now;
    }
}

/* Connections. */

static void memory_free(struct kv *kv)
{
    struct connection *connection = (struct connection *)kv;
    struct kv_memory *store = connection->store;
    struct memory_watch *watch = NULL;
    struct memory_watch *next_watch = NULL;
    struct answer *answer = NULL;
    struct answer *next = NULL;
    DL_FOREACH_SAFE(store->watches, watch, next_watch) {
        if (watch->connection == connection)
            watch_free(watch);
    }
    DL_FOREACH_SAFE(store->answers, answer, next) {
        if (answer->connection == connection)
            answer_free(answer);
    }
    DL_DELETE(store->connections, connection);
    free(connection);
}

static const struct kv_vtable memory_vtable = {
    .free = memory_free,
    .txn = memory_txn,
    .range = memory_range,
    .lease_grant = memory_lease_grant,
    .lease_keep_alive = memory_lease_keep_alive,
    .lease_revoke = memory_lease_revoke,
    .lease_time_to_live = memory_lease_time_to_live,
    .compact = memory_compact,
    .members = memory_members,
    .status = memory_status,
    .watch = memory_watch,
    .watch_stop = memory_watch_stop,
    .forget = memory_forget,
};

int kv_memory_connect(struct kv_memory *store, struct kv **ret, struct error *err)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    if (!connection)
        return error_oom(err);
    *connection = (struct connection){ .kv = { .vtable = &memory_vtable }, .store = store };
    DL_APPEND(store->connections, connection);
    *ret = &connection->kv;
    return 0;
}

void kv_memory_cut(struct kv *kv, bool cut)
{
    ((struct connection *)kv)->cut = cut;
}

void kv_memory_lose_answers(struct kv *kv, unsigned int n, bool applied)
{
    struct connection *connection = (struct connection *)kv;
    connection->lose = n;
    connection->lose_applied = applied;
}
