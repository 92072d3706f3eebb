/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/reports.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/log.h"
#include "kvclient/kv_batch.h"

enum { RETRY_MS = 500 };

struct report {
    char *unit;
    bool wanted;               /* state is to be written; false: not reported since start */
    struct record_state state; /* without registration, until it is written */
    bool told;                 /* the store has told_state, or will once the batch is through */
    struct record_state told_state;
    int64_t told_registration; /* under which; 0: told_state has to be written again */
    int64_t stored_mod;        /* of the key, as far as we know; 0: absent */
    bool doubtful;             /* stored_mod may be another by now: read it before writing */
    bool under_way;            /* in the batch, or being read */
    bool stranger;             /* delete it from the store */
    struct loop_timer
        *pause; /* until a state on its way is written, or what failed is tried again */
    struct reports *reports; /* borrowed */
    UT_hash_handle hh;
};

struct reports {
    struct reports_config config;
    char *presence;
    int64_t registration;
    struct kv_batch *batch; /* under the registration; NULL: there is none */
    struct report *all;
};

static void on_pause_over(struct loop_timer *timer, void *userdata);

int reports_new(const struct reports_config *config, struct reports **ret, struct error *err)
{
    autoptr(reports) reports = calloc(1, sizeof(*reports));
    if (!reports)
        return error_oom(err);
    reports->config = *config;
    reports->presence = store_key(config->prefix, STORE_KEY_PRESENCE, config->machine, NULL, 0);
    if (!reports->presence)
        return error_oom(err);
    *ret = take_ptr(reports);
    return 0;
}

static void report_free(struct report *report)
{
    if (report->reports->batch)
        kv_batch_forget(report->reports->batch, report);
    kv_forget(report->reports->config.kv, report);
    free(report->unit);
    record_state_done(&report->state);
    record_state_done(&report->told_state);
    loop_timer_free(report->pause);
    free(report);
}

static void drop(struct report *report)
{
    HASH_DEL(report->reports->all, report);
    report_free(report);
}

void reports_free(struct reports *reports)
{
    struct report *report = NULL;
    struct report *next = NULL;
    if (!reports)
        return;
    kv_batch_free(take_ptr(reports->batch));
    HASH_ITER(hh, reports->all, report, next) {
        drop(report);
    }
    free(reports->presence);
    free(reports);
}

static int find_or_add(struct reports *reports, const char *unit, struct report **ret,
                       struct error *err)
{
    struct report *report = NULL;
    HASH_FIND_STR(reports->all, unit, report);
    if (!report) {
        report = calloc(1, sizeof(*report));
        if (!report)
            return error_oom(err);
        report->reports = reports;
        report->unit = strdup(unit);
        if (!report->unit) {
            free(report);
            return error_oom(err);
        }
        int r = loop_timer_new(reports->config.loop, "report", on_pause_over, report,
                               &report->pause, err);
        if (r < 0) {
            report_free(report);
            return r;
        }
        HASH_ADD_KEYPTR(hh, reports->all, report->unit, strlen(report->unit), report);
    }
    *ret = report;
    return 0;
}

/* --- writing --- */

/* Under which registration it is said does not count, nor do times. */
static bool says_the_same(const struct record_state *state, const struct record_state *other)
{
    struct record_state one = *state;
    struct record_state two = *other;
    one.registration = two.registration = 0;
    one.since_ms = two.since_ms = 0;
    return record_state_equal(&one, &two);
}

static bool is_told(const struct report *report)
{
    return report->told && says_the_same(&report->state, &report->told_state);
}

/* What the report owns from here on; NULL: nothing is told. */
static void set_told(struct report *report, struct record_state *told)
{
    record_state_done(&report->told_state);
    report->told = told != NULL;
    if (!told)
        return;
    report->told_state = *told;
    *told = (struct record_state){ 0 };
}

static bool is_due(const struct report *report)
{
    if (!report->reports->batch || report->under_way || loop_timer_is_set(report->pause))
        return false;
    bool fresh = report->told_registration == report->reports->registration;
    if (report->stranger)
        return !fresh;
    return report->wanted && !(fresh && is_told(report));
}

static void try_again_later(struct report *report)
{
    report->told_registration = 0;
    report->doubtful = true;
    loop_timer_set(report->pause, RETRY_MS);
}

/* After a lost answer as well, under the same registration: what was lost may land yet, but not on
 * top of what is written after it, since each write compares what it replaces. */
static void reopen(struct reports *reports)
{
    const struct kv_compare guard = kv_if_create(reports->presence, reports->registration);
    (void)kv_batch_resume(reports->batch, &guard, NULL);
}

static void write_if_due(struct report *report);

/* Refused: our registration is gone; or an earlier write of ours was done after all; or the
 * assignment is another by now: then our mirror of it will say so, and what we have to say changes
 * or goes with it. */
static void on_written(const struct kv_batch_result *result, void *userdata)
{
    struct report *report = userdata;
    struct reports *reports = report->reports;
    report->under_way = false;
    if (result->code == 0 && report->stranger) {
        drop(report);
        return;
    }
    if (result->code == 0) {
        report->stored_mod = result->revision;
        write_if_due(report); /* what has changed meanwhile */
        return;
    }
    log_debug("%s: state not written (%s), trying again", report->unit, result->reason);
    try_again_later(report);
    int state = kv_batch_state(reports->batch);
    if (state == 0)
        return;
    reopen(reports);
    if (state == -ESTALE)
        reports->config.on_refused(reports->config.userdata);
}

static int add_to_batch(struct report *report, struct error *err)
{
    const struct reports_config *config = &report->reports->config;
    autofree char *value = NULL;
    autofree char *key =
        store_key(config->prefix, STORE_KEY_STATE, config->machine, report->unit, 0);
    autofree char *assignment =
        store_key(config->prefix, STORE_KEY_ASSIGNMENT, config->machine, report->unit, 0);
    report->state.registration = report->reports->registration;
    if (!key || !assignment)
        return error_oom(err);
    int r = report->stranger ? 0 : record_state_encode(&report->state, &value, err);
    if (r < 0)
        return r;
    const struct kv_compare compares[] = {
        kv_if_mod(assignment, report->stranger ? 0 : report->state.assignment_revision),
        kv_if_mod(key, report->stored_mod),
    };
    const struct kv_batch_write write = {
        .op = report->stranger ? kv_op_delete(key) : kv_op_put(key, value),
        .compares = compares,
        .compare_count = 2,
        .fn = on_written,
        .userdata = report,
    };
    return kv_batch_add(report->reports->batch, &write, err);
}

static void on_read_back(const struct kv_range_result *result, void *userdata)
{
    struct report *report = userdata;
    report->under_way = false;
    if (result->code < 0) {
        try_again_later(report);
        return;
    }
    report->stored_mod = result->pair_count ? result->pairs[0].mod_revision : 0;
    report->doubtful = false;
    write_if_due(report);
}

/* What the store has of it by now. */
static void read_back(struct report *report)
{
    const struct reports_config *config = &report->reports->config;
    autofree char *key =
        store_key(config->prefix, STORE_KEY_STATE, config->machine, report->unit, 0);
    report->under_way = key && kv_range(config->kv, key, false, on_read_back, report, NULL) == 0;
    if (!report->under_way)
        try_again_later(report);
}

static void write_if_due(struct report *report)
{
    struct error err = { 0 };
    if (!is_due(report))
        return;
    if (report->doubtful) {
        read_back(report);
        return;
    }
    if (kv_batch_state(report->reports->batch) != 0)
        reopen(report->reports);
    autorecord(state) told = { 0 };
    bool copied = report->wanted && record_state_copy(&report->state, &told, NULL) == 0;
    if (add_to_batch(report, &err) < 0) {
        log_warning("%s: state cannot be written (%s), trying again", report->unit, err.text);
        try_again_later(report);
        return;
    }
    report->under_way = true;
    set_told(report, copied ? &told : NULL);
    report->told_registration = report->reports->registration;
}

static void on_pause_over(struct loop_timer *timer, void *userdata)
{
    (void)timer;
    write_if_due(userdata);
}

static void open_batch(struct reports *reports)
{
    const struct kv_compare guard = kv_if_create(reports->presence, reports->registration);
    struct error err = { 0 };
    if (kv_batch_new(reports->config.loop, reports->config.kv, &guard, &reports->batch, &err) < 0)
        log_error("states: cannot be written under this registration: %s", err.text);
}

void reports_set_registration(struct reports *reports, int64_t registration)
{
    struct report *report = NULL;
    struct report *next = NULL;
    kv_batch_free(take_ptr(reports->batch));
    reports->registration = registration;
    if (registration)
        open_batch(reports);
    HASH_ITER(hh, reports->all, report, next) {
        if (report->under_way) {
            kv_forget(reports->config.kv, report);
            report->told_registration = 0;
            report->doubtful = true;
        }
        report->under_way = false;
        write_if_due(report);
    }
}

/* --- what there is to write --- */

int reports_note_stored(struct reports *reports, const char *unit, int64_t mod_revision,
                        const struct record_state *state, struct error *err)
{
    struct report *report = NULL;
    autorecord(state) told = { 0 };
    int r = record_state_copy(state, &told, err);
    if (r == 0)
        r = find_or_add(reports, unit, &report, err);
    if (r < 0)
        return r;
    set_told(report, &told);
    report->told_registration = state->registration;
    report->stored_mod = mod_revision;
    write_if_due(report);
    return 0;
}

void reports_delete_strangers(struct reports *reports,
                              bool (*is_assigned)(const char *unit, void *userdata), void *userdata)
{
    struct report *report = NULL;
    struct report *next = NULL;
    HASH_ITER(hh, reports->all, report, next) {
        if (report->told && !report->wanted && !is_assigned(report->unit, userdata)) {
            report->stranger = true;
            report->told_registration = 0;
            write_if_due(report);
        }
    }
}

/* What cannot be written is refused here and now: a text that was cut within a character, say. */
static int set_wanted(struct report *report, const struct record_state *state, struct error *err)
{
    autofree char *json = NULL;
    autorecord(state) copy = { 0 };
    int r = record_state_encode(state, &json, err);
    if (r == 0)
        r = record_state_copy(state, &copy, err);
    if (r < 0)
        return r;
    record_state_done(&report->state);
    report->state = copy;
    copy = (struct record_state){ 0 };
    report->wanted = true;
    return 0;
}

int reports_put(struct reports *reports, const char *unit, const struct record_state *state,
                bool transient, struct error *err)
{
    struct report *report = NULL;
    int r = find_or_add(reports, unit, &report, err);
    if (r < 0)
        return r;
    if (report->wanted && says_the_same(&report->state, state))
        return 0;
    r = set_wanted(report, state, err);
    if (r < 0)
        return r;
    if (report->stranger)
        report->told_registration = 0;
    report->stranger = false;
    if (!transient) {
        loop_timer_cancel(report->pause);
        write_if_due(report);
    } else if (!loop_timer_is_set(report->pause)) {
        loop_timer_set(report->pause, REPORT_TRANSIENT_MS);
    }
    return 0;
}

void reports_forget(struct reports *reports, const char *unit)
{
    struct report *report = NULL;
    HASH_FIND_STR(reports->all, unit, report);
    if (report)
        drop(report);
}
