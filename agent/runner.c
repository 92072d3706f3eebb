/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/runner.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "agent/checks.h"
#include "agent/installation.h"
#include "agent/reconcile.h"
#include "agent/texts.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "kvclient/backoff.h"

enum { RETRY_FIRST_MS = 500, RETRY_MAX_MS = 30000 };

struct entry {
    char *name;
    struct runner *runner; /* borrowed */
    bool assigned;
    bool absence_confirmed; /* not assigned, by a read that may be believed */
    int64_t assignment_revision;
    struct record_assignment assignment;
    struct installation disk;
    char *problem; /* why it cannot be had here, in words; NULL: nothing */
    bool refused;
    bool host_conflict;         /* refused because the host has a unit of that name */
    char invocation_before[33]; /* at the time of the last order to start */
    int64_t released_revision;
    enum unit_step doing; /* UNIT_STEP_NOTHING: no step is under way */
    bool starting;        /* the job of a start is under way, also one that a stop supersedes */
    struct systemd_status status;
    int64_t since_ms;
    struct loop_timer *retry;
    struct backoff backoff;
    UT_hash_handle hh;
};

struct runner {
    struct runner_config config;
    struct systemd *systemd; /* borrowed */
    bool connected;
    bool reloading;
    struct entry *entries;
    struct texts *texts;
    struct checks *checks;
};

static void advance(struct entry *entry);

/* --- entries --- */

static void on_retry(struct loop_timer *timer, void *userdata)
{
    struct entry *entry = userdata;
    (void)timer;
    entry->doing = UNIT_STEP_NOTHING;
    advance(entry);
}

static void entry_free(struct entry *entry)
{
    free(entry->name);
    record_assignment_done(&entry->assignment);
    installation_done(&entry->disk);
    free(entry->problem);
    loop_timer_free(entry->retry);
    free(entry);
}

static int entry_add(struct runner *runner, const char *name, struct entry **ret, struct error *err)
{
    struct entry *entry = calloc(1, sizeof(*entry));
    if (!entry)
        return error_oom(err);
    entry->runner = runner;
    entry->backoff = (struct backoff){ .first_ms = RETRY_FIRST_MS, .max_ms = RETRY_MAX_MS };
    entry->doing = UNIT_STEP_NOTHING;
    entry->name = strdup(name);
    int r = entry->name ? loop_timer_new(runner->config.loop, "unit retry", on_retry, entry,
                                         &entry->retry, err)
                        : error_oom(err);
    if (r < 0) {
        entry_free(entry);
        return r;
    }
    installation_init(&entry->disk, entry->name, &runner->config.dirs, &runner->config.host);
    HASH_ADD_KEYPTR(hh, runner->entries, entry->name, strlen(entry->name), entry);
    if (runner->systemd)
        (void)systemd_watch(runner->systemd, name, NULL);
    *ret = entry;
    return 0;
}

static struct entry *find_entry(struct runner *runner, const char *name)
{
    struct entry *entry = NULL;
    HASH_FIND_STR(runner->entries, name, entry);
    return entry;
}

static bool is_used(const struct runner *runner, const char *digest)
{
    for (const struct entry *entry = runner->entries; entry; entry = entry->hh.next)
        if (entry->assigned && text_equal(entry->assignment.blob, digest))
            return true;
    return false;
}

/* An entry has let go of the text, if it had one. */
static void release_text(struct runner *runner, const char *digest)
{
    if (digest && !is_used(runner, digest))
        texts_drop(runner->texts, digest);
}

static void forget(struct entry *entry)
{
    struct runner *runner = entry->runner;
    HASH_DEL(runner->entries, entry);
    if (runner->systemd)
        systemd_unwatch(runner->systemd, entry->name);
    checks_forget(runner->checks, entry->name);
    reports_forget(runner->config.reports, entry->name);
    release_text(runner, entry->assignment.blob);
    entry_free(entry);
}

/* --- reporting --- */

/* What keeps the unit from running, in words: ours, or what muster-container said of itself last.
 * While it starts (sub-states start, start-pre …) it tells how far it is, which is no problem. */
static const char *problem_of(const struct entry *entry)
{
    const struct systemd_status *status = &entry->status;
    if (entry->problem)
        return entry->problem;
    bool said = text_starts_with(status->status_text, "muster-container: ");
    bool runs = activity_from_name(status->active) == ACTIVITY_ACTIVE ||
                text_starts_with(status->sub, "start");
    return entry->disk.installed && said && !runs ? status->status_text : "";
}

/* What it is on its way down is in passing: the acknowledgement follows. */
static bool is_going(const struct entry *entry)
{
    return entry->assigned && entry->assignment.want == WANT_RELEASE && !entry->released_revision &&
           !entry->problem;
}

static void report(struct entry *entry)
{
    struct error err = { 0 };
    const struct systemd_status *status = &entry->status;
    bool known = status->active[0];
    bool gone = !entry->disk.installed;
    const char *reason = "";
    enum health_state health =
        gone ? HEALTH_NONE : checks_health(entry->runner->checks, entry->name, &reason);
    struct record_state state = {
        .assignment_revision = entry->assignment_revision,
        .load = (char *)(gone || !known ? "not-found" : status->load),
        .active = (char *)(gone || !known ? "inactive" : status->active),
        .sub = (char *)(gone || !known ? "dead" : status->sub),
        .result = (char *)(gone ? "" : status->result),
        .invocation = (char *)(gone ? "" : status->invocation),
        .problem = (char *)problem_of(entry),
        .health = (char *)health_state_name(health),
        .health_reason = (char *)(gone ? "" : reason),
        .released_revision = entry->released_revision,
        .since_ms = entry->since_ms,
    };
    /* Nothing is said of a unit before systemd was heard of it, and nothing before its start was
     * tried. */
    if (!entry->assigned || (entry->disk.installed && !known))
        return;
    /* While its start is under way, "inactive" is the past; the end of the job will say what came
     * of it. */
    enum activity activity = activity_from_name(status->active);
    if (entry->doing == UNIT_STEP_START &&
        (activity == ACTIVITY_INACTIVE || activity == ACTIVITY_FAILED))
        return;
    bool settled = entry->problem || entry->released_revision ||
                   entry->assignment.want != WANT_RUN ||
                   entry->disk.started_revision == entry->assignment_revision;
    if (!settled)
        return;
    bool transient =
        is_going(entry) || (!gone && (activity == ACTIVITY_CHANGING || health == HEALTH_STARTING));
    int r = 0;
    if (activity == ACTIVITY_ACTIVE) {
        r = installation_describe(&entry->disk, status->invocation, &err);
        state.image = entry->disk.container.image;
        state.addresses = entry->disk.container.addresses;
        state.ports = entry->disk.container.ports;
    }
    if (r < 0 ||
        reports_put(entry->runner->config.reports, entry->name, &state, transient, &err) < 0)
        log_unit(LOG_LEVEL_ERROR, entry->name, "its state cannot be reported: %s", err.text);
}

/* The step failed: say so once, keep the reason for whoever asks, and try again later. */
static void step_failed(struct entry *entry, const char *what, const char *reason)
{
    autofree char *problem = text_format("%s: %s", what, reason);
    if (problem && !text_equal(problem, entry->problem)) {
        log_unit(LOG_LEVEL_WARNING, entry->name, "%s failed: %s; trying again", what, reason);
        free(entry->problem);
        entry->problem = take_ptr(problem);
    }
    loop_timer_set(entry->retry, backoff_next_ms(&entry->backoff));
    report(entry);
}

static void clear_problem(struct entry *entry)
{
    if (!entry->refused)
        free(take_ptr(entry->problem));
}

static void step_done(struct entry *entry)
{
    entry->doing = UNIT_STEP_NOTHING;
    backoff_reset(&entry->backoff);
    loop_timer_cancel(entry->retry);
    clear_problem(entry);
}

static void refuse(struct entry *entry, const char *reason)
{
    if (!entry->refused || !text_equal(entry->problem, reason))
        log_unit(LOG_LEVEL_ERROR, entry->name, "cannot run here: %s", reason);
    entry->refused = true;
    free(entry->problem);
    entry->problem = strdup(reason);
    report(entry);
}

/* --- texts --- */

static void translate(struct entry *entry, const struct text_blob *blob)
{
    struct error err = { 0 };
    if (installation_translate(&entry->disk, blob->digest, blob->text, blob->length, &err) < 0)
        refuse(entry, err.text);
}

/* A text arrived, or did not: everybody who waits for it goes on. */
static void on_text(const struct text_blob *blob, const char *failure, void *userdata)
{
    struct runner *runner = userdata;
    struct entry *entry = NULL;
    struct entry *next = NULL;
    HASH_ITER(hh, runner->entries, entry, next) {
        if (entry->doing != UNIT_STEP_FETCH || !text_equal(entry->assignment.blob, blob->digest))
            continue;
        if (failure) {
            step_failed(entry, "reading its text from the store", failure);
            continue;
        }
        step_done(entry);
        translate(entry, blob);
        advance(entry);
    }
}

static void step_fetch(struct entry *entry)
{
    struct error err = { 0 };
    struct text_blob blob;
    int r = texts_get(entry->runner->texts, entry->assignment.blob, &blob, &err);
    if (r < 0) {
        step_failed(entry, "reading its text from the store", err.text);
    } else if (r > 0) {
        step_done(entry);
        translate(entry, &blob);
        advance(entry);
    }
}

/* --- steps --- */

static void on_started(const char *unit, int code, const char *reason, void *userdata);
static void on_step_done(const char *unit, int code, const char *reason, void *userdata);

static void step_install(struct entry *entry)
{
    struct error err = { 0 };
    if (installation_install(&entry->disk, &err) < 0) {
        step_failed(entry, "installing", err.text);
        return;
    }
    entry->status = (struct systemd_status){ 0 };
    if (systemd_watch(entry->runner->systemd, entry->name, &err) < 0)
        step_failed(entry, "asking systemd", err.text);
    else
        step_done(entry); /* its status is on the way, and is the next event */
}

static void step_remove(struct entry *entry)
{
    struct error err = { 0 };
    if (installation_remove(&entry->disk, &err) < 0) {
        step_failed(entry, "removing its files", err.text);
        return;
    }
    log_unit(LOG_LEVEL_INFO, entry->name, "removed from this machine");
    step_done(entry);
    advance(entry);
}

static void step_start(struct entry *entry)
{
    struct error err = { 0 };
    int64_t revision = entry->assignment_revision;
    int r = systemd_start(entry->runner->systemd, entry->name, on_started, entry, &err);
    if (r < 0) {
        step_failed(entry, "starting", err.text);
        return;
    }
    entry->starting = true;
    (void)snprintf(entry->invocation_before, sizeof(entry->invocation_before), "%s",
                   entry->status.invocation);
    log_unit(LOG_LEVEL_INFO, entry->name, "starting (assignment %" PRId64 ": %s)", revision,
             entry->assignment.reason ? entry->assignment.reason : "");
    installation_note_started(&entry->disk, entry->assignment_revision);
}

static void step_systemd(struct entry *entry, const char *what,
                         int (*order)(struct systemd *, const char *, systemd_done_fn, void *,
                                      struct error *))
{
    struct error err = { 0 };
    if (order(entry->runner->systemd, entry->name, on_step_done, entry, &err) < 0)
        step_failed(entry, what, err.text);
}

/* One reload serves all that wait for it. */
static void on_reloaded(const char *unit, int code, const char *reason, void *userdata)
{
    struct runner *runner = userdata;
    struct entry *entry = NULL;
    struct entry *next = NULL;
    (void)unit;
    runner->reloading = false;
    HASH_ITER(hh, runner->entries, entry, next) {
        if (entry->doing != UNIT_STEP_RELOAD || loop_timer_is_set(entry->retry))
            continue;
        if (code < 0) {
            step_failed(entry, "reloading systemd", reason);
            continue;
        }
        step_done(entry);
        installation_note_read(&entry->disk);
        entry->status = (struct systemd_status){ 0 };
        (void)systemd_watch(runner->systemd, entry->name, NULL);
    }
}

static void step_reload(struct entry *entry)
{
    struct error err = { 0 };
    struct runner *runner = entry->runner;
    if (runner->reloading)
        return;
    if (systemd_reload(runner->systemd, on_reloaded, runner, &err) < 0)
        step_failed(entry, "reloading systemd", err.text);
    else
        runner->reloading = true;
}

static void step_released(struct entry *entry)
{
    entry->released_revision = entry->assignment_revision;
    log_unit(LOG_LEVEL_INFO, entry->name, "released");
    step_done(entry);
    report(entry);
}

static enum wanted wanted_of(const struct entry *entry)
{
    if (!entry->assigned)
        return entry->absence_confirmed ? WANTED_ABSENT : WANTED_LEAVE;
    switch (entry->assignment.want) {
    case WANT_RUN:
        return WANTED_RUN;
    case WANT_LOADED:
        return WANTED_LOADED;
    case WANT_RELEASE:
        return WANTED_RELEASE;
    case WANT_INVALID:
        break;
    }
    return WANTED_LEAVE;
}

/* A start that came to nothing leaves no trace in the unit's state, which is "inactive" as before:
 * what it triggers or requires is not there, or a condition of it does not hold. Systemd tells
 * signals of a state before the end of the job, so the state is known here. */
static void note_not_started(struct entry *entry, int code, const char *reason)
{
    const struct systemd_status *status = &entry->status;
    if (entry->refused || code == -EAGAIN || wanted_of(entry) != WANTED_RUN ||
        entry->disk.started_revision != entry->assignment_revision ||
        activity_from_name(status->active) != ACTIVITY_INACTIVE ||
        !text_equal(status->invocation, entry->invocation_before))
        return;
    entry->problem = code < 0
                         ? text_format("systemd did not start it: %s (journalctl -u %s there says "
                                       "more)",
                                       reason, entry->name)
                         : text_format("not started: a condition of it (Condition...=) does not "
                                       "hold there");
}

/* A start that failed is the unit's own affair: its state says so. */
static void on_started(const char *unit, int code, const char *reason, void *userdata)
{
    struct entry *entry = userdata;
    entry->starting = false;
    if (!entry->runner->connected) /* its state will tell whether it runs */
        installation_doubt_start(&entry->disk);
    if (code == -ETIMEDOUT) { /* nor is it known that systemd took it */
        installation_doubt_start(&entry->disk);
        if (entry->doing == UNIT_STEP_START) {
            step_failed(entry, "starting", reason);
            return;
        }
    }
    if (entry->doing == UNIT_STEP_START) {
        if (code < 0)
            log_unit(LOG_LEVEL_WARNING, unit, "did not start: %s", reason);
        step_done(entry);
        note_not_started(entry, code, reason);
        report(entry);
    }
    advance(entry);
}

/* What failed is ours to try again. */
static void on_step_done(const char *unit, int code, const char *reason, void *userdata)
{
    struct entry *entry = userdata;
    (void)unit;
    if (code < 0) {
        step_failed(entry, unit_step_name(entry->doing), reason);
        return;
    }
    step_done(entry);
    report(entry);
    advance(entry);
}

/* A name that the host has a unit of its own for is refused. */
static void check_host_unit(struct entry *entry)
{
    const struct systemd_status *status = &entry->status;
    bool conflict = installation_is_hosts(&entry->disk, status->load, status->fragment);
    if (entry->host_conflict && !conflict) { /* the host has given the name up */
        entry->refused = false;
        clear_problem(entry);
    }
    entry->host_conflict = conflict;
    if (!conflict)
        return;
    autofree char *reason =
        text_format("this machine has a unit of that name of its own (%s)", status->fragment);
    refuse(entry, reason ? reason : "this machine has a unit of that name of its own");
}

static void take_step(struct entry *entry, enum unit_step step)
{
    switch (step) {
    case UNIT_STEP_FETCH:
        step_fetch(entry);
        break;
    case UNIT_STEP_INSTALL:
        step_install(entry);
        break;
    case UNIT_STEP_RELOAD:
        step_reload(entry);
        break;
    case UNIT_STEP_START:
        step_start(entry);
        break;
    case UNIT_STEP_NOTE_STARTED:
        installation_note_started(&entry->disk, entry->assignment_revision);
        step_done(entry);
        report(entry);
        break;
    case UNIT_STEP_STOP:
        step_systemd(entry, "stopping", systemd_stop);
        break;
    case UNIT_STEP_RESET:
        step_systemd(entry, "resetting", systemd_reset_failed);
        break;
    case UNIT_STEP_REMOVE:
        step_remove(entry);
        break;
    case UNIT_STEP_RELEASED:
        step_released(entry);
        break;
    case UNIT_STEP_FORGET:
        forget(entry);
        break;
    case UNIT_STEP_NOTHING:
    case UNIT_STEP_INVALID:
        break;
    }
}

/* A start may take as long as the unit likes (a oneshot runs for all of it): an order that does not
 * want it any more does not wait for its end. */
static bool is_start_unwanted(const struct entry *entry, enum wanted wanted)
{
    return entry->doing == UNIT_STEP_START && entry->starting && wanted != WANTED_LEAVE &&
           (wanted != WANTED_RUN || !entry->disk.current);
}

/* While a start is under way the unit is not down, whatever its state says yet. */
static enum activity activity_of(const struct entry *entry)
{
    enum activity activity = activity_from_name(entry->status.active);
    bool down = activity == ACTIVITY_INACTIVE || activity == ACTIVITY_FAILED;
    return entry->starting && down ? ACTIVITY_CHANGING : activity;
}

static void advance(struct entry *entry)
{
    if (is_start_unwanted(entry, wanted_of(entry)))
        entry->doing = UNIT_STEP_NOTHING;
    struct unit_facts facts = {
        .wanted = wanted_of(entry),
        .busy = entry->doing != UNIT_STEP_NOTHING || !entry->runner->connected,
        .refused = entry->refused,
        .have_text = installation_has_text(&entry->disk, entry->assignment.blob),
        .installed = entry->disk.installed,
        .current = entry->disk.current,
        /* A slice that a service names exists before its file does, and then has no limits; systemd
         * itself does not see that there is a file now. */
        .need_reload =
            entry->status.need_reload || entry->status.without_file || entry->disk.links_unread,
        .activity = activity_of(entry),
        .assignment_revision = entry->assignment_revision,
        .started_revision = entry->disk.started_revision,
        .restart_revision = entry->assignment.restart_revision,
    };
    enum unit_step step = reconcile_step(&facts);
    if (step == UNIT_STEP_RELEASED && entry->released_revision == entry->assignment_revision)
        step = UNIT_STEP_NOTHING; /* acknowledged already */
    if (step == UNIT_STEP_FORGET && entry->starting)
        step = UNIT_STEP_NOTHING; /* the end of the job still needs the entry */
    if (step == UNIT_STEP_START && entry->starting) {
        entry->doing = step; /* a start is under way again wanted: its end is this one's */
        return;
    }
    if (step == UNIT_STEP_NOTHING || step == UNIT_STEP_INVALID) {
        if (entry->doing == UNIT_STEP_NOTHING)
            report(entry);
        return;
    }
    log_debug("%s: %s", entry->name, unit_step_name(step));
    entry->doing = step;
    take_step(entry, step);
}

/* --- what comes in --- */

void runner_on_status(struct runner *runner, const char *unit, const struct systemd_status *status)
{
    struct entry *entry = find_entry(runner, unit);
    if (!entry)
        return;
    if (strcmp(entry->status.active, status->active) != 0)
        entry->since_ms = clock_wall_ms();
    entry->status = *status;
    if (entry->doing == UNIT_STEP_NOTHING && activity_from_name(status->active) > ACTIVITY_INACTIVE)
        clear_problem(entry); /* it was started after all, by hand or by another unit */
    check_host_unit(entry);
    if (entry->disk.installed)
        checks_on_status(runner->checks, unit, status);
    if (entry->doing != UNIT_STEP_NOTHING)
        report(entry);
    else
        advance(entry);
}

void runner_on_connected(struct runner *runner, bool connected)
{
    struct entry *entry = NULL;
    struct entry *next = NULL;
    runner->connected = connected;
    if (connected)
        return; /* statuses follow, and each is an event of its own */
    HASH_ITER(hh, runner->entries, entry, next) {
        entry->status = (struct systemd_status){ 0 };
    }
}

static void on_health(const char *unit, void *userdata)
{
    struct entry *entry = find_entry(userdata, unit);
    if (entry)
        report(entry);
}

/* A new order ends the wait for another try, and for a text that it may no longer name. */
static void stop_waiting(struct entry *entry)
{
    if (entry->doing != UNIT_STEP_FETCH && !loop_timer_is_set(entry->retry))
        return;
    loop_timer_cancel(entry->retry);
    entry->doing = UNIT_STEP_NOTHING;
    backoff_reset(&entry->backoff);
}

int runner_assign(struct runner *runner, const char *unit, int64_t mod,
                  const struct record_assignment *assignment, struct error *err)
{
    autorecord(assignment) copy = { 0 };
    struct entry *entry = find_entry(runner, unit);
    int r = record_assignment_copy(assignment, &copy, err);
    if (r == 0 && !entry)
        r = entry_add(runner, unit, &entry, err);
    if (r < 0)
        return r;
    bool new_text = !text_equal(entry->assignment.blob, copy.blob);
    if (new_text || !entry->assigned) {
        entry->refused = false;
        free(take_ptr(entry->problem));
        installation_forget_text(&entry->disk);
        check_host_unit(entry);
    }
    autofree char *old_blob = take_ptr(entry->assignment.blob);
    record_assignment_done(&entry->assignment);
    entry->assignment = copy;
    copy = (struct record_assignment){ 0 };
    entry->assigned = true;
    entry->absence_confirmed = false;
    entry->assignment_revision = mod;
    stop_waiting(entry);
    if (entry->doing == UNIT_STEP_NOTHING)
        clear_problem(entry); /* it was of the order before */
    entry->released_revision = 0;
    if (new_text)
        release_text(runner, old_blob);
    advance(entry);
    return 0;
}

void runner_unassign(struct runner *runner, const char *unit)
{
    struct entry *entry = find_entry(runner, unit);
    if (!entry)
        return;
    entry->assigned = false;
    entry->refused = false;
    stop_waiting(entry);
    reports_forget(runner->config.reports, unit);
    advance(entry);
}

void runner_retain(struct runner *runner, bool (*is_assigned)(const char *unit, void *userdata),
                   void *userdata)
{
    struct entry *entry = NULL;
    struct entry *next = NULL;
    HASH_ITER(hh, runner->entries, entry, next) {
        if (entry->assigned && !is_assigned(entry->name, userdata))
            runner_unassign(runner, entry->name);
    }
}

bool runner_has_unconfirmed(const struct runner *runner)
{
    for (const struct entry *entry = runner->entries; entry; entry = entry->hh.next)
        if (!entry->assigned && !entry->absence_confirmed && entry->disk.installed)
            return true;
    return false;
}

void runner_confirm_absence(struct runner *runner, char *const *assigned)
{
    struct entry *entry = NULL;
    struct entry *next = NULL;
    HASH_ITER(hh, runner->entries, entry, next) {
        if (entry->assigned || entry->absence_confirmed || strv_contains(assigned, entry->name))
            continue;
        entry->absence_confirmed = true;
        log_unit(LOG_LEVEL_INFO, entry->name,
                 "not assigned to this machine any more; taking it down");
        advance(entry);
    }
}

size_t runner_running(const struct runner *runner)
{
    size_t running = 0;
    for (const struct entry *entry = runner->entries; entry; entry = entry->hh.next) {
        enum activity activity = activity_from_name(entry->status.active);
        running +=
            entry->disk.installed && activity != ACTIVITY_INACTIVE && activity != ACTIVITY_FAILED;
    }
    return running;
}

/* --- life --- */

static int adopt_installed(struct runner *runner, struct error *err)
{
    autostrv names = NULL;
    int r = unit_files_list(&runner->config.dirs, &names, err);
    for (char **name = names; r == 0 && name && *name; name++) {
        struct entry *entry = NULL;
        r = entry_add(runner, *name, &entry, err);
        if (r == 0)
            installation_adopt(&entry->disk);
    }
    return r;
}

int runner_new(const struct runner_config *config, struct runner **ret, struct error *err)
{
    autoptr(runner) runner = calloc(1, sizeof(*runner));
    if (!runner)
        return error_oom(err);
    runner->config = *config;
    const struct checks_config checks = { .loop = config->loop,
                                          .helper = config->host.helper,
                                          .run = config->dirs.run,
                                          .on_change = on_health,
                                          .userdata = runner };
    int r = unit_files_prepare(&config->dirs, err);
    if (r == 0)
        r = texts_new(config->kv, config->prefix, on_text, runner, &runner->texts, err);
    if (r == 0)
        r = checks_new(&checks, &runner->checks, err);
    if (r == 0)
        r = adopt_installed(runner, err);
    if (r < 0)
        return r;
    *ret = take_ptr(runner);
    return 0;
}

void runner_set_systemd(struct runner *runner, struct systemd *systemd)
{
    struct entry *entry = NULL;
    struct entry *next = NULL;
    runner->systemd = systemd;
    checks_set_systemd(runner->checks, systemd);
    if (!systemd)
        return;
    HASH_ITER(hh, runner->entries, entry, next) {
        (void)systemd_watch(systemd, entry->name, NULL);
    }
}

void runner_free(struct runner *runner)
{
    struct entry *entry = NULL;
    struct entry *next = NULL;
    if (!runner)
        return;
    HASH_ITER(hh, runner->entries, entry, next) {
        HASH_DEL(runner->entries, entry);
        entry_free(entry);
    }
    texts_free(runner->texts);
    checks_free(runner->checks);
    free(runner);
}
