/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/reports.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/log.h"
#include "base/text.h"

enum { RETRY_MS = 500, BATCH_MAX = 60 };

struct report {
    char *unit;
    char *wanted; /* JSON without registration; NULL: not reported since start */
    char *stored; /* JSON as the store has it under stored_registration; NULL: unknown or none */
    int64_t stored_registration;
    bool due; /* wanted differs from stored, and no longer transient */
    bool sending;
    bool stranger; /* delete it from the store */
    struct record_state state;
    struct loop_timer *transient;
    struct reports *reports; /* borrowed */
    UT_hash_handle hh;
};

struct reports {
    struct reports_config config;
    bool one_at_a_time; /* a batch was refused: the one that stands in the way must not hold up the
                           others */
    int64_t registration;
    struct report *all;
    struct loop_timer *flush;
    bool in_flight;
};

static void on_transient_over(struct loop_timer *timer, void *userdata);
static void on_flush(struct loop_timer *timer, void *userdata);

int reports_new(const struct reports_config *config, struct reports **ret, struct error *err)
{
    autoptr(reports) reports = calloc(1, sizeof(*reports));
    if (!reports)
        return error_oom(err);
    reports->config = *config;
    int r = loop_timer_new(config->loop, "reports", on_flush, reports, &reports->flush, err);
    if (r < 0)
        return r;
    *ret = take_ptr(reports);
    return 0;
}

static void report_free(struct report *report)
{
    free(report->unit);
    free(report->wanted);
    free(report->stored);
    record_state_done(&report->state);
    loop_timer_free(report->transient);
    free(report);
}

void reports_free(struct reports *reports)
{
    struct report *report = NULL;
    struct report *next = NULL;
    if (!reports)
        return;
    kv_forget(reports->config.kv, reports);
    HASH_ITER(hh, reports->all, report, next) {
        HASH_DEL(reports->all, report);
        report_free(report);
    }
    loop_timer_free(reports->flush);
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
        int r = loop_timer_new(reports->config.loop, "transient state", on_transient_over, report,
                               &report->transient, err);
        if (r < 0) {
            report_free(report);
            return r;
        }
        HASH_ADD_KEYPTR(hh, reports->all, report->unit, strlen(report->unit), report);
    }
    *ret = report;
    return 0;
}

/* Whether the store has what we want it to have. */
static bool is_stored(const struct report *report)
{
    return report->stored_registration == report->reports->registration &&
           text_equal(report->wanted, report->stored);
}

static void mark_due(struct report *report)
{
    struct reports *reports = report->reports;
    report->due = report->stranger || (report->wanted && !is_stored(report));
    if (report->due && reports->registration && !reports->in_flight)
        loop_timer_set(reports->flush, 0);
}

static void on_transient_over(struct loop_timer *timer, void *userdata)
{
    (void)timer;
    mark_due(userdata);
}

void reports_set_registration(struct reports *reports, int64_t registration)
{
    struct report *report = NULL;
    struct report *next = NULL;
    reports->registration = registration;
    HASH_ITER(hh, reports->all, report, next) {
        if (!loop_timer_is_set(report->transient))
            mark_due(report);
    }
}

/* The JSON of a state as if written under no registration: what two of them are compared by. Times
 * do not count. */
static int comparable(const struct record_state *state, char **ret, struct error *err)
{
    struct record_state plain = *state;
    plain.registration = 0;
    plain.since_ms = 0;
    return record_state_encode(&plain, ret, err);
}

int reports_note_stored(struct reports *reports, const char *unit, const struct record_state *state,
                        struct error *err)
{
    struct report *report = NULL;
    autofree char *json = NULL;
    int r = comparable(state, &json, err);
    if (r == 0)
        r = find_or_add(reports, unit, &report, err);
    if (r < 0)
        return r;
    free(report->stored);
    report->stored = take_ptr(json);
    report->stored_registration = state->registration;
    if (report->wanted && !loop_timer_is_set(report->transient))
        mark_due(report);
    return 0;
}

void reports_delete_strangers(struct reports *reports,
                              bool (*is_assigned)(const char *unit, void *userdata), void *userdata)
{
    struct report *report = NULL;
    struct report *next = NULL;
    HASH_ITER(hh, reports->all, report, next) {
        if (report->stored && !report->wanted && !is_assigned(report->unit, userdata)) {
            report->stranger = true;
            mark_due(report);
        }
    }
}

static int copy_state(const struct record_state *from, struct record_state *ret, struct error *err)
{
    autofree char *json = NULL;
    int r = record_state_encode(from, &json, err);
    return r < 0 ? r : record_state_decode(json, strlen(json), ret, err);
}

int reports_put(struct reports *reports, const char *unit, const struct record_state *state,
                bool transient, struct error *err)
{
    struct report *report = NULL;
    autofree char *json = NULL;
    autorecord(state) copy = { 0 };
    int r = comparable(state, &json, err);
    if (r == 0)
        r = copy_state(state, &copy, err);
    if (r == 0)
        r = find_or_add(reports, unit, &report, err);
    if (r < 0)
        return r;
    report->stranger = false;
    if (text_equal(report->wanted, json))
        return 0;
    free(report->wanted);
    report->wanted = take_ptr(json);
    record_state_done(&report->state);
    report->state = copy;
    copy = (struct record_state){ 0 };
    if (!transient) {
        loop_timer_cancel(report->transient);
        mark_due(report);
    } else if (!loop_timer_is_set(report->transient)) {
        loop_timer_set(report->transient, REPORT_TRANSIENT_MS);
    }
    return 0;
}

void reports_forget(struct reports *reports, const char *unit)
{
    struct report *report = NULL;
    HASH_FIND_STR(reports->all, unit, report);
    if (!report)
        return;
    HASH_DEL(reports->all, report);
    report_free(report);
}

/* --- writing --- */

struct batch {
    struct kv_compare compares[BATCH_MAX + 1]; /* the registration, then the assignment of each */
    struct kv_op ops[BATCH_MAX];
    char *keys[BATCH_MAX];
    char *assignments[BATCH_MAX];
    char *values[BATCH_MAX];
    size_t count;
};

static void batch_done(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        free(batch->keys[i]);
        free(batch->assignments[i]);
        free(batch->values[i]);
    }
}

static bool add_to_batch(struct batch *batch, struct report *report)
{
    const struct reports_config *config = &report->reports->config;
    char *value = NULL;
    char *key = store_key(config->prefix, STORE_KEY_STATE, config->machine, report->unit, 0);
    char *assignment =
        store_key(config->prefix, STORE_KEY_ASSIGNMENT, config->machine, report->unit, 0);
    report->state.registration = report->reports->registration;
    if (!key || !assignment ||
        (!report->stranger && record_state_encode(&report->state, &value, NULL) < 0)) {
        free(key);
        free(assignment);
        return false;
    }
    batch->keys[batch->count] = key;
    batch->values[batch->count] = value;
    batch->assignments[batch->count] = assignment;
    batch->compares[batch->count + 1] =
        kv_if_mod(assignment, report->stranger ? 0 : report->state.assignment_revision);
    batch->ops[batch->count] = report->stranger ? kv_op_delete(key) : kv_op_put(key, value);
    batch->count++;
    report->due = false;
    report->sending = true;
    return true;
}

/* What was sent under `registration` is what the store has. */
static void note_written(struct reports *reports)
{
    struct report *report = NULL;
    struct report *next = NULL;
    HASH_ITER(hh, reports->all, report, next) {
        if (!report->sending)
            continue;
        report->sending = false;
        if (report->stranger) {
            HASH_DEL(reports->all, report);
            report_free(report);
            continue;
        }
        free(report->stored);
        report->stored = NULL;
        (void)comparable(&report->state, &report->stored, NULL);
        report->stored_registration = report->state.registration;
        if (!loop_timer_is_set(report->transient))
            mark_due(report);
    }
}

static void send_again_later(struct reports *reports, int64_t delay_ms)
{
    struct report *report = NULL;
    struct report *next = NULL;
    HASH_ITER(hh, reports->all, report, next) {
        if (!report->sending)
            continue;
        report->due = true;
        report->sending = false;
        HASH_DEL(reports->all, report); /* to the end of the line */
        HASH_ADD_KEYPTR(hh, reports->all, report->unit, strlen(report->unit), report);
    }
    loop_timer_set(reports->flush, delay_ms);
}

/* Either our registration is gone, or an assignment is another by now: then our mirror of it will
 * say so, and what we have to say changes or goes with it. */
static void refused(struct reports *reports, const struct kv_txn_result *result)
{
    const struct kv_op_result *read = result->result_count ? &result->results[0] : NULL;
    bool held =
        read && read->pair_count == 1 && read->pairs[0].create_revision == reports->registration;
    reports->one_at_a_time = held;
    if (!held)
        reports->config.on_refused(reports->config.userdata);
}

static void on_written(const struct kv_txn_result *result, void *userdata)
{
    struct reports *reports = userdata;
    reports->in_flight = false;
    if (result->code == 0 && result->succeeded) {
        reports->one_at_a_time = false;
        note_written(reports);
        loop_timer_set(reports->flush, 0);
        return;
    }
    if (result->code < 0)
        log_debug("states: not written (%s), trying again", result->reason);
    send_again_later(reports, RETRY_MS);
    if (result->code == 0)
        refused(reports, result);
}

static void send_batch(struct reports *reports, struct batch *batch)
{
    const struct reports_config *config = &reports->config;
    struct error err = { 0 };
    autofree char *presence =
        store_key(config->prefix, STORE_KEY_PRESENCE, config->machine, NULL, 0);
    if (!presence)
        return;
    const struct kv_op read = kv_op_range(presence);
    batch->compares[0] = kv_if_create(presence, reports->registration);
    struct kv_txn txn = { .compares = batch->compares,
                          .compare_count = batch->count + 1,
                          .success = batch->ops,
                          .success_count = batch->count,
                          .failure = &read,
                          .failure_count = 1 };
    reports->in_flight = true;
    if (kv_txn(config->kv, &txn, on_written, reports, &err) < 0) {
        reports->in_flight = false;
        log_warning("states: cannot be written (%s), trying again", err.text);
        send_again_later(reports, RETRY_MS);
    }
}

static void on_flush(struct loop_timer *timer, void *userdata)
{
    struct reports *reports = userdata;
    struct batch batch = { .count = 0 };
    struct report *report = NULL;
    struct report *next = NULL;
    (void)timer;
    if (!reports->registration || reports->in_flight)
        return;
    HASH_ITER(hh, reports->all, report, next) {
        if (report->due && batch.count < (reports->one_at_a_time ? 1 : BATCH_MAX))
            (void)add_to_batch(&batch, report);
    }
    if (batch.count)
        send_batch(reports, &batch);
    batch_done(&batch);
}
