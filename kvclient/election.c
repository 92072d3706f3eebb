/* SPDX-License-Identifier: Apache-2.0 */
#include "kvclient/election.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "kvclient/backoff.h"

enum { RETRY_FIRST_MS = 50, RETRY_MAX_MS = 1000 };

enum election_state {
    ELECTION_INVALID = 0,
    ELECTION_IDLE,
    ELECTION_LOOKING,
    ELECTION_FOLLOWING,
    ELECTION_WAITING,
    ELECTION_GRANTING,
    ELECTION_CAMPAIGNING,
    ELECTION_LEADING,
    ELECTION_RENEWING,
};

struct election {
    struct kv *kv; /* borrowed */
    char *key;
    char *value;
    char *machine;
    char *nonce;
    int64_t ttl_s;
    struct election_callbacks callbacks;
    void *userdata;
    enum election_state state;
    bool stopped;
    bool looked; /* since it became a candidate: the first look does not wait */
    int64_t delay_ms;
    int64_t due_boot_ms;      /* of what was put off; -1: nothing */
    struct loop_timer *timer; /* for the same; NULL without a loop */
    struct backoff backoff;
    struct kv_watch *watch;
    int64_t seen_revision; /* newest that the watch told of */
    int64_t lease;         /* 0: none */
    int64_t keep_alive_sent_ms;
    int64_t epoch; /* of the key as we last put it */
    election_resigned_fn on_resigned;
    bool freed; /* by its owner, from inside a callback */
    int busy;
};

static void do_due(struct election *election);
static void look(struct election *election);
static void campaign(struct election *election);

static void destroy(struct election *election)
{
    kv_watch_stop(election->kv, election->watch);
    kv_forget(election->kv, election);
    loop_timer_free(election->timer);
    free(election->key);
    free(election->value);
    free(election->machine);
    free(election->nonce);
    free(election);
}

void election_free(struct election *election)
{
    if (!election)
        return;
    election->freed = true;
    if (election->busy == 0)
        destroy(election);
}

static void leave(struct election *election)
{
    if (--election->busy == 0 && election->freed)
        destroy(election);
}

static bool is_over(const struct election *election)
{
    return election->freed || election->stopped;
}

/* Time. */

static void set_due(struct election *election, int64_t delay_ms)
{
    election->due_boot_ms = clock_boot_ms() + delay_ms;
    if (election->timer)
        loop_timer_set(election->timer, delay_ms);
}

static void clear_due(struct election *election)
{
    election->due_boot_ms = -1;
    if (election->timer)
        loop_timer_cancel(election->timer);
}

/* What the state was about to do failed: the same again, later. */
static void put_off(struct election *election)
{
    set_due(election, backoff_next_ms(&election->backoff));
}

static void on_timer(struct loop_timer *timer, void *userdata)
{
    struct election *election = userdata;
    (void)timer;
    do_due(election);
}

/* Ends of a state. */

static void stop_watch(struct election *election)
{
    kv_watch_stop(election->kv, take_ptr(election->watch));
    election->seen_revision = 0;
}

static void on_ignored(const struct kv_lease_result *result, void *userdata)
{
    (void)result;
    (void)userdata;
}

/* So that a lease that guards nothing does not stay until its end. Nothing depends on it. */
static void give_back_lease(struct election *election)
{
    if (election->lease)
        (void)kv_lease_revoke(election->kv, election->lease, on_ignored, election, NULL);
    election->lease = 0;
}

/* Neither leads nor tries to, nor hears of anything. */
static void stand_down(struct election *election)
{
    stop_watch(election);
    clear_due(election);
    kv_forget(election->kv, election);
    election->state = ELECTION_IDLE;
    election->lease = 0;
    election->epoch = 0;
}

static void halt(struct election *election, int code, const char *reason)
{
    stand_down(election);
    election->stopped = true;
    election->callbacks.on_lost(code, reason, election->userdata);
}

static void lose(struct election *election, int code, const char *reason)
{
    election->epoch = 0;
    if (code == -ENOENT)
        election->lease = 0;
    give_back_lease(election);
    look(election);
    election->callbacks.on_lost(code, reason, election->userdata);
}

static bool is_final(int code)
{
    return code == -ESTALE || code == -EREMCHG || code == -EINVAL || code == -E2BIG;
}

static void fail_step(struct election *election, int code, const char *reason)
{
    if (is_final(code))
        halt(election, code, reason);
    else
        put_off(election);
}

static void tell_leader(struct election *election, const struct kv_pair *pair)
{
    if (election->callbacks.on_leader && !is_over(election))
        election->callbacks.on_leader(pair ? pair->value : NULL, election->userdata);
}

static void win(struct election *election, int64_t epoch)
{
    /* Our own watch knows better: the key changed since. */
    if (epoch < election->seen_revision) {
        lose(election, -ESTALE, "the leader's key was taken away while it was put");
        return;
    }
    backoff_reset(&election->backoff);
    election->state = ELECTION_LEADING;
    election->epoch = epoch;
    election->callbacks.on_elected(epoch, election->userdata);
}

/* Whose key it is. */

enum owner { OWNER_OTHER = 0, OWNER_US, OWNER_OUR_PAST };

/* A value that we cannot read is another's. */
static enum owner owner_of(const struct election *election, const struct kv_pair *pair)
{
    autojson value = NULL;
    const char *machine = NULL;
    const char *nonce = NULL;
    if (json_read(pair->value, pair->value_length, &value, NULL) < 0 ||
        json_field_string(value, "machine", &machine, NULL) < 0 ||
        json_field_string(value, "nonce", &nonce, NULL) < 0)
        return OWNER_OTHER;
    if (strcmp(machine, election->machine) != 0)
        return OWNER_OTHER;
    bool same =
        strcmp(nonce, election->nonce) == 0 && election->lease && pair->lease == election->lease;
    return same ? OWNER_US : OWNER_OUR_PAST;
}

static void on_past_deleted(const struct kv_txn_result *result, void *userdata)
{
    struct election *election = userdata;
    election->busy++;
    if (result->code < 0)
        fail_step(election, result->code, result->reason);
    else
        look(election);
    leave(election);
}

static void delete_past(struct election *election, const struct kv_pair *pair)
{
    struct kv_compare guard = kv_if_mod(election->key, pair->mod_revision);
    struct kv_op op = kv_op_delete(election->key);
    struct kv_txn txn = {
        .compares = &guard, .compare_count = 1, .success = &op, .success_count = 1
    };
    election->state = ELECTION_LOOKING;
    if (kv_txn(election->kv, &txn, on_past_deleted, election, NULL) < 0)
        put_off(election);
}

static void await_campaign(struct election *election)
{
    election->state = ELECTION_WAITING;
    set_due(election, election->looked ? election->delay_ms : 0);
    election->looked = true;
}

/* The key as it was at this revision decides what we are. */
static void judge(struct election *election, const struct kv_pair *pair, int64_t revision)
{
    if (revision < election->seen_revision) {
        look(election); /* the watch was faster: this is the past */
        return;
    }
    if (!pair) {
        await_campaign(election);
        return;
    }
    switch (owner_of(election, pair)) {
    case OWNER_US:
        win(election, pair->mod_revision);
        break;
    case OWNER_OUR_PAST:
        delete_past(election, pair);
        break;
    case OWNER_OTHER:
        election->looked = true;
        election->state = ELECTION_FOLLOWING;
        give_back_lease(election);
        break;
    }
}

/* The watch. */

static void on_deleted(struct election *election, int64_t revision)
{
    bool leads = election_is_leading(election);
    tell_leader(election, NULL);
    if (is_over(election))
        return;
    if (leads && revision > election->epoch)
        lose(election, -ESTALE, "the leader's key was deleted");
    else if (election->state == ELECTION_FOLLOWING)
        await_campaign(election);
}

static void on_put(struct election *election, const struct kv_pair *pair)
{
    bool ours = owner_of(election, pair) == OWNER_US;
    tell_leader(election, pair);
    if (is_over(election) || ours)
        return;
    if (election_is_leading(election) && pair->mod_revision > election->epoch) {
        lose(election, -ESTALE, "the leader's key is another's");
    } else if (election->state == ELECTION_WAITING) {
        clear_due(election);
        election->state = ELECTION_FOLLOWING;
    }
}

static void on_events(const struct kv_event *events, size_t count, int64_t revision, void *userdata)
{
    struct election *election = userdata;
    const struct kv_event *last = &events[count - 1]; /* only what stands now matters */
    election->busy++;
    election->seen_revision = revision;
    if (last->deleted)
        on_deleted(election, revision);
    else
        on_put(election, &last->pair);
    leave(election);
}

/* Events were missed. While we lead, a look would take us for a follower of ourselves: a renewal
 * asks the same question. */
static void on_watch_lost(int code, const char *reason, void *userdata)
{
    struct election *election = userdata;
    election->busy++;
    stop_watch(election);
    if (code != -ERANGE && code != -EACCES)
        halt(election, code, reason);
    else if (election->state == ELECTION_FOLLOWING || election->state == ELECTION_WAITING)
        look(election);
    else
        election_renew_epoch(election);
    leave(election);
}

static void watch_from(struct election *election, int64_t revision)
{
    static const struct kv_watch_callbacks callbacks = { .on_events = on_events,
                                                         .on_lost = on_watch_lost };
    if (!election->watch && !is_over(election))
        (void)kv_watch(election->kv, election->key, false, revision, &callbacks, election,
                       &election->watch, NULL);
}

/* Looking. */

static void on_looked(const struct kv_range_result *result, void *userdata)
{
    struct election *election = userdata;
    const struct kv_pair *pair = result->pair_count ? &result->pairs[0] : NULL;
    election->busy++;
    if (result->code == 0)
        watch_from(election, result->revision + 1);
    if (result->code < 0) {
        fail_step(election, result->code, result->reason);
    } else if (!election->watch) {
        put_off(election); /* no memory for it; a follower without a watch would sleep for ever */
    } else {
        tell_leader(election, pair);
        if (!is_over(election) && election->state == ELECTION_LOOKING)
            judge(election, pair, result->revision);
    }
    leave(election);
}

static void look(struct election *election)
{
    clear_due(election);
    election->state = ELECTION_LOOKING;
    if (kv_range(election->kv, election->key, false, on_looked, election, NULL) < 0)
        put_off(election);
}

/* Campaigning and renewing: the same transaction with another guard. */

static void on_put_answer(const struct kv_txn_result *result, void *userdata)
{
    struct election *election = userdata;
    bool renewing = election->state == ELECTION_RENEWING;
    election->busy++;
    const struct kv_pair *pair = NULL;
    if (result->code == 0 && !result->succeeded && result->results[0].pair_count)
        pair = &result->results[0].pairs[0];
    if (result->code == -ENOENT && renewing) {
        lose(election, -ENOENT, "the leader's lease has ended");
    } else if (result->code == -ENOENT) {
        election->lease = 0; /* it ended before the campaign did: another */
        put_off(election);
    } else if (result->code < 0) {
        fail_step(election, result->code, result->reason);
    } else if (result->succeeded) {
        watch_from(election, result->revision + 1);
        win(election, result->revision);
    } else if (renewing && (!pair || owner_of(election, pair) != OWNER_US)) {
        lose(election, -ESTALE, "the leader's key is another's, or gone");
    } else {
        /* Ours, if an earlier try whose answer was lost had been done. */
        watch_from(election, result->revision + 1);
        judge(election, pair, result->revision);
    }
    leave(election);
}

static void put_key(struct election *election, struct kv_compare guard)
{
    struct kv_op put = kv_op_put_leased(election->key, election->value, election->lease);
    struct kv_op get = kv_op_range(election->key);
    struct kv_txn txn = { .compares = &guard,
                          .compare_count = 1,
                          .success = &put,
                          .success_count = 1,
                          .failure = &get,
                          .failure_count = 1 };
    if (kv_txn(election->kv, &txn, on_put_answer, election, NULL) < 0)
        put_off(election);
}

static void on_granted(const struct kv_lease_result *result, void *userdata)
{
    struct election *election = userdata;
    election->busy++;
    if (result->code < 0) {
        fail_step(election, result->code, result->reason);
    } else {
        election->keep_alive_sent_ms = result->sent_boot_ms;
        election->state = ELECTION_CAMPAIGNING;
        put_key(election, kv_if_absent(election->key));
    }
    leave(election);
}

/* A grant again after an unknown outcome is harmless, and says that the lease is alive. */
static void campaign(struct election *election)
{
    if (!election->lease)
        election->lease = kv_lease_new_id();
    election->state = ELECTION_GRANTING;
    if (kv_lease_grant(election->kv, election->lease, election->ttl_s, on_granted, election, NULL) <
        0)
        put_off(election);
}

void election_renew_epoch(struct election *election)
{
    if (election->state != ELECTION_LEADING)
        return;
    election->state = ELECTION_RENEWING;
    put_key(election, kv_if_mod(election->key, election->epoch));
}

static void do_due(struct election *election)
{
    clear_due(election);
    switch (election->state) {
    case ELECTION_LOOKING:
        look(election);
        break;
    case ELECTION_WAITING:
    case ELECTION_GRANTING:
    case ELECTION_CAMPAIGNING:
        campaign(election);
        break;
    case ELECTION_RENEWING:
        put_key(election, kv_if_mod(election->key, election->epoch));
        break;
    case ELECTION_IDLE:
    case ELECTION_FOLLOWING:
    case ELECTION_LEADING:
    case ELECTION_INVALID:
        break;
    }
}

static void on_kept_alive(const struct kv_lease_result *result, void *userdata)
{
    struct election *election = userdata;
    election->busy++;
    if (result->code == -ENOENT && result->id == election->lease && election_is_leading(election))
        lose(election, -ENOENT, "the leader's lease has ended");
    leave(election);
}

void election_tick(struct election *election, int64_t now_ms)
{
    if (election->due_boot_ms >= 0 && now_ms >= election->due_boot_ms)
        do_due(election);
    if (!election_is_leading(election) ||
        now_ms - election->keep_alive_sent_ms < election->ttl_s * 1000 / 6)
        return;
    election->keep_alive_sent_ms = now_ms;
    (void)kv_lease_keep_alive(election->kv, election->lease, on_kept_alive, election, NULL);
}

/* The owner's side. */

static void on_revoked(const struct kv_lease_result *result, void *userdata)
{
    struct election *election = userdata;
    election_resigned_fn fn = take_ptr(election->on_resigned);
    election->busy++;
    if (fn)
        fn(result->code == -ENOENT ? 0 : result->code, election->userdata);
    leave(election);
}

bool election_resign(struct election *election, election_resigned_fn on_done)
{
    int64_t lease = election->lease;
    stand_down(election);
    election->on_resigned = on_done;
    return lease && kv_lease_revoke(election->kv, lease, on_revoked, election, NULL) == 0;
}

void election_set_candidate(struct election *election, bool candidate)
{
    if (election->stopped || candidate == (election->state != ELECTION_IDLE))
        return;
    if (!candidate) {
        (void)election_resign(election, NULL);
        return;
    }
    election->looked = false;
    look(election);
}

void election_set_delay(struct election *election, int64_t delay_ms)
{
    election->delay_ms = delay_ms;
}

int64_t election_epoch(const struct election *election)
{
    return election->state == ELECTION_LEADING ? election->epoch : 0;
}

bool election_is_leading(const struct election *election)
{
    return election->state == ELECTION_LEADING || election->state == ELECTION_RENEWING;
}

bool election_is_stopped(const struct election *election)
{
    return election->stopped;
}

static int read_identity(struct election *election, const char *value_json, struct error *err)
{
    autojson value = NULL;
    const char *machine = NULL;
    const char *nonce = NULL;
    int r = json_read(value_json, strlen(value_json), &value, err);
    if (r == 0)
        r = json_field_string(value, "machine", &machine, err);
    if (r == 0)
        r = json_field_string(value, "nonce", &nonce, err);
    if (r < 0)
        return error_prefix(err, -EINVAL, "the leader's value");
    election->machine = strdup(machine);
    election->nonce = strdup(nonce);
    return election->machine && election->nonce ? 0 : error_oom(err);
}

int election_new(struct loop *loop, struct kv *kv, const char *key, const char *value_json,
                 int64_t lease_ttl_s, const struct election_callbacks *callbacks, void *userdata,
                 struct election **ret, struct error *err)
{
    autoptr(election) election = calloc(1, sizeof(*election));
    if (!election)
        return error_oom(err);
    *election = (struct election){
        .kv = kv,
        .ttl_s = lease_ttl_s,
        .callbacks = *callbacks,
        .userdata = userdata,
        .state = ELECTION_IDLE,
        .due_boot_ms = -1,
        .backoff = {.first_ms = RETRY_FIRST_MS, .max_ms = RETRY_MAX_MS},
    };
    election->key = strdup(key);
    election->value = strdup(value_json);
    if (!election->key || !election->value)
        return error_oom(err);
    int r = read_identity(election, value_json, err);
    if (r == 0 && loop)
        r = loop_timer_new(loop, "election", on_timer, election, &election->timer, err);
    if (r < 0)
        return r;
    *ret = take_ptr(election);
    return 0;
}
