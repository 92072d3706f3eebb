/* SPDX-License-Identifier: Apache-2.0 */
/*
 * etcd v3 by gRPC, with curl inside the loop.
 *
 * Unary calls carry grpc-timeout and are sent again to the next endpoint when the first did not
 * answer; a guarded or read-only call is safe to send twice, so callers guard every write. Watches
 * carry hasleader, fragment and dead-peer detection, and resume where they were. Reconnects are
 * jittered, at most max_backoff_ms.
 */
#ifndef KVCLIENT_KV_ETCD_H
#define KVCLIENT_KV_ETCD_H

#include "base/loop.h"
#include "base/loop_http.h" /* struct http_tls */
#include "kvclient/kv.h"

struct kv_etcd_config {
    char *const *endpoints; /* "http://10.0.0.1:2379", tried in turn */
    int request_timeout_ms; /* per try; 0: 1000 */
    int attempts;           /* tries per unary call, over the endpoints; 0: 3 */
    int max_backoff_ms;     /* between tries and reconnects; 0: 2000 */
    struct http_tls tls;    /* all NULL: none given; https then trusts the system's CAs */
    const char *user;       /* NULL: no authentication */
    const char *password;   /* this, or a file whose first line it is, read anew for each login */
    const char *password_file;
};

/* What was done, by kind. kv_etcd_count_name() has their words. */
enum kv_etcd_count {
    KV_ETCD_COUNT_TXN = 0,
    KV_ETCD_COUNT_RANGE,
    KV_ETCD_COUNT_GRANT,
    KV_ETCD_COUNT_KEEP_ALIVE,
    KV_ETCD_COUNT_REVOKE,
    KV_ETCD_COUNT_TIME_TO_LIVE,
    KV_ETCD_COUNT_COMPACT,
    KV_ETCD_COUNT_MEMBERS,
    KV_ETCD_COUNT_STATUS,
    KV_ETCD_COUNT_WATCH,     /* streams begun, again too */
    KV_ETCD_COUNT_LOGIN,     /* tokens got */
    KV_ETCD_COUNT_RETRY,     /* further tries of the requests above */
    KV_ETCD_COUNT_RECONNECT, /* streams that broke */
    KV_ETCD_COUNTS,
};
const char *kv_etcd_count_name(enum kv_etcd_count count);

/* What the client sees of the store, for status and metrics. Strings are borrowed until the next
 * callback. */
struct kv_etcd_view {
    const char *endpoint; /* that the next request goes to */
    uint64_t cluster_id;  /* 0 until the first answer */
    int64_t revision;     /* newest seen */
    /* Revisions between it and the newest that a watch has told; 0 without a watch. Writes beside
     * what is watched count until the store reports progress. */
    int64_t lag;
    uint64_t counts[KV_ETCD_COUNTS];
    size_t in_flight;
    size_t watches;
    const char *last_error;     /* "" if there was none */
    int64_t last_error_boot_ms; /* when, on CLOCK_BOOTTIME */
};

/* kv_free() of this store must not be called from one of its own callbacks (curl is at work).
 *
 * Copies the configuration. Connects on first use. The gRPC client is made and owned inside. */
int kv_etcd_new(struct loop *loop, const struct kv_etcd_config *config, struct kv **ret,
                struct error *err);
void kv_etcd_get_view(const struct kv *kv, struct kv_etcd_view *ret);

#endif
