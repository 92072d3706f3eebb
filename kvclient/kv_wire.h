/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The texts of etcd's JSON gateway: requests written, answers read. Pure; no sockets, no clock.
 *
 * Keys and values travel in base64, 64-bit numbers as strings, and what is zero is left out.
 * Whatever an answer says, reading it either fills the result or returns -EPROTO with the reason.
 */
#ifndef KVCLIENT_KV_WIRE_H
#define KVCLIENT_KV_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"
#include "kvclient/kv.h"

/* Requests. The body is the caller's to free. -ENOMEM is the only failure. */
struct kv_wire_page {
    const char *key;
    bool prefix;
    const char *after; /* the last key of the page before, or NULL */
    int64_t revision;  /* 0: the newest */
    size_t limit;      /* 0: none */
};
int kv_wire_write_range(const struct kv_wire_page *page, char **ret, struct error *err);
int kv_wire_write_txn(const struct kv_txn *txn, char **ret, struct error *err);
int kv_wire_write_lease_grant(int64_t id, int64_t ttl_s, char **ret, struct error *err);
int kv_wire_write_lease_id(int64_t id, char **ret, struct error *err);
int kv_wire_write_watch(const char *key, bool prefix, int64_t from_revision, char **ret,
                        struct error *err);
int kv_wire_write_compact(int64_t revision, char **ret, struct error *err);
int kv_wire_write_nothing(char **ret, struct error *err); /* members, status */
int kv_wire_write_login(const char *user, const char *password, char **ret, struct error *err);

/* True if the transaction changes nothing in either branch, so that no outcome of it is unknown. */
bool kv_wire_txn_is_read(const struct kv_txn *txn);

/* Answers. */
struct kv_wire_header {
    uint64_t cluster_id;
    int64_t revision;
};

struct kv_wire_range {
    struct kv_wire_header header;
    struct kv_pair *pairs;
    size_t pair_count;
    int64_t count;
    bool more;
};
int kv_wire_read_range(const char *body, size_t length, struct kv_wire_range *ret,
                       struct error *err);
void kv_wire_range_done(struct kv_wire_range *range);

struct kv_wire_txn {
    struct kv_wire_header header;
    bool succeeded;
    struct kv_op_result *results;
    size_t result_count;
};
int kv_wire_read_txn(const char *body, size_t length, struct kv_wire_txn *ret, struct error *err);
void kv_wire_txn_done(struct kv_wire_txn *txn);

/* The answer to a grant, a keep-alive (whose message is wrapped as a stream's is) or a revoke. */
struct kv_wire_lease {
    struct kv_wire_header header;
    int64_t id;
    int64_t ttl_s;         /* 0: absent, which in a keep-alive means that there is no such lease */
    int64_t granted_ttl_s; /* of a time-to-live, where ttl_s is what is left; -1: no such lease */
};
int kv_wire_read_lease(const char *body, size_t length, struct kv_wire_lease *ret,
                       struct error *err);

struct kv_wire_members {
    struct kv_wire_header header;
    struct kv_member *members;
    size_t member_count;
};
int kv_wire_read_members(const char *body, size_t length, struct kv_wire_members *ret,
                         struct error *err);
void kv_wire_members_done(struct kv_wire_members *members);

struct kv_wire_status {
    struct kv_wire_header header;
    struct kv_status_result status; /* version is the caller's to free, by kv_wire_status_done() */
    char *version;
};
int kv_wire_read_status(const char *body, size_t length, struct kv_wire_status *ret,
                        struct error *err);
void kv_wire_status_done(struct kv_wire_status *status);

/* What the answer to a compaction has. */
int kv_wire_read_header(const char *body, size_t length, struct kv_wire_header *ret,
                        struct error *err);

/* The token that a login gave. It is fit for a header line, or -EPROTO. */
int kv_wire_read_token(const char *body, size_t length, char **ret, struct error *err);

/* What an answer that is not a success means, in the codes of kv.h, and the store's words in err,
 * with a cure where there is one. Besides those: -EEXIST (the lease of a grant is there already),
 * -ESTALE (a future revision was asked for: this store is younger than what we knew),
 * -EKEYEXPIRED (the request needs a token, or a new one), -EOPNOTSUPP (the store has no
 * authentication switched on). */
int kv_wire_read_failure(long status, const char *body, size_t length, struct error *err);

/* One message of a watch's stream. */
struct kv_wire_watch {
    int failure; /* 0, or what the stream's error or cancellation means, with reason */
    char reason[ERROR_TEXT_MAX];
    struct kv_wire_header header;
    bool created;
    bool cancelled; /* failure is set: -ERANGE if history is gone */
    bool fragment;  /* more of the same revision follows */
    struct kv_event *events;
    size_t event_count;
};
int kv_wire_read_watch(const char *line, size_t length, struct kv_wire_watch *ret,
                       struct error *err);
void kv_wire_watch_done(struct kv_wire_watch *message);

/* Cuts a stream into lines, wherever the transport cut it. Zero-initialise. */
struct kv_wire_stream {
    struct text buffer;
    size_t scanned;  /* up to here there is no line end after consumed */
    size_t consumed; /* lines before this were handed out */
};
enum { KV_WIRE_LINE_MAX = 64 * 1024 * 1024 };

/* -E2BIG if a line grows over KV_WIRE_LINE_MAX, -ENOMEM. */
int kv_wire_stream_add(struct kv_wire_stream *stream, const void *bytes, size_t length,
                       struct error *err);
/* The next whole line without its end, borrowed until the next call; false if there is none. */
bool kv_wire_stream_next(struct kv_wire_stream *stream, const char **ret, size_t *ret_length);
void kv_wire_stream_done(struct kv_wire_stream *stream);

#endif
