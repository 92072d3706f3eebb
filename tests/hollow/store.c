/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/hollow/store.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/loop.h"
#include "base/loop_http.h"
#include "base/text.h"
#include "kvclient/kv_etcd.h"
#include "tests/hollow/processes.h"

enum {
    IN_FLIGHT = 8, /* as a leader has; more gains nothing on two processors */
    TRACK_MS = 50, /* for each asking etcd copies all that it has yet to write to its file */
};

struct sample {
    int64_t at_ns;
    int64_t revision;
};

struct store {
    struct loop *loop;
    struct kv *kv;
    struct http *http;
    char *metrics_url;
    struct loop_signal *child;
    struct loop_timer *pause;
    bool paused;
    struct loop_timer *track;
    bool tracking;
    struct sample *samples;
    size_t sample_count;
    size_t sample_room;
    /* Of what is written. */
    const struct kv_txn *txns;
    size_t left;
    size_t under_way;
};

int64_t store_now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void on_child(struct loop_signal *signal, void *userdata)
{
    (void)signal;
    (void)userdata;
    processes_check();
}

static void on_pause(struct loop_timer *timer, void *userdata)
{
    struct store *store = userdata;
    (void)timer;
    store->paused = false;
}

void store_pause(struct store *store, int64_t ms)
{
    store->paused = true;
    loop_timer_set(store->pause, ms);
    while (store->paused)
        loop_run_once(store->loop, true);
}

/* --- writing --- */

static void write_next(struct store *store);

static void on_written(const struct kv_txn_result *result, void *userdata)
{
    struct store *store = userdata;
    if (result->code < 0 || !result->succeeded)
        hollow_fail("a write: %s", result->code < 0 ? result->reason : "a guard does not hold");
    store->under_way--;
    write_next(store);
}

static void write_next(struct store *store)
{
    struct error err = { 0 };
    for (; store->left && store->under_way < IN_FLIGHT; store->left--, store->under_way++)
        if (kv_txn(store->kv, store->txns++, on_written, store, &err) < 0)
            hollow_fail("a write: %s", err.text);
}

int64_t store_commit_ns(struct store *store, const struct kv_txn *txns, size_t count)
{
    int64_t began_ns = store_now_ns();
    store->txns = txns;
    store->left = count;
    write_next(store);
    while (store->under_way)
        loop_run_once(store->loop, true);
    return store_now_ns() - began_ns;
}

int64_t store_write_ns(struct store *store, const struct kv_op *ops, size_t count)
{
    size_t txn_count = (count + KV_TXN_OPS_MAX - 1) / KV_TXN_OPS_MAX;
    autofree struct kv_txn *txns = calloc(txn_count + 1, sizeof(*txns));
    if (!txns)
        hollow_fail("out of memory");
    for (size_t i = 0; i < txn_count; i++) {
        size_t left = count - i * KV_TXN_OPS_MAX;
        txns[i].success = &ops[i * KV_TXN_OPS_MAX];
        txns[i].success_count = left < KV_TXN_OPS_MAX ? left : KV_TXN_OPS_MAX;
    }
    return store_commit_ns(store, txns, txn_count);
}

static void on_revoked(const struct kv_lease_result *result, void *userdata)
{
    struct store *store = userdata;
    if (result->code < 0)
        hollow_fail("a lease: %s", result->reason);
    store->under_way--;
}

void store_revoke(struct store *store, int64_t lease)
{
    struct error err = { 0 };
    if (kv_lease_revoke(store->kv, lease, on_revoked, store, &err) < 0)
        hollow_fail("a lease: %s", err.text);
    store->under_way++;
    while (store->under_way)
        loop_run_once(store->loop, true);
}

/* --- reading --- */

struct answer {
    bool here;
    int64_t count;
    int64_t revision;
};

static void on_counted(const struct kv_txn_result *result, void *userdata)
{
    struct answer *answer = userdata;
    if (result->code < 0)
        hollow_fail("a read: %s", result->reason);
    *answer = (struct answer){ true, result->results[0].count, result->revision };
}

static struct answer ask(struct store *store, struct kv_op op)
{
    struct answer answer = { 0 };
    struct error err = { 0 };
    const struct kv_txn txn = { .success = &op, .success_count = 1 };
    op.count_only = true;
    if (kv_txn(store->kv, &txn, on_counted, &answer, &err) < 0)
        hollow_fail("a read: %s", err.text);
    while (!answer.here)
        loop_run_once(store->loop, true);
    return answer;
}

int64_t store_count(struct store *store, const char *prefix)
{
    return ask(store, kv_op_range_prefix(prefix)).count;
}

int64_t store_revision(struct store *store)
{
    return ask(store, kv_op_range("revision")).revision;
}

struct visit {
    void (*fn)(const struct kv_pair *pair, void *userdata);
    void *userdata;
    bool done;
};

static void on_listed(const struct kv_range_result *result, void *userdata)
{
    struct visit *visit = userdata;
    if (result->code < 0)
        hollow_fail("a read: %s", result->reason);
    for (size_t i = 0; i < result->pair_count; i++)
        visit->fn(&result->pairs[i], visit->userdata);
    visit->done = true;
}

void store_each(struct store *store, const char *prefix,
                void (*fn)(const struct kv_pair *pair, void *userdata), void *userdata)
{
    struct visit visit = { .fn = fn, .userdata = userdata };
    struct error err = { 0 };
    if (kv_range(store->kv, prefix, true, on_listed, &visit, &err) < 0)
        hollow_fail("a read: %s", err.text);
    while (!visit.done)
        loop_run_once(store->loop, true);
}

/* --- when a revision came about --- */

static void add_sample(struct store *store, int64_t revision)
{
    if (store->sample_count == store->sample_room) {
        store->sample_room = store->sample_room ? store->sample_room * 2 : 1024;
        store->samples = realloc(store->samples, store->sample_room * sizeof(*store->samples));
        if (!store->samples)
            hollow_fail("out of memory");
    }
    store->samples[store->sample_count++] = (struct sample){ store_now_ns(), revision };
}

static void on_tracked(const struct kv_txn_result *result, void *userdata)
{
    struct store *store = userdata;
    if (result->code < 0)
        hollow_fail("a read: %s", result->reason);
    add_sample(store, result->revision);
    if (store->tracking)
        loop_timer_set(store->track, TRACK_MS);
}

static void on_track(struct loop_timer *timer, void *userdata)
{
    struct store *store = userdata;
    struct error err = { 0 };
    const struct kv_op op = kv_op_range("revision");
    const struct kv_txn txn = { .success = &op, .success_count = 1 };
    (void)timer;
    if (kv_txn(store->kv, &txn, on_tracked, store, &err) < 0)
        hollow_fail("a read: %s", err.text);
}

void store_track(struct store *store, bool on)
{
    store->tracking = on;
    if (on)
        loop_timer_set(store->track, 0);
    else
        loop_timer_cancel(store->track);
}

int64_t store_time_of_ns(const struct store *store, int64_t revision)
{
    for (size_t i = 1; i < store->sample_count; i++) {
        const struct sample *before = &store->samples[i - 1];
        const struct sample *after = &store->samples[i];
        if (before->revision < revision && after->revision >= revision)
            return before->at_ns + (after->at_ns - before->at_ns) * (revision - before->revision) /
                                       (after->revision - before->revision);
    }
    hollow_fail("nobody looked when revision %lld came about", (long long)revision);
}

/* --- etcd's counters --- */

struct metrics {
    bool here;
    struct store_traffic traffic;
};

static void add_line(struct store_traffic *traffic, const char *line)
{
    const char *number = strrchr(line, ' ');
    if (!number)
        return;
    if (text_starts_with(line, "grpc_server_msg_received_total{"))
        traffic->received += (int64_t)strtod(number, NULL);
    else if (text_starts_with(line, "grpc_server_msg_sent_total{grpc_method=\"Watch\""))
        traffic->watched += (int64_t)strtod(number, NULL);
    else if (text_starts_with(line, "etcd_debugging_mvcc_watcher_total "))
        traffic->watches = (int64_t)strtod(number, NULL);
    else if (text_starts_with(line, "process_cpu_seconds_total"))
        traffic->cpu_s = strtod(number, NULL);
}

static void on_metrics(struct http_call *call, const struct http_result *result, void *userdata)
{
    struct metrics *metrics = userdata;
    autostrv lines = NULL;
    (void)call;
    if (result->code < 0 || result->status != 200 ||
        strv_split(result->body, "\n", &lines, NULL) < 0)
        hollow_fail("etcd tells no metrics");
    for (size_t i = 0; lines && lines[i]; i++)
        add_line(&metrics->traffic, lines[i]);
    metrics->here = true;
}

struct store_traffic store_get_traffic(struct store *store)
{
    struct metrics metrics = { 0 };
    struct error err = { 0 };
    struct http_call *call = NULL;
    const struct http_request request = { .method = "GET", .url = store->metrics_url };
    if (http_start(store->http, &request, NULL, on_metrics, &metrics, &call, &err) < 0)
        hollow_fail("metrics: %s", err.text);
    while (!metrics.here)
        loop_run_once(store->loop, true);
    return metrics.traffic;
}

/* --- life --- */

struct store *store_open(const char *url)
{
    char *endpoints[] = { (char *)url, NULL };
    const struct kv_etcd_config config = { .endpoints = endpoints, .request_timeout_ms = 60000 };
    struct error err = { 0 };
    struct store *store = calloc(1, sizeof(*store));
    if (!store)
        hollow_fail("out of memory");
    store->metrics_url = text_format("%s/metrics", url);
    if (loop_new(&store->loop, &err) < 0 ||
        kv_etcd_new(store->loop, &config, &store->kv, &err) < 0 ||
        http_new(store->loop, &store->http, &err) < 0 ||
        loop_signal_new(store->loop, SIGCHLD, on_child, NULL, &store->child, &err) < 0 ||
        loop_timer_new(store->loop, "pause", on_pause, store, &store->pause, &err) < 0 ||
        loop_timer_new(store->loop, "track", on_track, store, &store->track, &err) < 0)
        hollow_fail("%s", err.text);
    return store;
}

void store_close(struct store *store)
{
    loop_signal_free(store->child);
    loop_timer_free(store->pause);
    loop_timer_free(store->track);
    http_free(store->http);
    kv_free(store->kv);
    loop_free(store->loop);
    free(store->metrics_url);
    free(store->samples);
    free(store);
}
