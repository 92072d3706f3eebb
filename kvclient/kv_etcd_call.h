/* SPDX-License-Identifier: Apache-2.0 */
/* A request on its way: what kv_etcd_call.c (its tries) and kv_etcd_answer.c (its end) share. For
 * no one else. */
#ifndef KVCLIENT_KV_ETCD_CALL_H
#define KVCLIENT_KV_ETCD_CALL_H

#include "kvclient/backoff.h"
#include "kvclient/kv_etcd_internal.h"
#include "kvclient/kv_etcd_listing.h"

enum call_kind {
    CALL_INVALID = 0,
    CALL_TXN,
    CALL_RANGE,
    CALL_GRANT,
    CALL_KEEP_ALIVE,
    CALL_REVOKE,
    CALL_TIME_TO_LIVE,
    CALL_COMPACT,
    CALL_MEMBERS,
    CALL_STATUS,
};

/* What a request that is not on its way waits for. */
enum wait {
    WAIT_NONE = 0, /* under way, or its timer runs */
    WAIT_ROOM,     /* others to finish */
    WAIT_TOKEN,
    WAIT_END, /* no token came: it is about to be told so */
};

/* One request of the caller, over its tries (and pages). */
struct etcd_call {
    struct kv_etcd *store; /* borrowed */
    enum call_kind kind;
    enum wait wait;
    bool is_read;
    bool maybe_applied;
    bool once; /* TXN: not again where it may have arrived */
    int tries;
    int refused_tokens;
    int cut_short;  /* tries that the store ended early, not having the whole request */
    uint64_t token; /* its generation, when the request was sent */
    bool has_token;
    size_t endpoint;
    struct kv_wire_bytes message;
    int64_t sent_boot_ms;
    struct backoff backoff;
    struct grpc_call *grpc;   /* borrowed */
    struct loop_timer *timer; /* before the next try */
    union kv_answer_fn fn;
    void *userdata;

    struct kv_etcd_listing listing; /* RANGE */
    int64_t compact_revision;
    int64_t lease_id;
    bool existed; /* GRANT: the lease was there already */

    struct etcd_call *prev;
    struct etcd_call *next;
};

/* NULL is nothing. The caller is not told. */
void etcd_call_free(struct etcd_call *call);

/* RANGE: asks for what its listing wants next, by tries of its own. */
int etcd_call_next_page(struct etcd_call *call, struct error *err);

/* Reads an answer of success as the kind of call has it. Returns 0 if the call has ended, its
 * caller told and it freed, or goes on; else why the answer is none. */
int etcd_call_take(struct etcd_call *call, const struct grpc_result *result, struct error *err);

/* Tells the caller that it came to nothing, and frees it. */
void etcd_call_end_failed(struct etcd_call *call, int code, const char *reason);
/* COMPACT: that it is done. */
void etcd_call_end_compacted(struct etcd_call *call);

#endif
