/* SPDX-License-Identifier: Apache-2.0 */
/* What kv_memory.c (requests and their answers), kv_memory_data.c (what the store holds),
 * kv_memory_late.c (what is on its way to it) and kv_memory_watch.c (who is told of it) share. For
 * no one else. */
#ifndef KVCLIENT_KV_MEMORY_INTERNAL_H
#define KVCLIENT_KV_MEMORY_INTERNAL_H

#include "kvclient/kv_memory.h"
#include "kvclient/kv_pairs.h"

struct lease {
    int64_t id;
    int64_t ttl_s;
    int64_t expires_boot_ms;
    struct lease *prev;
    struct lease *next;
};

struct history {
    struct kv_event *events;
    size_t count;
    size_t room;
};

struct kv_memory {
    struct kv_pairs pairs;
    struct kv_pairs base;   /* as the store stood at compacted */
    struct history history; /* every event after compacted */
    int64_t revision;
    int64_t compacted;
    struct lease *leases;
    struct answer *answers; /* in the order of their requests */
    uint64_t answers_made;
    struct late *late; /* in the order of their requests */
    struct memory_watch *watches;
    struct connection *connections;
};

struct connection {
    struct kv kv;
    struct kv_memory *store; /* borrowed */
    bool cut;
    unsigned int lose; /* answers of so many transactions */
    bool lose_applied;
    unsigned int late; /* so many transactions */
    int64_t late_ms;
    kv_memory_overtake_fn overtake;
    void *overtake_userdata;
    struct connection *prev;
    struct connection *next;
};

enum answer_kind {
    ANSWER_INVALID = 0,
    ANSWER_TXN,
    ANSWER_RANGE,
    ANSWER_LEASE,
    ANSWER_COMPACT,
    ANSWER_MEMBERS,
    ANSWER_STATUS,
};

struct answer {
    struct connection *connection; /* borrowed */
    enum answer_kind kind;
    uint64_t number;
    bool is_read;
    int code;
    char reason[128];
    bool succeeded;
    int64_t revision;
    int64_t sent_boot_ms;
    int64_t lease_id;
    int64_t ttl_s;
    int64_t left_s;
    struct kv_op_result *results; /* RANGE has one */
    size_t result_count;
    union kv_answer_fn fn;
    void *userdata;
    struct answer *prev;
    struct answer *next;
};

/* A transaction that is carried out when its client has given up. */
struct late {
    int64_t due_boot_ms;
    struct kv_txn txn;
    struct late *prev;
    struct late *next;
};

struct memory_watch {
    struct kv_watch watch;
    struct connection *connection; /* borrowed */
    char *key;
    bool prefix;
    int64_t next_revision;
    struct kv_watch_callbacks callbacks;
    void *userdata;
    bool standing; /* as the owner was told */
    bool paused;
    bool ended;
    bool stopped;
    int busy;
    struct memory_watch *prev;
    struct memory_watch *next;
};

/* kv_memory_data.c */
void kv_memory_history_clear(struct history *history);
int kv_memory_history_add(struct history *history, const struct kv_pair *pair, bool deleted);
bool kv_memory_matches(const char *key, const char *wanted, bool prefix);
/* Carries it out now. The results go into the answer, with a reason if the store would refuse. */
int kv_memory_run_txn(struct kv_memory *store, const struct kv_txn *txn, struct answer *ret);
void kv_memory_answer_done(struct answer *answer); /* frees what it holds */
int kv_memory_run_branch(struct kv_memory *store, const struct kv_op *ops, size_t count,
                         struct answer *ret);
int kv_memory_range_at(const struct kv_memory *store, const struct kv_op *op, int64_t revision,
                       struct kv_op_result *ret);
int kv_memory_compact_at(struct kv_memory *store, int64_t revision);
struct lease *kv_memory_find_lease(const struct kv_memory *store, int64_t id);
void kv_memory_drop_lease(struct kv_memory *store, struct lease *lease); /* and its keys */

/* The index of the first event at this revision or behind it. */
size_t kv_memory_history_seek(const struct history *history, int64_t revision);

/* kv_memory_late.c */
int kv_memory_late_add(struct kv_memory *store, const struct kv_txn *txn, int64_t delay_ms);
void kv_memory_late_land(struct kv_memory *store); /* what is due by now */
int64_t kv_memory_late_next_ms(const struct kv_memory *store);
void kv_memory_late_clear(struct kv_memory *store);

/* kv_memory_watch.c */
int kv_memory_watch(struct kv *kv, const char *key, bool prefix, int64_t from_revision,
                    const struct kv_watch_callbacks *callbacks, void *userdata,
                    struct kv_watch **ret, struct error *err);
void kv_memory_watch_pause(struct kv *kv, struct kv_watch *base, bool pause);
void kv_memory_watch_stop(struct kv *kv, struct kv_watch *base);
void kv_memory_watch_free(struct memory_watch *watch);
/* only: those of this connection; NULL: all. */
size_t kv_memory_deliver_watches(struct kv_memory *store, const struct connection *only);
bool kv_memory_watches_are_due(const struct connection *connection);

#endif
