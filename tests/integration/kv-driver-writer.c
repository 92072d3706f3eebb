/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A writer has keys of its own, and its guard among them: every write is one transaction that
 * compares the guard's mod_revision and puts the write's id there. So a write that is sent twice
 * happens once at most, and the history of guards says which writes happened.
 *
 *   ID sent | ok REVISION | refused | unknown | not | error CODE
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "tests/integration/kv-driver.h"

enum {
    OPS_MAX = KV_TXN_OPS_MAX,
    PAUSE_MIN_MS = 10,
    PAUSE_SPREAD_MS = 50,
    LARGE_PAUSE_MS = 400,
    LEASE_TTL_S = 1, /* the shortest that the store grants */
    LARGE_OPS = 120,
    LARGE_VALUE = 8000,
};

struct writer {
    struct driver *driver; /* borrowed */
    FILE *log;             /* borrowed */
    int index;
    char guard[32];
    char id[80];
    int64_t guard_mod;
    int count;
    int64_t lease; /* of the write under way; 0: none */
    bool busy;
    struct loop_timer *timer;
    struct kv_op ops[OPS_MAX];
    size_t op_count;
    char keys[OPS_MAX][48];
    char *values[OPS_MAX];
};

static void forget_ops(struct writer *writer)
{
    for (size_t i = 0; i < writer->op_count; i++) {
        free(writer->values[i]);
        writer->values[i] = NULL;
    }
    writer->op_count = 0;
}

/* The id and as many letters as wanted: no two writes put the same value. */
static char *new_value(const struct writer *writer, size_t padding)
{
    autotext t = { 0 };
    text_addf(&t, "%s:%zu:", writer->id, writer->op_count);
    for (size_t i = 0; i < padding; i++)
        text_add_bytes(&t, &"abcdefghijklmnopqrstuvwxyz"[i % 26], 1);
    char *value = text_take(&t);
    if (!value)
        driver_fail("a value", "out of memory");
    return value;
}

static struct kv_op *add_op(struct writer *writer, const char *family, size_t number)
{
    size_t i = writer->op_count++;
    (void)snprintf(writer->keys[i], sizeof(writer->keys[i]), DRIVER_ROOT "%d/%s%zu", writer->index,
                   family, number);
    return &writer->ops[i];
}

static void add_puts(struct writer *writer, const char *family, size_t count, size_t padding)
{
    for (size_t number = 0; number < count; number++) {
        char *value = new_value(writer, padding);
        struct kv_op *op = add_op(writer, family, number);
        *op = kv_op_put_leased(writer->keys[writer->op_count - 1], value, writer->lease);
        writer->values[writer->op_count - 1] = value;
    }
}

static void add_delete(struct writer *writer, const char *family, size_t number)
{
    struct kv_op *op = add_op(writer, family, number);
    *op = kv_op_delete(writer->keys[writer->op_count - 1]);
    op->prefix = true; /* k1 is k10 to k19, too */
}

static void on_pause(struct loop_timer *timer, void *userdata);

static void pause_writer(struct writer *writer)
{
    forget_ops(writer);
    writer->busy = false;
    writer->lease = 0;
    loop_timer_set(writer->timer, (writer->driver->large ? LARGE_PAUSE_MS : PAUSE_MIN_MS) +
                                      (int64_t)driver_random(writer->driver, PAUSE_SPREAD_MS));
}

/* Of a guard that stood against us: it is ours if an earlier try was carried out. */
static void note_guard(struct writer *writer, const struct kv_txn_result *result)
{
    const struct kv_op_result *range = &result->results[0];
    writer->guard_mod = range->pair_count ? range->pairs[0].mod_revision : 0;
    if (range->pair_count && text_equal(range->pairs[0].value, writer->id))
        (void)fprintf(writer->log, "%s ok %" PRId64 "\n", writer->id, writer->guard_mod);
    else
        (void)fprintf(writer->log, "%s refused\n", writer->id);
}

static void on_written(const struct kv_txn_result *result, void *userdata)
{
    struct writer *writer = userdata;
    if (result->code == 0 && result->succeeded) {
        writer->guard_mod = result->revision;
        (void)fprintf(writer->log, "%s ok %" PRId64 "\n", writer->id, result->revision);
    } else if (result->code == 0) {
        note_guard(writer, result);
    } else if (result->code == -ETIMEDOUT) {
        (void)fprintf(writer->log, "%s unknown\n", writer->id);
    } else if (result->code == -EAGAIN) {
        (void)fprintf(writer->log, "%s not\n", writer->id);
    } else {
        (void)fprintf(writer->log, "%s error %d %s\n", writer->id, result->code, result->reason);
    }
    pause_writer(writer);
}

/* The lease may run out before the write arrives, which is then refused for it: nothing happened.
 */
static void on_leased_written(const struct kv_txn_result *result, void *userdata)
{
    struct kv_txn_result told = *result;
    if (told.code == -ENOENT)
        told.code = -EAGAIN;
    on_written(&told, userdata);
}

static void send(struct writer *writer)
{
    struct kv_compare guard = kv_if_mod(writer->guard, writer->guard_mod);
    struct kv_op look = kv_op_range(writer->guard);
    struct kv_txn txn = {
        .compares = &guard,
        .compare_count = 1,
        .success = writer->ops,
        .success_count = writer->op_count,
        .failure = &look,
        .failure_count = 1,
    };
    struct error err = { 0 };
    (void)fprintf(writer->log, "%s sent\n", writer->id);
    if (kv_txn(writer->driver->kv, &txn, writer->lease ? on_leased_written : on_written, writer,
               &err) < 0)
        driver_fail(writer->id, err.text);
}

static void on_granted(const struct kv_lease_result *result, void *userdata)
{
    struct writer *writer = userdata;
    if (result->code < 0) {
        pause_writer(writer);
        return;
    }
    writer->lease = result->id;
    add_puts(writer, "l", 10, 20);
    send(writer);
}

static void write_leased(struct writer *writer)
{
    struct error err = { 0 };
    if (kv_lease_grant(writer->driver->kv, kv_lease_new_id(), LEASE_TTL_S, on_granted, writer,
                       &err) < 0)
        driver_fail("a lease", err.text);
}

/* Few keys as a rule; now and then many, big ones, some gone. */
static void write_something(struct writer *writer)
{
    uint64_t dice = writer->driver->large ? 100 : driver_random(writer->driver, 100);
    if (dice < 10) {
        write_leased(writer);
        return;
    }
    if (dice < 25)
        add_delete(writer, dice < 20 ? "k" : "b", driver_random(writer->driver, 3));
    else if (dice < 30)
        add_puts(writer, "m", 40 + driver_random(writer->driver, OPS_MAX - 41), 10);
    else if (dice < 38)
        add_puts(writer, "b", 1 + driver_random(writer->driver, 20), 5000);
    else if (dice < 100)
        add_puts(writer, "k", 1 + driver_random(writer->driver, 4),
                 driver_random(writer->driver, 200));
    else
        add_puts(writer, "L", LARGE_OPS, LARGE_VALUE);
    send(writer);
}

static void begin_write(struct writer *writer)
{
    (void)snprintf(writer->id, sizeof(writer->id), "%s-%d-%d", writer->driver->run, writer->index,
                   ++writer->count);
    writer->busy = true;
    writer->values[0] = strdup(writer->id);
    if (!writer->values[0])
        driver_fail("an id", "out of memory");
    writer->ops[writer->op_count++] = kv_op_put(writer->guard, writer->values[0]);
    write_something(writer);
}

static void on_pause(struct loop_timer *timer, void *userdata)
{
    struct writer *writer = userdata;
    (void)timer;
    if (!writer->driver->finishing)
        begin_write(writer);
}

struct writer *writer_new(struct driver *driver, int index, FILE *log)
{
    struct writer *writer = calloc(1, sizeof(*writer));
    struct error err = { 0 };
    if (!writer ||
        loop_timer_new(driver->loop, "writer", on_pause, writer, &writer->timer, &err) < 0)
        driver_fail("a writer", err.text);
    writer->driver = driver;
    writer->log = log;
    writer->index = index;
    (void)snprintf(writer->guard, sizeof(writer->guard), DRIVER_ROOT "%d/guard", index);
    loop_timer_set(writer->timer, 0);
    return writer;
}

void writer_free(struct writer *writer)
{
    if (!writer)
        return;
    kv_forget(writer->driver->kv, writer);
    loop_timer_free(writer->timer);
    forget_ops(writer);
    free(writer);
}

bool writer_is_idle(const struct writer *writer)
{
    return !writer->busy;
}
