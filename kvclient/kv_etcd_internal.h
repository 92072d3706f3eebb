/* SPDX-License-Identifier: Apache-2.0 */
/* What kv_etcd.c (the store), kv_etcd_call.c and kv_etcd_answer.c (requests), kv_etcd_watch.c
 * (streams) and kv_etcd_auth.c (the token) share. For no one else. */
#ifndef KVCLIENT_KV_ETCD_INTERNAL_H
#define KVCLIENT_KV_ETCD_INTERNAL_H

#include "base/loop.h"
#include "base/loop_grpc.h"
#include "kvclient/kv_etcd.h"
#include "kvclient/kv_wire.h"

struct kv_etcd {
    struct kv kv;
    struct loop *loop; /* borrowed */
    struct grpc *grpc;
    struct http_tls tls; /* its strings are owned */
    char **endpoints;
    size_t endpoint_count;
    size_t endpoint; /* the one that new requests and streams go to */
    int request_timeout_ms;
    int attempts;
    int max_backoff_ms;
    char *timeout_metadata;    /* of a unary request */
    struct kv_etcd_auth *auth; /* NULL: no user is configured */
    struct etcd_call *calls;
    size_t in_flight;
    struct etcd_watch *watches;
    uint64_t cluster_id;
    int64_t revision;
    int64_t delivered; /* newest revision up to which some watch has told everything */
    uint64_t counts[KV_ETCD_COUNTS];
    char last_error[ERROR_TEXT_MAX];
    int64_t last_error_boot_ms;
};

/* What goes to an endpoint, the token beside it if there is one. */
struct kv_etcd_request {
    size_t endpoint;
    const char *method; /* "/etcdserverpb.KV/Range" */
    const struct kv_wire_bytes *message;
    char *metadata; /* "name: value" */
    int timeout_ms; /* 0: none */
};
int kv_etcd_send(struct kv_etcd *store, const struct kv_etcd_request *request, grpc_data_fn on_data,
                 grpc_done_fn on_done, void *userdata, struct grpc_call **ret, struct error *err);

/* Remembers what an answer's header says. -ESTALE if it is another cluster's. */
int kv_etcd_note_header(struct kv_etcd *store, const struct kv_wire_header *header,
                        struct error *err);

/* This endpoint failed us: what comes next goes to the next one. */
void kv_etcd_avoid(struct kv_etcd *store, size_t endpoint);

/* What an answer, or a transport's failure, means for the request that met it; err names the
 * endpoint, and the file where one is at fault. */
int kv_etcd_read_result(const struct kv_etcd *store, size_t endpoint,
                        const struct grpc_result *result, struct error *err);

/* For the view: the newest trouble in words. */
void kv_etcd_note_error(struct kv_etcd *store, const char *reason);

/* The token. Who needs one asks whether it is ready; if not, wants it, and is told by
 * kv_etcd_calls_authenticated() or kv_etcd_watches_authenticated() how that ended: 0, -EACCES, or a
 * passing -EAGAIN or -ETIMEDOUT. */
int kv_etcd_auth_new(struct kv_etcd *store, const struct kv_etcd_config *config, struct error *err);
void kv_etcd_auth_free(struct kv_etcd_auth *auth);
bool kv_etcd_auth_is_ready(const struct kv_etcd *store);
char *kv_etcd_auth_metadata(const struct kv_etcd *store); /* NULL: none */
void kv_etcd_auth_want(struct kv_etcd *store);

/* Without a token a client certificate makes a user of its CN, whom the store may know or not: that
 * he is denied something (-EACCES) means that a token is wanted, if we have a user of our own:
 * -EKEYEXPIRED then. Else err, which may be NULL, says who was denied. Any other code stays. */
int kv_etcd_auth_judge(const struct kv_etcd *store, int code, bool has_token, struct error *err);
/* The store refused the token of that generation (0: none was sent). False if we have no user, so
 * that another one cannot be had. */
uint64_t kv_etcd_auth_generation(const struct kv_etcd *store);
bool kv_etcd_auth_refused(struct kv_etcd *store, uint64_t generation);
void kv_etcd_auth_proved(struct kv_etcd *store); /* a request was answered with it */

void kv_etcd_calls_authenticated(struct kv_etcd *store, int code, const char *reason);
void kv_etcd_watches_authenticated(struct kv_etcd *store, int code, const char *reason);

/* Requests, as the vtable wants them. */
int kv_etcd_txn(struct kv *kv, const struct kv_txn *txn, kv_txn_fn fn, void *userdata,
                struct error *err);
int kv_etcd_range(struct kv *kv, const char *key, bool prefix, int64_t revision, kv_range_fn fn,
                  void *userdata, struct error *err);
int kv_etcd_lease_grant(struct kv *kv, int64_t id, int64_t ttl_s, kv_lease_fn fn, void *userdata,
                        struct error *err);
int kv_etcd_lease_keep_alive(struct kv *kv, int64_t id, kv_lease_fn fn, void *userdata,
                             struct error *err);
int kv_etcd_lease_revoke(struct kv *kv, int64_t id, kv_lease_fn fn, void *userdata,
                         struct error *err);
int kv_etcd_lease_time_to_live(struct kv *kv, int64_t id, kv_lease_fn fn, void *userdata,
                               struct error *err);
int kv_etcd_compact(struct kv *kv, int64_t revision, kv_compact_fn fn, void *userdata,
                    struct error *err);
int kv_etcd_members(struct kv *kv, kv_members_fn fn, void *userdata, struct error *err);
int kv_etcd_status(struct kv *kv, kv_status_fn fn, void *userdata, struct error *err);
void kv_etcd_forget(struct kv *kv, const void *userdata);
void kv_etcd_calls_free_all(struct kv_etcd *store);

int kv_etcd_watch_new(struct kv *kv, const char *key, bool prefix, int64_t from_revision,
                      const struct kv_watch_callbacks *callbacks, void *userdata,
                      struct kv_watch **ret, struct error *err);
void kv_etcd_watch_pause(struct kv *kv, struct kv_watch *base, bool pause);
void kv_etcd_watch_stop(struct kv *kv, struct kv_watch *base);
void kv_etcd_watch_free_all(struct kv_etcd *store);
size_t kv_etcd_watch_count(const struct kv_etcd *store);

/* Requests to this endpoint get no answer, or it takes no connection any more; a stream from it may
 * be silent for ever, so break it. */
void kv_etcd_watch_drop_streams(struct kv_etcd *store, size_t endpoint);

#endif
