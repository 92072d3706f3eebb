/* SPDX-License-Identifier: Apache-2.0 */
#include "container/scope.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "container/cgroup.h"
#include "units/unit_name.h"

#define SYSTEMD   "org.freedesktop.systemd1"
#define MANAGER   "/org/freedesktop/systemd1"
#define INTERFACE "org.freedesktop.systemd1.Manager"

/* How long an earlier scope of the name, which is empty or being killed, may take to go. */
enum { PREDECESSOR_MS = 10000, CGROUP_MAX_BYTES = 8192 };

/* What systemd would hold the container to in the service's own cgroup. The two interfaces have the
 * same names and types, so a value goes from one to the other unread. */
static const char *const limits[] = {
    "AllowedCPUs",
    "AllowedMemoryNodes",
    "BPFProgram",
    "CPUAccounting",
    "CPUQuotaPerSecUSec",
    "CPUQuotaPeriodUSec",
    "CPUWeight",
    "DeviceAllow",
    "DevicePolicy",
    "IOAccounting",
    "IODeviceLatencyTargetUSec",
    "IODeviceWeight",
    "IOReadBandwidthMax",
    "IOReadIOPSMax",
    "IOWeight",
    "IOWriteBandwidthMax",
    "IOWriteIOPSMax",
    "IPAccounting",
    "IPAddressAllow",
    "IPAddressDeny",
    "IPEgressFilterPath",
    "IPIngressFilterPath",
    "ManagedOOMMemoryPressure",
    "ManagedOOMMemoryPressureLimit",
    "ManagedOOMPreference",
    "ManagedOOMSwap",
    "MemoryAccounting",
    "MemoryHigh",
    "MemoryLow",
    "MemoryMax",
    "MemoryMin",
    "MemorySwapMax",
    "RestrictNetworkInterfaces",
    "Slice",
    "SocketBindAllow",
    "SocketBindDeny",
    "StartupAllowedCPUs",
    "StartupAllowedMemoryNodes",
    "StartupCPUWeight",
    "StartupIOWeight",
    "TasksAccounting",
    "TasksMax",
    NULL,
};

struct manager {
    sd_bus *bus;
    const char *scope; /* borrowed */
    char *job;         /* path of the one that is waited for, or NULL */
    char result[32];   /* of it, once it is done: systemd's word */
    bool removed;      /* systemd has forgotten a scope of the name */
};

static void manager_done(struct manager *manager)
{
    free(manager->job);
    (void)sd_bus_flush_close_unref(manager->bus);
}

#define automanager   __attribute__((cleanup(manager_done))) struct manager
#define autobuserror  __attribute__((cleanup(sd_bus_error_free))) sd_bus_error
#define autobusanswer __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message

static int refused(const char *call, int r, const sd_bus_error *e, struct error *err)
{
    return error_set(err, r, "%s: %s", call, e->message ? e->message : strerror(-r));
}

/* --- signals --- */

static int on_job_removed(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
    struct manager *manager = userdata;
    const char *job = NULL;
    const char *result = NULL;
    (void)e;
    if (sd_bus_message_read(m, "uoss", NULL, &job, NULL, &result) < 0)
        return 0;
    if (manager->job && !*manager->result && strcmp(manager->job, job) == 0)
        (void)snprintf(manager->result, sizeof(manager->result), "%s", result);
    return 0;
}

static int on_unit_removed(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
    struct manager *manager = userdata;
    const char *name = NULL;
    (void)e;
    if (sd_bus_message_read(m, "so", &name, NULL) >= 0 && strcmp(name, manager->scope) == 0)
        manager->removed = true;
    return 0;
}

static int listen_to(struct manager *manager, const char *signal, sd_bus_message_handler_t handler)
{
    return sd_bus_match_signal(manager->bus, NULL, SYSTEMD, MANAGER, INTERFACE, signal, handler,
                               manager);
}

static int manager_open(struct manager *manager, struct error *err)
{
    autobuserror e = SD_BUS_ERROR_NULL;
    int r = sd_bus_open_system(&manager->bus);
    if (r >= 0)
        r = listen_to(manager, "JobRemoved", on_job_removed);
    if (r >= 0)
        r = listen_to(manager, "UnitRemoved", on_unit_removed);
    if (r < 0)
        return error_errno(err, r, "the system's bus");
    r = sd_bus_call_method(manager->bus, SYSTEMD, MANAGER, INTERFACE, "Subscribe", &e, NULL, NULL);
    return r < 0 ? refused("Subscribe", r, &e, err) : 0;
}

/* One message, or the wait for some; systemd's time-out of the start bounds us. */
static int turn(struct manager *manager, int64_t wait_ms, struct error *err)
{
    int r = sd_bus_process(manager->bus, NULL);
    if (r == 0)
        r = sd_bus_wait(manager->bus, wait_ms < 0 ? UINT64_MAX : (uint64_t)wait_ms * 1000);
    return r < 0 && r != -EINTR ? error_errno(err, r, "the system's bus") : 0;
}

static int job_wait(struct manager *manager, struct error *err)
{
    int r = 0;
    while (r == 0 && !*manager->result)
        r = turn(manager, -1, err);
    if (r < 0)
        return r;
    return strcmp(manager->result, "done") == 0
               ? 0
               : error_set(err, -EIO, "systemd could not start %s: %s", manager->scope,
                           manager->result);
}

/* --- the scope's properties --- */

static bool is_limit(const char *name)
{
    for (const char *const *limit = limits; *limit; limit++)
        if (strcmp(*limit, name) == 0)
            return true;
    return false;
}

/* One property of the service, into the call if it is a limit. */
static int take_limit(sd_bus_message *call, sd_bus_message *properties)
{
    const char *name = NULL;
    int r = sd_bus_message_read(properties, "s", &name);
    if (r < 0)
        return r;
    if (!is_limit(name))
        return sd_bus_message_skip(properties, "v");
    r = sd_bus_message_open_container(call, 'r', "sv");
    if (r >= 0)
        r = sd_bus_message_append(call, "s", name);
    if (r >= 0)
        r = sd_bus_message_copy(call, properties, false);
    return r < 0 ? r : sd_bus_message_close_container(call);
}

static int take_limits(sd_bus_message *call, sd_bus_message *properties)
{
    int r = sd_bus_message_enter_container(properties, 'a', "{sv}");
    while (r >= 0 && (r = sd_bus_message_enter_container(properties, 'e', "sv")) > 0) {
        r = take_limit(call, properties);
        if (r >= 0)
            r = sd_bus_message_exit_container(properties);
    }
    return r;
}

static int add_limits(const struct manager *manager, const char *unit, sd_bus_message *call,
                      struct error *err)
{
    autobuserror e = SD_BUS_ERROR_NULL;
    autobusanswer *properties = NULL;
    autofree char *path = NULL;
    int r = sd_bus_path_encode(MANAGER "/unit", unit, &path);
    if (r < 0)
        return error_errno(err, r, "the path of %s", unit);
    r = sd_bus_call_method(manager->bus, SYSTEMD, path, "org.freedesktop.DBus.Properties", "GetAll",
                           &e, &properties, "s", "org.freedesktop.systemd1.Service");
    if (r < 0)
        return refused("asking systemd for the limits of the service", r, &e, err);
    r = take_limits(call, properties);
    return r < 0 ? error_errno(err, r, "limits of the service") : 0;
}

/* Bound to the service, and stopped after it, it does not come between the service and its main
 * process; what is still in it then is killed, as KillMode=mixed has it. Its own end at shutdown
 * would come too early, hence no default dependencies. */
static int add_properties(const char *unit, sd_bus_message *call)
{
    autofree char *description = text_format("Container of %s", unit);
    int r = description ? sd_bus_message_append(call, "(sv)", "Description", "s", description)
                        : -ENOMEM;
    if (r >= 0)
        r = sd_bus_message_append(call, "(sv)", "PIDs", "au", 1, (uint32_t)getpid());
    if (r >= 0)
        r = sd_bus_message_append(call, "(sv)", "DefaultDependencies", "b", 0);
    if (r >= 0)
        r = sd_bus_message_append(call, "(sv)", "BindsTo", "as", 1, unit);
    if (r >= 0)
        r = sd_bus_message_append(call, "(sv)", "Before", "as", 1, unit);
    if (r >= 0)
        r = sd_bus_message_append(call, "(sv)", "KillSignal", "i", SIGKILL);
    if (r >= 0)
        r = sd_bus_message_append(call, "(sv)", "CollectMode", "s", "inactive-or-failed");
    return r < 0 ? r : sd_bus_message_append(call, "(sv)", "Delegate", "b", 1);
}

/* "fail": the scope must not undo a stop of the service that has been ordered meanwhile. */
static int call_make(const struct manager *manager, const char *unit, sd_bus_message **ret,
                     struct error *err)
{
    autobusanswer *call = NULL;
    int r = sd_bus_message_new_method_call(manager->bus, &call, SYSTEMD, MANAGER, INTERFACE,
                                           "StartTransientUnit");
    if (r >= 0)
        r = sd_bus_message_append(call, "ss", manager->scope, "fail");
    if (r >= 0)
        r = sd_bus_message_open_container(call, 'a', "(sv)");
    if (r >= 0)
        r = add_properties(unit, call);
    if (r < 0)
        return error_errno(err, r, "StartTransientUnit");
    r = add_limits(manager, unit, call, err);
    if (r < 0)
        return r;
    r = sd_bus_message_close_container(call);
    if (r >= 0)
        r = sd_bus_message_append(call, "a(sa(sv))", 0);
    if (r < 0)
        return error_errno(err, r, "StartTransientUnit");
    *ret = take_ptr(call);
    return 0;
}

/* --- making it --- */

/* -EEXIST: systemd still has one of the name. */
static int start_once(struct manager *manager, const char *unit, struct error *err)
{
    autobuserror e = SD_BUS_ERROR_NULL;
    autobusanswer *call = NULL;
    autobusanswer *answer = NULL;
    const char *job = NULL;
    int r = call_make(manager, unit, &call, err);
    if (r < 0)
        return r;
    r = sd_bus_call(manager->bus, call, 0, &e, &answer);
    if (r < 0)
        return refused(manager->scope,
                       sd_bus_error_has_name(&e, SYSTEMD ".UnitExists") ? -EEXIST : r, &e, err);
    r = sd_bus_message_read(answer, "o", &job);
    if (r < 0)
        return error_errno(err, r, "StartTransientUnit");
    manager->job = strdup(job);
    return manager->job ? job_wait(manager, err) : error_oom(err);
}

/* It is empty and about to be forgotten, or holds what a predecessor left that could not clean up.
 * Not to be stopped any more is success: it has gone. */
static int predecessor_end(struct manager *manager, struct error *err)
{
    int64_t give_up_at_ms = clock_mono_ms() + PREDECESSOR_MS;
    int r = sd_bus_call_method(manager->bus, SYSTEMD, MANAGER, INTERFACE, "StopUnit", NULL, NULL,
                               "ss", manager->scope, "replace");
    if (r < 0)
        return 0;
    for (r = 0; r == 0 && !manager->removed;) {
        int64_t left_ms = give_up_at_ms - clock_mono_ms();
        if (left_ms <= 0)
            return error_set(err, -EEXIST, "%s of an earlier run does not end within %d s",
                             manager->scope, PREDECESSOR_MS / 1000);
        r = turn(manager, left_ms, err);
    }
    return r;
}

static int start(struct manager *manager, const char *unit, struct error *err)
{
    int64_t give_up_at_ms = clock_mono_ms() + PREDECESSOR_MS;
    for (;;) {
        manager->removed = false;
        int r = start_once(manager, unit, err);
        if (r != -EEXIST || clock_mono_ms() >= give_up_at_ms)
            return r;
        r = predecessor_end(manager, err);
        if (r < 0)
            return r;
    }
}

int scope_name(const char *unit, char **ret, struct error *err)
{
    static const char suffix[] = ".service";
    size_t length = strlen(unit) - (text_ends_with(unit, suffix) ? strlen(suffix) : 0);
    autofree char *stem = strndup(unit, length);
    autofree char *escaped = stem ? unit_name_escape(stem) : NULL;
    char *name = escaped ? text_format("muster-%s.scope", escaped) : NULL;
    if (!name)
        return error_oom(err);
    *ret = name;
    return 0;
}

static int note_cgroup(const struct place *place, struct error *err)
{
    autofree char *cgroup = NULL;
    int r = cgroup_of(0, &cgroup, err);
    return r < 0 ? r : file_write(place->scope, cgroup, strlen(cgroup), 0600, err);
}

int scope_enter(const struct place *place, char **ret_home, struct error *err)
{
    autofree char *home = NULL;
    autofree char *name = NULL;
    automanager manager = { 0 };
    int r = cgroup_of(0, &home, err);
    if (r == 0)
        r = scope_name(place->unit, &name, err);
    if (r < 0)
        return r;
    manager.scope = name;
    r = manager_open(&manager, err);
    if (r == 0)
        r = start(&manager, place->unit, err);
    if (r < 0)
        return error_prefix(err, r, "CgroupsMode=");
    r = note_cgroup(place, err);
    if (r < 0) {
        (void)scope_leave(home, NULL);
        return r;
    }
    *ret_home = take_ptr(home);
    return 0;
}

int scope_leave(const char *home, struct error *err)
{
    return cgroup_enter(home, err);
}

int scope_end(const struct place *place, struct error *err)
{
    autofree char *cgroup = NULL;
    struct error why = { 0 };
    int r = file_read(place->scope, CGROUP_MAX_BYTES, &cgroup, NULL, &why);
    if (r == -ENOENT)
        return 0;
    if (r < 0)
        return error_set(err, r, "%s", why.text);
    r = cgroup_kill(cgroup, err);
    return r < 0 ? r : file_remove(place->scope, err);
}
