/* SPDX-License-Identifier: Apache-2.0 */
#include "kvclient/keeper.h"

#include <stddef.h>

/*
 * The figures, of a lease of TTL seconds. In doubt we are when the newest good proof is as old as
 * the lease: by then the store may have let it expire.
 *
 * Proofs are sent every TTL/3, which leaves a store that pauses a quarter of the TTL until the
 * silence between two proofs is one in which a lease may have ended (contact_harmless_ms). Less
 * often would be cheaper, and each hiccup of the store would cost a leader what it knows of others.
 */
enum { RETRY_MIN_MS = 100 };

static int64_t max64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t proof_period_ms(const struct keeper *keeper)
{
    return keeper->judged_ttl_ms / 3;
}

/* The shortest that means anything to anybody who asks for our contact. */
static int64_t silence_ms(const struct keeper *keeper)
{
    return min64(contact_harmless_ms(keeper->judged_ttl_ms), CONTACT_OUTAGE_MS);
}

static int64_t retry_ms(int64_t ttl_ms)
{
    return max64(RETRY_MIN_MS, ttl_ms / 10);
}

void keeper_init(struct keeper *keeper, int64_t ttl_ms)
{
    *keeper = (struct keeper){
        .state = KEEPER_UNREGISTERED,
        .ttl_ms = ttl_ms,
        .judged_ttl_ms = ttl_ms,
    };
    contact_end(&keeper->contact);
}

void keeper_judge(struct keeper *keeper, int64_t ttl_ms)
{
    int64_t asked_ms = ttl_ms > 0 ? max64(ttl_ms, CONTACT_TTL_MIN_MS) : keeper->ttl_ms;
    int64_t before_ms = proof_period_ms(keeper);
    keeper->judged_ttl_ms = min64(asked_ms, keeper->ttl_ms);
    keeper->proof_due_ms -= max64(0, before_ms - proof_period_ms(keeper));
}

static bool is_registered(const struct keeper *keeper)
{
    return keeper->state == KEEPER_HELD || keeper->state == KEEPER_DOUBT;
}

static void register_new(struct keeper *keeper, int64_t sent_ms, int64_t now_ms)
{
    keeper->state = KEEPER_HELD;
    contact_begin(&keeper->contact, sent_ms, now_ms);
    keeper->keepalive_due_ms = sent_ms; /* the lease may be older than the registration */
    keeper->proof_due_ms = sent_ms + proof_period_ms(keeper);
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
    contact_end(&keeper->contact);
    keeper->keepalive_in_flight = false;
    keeper->proof_in_flight = false;
    actions->register_again = true;
}

static void take_event(struct keeper *keeper, const struct keeper_event *event, int64_t now_ms,
                       struct keeper_actions *actions)
{
    switch (event->kind) {
    case KEEPER_EVENT_REGISTERED:
        register_new(keeper, event->sent_ms, now_ms);
        break;
    case KEEPER_EVENT_KEEPALIVE_OK:
        keeper->keepalive_in_flight = false;
        break;
    case KEEPER_EVENT_KEEPALIVE_FAILED:
        keeper->keepalive_in_flight = false;
        keeper->keepalive_due_ms = now_ms + retry_ms(keeper->ttl_ms);
        break;
    case KEEPER_EVENT_PROOF_OK:
        keeper->proof_in_flight = false;
        if (is_registered(keeper))
            contact_hear(&keeper->contact, event->sent_ms, now_ms);
        break;
    case KEEPER_EVENT_PROOF_FAILED:
        keeper->proof_in_flight = false;
        keeper->proof_due_ms = now_ms + retry_ms(keeper->judged_ttl_ms);
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
    int64_t age_ms = now_ms - keeper->contact.heard_ms;
    keeper->state = age_ms > keeper->ttl_ms ? KEEPER_DOUBT : KEEPER_HELD;
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
        keeper->proof_due_ms = now_ms + proof_period_ms(keeper);
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
        wake_at(actions, keeper->contact.heard_ms + keeper->ttl_ms + 1);
}

struct keeper_actions keeper_step(struct keeper *keeper, const struct keeper_event *event,
                                  int64_t now_ms)
{
    struct keeper_actions actions = { .wake_ms = -1 };
    int64_t since_ms = contact_since(&keeper->contact, silence_ms(keeper), now_ms);
    take_event(keeper, event, now_ms, &actions);
    judge(keeper, now_ms);
    if (is_registered(keeper)) {
        send_due(keeper, now_ms, &actions);
        plan_wake(keeper, &actions);
    }
    actions.contact_is_new =
        since_ms < 0 && contact_since(&keeper->contact, silence_ms(keeper), now_ms) >= 0;
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
