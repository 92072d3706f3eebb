/* SPDX-License-Identifier: Apache-2.0 */
/*
 * systemd over D-Bus. Interface: org.freedesktop.systemd1(5).
 *
 * States come from PropertiesChanged, job results from JobRemoved: nothing is polled. A unit's
 * whole status is asked for once when it is first watched and after a reconnect, with one GetAll.
 *
 * dbus-daemon lets a connection wait for 128 answers (max_replies_per_connection) and refuses what
 * is more, so no more than CALLS_MAX are under way; the rest waits here for its turn.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <uthash.h>
#include <utlist.h>

#include "agent/systemd.h"
#include "base/log.h"
#include "base/loop_bus.h"
#include "base/text.h"
#include "kvclient/backoff.h"

#define SYSTEMD_NAME     "org.freedesktop.systemd1"
#define SYSTEMD_PATH     "/org/freedesktop/systemd1"
#define MANAGER          "org.freedesktop.systemd1.Manager"
#define UNIT             "org.freedesktop.systemd1.Unit"
#define SERVICE          "org.freedesktop.systemd1.Service"
#define PROPERTIES       "org.freedesktop.DBus.Properties"
#define UNIT_NAMESPACE   "/org/freedesktop/systemd1/unit"
#define ERROR_NOT_LOADED "org.freedesktop.systemd1.NoSuchUnit"

enum {
    RECONNECT_FIRST_MS = 100,
    RECONNECT_MAX_MS = 2000,
    ASK_AGAIN_MS = 500,
    CALL_TIMEOUT_US = 25 * 1000 * 1000,
    CALLS_MAX = 64,
};

struct watched {
    char *unit;
    char *path;
    struct systemd_status status;
    struct bus *bus; /* borrowed */
    sd_bus_slot *query;
    bool due; /* to be asked for when its turn comes */
    struct watched *prev;
    struct watched *next;
    UT_hash_handle by_path;
};

struct job {
    struct bus *bus; /* borrowed */
    char *unit;
    char *
        path; /* of systemd's job object; NULL until the call is answered, or where there is none */
    sd_bus_slot *call;
    sd_bus_message *order; /* NULL once it was sent */
    sd_bus_message_handler_t on_answer;
    bool starts; /* "not loaded" is then what is missing, and not what was wanted */
    systemd_done_fn fn;
    void *userdata;
    struct job *prev;
    struct job *next;
};

struct bus {
    struct systemd base;
    struct loop *loop; /* borrowed */
    sd_bus *bus;
    struct loop_bus *bridge;
    struct loop_timer *reconnect;
    struct loop_timer *ask_again; /* for what systemd did not answer */
    size_t calls;                 /* sent and not answered */
    struct backoff backoff;
    bool connected;
    struct watched *watched;
    struct watched *due;
    struct job *jobs;
    struct systemd_callbacks callbacks;
    void *userdata;
};

static void connect_bus(struct bus *bus);
static void send_next(struct bus *bus);

/* The call was answered, or nobody waits for the answer any more. */
static void end_call(struct bus *bus, sd_bus_slot **call)
{
    if (*call && bus->calls)
        bus->calls--;
    *call = sd_bus_slot_unref(*call);
}

static void job_free(struct job *job)
{
    DL_DELETE(job->bus->jobs, job);
    end_call(job->bus, &job->call);
    sd_bus_message_unref(job->order);
    free(job->unit);
    free(job->path);
    free(job);
}

static void job_finish(struct job *job, int code, const char *reason)
{
    systemd_done_fn fn = job->fn;
    void *userdata = job->userdata;
    autofree char *unit = take_ptr(job->unit);
    job_free(job);
    fn(unit, code, reason, userdata);
}

/* --- the state of units --- */

static void copy_text(char *to, size_t size, const char *from)
{
    (void)snprintf(to, size, "%s", from);
}

static int read_invocation(sd_bus_message *m, struct systemd_status *status)
{
    const void *bytes = NULL;
    size_t length = 0;
    int r = sd_bus_message_read_array(m, 'y', &bytes, &length);
    if (r < 0)
        return r;
    status->invocation[0] = '\0';
    for (size_t i = 0; i < length && i < 16; i++)
        (void)snprintf(status->invocation + 2 * i, 3, "%02x", ((const unsigned char *)bytes)[i]);
    return 0;
}

static int read_text(sd_bus_message *m, char *to, size_t size)
{
    const char *s = NULL;
    int r = sd_bus_message_read_basic(m, 's', &s);
    if (r >= 0)
        copy_text(to, size, s);
    return r < 0 ? r : 0;
}

/* The value of one property, the message standing inside its variant. */
static int read_property(sd_bus_message *m, const char *name, const char *contents,
                         struct systemd_status *status)
{
    const struct {
        const char *name;
        char *to;
        size_t size;
    } texts[] = {
        {"LoadState",     status->load,        sizeof(status->load)       },
        { "ActiveState",  status->active,      sizeof(status->active)     },
        { "SubState",     status->sub,         sizeof(status->sub)        },
        { "Result",       status->result,      sizeof(status->result)     },
        { "StatusText",   status->status_text, sizeof(status->status_text)},
        { "FragmentPath", status->fragment,    sizeof(status->fragment)   },
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (strcmp(name, texts[i].name) == 0 && strcmp(contents, "s") == 0)
            return read_text(m, texts[i].to, texts[i].size);
    if (strcmp(name, "InvocationID") == 0 && strcmp(contents, "ay") == 0)
        return read_invocation(m, status);
    if (strcmp(name, "NeedDaemonReload") == 0 && strcmp(contents, "b") == 0) {
        int yes = 0;
        int r = sd_bus_message_read_basic(m, 'b', &yes);
        status->need_reload = yes;
        return r < 0 ? r : 0;
    }
    if (strcmp(name, "MainPID") == 0 && strcmp(contents, "u") == 0) {
        uint32_t pid = 0;
        int r = sd_bus_message_read_basic(m, 'u', &pid);
        status->main_pid = pid;
        return r < 0 ? r : 0;
    }
    return sd_bus_message_skip(m, contents);
}

/* An a{sv} of properties into status. */
static int read_properties(sd_bus_message *m, struct systemd_status *status)
{
    int r = sd_bus_message_enter_container(m, 'a', "{sv}");
    while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
        const char *name = NULL;
        const char *contents = NULL;
        r = sd_bus_message_read_basic(m, 's', &name);
        if (r >= 0)
            r = sd_bus_message_peek_type(m, NULL, &contents);
        if (r >= 0)
            r = sd_bus_message_enter_container(m, 'v', contents);
        if (r >= 0)
            r = read_property(m, name, contents, status);
        if (r >= 0)
            r = sd_bus_message_exit_container(m);
        if (r >= 0)
            r = sd_bus_message_exit_container(m);
    }
    return r < 0 ? r : sd_bus_message_exit_container(m);
}

static void tell(struct watched *watched)
{
    struct bus *bus = watched->bus;
    bus->callbacks.on_status(watched->unit, &watched->status, bus->userdata);
}

static int on_properties_changed(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    struct bus *bus = userdata;
    struct watched *watched = NULL;
    const char *path = sd_bus_message_get_path(m);
    const char *interface = NULL;
    (void)error;
    HASH_FIND(by_path, bus->watched, path, strlen(path), watched);
    if (!watched || !watched->status.load[0]) /* not ours, or the first answer is still to come */
        return 0;
    if (sd_bus_message_read_basic(m, 's', &interface) < 0)
        return 0;
    /* A copy, so that what lies between the members is equal, too. */
    struct systemd_status now = watched->status;
    int r = read_properties(m, &now);
    /* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison,cert-exp42-c,cert-flp37-c) */
    if (r < 0 || memcmp(&now, &watched->status, sizeof(now)) == 0)
        return 0;
    watched->status = now;
    tell(watched);
    return 0;
}

/* Whether an error is systemd's own word. Else nothing is known: no answer came in time, PID 1 left
 * the bus to execute itself anew, or the bus refused to pass the question on. */
static bool is_systemds_answer(sd_bus_message *m)
{
    static const char *const others[] = {
        SD_BUS_ERROR_NO_REPLY,        SD_BUS_ERROR_TIMEOUT,           SD_BUS_ERROR_LIMITS_EXCEEDED,
        SD_BUS_ERROR_SERVICE_UNKNOWN, SD_BUS_ERROR_NAME_HAS_NO_OWNER, SD_BUS_ERROR_DISCONNECTED,
        SD_BUS_ERROR_NO_MEMORY,
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (sd_bus_message_is_method_error(m, others[i]))
            return false;
    return true;
}

static void set_due(struct watched *watched)
{
    if (!watched->due)
        DL_APPEND(watched->bus->due, watched);
    watched->due = true;
}

static void stop_asking(struct watched *watched)
{
    end_call(watched->bus, &watched->query);
    if (watched->due)
        DL_DELETE(watched->bus->due, watched);
    watched->due = false;
}

static int on_all_properties(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    struct watched *watched = userdata;
    struct bus *bus = watched->bus;
    bool failed = sd_bus_message_is_method_error(m, NULL);
    (void)error;
    end_call(bus, &watched->query);
    if (failed && !is_systemds_answer(m)) {
        log_unit(LOG_LEVEL_WARNING, watched->unit,
                 "systemd did not say how it is (%s); asking again",
                 sd_bus_message_get_error(m)->message);
        set_due(watched);
        loop_timer_set(bus->ask_again, ASK_AGAIN_MS);
        return 0;
    }
    struct systemd_status now = { 0 };
    if (failed || read_properties(m, &now) < 0) {
        copy_text(now.load, sizeof(now.load), "not-found");
        copy_text(now.active, sizeof(now.active), "inactive");
        copy_text(now.sub, sizeof(now.sub), "dead");
    }
    now.without_file = strcmp(now.load, "loaded") == 0 && !now.fragment[0];
    watched->status = now;
    tell(watched);
    send_next(bus);
    return 0;
}

/* One GetAll over all interfaces of the unit (interface "" means all of them). */
static int query(struct watched *watched)
{
    struct bus *bus = watched->bus;
    stop_asking(watched);
    int r = sd_bus_call_method_async(bus->bus, &watched->query, SYSTEMD_NAME, watched->path,
                                     PROPERTIES, "GetAll", on_all_properties, watched, "s", "");
    if (r >= 0)
        bus->calls++;
    return r;
}

/* Until the answer is there signals say nothing: what they would be added to is out of date. */
static int ask(struct watched *watched)
{
    watched->status = (struct systemd_status){ 0 };
    if (watched->bus->calls < CALLS_MAX)
        return query(watched);
    stop_asking(watched);
    set_due(watched);
    return 0;
}

static void watched_free(struct watched *watched)
{
    stop_asking(watched);
    free(watched->unit);
    free(watched->path);
    free(watched);
}

static struct watched *find_watched(struct bus *bus, const char *unit)
{
    struct watched *watched = NULL;
    struct watched *next = NULL;
    autofree char *path = NULL;
    (void)next;
    if (sd_bus_path_encode(UNIT_NAMESPACE, unit, &path) < 0)
        return NULL;
    HASH_FIND(by_path, bus->watched, path, strlen(path), watched);
    return watched;
}

static int bus_watch(struct systemd *systemd, const char *unit, struct error *err)
{
    struct bus *bus = (struct bus *)systemd;
    struct watched *watched = find_watched(bus, unit);
    if (!watched) {
        watched = calloc(1, sizeof(*watched));
        if (!watched)
            return error_oom(err);
        watched->bus = bus;
        watched->unit = strdup(unit);
        if (!watched->unit || sd_bus_path_encode(UNIT_NAMESPACE, unit, &watched->path) < 0) {
            watched_free(watched);
            return error_oom(err);
        }
        HASH_ADD_KEYPTR(by_path, bus->watched, watched->path, strlen(watched->path), watched);
    }
    int r = bus->connected ? ask(watched) : 0;
    return r < 0 ? error_errno(err, r, "systemd: cannot ask for %s", unit) : 0;
}

static void bus_unwatch(struct systemd *systemd, const char *unit)
{
    struct bus *bus = (struct bus *)systemd;
    struct watched *watched = find_watched(bus, unit);
    if (!watched)
        return;
    HASH_DELETE(by_path, bus->watched, watched);
    watched_free(watched);
}

/* --- jobs --- */

static int on_job_removed(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    struct bus *bus = userdata;
    struct job *job = NULL;
    uint32_t id = 0;
    const char *path = NULL;
    const char *unit = NULL;
    const char *result = NULL;
    (void)error;
    if (sd_bus_message_read(m, "uoss", &id, &path, &unit, &result) < 0)
        return 0;
    DL_FOREACH(bus->jobs, job) {
        if (job->path && strcmp(job->path, path) == 0)
            break;
    }
    if (!job)
        return 0;
    if (strcmp(result, "done") == 0 || strcmp(result, "skipped") == 0)
        job_finish(job, 0, "");
    else if (strcmp(result, "canceled") == 0)
        job_finish(job, -EAGAIN, "the job was superseded by another");
    else
        job_finish(job, -EIO, result);
    return 0;
}

static void job_refused(struct job *job, sd_bus_message *m)
{
    autofree char *reason = strdup(sd_bus_message_get_error(m)->message);
    job_finish(job, is_systemds_answer(m) ? -EIO : -ETIMEDOUT, reason ? reason : "refused");
}

/* The call that made the job was answered: with its path, or with why there is none. */
static int on_job_made(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    struct job *job = userdata;
    const char *path = NULL;
    (void)error;
    struct bus *bus = job->bus;
    end_call(bus, &job->call);
    if (!job->starts && sd_bus_message_is_method_error(m, ERROR_NOT_LOADED))
        job_finish(job, 0, "");
    else if (sd_bus_message_is_method_error(m, NULL))
        job_refused(job, m);
    else if (sd_bus_message_read_basic(m, 'o', &path) < 0 || !(job->path = strdup(path)))
        job_finish(job, -ETIMEDOUT, "the answer to the order was unreadable");
    send_next(bus);
    return 0;
}

/* A call whose answer is all there is to wait for. */
static int on_plain_answer(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    struct job *job = userdata;
    (void)error;
    struct bus *bus = job->bus;
    end_call(bus, &job->call);
    if (!sd_bus_message_is_method_error(m, NULL) ||
        sd_bus_message_is_method_error(m, ERROR_NOT_LOADED))
        job_finish(job, 0, "");
    else
        job_refused(job, m);
    send_next(bus);
    return 0;
}

static int on_system_state(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    struct job *job = userdata;
    const char *state = "";
    (void)error;
    end_call(job->bus, &job->call);
    if (!sd_bus_message_is_method_error(m, NULL) &&
        sd_bus_message_enter_container(m, 'v', "s") >= 0)
        (void)sd_bus_message_read_basic(m, 's', &state);
    job_finish(job, strcmp(state, "stopping") == 0 ? 0 : -EALREADY, "");
    return 0;
}

static int job_new(struct bus *bus, const char *unit, systemd_done_fn fn, void *userdata,
                   struct job **ret, struct error *err)
{
    if (!bus->connected)
        return error_set(err, -EAGAIN, "systemd does not answer on D-Bus");
    struct job *job = calloc(1, sizeof(*job));
    if (!job)
        return error_oom(err);
    *job = (struct job){ .bus = bus, .unit = strdup(unit), .fn = fn, .userdata = userdata };
    DL_APPEND(bus->jobs, job);
    if (!job->unit) {
        job_free(job);
        return error_oom(err);
    }
    *ret = job;
    return 0;
}

static int send_order(struct job *job)
{
    sd_bus_message *order = take_ptr(job->order);
    int r = sd_bus_call_async(job->bus->bus, &job->call, order, job->on_answer, job, 0);
    sd_bus_message_unref(order);
    if (r >= 0)
        job->bus->calls++;
    return r;
}

/* Orders first, in the order in which they were given. */
static void send_next(struct bus *bus)
{
    struct job *job = NULL;
    struct job *next = NULL;
    if (!bus->connected)
        return;
    DL_FOREACH_SAFE(bus->jobs, job, next) {
        if (bus->calls >= CALLS_MAX)
            return;
        if (job->order && send_order(job) < 0) {
            sd_bus_close(bus->bus); /* the bridge sees it and reports the loss */
            return;
        }
    }
    while (bus->due && bus->calls < CALLS_MAX) {
        if (query(bus->due) < 0) {
            sd_bus_close(bus->bus);
            return;
        }
    }
}

static void on_ask_again(struct loop_timer *timer, void *userdata)
{
    (void)timer;
    send_next(userdata);
}

/* A call of systemd's manager with up to two texts, now or when its turn comes. */
static int call(struct bus *bus, const char *method, const char *const texts[2],
                sd_bus_message_handler_t on_answer, struct job *job, struct error *err)
{
    job->on_answer = on_answer;
    int r =
        sd_bus_message_new_method_call(bus->bus, &job->order, SYSTEMD_NAME, SYSTEMD_PATH,
                                       strcmp(method, "Get") == 0 ? PROPERTIES : MANAGER, method);
    for (size_t i = 0; r >= 0 && i < 2 && texts[i]; i++)
        r = sd_bus_message_append_basic(job->order, 's', texts[i]);
    if (r >= 0 && strcmp(method, "KillUnit") == 0)
        r = sd_bus_message_append_basic(job->order, 'i', &(int32_t){ SIGKILL });
    if (r >= 0 && bus->calls < CALLS_MAX)
        r = send_order(job);
    if (r >= 0)
        return 0;
    job_free(job);
    return error_errno(err, r, "systemd: order not sent");
}

static int order(struct bus *bus, const char *method, const char *unit, systemd_done_fn fn,
                 void *userdata, struct error *err)
{
    struct job *job = NULL;
    const char *const texts[] = { unit, "replace" };
    int r = job_new(bus, unit, fn, userdata, &job, err);
    if (r < 0)
        return r;
    job->starts = strcmp(method, "StartUnit") == 0;
    return call(bus, method, texts, on_job_made, job, err);
}

static int bus_start(struct systemd *systemd, const char *unit, systemd_done_fn fn, void *userdata,
                     struct error *err)
{
    return order((struct bus *)systemd, "StartUnit", unit, fn, userdata, err);
}

static int bus_stop(struct systemd *systemd, const char *unit, systemd_done_fn fn, void *userdata,
                    struct error *err)
{
    return order((struct bus *)systemd, "StopUnit", unit, fn, userdata, err);
}

static int bus_restart(struct systemd *systemd, const char *unit, systemd_done_fn fn,
                       void *userdata, struct error *err)
{
    return order((struct bus *)systemd, "TryRestartUnit", unit, fn, userdata, err);
}

static int bus_kill(struct systemd *systemd, const char *unit, systemd_done_fn fn, void *userdata,
                    struct error *err)
{
    struct bus *bus = (struct bus *)systemd;
    struct job *job = NULL;
    const char *const texts[] = { unit, "main" };
    int r = job_new(bus, unit, fn, userdata, &job, err);
    return r < 0 ? r : call(bus, "KillUnit", texts, on_plain_answer, job, err);
}

static int bus_reset_failed(struct systemd *systemd, const char *unit, systemd_done_fn fn,
                            void *userdata, struct error *err)
{
    struct bus *bus = (struct bus *)systemd;
    struct job *job = NULL;
    const char *const texts[] = { unit, NULL };
    int r = job_new(bus, unit, fn, userdata, &job, err);
    return r < 0 ? r : call(bus, "ResetFailedUnit", texts, on_plain_answer, job, err);
}

static int bus_reload(struct systemd *systemd, systemd_done_fn fn, void *userdata,
                      struct error *err)
{
    struct bus *bus = (struct bus *)systemd;
    struct job *job = NULL;
    const char *const texts[] = { NULL, NULL };
    int r = job_new(bus, "", fn, userdata, &job, err);
    return r < 0 ? r : call(bus, "Reload", texts, on_plain_answer, job, err);
}

static int bus_is_stopping(struct systemd *systemd, systemd_done_fn fn, void *userdata,
                           struct error *err)
{
    struct bus *bus = (struct bus *)systemd;
    struct job *job = NULL;
    const char *const texts[] = { MANAGER, "SystemState" };
    int r = job_new(bus, "", fn, userdata, &job, err);
    return r < 0 ? r : call(bus, "Get", texts, on_system_state, job, err);
}

/* --- the connection --- */

static void fail_jobs(struct bus *bus)
{
    while (bus->jobs)
        job_finish(bus->jobs, -EAGAIN, "the connection to systemd was lost");
}

static void disconnect(struct bus *bus)
{
    struct watched *watched = NULL;
    struct watched *next = NULL;
    HASH_ITER(by_path, bus->watched, watched, next) {
        stop_asking(watched);
        watched->status = (struct systemd_status){ 0 };
    }
    loop_timer_cancel(bus->ask_again);
    loop_bus_free(take_ptr(bus->bridge));
    if (bus->bus)
        sd_bus_close(bus->bus);
    bus->bus = sd_bus_unref(bus->bus);
}

static void retry(struct bus *bus)
{
    bool was_connected = bus->connected;
    bus->connected = false;
    disconnect(bus);
    loop_timer_set(bus->reconnect, backoff_next_ms(&bus->backoff));
    if (was_connected)
        bus->callbacks.on_connected(false, bus->userdata);
    fail_jobs(bus);
}

static void on_lost(struct loop_bus *bridge, int code, void *userdata)
{
    (void)bridge;
    (void)code;
    retry(userdata);
}

static void on_reconnect(struct loop_timer *timer, void *userdata)
{
    (void)timer;
    connect_bus(userdata);
}

/* Subscribe was answered: systemd now sends signals, and what we ask from here on misses nothing.
 */
static int on_subscribed(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    struct bus *bus = userdata;
    struct watched *watched = NULL;
    struct watched *next = NULL;
    (void)error;
    if (sd_bus_message_is_method_error(m, NULL)) {
        sd_bus_close(bus->bus); /* the bridge sees it and reports the loss */
        return 0;
    }
    bus->connected = true;
    backoff_reset(&bus->backoff);
    HASH_ITER(by_path, bus->watched, watched, next) {
        (void)ask(watched);
    }
    bus->callbacks.on_connected(true, bus->userdata);
    return 0;
}

/* A systemd that re-executes itself keeps its jobs but may lose what it had to say of them; so all
 * of it is asked anew, over a new connection. */
static int on_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    struct bus *bus = userdata;
    const char *name = NULL;
    const char *old = NULL;
    const char *new = NULL;
    (void)error;
    if (bus->connected && sd_bus_message_read(m, "sss", &name, &old, &new) > 0 && *new)
        sd_bus_close(bus->bus); /* the bridge sees it and reports the loss */
    return 0;
}

static int try_connect(struct bus *bus)
{
    int r = sd_bus_open_system(&bus->bus);
    if (r < 0)
        return r;
    (void)sd_bus_set_method_call_timeout(bus->bus, CALL_TIMEOUT_US);
    r = loop_bus_new(bus->loop, bus->bus, on_lost, bus, &bus->bridge, NULL);
    if (r < 0)
        return r;
    r = sd_bus_match_signal_async(bus->bus, NULL, SYSTEMD_NAME, SYSTEMD_PATH, MANAGER, "JobRemoved",
                                  on_job_removed, NULL, bus);
    if (r < 0)
        return r;
    r = sd_bus_add_match_async(bus->bus, NULL,
                               "type='signal',sender='" SYSTEMD_NAME "',interface='" PROPERTIES "',"
                               "member='PropertiesChanged',path_namespace='" UNIT_NAMESPACE "'",
                               on_properties_changed, NULL, bus);
    if (r < 0)
        return r;
    r = sd_bus_add_match_async(bus->bus, NULL,
                               "type='signal',sender='org.freedesktop.DBus',"
                               "interface='org.freedesktop.DBus',member='NameOwnerChanged',"
                               "arg0='" SYSTEMD_NAME "'",
                               on_owner_changed, NULL, bus);
    if (r < 0)
        return r;
    return sd_bus_call_method_async(bus->bus, NULL, SYSTEMD_NAME, SYSTEMD_PATH, MANAGER,
                                    "Subscribe", on_subscribed, bus, "");
}

static void connect_bus(struct bus *bus)
{
    if (try_connect(bus) < 0)
        retry(bus);
}

static void bus_free(struct systemd *systemd)
{
    struct bus *bus = (struct bus *)systemd;
    struct watched *watched = NULL;
    struct watched *next = NULL;
    while (bus->jobs)
        job_free(bus->jobs);
    HASH_ITER(by_path, bus->watched, watched, next) {
        HASH_DELETE(by_path, bus->watched, watched);
        watched_free(watched);
    }
    disconnect(bus);
    loop_timer_free(bus->reconnect);
    loop_timer_free(bus->ask_again);
    free(bus);
}

static const struct systemd_vtable bus_vtable = {
    .free = bus_free,
    .watch = bus_watch,
    .unwatch = bus_unwatch,
    .start = bus_start,
    .stop = bus_stop,
    .restart = bus_restart,
    .kill = bus_kill,
    .reset_failed = bus_reset_failed,
    .reload = bus_reload,
    .is_stopping = bus_is_stopping,
};

int systemd_bus_new(struct loop *loop, const struct systemd_callbacks *callbacks, void *userdata,
                    struct systemd **ret, struct error *err)
{
    struct bus *bus = calloc(1, sizeof(*bus));
    if (!bus)
        return error_oom(err);
    *bus = (struct bus){
        .base.vtable = &bus_vtable,
        .loop = loop,
        .callbacks = *callbacks,
        .userdata = userdata,
        .backoff = {.first_ms = RECONNECT_FIRST_MS, .max_ms = RECONNECT_MAX_MS},
    };
    int r = loop_timer_new(loop, "bus reconnect", on_reconnect, bus, &bus->reconnect, err);
    if (r == 0)
        r = loop_timer_new(loop, "bus ask again", on_ask_again, bus, &bus->ask_again, err);
    if (r < 0) {
        loop_timer_free(bus->reconnect);
        free(bus);
        return r;
    }
    connect_bus(bus);
    *ret = &bus->base;
    return 0;
}
