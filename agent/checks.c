/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/checks.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>
#include <uthash.h>
#include <utlist.h>

#include "agent/health_note.h"
#include "agent/notify.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "units/health_check.h"

enum { CHECK_MAX_BYTES = 256 * 1024, REASON_BYTES = 256, NOT_YET_MS = 50, KILLED_MS = 1000 };

struct check {
    char *unit;
    struct checks *checks; /* borrowed */
    struct health health;
    struct health_check *rules; /* NULL: what an earlier musterd noted is all there is */
    struct systemd_status status;
    char last[REASON_BYTES];   /* of the last check that failed */
    char reason[REASON_BYTES]; /* of health, as told */
    struct loop_timer *timer;
    struct loop_child *child; /* NULL: none runs */
    int output;               /* of the child */
    bool queued;
    struct check *prev;
    struct check *next;
    UT_hash_handle hh;
};

struct checks {
    struct checks_config config;
    struct systemd *systemd; /* borrowed */
    char *notes;             /* directory */
    struct check *all;
    struct check *queue; /* due, and waiting for room */
    unsigned int running;
};

static void step(struct check *check, const struct health_event *event);

static void step_plain(struct check *check, enum health_event_kind kind)
{
    step(check, &(struct health_event){ .kind = kind });
}

/* --- running one --- */

static void stop_queueing(struct check *check)
{
    if (check->queued)
        DL_DELETE(check->checks->queue, check);
    check->queued = false;
}

/* A check that is due begins if there is room. */
static void tick(struct check *check)
{
    struct checks *checks = check->checks;
    if (check->health.phase != HEALTH_PHASE_WAIT || checks->running < CHECKS_AT_ONCE) {
        step_plain(check, HEALTH_EVENT_TICK);
    } else if (!check->queued) {
        check->queued = true;
        DL_APPEND(checks->queue, check);
    }
}

static void run_queued(struct checks *checks)
{
    while (checks->queue && checks->running < CHECKS_AT_ONCE) {
        struct check *check = checks->queue;
        stop_queueing(check);
        tick(check);
    }
}

/* If we stood still for long, it may have ended in time, and only our clock is late. */
static bool has_ended(const struct check *check)
{
    siginfo_t info = { 0 };
    pid_t pid = loop_child_pid(check->child);
    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == pid;
}

static void on_timer(struct loop_timer *timer, void *userdata)
{
    struct check *check = userdata;
    (void)timer;
    if (check->health.phase == HEALTH_PHASE_RUN && check->child && has_ended(check))
        return; /* its end is an event of its own, which is next */
    tick(check);
}

/* One line that can be shown and stored anywhere. */
static void clean(char *text)
{
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = ' ';
    json_t *json = json_string(text);
    for (char *c = text; !json && *c; c++)
        if ((unsigned char)*c > 0x7f)
            *c = '?';
    json_decref(json);
}

static void read_last(struct check *check)
{
    char *last = check->last;
    ssize_t count = read(check->output, last, REASON_BYTES - 1);
    last[count > 0 ? count : 0] = '\0';
    char *line = text_trim(last);
    memmove(last, line, strlen(line) + 1);
    clean(last);
}

/* One that was killed went with its container, which systemd tells us of in a moment. */
static struct health_event outcome(int status)
{
    if (WIFSIGNALED(status))
        return (struct health_event){ .kind = HEALTH_EVENT_NOT_YET, .delay_ms = KILLED_MS };
    if (WEXITSTATUS(status) == EX_TEMPFAIL)
        return (struct health_event){ .kind = HEALTH_EVENT_NOT_YET, .delay_ms = NOT_YET_MS };
    bool passed = WEXITSTATUS(status) == EXIT_SUCCESS;
    return (struct health_event){ .kind = passed ? HEALTH_EVENT_PASSED : HEALTH_EVENT_FAILED };
}

static void let_go(struct check *check)
{
    if (!check->child)
        return;
    loop_child_free(take_ptr(check->child));
    (void)close(take_fd(check->output));
    check->checks->running--;
}

static void on_child(struct loop_child *child, int status, void *userdata)
{
    struct check *check = userdata;
    struct checks *checks = check->checks;
    (void)child;
    if (check->health.phase == HEALTH_PHASE_RUN)
        read_last(check);
    let_go(check);
    const struct health_event event = outcome(status);
    step(check, &event);
    run_queued(checks);
}

static int spawn_into(struct check *check, posix_spawn_file_actions_t *actions,
                      posix_spawnattr_t *attributes, pid_t *ret)
{
    char helper_name[] = "muster-container";
    char verb[] = "probe";
    char startup[] = "--startup";
    char *const plain[] = { helper_name, verb, check->unit, NULL };
    char *const first[] = { helper_name, verb, startup, check->unit, NULL };
    sigset_t none;
    sigset_t all;
    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    (void)posix_spawnattr_setsigmask(attributes, &none);
    (void)posix_spawnattr_setsigdefault(attributes, &all);
    (void)posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    return posix_spawn(ret, check->checks->config.helper, actions, attributes,
                       check->health.startup ? first : plain, environ);
}

/* posix_spawn() returns positive numbers. */
static int spawn(struct check *check, int output, pid_t *ret)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int r = posix_spawn_file_actions_init(&actions);
    if (r)
        return -r;
    r = posix_spawnattr_init(&attributes);
    if (r == 0) {
        r = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        if (r == 0)
            r = posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
        if (r == 0)
            r = spawn_into(check, &actions, &attributes, ret);
        (void)posix_spawnattr_destroy(&attributes);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return -r;
}

static int start_child(struct check *check, struct error *err)
{
    const struct checks_config *config = &check->checks->config;
    int ends[2];
    pid_t pid = 0;
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return error_errno(err, -errno, "pipe");
    autoclose int input = ends[0];
    autoclose int output = ends[1];
    int r = spawn(check, output, &pid);
    if (r < 0)
        return error_errno(err, r, "%s", config->helper);
    r = loop_child_new(config->loop, "health check", pid, on_child, check, &check->child, err);
    if (r < 0) {
        (void)kill(pid, SIGTERM); /* the loop reaps it */
        return r;
    }
    check->output = take_fd(input);
    check->checks->running++;
    return 0;
}

static void run(struct check *check)
{
    struct error err = { 0 };
    if (start_child(check, &err) == 0)
        return;
    (void)snprintf(check->last, sizeof(check->last), "it could not be run: %.200s", err.text);
    step_plain(check, HEALTH_EVENT_FAILED);
}

/* --- what follows --- */

static void note(struct check *check)
{
    struct error err = { 0 };
    const struct health_note known = {
        .invocation = check->status.invocation,
        .state = check->health.state,
        .reason = check->reason,
        .since_ms = check->health.up_since_ms,
    };
    int r = check->health.state == HEALTH_NONE
                ? health_note_remove(check->checks->notes, check->unit, &err)
                : health_note_write(check->checks->notes, check->unit, &known, &err);
    if (r < 0)
        log_unit(LOG_LEVEL_WARNING, check->unit, "a restarted musterd will not know its health: %s",
                 err.text);
}

static void tell(struct check *check)
{
    enum health_state state = check->health.state;
    bool bad = state == HEALTH_UNHEALTHY || (state == HEALTH_STARTING && check->health.said);
    (void)snprintf(check->reason, sizeof(check->reason), "%s", bad ? check->last : "");
    note(check);
    if (state == HEALTH_UNHEALTHY)
        log_unit(LOG_LEVEL_WARNING, check->unit, "is unhealthy: %s", check->reason);
    else if (state == HEALTH_HEALTHY)
        log_unit(LOG_LEVEL_INFO, check->unit, "is healthy");
    else if (bad)
        log_unit(LOG_LEVEL_INFO, check->unit, "is not healthy yet: %s", check->reason);
    check->checks->config.on_change(check->unit, check->checks->config.userdata);
}

static bool is_activating(const struct check *check)
{
    return strcmp(check->status.active, "activating") == 0;
}

/* In the name of the main process, which root may use: systemd believes those of the service's own
 * cgroup. Said again with each further check that passes, should it get lost. */
static void say_ready(const struct check *check)
{
    if (!check->rules->awaited || !is_activating(check))
        return;
    int r = notify_send((pid_t)check->rules->pid, "READY=1");
    if (r <= 0)
        log_unit(LOG_LEVEL_WARNING, check->unit,
                 "is healthy, but systemd cannot be told (%s): trying again",
                 r < 0 ? strerror(-r) : "musterd was not started by it");
}

static void on_followed(const char *unit, int code, const char *reason, void *userdata)
{
    (void)userdata;
    if (code < 0 && code != -EAGAIN)
        log_unit(LOG_LEVEL_WARNING, unit, "systemd would not do what was to follow: %s", reason);
}

static void follow(struct check *check, enum container_on_failure on_failure)
{
    static const struct {
        const char *word;
        int (*order)(struct systemd *, const char *, systemd_done_fn, void *, struct error *);
    } ways[] = {
        [CONTAINER_ON_FAILURE_KILL] = {"killing",     systemd_kill   },
        [CONTAINER_ON_FAILURE_RESTART] = { "restarting", systemd_restart},
        [CONTAINER_ON_FAILURE_STOP] = { "stopping",   systemd_stop   },
    };
    struct error err = { 0 };
    if (on_failure < CONTAINER_ON_FAILURE_KILL || !ways[on_failure].order ||
        !check->checks->systemd)
        return;
    log_unit(LOG_LEVEL_WARNING, check->unit, "is unhealthy: %s it", ways[on_failure].word);
    int r = ways[on_failure].order(check->checks->systemd, check->unit, on_followed, check->checks,
                                   &err);
    if (r < 0)
        log_unit(LOG_LEVEL_WARNING, check->unit, "%s; trying again after the next check", err.text);
}

static void end_child(const struct check *check)
{
    if (check->child)
        (void)kill(loop_child_pid(check->child), SIGTERM);
}

static void step(struct check *check, const struct health_event *event)
{
    const struct container_health *rules = &check->rules->health;
    bool ran = check->health.phase == HEALTH_PHASE_RUN;
    struct health_actions actions = health_step(&check->health, rules, event, clock_mono_ms());
    if (actions.end && ran && event->kind == HEALTH_EVENT_TICK)
        (void)snprintf(check->last, sizeof(check->last), "it did not end within %" PRId64 " ms",
                       check->health.startup ? rules->startup_timeout_ms : rules->timeout_ms);
    if (actions.end)
        end_child(check);
    if (actions.wake_ms < 0)
        loop_timer_cancel(check->timer);
    else
        loop_timer_set(check->timer, actions.wake_ms - clock_mono_ms());
    if (actions.ready)
        say_ready(check);
    if (actions.tell)
        tell(check);
    if (actions.run)
        run(check);
    follow(check, actions.on_failure);
}

/* --- what is checked --- */

static void check_free(struct check *check)
{
    stop_queueing(check);
    end_child(check);
    let_go(check);
    loop_timer_free(check->timer);
    health_check_free(check->rules);
    free(check->unit);
    free(check);
}

static struct check *find(struct checks *checks, const char *unit)
{
    struct check *check = NULL;
    HASH_FIND_STR(checks->all, unit, check);
    return check;
}

static struct check *add(struct checks *checks, const char *unit)
{
    struct check *check = calloc(1, sizeof(*check));
    if (!check)
        return NULL;
    check->checks = checks;
    check->output = -1;
    health_init(&check->health);
    check->unit = strdup(unit);
    if (!check->unit || loop_timer_new(checks->config.loop, "health check due", on_timer, check,
                                       &check->timer, NULL) < 0) {
        check_free(check);
        return NULL;
    }
    HASH_ADD_KEYPTR(hh, checks->all, check->unit, strlen(check->unit), check);
    return check;
}

/* What muster-container left for the container whose first process this is; NULL: it has none, or
 * is not that far. */
static struct health_check *rules_of(const struct checks *checks, const char *unit, int64_t pid)
{
    struct error err = { 0 };
    autofree char *path = text_format("%s/containers/%s/health.json", checks->config.run, unit);
    autofree char *text = NULL;
    autoptr(health_check) rules = NULL;
    size_t length = 0;
    if (!path || file_read(path, CHECK_MAX_BYTES, &text, &length, NULL) < 0)
        return NULL;
    if (health_check_parse(text, length, &rules, &err) < 0) {
        log_unit(LOG_LEVEL_ERROR, unit, "its health is not checked: %s: %s", path, err.text);
        return NULL;
    }
    return rules->pid == pid ? take_ptr(rules) : NULL;
}

/* The checks of a musterd that was started anew do not all come at once. */
static int64_t spread(const struct check *check)
{
    uint32_t hash = 2166136261U;
    for (const char *c = check->unit; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 16777619U;
    return hash % check->rules->health.interval_ms;
}

static void begin(struct check *check)
{
    struct health_event event = { .kind = HEALTH_EVENT_UP,
                                  .known = HEALTH_STARTING,
                                  .since_ms = clock_mono_ms() };
    autohealth_note known = { 0 };
    bool resumed = !check->health.up &&
                   health_note_read(check->checks->notes, check->unit, &known, NULL) == 0 &&
                   text_equal(known.invocation, check->status.invocation);
    if (resumed) {
        event.known = known.state;
        event.since_ms = known.since_ms;
        event.delay_ms = known.state == HEALTH_STARTING ? 0 : spread(check);
        (void)snprintf(check->last, sizeof(check->last), "%s", known.reason);
    }
    step(check, &event);
}

/* A unit that is down, and unhealthy before that: all there is to say is on disk. */
static void recall(struct checks *checks, const char *unit, const struct systemd_status *status)
{
    autohealth_note known = { 0 };
    if (health_note_read(checks->notes, unit, &known, NULL) < 0 || known.state != HEALTH_UNHEALTHY)
        return;
    struct check *check = add(checks, unit);
    if (!check)
        return;
    check->status = *status;
    check->health.state = HEALTH_UNHEALTHY;
    (void)snprintf(check->reason, sizeof(check->reason), "%s", known.reason);
    checks->config.on_change(unit, checks->config.userdata);
}

static bool is_up(const struct systemd_status *status)
{
    return status->main_pid > 0 &&
           (strcmp(status->active, "active") == 0 || strcmp(status->active, "activating") == 0 ||
            strcmp(status->active, "reloading") == 0);
}

static bool is_same_run(const struct check *check, const struct systemd_status *status)
{
    return check->health.up && check->rules->pid == status->main_pid &&
           text_equal(check->status.invocation, status->invocation);
}

void checks_on_status(struct checks *checks, const char *unit, const struct systemd_status *status)
{
    struct check *check = find(checks, unit);
    if (check && is_up(status) && is_same_run(check, status)) {
        check->status = *status;
        return;
    }
    struct health_check *rules = is_up(status) ? rules_of(checks, unit, status->main_pid) : NULL;
    if (rules && !check)
        check = add(checks, unit);
    if (!check) {
        health_check_free(rules);
        if (!is_up(status))
            recall(checks, unit, status);
        return;
    }
    check->status = *status;
    if (!rules) {
        if (check->health.up)
            step_plain(check, HEALTH_EVENT_DOWN);
        return;
    }
    health_check_free(check->rules);
    check->rules = rules;
    begin(check);
}

void checks_forget(struct checks *checks, const char *unit)
{
    struct check *check = find(checks, unit);
    (void)health_note_remove(checks->notes, unit, NULL);
    if (!check)
        return;
    HASH_DEL(checks->all, check);
    check_free(check);
    run_queued(checks);
}

enum health_state checks_health(struct checks *checks, const char *unit, const char **ret_reason)
{
    const struct check *check = find(checks, unit);
    *ret_reason = check ? check->reason : "";
    return check ? check->health.state : HEALTH_NONE;
}

/* --- life --- */

int checks_new(const struct checks_config *config, struct checks **ret, struct error *err)
{
    autoptr(checks) checks = calloc(1, sizeof(*checks));
    if (!checks)
        return error_oom(err);
    checks->config = *config;
    checks->notes = text_format("%s/health", config->run);
    if (!checks->notes)
        return error_oom(err);
    int r = file_make_dirs(checks->notes, 0755, err);
    if (r == 0)
        *ret = take_ptr(checks);
    return r;
}

void checks_set_systemd(struct checks *checks, struct systemd *systemd)
{
    checks->systemd = systemd;
}

void checks_free(struct checks *checks)
{
    struct check *check = NULL;
    struct check *next = NULL;
    if (!checks)
        return;
    HASH_ITER(hh, checks->all, check, next) {
        HASH_DEL(checks->all, check);
        check_free(check);
    }
    free(checks->notes);
    free(checks);
}
