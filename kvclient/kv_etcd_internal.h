/* SPDX-License-Identifier: Apache-2.0 */
/* What kv_etcd.c (requests) and kv_etcd_watch.c (streams) share. For no one else. */
#ifndef KVCLIENT_KV_ETCD_INTERNAL_H
#define KVCLIENT_KV_ETCD_INTERNAL_H

#include "base/loop.h"
#include "base/loop_http.h"
#include "kvclient/kv_etcd.h"
#include "kvclient/kv_wire.h"

struct kv_etcd {
    struct kv kv;
    struct loop *loop; /* borrowed */
    struct http *http;
    char **endpoints;
    size_t endpoint_count;
    size_t endpoint; /* the one that new requests and streams go to */
    int request_timeout_ms;
    int attempts;
    int max_backoff_ms;
    char *ca_file;
    char *cert_file;
    char *key_file;
    char **headers; /* of a unary request */
    struct etcd_call *calls;
    size_t in_flight;
    struct etcd_watch *watches;
    uint64_t cluster_id;
    int64_t revision;
    uint64_t reconnects;
};

/* Begins a POST to the path below an endpoint. Every connection has dead-peer detection, because
 * curl may give the one that a unary request left to a watch. */
int kv_etcd_post(struct kv_etcd *store, size_t endpoint, const char *path, const char *body,
                 char *const *headers, int timeout_ms, http_data_fn on_data, http_done_fn on_done,
                 void *userdata, struct http_call **ret, struct error *err);

/* Remembers what an answer's header says. -ESTALE if it is another cluster's. */
int kv_etcd_note_header(struct kv_etcd *store, const struct kv_wire_header *header,
                        struct error *err);

/* This endpoint failed us: what comes next goes to the next one. */
void kv_etcd_avoid(struct kv_etcd *store, size_t endpoint);

/* What a transport's failure means for the request that met it. */
int kv_etcd_read_result(const struct http_result *result, struct error *err);

int kv_etcd_watch_new(struct kv *kv, const char *key, bool prefix, int64_t from_revision,
                      const struct kv_watch_callbacks *callbacks, void *userdata,
                      struct kv_watch **ret, struct error *err);
void kv_etcd_watch_stop(struct kv *kv, struct kv_watch *base);
void kv_etcd_watch_free_all(struct kv_etcd *store);

/* Requests to this endpoint get no answer; a stream from it may be silent for ever, so break it. */
void kv_etcd_watch_drop_streams(struct kv_etcd *store, size_t endpoint);

#endif
