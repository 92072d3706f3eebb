/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <systemd/sd-daemon.h>

#include "agent/identity.h"
#include "agent/leader.h"
#include "agent/machine.h"
#include "agent/presence.h"
#include "agent/publish.h"
#include "agent/runner.h"
#include "agent/systemd.h"
#include "api/api.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "kvclient/election.h"
#include "kvclient/kv_etcd.h"
#include "kvclient/kv_mirror.h"

enum {
    EXIT_DUPLICATE = 78, /* EX_CONFIG: systemd is told not to hurry to try again */
    PATH_SIZE = 512,
    RETRY_MS = 1000,
    FOREIGN_RETRY_MS = 10000,
    STOP_DEADLINE_MS = 1500,
    BUS_PATIENCE_MS = 2000,
    TRIM_MS = 3000,
    RANK_DELAY_MS = 20,
    RANK_DELAY_MAX_MS = 1000,
};

struct agent {
    struct loop *loop; /* borrowed, as the next two */
    const struct config *config;
    const struct agent_paths *paths;
    struct machine machine;
    char identity_path[PATH_SIZE];
    char lease_path[PATH_SIZE];
    char *own_prefix; /* nodes/<id>/ */
    int lock_fd;
    struct kv *kv;
    struct reports *reports;
    struct runner *runner;
    struct systemd *systemd;
    struct presence *presence;
    struct publish *publish;
    struct kv_mirror *mirror; /* of own_prefix */
    struct election *election;
    struct leader *leader;
    struct api *api;
    char *uuid; /* of the cluster; NULL: not known yet */
    bool leader_is_barred;
    bool foreign; /* the store is another's: nothing is done */
    bool mirror_is_new;
    bool states_read;
    bool states_known;
    bool strangers_dropped;
    bool stopping;
    bool resigned;
    bool system_asked;
    bool system_stopping;
    int exit_code;
    struct loop_timer *identify;
    struct loop_timer *absence;
    struct loop_timer *bus_patience;
    struct loop_timer *stop_deadline;
    struct loop_timer *watchdog;
    struct loop_timer *trim;
    int64_t watchdog_ms;
};

static void tell_systemd(struct agent *agent)
{
    loop_timer_set(agent->trim, TRIM_MS);
    (void)sd_notifyf(0, "STATUS=%s%s",
                     agent->foreign ? "the store belongs to another cluster; doing nothing"
                                    : presence_state_text(agent->presence),
                     agent->leader ? ", leader" : "");
}

/* --- whose store is it --- */

static void join(struct agent *agent);
static void replace_leader(struct agent *agent);
static void take_assignments(struct agent *agent);
static int make_election(struct agent *agent, struct error *err);

/* Lets go of everything that acts in a store that is not ours; units run on, and who asks is told.
 */
static void part(struct agent *agent)
{
    struct error err = { 0 };
    agent->leader_is_barred = false;
    leader_free(take_ptr(agent->leader));
    election_free(take_ptr(agent->election));
    kv_mirror_free(take_ptr(agent->mirror));
    presence_park(agent->presence);
    reports_set_registration(agent->reports, 0);
    if (make_election(agent, &err) < 0)
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
    tell_systemd(agent);
}

static void remember_cluster(struct agent *agent, const char *uuid)
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
    if (pair && record_cluster_decode(pair->value, pair->value_length, &record, NULL) < 0)
        return IDENTITY_FOREIGN;
    enum identity_verdict verdict = identity_judge(agent->uuid, record.uuid);
    if (verdict == IDENTITY_ADOPT)
        remember_cluster(agent, record.uuid);
    if (verdict == IDENTITY_FOREIGN)
        turn_foreign(agent, record.uuid ? record.uuid : "none");
    return verdict;
}

static void on_cluster_read(const struct kv_range_result *result, void *userdata)
{
    struct agent *agent = userdata;
    if (result->code == -ESTALE) {
        turn_foreign(agent, result->reason);
        return;
    }
    if (result->code < 0) {
        log_warning("store: %s; units run on, trying again", result->reason);
        loop_timer_set(agent->identify, RETRY_MS);
        return;
    }
    if (judge_store(agent, result->pair_count ? &result->pairs[0] : NULL) == IDENTITY_FOREIGN)
        return;
    if (agent->foreign)
        log_info("store: it is our own again");
    agent->foreign = false;
    replace_leader(agent);
    join(agent);
    if (!agent->uuid) /* about to be founded by the first leader */
        loop_timer_set(agent->identify, RETRY_MS);
}

static void on_identify(struct loop_timer *timer, void *userdata)
{
    struct agent *agent = userdata;
    struct error err = { 0 };
    autofree char *key =
        store_key(agent->config->etcd_key_prefix, STORE_KEY_CLUSTER, NULL, NULL, 0);
    (void)timer;
    if (!key || kv_range(agent->kv, key, false, on_cluster_read, agent, &err) < 0)
        loop_timer_set(agent->identify, RETRY_MS);
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
        loop_timer_set(agent->absence, 0);
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
static void drop_strangers(struct agent *agent)
{
    if (!agent->states_known || agent->strangers_dropped || !kv_mirror_revision(agent->mirror))
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
    drop_strangers(agent);
    if (runner_has_unconfirmed(agent->runner) && !loop_timer_is_set(agent->absence))
        loop_timer_set(agent->absence, 0);
}

static void on_own_lost(int code, const char *reason, void *userdata)
{
    struct agent *agent = userdata;
    (void)code;
    turn_foreign(agent, reason);
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
    bool confirmed = result->code == 0 && result->result_count == 3;
    if (confirmed && result->results[0].pair_count == 1 && result->results[1].pair_count == 1 &&
        judge_store(agent, &result->results[0].pairs[0]) == IDENTITY_OURS &&
        names_of(agent, &result->results[2], &assigned) == 0)
        runner_confirm_absence(agent->runner, assigned);
    if (runner_has_unconfirmed(agent->runner) && !agent->foreign)
        loop_timer_set(agent->absence, RETRY_MS);
}

static void on_absence(struct loop_timer *timer, void *userdata)
{
    struct agent *agent = userdata;
    const char *prefix = agent->config->etcd_key_prefix;
    (void)timer;
    if (!runner_has_unconfirmed(agent->runner))
        return;
    autofree char *cluster = store_key(prefix, STORE_KEY_CLUSTER, NULL, NULL, 0);
    autofree char *leader = store_key(prefix, STORE_KEY_LEADER, NULL, NULL, 0);
    autofree char *units = text_format("%sunits/", agent->own_prefix);
    struct kv_op ops[] = { kv_op_range(cluster), kv_op_range(leader), kv_op_range_prefix(units) };
    struct kv_txn txn = { .success = ops, .success_count = 3 };
    ops[2].keys_only = true;
    if (!cluster || !leader || !units || kv_txn(agent->kv, &txn, on_absence_read, agent, NULL) < 0)
        loop_timer_set(agent->absence, RETRY_MS);
}

/* --- leadership --- */

static int64_t contact_since(void *userdata)
{
    const struct agent *agent = userdata;
    return presence_contact_since(agent->presence);
}

static bool may_lead(const char *uuid, void *userdata)
{
    struct agent *agent = userdata;
    if (!agent->uuid && uuid)
        remember_cluster(agent, uuid);
    return !agent->uuid || text_equal(agent->uuid, uuid);
}

/* Called from inside the leader: what follows comes in a later turn, with a look at whose store it
 * is. */
static void on_barred(void *userdata)
{
    struct agent *agent = userdata;
    agent->leader_is_barred = true;
    loop_timer_set(agent->identify, 0);
}

/* Gives back a leadership that came to nothing; it may be won again. */
static void replace_leader(struct agent *agent)
{
    if (!agent->leader_is_barred)
        return;
    agent->leader_is_barred = false;
    leader_free(take_ptr(agent->leader));
    (void)election_resign(agent->election, NULL);
    election_set_candidate(agent->election, agent->config->may_lead && !agent->stopping);
    tell_systemd(agent);
}

static void renew_epoch(void *userdata)
{
    struct agent *agent = userdata;
    election_renew_epoch(agent->election);
}

static void on_elected(int64_t epoch, void *userdata)
{
    struct agent *agent = userdata;
    struct error err = { 0 };
    const struct leader_config config = { .loop = agent->loop,
                                          .kv = agent->kv,
                                          .prefix = agent->config->etcd_key_prefix,
                                          .machine = agent->machine.id,
                                          .contact_since = contact_since,
                                          .may_lead = may_lead,
                                          .on_barred = on_barred,
                                          .renew_epoch = renew_epoch,
                                          .userdata = agent };
    if (agent->leader) {
        log_info("leader: epoch is now %" PRId64, epoch);
        leader_set_epoch(agent->leader, epoch);
        return;
    }
    log_info("leader: this machine leads from now on, epoch %" PRId64, epoch);
    if (leader_new(&config, epoch, &agent->leader, &err) < 0) {
        log_error("leader: cannot lead: %s; giving it back", err.text);
        (void)election_resign(agent->election, NULL);
    }
    tell_systemd(agent);
}

static void on_deposed(int code, const char *reason, void *userdata)
{
    struct agent *agent = userdata;
    (void)code;
    if (agent->leader)
        log_info("leader: this machine no longer leads: %s", reason);
    if (election_is_stopped(agent->election))
        log_error("leader: this machine cannot lead: %s", reason);
    leader_free(take_ptr(agent->leader));
    tell_systemd(agent);
}

/* Those that may lead campaign one after the other, 20 ms apart by their rank among the members, so
 * that a thousand do not run at once. */
static void on_members_read(const struct kv_txn_result *result, void *userdata)
{
    struct agent *agent = userdata;
    int64_t rank = 0;
    if (result->code < 0 || result->result_count != 1)
        return;
    for (size_t i = 0; i < result->results[0].pair_count; i++) {
        struct store_key_parts parts;
        store_key_parse(agent->config->etcd_key_prefix, result->results[0].pairs[i].key, &parts);
        rank += parts.kind == STORE_KEY_MEMBER && strcmp(parts.machine, agent->machine.id) < 0;
    }
    int64_t delay_ms = rank * RANK_DELAY_MS;
    election_set_delay(agent->election,
                       delay_ms < RANK_DELAY_MAX_MS ? delay_ms : RANK_DELAY_MAX_MS);
}

static void find_rank(struct agent *agent)
{
    autofree char *members = text_format("%smembers/", agent->config->etcd_key_prefix);
    if (!members)
        return;
    struct kv_op read = kv_op_range_prefix(members);
    struct kv_txn txn = { .success = &read, .success_count = 1 };
    read.keys_only = true;
    (void)kv_txn(agent->kv, &txn, on_members_read, agent, NULL);
}

/* --- the registration --- */

static void on_states_read(const struct kv_range_result *result, void *userdata)
{
    struct agent *agent = userdata;
    if (result->code < 0) {
        log_debug("states: %s", result->reason);
        agent->states_read = false; /* with the next registration */
        return;
    }
    for (size_t i = 0; i < result->pair_count; i++) {
        const struct kv_pair *pair = &result->pairs[i];
        struct store_key_parts parts;
        autorecord(state) state = { 0 };
        store_key_parse(agent->config->etcd_key_prefix, pair->key, &parts);
        if (parts.kind == STORE_KEY_STATE &&
            record_state_decode(pair->value, pair->value_length, &state, NULL) == 0)
            (void)reports_note_stored(agent->reports, parts.name, &state, NULL);
    }
    agent->states_known = true;
    drop_strangers(agent);
}

/* A restarted musterd reads once what the store has of its states, so that it writes only what
 * differs. */
static void read_states(struct agent *agent)
{
    autofree char *prefix =
        text_format("%sstates/%s/", agent->config->etcd_key_prefix, agent->machine.id);
    if (agent->states_read || !prefix)
        return;
    agent->states_read = true;
    (void)kv_range(agent->kv, prefix, true, on_states_read, agent, NULL);
}

static void on_registered(int64_t registration, bool resumed, void *userdata)
{
    struct agent *agent = userdata;
    (void)resumed;
    read_states(agent);
    reports_set_registration(agent->reports, registration);
    publish_start(agent->publish);
    find_rank(agent);
    election_set_candidate(agent->election, agent->config->may_lead && !agent->stopping);
    tell_systemd(agent);
}

static void on_registration_gone(void *userdata)
{
    struct agent *agent = userdata;
    reports_set_registration(agent->reports, 0);
    loop_timer_set(agent->identify, 0); /* whose store is it that lost us? then register again */
    tell_systemd(agent);
}

static void on_contact(void *userdata)
{
    struct agent *agent = userdata;
    if (agent->leader)
        leader_on_contact(agent->leader);
}

static void on_keepalive(void *userdata)
{
    struct agent *agent = userdata;
    election_tick(agent->election, clock_boot_ms());
}

static void on_duplicate(const char *reason, void *userdata)
{
    struct agent *agent = userdata;
    log_error("presence: %s", reason);
    agent->exit_code = EXIT_DUPLICATE;
    loop_stop(agent->loop);
}

static void on_report_refused(void *userdata)
{
    struct agent *agent = userdata;
    presence_check_now(agent->presence);
}

/* --- systemd --- */

static void on_unit_status(const char *unit, const struct systemd_status *status, void *userdata)
{
    struct agent *agent = userdata;
    runner_on_status(agent->runner, unit, status);
}

static void on_bus_patience(struct loop_timer *timer, void *userdata)
{
    struct agent *agent = userdata;
    (void)timer;
    presence_set_ready(agent->presence, false, "systemd does not answer on D-Bus");
}

static void on_bus(bool connected, void *userdata)
{
    struct agent *agent = userdata;
    runner_on_connected(agent->runner, connected);
    if (connected) {
        loop_timer_cancel(agent->bus_patience);
        presence_set_ready(agent->presence, true, "");
    } else {
        log_warning("systemd: the connection was lost; connecting anew");
        loop_timer_set(agent->bus_patience, BUS_PATIENCE_MS);
    }
}

/* --- the API's view of the daemon --- */

static json_t *counts_json(const struct kv_etcd_view *view)
{
    json_t *counts = json_object();
    for (enum kv_etcd_count i = 0; i < KV_ETCD_COUNTS; i++)
        (void)json_object_set_new(counts, kv_etcd_count_name(i),
                                  json_integer((json_int_t)view->counts[i]));
    return counts;
}

/* last_error may be long over: its age says so. */
static json_t *store_json(const struct kv_etcd_view *view)
{
    char cluster[2 * sizeof(view->cluster_id) + 1];
    (void)snprintf(cluster, sizeof(cluster), "%" PRIx64, view->cluster_id);
    int64_t age_ms = *view->last_error ? clock_boot_ms() - view->last_error_boot_ms : 0;
    return json_pack("{s:s,s:s,s:I,s:I,s:I,s:I,s:o,s:s,s:I}", "endpoint", view->endpoint,
                     "cluster_id", cluster, "revision", (json_int_t)view->revision, "lag",
                     (json_int_t)view->lag, "in_flight", (json_int_t)view->in_flight, "watches",
                     (json_int_t)view->watches, "counts", counts_json(view), "last_error",
                     view->last_error, "last_error_age_ms", (json_int_t)age_ms);
}

static json_t *daemon_status(void *userdata)
{
    const struct agent *agent = userdata;
    struct kv_etcd_view view = { 0 };
    kv_etcd_get_view(agent->kv, &view);
    return json_pack(
        "{s:s,s:s,s:I,s:b,s:s,s:I,s:I,s:b,s:s,s:o}", "machine", agent->machine.id,
        "registration_state", presence_state_text(agent->presence), "registration",
        (json_int_t)presence_registration(agent->presence), "leading", agent->leader ? 1 : 0,
        "endpoint", view.endpoint, "store_revision", (json_int_t)view.revision, "reconnects",
        (json_int_t)view.counts[KV_ETCD_COUNT_RECONNECT], "foreign_store", agent->foreign ? 1 : 0,
        "cluster", agent->uuid ? agent->uuid : "", "store", store_json(&view));
}

/* --- life --- */

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

static void on_watchdog(struct loop_timer *timer, void *userdata)
{
    struct agent *agent = userdata;
    const char *culprit = "";
    int64_t stall_ms = loop_take_stall_ms(agent->loop, &culprit);
    if (stall_ms > agent->watchdog_ms)
        log_warning("loop: stalled for %" PRId64 " ms in \"%s\"", stall_ms, culprit);
    (void)sd_notify(0, "WATCHDOG=1");
    loop_timer_set(timer, agent->watchdog_ms);
}

/* What start, joining and taking the lead needed once is given back a little after the last of
 * them. */
static void on_trim(struct loop_timer *timer, void *userdata)
{
    (void)timer;
    (void)userdata;
    memory_give_back();
}

static void arm_watchdog(struct agent *agent)
{
    uint64_t timeout_us = 0;
    if (sd_watchdog_enabled(0, &timeout_us) <= 0)
        return;
    agent->watchdog_ms = (int64_t)(timeout_us / 1000 / 2);
    loop_timer_set(agent->watchdog, agent->watchdog_ms);
}

static int take_lock(struct agent *agent, struct error *err)
{
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof(path), "%s/lock", agent->paths->run);
    agent->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (agent->lock_fd < 0)
        return error_errno(err, -errno, "%s", path);
    if (flock(agent->lock_fd, LOCK_EX | LOCK_NB) < 0)
        return error_set(err, -EBUSY, "another musterd runs on this machine (%s is locked)", path);
    return 0;
}

/* --- the end --- */

static void finish_stop(void *userdata)
{
    struct agent *agent = userdata;
    loop_stop(agent->loop);
}

static void on_stop_deadline(struct loop_timer *timer, void *userdata)
{
    (void)timer;
    finish_stop(userdata);
}

/* Leadership is given back (or was never ours), and we know whether the whole system goes down.
 * Only then, with no unit of ours running, is the lease revoked: a musterd that stops alone is an
 * upgrade, and its units run on. */
static void leave(struct agent *agent)
{
    if (!agent->resigned || !agent->system_asked)
        return;
    if (agent->system_stopping && runner_running(agent->runner) == 0)
        presence_revoke(agent->presence, finish_stop, agent);
    else
        finish_stop(agent);
}

static void on_resigned(int code, void *userdata)
{
    struct agent *agent = userdata;
    (void)code;
    agent->resigned = true;
    leave(agent);
}

static void on_system_asked(const char *unit, int code, const char *reason, void *userdata)
{
    struct agent *agent = userdata;
    (void)unit;
    (void)reason;
    agent->system_asked = true;
    agent->system_stopping = code == 0;
    leave(agent);
}

void agent_stop(struct agent *agent)
{
    if (agent->stopping)
        return;
    agent->stopping = true;
    log_info("machine %s: musterd stops; units run on", agent->machine.id);
    (void)sd_notify(0, "STOPPING=1");
    loop_timer_set(agent->stop_deadline, STOP_DEADLINE_MS);
    leader_free(take_ptr(agent->leader));
    if (!election_resign(agent->election, on_resigned))
        on_resigned(0, agent);
    if (systemd_is_stopping(agent->systemd, on_system_asked, agent, NULL) < 0)
        on_system_asked("", -EALREADY, "", agent);
}

/* --- making the parts --- */

static int make_disk(struct agent *agent, struct error *err)
{
    (void)snprintf(agent->identity_path, sizeof(agent->identity_path), "%s/cluster",
                   agent->paths->state);
    (void)snprintf(agent->lease_path, sizeof(agent->lease_path), "%s/lease", agent->paths->run);
    int r = file_make_dirs(agent->paths->run, 0755, err);
    if (r == 0)
        r = file_make_dirs(agent->paths->state, 0755, err);
    if (r == 0)
        r = take_lock(agent, err);
    return r < 0 ? r : identity_load(agent->identity_path, &agent->uuid, err);
}

static int make_timers(struct agent *agent, struct error *err)
{
    const struct {
        const char *name;
        loop_timer_fn fn;
        struct loop_timer **ret;
    } timers[] = {
        {"identify",       on_identify,      &agent->identify     },
        { "absence",       on_absence,       &agent->absence      },
        { "bus patience",  on_bus_patience,  &agent->bus_patience },
        { "stop deadline", on_stop_deadline, &agent->stop_deadline},
        { "watchdog",      on_watchdog,      &agent->watchdog     },
        { "trim",          on_trim,          &agent->trim         },
    };
    int r = 0;
    for (size_t i = 0; r == 0 && i < sizeof(timers) / sizeof(timers[0]); i++)
        r = loop_timer_new(agent->loop, timers[i].name, timers[i].fn, agent, timers[i].ret, err);
    return r;
}

static const char *text_or_null(const char *path)
{
    return *path ? path : NULL;
}

static int make_store(struct agent *agent, struct error *err)
{
    const struct config *config = agent->config;
    const struct kv_etcd_config store = {
        .endpoints = config->etcd_servers,
        .request_timeout_ms = (int)config->request_timeout_ms,
        .max_backoff_ms = (int)(config->ttl_ms / 5),
        .tls = {.ca_file = text_or_null(config->etcd_cafile),
                .cert_file = text_or_null(config->etcd_certfile),
                .key_file = text_or_null(config->etcd_keyfile)},
        .user = text_or_null(config->etcd_username),
        .password = text_or_null(config->etcd_password),
        .password_file = text_or_null(config->etcd_password_file),
    };
    agent->own_prefix = text_format("%snodes/%s/", config->etcd_key_prefix, agent->machine.id);
    return agent->own_prefix ? kv_etcd_new(agent->loop, &store, &agent->kv, err) : error_oom(err);
}

static int make_presence(struct agent *agent, struct error *err)
{
    static const struct presence_callbacks callbacks = {
        .on_registered = on_registered,
        .on_gone = on_registration_gone,
        .on_contact = on_contact,
        .on_keepalive = on_keepalive,
        .on_duplicate = on_duplicate,
    };
    const struct presence_config presence = {
        .loop = agent->loop,
        .kv = agent->kv,
        .prefix = agent->config->etcd_key_prefix,
        .machine = &agent->machine,
        .address = *agent->config->public_ip ? agent->config->public_ip : agent->machine.address,
        .lease_file = agent->lease_path,
        .ttl_ms = agent->config->ttl_ms,
    };
    return presence_new(&presence, &callbacks, agent, &agent->presence, err);
}

static int make_units(struct agent *agent, struct error *err)
{
    static const struct systemd_callbacks callbacks = { .on_status = on_unit_status,
                                                        .on_connected = on_bus };
    const struct reports_config reports = { .loop = agent->loop,
                                            .kv = agent->kv,
                                            .prefix = agent->config->etcd_key_prefix,
                                            .machine = agent->machine.id,
                                            .on_refused = on_report_refused,
                                            .userdata = agent };
    int r = reports_new(&reports, &agent->reports, err);
    if (r < 0)
        return r;
    const struct runner_config runner = {
        .loop = agent->loop,
        .kv = agent->kv,
        .prefix = agent->config->etcd_key_prefix,
        .helper = agent->paths->helper,
        .dirs = {.run = agent->paths->run, .links = agent->paths->links},
        .reports = agent->reports,
    };
    r = runner_new(&runner, &agent->runner, err);
    if (r == 0)
        r = systemd_bus_new(agent->loop, &callbacks, agent, &agent->systemd, err);
    if (r == 0)
        runner_set_systemd(agent->runner, agent->systemd);
    return r;
}

static int make_election(struct agent *agent, struct error *err)
{
    static const struct election_callbacks callbacks = { .on_elected = on_elected,
                                                         .on_lost = on_deposed };
    char nonce[33];
    autofree char *value = NULL;
    autofree char *key = store_key(agent->config->etcd_key_prefix, STORE_KEY_LEADER, NULL, NULL, 0);
    text_random_hex(16, nonce);
    const struct record_leader record = { .machine = agent->machine.id, .nonce = nonce };
    int r = key ? record_leader_encode(&record, &value, err) : error_oom(err);
    if (r < 0)
        return r;
    return election_new(agent->loop, agent->kv, key, value, agent->config->ttl_ms / 1000,
                        &callbacks, agent, &agent->election, err);
}

static int make_api(struct agent *agent, struct error *err)
{
    const struct api_config api = {
        .kv = agent->kv,
        .prefix = agent->config->etcd_key_prefix,
        .machine_id = agent->machine.id,
        .socket_path = agent->config->socket_path,
        .version = PACKAGE_VERSION,
        .daemon_status = daemon_status,
        .userdata = agent,
    };
    return api_new(agent->loop, &api, &agent->api, err);
}

static int make_publish(struct agent *agent, struct error *err)
{
    return publish_new(agent->loop, agent->kv, agent->config, &agent->machine, &agent->publish,
                       err);
}

int agent_new(struct loop *loop, const struct config *config, const struct agent_paths *paths,
              struct agent **ret, struct error *err)
{
    static int (*const makers[])(struct agent *, struct error *) = {
        make_disk,  make_timers,   make_store,   make_presence,
        make_units, make_election, make_publish, make_api,
    };
    autoptr(agent) agent = calloc(1, sizeof(*agent));
    if (!agent)
        return error_oom(err);
    agent->loop = loop;
    agent->config = config;
    agent->paths = paths;
    agent->lock_fd = -1;
    int r = machine_read(&agent->machine, err);
    for (size_t i = 0; r == 0 && i < sizeof(makers) / sizeof(makers[0]); i++)
        r = makers[i](agent, err);
    if (r < 0)
        return r;
    log_info("machine %s (%s) starts", agent->machine.id, agent->machine.name);
    arm_watchdog(agent);
    loop_timer_set(agent->identify, 0);
    *ret = take_ptr(agent);
    return 0;
}

void agent_free(struct agent *agent)
{
    if (!agent)
        return;
    if (agent->kv)
        kv_forget(agent->kv, agent);
    api_free(agent->api);
    leader_free(agent->leader);
    election_free(agent->election);
    kv_mirror_free(agent->mirror);
    publish_free(agent->publish);
    systemd_free(agent->systemd);
    runner_free(agent->runner);
    reports_free(agent->reports);
    presence_free(agent->presence);
    kv_free(agent->kv);
    loop_timer_free(agent->identify);
    loop_timer_free(agent->absence);
    loop_timer_free(agent->bus_patience);
    loop_timer_free(agent->stop_deadline);
    loop_timer_free(agent->watchdog);
    loop_timer_free(agent->trim);
    free(agent->own_prefix);
    free(agent->uuid);
    if (agent->lock_fd >= 0)
        (void)close(agent->lock_fd);
    free(agent);
}

int agent_exit_code(const struct agent *agent)
{
    return agent->exit_code;
}
