/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/identity.h"
#include "base/log.h"
#include "base/text.h"

enum { RETRY_MS = 1000, FOREIGN_RETRY_MS = 10000 };

/* --- whose store is it --- */

static void join(struct agent *agent);
static void take_assignments(struct agent *agent);

static void note_revision(struct agent *agent)
{
    const int64_t told[] = {
        presence_store_revision(agent->presence),
        agent->mirror ? kv_mirror_revision(agent->mirror) : 0,
        agent->leader ? leader_store_revision(agent->leader) : 0,
    };
    for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++)
        if (agent->store_revision < told[i])
            agent->store_revision = told[i];
}

/* Lets go of everything that acts in a store that is not ours; units run on, and who asks is told.
 */
static void part(struct agent *agent)
{
    struct error err = { 0 };
    note_revision(agent);
    agent->leader_is_barred = false;
    agent_stop_leading(agent);
    election_free(take_ptr(agent->election));
    kv_mirror_free(take_ptr(agent->mirror));
    presence_park(agent->presence);
    reports_set_registration(agent->reports, 0);
    if (agent_make_election(agent, &err) < 0)
        log_error("leader: this machine cannot lead: %s", err.text);
}

static void turn_foreign(struct agent *agent, const char *found)
{
    loop_timer_set(agent->identify, FOREIGN_RETRY_MS);
    if (agent->foreign)
        return;
    agent->foreign = true;
    log_error("store: it belongs to another cluster (%s; we belong to %s): starting and stopping "
              "nothing; mend etcd_servers, bring the store back, or stop musterd and remove %s to "
              "join the new one",
              found, agent->uuid ? agent->uuid : "none", agent->identity_path);
    part(agent);
    agent_tell_systemd(agent);
}

/* What is in it may be an hour old: units that it knows nothing of run, and some that it wants were
 * stopped on purpose. Whether to go on from there is not for us to decide. */
void agent_turn_younger(struct agent *agent)
{
    if (agent->younger)
        return;
    agent->younger = true;
    agent->foreign = true;
    loop_timer_cancel(agent->identify);
    log_error("store: its revision went back, so it was restored: starting and stopping nothing; "
              "restart musterd, on all machines at once, to have done what the store says");
    part(agent);
    agent_tell_systemd(agent);
}

void agent_remember_cluster(struct agent *agent, const char *uuid)
{
    struct error err = { 0 };
    free(agent->uuid);
    agent->uuid = strdup(uuid);
    if (identity_save(agent->identity_path, uuid, &err) < 0)
        log_warning("cluster %s: not remembered (%s)", uuid, err.text);
    else
        log_info("cluster %s: joined", uuid);
    take_assignments(agent);
}

/* Judges the store by its `cluster` key; pair NULL: it has none. */
static enum identity_verdict judge_store(struct agent *agent, const struct kv_pair *pair)
{
    autorecord(cluster) record = { 0 };
    if (pair && record_cluster_decode(pair->value, pair->value_length, &record, NULL) < 0) {
        turn_foreign(agent, "its key cluster cannot be read");
        return IDENTITY_FOREIGN;
    }
    enum identity_verdict verdict = identity_judge(agent->uuid, record.uuid);
    if (verdict == IDENTITY_ADOPT)
        agent_remember_cluster(agent, record.uuid);
    if (verdict == IDENTITY_FOREIGN)
        turn_foreign(agent, record.uuid ? record.uuid : "none");
    return verdict;
}

static void on_cluster_read(const struct kv_range_result *result, void *userdata)
{
    struct agent *agent = userdata;
    agent->asking--;
    if (agent->younger)
        return;
    if (result->code == -EREMCHG ||
        (result->code == 0 && result->revision < agent->asked_revision)) {
        agent_turn_younger(agent);
        return;
    }
    if (result->code == -ESTALE) {
        turn_foreign(agent, result->reason);
        return;
    }
    if (result->code < 0) {
        if (!agent->store_is_away) /* said once, until it answers */
            log_warning("store: %s; units run on, trying again", result->reason);
        agent->store_is_away = true;
        loop_timer_set(agent->identify, RETRY_MS);
        return;
    }
    if (agent->store_is_away)
        log_info("store: it answers");
    agent->store_is_away = false;
    if (judge_store(agent, result->pair_count ? &result->pairs[0] : NULL) == IDENTITY_FOREIGN)
        return;
    if (agent->foreign)
        log_info("store: it is our own again");
    agent->foreign = false;
    agent_replace_leader(agent);
    join(agent);
    if (!agent->uuid) /* about to be founded by the first leader */
        loop_timer_set(agent->identify, RETRY_MS);
}

void agent_on_identify(struct loop_timer *timer, void *userdata)
{
    struct agent *agent = userdata;
    struct error err = { 0 };
    autofree char *key =
        store_key(agent->config->etcd_key_prefix, STORE_KEY_CLUSTER, NULL, NULL, 0);
    (void)timer;
    if (agent->younger)
        return;
    note_revision(agent);
    if (agent->asking == 0)
        agent->asked_revision = agent->store_revision;
    if (!key || kv_range(agent->kv, key, false, on_cluster_read, agent, &err) < 0)
        loop_timer_set(agent->identify, RETRY_MS);
    else
        agent->asking++;
}

/* --- own assignments --- */

static void take_assignment(struct agent *agent, const char *unit, const struct kv_pair *pair)
{
    struct error err = { 0 };
    autorecord(assignment) record = { 0 };
    int r = record_assignment_decode(pair->value, pair->value_length, &record, &err);
    if (r == 0)
        r = runner_assign(agent->runner, unit, pair->mod_revision, &record, &err);
    if (r < 0)
        log_unit(LOG_LEVEL_ERROR, unit, "its assignment cannot be followed: %s", err.text);
}

static int visit_assignment(const struct kv_pair *pair, void *userdata)
{
    struct agent *agent = userdata;
    struct store_key_parts parts;
    store_key_parse(agent->config->etcd_key_prefix, pair->key, &parts);
    if (parts.kind == STORE_KEY_ASSIGNMENT)
        take_assignment(agent, parts.name, pair);
    return 0;
}

/* What was held back until we knew whose orders they are. */
static void take_assignments(struct agent *agent)
{
    if (agent->mirror)
        (void)kv_mirror_each(agent->mirror, agent->own_prefix, visit_assignment, agent);
}

/* One read answers for all that has gone until it is sent; what goes while it is under way waits
 * for the next. */
static void ask_absence(struct agent *agent)
{
    if (agent->absence_asked)
        agent->absence_again = true;
    else
        loop_timer_set(agent->absence, 0);
}

static void on_own_change(const struct kv_pair *old, const struct kv_pair *pair, void *userdata)
{
    struct agent *agent = userdata;
    struct store_key_parts parts;
    store_key_parse(agent->config->etcd_key_prefix, pair ? pair->key : old->key, &parts);
    if (parts.kind == STORE_KEY_PRESENCE && !pair) {
        presence_on_deleted(agent->presence, old->create_revision);
    } else if (parts.kind == STORE_KEY_ASSIGNMENT && !agent->uuid) {
        loop_timer_set(agent->identify, 0); /* no orders from a cluster that we do not know yet */
    } else if (parts.kind == STORE_KEY_ASSIGNMENT && pair) {
        take_assignment(agent, parts.name, pair);
    } else if (parts.kind == STORE_KEY_ASSIGNMENT) {
        runner_unassign(agent->runner, parts.name);
        ask_absence(agent);
    }
}

static bool is_assigned(const char *unit, void *userdata)
{
    const struct agent *agent = userdata;
    autofree char *key =
        store_key(agent->config->etcd_key_prefix, STORE_KEY_ASSIGNMENT, agent->machine.id, unit, 0);
    return !key || kv_mirror_get(agent->mirror, key);
}

/* Once both are known, our states and our assignments: states that belong to no assignment are
 * deleted. */
void agent_drop_strangers(struct agent *agent)
{
    if (!agent->states_known || agent->strangers_dropped || !agent->mirror ||
        !kv_mirror_revision(agent->mirror))
        return;
    agent->strangers_dropped = true;
    reports_delete_strangers(agent->reports, is_assigned, agent);
}

static void on_own_revision(int64_t revision, void *userdata)
{
    struct agent *agent = userdata;
    (void)revision;
    if (agent->mirror_is_new) /* what was unassigned while we had no mirror */
        runner_retain(agent->runner, is_assigned, agent);
    agent->mirror_is_new = false;
    agent_drop_strangers(agent);
    if (!agent->absence_asked && !loop_timer_is_set(agent->absence) &&
        runner_has_unconfirmed(agent->runner))
        loop_timer_set(agent->absence, 0);
}

static void on_own_lost(int code, const char *reason, void *userdata)
{
    struct agent *agent = userdata;
    if (code == -EREMCHG)
        agent_turn_younger(agent);
    else
        turn_foreign(agent, reason);
}

/* The store is ours: follow our keys, and register. Does only what is not done yet. */
static void join(struct agent *agent)
{
    static const struct kv_mirror_callbacks callbacks = { .on_change = on_own_change,
                                                          .on_revision = on_own_revision,
                                                          .on_lost = on_own_lost };
    struct error err = { 0 };
    if (!agent->mirror) {
        agent->mirror_is_new = true;
        if (kv_mirror_new(agent->loop, agent->kv, agent->own_prefix, &callbacks, agent,
                          &agent->mirror, &err) < 0) {
            log_error("store: %s; trying again", err.text);
            loop_timer_set(agent->identify, RETRY_MS);
            return;
        }
    }
    presence_start(agent->presence);
}

/* --- units that are no longer assigned --- */

static int names_of(const struct agent *agent, const struct kv_op_result *result, char ***ret)
{
    autostrv names = NULL;
    for (size_t i = 0; i < result->pair_count; i++) {
        struct store_key_parts parts;
        store_key_parse(agent->config->etcd_key_prefix, result->pairs[i].key, &parts);
        int r = strv_add(&names, parts.name, NULL);
        if (r < 0)
            return r;
    }
    *ret = take_ptr(names);
    return 0;
}

/* An absent key is no order to stop. It is one only where this read shows the store that we know,
 * with a leader in it: whoever wiped the store has wiped those as well. */
static void on_absence_read(const struct kv_txn_result *result, void *userdata)
{
    struct agent *agent = userdata;
    autostrv assigned = NULL;
    agent->absence_asked = false;
    bool confirmed = result->code == 0 && result->result_count == 3;
    if (confirmed && result->results[0].pair_count == 1 && result->results[1].pair_count == 1 &&
        judge_store(agent, &result->results[0].pairs[0]) == IDENTITY_OURS &&
        names_of(agent, &result->results[2], &assigned) == 0)
        runner_confirm_absence(agent->runner, assigned);
    if (runner_has_unconfirmed(agent->runner) && !agent->foreign)
        loop_timer_set(agent->absence, agent->absence_again ? 0 : RETRY_MS);
}

void agent_on_absence(struct loop_timer *timer, void *userdata)
{
    struct agent *agent = userdata;
    const char *prefix = agent->config->etcd_key_prefix;
    (void)timer;
    if (agent->absence_asked || !runner_has_unconfirmed(agent->runner))
        return;
    autofree char *cluster = store_key(prefix, STORE_KEY_CLUSTER, NULL, NULL, 0);
    autofree char *leader = store_key(prefix, STORE_KEY_LEADER, NULL, NULL, 0);
    autofree char *units = text_format("%sunits/", agent->own_prefix);
    struct kv_op ops[] = { kv_op_range(cluster), kv_op_range(leader), kv_op_range_prefix(units) };
    struct kv_txn txn = { .success = ops, .success_count = 3 };
    ops[2].keys_only = true;
    agent->absence_again = false;
    agent->absence_asked =
        cluster && leader && units && kv_txn(agent->kv, &txn, on_absence_read, agent, NULL) == 0;
    if (!agent->absence_asked)
        loop_timer_set(agent->absence, RETRY_MS);
}
