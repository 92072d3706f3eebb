/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/presence.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "kvclient/backoff.h"
#include "kvclient/keeper.h"
#include "scheduler/records.h"

enum { NONCE_BYTES = 16, LEASE_FILE_MAX_BYTES = 4096, RETRY_MIN_MS = 100, RETRY_MAX_MS = 2000 };

enum presence_phase {
    PHASE_INVALID = 0,
    PHASE_PARKED,      /* until the owner says start */
    PHASE_RESUMING,    /* asking whether the lease of an earlier process still lives */
    PHASE_READING,     /* whether the presence under it is the earlier process's */
    PHASE_GRANTING,    /* making a lease */
    PHASE_REGISTERING, /* putting the presence */
    PHASE_TAKING_OVER, /* replacing the presence of an earlier process of this boot */
    PHASE_BLOCKED,     /* another boot's presence is there */
    PHASE_REGISTERED,
};

struct presence {
    struct presence_config config;
    struct presence_callbacks callbacks;
    void *userdata;
    enum presence_phase phase;
    char *key;
    int64_t lease;
    char nonce[2 * NONCE_BYTES + 1];
    int64_t registration;
    int64_t store_revision; /* as the last proof showed it */
    bool resumed;
    bool lease_is_gone; /* the one in the file, too */
    bool ready;
    bool ready_sent;   /* as the newest write of the presence says */
    bool ready_stored; /* as the store has it */
    bool ready_in_flight;
    char *not_ready_reason;
    struct keeper keeper;
    struct loop_timer *tick;
    struct loop_timer *retry;
    struct backoff backoff;
    bool complained; /* of what keeps us from registering; said once, until it is over */
    int64_t blocked_since_ms;
    void (*on_revoked)(void *userdata);
    void *revoked_userdata;
};

static void begin(struct presence *presence);
static void begin_grant(struct presence *presence);
static void begin_register(struct presence *presence);
static void step(struct presence *presence, enum keeper_event_kind kind, int64_t sent_ms);

/* --- the lease file --- */

static void save_lease(struct presence *presence)
{
    struct error err = { 0 };
    autofree char *text = NULL;
    autojson json =
        json_pack("{s:I,s:s,s:s,s:s}", "lease", (json_int_t)presence->lease, "nonce",
                  presence->nonce, "boot", presence->config.machine->boot_id, "key", presence->key);
    int r = json ? json_write(json, &text, &err) : error_oom(&err);
    if (r == 0)
        r = file_write(presence->config.lease_file, text, strlen(text), 0600, &err);
    if (r < 0)
        log_warning("lease: not kept (%s); a restart of musterd will register anew", err.text);
}

static int load_lease(struct presence *presence)
{
    autofree char *text = NULL;
    autojson json = NULL;
    size_t length = 0;
    const char *nonce = NULL;
    const char *boot = NULL;
    const char *key = NULL;
    int r = file_read(presence->config.lease_file, LEASE_FILE_MAX_BYTES, &text, &length, NULL);
    if (r == 0)
        r = json_read(text, length, &json, NULL);
    if (r == 0)
        r = json_field_string(json, "nonce", &nonce, NULL);
    if (r == 0)
        r = json_field_string(json, "boot", &boot, NULL);
    if (r == 0)
        r = json_field_string(json, "key", &key, NULL);
    if (r == 0)
        r = json_field_int(json, "lease", &presence->lease, NULL);
    if (r < 0 || strcmp(boot, presence->config.machine->boot_id) != 0 ||
        strcmp(key, presence->key) != 0 || strlen(nonce) != sizeof(presence->nonce) - 1)
        return -ENOENT;
    memcpy(presence->nonce, nonce, sizeof(presence->nonce));
    return 0;
}

/* --- common --- */

/* An agent must be back within one TTL of a store that came back. */
static int backoff_max_ms(int64_t ttl_ms)
{
    return ttl_ms / 5 < RETRY_MAX_MS ? (int)(ttl_ms / 5) : RETRY_MAX_MS;
}

static char *value_of(struct presence *presence)
{
    presence->ready_sent = presence->ready;
    const struct record_presence record = {
        .boot_id = (char *)presence->config.machine->boot_id,
        .nonce = (char *)presence->nonce,
        .address = (char *)presence->config.address,
        .ready = presence->ready,
        .not_ready_reason = presence->not_ready_reason ? presence->not_ready_reason : (char *)"",
    };
    char *value = NULL;
    return record_presence_encode(&record, &value, NULL) < 0 ? NULL : value;
}

static void try_again(struct presence *presence, const char *what, const char *reason)
{
    if (!presence->complained)
        log_warning("presence: %s: %s; units run on, trying again", what, reason);
    presence->complained = true;
    loop_timer_set(presence->retry, backoff_next_ms(&presence->backoff));
}

static void on_retry(struct loop_timer *timer, void *userdata)
{
    struct presence *presence = userdata;
    (void)timer;
    switch (presence->phase) {
    case PHASE_RESUMING:
    case PHASE_READING:
    case PHASE_TAKING_OVER:
        begin(presence);
        break;
    case PHASE_GRANTING:
        begin_grant(presence);
        break;
    case PHASE_REGISTERING:
    case PHASE_BLOCKED:
        begin_register(presence);
        break;
    case PHASE_REGISTERED:
    case PHASE_PARKED:
    case PHASE_INVALID:
        break;
    }
}

/* --- readiness --- */

static void on_ready_written(const struct kv_txn_result *result, void *userdata)
{
    struct presence *presence = userdata;
    presence->ready_in_flight = false;
    if (result->code == 0 && result->succeeded)
        presence->ready_stored = presence->ready_sent;
    else if (result->code < 0)
        log_debug("presence: readiness not written (%s); again with the next proof",
                  result->reason);
}

/* Brings the store to what we say of ourselves, if it has something else. Also called after each
 * good proof, so that a write that failed is made good. */
static void write_ready(struct presence *presence)
{
    if (presence->phase != PHASE_REGISTERED || presence->ready_in_flight ||
        presence->ready == presence->ready_stored)
        return; /* or the registration will carry it */
    autofree char *value = value_of(presence);
    struct kv_compare held = kv_if_create(presence->key, presence->registration);
    struct kv_op put = {
        .kind = KV_OP_PUT, .key = presence->key, .value = value, .keep_lease = true
    };
    struct kv_txn txn = {
        .compares = &held, .compare_count = 1, .success = &put, .success_count = 1
    };
    presence->ready_in_flight =
        value && kv_txn(presence->config.kv, &txn, on_ready_written, presence, NULL) == 0;
}

static void registered(struct presence *presence, int64_t registration, int64_t sent_ms)
{
    presence->lease_is_gone = false;
    presence->ready_stored = presence->ready_sent;
    presence->ready_in_flight = false;
    presence->phase = PHASE_REGISTERED;
    presence->registration = registration;
    backoff_reset(&presence->backoff);
    presence->complained = false;
    save_lease(presence);
    log_info("presence: %s as %" PRId64, presence->resumed ? "resumed" : "registered",
             registration);
    step(presence, KEEPER_EVENT_REGISTERED, sent_ms);
    presence->callbacks.on_registered(registration, presence->resumed, presence->userdata);
}

/* --- taking over what an earlier process of this boot left --- */

static void on_taken_over(const struct kv_txn_result *result, void *userdata)
{
    struct presence *presence = userdata;
    if (result->code < 0) {
        try_again(presence, "taking over the registration", result->reason);
    } else if (!result->succeeded) {
        begin_grant(presence);
    } else {
        const struct kv_op_result *read = &result->results[1];
        if (read->pair_count != 1)
            begin_grant(presence);
        else
            registered(presence, read->pairs[0].create_revision, result->sent_boot_ms);
    }
}

static void take_over(struct presence *presence, int64_t mod_revision)
{
    struct error err = { 0 };
    presence->phase = PHASE_TAKING_OVER;
    presence->resumed = true;
    text_random_hex(NONCE_BYTES, presence->nonce);
    autofree char *value = value_of(presence);
    struct kv_compare unchanged = kv_if_mod(presence->key, mod_revision);
    struct kv_op ops[] = { kv_op_put_leased(presence->key, value, presence->lease),
                           kv_op_range(presence->key) };
    struct kv_txn txn = {
        .compares = &unchanged, .compare_count = 1, .success = ops, .success_count = 2
    };
    if (!value || kv_txn(presence->config.kv, &txn, on_taken_over, presence, &err) < 0)
        try_again(presence, "taking over the registration", value ? err.text : "out of memory");
}

static void on_presence_read(const struct kv_range_result *result, void *userdata)
{
    struct presence *presence = userdata;
    autorecord(presence) record = { 0 };
    if (result->code < 0) {
        try_again(presence, "reading the registration", result->reason);
        return;
    }
    const struct kv_pair *pair = result->pair_count == 1 ? &result->pairs[0] : NULL;
    if (pair && pair->lease == presence->lease &&
        record_presence_decode(pair->value, pair->value_length, &record, NULL) == 0 &&
        text_equal(record.nonce, presence->nonce))
        take_over(presence, pair->mod_revision);
    else
        begin_grant(presence);
}

static void on_old_lease(const struct kv_lease_result *result, void *userdata)
{
    struct presence *presence = userdata;
    struct error err = { 0 };
    if (result->code == -ENOENT) {
        begin_grant(presence);
        return;
    }
    presence->phase = PHASE_READING;
    if (result->code < 0)
        try_again(presence, "asking for the lease", result->reason);
    else if (kv_range(presence->config.kv, presence->key, false, on_presence_read, presence, &err) <
             0)
        try_again(presence, "reading the registration", err.text);
}

static void begin(struct presence *presence)
{
    struct error err = { 0 };
    if (load_lease(presence) < 0) {
        begin_grant(presence);
        return;
    }
    presence->phase = PHASE_RESUMING;
    if (kv_lease_keep_alive(presence->config.kv, presence->lease, on_old_lease, presence, &err) < 0)
        try_again(presence, "asking for the lease", err.text);
}

/* --- registering --- */

static void blocked(struct presence *presence, const struct record_presence *other)
{
    int64_t now_ms = clock_boot_ms();
    if (presence->phase != PHASE_BLOCKED) {
        presence->phase = PHASE_BLOCKED;
        presence->blocked_since_ms = now_ms;
        log_warning("presence: machine %.8s is still registered by another boot at %s; waiting for "
                    "its lease to end",
                    presence->config.machine->id, other->address);
    }
    if (now_ms - presence->blocked_since_ms > 2 * presence->config.ttl_ms + 5000) {
        char reason[256];
        (void)snprintf(
            reason, sizeof(reason),
            "two machines have the id %s: this one at %s and one at %s; give one of them a new "
            "/etc/machine-id (systemd-machine-id-setup)",
            presence->config.machine->id, presence->config.address, other->address);
        presence->callbacks.on_duplicate(reason, presence->userdata);
        return;
    }
    loop_timer_set(presence->retry,
                   presence->config.ttl_ms / 2); /* normally our watch sees it go first */
}

static void on_registered_answer(const struct kv_txn_result *result, void *userdata)
{
    struct presence *presence = userdata;
    autorecord(presence) other = { 0 };
    if (result->code == -ENOENT) {
        begin_grant(presence);
        return;
    }
    if (result->code < 0) {
        /* While the store was away nobody's lease could end, and it gives each its full time again:
         * how long the other boot has been there begins anew. */
        presence->phase = PHASE_REGISTERING;
        try_again(presence, "registering", result->reason);
        return;
    }
    if (result->succeeded) {
        presence->resumed = false;
        registered(presence, result->revision, result->sent_boot_ms);
        return;
    }
    const struct kv_op_result *read = &result->results[0];
    if (read->pair_count != 1 ||
        record_presence_decode(read->pairs[0].value, read->pairs[0].value_length, &other, NULL) < 0)
        try_again(presence, "registering", "a presence is there that cannot be read");
    else if (text_equal(other.boot_id, presence->config.machine->boot_id))
        take_over(presence, read->pairs[0].mod_revision);
    else
        blocked(presence, &other);
}

static void begin_register(struct presence *presence)
{
    struct error err = { 0 };
    if (presence->phase != PHASE_BLOCKED)
        presence->phase = PHASE_REGISTERING;
    autofree char *value = value_of(presence);
    struct kv_compare absent = kv_if_absent(presence->key);
    struct kv_op put = kv_op_put_leased(presence->key, value, presence->lease);
    struct kv_op read = kv_op_range(presence->key);
    struct kv_txn txn = { .compares = &absent,
                          .compare_count = 1,
                          .success = &put,
                          .success_count = 1,
                          .failure = &read,
                          .failure_count = 1 };
    if (!value || kv_txn(presence->config.kv, &txn, on_registered_answer, presence, &err) < 0)
        try_again(presence, "registering", value ? err.text : "out of memory");
}

static void on_granted(const struct kv_lease_result *result, void *userdata)
{
    struct presence *presence = userdata;
    if (result->code < 0)
        try_again(presence, "asking for a lease", result->reason);
    else
        begin_register(presence);
}

static void begin_grant(struct presence *presence)
{
    struct error err = { 0 };
    presence->phase = PHASE_GRANTING;
    presence->registration = 0;
    presence->lease = kv_lease_new_id();
    text_random_hex(NONCE_BYTES, presence->nonce);
    if (kv_lease_grant(presence->config.kv, presence->lease, presence->config.ttl_ms / 1000,
                       on_granted, presence, &err) < 0)
        try_again(presence, "asking for a lease", err.text);
}

/* --- while registered: the keeper's orders --- */

static void on_kept_alive(const struct kv_lease_result *result, void *userdata)
{
    step(userdata,
         result->code == 0         ? KEEPER_EVENT_KEEPALIVE_OK
         : result->code == -ENOENT ? KEEPER_EVENT_KEEPALIVE_GONE
                                   : KEEPER_EVENT_KEEPALIVE_FAILED,
         result->sent_boot_ms);
}

/* The proof shows what the store has of our readiness, too: the answer to a write of it may have
 * been lost, or the write may have landed late. */
static enum keeper_event_kind judge_proof(struct presence *presence,
                                          const struct kv_txn_result *result)
{
    autorecord(presence) record = { 0 };
    if (result->code < 0 || result->result_count != 1)
        return KEEPER_EVENT_PROOF_FAILED;
    const struct kv_op_result *read = &result->results[0];
    if (read->pair_count != 1 || read->pairs[0].create_revision != presence->registration)
        return KEEPER_EVENT_PROOF_GONE;
    if (record_presence_decode(read->pairs[0].value, read->pairs[0].value_length, &record, NULL) <
        0)
        return KEEPER_EVENT_PROOF_FAILED;
    if (!text_equal(record.nonce, presence->nonce))
        return KEEPER_EVENT_PROOF_GONE;
    if (!presence->ready_in_flight)
        presence->ready_stored = record.ready;
    return KEEPER_EVENT_PROOF_OK;
}

static void on_proof(const struct kv_txn_result *result, void *userdata)
{
    struct presence *presence = userdata;
    if (result->code == 0 && result->revision < presence->store_revision) {
        presence->callbacks.on_younger(presence->userdata);
        return;
    }
    if (result->code == 0)
        presence->store_revision = result->revision;
    step(presence, judge_proof(presence, result), result->sent_boot_ms);
}

static void send_keepalive(struct presence *presence)
{
    if (kv_lease_keep_alive(presence->config.kv, presence->lease, on_kept_alive, presence, NULL) <
        0)
        step(presence, KEEPER_EVENT_KEEPALIVE_FAILED, 0);
    presence->callbacks.on_keepalive(presence->userdata);
}

static void send_proof(struct presence *presence)
{
    struct kv_op read = kv_op_range(presence->key);
    struct kv_txn txn = { .success = &read, .success_count = 1 };
    if (kv_txn(presence->config.kv, &txn, on_proof, presence, NULL) < 0)
        step(presence, KEEPER_EVENT_PROOF_FAILED, 0);
}

static void lose(struct presence *presence)
{
    log_warning("presence: registration %" PRId64
                " is gone from the store; units run on, registering again",
                presence->registration);
    kv_forget(presence->config.kv, presence);
    presence->phase = PHASE_PARKED;
    presence->lease_is_gone = true;
    presence->registration = 0;
    presence->resumed = false;
    presence->callbacks.on_gone(presence->userdata);
}

static void announce(const struct presence *presence, enum keeper_state before)
{
    if (before == KEEPER_HELD && presence->keeper.state == KEEPER_DOUBT)
        log_warning("presence: the store does not confirm the registration; units run on");
    if (before == KEEPER_DOUBT && presence->keeper.state == KEEPER_HELD)
        log_info("presence: the store confirms the registration again");
}

static void step(struct presence *presence, enum keeper_event_kind kind, int64_t sent_ms)
{
    int64_t now_ms = clock_boot_ms();
    struct keeper_event event = { .kind = kind, .sent_ms = sent_ms };
    enum keeper_state before = presence->keeper.state;
    struct keeper_actions actions = keeper_step(&presence->keeper, &event, now_ms);
    announce(presence, before);
    if (actions.register_again) {
        loop_timer_cancel(presence->tick);
        lose(presence);
        return;
    }
    if (actions.wake_ms >= 0)
        loop_timer_set(presence->tick, actions.wake_ms - now_ms);
    if (kind == KEEPER_EVENT_PROOF_OK)
        write_ready(presence);
    if (actions.send_keepalive)
        send_keepalive(presence);
    if (actions.send_proof)
        send_proof(presence);
    if (actions.contact_is_new)
        presence->callbacks.on_contact(presence->userdata);
}

static void on_tick(struct loop_timer *timer, void *userdata)
{
    (void)timer;
    step(userdata, KEEPER_EVENT_TICK, 0);
}

void presence_on_deleted(struct presence *presence, int64_t create_revision)
{
    if (presence->phase == PHASE_REGISTERED && presence->registration == create_revision)
        step(presence, KEEPER_EVENT_DELETED, 0);
    else if (presence->phase == PHASE_BLOCKED)
        loop_timer_set(presence->retry, 0);
}

void presence_check_now(struct presence *presence)
{
    if (presence->phase == PHASE_REGISTERED && !presence->keeper.proof_in_flight) {
        presence->keeper.proof_due_ms = clock_boot_ms();
        step(presence, KEEPER_EVENT_TICK, 0);
    }
}

int64_t presence_registration(const struct presence *presence)
{
    return presence->phase == PHASE_REGISTERED ? presence->registration : 0;
}

int64_t presence_store_revision(const struct presence *presence)
{
    return presence->store_revision;
}

const struct contact *presence_contact(const struct presence *presence)
{
    return &presence->keeper.contact;
}

void presence_judge(struct presence *presence, int64_t ttl_ms)
{
    int64_t before_ms = presence->keeper.judged_ttl_ms;
    keeper_judge(&presence->keeper, ttl_ms);
    /* In a turn of its own: a leader that is planning tells us. */
    if (presence->phase == PHASE_REGISTERED && presence->keeper.judged_ttl_ms < before_ms)
        loop_timer_set(presence->tick, 0);
}

const char *presence_state_text(const struct presence *presence)
{
    return presence->phase == PHASE_BLOCKED ? "blocked" : keeper_state_name(presence->keeper.state);
}

void presence_start(struct presence *presence)
{
    if (presence->phase != PHASE_PARKED)
        return;
    if (presence->lease_is_gone)
        begin_grant(presence);
    else
        begin(presence);
}

void presence_park(struct presence *presence)
{
    kv_forget(presence->config.kv, presence);
    loop_timer_cancel(presence->tick);
    loop_timer_cancel(presence->retry);
    presence->phase = PHASE_PARKED;
    presence->registration = 0;
    presence->resumed = false;
    backoff_reset(&presence->backoff);
    presence->complained = false;
    keeper_init(&presence->keeper, presence->config.ttl_ms);
}

void presence_set_ready(struct presence *presence, bool ready, const char *reason)
{
    if (presence->ready == ready)
        return;
    presence->ready = ready;
    free(presence->not_ready_reason);
    presence->not_ready_reason = strdup(reason);
    log_write(ready ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, NULL, "presence: %s%s",
              ready ? "ready for units" : "not ready for new units: ", ready ? "" : reason);
    write_ready(presence);
}

/* --- life --- */

static void on_revoked(const struct kv_lease_result *result, void *userdata)
{
    struct presence *presence = userdata;
    (void)result;
    presence->on_revoked(presence->revoked_userdata);
}

void presence_revoke(struct presence *presence, void (*fn)(void *userdata), void *userdata)
{
    presence->on_revoked = fn;
    presence->revoked_userdata = userdata;
    loop_timer_cancel(presence->tick);
    if (presence->phase != PHASE_REGISTERED ||
        kv_lease_revoke(presence->config.kv, presence->lease, on_revoked, presence, NULL) < 0)
        fn(userdata);
}

int presence_new(const struct presence_config *config, const struct presence_callbacks *callbacks,
                 void *userdata, struct presence **ret, struct error *err)
{
    autoptr(presence) presence = calloc(1, sizeof(*presence));
    if (!presence)
        return error_oom(err);
    presence->config = *config;
    presence->callbacks = *callbacks;
    presence->userdata = userdata;
    presence->phase = PHASE_PARKED;
    presence->ready = true;
    presence->backoff =
        (struct backoff){ .first_ms = RETRY_MIN_MS, .max_ms = backoff_max_ms(config->ttl_ms) };
    keeper_init(&presence->keeper, config->ttl_ms);
    presence->key = store_key(config->prefix, STORE_KEY_PRESENCE, config->machine->id, NULL, 0);
    if (!presence->key)
        return error_oom(err);
    int r = loop_timer_new(config->loop, "presence tick", on_tick, presence, &presence->tick, err);
    if (r == 0)
        r = loop_timer_new(config->loop, "presence retry", on_retry, presence, &presence->retry,
                           err);
    if (r < 0)
        return r;
    *ret = take_ptr(presence);
    return 0;
}

void presence_free(struct presence *presence)
{
    if (!presence)
        return;
    kv_forget(presence->config.kv, presence);
    loop_timer_free(presence->tick);
    loop_timer_free(presence->retry);
    free(presence->key);
    free(presence->not_ready_reason);
    free(presence);
}
