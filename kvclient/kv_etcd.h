/* SPDX-License-Identifier: Apache-2.0 */
/*
 * etcd v3 through its JSON gateway (/v3/…), with curl inside the loop.
 *
 * Unary calls carry Grpc-Timeout and are sent again to the next endpoint when the first did not
 * answer; a guarded or read-only call is safe to send twice, so callers guard every write. Watches
 * carry hasleader, fragment and dead-peer detection, and resume where they were. Reconnects are
 * jittered, at most max_backoff_ms.
 */
#ifndef KVCLIENT_KV_ETCD_H
#define KVCLIENT_KV_ETCD_H

#include "base/loop.h"
#include "base/loop_http.h"
#include "kvclient/kv.h"

struct kv_etcd_config {
    char *const *endpoints; /* "http://10.0.0.1:2379", tried in turn */
    int request_timeout_ms; /* per try; 0: 1000 */
    int attempts;           /* tries per unary call, over the endpoints; 0: 3 */
    int max_backoff_ms;     /* between tries and reconnects; 0: 2000 */
    struct http_tls tls;    /* all NULL: none given */
};

/* What the client sees of the store, for status and metrics. Strings are borrowed until the next
 * callback. */
struct kv_etcd_view {
    const char *endpoint;
    uint64_t cluster_id; /* 0 until the first answer */
    int64_t revision;    /* newest seen */
    uint64_t reconnects;
};

/* kv_free() of this store must not be called from one of its own callbacks (curl is at work).
 *
 * Copies the configuration. Connects on first use. The http client is made and owned inside. */
int kv_etcd_new(struct loop *loop, const struct kv_etcd_config *config, struct kv **ret,
                struct error *err);
void kv_etcd_get_view(const struct kv *kv, struct kv_etcd_view *ret);

#endif
