/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registration keeper: what an agent may believe of its own registration. A pure step function;
 * the shell in agent/presence.c sends what it asks for and feeds back what came.
 *
 * A keep-alive keeps the lease and proves nothing (an etcd leader with a stuck disk goes on
 * answering them). A proof is a linearizable read that saw our own registration, counted from when
 * it was *sent*, on CLOCK_BOOTTIME. States:
 *
 *   UNREGISTERED --registered--> HELD --no proof within our TTL--> DOUBT --proof--> HELD
 *        ^                        |                                   |
 *        +-- proof or keep-alive says: gone --------------------------+
 *
 * DOUBT is never a reason to stop a unit.
 */
#ifndef KVCLIENT_KEEPER_H
#define KVCLIENT_KEEPER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/contact.h"

enum keeper_state {
    KEEPER_INVALID = 0,
    KEEPER_UNREGISTERED,
    KEEPER_HELD,
    KEEPER_DOUBT,
};

struct keeper {
    enum keeper_state state;
    int64_t ttl_ms;
    int64_t judged_ttl_ms;    /* the shortest that this contact is to judge: ours, or less */
    int64_t keepalive_due_ms; /* boot time */
    int64_t proof_due_ms;     /* boot time */
    struct contact contact;   /* made of the proofs that were answered */
    bool keepalive_in_flight;
    bool proof_in_flight;
};

enum keeper_event_kind {
    KEEPER_EVENT_INVALID = 0,
    KEEPER_EVENT_TICK,             /* time has passed */
    KEEPER_EVENT_REGISTERED,       /* sent_ms: when the registering transaction was sent */
    KEEPER_EVENT_KEEPALIVE_OK,     /* the lease was there */
    KEEPER_EVENT_KEEPALIVE_GONE,   /* the store says: no such lease */
    KEEPER_EVENT_KEEPALIVE_FAILED, /* no answer */
    KEEPER_EVENT_PROOF_OK,         /* sent_ms */
    KEEPER_EVENT_PROOF_GONE,       /* our registration is not there, or is another's */
    KEEPER_EVENT_PROOF_FAILED,     /* no answer */
    KEEPER_EVENT_DELETED,          /* our watch saw the registration go */
};

struct keeper_event {
    enum keeper_event_kind kind;
    int64_t sent_ms;
};

/* What the shell does now. */
struct keeper_actions {
    bool send_keepalive;
    bool send_proof;
    bool register_again; /* the registration is gone: make a new lease and register, at once */
    bool contact_is_new; /* it is not what it was: who waited for it should look again */
    int64_t wake_ms;     /* boot time of the next tick; -1: none */
};

void keeper_init(struct keeper *keeper, int64_t ttl_ms);

/* Others whose leases are as short are to be judged by our contact (base/contact.h); 0: none. A
 * shorter one pulls the next proof forward, to where it would be due had it been so short when the
 * last one was sent: give a tick. */
void keeper_judge(struct keeper *keeper, int64_t ttl_ms);

/* Keep-alives are due every third of our TTL, and a tenth of it after one that failed; proofs
 * likewise of the shortest TTL that is to be judged. */
struct keeper_actions keeper_step(struct keeper *keeper, const struct keeper_event *event,
                                  int64_t now_ms);

const char *keeper_state_name(enum keeper_state state);

#endif
