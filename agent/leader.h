/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The leader's part of a musterd: mirrors the whole store, folds it into the scheduler's model,
 * asks for a plan, writes it under its epoch, and waits until the mirror shows what was written
 * before it plans again. It exists only while this process is the leader, and remembers nothing
 * that the store does not have.
 *
 *   CATCHING_UP --mirror at the epoch--> FOUNDING (the cluster key) --> PLANNING ⇄ COMMITTING
 *   COMMITTING --an answer is missing--> DOUBTING (a new epoch is asked for) --> CATCHING_UP
 */
#ifndef AGENT_LEADER_H
#define AGENT_LEADER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/contact.h"
#include "base/loop.h"
#include "kvclient/kv.h"

struct leader;

struct leader_config {
    struct loop *loop; /* borrowed, as the others */
    struct kv *kv;
    const char *prefix;
    const char *machine;
    /* For how long the store has answered this process. Borrowed until the next turn. */
    const struct contact *(*contact)(void *userdata);
    /* The shortest TTL that any machine has (0: there is none), with each plan: contact is to judge
     * it. */
    void (*judge)(int64_t ttl_ms, void *userdata);
    /* Whether the store that shows this uuid (NULL: none) may be led by us. If not, nothing is
     * decided in it. */
    bool (*may_lead)(const char *uuid, void *userdata);
    /* This leader cannot go on (the store is not ours, or its watch ended for good). The owner
     * frees it and gives the leadership back, not from inside this call. */
    void (*on_barred)(void *userdata);
    /* The outcome of a write is unknown: a new epoch is wanted before anything else is written. */
    void (*renew_epoch)(void *userdata);
    void *userdata;
};

int leader_new(const struct leader_config *config, int64_t epoch, struct leader **ret,
               struct error *err);
void leader_free(struct leader *leader);
DEFINE_AUTOPTR(leader);

/* The epoch was renewed. */
void leader_set_epoch(struct leader *leader, int64_t epoch);

/* The newest state of the store that it was told of; 0 before. */
int64_t leader_store_revision(const struct leader *leader);

/* Contact began anew: what waited for it is looked at now. */
void leader_on_contact(struct leader *leader);

#endif
