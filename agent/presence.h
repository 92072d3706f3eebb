/* SPDX-License-Identifier: Apache-2.0 */
/*
 * This machine's registration: nodes/<machine>/presence under a lease that musterd keeps alive.
 *
 * A restarted musterd resumes it (lease id and nonce are kept in a file under /run), so nothing
 * moves. A lost one is made anew at once: a frozen store expires every lease when it wakes, and
 * that is no reason to touch a unit. A presence that another boot of this machine-id left is waited
 * out; one that goes on living is a second machine with our id, and is reported with both
 * addresses.
 *
 *   READING → RESUMING ┬→ REGISTERED ⇄ (keeper.h: held, in doubt)
 *      └──→ GRANTING → REGISTERING ┬→ REGISTERED
 *                                  └→ BLOCKED (another boot holds it) → REGISTERING
 *   REGISTERED --gone--> PARKED --presence_start()--> GRANTING
 */
#ifndef AGENT_PRESENCE_H
#define AGENT_PRESENCE_H

#include "agent/machine.h"
#include "base/contact.h"
#include "base/loop.h"
#include "kvclient/kv.h"

struct presence;

struct presence_callbacks {
    /* Registered: registration is the key's create_revision. resumed: the one that an earlier
     * process held. */
    void (*on_registered)(int64_t registration, bool resumed, void *userdata);
    /* The registration is gone. Nothing is done about it before presence_start(): the owner first
     * makes sure whose store it is that has lost it. */
    void (*on_gone)(void *userdata);
    /* A proof shows a store that is younger than what an earlier one showed. */
    void (*on_younger)(void *userdata);
    /* Contact began, or began anew after a silence: who waited for it should look again. */
    void (*on_contact)(void *userdata);
    /* With each keep-alive of the agent's lease: whoever keeps another lease does it now. */
    void (*on_keepalive)(void *userdata);
    /* Another machine lives under our id: leave. */
    void (*on_duplicate)(const char *reason, void *userdata);
};

struct presence_config {
    struct loop *loop; /* borrowed, as the others */
    struct kv *kv;
    const char *prefix;
    const struct machine *machine;
    const char *address;    /* as shown to people */
    const char *lease_file; /* /run/muster/lease */
    int64_t ttl_ms;
};

int presence_new(const struct presence_config *config, const struct presence_callbacks *callbacks,
                 void *userdata, struct presence **ret, struct error *err);
void presence_free(struct presence *presence); /* revokes nothing */
DEFINE_AUTOPTR(presence);

/* Resumes or makes the registration; does nothing if that is under way or done. */
void presence_start(struct presence *presence);

/* Forgets the registration without a word to the store, until presence_start(): the store is not
 * ours, nor are there leases of others in it to judge. */
void presence_park(struct presence *presence);

/* The owner's watch saw the presence key deleted that was created at this revision: ours, or one
 * that we waited out; news of an older one of ours changes nothing. */
void presence_on_deleted(struct presence *presence, int64_t create_revision);
/* A guarded write was refused, so the registration may be gone: prove it now. */
void presence_check_now(struct presence *presence);

int64_t presence_registration(const struct presence *presence); /* 0: none */
/* The store's revision when it last answered a proof; 0: it has not yet. Never goes back. */
int64_t presence_store_revision(const struct presence *presence);

/* For how long (CLOCK_BOOTTIME) our proofs have been answered. Borrowed. */
const struct contact *presence_contact(const struct presence *presence);
/* It is to judge leases as short as this one; 0: no others than ours. Calls nothing back before the
 * next turn of the loop, in which a shorter one has the store read if it has not just been. */
void presence_judge(struct presence *presence, int64_t ttl_ms);
/* "unregistered", "held", "in doubt" */
const char *presence_state_text(const struct presence *presence);

/* Whether this machine takes newcomers; written if it changed. */
void presence_set_ready(struct presence *presence, bool ready, const char *reason);

/* Gives the lease back: only when no unit of ours runs and the machine goes down. fn is called
 * once, in any case. */
void presence_revoke(struct presence *presence, void (*fn)(void *userdata), void *userdata);

#endif
