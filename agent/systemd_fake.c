/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/systemd_fake.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

enum fake_job { JOB_NONE = 0, JOB_START, JOB_STOP };

struct fake_unit {
    char name[257];
    struct systemd_status status;
    bool watched;
    bool fail_start;
    bool hold_start;
    enum fake_job job;
    systemd_done_fn job_fn;
    void *job_userdata;
    systemd_done_fn held; /* of a start that goes on until it is stopped or let go */
    void *held_userdata;
    bool ignore_start;
    int ignore_code;
    unsigned int starts;
    unsigned int stops;
    unsigned int restarts;
    unsigned int kills;
    UT_hash_handle hh;
};

/* Something to be told: the end of a job (fn) or a status (no fn). */
struct news {
    char unit[257];
    int code;
    systemd_done_fn fn;
    void *userdata;
    struct news *prev;
    struct news *next;
};

struct fake {
    struct systemd base;
    struct systemd_callbacks callbacks;
    void *userdata;
    bool connected;
    bool slow;
    bool outlives;
    struct loop_timer *teller; /* NULL: the test delivers */
    bool told_of_bus;
    unsigned int invocations;
    uint64_t changes;
    struct fake_unit *units;
    struct news *news;
    unsigned int reloads;
};

static void set_words(struct systemd_status *status, const char *active, const char *sub)
{
    (void)snprintf(status->load, sizeof(status->load), "%s", "loaded");
    (void)snprintf(status->active, sizeof(status->active), "%s", active);
    (void)snprintf(status->sub, sizeof(status->sub), "%s", sub);
}

static struct fake_unit *get(const struct systemd *systemd, const char *name)
{
    struct fake *fake = (struct fake *)(void *)systemd;
    struct fake_unit *unit = NULL;
    HASH_FIND_STR(fake->units, name, unit);
    if (unit)
        return unit;
    unit = calloc(1, sizeof(*unit));
    if (!unit)
        abort();
    (void)snprintf(unit->name, sizeof(unit->name), "%s", name);
    set_words(&unit->status, "inactive", "dead");
    (void)snprintf(unit->status.load, sizeof(unit->status.load), "%s", "not-found");
    HASH_ADD_STR(fake->units, name, unit);
    return unit;
}

static void add_news(struct systemd *systemd, const char *unit, int code, systemd_done_fn fn,
                     void *userdata)
{
    struct fake *fake = (struct fake *)systemd;
    struct news *news = calloc(1, sizeof(*news));
    if (!news)
        abort();
    (void)snprintf(news->unit, sizeof(news->unit), "%s", unit);
    news->code = code;
    news->fn = fn;
    news->userdata = userdata;
    DL_APPEND(fake->news, news);
    fake->changes++;
    if (fake->teller)
        loop_timer_set(fake->teller, 0);
}

static int fake_watch(struct systemd *systemd, const char *unit, struct error *err)
{
    (void)err;
    get(systemd, unit)->watched = true;
    add_news(systemd, unit, 0, NULL, NULL);
    return 0;
}

static void fake_unwatch(struct systemd *systemd, const char *unit)
{
    get(systemd, unit)->watched = false;
}

static int check_connected(const struct systemd *systemd, struct error *err)
{
    return ((const struct fake *)systemd)->connected ? 0 : error_set(err, -EAGAIN, "no bus");
}

/* Its end is told later; one that is under way is superseded by it. */
static int begin_job(struct systemd *systemd, struct fake_unit *unit, enum fake_job job,
                     systemd_done_fn fn, void *userdata)
{
    bool there = strcmp(unit->status.active, job == JOB_START ? "active" : "inactive") == 0;
    if (unit->job_fn)
        add_news(systemd, unit->name, -EAGAIN, unit->job_fn, unit->job_userdata);
    unit->job = there ? JOB_NONE : job;
    unit->job_fn = there ? NULL : fn;
    unit->job_userdata = userdata;
    if (there) {
        add_news(systemd, unit->name, 0, fn, userdata);
        return 0;
    }
    if (job == JOB_START)
        set_words(&unit->status, "activating", "start");
    else
        set_words(&unit->status, "deactivating", "stop-sigterm");
    add_news(systemd, unit->name, 0, NULL, NULL);
    return 0;
}

static int fake_start(struct systemd *systemd, const char *name, systemd_done_fn fn, void *userdata,
                      struct error *err)
{
    struct fake_unit *unit = get(systemd, name);
    int r = check_connected(systemd, err);
    if (r < 0)
        return r;
    unit->starts++;
    if (((struct fake *)systemd)->slow)
        return begin_job(systemd, unit, JOB_START, fn, userdata);
    if (unit->hold_start) {
        unit->held = fn;
        unit->held_userdata = userdata;
        set_words(&unit->status, "activating", "start");
        add_news(systemd, name, 0, NULL, NULL);
        return 0;
    }
    if (unit->ignore_start) {
        unit->ignore_start = false;
        add_news(systemd, name, unit->ignore_code, fn, userdata);
        return 0;
    }
    bool fails = unit->fail_start;
    unit->fail_start = false;
    set_words(&unit->status, fails ? "failed" : "active", fails ? "failed" : "running");
    add_news(systemd, name, 0, NULL, NULL);
    add_news(systemd, name, fails ? -EIO : 0, fn, userdata);
    return 0;
}

static int fake_stop(struct systemd *systemd, const char *name, systemd_done_fn fn, void *userdata,
                     struct error *err)
{
    struct fake_unit *unit = get(systemd, name);
    int r = check_connected(systemd, err);
    if (r < 0)
        return r;
    unit->stops++;
    if (((struct fake *)systemd)->slow)
        return begin_job(systemd, unit, JOB_STOP, fn, userdata);
    set_words(&unit->status, "inactive", "dead");
    if (unit->held)
        add_news(systemd, name, -EAGAIN, unit->held, unit->held_userdata);
    unit->held = NULL;
    add_news(systemd, name, 0, NULL, NULL);
    add_news(systemd, name, 0, fn, userdata);
    return 0;
}

static int fake_restart(struct systemd *systemd, const char *name, systemd_done_fn fn,
                        void *userdata, struct error *err)
{
    int r = check_connected(systemd, err);
    if (r < 0)
        return r;
    get(systemd, name)->restarts++;
    add_news(systemd, name, 0, fn, userdata);
    return 0;
}

static int fake_kill(struct systemd *systemd, const char *name, systemd_done_fn fn, void *userdata,
                     struct error *err)
{
    int r = check_connected(systemd, err);
    if (r < 0)
        return r;
    get(systemd, name)->kills++;
    add_news(systemd, name, 0, fn, userdata);
    return 0;
}

static int fake_reset_failed(struct systemd *systemd, const char *name, systemd_done_fn fn,
                             void *userdata, struct error *err)
{
    int r = check_connected(systemd, err);
    if (r < 0)
        return r;
    set_words(&get(systemd, name)->status, "inactive", "dead");
    add_news(systemd, name, 0, NULL, NULL);
    add_news(systemd, name, 0, fn, userdata);
    return 0;
}

static int fake_reload(struct systemd *systemd, systemd_done_fn fn, void *userdata,
                       struct error *err)
{
    int r = check_connected(systemd, err);
    if (r < 0)
        return r;
    struct fake *fake = (struct fake *)(void *)systemd;
    struct fake_unit *unit = NULL;
    struct fake_unit *next = NULL;
    HASH_ITER(hh, fake->units, unit, next)
        unit->status.without_file = false;
    fake->reloads++;
    add_news(systemd, "", 0, fn, userdata);
    return 0;
}

static int fake_is_stopping(struct systemd *systemd, systemd_done_fn fn, void *userdata,
                            struct error *err)
{
    int r = check_connected(systemd, err);
    if (r == 0)
        add_news(systemd, "", -EALREADY, fn, userdata);
    return r;
}

/* Whoever was to be told is not there any more. */
static void drop_news(struct fake *fake)
{
    struct fake_unit *unit = NULL;
    struct fake_unit *next_unit = NULL;
    struct news *news = NULL;
    struct news *next_news = NULL;
    HASH_ITER(hh, fake->units, unit, next_unit) {
        unit->watched = false;
        unit->job_fn = NULL;
    }
    DL_FOREACH_SAFE(fake->news, news, next_news) {
        DL_DELETE(fake->news, news);
        free(news);
    }
}

void systemd_fake_destroy(struct systemd *systemd)
{
    struct fake *fake = (struct fake *)systemd;
    struct fake_unit *unit = NULL;
    struct fake_unit *next_unit = NULL;
    if (!fake)
        return;
    loop_timer_free(fake->teller);
    drop_news(fake);
    HASH_ITER(hh, fake->units, unit, next_unit) {
        HASH_DEL(fake->units, unit);
        free(unit);
    }
    free(fake);
}

static void fake_free(struct systemd *systemd)
{
    struct fake *fake = (struct fake *)systemd;
    if (!fake->outlives) {
        systemd_fake_destroy(systemd);
        return;
    }
    drop_news(fake);
    fake->connected = false;
}

static const struct systemd_vtable fake_vtable = {
    .free = fake_free,
    .watch = fake_watch,
    .unwatch = fake_unwatch,
    .start = fake_start,
    .stop = fake_stop,
    .restart = fake_restart,
    .kill = fake_kill,
    .reset_failed = fake_reset_failed,
    .reload = fake_reload,
    .is_stopping = fake_is_stopping,
};

int systemd_fake_new(const struct systemd_callbacks *callbacks, void *userdata,
                     struct systemd **ret, struct error *err)
{
    struct fake *fake = calloc(1, sizeof(*fake));
    if (!fake)
        return error_oom(err);
    *fake = (struct fake){ .base.vtable = &fake_vtable,
                           .callbacks = *callbacks,
                           .userdata = userdata,
                           .connected = true };
    *ret = &fake->base;
    return 0;
}

void systemd_fake_outlive(struct systemd *systemd)
{
    ((struct fake *)systemd)->outlives = true;
}

void systemd_fake_reconnect(struct systemd *systemd, const struct systemd_callbacks *callbacks,
                            void *userdata)
{
    struct fake *fake = (struct fake *)systemd;
    fake->callbacks = *callbacks;
    fake->userdata = userdata;
}

void systemd_fake_set_slow(struct systemd *systemd)
{
    ((struct fake *)systemd)->slow = true;
}

bool systemd_fake_has_job(const struct systemd *systemd, const char *unit)
{
    return get(systemd, unit)->job != JOB_NONE;
}

void systemd_fake_finish(struct systemd *systemd, const char *name)
{
    struct fake *fake = (struct fake *)systemd;
    struct fake_unit *unit = get(systemd, name);
    bool fails = unit->job == JOB_START && unit->fail_start;
    if (unit->job == JOB_STOP)
        set_words(&unit->status, "inactive", "dead");
    else
        set_words(&unit->status, fails ? "failed" : "active", fails ? "failed" : "running");
    if (unit->job == JOB_START)
        (void)snprintf(unit->status.invocation, sizeof(unit->status.invocation), "%032u",
                       ++fake->invocations);
    unit->fail_start = unit->fail_start && !fails;
    add_news(systemd, name, 0, NULL, NULL);
    if (unit->job_fn)
        add_news(systemd, name, fails ? -EIO : 0, unit->job_fn, unit->job_userdata);
    unit->job = JOB_NONE;
    unit->job_fn = NULL;
}

bool systemd_fake_is_due(const struct systemd *systemd)
{
    const struct fake *fake = (const struct fake *)systemd;
    return fake->connected && fake->news;
}

uint64_t systemd_fake_changes(const struct systemd *systemd)
{
    return ((const struct fake *)systemd)->changes;
}

size_t systemd_fake_deliver(struct systemd *systemd)
{
    struct fake *fake = (struct fake *)systemd;
    size_t told = 0;
    while (fake->news && fake->connected) {
        struct news *news = fake->news;
        DL_DELETE(fake->news, news);
        if (news->fn)
            news->fn(news->unit, news->code, news->code < 0 ? "failed" : "", news->userdata);
        else if (get(systemd, news->unit)->watched)
            fake->callbacks.on_status(news->unit, &get(systemd, news->unit)->status,
                                      fake->userdata);
        free(news);
        told++;
    }
    return told;
}

static void on_tell(struct loop_timer *timer, void *userdata)
{
    struct fake *fake = userdata;
    (void)timer;
    if (!fake->told_of_bus)
        fake->callbacks.on_connected(true, fake->userdata);
    fake->told_of_bus = true;
    (void)systemd_fake_deliver(&fake->base);
}

int systemd_fake_new_in_loop(struct loop *loop, const struct systemd_callbacks *callbacks,
                             void *userdata, struct systemd **ret, struct error *err)
{
    autoptr(systemd) systemd = NULL;
    int r = systemd_fake_new(callbacks, userdata, &systemd, err);
    if (r < 0)
        return r;
    struct fake *fake = (struct fake *)(void *)systemd;
    r = loop_timer_new(loop, "simulated systemd", on_tell, fake, &fake->teller, err);
    if (r < 0)
        return r;
    loop_timer_set(fake->teller, 0);
    *ret = take_ptr(systemd);
    return 0;
}

void systemd_fake_set(struct systemd *systemd, const char *unit, const char *active,
                      const char *sub)
{
    set_words(&get(systemd, unit)->status, active, sub);
    add_news(systemd, unit, 0, NULL, NULL);
}

void systemd_fake_set_text(struct systemd *systemd, const char *unit, const char *text)
{
    struct systemd_status *status = &get(systemd, unit)->status;
    (void)snprintf(status->status_text, sizeof(status->status_text), "%s", text);
}

void systemd_fake_make_up(struct systemd *systemd, const char *unit)
{
    struct systemd_status *status = &get(systemd, unit)->status;
    set_words(status, "active", "active");
    status->without_file = true;
}

unsigned int systemd_fake_reloads(const struct systemd *systemd)
{
    return ((const struct fake *)(const void *)systemd)->reloads;
}

void systemd_fake_set_main_pid(struct systemd *systemd, const char *unit, int64_t pid)
{
    struct fake *fake = (struct fake *)systemd;
    struct systemd_status *status = &get(systemd, unit)->status;
    status->main_pid = pid;
    if (pid)
        (void)snprintf(status->invocation, sizeof(status->invocation), "%032u",
                       ++fake->invocations);
    add_news(systemd, unit, 0, NULL, NULL);
}

void systemd_fake_set_fragment(struct systemd *systemd, const char *unit, const char *fragment)
{
    struct systemd_status *status = &get(systemd, unit)->status;
    (void)snprintf(status->load, sizeof(status->load), "%s", "loaded");
    (void)snprintf(status->fragment, sizeof(status->fragment), "%s", fragment);
}

void systemd_fake_fail_start(struct systemd *systemd, const char *unit)
{
    get(systemd, unit)->fail_start = true;
}

void systemd_fake_hold_start(struct systemd *systemd, const char *unit)
{
    get(systemd, unit)->hold_start = true;
}

void systemd_fake_let_go(struct systemd *systemd, const char *name)
{
    struct fake_unit *unit = get(systemd, name);
    unit->hold_start = false;
    if (!unit->held)
        return;
    set_words(&unit->status, "active", "running");
    add_news(systemd, name, 0, NULL, NULL);
    add_news(systemd, name, 0, unit->held, unit->held_userdata);
    unit->held = NULL;
}

void systemd_fake_ignore_start(struct systemd *systemd, const char *unit, int code)
{
    get(systemd, unit)->ignore_start = true;
    get(systemd, unit)->ignore_code = code;
}

/* As a bus that comes back: what every watched unit is now. */
static void tell_all(struct systemd *systemd)
{
    const struct fake *fake = (const struct fake *)systemd;
    for (const struct fake_unit *unit = fake->units; unit; unit = unit->hh.next)
        if (unit->watched)
            add_news(systemd, unit->name, 0, NULL, NULL);
}

/* As a bus that is lost: whether an order was carried out is not known, and no signal comes. */
static void lose_jobs(struct systemd *systemd)
{
    struct fake *fake = (struct fake *)systemd;
    for (struct fake_unit *unit = fake->units; unit; unit = unit->hh.next) {
        if (unit->job_fn)
            add_news(systemd, unit->name, 0, unit->job_fn, unit->job_userdata);
        unit->job_fn = NULL;
    }
    while (fake->news) {
        struct news *news = fake->news;
        DL_DELETE(fake->news, news);
        if (news->fn)
            news->fn(news->unit, -EAGAIN, "the connection was lost", news->userdata);
        free(news);
    }
}

void systemd_fake_connect(struct systemd *systemd, bool connected)
{
    struct fake *fake = (struct fake *)systemd;
    fake->connected = connected;
    if (fake->slow && connected)
        tell_all(systemd);
    fake->callbacks.on_connected(connected, fake->userdata);
    if (fake->slow && !connected)
        lose_jobs(systemd);
}

unsigned int systemd_fake_starts(const struct systemd *systemd, const char *unit)
{
    return get(systemd, unit)->starts;
}

unsigned int systemd_fake_stops(const struct systemd *systemd, const char *unit)
{
    return get(systemd, unit)->stops;
}

const char *systemd_fake_active(const struct systemd *systemd, const char *unit)
{
    return get(systemd, unit)->status.active;
}

unsigned int systemd_fake_restarts(const struct systemd *systemd, const char *unit)
{
    return get(systemd, unit)->restarts;
}

unsigned int systemd_fake_kills(const struct systemd *systemd, const char *unit)
{
    return get(systemd, unit)->kills;
}
