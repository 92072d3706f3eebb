/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/leader.h"

#include <stdlib.h>

#include "agent/fold.h"
#include "agent/plan_writer.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "kvclient/kv_mirror.h"
#include "scheduler/plan.h"

enum {
    UUID_BYTES = 16,
    SCHEMA = 1,
    REPLAN_MIN_MS = 100,
    REPLAN_MAX_MS = 10000,
    /* Actions of a plan: nothing is planned before it is written, so of a long one the store is
     * spared to tell us meanwhile, most of it of what we wrote. */
    PAUSE_FROM = 1000,
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
    struct plan_writer *writer;
    struct unit_guard unit_guard;
    int64_t replan_ms;        /* the wait after a refusal: doubles until something is written */
    int64_t founded_revision; /* 0: not by this leader */
};

static void consider(struct leader *leader);

/* --- committing --- */

static void on_written(bool refused, void *userdata)
{
    struct leader *leader = userdata;
    kv_mirror_pause(leader->mirror, false);
    leader->phase = LEADER_CATCHING_UP;
    if (refused) { /* what was refused must be thought of again, with what made it so */
        model_touch_all(leader->model);
        loop_timer_set(leader->wake, leader->replan_ms);
        leader->replan_ms =
            leader->replan_ms * 2 > REPLAN_MAX_MS ? REPLAN_MAX_MS : leader->replan_ms * 2;
        return;
    }
    leader->replan_ms = REPLAN_MIN_MS;
    consider(leader);
}

/* Under a new epoch nothing of the old one can land: what is still in flight has landed by then or
 * never will, and the mirror shows which. */
static void forget_requests(struct leader *leader)
{
    kv_forget(leader->config.kv, leader);
    plan_writer_forget(leader->writer);
    kv_mirror_pause(leader->mirror, false);
}

/* Nothing more is written until there is a new epoch. */
static void on_doubt(void *userdata)
{
    struct leader *leader = userdata;
    kv_mirror_pause(leader->mirror, false);
    leader->phase = LEADER_DOUBTING;
    leader->config.renew_epoch(leader->config.userdata);
}

/* --- planning --- */

static void make_plan(struct leader *leader)
{
    struct error err = { 0 };
    autoptr(plan) plan = NULL;
    const struct plan_clock clock = {
        .now_ms = clock_boot_ms(),
        .contact = leader->config.contact(leader->config.userdata),
        .wall_ms = clock_wall_ms(),
    };
    loop_timer_cancel(leader->wake);
    int64_t units_mark = unit_guard_plan(&leader->unit_guard);
    if (plan_step(leader->model, &clock, &plan, &err) < 0) {
        log_error("leader: cannot plan: %s; trying again", err.text);
        loop_timer_set(leader->wake, REPLAN_MIN_MS);
        return;
    }
    /* Machines come and go, and so do those with the shortest lease. */
    leader->config.judge(model_shortest_ttl_ms(leader->model), leader->config.userdata);
    if (plan->wake_ms >= 0)
        loop_timer_set(leader->wake, plan->wake_ms - clock.now_ms);
    if (!plan->count)
        return;
    leader->phase = LEADER_COMMITTING;
    kv_mirror_pause(leader->mirror, plan->count >= PAUSE_FROM);
    plan_writer_begin(leader->writer, take_ptr(plan), leader->epoch, units_mark);
}

/* This leader decides nothing any more; its owner does away with it in a later turn. */
static void bar(struct leader *leader, const char *reason)
{
    if (leader->phase == LEADER_BARRED)
        return;
    log_error("leader: %s; deciding nothing any more", reason);
    forget_requests(leader);
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
        on_doubt(leader);
        return;
    }
    leader->founded_revision = result->revision;
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

/* Whether the mirror shows all that we know to be in the store. */
static bool is_caught_up(const struct leader *leader)
{
    int64_t revision = kv_mirror_revision(leader->mirror);
    return revision && revision >= leader->epoch && revision >= leader->founded_revision &&
           revision >= plan_writer_revision(leader->writer);
}

static void consider(struct leader *leader)
{
    bool waiting = leader->phase == LEADER_CATCHING_UP || leader->phase == LEADER_PLANNING;
    if (!waiting || !is_caught_up(leader))
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
    const struct plan_writer_config writer_config = { .kv = config->kv,
                                                      .prefix = config->prefix,
                                                      .guard = &leader->unit_guard,
                                                      .on_written = on_written,
                                                      .on_doubt = on_doubt,
                                                      .userdata = leader };
    r = fold_new(&fold_config, &leader->fold, err);
    if (r == 0)
        r = plan_writer_new(&writer_config, &leader->writer, err);
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
    plan_writer_free(leader->writer);
    kv_mirror_free(leader->mirror);
    loop_timer_free(leader->wake);
    fold_free(leader->fold);
    model_free(leader->model);
    free(leader);
}

/* Also unasked, when the election has lost its watch and asks whether it leads still: then
 * something may be in flight. */
void leader_set_epoch(struct leader *leader, int64_t epoch)
{
    forget_requests(leader);
    leader->epoch = epoch;
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
