/* SPDX-License-Identifier: Apache-2.0 */
#include "kvclient/keeper.h"

#include <stddef.h>

/*
 * The figures, of a lease of TTL seconds. Proofs are sent every TTL/2, so with all well two of them
 * lie TTL/2 apart, and one that failed is sent again after TTL/10. In doubt we are when the newest
 * good proof is as old as the lease: by then the store may have let it expire.
 *
 * Contact, which a leader needs before it declares others lost, breaks earlier on long leases and
 * later on short ones: after max(6 s, 3/4 TTL). 3/4 TTL leaves room for one failed proof (TTL/2,
 * and twice TTL/10). The 6 s are for the election of a leader inside of the store, 2 to 3 s in
 * which nothing is answered and after which the store gives every lease its full TTL again: nobody
 * was lost by it, so it should not cost a leader its knowledge, however short the leases are.
 */
enum { CONTACT_GAP_MIN_MS = 6000, RETRY_MIN_MS = 100 };

static int64_t max64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t gap_limit_ms(const struct keeper *keeper)
{
    return max64(CONTACT_GAP_MIN_MS, keeper->ttl_ms * 3 / 4);
}

static int64_t retry_ms(const struct keeper *keeper)
{
    return max64(RETRY_MIN_MS, keeper->ttl_ms / 10);
}

void keeper_init(struct keeper *keeper, int64_t ttl_ms)
{
    *keeper = (struct keeper){
        .state = KEEPER_UNREGISTERED,
        .ttl_ms = ttl_ms,
        .contact_since_ms = -1,
    };
}

static bool is_registered(const struct keeper *keeper)
{
    return keeper->state == KEEPER_HELD || keeper->state == KEEPER_DOUBT;
}

/* Proofs may be answered in another order than they were sent: an older one proves nothing new. */
static void prove(struct keeper *keeper, int64_t sent_ms)
{
    bool first = keeper->contact_since_ms < 0;
    if (first || sent_ms - keeper->proven_ms > gap_limit_ms(keeper))
        keeper->contact_since_ms = sent_ms;
    if (sent_ms > keeper->proven_ms)
        keeper->proven_ms = sent_ms;
}

static void register_new(struct keeper *keeper, int64_t sent_ms)
{
    keeper->state = KEEPER_HELD;
    keeper->proven_ms = sent_ms;
    prove(keeper, sent_ms);
    keeper->keepalive_due_ms = sent_ms; /* the lease may be older than the registration */
    keeper->proof_due_ms = sent_ms + keeper->ttl_ms / 2;
    keeper->keepalive_in_flight = false;
    keeper->proof_in_flight = false;
}

/* That our own registration went although we live says that something is wrong with the store or
 * with our way to it; a leader's contact begins anew. */
static void lose_registration(struct keeper *keeper, struct keeper_actions *actions)
{
    if (!is_registered(keeper))
        return;
    keeper->state = KEEPER_UNREGISTERED;
    keeper->contact_since_ms = -1;
    keeper->keepalive_in_flight = false;
    keeper->proof_in_flight = false;
    actions->register_again = true;
}

static void take_event(struct keeper *keeper, const struct keeper_event *event, int64_t now_ms,
                       struct keeper_actions *actions)
{
    switch (event->kind) {
    case KEEPER_EVENT_REGISTERED:
        register_new(keeper, event->sent_ms);
        break;
    case KEEPER_EVENT_KEEPALIVE_OK:
        keeper->keepalive_in_flight = false;
        break;
    case KEEPER_EVENT_KEEPALIVE_FAILED:
        keeper->keepalive_in_flight = false;
        keeper->keepalive_due_ms = now_ms + retry_ms(keeper);
        break;
    case KEEPER_EVENT_PROOF_OK:
        keeper->proof_in_flight = false;
        if (is_registered(keeper))
            prove(keeper, event->sent_ms);
        break;
    case KEEPER_EVENT_PROOF_FAILED:
        keeper->proof_in_flight = false;
        keeper->proof_due_ms = now_ms + retry_ms(keeper);
        break;
    case KEEPER_EVENT_KEEPALIVE_GONE:
    case KEEPER_EVENT_PROOF_GONE:
    case KEEPER_EVENT_DELETED:
        lose_registration(keeper, actions);
        break;
    case KEEPER_EVENT_TICK:
    case KEEPER_EVENT_INVALID:
        break;
    }
}

/* What the passing of time alone does. */
static void judge(struct keeper *keeper, int64_t now_ms)
{
    if (!is_registered(keeper))
        return;
    int64_t age_ms = now_ms - keeper->proven_ms;
    keeper->state = age_ms > keeper->ttl_ms ? KEEPER_DOUBT : KEEPER_HELD;
    if (age_ms > gap_limit_ms(keeper))
        keeper->contact_since_ms = -1;
}

/* The next due time is counted from when it was due to be sent now, not from the answer, so that a
 * slow store is not asked less often. */
static void send_due(struct keeper *keeper, int64_t now_ms, struct keeper_actions *actions)
{
    if (!keeper->keepalive_in_flight && now_ms >= keeper->keepalive_due_ms) {
        actions->send_keepalive = true;
        keeper->keepalive_in_flight = true;
        keeper->keepalive_due_ms = now_ms + keeper->ttl_ms / 3;
    }
    if (!keeper->proof_in_flight && now_ms >= keeper->proof_due_ms) {
        actions->send_proof = true;
        keeper->proof_in_flight = true;
        keeper->proof_due_ms = now_ms + keeper->ttl_ms / 2;
    }
}

static void wake_at(struct keeper_actions *actions, int64_t at_ms)
{
    if (actions->wake_ms < 0 || at_ms < actions->wake_ms)
        actions->wake_ms = at_ms;
}

static void plan_wake(const struct keeper *keeper, struct keeper_actions *actions)
{
    if (!keeper->keepalive_in_flight)
        wake_at(actions, keeper->keepalive_due_ms);
    if (!keeper->proof_in_flight)
        wake_at(actions, keeper->proof_due_ms);
    if (keeper->state == KEEPER_HELD)
        wake_at(actions, keeper->proven_ms + keeper->ttl_ms + 1);
    if (keeper->contact_since_ms >= 0)
        wake_at(actions, keeper->proven_ms + gap_limit_ms(keeper) + 1);
}

struct keeper_actions keeper_step(struct keeper *keeper, const struct keeper_event *event,
                                  int64_t now_ms)
{
    struct keeper_actions actions = { .wake_ms = -1 };
    take_event(keeper, event, now_ms, &actions);
    judge(keeper, now_ms);
    if (is_registered(keeper)) {
        send_due(keeper, now_ms, &actions);
        plan_wake(keeper, &actions);
    }
    return actions;
}

const char *keeper_state_name(enum keeper_state state)
{
    switch (state) {
    case KEEPER_UNREGISTERED:
        return "unregistered";
    case KEEPER_HELD:
        return "held";
    case KEEPER_DOUBT:
        return "doubt";
    case KEEPER_INVALID:
        break;
    }
    return "invalid";
}
