/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests are carried out when they are made and answered by kv_memory_deliver(), so an answer can
 * be lost between: what the caller then knows is what a client of a real store would.
 */
#include "kvclient/kv_memory_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <utlist.h>

#include "base/clock.h"

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
    kv_memory_late_clear(store);
    kv_pairs_done(&store->pairs);
    kv_pairs_done(&store->base);
    kv_memory_history_clear(&store->history);
    free(store->history.events);
    free(store);
}

/* Requests. */

void kv_memory_answer_done(struct answer *answer)
{
    for (size_t i = 0; i < answer->result_count; i++)
        kv_pair_array_free(answer->results[i].pairs, answer->results[i].pair_count);
    free(answer->results);
}

static void answer_free(struct answer *answer)
{
    DL_DELETE(answer->connection->store->answers, answer);
    kv_memory_answer_done(answer);
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
        .number = connection->store->answers_made++,
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
    if (connection->overtake && !connection->cut && !is_read(txn))
        connection->overtake(txn, connection->overtake_userdata);
    struct answer *answer = answer_new(kv, ANSWER_TXN, userdata, err);
    if (!answer)
        return -ENOMEM;
    answer->fn.txn = fn;
    answer->is_read = is_read(txn);
    if (answer->code < 0)
        return 0;
    if (connection->late > 0 && !answer->is_read) {
        connection->late--;
        lose(answer);
        (void)kv_memory_late_add(connection->store, txn, connection->late_ms);
        return 0;
    }
    bool lost = connection->lose > 0;
    connection->lose -= lost;
    if (!lost || connection->lose_applied)
        answer->code = kv_memory_run_txn(connection->store, txn, answer);
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
        answer->code = kv_memory_run_branch(store, op, 1, answer);
        answer->revision = store->revision;
        return;
    }
    answer->revision = revision;
    if (revision < store->compacted) {
        refuse(answer, -ERANGE, "required revision has been compacted");
    } else if (revision > store->revision) {
        refuse(answer, -EREMCHG, "required revision is a future revision");
    } else {
        answer->results = calloc(1, sizeof(*answer->results));
        answer->result_count = answer->results ? 1 : 0;
        answer->code =
            answer->results ? kv_memory_range_at(store, op, revision, answer->results) : -ENOMEM;
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
        refuse(answer, -EREMCHG, "required revision is a future revision");
    else if (revision > store->compacted)
        answer->code = kv_memory_compact_at(store, revision);
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

static int memory_lease_grant(struct kv *kv, int64_t id, int64_t ttl_s, kv_lease_fn fn,
                              void *userdata, struct error *err)
{
    struct kv_memory *store = ((struct connection *)kv)->store;
    struct answer *answer = lease_answer_new(kv, id, fn, userdata, err);
    if (!answer)
        return -ENOMEM;
    if (answer->code < 0)
        return 0;
    struct lease *lease = kv_memory_find_lease(store, id);
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

/* What is done to a lease, and what is answered of it. */
typedef void (*lease_act_fn)(struct kv_memory *store, struct lease *lease, struct answer *answer);

static void act_keep_alive(struct kv_memory *store, struct lease *lease, struct answer *answer)
{
    (void)store;
    renew(lease, answer);
}

static void act_revoke(struct kv_memory *store, struct lease *lease, struct answer *answer)
{
    (void)answer;
    kv_memory_drop_lease(store, lease);
}

static void act_time_to_live(struct kv_memory *store, struct lease *lease, struct answer *answer)
{
    (void)store;
    answer->ttl_s = lease->ttl_s;
    answer->left_s = (lease->expires_boot_ms - clock_boot_ms()) / 1000;
}

static void no_such_lease(struct answer *answer)
{
    answer->code = -ENOENT;
    (void)strcpy(answer->reason, "requested lease not found");
}

/* act is called for a lease that there is. */
static int lease_call(struct kv *kv, int64_t id, lease_act_fn act, kv_lease_fn fn, void *userdata,
                      struct error *err)
{
    struct kv_memory *store = ((struct connection *)kv)->store;
    struct answer *answer = lease_answer_new(kv, id, fn, userdata, err);
    if (!answer)
        return -ENOMEM;
    answer->is_read = act == act_time_to_live;
    if (answer->code < 0)
        return 0;
    struct lease *lease = kv_memory_find_lease(store, id);
    if (lease)
        act(store, lease, answer);
    else
        no_such_lease(answer);
    return 0;
}

static int memory_lease_keep_alive(struct kv *kv, int64_t id, kv_lease_fn fn, void *userdata,
                                   struct error *err)
{
    return lease_call(kv, id, act_keep_alive, fn, userdata, err);
}

static int memory_lease_revoke(struct kv *kv, int64_t id, kv_lease_fn fn, void *userdata,
                               struct error *err)
{
    return lease_call(kv, id, act_revoke, fn, userdata, err);
}

static int memory_lease_time_to_live(struct kv *kv, int64_t id, kv_lease_fn fn, void *userdata,
                                     struct error *err)
{
    return lease_call(kv, id, act_time_to_live, fn, userdata, err);
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

static void hand_out(struct kv_memory *store, struct answer *answer)
{
    struct answer *own = answer;
    DL_DELETE(store->answers, answer);
    /* It was sent before the cut: the answer is what is lost. */
    if (own->connection->cut && own->code == 0)
        lose(own);
    call_back(own);
    DL_PREPEND(store->answers, own); /* for answer_free(), which takes it out */
    answer_free(own);
}

static size_t deliver_answers(struct kv_memory *store)
{
    size_t ran = 0;
    for (; store->answers; ran++)
        hand_out(store, store->answers);
    return ran;
}

size_t kv_memory_deliver(struct kv_memory *store)
{
    size_t ran = 0;
    for (;;) {
        size_t now = deliver_answers(store);
        now += kv_memory_deliver_watches(store, NULL);
        if (now == 0)
            return ran;
        ran += now;
    }
}

static struct answer *find_answer(const struct connection *connection, uint64_t before)
{
    struct answer *answer = connection->store->answers;
    while (answer && (answer->connection != connection || answer->number >= before))
        answer = answer->next;
    return answer;
}

size_t kv_memory_deliver_to(struct kv *kv, bool answers, bool watches)
{
    struct connection *connection = (struct connection *)kv;
    uint64_t before = connection->store->answers_made;
    struct answer *answer = NULL;
    size_t ran = 0;
    for (; answers && (answer = find_answer(connection, before)); ran++)
        hand_out(connection->store, answer);
    if (watches)
        ran += kv_memory_deliver_watches(connection->store, connection);
    return ran;
}

bool kv_memory_is_due(struct kv *kv)
{
    const struct connection *connection = (struct connection *)kv;
    return find_answer(connection, UINT64_MAX) || kv_memory_watches_are_due(connection);
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
            kv_memory_watch_free(watch);
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
    .watch = kv_memory_watch,
    .watch_pause = kv_memory_watch_pause,
    .watch_stop = kv_memory_watch_stop,
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

void kv_memory_land_late(struct kv *kv, unsigned int n, int64_t delay_ms)
{
    struct connection *connection = (struct connection *)kv;
    connection->late = n;
    connection->late_ms = delay_ms;
}

void kv_memory_overtake(struct kv *kv, kv_memory_overtake_fn fn, void *userdata)
{
    struct connection *connection = (struct connection *)kv;
    connection->overtake = fn;
    connection->overtake_userdata = userdata;
}
