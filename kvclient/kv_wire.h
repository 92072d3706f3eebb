/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The messages of etcd's gRPC interface: requests written, answers read. Pure; no sockets, no
 * clock. Their fields are in etcd.proto; what goes around a message (HTTP/2, the five bytes before
 * it, grpc-status behind it) is the transport's.
 *
 * Whatever an answer says, reading it either fills the result or returns -EPROTO with the reason
 * (or -ENOMEM), and leaves nothing to free then. An answer may be correct in form and still be no
 * answer: it has to name the cluster, and to have what its request asked for. What etcd says in
 * words (a failure, a reason, a member's name) is UTF-8 when it comes out, and what goes into err
 * or a reason one line. data may be NULL where length is 0.
 */
#ifndef KVCLIENT_KV_WIRE_H
#define KVCLIENT_KV_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "kvclient/kv.h"

/* A request's message, without the five bytes that gRPC puts before it. */
struct kv_wire_bytes {
    uint8_t *data; /* not NULL in what was written, though length may be 0 */
    size_t length;
};
void kv_wire_bytes_done(struct kv_wire_bytes *bytes); /* wipes and frees: there may be a password */

/* Requests, each with the method that takes it. *ret is the caller's, for kv_wire_bytes_done().
 * -ENOMEM is the only failure, but for a login's. */
struct kv_wire_page {
    const char *key;
    bool prefix;
    const char *after; /* the last key of the page before, or NULL */
    int64_t revision;  /* 0: the newest */
    size_t limit;      /* 0: none */
};
/* /etcdserverpb.KV/Range */
int kv_wire_write_range(const struct kv_wire_page *page, struct kv_wire_bytes *ret,
                        struct error *err);
/* /etcdserverpb.KV/Txn */
int kv_wire_write_txn(const struct kv_txn *txn, struct kv_wire_bytes *ret, struct error *err);
/* /etcdserverpb.KV/Compact */
int kv_wire_write_compact(int64_t revision, struct kv_wire_bytes *ret, struct error *err);
/* /etcdserverpb.Lease/LeaseGrant */
int kv_wire_write_lease_grant(int64_t id, int64_t ttl_s, struct kv_wire_bytes *ret,
                              struct error *err);
/* /etcdserverpb.Lease/LeaseKeepAlive (a stream: one message there, one back), LeaseRevoke,
 * LeaseTimeToLive */
int kv_wire_write_lease_id(int64_t id, struct kv_wire_bytes *ret, struct error *err);
/* /etcdserverpb.Watch/Watch (a stream, of which this is the one request) */
int kv_wire_write_watch(const char *key, bool prefix, int64_t from_revision,
                        struct kv_wire_bytes *ret, struct error *err);
/* /etcdserverpb.Cluster/MemberList, /etcdserverpb.Maintenance/Status */
int kv_wire_write_nothing(struct kv_wire_bytes *ret, struct error *err);
/* /etcdserverpb.Auth/Authenticate. -EINVAL: not UTF-8; the text names neither. */
int kv_wire_write_login(const char *user, const char *password, struct kv_wire_bytes *ret,
                        struct error *err);

/* True if the transaction changes nothing in either branch, so that no outcome of it is unknown. */
bool kv_wire_txn_is_read(const struct kv_txn *txn);

/* Answers. */
struct kv_wire_header {
    uint64_t cluster_id; /* never 0 */
    int64_t revision;    /* 0 where the store tells none (members) */
};

struct kv_wire_arena;

struct kv_wire_range {
    struct kv_wire_header header;
    struct kv_pair *pairs; /* key and value are each on their own, and may be moved out */
    size_t pair_count;
    int64_t count; /* of all pairs from this page's first on */
    bool more;     /* never of an empty page */
};
int kv_wire_read_range(const uint8_t *data, size_t length, struct kv_wire_range *ret,
                       struct error *err);
void kv_wire_range_done(struct kv_wire_range *range);

struct kv_wire_txn {
    struct kv_wire_header header;
    bool succeeded;
    struct kv_op_result *results; /* one for each operation of the branch that ran; what is in them
                                   * is the answer's, and goes with it */
    size_t result_count;
    struct kv_wire_arena *arena; /* where they are */
};
/* request: what kv_wire_write_txn() wrote. The answer must have as many results as the branch that
 * ran has operations, each of its operation's kind. */
int kv_wire_read_txn(const struct kv_wire_bytes *request, const uint8_t *data, size_t length,
                     struct kv_wire_txn *ret, struct error *err);
void kv_wire_txn_done(struct kv_wire_txn *txn);

struct kv_wire_lease {
    struct kv_wire_header header;
    int64_t id;
    int64_t ttl_s;         /* of a grant: above 0; of a keep-alive: 0, there is no such lease;
                            * of a time-to-live: what is left; below 0, no such lease */
    int64_t granted_ttl_s; /* of a time-to-live only; never below 0 */
};
int kv_wire_read_lease_grant(const uint8_t *data, size_t length, struct kv_wire_lease *ret,
                             struct error *err);
int kv_wire_read_lease_keep_alive(const uint8_t *data, size_t length, struct kv_wire_lease *ret,
                                  struct error *err);
int kv_wire_read_lease_time_to_live(const uint8_t *data, size_t length, struct kv_wire_lease *ret,
                                    struct error *err);

/* The answer to a revocation or a compaction, which has nothing else. */
int kv_wire_read_header(const uint8_t *data, size_t length, struct kv_wire_header *ret,
                        struct error *err);

struct kv_wire_members {
    struct kv_wire_header header;
    struct kv_member *members;
    size_t member_count;
};
int kv_wire_read_members(const uint8_t *data, size_t length, struct kv_wire_members *ret,
                         struct error *err);
void kv_wire_members_done(struct kv_wire_members *members);

struct kv_wire_status {
    struct kv_wire_header header;
    struct kv_status_result status; /* version is the caller's to free, by kv_wire_status_done() */
    char *version;
};
int kv_wire_read_status(const uint8_t *data, size_t length, struct kv_wire_status *ret,
                        struct error *err);
void kv_wire_status_done(struct kv_wire_status *status);

/* The token that a login gave, the caller's. It is fit for a header line, or -EPROTO. */
int kv_wire_read_token(const uint8_t *data, size_t length, char **ret, struct error *err);

/* What grpc-status (not 0) and grpc-message ("" if there is none; its %XX resolved) mean, in the
 * codes of kv.h, and the store's words in err, with a cure where there is one. Besides those:
 * -EEXIST (the lease of a grant is there already), -EREMCHG (a future revision was asked for: this
 * store is younger than what we knew), -EKEYEXPIRED (the request needs a token, or a new one),
 * -EOPNOTSUPP (the store has no authentication switched on). */
int kv_wire_read_failure(int grpc_status, const char *message, struct error *err);

/* The same for an answer that has no grpc-status, so that not etcd gave it: -EPROTO if it redirects
 * or refuses, else -ETIMEDOUT, since the request may have been handed on. */
int kv_wire_read_foreign(long http_status, const char *body, size_t length, struct error *err);

/* One message of a watch's stream. */
struct kv_wire_watch {
    int failure; /* 0, or why the store cancelled the watch: -ERANGE if history is gone */
    char reason[ERROR_TEXT_MAX];
    struct kv_wire_header header;
    bool created;
    bool fragment;           /* more of the same revision follows */
    struct kv_event *events; /* in order of mod_revision; keys and values are the message's, none is
                              * on its own: kv_wire_watch_done() frees all at once */
    size_t event_count;
    size_t event_room;           /* of events */
    struct kv_wire_arena *arena; /* where they are */
};
int kv_wire_read_watch(const uint8_t *data, size_t length, struct kv_wire_watch *ret,
                       struct error *err);
void kv_wire_watch_done(struct kv_wire_watch *message);

/* Moves the message's events, but none from before first_revision, behind those that whole (zeroed
 * at first) has, for a revision that came in fragments; of whole nothing but the events changes.
 * -EPROTO: they are older than those. It and -ENOMEM leave both as they were. kv_wire_watch_done()
 * both afterwards. */
int kv_wire_watch_append(struct kv_wire_watch *whole, struct kv_wire_watch *message,
                         int64_t first_revision, struct error *err);

#endif
