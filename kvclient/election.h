/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One leader among the processes that may lead, by one key.
 *
 * The key is put by a transaction guarded by its absence, under a lease of this object's own; the
 * key's mod_revision is the **epoch**. Whoever acts as leader compares it (kv_if_mod(key, epoch))
 * in every transaction, and the store refuses the deeds of a leader that is none any more. Time is
 * not used for safety: a leader that cannot reach the store goes on believing, and can do nothing.
 *
 *             set_candidate(true)
 *   IDLE -------------------------> LOOKING --another leads--> FOLLOWING (a watch on the one key)
 *    ^                                |  ^                        |
 *    |                          free  |  +-- key as it was not    | DELETE seen
 *    |                                v      expected; lease gone v
 *    +-- resign,                   WAITING (campaign delay) <-----+
 *        set_candidate(false)         |
 *                                     v
 *                                  GRANTING --> CAMPAIGNING --won--> LEADING <---> RENEWING
 *                                                    |                  |
 *                                                    +--lost--> LOOKING <+-- key or lease gone
 *
 * On start a key that carries our machine and another nonce is left over from a process of this
 * machine that is dead (the machine runs one): it is deleted, guarded by its mod_revision, and then
 * campaigned for. It is never adopted. The value is a JSON object with the members "machine" and
 * "nonce" as strings; others are the owner's.
 *
 * How the owner uses it:
 *  - election_tick() whenever it keeps its own lease alive (every TTL/3), with the boot clock.
 *  - A transaction of the leader ended with -ETIMEDOUT: call election_renew_epoch() and send
 * nothing more until on_elected came with the new epoch (election_epoch() is 0 meanwhile); then
 * nothing of the old epoch can land any more, and what the lost batch touched can be read.
 *  - A transaction's guard on the key failed: election_renew_epoch() as well. It finds out whether
 *    we lead still.
 *
 * No function here calls back before it returns. The election may be freed in its own callbacks.
 */
#ifndef KVCLIENT_ELECTION_H
#define KVCLIENT_ELECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "kvclient/kv.h"

struct election;

struct election_callbacks {
    /* We lead, with this epoch; again, with a newer one, after election_renew_epoch(). Before the
     * owner decides anything it reads the store at a revision not below epoch. */
    void (*on_elected)(int64_t epoch, void *userdata);
    /* We lead no more, unasked: -ENOENT the lease ended, -ESTALE the key is gone or another's; we
     * stay a candidate. Or, whether we led or not, another store answers or it finds us wrong
     * (-ESTALE with election_is_stopped(), -EREMCHG, -EINVAL): the election has stopped for good. A
     * store that refuses our user is as one out of reach: we keep asking. */
    void (*on_lost)(int code, const char *reason, void *userdata);
    /* The leader's value as it is seen to change, NULL while there is none. Own value included. May
     * be NULL. */
    void (*on_leader)(const char *value_json, void *userdata);
};

/* Idle until election_set_candidate(). loop may be NULL (kv_memory): delays then end in
 * election_tick(). -EINVAL if value_json has no machine or nonce. loop and kv are borrowed and must
 * outlive it. */
int election_new(struct loop *loop, struct kv *kv, const char *key, const char *value_json,
                 int64_t lease_ttl_s, const struct election_callbacks *callbacks, void *userdata,
                 struct election **ret, struct error *err);
/* Drops everything without a word to the store: key and lease stay until the TTL ends them. */
void election_free(struct election *election);
DEFINE_AUTOPTR(election);

/* May this process lead? Turning it off resigns. */
void election_set_candidate(struct election *election, bool candidate);

/* How long to wait after the key was seen free before campaigning for it: 20 ms by rank, so that a
 * thousand do not run at once. 0 by default; the first look after the start does not wait. */
void election_set_delay(struct election *election, int64_t delay_ms);

/* Keeps the lease alive if we lead and the last keep-alive was sent TTL/6 ago or more, and does
 * what was put off. now_ms is clock_boot_ms(). */
void election_tick(struct election *election, int64_t now_ms);

/* Puts the key again, guarded by the present epoch: a new epoch. Harmless while not leading. */
void election_renew_epoch(struct election *election);

/* Stops being a candidate and revokes the lease, which takes the key with it, so that others see it
 * at once; a campaign or renewal under way can no longer land. on_lost is not called. True if there
 * was something to give back: on_done (may be NULL) is then called when the store has answered,
 * with a code as kv.h has it. */
typedef void (*election_resigned_fn)(int code, void *userdata);
bool election_resign(struct election *election, election_resigned_fn on_done);

/* 0 unless we lead and the epoch is certain. */
int64_t election_epoch(const struct election *election);
bool election_is_leading(const struct election *election); /* also while the epoch is renewed */
bool election_is_stopped(const struct election *election);

#endif
