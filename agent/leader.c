/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/leader.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/commit.h"
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

struct leader {
    struct leader_config config;
    int64_t epoch;
    enum leader_phase phase;
    struct kv_mirror *mirror;
    struct model *model;
    struct fold *fold;
    struct loop_timer *wake;
    struct plan *plan;        /* being committed */
    size_t next_action;       /* of it, not sent yet */
    size_t in_flight;         /* transactions of it */
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

/* Under a new epoch nothing of the old one can land: what is still in flight has landed by then or
 * never will, and the mirror shows which. */
static void forget_plan(struct leader *leader)
{
    kv_forget(leader->config.kv, leader);
    leader->in_flight = 0;
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

static void on_committed(const struct kv_txn_result *result, void *userdata)
{
    struct leader *leader = userdata;
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
    if (!result->succeeded)
        leader->refused = true;
    else if (result->revision > leader->barrier_revision)
        leader->barrier_revision = result->revision;
    send_more(leader);
}

static void log_action(const struct leader *leader, const struct action *action)
{
    const struct log_fields fields = { .unit = action->unit,
                                       .machine = action->machine,
                                       .epoch = leader->epoch };
    autofree char *reason = action_reason(action);
    log_write(LOG_LEVEL_INFO, &fields, "leader: %s %s%s%.8s: %s", action_kind_name(action->kind),
              action_subject(action), action->machine ? " on " : "",
              action->machine ? action->machine : "", reason ? reason : "");
}

/* Fills an empty transaction from a block that is too large for any. Its units come to the same
 * machine none the less: should the rest be refused, the next plan has it join these. */
static int add_part(const struct leader *leader, const struct commit_context *context,
                    struct commit *commit, size_t *count, struct error *err)
{
    const struct action *head = &leader->plan->actions[leader->next_action];
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

/* Adds the block that comes next: 1 and nothing added if it is for another transaction. */
static int add_next(struct leader *leader, const struct commit_context *context,
                    struct commit *commit, struct error *err)
{
    const struct action *head = &leader->plan->actions[leader->next_action];
    size_t count = block_length(leader->plan, leader->next_action);
    int r = commit_add(context, commit, head, count, err);
    if (r == 1 && commit->op_count == 0)
        r = add_part(leader, context, commit, &count, err);
    if (r != 0)
        return r;
    for (size_t i = 0; i < count; i++)
        log_action(leader, &head[i]);
    leader->next_action += count;
    return 0;
}

/* Fills a transaction with as many of the plan's next blocks as fit. */
static int fill(struct leader *leader, const struct commit_context *context, struct commit *commit,
                struct error *err)
{
    int r = commit_begin(context, commit, err);
    while (r == 0 && leader->next_action < leader->plan->count &&
           (commit->op_count == 0 || !leader->one_at_a_time))
        r = add_next(leader, context, commit, err);
    return r < 0 ? r : 0;
}

/* New assignments and rewritten ones stand each for itself, in whatever order they land. What takes
 * something away may make room for what follows it, so there the order is kept. */
static bool next_is_alone(const struct leader *leader)
{
    const struct plan *plan = leader->plan;
    for (size_t i = leader->next_action; i < plan->count; i++) {
        if (i == leader->next_action + KV_TXN_OPS_MAX)
            break;
        if (plan->actions[i].kind != ACTION_ASSIGN)
            return true;
    }
    return false;
}

static void send_next(struct leader *leader)
{
    struct error err = { 0 };
    struct commit commit;
    const struct commit_context context = { .prefix = leader->config.prefix,
                                            .epoch = leader->epoch,
                                            .wall_ms = clock_wall_ms() };
    int r = fill(leader, &context, &commit, &err);
    const struct kv_op read_leader = kv_op_range(commit.compares[0].key);
    struct kv_txn txn = { .compares = commit.compares,
                          .compare_count = commit.compare_count,
                          .success = commit.ops,
                          .success_count = commit.op_count,
                          .failure = &read_leader,
                          .failure_count = 1,
                          .once = true };
    if (r == 0)
        r = kv_txn(leader->config.kv, &txn, on_committed, leader, &err);
    commit_done(&commit);
    if (r < 0) {
        log_error("leader: a plan cannot be written: %s; planning again", err.text);
        leader->refused = true;
        leader->next_action = leader->plan->count;
        return;
    }
    leader->in_flight++;
}

static bool may_send(struct leader *leader)
{
    if (leader->next_action >= leader->plan->count)
        return false;
    bool alone = next_is_alone(leader);
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
    leader->refused = false;
    blocks_sort(leader->plan);
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

static void on_change(const struct kv_pair *old, const struct kv_pair *pair, void *userdata)
{
    struct leader *leader = userdata;
    struct error err = { 0 };
    if (fold_change(leader->fold, old, pair, clock_boot_ms(), &err) < 0)
        log_error("leader: %s", err.text);
}

static void on_revision(int64_t revision, void *userdata)
{
    struct leader *leader = userdata;
    struct error err = { 0 };
    (void)revision;
    if (fold_settle(leader->fold, &err) < 0)
        log_error("leader: %s", err.text);
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
    kv_forget(leader->config.kv, leader);
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
