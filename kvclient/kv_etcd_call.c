/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unary requests: each goes over its tries, endpoints and pages until one callback ends it.
 *
 *   wait for room or a token --> on its way --answer--> ended
 *          ^                        |  |
 *          +-- token refused -------+  +-- failed: timer --> on its way (the next endpoint)
 */
#include "kvclient/kv_etcd_call.h"

#include <errno.h>
#include <utlist.h>

#include "base/clock.h"

enum {
    IN_FLIGHT_MAX = 32,     /* more gains nothing */
    ANSWER_MARGIN_MS = 500, /* the store's own deadline answers first, with a reason */
    RETRY_FIRST_MS = 40,
    TOKENS_MAX = 2,    /* that a request may find refused before the refusal is its end */
    CUT_SHORT_MAX = 1, /* times that a request may not be taken whole before it is too large */
};

void etcd_call_free(struct etcd_call *call)
{
    if (!call)
        return;
    if (call->grpc) {
        grpc_cancel(call->grpc);
        call->store->in_flight--;
    }
    loop_timer_free(call->timer);
    DL_DELETE(call->store->calls, call);
    kv_etcd_listing_done(&call->listing);
    kv_wire_bytes_done(&call->message);
    free(call);
}

static const char *method_of(const struct etcd_call *call)
{
    switch (call->kind) {
    case CALL_TXN:
        return "/etcdserverpb.KV/Txn";
    case CALL_RANGE:
        return "/etcdserverpb.KV/Range";
    case CALL_GRANT:
        /* A lease that existed is asked for its TTL, which the refusal does not tell. */
        return call->existed ? "/etcdserverpb.Lease/LeaseKeepAlive"
                             : "/etcdserverpb.Lease/LeaseGrant";
    case CALL_KEEP_ALIVE:
        return "/etcdserverpb.Lease/LeaseKeepAlive";
    case CALL_REVOKE:
        return "/etcdserverpb.Lease/LeaseRevoke";
    case CALL_TIME_TO_LIVE:
        return "/etcdserverpb.Lease/LeaseTimeToLive";
    case CALL_COMPACT:
        return "/etcdserverpb.KV/Compact";
    case CALL_MEMBERS:
        return "/etcdserverpb.Cluster/MemberList";
    case CALL_STATUS:
        return "/etcdserverpb.Maintenance/Status";
    case CALL_INVALID:
        break;
    }
    return "";
}

/* What the caller is told when no further try is made. A refusal does not say that an earlier try
 * without an answer was refused too. */
static int final_code(const struct etcd_call *call, int code)
{
    if (code == -ESTALE || code == -EREMCHG)
        return code;
    bool may_be_done = call->maybe_applied && (call->kind == CALL_TXN || code == -EAGAIN);
    if (may_be_done || (code == -ETIMEDOUT && !call->is_read))
        return -ETIMEDOUT;
    return code == -ETIMEDOUT ? -EAGAIN : code;
}

static void on_retry(struct loop_timer *timer, void *userdata);

static int retry_later(struct etcd_call *call, int delay_ms, struct error *err)
{
    if (!call->timer) {
        int r = loop_timer_new(call->store->loop, "etcd retry", on_retry, call, &call->timer, err);
        if (r < 0)
            return r;
    }
    loop_timer_set(call->timer, delay_ms);
    return 0;
}

static void on_answer(struct grpc_call *grpc, const struct grpc_result *result, void *userdata);

/* The store wants no token for these, so a lease does not die of a login that takes its time. */
static bool needs_token(const struct etcd_call *call)
{
    return call->kind != CALL_GRANT && call->kind != CALL_KEEP_ALIVE;
}

static int send(struct etcd_call *call, struct error *err)
{
    struct kv_etcd *store = call->store;
    call->endpoint = store->endpoint;
    call->token = kv_etcd_auth_generation(store);
    call->has_token = kv_etcd_auth_metadata(store);
    call->sent_boot_ms = clock_boot_ms();
    const struct kv_etcd_request request = {
        .endpoint = call->endpoint,
        .method = method_of(call),
        .message = &call->message,
        .metadata = store->timeout_metadata,
        .timeout_ms = store->request_timeout_ms + ANSWER_MARGIN_MS,
    };
    int r = kv_etcd_send(store, &request, NULL, on_answer, call, &call->grpc, err);
    if (r == 0)
        store->in_flight++;
    return r;
}

static int try_now(struct etcd_call *call, struct error *err)
{
    call->wait = WAIT_NONE;
    if (!needs_token(call) || kv_etcd_auth_is_ready(call->store))
        return send(call, err);
    call->wait = WAIT_TOKEN;
    kv_etcd_auth_want(call->store);
    return 0;
}

static void try_or_end(struct etcd_call *call)
{
    struct error err = { 0 };
    int r = try_now(call, &err);
    if (r < 0)
        etcd_call_end_failed(call, final_code(call, r), err.text);
}

static void on_retry(struct loop_timer *timer, void *userdata)
{
    (void)timer;
    try_or_end(userdata);
}

/* Keep-alives and grants never wait behind a batch. */
static bool may_wait(const struct etcd_call *call)
{
    return call->kind == CALL_TXN || call->kind == CALL_RANGE;
}

static void start_waiting(struct kv_etcd *store)
{
    struct etcd_call *call = NULL;
    while (store->in_flight < IN_FLIGHT_MAX) {
        DL_SEARCH_SCALAR(store->calls, call, wait, WAIT_ROOM);
        if (!call)
            return;
        /* Not from here: the callback of one that cannot even start must not run inside of the call
         * that made room. */
        struct error err = { 0 };
        if (try_now(call, &err) < 0 && retry_later(call, 0, &err) < 0)
            etcd_call_end_failed(call, final_code(call, -EAGAIN), err.text);
    }
}

/* A login that failed counts as a try of all that waited for it. Whose last it was is told so by
 * end_waiting(): callbacks may ask for anything, so none runs while the list is walked. */
static void after_failed_login(struct etcd_call *call, int code)
{
    bool passing = code == -EAGAIN || code == -ETIMEDOUT;
    if (!passing || ++call->tries >= call->store->attempts)
        call->wait = WAIT_END;
    else
        kv_etcd_auth_want(call->store);
}

static void end_waiting(struct kv_etcd *store, int code, const char *reason)
{
    struct etcd_call *call = NULL;
    for (;;) {
        DL_SEARCH_SCALAR(store->calls, call, wait, WAIT_END);
        if (!call)
            return;
        /* It was not sent, so a passing failure is no unknown outcome. */
        etcd_call_end_failed(call, final_code(call, code == -ETIMEDOUT ? -EAGAIN : code), reason);
    }
}

void kv_etcd_calls_authenticated(struct kv_etcd *store, int code, const char *reason)
{
    struct etcd_call *call = NULL;
    DL_FOREACH(store->calls, call) {
        if (call->wait != WAIT_TOKEN)
            continue;
        if (code == 0)
            call->wait = WAIT_ROOM;
        else
            after_failed_login(call, code);
    }
    end_waiting(store, code, reason);
    start_waiting(store);
}

/* Replaces the request's message and begins its tries anew. */
static int go_on(struct etcd_call *call, struct kv_wire_bytes message, struct error *err)
{
    kv_wire_bytes_done(&call->message);
    call->message = message;
    call->tries = call->cut_short = 0;
    return try_now(call, err);
}

int etcd_call_next_page(struct etcd_call *call, struct error *err)
{
    struct kv_wire_bytes message = { 0 };
    int r = kv_etcd_listing_request(&call->listing, &message, err);
    return r < 0 ? r : go_on(call, message, err);
}

/* The store wants a token, or another one. */
static int renew_token(struct etcd_call *call, struct error *err)
{
    struct kv_etcd *store = call->store;
    if (!kv_etcd_auth_refused(store, call->token))
        return error_prefix(err, -EACCES, "no user is configured for etcd");
    if (++call->refused_tokens > TOKENS_MAX)
        return -EACCES;
    if (kv_etcd_auth_is_ready(store)) /* somebody else has renewed it already */
        return try_now(call, err);
    call->wait = WAIT_TOKEN;
    kv_etcd_auth_want(store);
    return 0;
}

/* A refusal that is not the end: the token, the grant that was done already, the listing that
 * compaction overtook. Returns 0 if the call goes on. */
static int mend(struct etcd_call *call, int code, struct error *err)
{
    struct kv_wire_bytes message = { 0 };
    if (code == -EKEYEXPIRED)
        return renew_token(call, err);
    if (code == -EEXIST && call->kind == CALL_GRANT) {
        int r = kv_wire_write_lease_id(call->lease_id, &message, err);
        call->existed = true;
        return r < 0 ? r : go_on(call, message, err);
    }
    if (code == -ERANGE && call->kind == CALL_COMPACT) { /* as was wanted, by whomever */
        etcd_call_end_compacted(call);
        return 0;
    }
    if (code == -ERANGE && call->kind == CALL_RANGE && kv_etcd_listing_restart(&call->listing))
        return etcd_call_next_page(call, err);
    return code;
}

/* A member that answers "in doubt" is stuck; one that does not answer may be frozen. With nowhere
 * else to go the former's streams are as good as any. One that takes no connection any more is
 * gone, or is waiting for its streams to end, that it may go. */
static void suspect_endpoint(const struct etcd_call *call, int code,
                             const struct grpc_result *result)
{
    struct kv_etcd *store = call->store;
    if (result->code == -ENOMEM) /* it was not asked, through no fault of its own */
        return;
    kv_etcd_avoid(store, call->endpoint);
    bool takes_none = result->code == -ECONNREFUSED || result->code == -ECONNABORTED;
    if (takes_none ||
        (code == -ETIMEDOUT && (result->code == -ETIMEDOUT || store->endpoint_count > 1)))
        kv_etcd_watch_drop_streams(store, call->endpoint);
}

static int try_again(struct etcd_call *call, int code, const struct grpc_result *result,
                     struct error *err)
{
    if (code != -EAGAIN && code != -ETIMEDOUT)
        return code;
    if (code == -ETIMEDOUT && !call->is_read)
        call->maybe_applied = true;
    suspect_endpoint(call, code, result);
    if (++call->tries >= call->store->attempts || (call->once && call->maybe_applied))
        return code;
    call->store->counts[KV_ETCD_COUNT_RETRY]++;
    return retry_later(call, backoff_next_ms(&call->backoff), err);
}

/* Answers that are no trouble of the store's: the caller asked for what is not there. */
static bool is_plain_answer(int code)
{
    return code == -ENOENT || code == -EEXIST || code == -ERANGE;
}

/* The store had its grpc-timeout from when the request began to arrive, which was no earlier. */
static bool had_its_time(const struct etcd_call *call)
{
    return clock_boot_ms() - call->sent_boot_ms >= call->store->request_timeout_ms;
}

/* libcurl loses the words of a store that ends a request before it has the whole of it: for its
 * size, or since its time was over, of which the latter tells nothing about the size. A member that
 * goes away may do so too, but hardly to the next try as well; what a size that is too large would
 * be is the store's to say, and each may be configured otherwise. */
static int judge_cut_short(struct etcd_call *call, int code, struct error *err)
{
    const char *endpoint = call->store->endpoints[call->endpoint];
    if (had_its_time(call))
        return error_set(err, code, "%s: it did not have the whole request, %zu bytes, in %d ms",
                         endpoint, call->message.length, call->store->request_timeout_ms);
    if (++call->cut_short <= CUT_SHORT_MAX)
        return code;
    return error_set(err, -E2BIG,
                     "%s: it does not take a request of %zu bytes (etcd's --max-request-bytes, "
                     "1.5 MiB by default, bounds it)",
                     endpoint, call->message.length);
}

static int read_answer(struct etcd_call *call, const struct grpc_result *result, struct error *err)
{
    struct kv_etcd *store = call->store;
    int r = kv_etcd_read_result(store, call->endpoint, result, err);
    r = kv_etcd_auth_judge(store, r, call->has_token, err);
    if (result->code == -EMSGSIZE)
        r = judge_cut_short(call, r, err);
    /* Done, whether we can read the answer or not. */
    bool done = r == 0 || result->code == -E2BIG || result->code == -EPROTO;
    call->maybe_applied |= !call->is_read && done && result->http_status == 200;
    if (r == 0) {
        kv_etcd_auth_proved(store);
        r = etcd_call_take(call, result, err);
    }
    if (r < 0 && !is_plain_answer(r))
        kv_etcd_note_error(store, err->text);
    return r;
}

static void on_answer(struct grpc_call *grpc, const struct grpc_result *result, void *userdata)
{
    struct etcd_call *call = userdata;
    struct kv_etcd *store = call->store;
    struct error err = { 0 };
    (void)grpc;
    call->grpc = NULL;
    store->in_flight--;
    int r = read_answer(call, result, &err);
    if (r < 0)
        r = mend(call, r, &err);
    if (r < 0)
        r = try_again(call, r, result, &err);
    if (r < 0)
        etcd_call_end_failed(call, final_code(call, r), err.text);
    start_waiting(store);
}

static bool is_read_kind(enum call_kind kind)
{
    return kind == CALL_RANGE || kind == CALL_TIME_TO_LIVE || kind == CALL_MEMBERS ||
           kind == CALL_STATUS;
}

static struct etcd_call *call_new(struct kv *kv, enum call_kind kind, void *userdata,
                                  struct error *err)
{
    struct kv_etcd *store = (struct kv_etcd *)kv;
    struct etcd_call *call = calloc(1, sizeof(*call));
    if (!call) {
        (void)error_oom(err);
        return NULL;
    }
    *call = (struct etcd_call){
        .store = store,
        .kind = kind,
        .is_read = is_read_kind(kind),
        .userdata = userdata,
        .backoff = {.first_ms = RETRY_FIRST_MS, .max_ms = store->max_backoff_ms},
    };
    DL_APPEND(store->calls, call);
    return call;
}

static enum kv_etcd_count count_of(enum call_kind kind)
{
    switch (kind) {
    case CALL_TXN:
        return KV_ETCD_COUNT_TXN;
    case CALL_GRANT:
        return KV_ETCD_COUNT_GRANT;
    case CALL_KEEP_ALIVE:
        return KV_ETCD_COUNT_KEEP_ALIVE;
    case CALL_REVOKE:
        return KV_ETCD_COUNT_REVOKE;
    case CALL_TIME_TO_LIVE:
        return KV_ETCD_COUNT_TIME_TO_LIVE;
    case CALL_COMPACT:
        return KV_ETCD_COUNT_COMPACT;
    case CALL_MEMBERS:
        return KV_ETCD_COUNT_MEMBERS;
    case CALL_STATUS:
        return KV_ETCD_COUNT_STATUS;
    case CALL_RANGE:
    case CALL_INVALID:
        break;
    }
    return KV_ETCD_COUNT_RANGE;
}

/* Starts it, or puts it in line; frees it if r or the start says no. */
static int call_begin(struct etcd_call *call, int r, struct error *err)
{
    if (r == 0)
        call->store->counts[count_of(call->kind)]++;
    if (r == 0 && call->store->in_flight >= IN_FLIGHT_MAX && may_wait(call)) {
        call->wait = WAIT_ROOM;
        return 0;
    }
    if (r == 0)
        r = try_now(call, err);
    if (r < 0)
        etcd_call_free(call);
    return r;
}

int kv_etcd_txn(struct kv *kv, const struct kv_txn *txn, kv_txn_fn fn, void *userdata,
                struct error *err)
{
    struct etcd_call *call = call_new(kv, CALL_TXN, userdata, err);
    if (!call)
        return -ENOMEM;
    call->fn.txn = fn;
    call->is_read = kv_wire_txn_is_read(txn);
    call->once = txn->once;
    return call_begin(call, kv_wire_write_txn(txn, &call->message, err), err);
}

int kv_etcd_range(struct kv *kv, const char *key, bool prefix, int64_t revision, kv_range_fn fn,
                  void *userdata, struct error *err)
{
    struct etcd_call *call = call_new(kv, CALL_RANGE, userdata, err);
    if (!call)
        return -ENOMEM;
    call->fn.range = fn;
    int r = kv_etcd_listing_init(&call->listing, key, prefix, revision, err);
    if (r == 0)
        r = kv_etcd_listing_request(&call->listing, &call->message, err);
    return call_begin(call, r, err);
}

int kv_etcd_lease_grant(struct kv *kv, int64_t id, int64_t ttl_s, kv_lease_fn fn, void *userdata,
                        struct error *err)
{
    struct etcd_call *call = call_new(kv, CALL_GRANT, userdata, err);
    if (!call)
        return -ENOMEM;
    call->fn.lease = fn;
    call->lease_id = id;
    return call_begin(call, kv_wire_write_lease_grant(id, ttl_s, &call->message, err), err);
}

static int lease_call(struct kv *kv, enum call_kind kind, int64_t id, kv_lease_fn fn,
                      void *userdata, struct error *err)
{
    struct etcd_call *call = call_new(kv, kind, userdata, err);
    if (!call)
        return -ENOMEM;
    call->fn.lease = fn;
    call->lease_id = id;
    return call_begin(call, kv_wire_write_lease_id(id, &call->message, err), err);
}

int kv_etcd_lease_keep_alive(struct kv *kv, int64_t id, kv_lease_fn fn, void *userdata,
                             struct error *err)
{
    return lease_call(kv, CALL_KEEP_ALIVE, id, fn, userdata, err);
}

int kv_etcd_lease_revoke(struct kv *kv, int64_t id, kv_lease_fn fn, void *userdata,
                         struct error *err)
{
    return lease_call(kv, CALL_REVOKE, id, fn, userdata, err);
}

int kv_etcd_lease_time_to_live(struct kv *kv, int64_t id, kv_lease_fn fn, void *userdata,
                               struct error *err)
{
    return lease_call(kv, CALL_TIME_TO_LIVE, id, fn, userdata, err);
}

int kv_etcd_compact(struct kv *kv, int64_t revision, kv_compact_fn fn, void *userdata,
                    struct error *err)
{
    struct etcd_call *call = call_new(kv, CALL_COMPACT, userdata, err);
    if (!call)
        return -ENOMEM;
    call->fn.compact = fn;
    call->compact_revision = revision;
    return call_begin(call, kv_wire_write_compact(revision, &call->message, err), err);
}

int kv_etcd_members(struct kv *kv, kv_members_fn fn, void *userdata, struct error *err)
{
    struct etcd_call *call = call_new(kv, CALL_MEMBERS, userdata, err);
    if (!call)
        return -ENOMEM;
    call->fn.members = fn;
    return call_begin(call, kv_wire_write_nothing(&call->message, err), err);
}

int kv_etcd_status(struct kv *kv, kv_status_fn fn, void *userdata, struct error *err)
{
    struct etcd_call *call = call_new(kv, CALL_STATUS, userdata, err);
    if (!call)
        return -ENOMEM;
    call->fn.status = fn;
    return call_begin(call, kv_wire_write_nothing(&call->message, err), err);
}

void kv_etcd_forget(struct kv *kv, const void *userdata)
{
    struct kv_etcd *store = (struct kv_etcd *)kv;
    struct etcd_call *call = NULL;
    struct etcd_call *next = NULL;
    DL_FOREACH_SAFE(store->calls, call, next) {
        if (call->userdata == userdata)
            etcd_call_free(call);
    }
    start_waiting(store);
}

void kv_etcd_calls_free_all(struct kv_etcd *store)
{
    while (store->calls)
        etcd_call_free(store->calls);
}
