/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <systemd/sd-daemon.h>

#include "agent/identity.h"
#include "agent/notify.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "kvclient/kv_etcd.h"

enum {
    EXIT_DUPLICATE = 78, /* EX_CONFIG: systemd is told not to hurry to try again */
    STOP_DEADLINE_MS = 1500,
    BUS_PATIENCE_MS = 2000,
    TRIM_MS = 3000,
    NOTIFY_AGAIN_MS = 100,
};

void agent_tell_systemd(struct agent *agent)
{
    if (!agent->world->shares_process)
        loop_timer_set(agent->trim, TRIM_MS);
    autofree char *status =
        text_format("STATUS=%s%s",
                    agent->younger   ? "the store was restored; doing nothing"
                    : agent->foreign ? "the store belongs to another cluster; doing nothing"
                                     : presence_state_text(agent->presence),
                    agent->leader ? ", leader" : "");
    /* What did not get through is said again with the next sign of life. */
    agent->status_untold = status && notify_send(0, status) == -EAGAIN;
}

/* --- the registration --- */

static void note_states(struct agent *agent, const struct kv_range_result *result)
{
    for (size_t i = 0; i < result->pair_count; i++) {
        const struct kv_pair *pair = &result->pairs[i];
        struct store_key_parts parts;
        autorecord(state) state = { 0 };
        store_key_parse(agent->config->etcd_key_prefix, pair->key, &parts);
        if (parts.kind == STORE_KEY_STATE &&
            record_state_decode(pair->value, pair->value_length, &state, NULL) == 0)
            (void)reports_note_stored(agent->reports, parts.name, pair->mod_revision, &state, NULL);
    }
    agent->states_known = true;
}

static void on_states_read(const struct kv_range_result *result, void *userdata)
{
    struct agent *agent = userdata;
    if (result->code == 0)
        note_states(agent, result);
    else
        log_debug("states: %s", result->reason); /* again with the next registration */
    agent->states_read = result->code == 0;
    reports_set_registration(agent->reports, presence_registration(agent->presence));
    agent_drop_strangers(agent);
}

/* A restarted musterd reads once what the store has of its states, and only then writes any: what
 * differs. */
static void read_states(struct agent *agent)
{
    autofree char *prefix =
        text_format("%sstates/%s/", agent->config->etcd_key_prefix, agent->machine.id);
    if (agent->states_read || !prefix)
        return;
    agent->states_read = kv_range(agent->kv, prefix, true, on_states_read, agent, NULL) == 0;
}

static void on_registered(int64_t registration, bool resumed, void *userdata)
{
    struct agent *agent = userdata;
    (void)resumed;
    read_states(agent);
    if (agent->states_known || !agent->states_read)
        reports_set_registration(agent->reports, registration);
    publish_start(agent->publish);
    agent_find_rank(agent);
    election_set_candidate(agent->election, agent->config->may_lead && !agent->stopping);
    agent_tell_systemd(agent);
}

static void on_registration_gone(void *userdata)
{
    struct agent *agent = userdata;
    reports_set_registration(agent->reports, 0);
    loop_timer_set(agent->identify, 0); /* whose store is it that lost us? then register again */
    agent_tell_systemd(agent);
}

static void on_younger(void *userdata)
{
    agent_turn_younger(userdata);
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

static void on_watchdog(struct loop_timer *timer, void *userdata)
{
    struct agent *agent = userdata;
    const char *culprit = "";
    int64_t stall_ms = loop_take_stall_ms(agent->loop, &culprit);
    if (stall_ms > agent->watchdog_ms)
        log_warning("loop: stalled for %" PRId64 " ms in \"%s\"", stall_ms, culprit);
    log_flush();
    if (notify_send(0, "WATCHDOG=1") == -EAGAIN) {
        loop_timer_set(timer, NOTIFY_AGAIN_MS);
        return;
    }
    if (agent->status_untold)
        agent_tell_systemd(agent);
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
    char path[AGENT_PATH_SIZE];
    (void)snprintf(path, sizeof(path), "%s/lock", agent->world->run);
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
    (void)notify_send(0, "STOPPING=1");
    loop_timer_set(agent->stop_deadline, STOP_DEADLINE_MS);
    agent_stop_leading(agent);
    if (!election_resign(agent->election, on_resigned))
        on_resigned(0, agent);
    if (systemd_is_stopping(agent->systemd, on_system_asked, agent, NULL) < 0)
        on_system_asked("", -EALREADY, "", agent);
}

/* --- making the parts --- */

static int make_disk(struct agent *agent, struct error *err)
{
    (void)snprintf(agent->identity_path, sizeof(agent->identity_path), "%s/cluster",
                   agent->world->state);
    (void)snprintf(agent->lease_path, sizeof(agent->lease_path), "%s/lease", agent->world->run);
    int r = file_make_dirs(agent->world->run, 0755, err);
    if (r == 0)
        r = file_make_dirs(agent->world->state, 0755, err);
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
        {"identify",       agent_on_identify, &agent->identify     },
        { "absence",       agent_on_absence,  &agent->absence      },
        { "bus patience",  on_bus_patience,   &agent->bus_patience },
        { "stop deadline", on_stop_deadline,  &agent->stop_deadline},
        { "watchdog",      on_watchdog,       &agent->watchdog     },
        { "trim",          on_trim,           &agent->trim         },
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
    if (!agent->own_prefix)
        return error_oom(err);
    agent->kv = agent->world->kv;
    return agent->kv ? 0 : kv_etcd_new(agent->loop, &store, &agent->kv, err);
}

static int make_presence(struct agent *agent, struct error *err)
{
    static const struct presence_callbacks callbacks = {
        .on_registered = on_registered,
        .on_gone = on_registration_gone,
        .on_younger = on_younger,
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
        .host = {.helper = agent->world->helper,
                 .machine = { .host_name = agent->machine.name, .id = agent->machine.id }},
        .dirs = { .run = agent->world->run,      .links = agent->world->links            },
        .reports = agent->reports,
    };
    r = runner_new(&runner, &agent->runner, err);
    if (r == 0)
        r = agent->world->systemd_new(agent->loop, &callbacks, agent, &agent->systemd, err);
    if (r == 0)
        runner_set_systemd(agent->runner, agent->systemd);
    return r;
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
    return *api.socket_path ? api_new(agent->loop, &api, &agent->api, err) : 0;
}

static int make_publish(struct agent *agent, struct error *err)
{
    return publish_new(agent->loop, agent->kv, agent->config, &agent->machine, &agent->publish,
                       err);
}

int agent_new(struct loop *loop, const struct config *config, const struct agent_world *world,
              struct agent **ret, struct error *err)
{
    static int (*const makers[])(struct agent *, struct error *) = {
        make_disk,  make_timers,         make_store,   make_presence,
        make_units, agent_make_election, make_publish, make_api,
    };
    autoptr(agent) agent = calloc(1, sizeof(*agent));
    if (!agent)
        return error_oom(err);
    agent->loop = loop;
    agent->config = config;
    agent->world = world;
    agent->lock_fd = -1;
    if (world->machine)
        agent->machine = *world->machine;
    int r = world->machine ? 0 : machine_read(&agent->machine, err);
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
    if (!agent->world->kv)
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
