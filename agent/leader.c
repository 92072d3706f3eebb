/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/leader.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/commit.h"
#include "agent/decisions.h"
#include "agent/fold.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "kvclient/kv_mirror.h"
#include "scheduler/blocks.h"
#include "scheduler/plan.h"

enum {
    UUID_BYTES = 16,
    SCHEMA = 1,
    REPLAN_MIN_MS = 100,
    REPLAN_MAX_MS = 10000,
    /* Transactions at a time: enough that the store is never idle between two, few enough that each
     * is answered long before its time is over. */
    IN_FLIGHT_MAX = 8,
};

enum leader_phase {
    LEADER_INVALID = 0,
    LEADER_CATCHING_UP, /* until the mirror has reached the epoch and every write of ours */
    LEADER_FOUNDING,    /* writing the cluster key */
    LEADER_PLANNING,    /* idle, or about to plan */
    LEADER_COMMITTING,
    LEADER_DOUBTING, /* until there is a new epoch */
    LEADER_BARRED,   /* the store is not ours: nothing is decided any more */
};

/* Actions of the plan, from one up to another. */
struct span {
    size_t next, end;
};

/* A transaction that is under way. */
struct flight {
    struct leader *leader; /* NULL: there is none */
    struct span actions;
    bool has_mark; /* its units are guarded by what stands for all: unit_guard.h */
};

struct leader {
    struct leader_config config;
    int64_t epoch;
    enum leader_phase phase;
    struct kv_mirror *mirror;
    struct model *model;
    struct fold *fold;
    struct loop_timer *wake;
    struct plan *plan;  /* being committed */
    size_t next_action; /* of it, not sent yet */
    struct decisions decisions;
    size_t in_flight; /* transactions of it */
    struct flight flights[IN_FLIGHT_MAX];
    struct unit_guard unit_guard;
    int64_t units_mark;               /* what this plan's units are guarded by; 0: each by itself */
    struct span again[IN_FLIGHT_MAX]; /* refused under it, and to be sent under a guard for each */
    size_t again_count;
    bool is_alone;            /* the one in flight is answered before another is sent */
    bool one_at_a_time;       /* a batch was refused: find the one that stands in the way */
    bool refused;             /* a part of this plan was */
    int64_t replan_ms;        /* the wait after a refusal: doubles until something is written */
    int64_t barrier_revision; /* what the mirror must show before the next plan */
};

static void consider(struct leader *leader);

/* --- committing --- */

static void finish_plan(struct leader *leader)
{
    decisions_end(&leader->decisions, leader->plan->count, leader->refused);
    plan_free(take_ptr(leader->plan));
    leader->one_at_a_time = leader->refused;
    leader->phase = LEADER_CATCHING_UP;
    if (leader->refused) { /* what was refused must be thought of again, with what made it so */
        model_touch_all(leader->model);
        loop_timer_set(leader->wake, leader->replan_ms);
        leader->replan_ms =
            leader->replan_ms * 2 > REPLAN_MAX_MS ? REPLAN_MAX_MS : leader->replan_ms * 2;
        return;
    }
    leader->replan_ms = REPLAN_MIN_MS;
    consider(leader);
}

static void send_more(struct leader *leader);

static void forget_requests(struct leader *leader)
{
    kv_forget(leader->config.kv, leader);
    for (size_t i = 0; i < IN_FLIGHT_MAX; i++) {
        kv_forget(leader->config.kv, &leader->flights[i]);
        leader->flights[i].leader = NULL;
    }
}

/* Under a new epoch nothing of the old one can land: what is still in flight has landed by then or
 * never will, and the mirror shows which. */
static void forget_plan(struct leader *leader)
{
    forget_requests(leader);
    leader->in_flight = 0;
    leader->again_count = 0;
    plan_free(take_ptr(leader->plan));
}

/* Nothing more is written until there is a new epoch. */
static void doubt(struct leader *leader)
{
    forget_plan(leader);
    leader->phase = LEADER_DOUBTING;
    leader->config.renew_epoch(leader->config.userdata);
}

/* Whether a transaction was refused because of the epoch, and not because of what an action was
 * derived from. */
static bool is_deposed(const struct leader *leader, const struct kv_txn_result *result)
{
    const struct kv_op_result *read = result->result_count ? &result->results[0] : NULL;
    return read && (read->pair_count != 1 || read->pairs[0].mod_revision != leader->epoch);
}

/* Some unit was written since the plan was made, or something else is not as it was: under a guard
 * for each of the units it will be seen which of these are in the way. */
static void send_again(struct leader *leader, const struct span *actions)
{
    leader->again[leader->again_count++] = *actions;
    leader->units_mark = 0;
    unit_guard_refuse(&leader->unit_guard);
}

static void on_committed(const struct kv_txn_result *result, void *userdata)
{
    struct flight *flight = userdata;
    struct leader *leader = take_ptr(flight->leader);
    leader->in_flight--;
    if (result->code < 0) {
        log_warning("leader: outcome of a write unknown (%s); taking a new epoch before the next",
                    result->reason);
        doubt(leader);
        return;
    }
    if (!result->succeeded && is_deposed(leader, result)) {
        log_info("leader: the epoch is not ours any more; asking anew");
        doubt(leader);
        return;
    }
    if (result->succeeded && result->revision > leader->barrier_revision)
        leader->barrier_revision = result->revision;
    if (!result->succeeded && flight->has_mark)
        send_again(leader, &flight->actions);
    else if (!result->succeeded)
        leader->refused = true;
    send_more(leader);
}

/* Fills an empty transaction from a block that is too large for any. Its units come to the same
 * machine none the less: should the rest be refused, the next plan has it join these. */
static int add_part(const struct commit_context *context, struct commit *commit,
                    const struct action *head, size_t *count, struct error *err)
{
    size_t added = 0;
    int r = 0;
    while (r == 0 && added < *count) {
        r = commit_add(context, commit, &head[added], 1, err);
        added += r == 0;
    }
    log_warning("leader: no transaction has room for %zu actions that belong together, from %s %s "
                "on; writing %zu of them first",
                *count, action_kind_name(head->kind), head->unit ? head->unit : "", added);
    *count = added;
    return r < 0 ? r : 0;
}

/* What is sent again was told of before. */
static void tell(struct leader *leader, const struct span *actions, const struct commit *commit)
{
    if (actions->next >= leader->next_action)
        decisions_tell(&leader->decisions, &leader->plan->actions[actions->next], commit->reasons,
                       actions->end - actions->next);
}

/* Adds the block that comes next: 1 and nothing added if it is for another transaction. */
static int add_next(const struct leader *leader, const struct commit_context *context,
                    struct commit *commit, struct span *actions, struct error *err)
{
    const struct action *head = &leader->plan->actions[actions->next];
    size_t count = block_length(leader->plan, actions->next);
    if (count > actions->end - actions->next) /* the rest was sent by itself */
        count = actions->end - actions->next;
    int r = commit_add(context, commit, head, count, err);
    if (r == 1 && commit->op_count == 0)
        r = add_part(context, commit, head, &count, err);
    if (r != 0)
        return r;
    actions->next += count;
    return 0;
}

/* Fills a transaction with as many of the next blocks as fit. */
static int fill(const struct leader *leader, const struct commit_context *context,
                struct commit *commit, struct span *actions, struct error *err)
{
    int r = commit_begin(context, commit, err);
    while (r == 0 && actions->next < actions->end &&
           (commit->op_count == 0 || !leader->one_at_a_time))
        r = add_next(leader, context, commit, actions, err);
    return r < 0 ? r : 0;
}

/* What was refused under one guard for all units goes first. */
static struct span next_span(const struct leader *leader)
{
    return leader->again_count ? leader->again[leader->again_count - 1]
                               : (struct span){ leader->next_action, leader->plan->count };
}

static void set_next_span(struct leader *leader, const struct span *left)
{
    if (!leader->again_count)
        leader->next_action = left->next;
    else if (left->next < left->end)
        leader->again[leader->again_count - 1] = *left;
    else
        leader->again_count--;
}

/* New assignments and rewritten ones stand each for itself, in whatever order they land. What takes
 * something away may make room for what follows it, so there the order is kept. */
static bool is_alone(const struct leader *leader, const struct span *actions)
{
    for (size_t i = actions->next; i < actions->end; i++) {
        if (i == actions->next + KV_TXN_OPS_MAX)
            break;
        if (leader->plan->actions[i].kind != ACTION_ASSIGN)
            return true;
    }
    return false;
}

static struct flight *free_flight(struct leader *leader)
{
    struct flight *flight = leader->flights;
    while (flight->leader)
        flight++;
    return flight;
}

static int send(struct leader *leader, struct commit *commit, struct flight *flight,
                struct error *err)
{
    const struct kv_op read_leader = kv_op_range(commit->compares[0].key);
    struct kv_txn txn = { .compares = commit->compares,
                          .compare_count = commit->compare_count,
                          .success = commit->ops,
                          .success_count = commit->op_count,
                          .failure = &read_leader,
                          .failure_count = 1,
                          .once = true };
    flight->has_mark = commit->has_mark;
    if (commit->marks_units) /* for what follows, the mark is another */
        leader->units_mark = 0;
    return kv_txn(leader->config.kv, &txn, on_committed, flight, err);
}

static void send_next(struct leader *leader)
{
    struct error err = { 0 };
    struct commit commit;
    const struct commit_context context = { .prefix = leader->config.prefix,
                                            .epoch = leader->epoch,
                                            .units_mark = leader->units_mark,
                                            .wall_ms = clock_wall_ms() };
    struct span left = next_span(leader);
    struct flight *flight = free_flight(leader);
    const size_t first = left.next;
    int r = fill(leader, &context, &commit, &left, &err);
    flight->actions = (struct span){ first, left.next };
    if (r == 0)
        r = send(leader, &commit, flight, &err);
    if (r == 0)
        tell(leader, &flight->actions, &commit);
    commit_done(&commit);
    if (r < 0) {
        log_error("leader: a plan cannot be written: %s; planning again", err.text);
        leader->refused = true;
        leader->next_action = leader->plan->count;
        leader->again_count = 0;
        return;
    }
    set_next_span(leader, &left);
    flight->leader = leader;
    leader->in_flight++;
}

static bool may_send(struct leader *leader)
{
    const struct span next = next_span(leader);
    if (next.next >= next.end)
        return false;
    bool alone = is_alone(leader, &next);
    if (leader->in_flight > 0 && (alone || leader->is_alone || leader->in_flight >= IN_FLIGHT_MAX))
        return false;
    leader->is_alone = alone;
    return true;
}

static void send_more(struct leader *leader)
{
    while (may_send(leader))
        send_next(leader);
    if (leader->in_flight == 0)
        finish_plan(leader);
}

/* --- planning --- */

static void make_plan(struct leader *leader)
{
    struct error err = { 0 };
    const struct plan_clock clock = {
        .now_ms = clock_boot_ms(),
        .contact = leader->config.contact(leader->config.userdata),
        .wall_ms = clock_wall_ms(),
    };
    loop_timer_cancel(leader->wake);
    leader->units_mark = unit_guard_plan(&leader->unit_guard);
    if (leader->one_at_a_time) /* who is in the way is to be seen */
        leader->units_mark = 0;
    if (plan_step(leader->model, &clock, &leader->plan, &err) < 0) {
        log_error("leader: cannot plan: %s; trying again", err.text);
        loop_timer_set(leader->wake, REPLAN_MIN_MS);
        return;
    }
    /* Machines come and go, and so do those with the shortest lease. */
    leader->config.judge(model_shortest_ttl_ms(leader->model), leader->config.userdata);
    if (leader->plan->wake_ms >= 0)
        loop_timer_set(leader->wake, leader->plan->wake_ms - clock.now_ms);
    if (!leader->plan->count) {
        plan_free(take_ptr(leader->plan));
        return;
    }
    leader->phase = LEADER_COMMITTING;
    leader->next_action = 0;
    leader->again_count = 0;
    leader->refused = false;
    blocks_sort(leader->plan);
    decisions_begin(&leader->decisions, leader->epoch);
    send_more(leader);
}

/* This leader decides nothing any more; its owner does away with it in a later turn. */
static void bar(struct leader *leader, const char *reason)
{
    if (leader->phase == LEADER_BARRED)
        return;
    log_error("leader: %s; deciding nothing any more", reason);
    leader->phase = LEADER_BARRED;
    loop_timer_cancel(leader->wake);
    leader->config.on_barred(leader->config.userdata);
}

/* --- the cluster's own key, once --- */

static void on_founded(const struct kv_txn_result *result, void *userdata)
{
    struct leader *leader = userdata;
    leader->phase = LEADER_CATCHING_UP;
    if (result->code < 0 || !result->succeeded) { /* deposed, or founded by another meanwhile */
        doubt(leader);
        return;
    }
    if (result->revision > leader->barrier_revision)
        leader->barrier_revision = result->revision;
    consider(leader);
}

static void found_cluster(struct leader *leader, const char *key)
{
    struct error err = { 0 };
    char uuid[2 * UUID_BYTES + 1];
    autofree char *value = NULL;
    autofree char *leader_key = store_key(leader->config.prefix, STORE_KEY_LEADER, NULL, NULL, 0);
    text_random_hex(UUID_BYTES, uuid);
    const struct record_cluster record = { .uuid = uuid, .schema = SCHEMA };
    int r = record_cluster_encode(&record, &value, &err);
    if (r < 0 || !leader_key)
        return;
    struct kv_compare compares[] = { kv_if_mod(leader_key, leader->epoch), kv_if_absent(key) };
    struct kv_op put = kv_op_put(key, value);
    struct kv_txn txn = {
        .compares = compares, .compare_count = 2, .success = &put, .success_count = 1
    };
    leader->phase = LEADER_FOUNDING;
    if (kv_txn(leader->config.kv, &txn, on_founded, leader, &err) < 0)
        bar(leader, err.text);
    else
        log_info("leader: founding cluster %s", uuid);
}

static bool may_lead(const struct leader *leader, const struct kv_pair *cluster)
{
    autorecord(cluster) record = { 0 };
    if (cluster && record_cluster_decode(cluster->value, cluster->value_length, &record, NULL) < 0)
        return false;
    return leader->config.may_lead(record.uuid, leader->config.userdata);
}

/* Whether the mirror shows all that we know to be in the store; then plan. */
static void consider(struct leader *leader)
{
    int64_t revision = kv_mirror_revision(leader->mirror);
    bool waiting = leader->phase == LEADER_CATCHING_UP || leader->phase == LEADER_PLANNING;
    if (!waiting || !revision || revision < leader->epoch || revision < leader->barrier_revision)
        return;
    autofree char *key = store_key(leader->config.prefix, STORE_KEY_CLUSTER, NULL, NULL, 0);
    if (!key)
        return;
    const struct kv_pair *cluster = kv_mirror_get(leader->mirror, key);
    if (!may_lead(leader, cluster)) {
        bar(leader, "the store belongs to another cluster");
        return;
    }
    if (!cluster) {
        found_cluster(leader, key);
        return;
    }
    leader->phase = LEADER_PLANNING;
    make_plan(leader);
}

static void on_wake(struct loop_timer *timer, void *userdata)
{
    (void)timer;
    consider(userdata);
}

/* --- what the mirror tells --- */

/* It may have been a unit. */
static void miss(struct leader *leader, const char *reason)
{
    unit_guard_see_unreadable_unit(&leader->unit_guard);
    log_error("leader: %s", reason);
}

static void on_change(const struct kv_pair *old, const struct kv_pair *pair, void *userdata)
{
    struct leader *leader = userdata;
    struct error err = { 0 };
    if (fold_change(leader->fold, old, pair, clock_boot_ms(), &err) < 0)
        miss(leader, err.text);
}

static void on_revision(int64_t revision, void *userdata)
{
    struct leader *leader = userdata;
    struct error err = { 0 };
    (void)revision;
    if (fold_settle(leader->fold, &err) < 0)
        miss(leader, err.text);
    consider(leader);
}

static void on_mirror_lost(int code, const char *reason, void *userdata)
{
    (void)code;
    bar(userdata, reason);
}

static const struct kv_pair *find_pair(const char *key, void *userdata)
{
    const struct leader *leader = userdata;
    return kv_mirror_get(leader->mirror, key);
}

static void on_unreadable(const char *key, const char *reason, void *userdata)
{
    (void)userdata;
    log_error("store: the value of %s cannot be read (%s); ignoring it", key, reason);
}

/* --- life --- */

int leader_new(const struct leader_config *config, int64_t epoch, struct leader **ret,
               struct error *err)
{
    static const struct kv_mirror_callbacks mirror_callbacks = { .on_change = on_change,
                                                                 .on_revision = on_revision,
                                                                 .on_lost = on_mirror_lost };
    autoptr(leader) leader = calloc(1, sizeof(*leader));
    if (!leader)
        return error_oom(err);
    leader->config = *config;
    leader->epoch = epoch;
    leader->phase = LEADER_CATCHING_UP;
    leader->replan_ms = REPLAN_MIN_MS;
    int r = model_new(&leader->model, err);
    if (r < 0)
        return r;
    const struct fold_config fold_config = { .prefix = config->prefix,
                                             .model = leader->model,
                                             .guard = &leader->unit_guard,
                                             .find = find_pair,
                                             .on_unreadable = on_unreadable,
                                             .userdata = leader };
    r = fold_new(&fold_config, &leader->fold, err);
    if (r == 0)
        r = loop_timer_new(config->loop, "leader wake", on_wake, leader, &leader->wake, err);
    if (r == 0)
        r = kv_mirror_new(config->loop, config->kv, config->prefix, &mirror_callbacks, leader,
                          &leader->mirror, err);
    if (r < 0)
        return r;
    model_touch_all(leader->model);
    *ret = take_ptr(leader);
    return 0;
}

void leader_free(struct leader *leader)
{
    if (!leader)
        return;
    forget_requests(leader);
    kv_mirror_free(leader->mirror);
    loop_timer_free(leader->wake);
    plan_free(leader->plan);
    fold_free(leader->fold);
    model_free(leader->model);
    free(leader);
}

/* Also unasked, when the election has lost its watch and asks whether it leads still: then
 * something may be in flight. */
void leader_set_epoch(struct leader *leader, int64_t epoch)
{
    forget_plan(leader);
    leader->epoch = epoch;
    leader->refused = false;
    leader->one_at_a_time = false;
    if (leader->phase == LEADER_BARRED)
        return;
    leader->phase = LEADER_CATCHING_UP;
    model_touch_all(leader->model);
    consider(leader);
}

int64_t leader_store_revision(const struct leader *leader)
{
    return kv_mirror_revision(leader->mirror);
}

void leader_on_contact(struct leader *leader)
{
    consider(leader);
}
