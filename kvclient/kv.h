/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A key-value store with revisions, leases and watches, as etcd v3 has them.
 *
 * One interface, two stores: kv_etcd (etcd's gRPC, inside the loop) and kv_memory (in
 * memory, with faults on demand, for tests and the simulator). It knows no units and no machines.
 *
 * Promises:
 *  - Every request ends with exactly one callback, never from inside the call that started it,
 * unless the store is freed or the request cancelled first.
 *  - A result's code is 0, or a negative errno:
 *      -EAGAIN     did not happen (no endpoint reachable, no leader): try again with back-off
 *      -ETIMEDOUT  outcome unknown: it may have happened or may yet
 *      -EPROTO     the store's answer made no sense
 *      -ENOSPC     the store's quota is used up
 *      -E2BIG      over a limit
 *      -EACCES     permission: the user, his password or his role does not do, or none is set
 *      -EINVAL     the request is wrong
 *      -ERANGE     a wanted revision is compacted
 *      -ENOENT     the lease is unknown (keep-alive, revoke, put)
 *      -ESTALE     another store answers than the one that answered first (another cluster id)
 *      -EREMCHG    the store went back: it is the one that we know, by its id, and its revision is
 *                  below what it has shown or was asked for, so it was restored from a copy
 *    A request that changes nothing ends with -EAGAIN where a write would with -ETIMEDOUT.
 *  - Ranges and transactions are linearizable.
 *  - Keys are text; values are bytes with a length, and NUL-terminated for convenience.
 */
#ifndef KVCLIENT_KV_H
#define KVCLIENT_KV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"

struct kv;

/* First member of each store's own watch. */
struct kv_watch {
    struct kv *kv; /* borrowed */
};

/* One key as it stood at some revision. */
struct kv_pair {
    char *key;
    char *value;
    size_t value_length;
    int64_t create_revision;
    int64_t mod_revision;
    int64_t version;
    int64_t lease; /* 0: none */
};

enum kv_target {
    KV_TARGET_INVALID = 0,
    KV_TARGET_CREATE,  /* create_revision and number (0: the key is absent) */
    KV_TARGET_MOD,     /* mod_revision and number (0: the key is absent) */
    KV_TARGET_VERSION, /* version and number (0: the key is absent) */
    KV_TARGET_LEASE,   /* the key's lease and number (0: none, or the key is absent) */
    KV_TARGET_VALUE,   /* the value and value, byte by byte; never holds where the key is absent */
    KV_TARGET_EXISTS,  /* the key is present; nothing else of the compare is used */
};

enum kv_relation {
    KV_EQUAL = 0,
    KV_NOT_EQUAL,
    KV_GREATER, /* what the store has is greater than what the compare has */
    KV_LESS,
};

struct kv_compare {
    enum kv_target target;
    enum kv_relation relation;
    const char *key; /* borrowed for the call */
    int64_t number;
    const char *value;   /* VALUE: borrowed for the call */
    size_t value_length; /* 0: value is NUL-terminated */
};

enum kv_op_kind {
    KV_OP_INVALID = 0,
    KV_OP_PUT,
    KV_OP_DELETE, /* one key, or with prefix set all that begin with key */
    KV_OP_RANGE,  /* the same */
};

struct kv_op {
    enum kv_op_kind kind;
    const char *key;     /* borrowed for the call */
    const char *value;   /* PUT: any bytes, borrowed for the call */
    size_t value_length; /* PUT: 0: value is NUL-terminated */
    int64_t lease;       /* PUT: 0 attaches none */
    bool
        keep_lease; /* PUT: the key keeps the lease it has (else a put without lease detaches it) */
    bool prefix;    /* DELETE, RANGE */
    bool keys_only; /* RANGE */
    bool count_only; /* RANGE */
};

enum { KV_TXN_OPS_MAX = 128 }; /* etcd's default --max-txn-ops, for compares and for each branch */

struct kv_txn {
    const struct kv_compare *compares;
    size_t compare_count; /* 0: always succeeds */
    const struct kv_op *success;
    size_t success_count;
    const struct kv_op *failure;
    size_t failure_count;
    /* Where it may have arrived it is not sent again: the outcome is unknown at once. For who has a
     * better answer to that than a second sending, which may land long after the first. */
    bool once;
};

/* What one operation of the branch that ran gave: pairs and count for RANGE, count for DELETE. */
struct kv_op_result {
    struct kv_pair *pairs;
    size_t pair_count;
    int64_t count;
};

struct kv_txn_result {
    int code;             /* see above */
    const char *reason;   /* in words if code < 0 */
    bool succeeded;       /* which branch ran */
    int64_t revision;     /* of the store, after it */
    int64_t sent_boot_ms; /* CLOCK_BOOTTIME just before the first byte was sent: what a proof counts
                             from */
    const struct kv_op_result
        *results; /* one per operation of that branch; valid during the callback */
    size_t result_count;
};
typedef void (*kv_txn_fn)(const struct kv_txn_result *result, void *userdata);

/* All keys with the prefix (or one key), in key order, read in pages at one revision. */
struct kv_range_result {
    int code;
    const char *reason;
    int64_t revision;      /* the revision that the pairs show */
    struct kv_pair *pairs; /* valid during the callback; a callee may move key and value out by
                              setting them NULL */
    size_t pair_count;
};
typedef void (*kv_range_fn)(const struct kv_range_result *result, void *userdata);

struct kv_lease_result {
    int code; /* -ENOENT: no such lease (any more) */
    const char *reason;
    int64_t id;
    int64_t ttl_s;        /* as the store granted it */
    int64_t left_s;       /* kv_lease_time_to_live(): until it ends, if nobody keeps it alive */
    int64_t sent_boot_ms; /* CLOCK_BOOTTIME just before the request was sent */
};
typedef void (*kv_lease_fn)(const struct kv_lease_result *result, void *userdata);

struct kv_compact_result {
    int code;
    const char *reason;
    int64_t revision; /* that was asked for */
};
typedef void (*kv_compact_fn)(const struct kv_compact_result *result, void *userdata);

struct kv_member {
    uint64_t id;
    char *name; /* "" until it has started for the first time */
    char **client_urls;
    char **peer_urls;
    bool learner; /* it has no vote yet */
};

struct kv_members_result {
    int code;
    const char *reason;
    const struct kv_member *members; /* valid during the callback */
    size_t member_count;
};
typedef void (*kv_members_fn)(const struct kv_members_result *result, void *userdata);

/* How the member that answered fares. */
struct kv_status_result {
    int code;
    const char *reason;
    const char *version; /* of its program */
    int64_t revision;
    int64_t size_bytes;   /* of its file; what the quota bounds */
    int64_t in_use_bytes; /* the rest of it is what a defragmentation gives back */
    uint64_t member;
    uint64_t leader; /* 0: it knows none */
    bool no_space;   /* the alarm is raised: nothing can be put */
    bool corrupt;    /* the same */
};
typedef void (*kv_status_fn)(const struct kv_status_result *result, void *userdata);

/* For the stores: whom a request's answer goes to, by the kind of request. */
union kv_answer_fn {
    kv_txn_fn txn;
    kv_range_fn range;
    kv_lease_fn lease;
    kv_compact_fn compact;
    kv_members_fn members;
    kv_status_fn status;
};

struct kv_event {
    bool deleted;
    struct kv_pair pair; /* deleted: key and mod_revision only */
};

/* A watch runs until kv_watch_stop(): it resumes over reconnects by itself, loses and repeats
 * nothing. on_events: the events of one or more whole revisions, in order; revision is the last of
 * them. on_lost: the history from the wanted revision is gone (-ERANGE: compacted; -ESTALE: this is
 * another store; -EREMCHG: it went back; -EACCES, -EINVAL: refused); the watch has ended: stop it,
 * list anew, watch again. on_state (may be NULL): the stream stands, for the first time or again
 * (true), or was lost (false). */
struct kv_watch_callbacks {
    void (*on_events)(const struct kv_event *events, size_t count, int64_t revision,
                      void *userdata);
    void (*on_lost)(int code, const char *reason, void *userdata);
    void (*on_state)(bool connected, void *userdata);
};

/* What a store implements. Every function returns 0 if the request was accepted (its callback will
 * come), or a negative errno with the reason and no callback. Use the kv_… functions below, not
 * these. */
struct kv_vtable {
    void (*free)(struct kv *kv);
    int (*txn)(struct kv *kv, const struct kv_txn *txn, kv_txn_fn fn, void *userdata,
               struct error *err);
    int (*range)(struct kv *kv, const char *key, bool prefix, int64_t revision, kv_range_fn fn,
                 void *userdata, struct error *err);
    int (*lease_grant)(struct kv *kv, int64_t id, int64_t ttl_s, kv_lease_fn fn, void *userdata,
                       struct error *err);
    int (*lease_keep_alive)(struct kv *kv, int64_t id, kv_lease_fn fn, void *userdata,
                            struct error *err);
    int (*lease_revoke)(struct kv *kv, int64_t id, kv_lease_fn fn, void *userdata,
                        struct error *err);
    int (*lease_time_to_live)(struct kv *kv, int64_t id, kv_lease_fn fn, void *userdata,
                              struct error *err);
    int (*compact)(struct kv *kv, int64_t revision, kv_compact_fn fn, void *userdata,
                   struct error *err);
    int (*members)(struct kv *kv, kv_members_fn fn, void *userdata, struct error *err);
    int (*status)(struct kv *kv, kv_status_fn fn, void *userdata, struct error *err);
    int (*watch)(struct kv *kv, const char *key, bool prefix, int64_t from_revision,
                 const struct kv_watch_callbacks *callbacks, void *userdata, struct kv_watch **ret,
                 struct error *err);
    void (*watch_pause)(struct kv *kv, struct kv_watch *watch, bool pause);
    void (*watch_stop)(struct kv *kv, struct kv_watch *watch);
    void (*forget)(struct kv *kv, const void *userdata);
};

/* First member of each store's own struct. */
struct kv {
    const struct kv_vtable *vtable;
};

void kv_free(struct kv *kv); /* no callback comes afterwards */
DEFINE_AUTOPTR(kv);

int kv_txn(struct kv *kv, const struct kv_txn *txn, kv_txn_fn fn, void *userdata,
           struct error *err);
int kv_range(struct kv *kv, const char *key, bool prefix, kv_range_fn fn, void *userdata,
             struct error *err);
/* As the store was at that revision: -ERANGE if it is compacted, -EREMCHG if it is in the future.
 */
int kv_range_at(struct kv *kv, const char *key, bool prefix, int64_t revision, kv_range_fn fn,
                void *userdata, struct error *err);

/* We choose the id (positive, random), so that asking twice is harmless: an id that exists already
 * counts as granted. The store may grant a longer TTL than asked. */
int kv_lease_grant(struct kv *kv, int64_t id, int64_t ttl_s, kv_lease_fn fn, void *userdata,
                   struct error *err);
int kv_lease_keep_alive(struct kv *kv, int64_t id, kv_lease_fn fn, void *userdata,
                        struct error *err);
int kv_lease_revoke(struct kv *kv, int64_t id, kv_lease_fn fn, void *userdata, struct error *err);
/* How long it has left, without making it longer. -ENOENT: no such lease. */
int kv_lease_time_to_live(struct kv *kv, int64_t id, kv_lease_fn fn, void *userdata,
                          struct error *err);
int64_t kv_lease_new_id(void);

/* Drops the history before revision, what stands at it excepted; that it is gone already is
 * success. -EREMCHG: that revision is in the future. */
int kv_compact(struct kv *kv, int64_t revision, kv_compact_fn fn, void *userdata,
               struct error *err);
int kv_members(struct kv *kv, kv_members_fn fn, void *userdata, struct error *err);
int kv_status(struct kv *kv, kv_status_fn fn, void *userdata, struct error *err);

/* Events with mod_revision >= from_revision of one key or of a prefix. */
int kv_watch(struct kv *kv, const char *key, bool prefix, int64_t from_revision,
             const struct kv_watch_callbacks *callbacks, void *userdata, struct kv_watch **ret,
             struct error *err);
/* pause: nothing need be told, until that is taken back; then all is that came meanwhile, from what
 * the store has kept of its history. For an owner that can do nothing with it while something else
 * is under way, and wants the store to have no work by it. That the watch has ended may be told
 * only then. NULL is fine. */
void kv_watch_pause(struct kv *kv, struct kv_watch *watch, bool pause);
void kv_watch_stop(struct kv *kv,
                   struct kv_watch *watch); /* NULL is fine; may be called from its callbacks */

/* Drops every request (not watch) made with this userdata: no callback of it comes any more. For an
 * owner that goes away before its answers do. */
void kv_forget(struct kv *kv, const void *userdata);

/* Conveniences to fill arrays with. */
struct kv_compare kv_if_absent(const char *key);
struct kv_compare kv_if_exists(const char *key);
struct kv_compare kv_if_mod(const char *key, int64_t mod_revision);
struct kv_compare kv_if_create(const char *key, int64_t create_revision);
struct kv_op kv_op_put(const char *key, const char *value);
struct kv_op kv_op_put_leased(const char *key, const char *value, int64_t lease);
struct kv_compare kv_if_value(const char *key, const char *value);
struct kv_compare kv_if_lease(const char *key, int64_t lease);
struct kv_op kv_op_put_bytes(const char *key, const void *value, size_t length);
struct kv_op kv_op_delete(const char *key);
struct kv_op kv_op_delete_prefix(const char *prefix); /* its result has the count */
struct kv_op kv_op_range(const char *key);
struct kv_op kv_op_range_prefix(const char *prefix);

void kv_pair_done(struct kv_pair *pair); /* frees key and value */
void kv_members_free(struct kv_member *members, size_t count);

/* For the stores: the bytes of a put's or a compare's value. */
size_t kv_value_length(const char *value, size_t length);

/* Whether the compare holds for its key as it stood; pair NULL: the key was absent. */
bool kv_compare_holds(const struct kv_compare *compare, const struct kv_pair *pair);

#endif
