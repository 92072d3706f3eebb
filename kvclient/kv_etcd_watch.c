/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A watch: one stream at a time, begun again from next_revision whenever it breaks.
 *
 *   wait (timer) --> connecting --"created"--> standing --> end, error, silence --> wait
 *
 * There is no stream of one that is paused.
 *
 * Bytes arrive inside of curl, which allows no request to be begun there; so they are only kept,
 * and told to the owner in the next turn of the loop.
 */
#include <errno.h>
#include <string.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/grpc.h"
#include "kvclient/backoff.h"
#include "kvclient/kv_etcd_internal.h"

enum {
    CREATE_TRIES = 3,         /* "created" must come within so many request times */
    RECONNECT_FIRST_MS = 100, /* bound of the first wait */
    SOUND_AFTER_MS = 5000,    /* a stream that stood so long was sound: begin small again */
};

struct etcd_watch {
    struct kv_watch watch;
    struct kv_etcd *store; /* borrowed */
    char *key;
    bool prefix;
    struct kv_watch_callbacks callbacks;
    void *userdata;
    int64_t next_revision;    /* everything before it was told */
    int64_t checked_revision; /* what we knew when a linearizable read was asked whether the store
                                 is older */
    size_t endpoint;
    struct grpc_call *call;    /* borrowed */
    struct loop_timer *timer;  /* until the next connection, or for "created" to come */
    struct loop_timer *reader; /* set: messages may wait */
    struct grpc_stream stream;
    struct kv_wire_watch pending; /* of a revision whose last fragment has not come */
    struct backoff backoff;
    int64_t created_mono_ms;
    uint64_t token; /* its generation, when the stream was begun */
    bool has_token;
    bool waits_for_token;
    bool standing;
    bool paused;
    bool ended;   /* on_lost was called */
    bool stopped; /* to be freed when no callback of it runs */
    int busy;     /* callbacks that run */
    struct etcd_watch *prev;
    struct etcd_watch *next;
};

static void hang_up(struct etcd_watch *watch)
{
    watch->waits_for_token = false;
    grpc_cancel(take_ptr(watch->call));
    loop_timer_cancel(watch->timer);
    loop_timer_cancel(watch->reader);
    grpc_stream_done(&watch->stream);
    kv_wire_watch_done(&watch->pending);
}

static void watch_free(struct etcd_watch *watch)
{
    if (watch->timer && watch->reader)
        hang_up(watch);
    loop_timer_free(watch->timer);
    loop_timer_free(watch->reader);
    DL_DELETE(watch->store->watches, watch);
    free(watch->key);
    free(watch);
}

/* The owner may stop the watch in any callback; whoever entered last frees it. */
static void leave(struct etcd_watch *watch)
{
    if (--watch->busy == 0 && watch->stopped)
        watch_free(watch);
}

static bool is_over(const struct etcd_watch *watch)
{
    return watch->stopped || watch->ended;
}

static void tell_state(struct etcd_watch *watch, bool standing)
{
    if (watch->standing == standing)
        return;
    watch->standing = standing;
    if (watch->callbacks.on_state && !watch->stopped)
        watch->callbacks.on_state(standing, watch->userdata);
}

static void end(struct etcd_watch *watch, int code, const char *reason)
{
    if (is_over(watch))
        return;
    hang_up(watch);
    tell_state(watch, false);
    if (watch->stopped)
        return;
    watch->ended = true;
    watch->callbacks.on_lost(code, reason, watch->userdata);
}

/* The stream is of no use any more: another one, a little later, and not from the member that this
 * one was from. */
static void reconnect(struct etcd_watch *watch)
{
    if (is_over(watch))
        return;
    if (watch->standing && clock_mono_ms() - watch->created_mono_ms > SOUND_AFTER_MS)
        backoff_reset(&watch->backoff);
    hang_up(watch);
    kv_etcd_avoid(watch->store, watch->endpoint);
    watch->store->counts[KV_ETCD_COUNT_RECONNECT]++;
    if (!watch->paused)
        loop_timer_set(watch->timer, backoff_next_ms(&watch->backoff));
    tell_state(watch, false);
}

static void on_failure(struct etcd_watch *watch, int code, const char *reason)
{
    if (code != -ERANGE)
        kv_etcd_note_error(watch->store, reason);
    code = kv_etcd_auth_judge(watch->store, code, watch->has_token, NULL);
    if (code == -EKEYEXPIRED && !kv_etcd_auth_refused(watch->store, watch->token))
        code = -EACCES;
    if (code == -ERANGE || code == -ESTALE || code == -EREMCHG || code == -EACCES ||
        code == -EINVAL)
        end(watch, code, reason);
    else
        reconnect(watch);
}

/* The store's own newest revision, linearizable. */
static void on_checked(const struct kv_range_result *result, void *userdata)
{
    struct etcd_watch *watch = userdata;
    watch->busy++;
    if (result->code == -ESTALE)
        end(watch, result->code, result->reason);
    else if (result->code < 0)
        reconnect(watch);
    else if (result->revision < watch->checked_revision)
        end(watch, -EREMCHG, "the store's revision went back");
    leave(watch);
}

/* A member that lags behind may well answer with an older revision than we had from another; only
 * a linearizable read tells it from a store that was made anew, where the watch would be silent
 * for ever. */
static void check_revision(struct etcd_watch *watch, int64_t revision)
{
    struct kv *kv = &watch->store->kv;
    if (revision >= watch->next_revision - 1)
        return;
    /* What comes by the watch while the answer is on its way may well be newer than that. */
    watch->checked_revision = watch->next_revision - 1;
    if (kv_range(kv, watch->key, false, on_checked, watch, NULL) < 0)
        reconnect(watch);
}

/* Everything before next_revision is told. */
static void note_delivered(const struct etcd_watch *watch)
{
    struct kv_etcd *store = watch->store;
    if (watch->next_revision - 1 > store->delivered)
        store->delivered = watch->next_revision - 1;
}

static void on_created(struct etcd_watch *watch, const struct kv_wire_header *header)
{
    note_delivered(watch);
    kv_etcd_auth_proved(watch->store);
    loop_timer_cancel(watch->timer);
    watch->created_mono_ms = clock_mono_ms();
    check_revision(watch, header->revision);
    if (watch->call)
        tell_state(watch, true);
}

static void tell_pending(struct etcd_watch *watch)
{
    if (watch->pending.event_count == 0)
        return;
    struct kv_wire_watch whole = watch->pending; /* the callback may hang up */
    watch->pending = (struct kv_wire_watch){ 0 };
    int64_t last = whole.events[whole.event_count - 1].pair.mod_revision;
    watch->next_revision = last + 1;
    note_delivered(watch);
    if (last > watch->store->revision)
        watch->store->revision = last;
    watch->callbacks.on_events(whole.events, whole.event_count, last, watch->userdata);
    kv_wire_watch_done(&whole);
}

static void on_events(struct etcd_watch *watch, struct kv_wire_watch *message)
{
    struct error err = { 0 };
    int r = kv_wire_watch_append(&watch->pending, message, watch->next_revision, &err);
    if (r < 0)
        on_failure(watch, r, err.text); /* what was not taken is sent again */
    else if (!message->fragment)
        tell_pending(watch);
}

static void on_progress(struct etcd_watch *watch, int64_t revision)
{
    if (revision >= watch->next_revision)
        watch->next_revision = revision + 1;
    note_delivered(watch);
}

static void on_message(struct etcd_watch *watch, struct kv_wire_watch *message)
{
    struct error err = { 0 };
    if (message->failure) {
        on_failure(watch, message->failure, message->reason);
        return;
    }
    int r = kv_etcd_note_header(watch->store, &message->header, &err);
    if (r < 0)
        end(watch, r, err.text);
    else if (message->created)
        on_created(watch, &message->header);
    else if (message->event_count)
        on_events(watch, message);
    else if (watch->pending.event_count == 0 && message->header.revision >= watch->next_revision)
        on_progress(watch, message->header.revision);
}

static void read_messages(struct etcd_watch *watch)
{
    const uint8_t *data = NULL;
    size_t length = 0;
    int r = 0;
    struct error err = { 0 };
    while (!is_over(watch) && (r = grpc_stream_next(&watch->stream, &data, &length, &err)) == 1) {
        struct kv_wire_watch message = { 0 };
        r = kv_wire_read_watch(data, length, &message, &err);
        if (r < 0)
            on_failure(watch, r, err.text);
        else
            on_message(watch, &message);
        kv_wire_watch_done(&message);
    }
    if (r < 0 && !is_over(watch))
        on_failure(watch, r, err.text);
}

static void on_reader(struct loop_timer *timer, void *userdata)
{
    struct etcd_watch *watch = userdata;
    (void)timer;
    watch->busy++;
    read_messages(watch);
    leave(watch);
}

/* Inside of curl: keep only. */
static void on_data(struct grpc_call *call, const char *bytes, size_t length, void *userdata)
{
    struct etcd_watch *watch = userdata;
    (void)call;
    if (grpc_stream_add(&watch->stream, bytes, length, NULL) < 0)
        loop_timer_set(watch->timer, 0); /* as if "created" had not come: connects anew */
    else
        loop_timer_set(watch->reader, 0);
}

/* Also a normal end is a reason to connect again: a member that is told to stop ends its streams
 * so. */
static void on_done(struct grpc_call *call, const struct grpc_result *result, void *userdata)
{
    struct etcd_watch *watch = userdata;
    struct error err = { 0 };
    watch->busy++;
    read_messages(watch);
    if (watch->call == call) { /* else what was read has hung up already */
        watch->call = NULL;
        int r = kv_etcd_read_result(watch->store, watch->endpoint, result, &err);
        on_failure(watch, r == 0 ? -EAGAIN : r, r == 0 ? "the stream ended" : err.text);
    }
    leave(watch);
}

/* One earlier than what is wanted, where that can be: of the revision that its history is compacted
 * to etcd 3.4 forgets what was deleted (its issue 18089), and says nothing of it to who asks from
 * there; to who asks from before it says that it is compacted. What has been told already is not
 * told again. */
static int64_t first_to_ask(const struct etcd_watch *watch)
{
    return watch->next_revision > 1 ? watch->next_revision - 1 : 1;
}

static int connect_now(struct etcd_watch *watch, struct error *err)
{
    static char hasleader[] = "hasleader: true";
    struct kv_etcd *store = watch->store;
    struct kv_wire_bytes message = { 0 };
    if (!kv_etcd_auth_is_ready(store)) {
        watch->waits_for_token = true;
        kv_etcd_auth_want(store);
        return 0;
    }
    int r = kv_wire_write_watch(watch->key, watch->prefix, first_to_ask(watch), &message, err);
    if (r < 0)
        return r;
    watch->endpoint = store->endpoint;
    watch->token = kv_etcd_auth_generation(store);
    watch->has_token = kv_etcd_auth_metadata(store);
    store->counts[KV_ETCD_COUNT_WATCH]++;
    const struct kv_etcd_request request = {
        .endpoint = watch->endpoint,
        .method = "/etcdserverpb.Watch/Watch",
        .message = &message,
        .metadata = hasleader,
    };
    r = kv_etcd_send(store, &request, on_data, on_done, watch, &watch->call, err);
    kv_wire_bytes_done(&message);
    return r;
}

/* Either it is time to connect, or the connection that is there did not bring "created". */
static void on_timer(struct loop_timer *timer, void *userdata)
{
    struct etcd_watch *watch = userdata;
    watch->busy++;
    if (watch->call || connect_now(watch, NULL) < 0)
        reconnect(watch);
    else if (watch->call)
        loop_timer_set(timer, (int64_t)CREATE_TRIES * watch->store->request_timeout_ms);
    leave(watch);
}

static int watch_init(struct etcd_watch *watch, const char *key, struct error *err)
{
    struct loop *loop = watch->store->loop;
    watch->key = strdup(key);
    if (!watch->key)
        return error_oom(err);
    int r = loop_timer_new(loop, "etcd watch", on_timer, watch, &watch->timer, err);
    if (r < 0)
        return r;
    return loop_timer_new(loop, "etcd watch reader", on_reader, watch, &watch->reader, err);
}

int kv_etcd_watch_new(struct kv *kv, const char *key, bool prefix, int64_t from_revision,
                      const struct kv_watch_callbacks *callbacks, void *userdata,
                      struct kv_watch **ret, struct error *err)
{
    struct kv_etcd *store = (struct kv_etcd *)kv;
    struct etcd_watch *watch = calloc(1, sizeof(*watch));
    if (!watch)
        return error_oom(err);
    *watch = (struct etcd_watch){
        .watch = {.kv = kv                        },
        .store = store,
        .prefix = prefix,
        .callbacks = *callbacks,
        .userdata = userdata,
        .next_revision = from_revision,
        .backoff = { .first_ms = RECONNECT_FIRST_MS, .max_ms = store->max_backoff_ms },
    };
    DL_APPEND(store->watches, watch);
    int r = watch_init(watch, key, err);
    if (r < 0) {
        watch_free(watch);
        return r;
    }
    loop_timer_set(watch->timer, 0);
    *ret = &watch->watch;
    return 0;
}

void kv_etcd_watch_pause(struct kv *kv, struct kv_watch *base, bool pause)
{
    struct etcd_watch *watch = (struct etcd_watch *)base;
    (void)kv;
    if (is_over(watch) || watch->paused == pause)
        return;
    watch->paused = pause;
    if (pause)
        hang_up(watch);
    else
        loop_timer_set(watch->timer, 0);
}

void kv_etcd_watch_stop(struct kv *kv, struct kv_watch *base)
{
    struct etcd_watch *watch = (struct etcd_watch *)base;
    hang_up(watch);
    kv_forget(kv, watch);
    watch->stopped = true;
    if (watch->busy == 0)
        watch_free(watch);
}

void kv_etcd_watch_free_all(struct kv_etcd *store)
{
    while (store->watches)
        watch_free(store->watches);
}

/* A watch that is asked to end here may take any other with it, so those that it concerns are
 * marked by waits_for_token and looked for anew after each. */
void kv_etcd_watches_authenticated(struct kv_etcd *store, int code, const char *reason)
{
    struct etcd_watch *watch = NULL;
    for (;;) {
        DL_SEARCH_SCALAR(store->watches, watch, waits_for_token, true);
        if (!watch)
            return;
        watch->waits_for_token = false;
        watch->busy++;
        if (code == 0)
            loop_timer_set(watch->timer, 0);
        else if (code == -EACCES)
            end(watch, code, reason);
        else
            reconnect(watch);
        leave(watch);
    }
}

size_t kv_etcd_watch_count(const struct kv_etcd *store)
{
    const struct etcd_watch *watch = NULL;
    size_t count = 0;
    DL_COUNT(store->watches, watch, count);
    return count;
}

void kv_etcd_watch_drop_streams(struct kv_etcd *store, size_t endpoint)
{
    struct etcd_watch *watch = NULL;
    DL_FOREACH(store->watches, watch) {
        if (watch->call && watch->endpoint == endpoint)
            loop_timer_set(watch->timer, 0); /* which finds a connection, and breaks it */
    }
}
