/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watches and mirrors, and what they were told, a line each:
 *
 *   start REVISION                   a watch asks for what comes from here on; a mirror begins anew
 *   put KEY MOD CREATE VERSION LEASE LENGTH CRC OLD    OLD: the mod_revision a mirror had, else 0
 *   del KEY MOD OLD                                    MOD: 0 from a mirror
 *   batch REVISION                   the end of one callback with events, or the mirror stands
 * there lost CODE REASON have KEY MOD CREATE VERSION LEASE LENGTH CRC       at the end: what a
 * mirror holds
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "kvclient/kv_mirror.h"
#include "tests/integration/kv-driver.h"

enum { RESTLESS_MS = 300, RETRY_MS = 50 };

struct follower {
    struct driver *driver; /* borrowed */
    FILE *log;
    char name[16];
    const char *key; /* borrowed */
    bool prefix;
    bool restless;
    int64_t revision; /* told of everything up to here */
    bool lost;
    struct kv_watch *watch;
    struct kv_mirror *mirror;
    struct loop_timer *timer;
};

/* As zlib's crc32(): what is compared was computed by different hands. */
static uint32_t crc32_of(const char *bytes, size_t length)
{
    uint32_t crc = ~0U;
    for (size_t i = 0; i < length; i++) {
        crc ^= (unsigned char)bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0xedb88320U : crc >> 1;
    }
    return ~crc;
}

static void tell_pair(const struct follower *follower, const char *what, const struct kv_pair *pair)
{
    (void)fprintf(
        follower->log, "%s %s %" PRId64 " %" PRId64 " %" PRId64 " %" PRIx64 " %zu %08" PRIx32, what,
        pair->key, pair->mod_revision, pair->create_revision, pair->version, (uint64_t)pair->lease,
        pair->value_length, crc32_of(pair->value, pair->value_length));
}

static void on_events(const struct kv_event *events, size_t count, int64_t revision, void *userdata)
{
    struct follower *follower = userdata;
    for (size_t i = 0; i < count; i++) {
        if (events[i].deleted) {
            (void)fprintf(follower->log, "del %s %" PRId64 " 0\n", events[i].pair.key,
                          events[i].pair.mod_revision);
            continue;
        }
        tell_pair(follower, "put", &events[i].pair);
        (void)fputs(" 0\n", follower->log);
    }
    (void)fprintf(follower->log, "batch %" PRId64 "\n", revision);
    follower->revision = revision;
    /* Not before it was told something: else one that is slow would begin for ever. */
    if (follower->restless && !loop_timer_is_set(follower->timer))
        loop_timer_set(follower->timer, (int64_t)driver_random(follower->driver, RESTLESS_MS));
}

/* Written out at once: the test waits for it. */
static void tell_lost(const struct follower *follower, int code, const char *reason)
{
    (void)fprintf(follower->log, "lost %d %s\n", code, reason);
    (void)fflush(follower->log);
}

/* History that is gone is what its owner has to mend; another store ends it. */
static void on_lost(int code, const char *reason, void *userdata)
{
    struct follower *follower = userdata;
    tell_lost(follower, code, reason);
    if (code == -ERANGE) {
        follower->revision = 0;
        loop_timer_set(follower->timer, 0);
    } else {
        follower->lost = true;
        loop_timer_cancel(follower->timer);
    }
}

static void watch_on(struct follower *follower)
{
    static const struct kv_watch_callbacks callbacks = { .on_events = on_events,
                                                         .on_lost = on_lost };
    struct error err = { 0 };
    (void)fprintf(follower->log, "start %" PRId64 "\n", follower->revision + 1);
    if (kv_watch(follower->driver->kv, follower->key, follower->prefix, follower->revision + 1,
                 &callbacks, follower, &follower->watch, &err) < 0)
        driver_fail(follower->name, err.text);
}

static void on_newest(const struct kv_range_result *result, void *userdata)
{
    struct follower *follower = userdata;
    if (result->code == 0) {
        follower->revision = result->revision;
        watch_on(follower);
    } else if (result->code == -ESTALE) {
        on_lost(result->code, result->reason, follower);
    } else {
        loop_timer_set(follower->timer, RETRY_MS);
    }
}

/* Begins a watch, at the newest revision if it knows none. */
static void on_timer(struct loop_timer *timer, void *userdata)
{
    struct follower *follower = userdata;
    struct error err = { 0 };
    (void)timer;
    kv_watch_stop(follower->driver->kv, take_ptr(follower->watch));
    if (follower->revision)
        watch_on(follower);
    else if (kv_range(follower->driver->kv, DRIVER_END, false, on_newest, follower, &err) < 0)
        driver_fail(follower->name, err.text);
}

static void on_change(const struct kv_pair *old, const struct kv_pair *pair, void *userdata)
{
    struct follower *follower = userdata;
    int64_t had = old ? old->mod_revision : 0;
    if (pair) {
        tell_pair(follower, "put", pair);
        (void)fprintf(follower->log, " %" PRId64 "\n", had);
    } else {
        (void)fprintf(follower->log, "del %s 0 %" PRId64 "\n", old->key, had);
    }
}

static void on_revision(int64_t revision, void *userdata)
{
    struct follower *follower = userdata;
    (void)fprintf(follower->log, "batch %" PRId64 "\n", revision);
    follower->revision = revision;
}

static void on_mirror_lost(int code, const char *reason, void *userdata)
{
    struct follower *follower = userdata;
    tell_lost(follower, code, reason);
    follower->lost = true;
}

static struct follower *follower_new(struct driver *driver, const char *name, const char *key)
{
    struct follower *follower = calloc(1, sizeof(*follower));
    struct error err = { 0 };
    if (!follower ||
        loop_timer_new(driver->loop, "follower", on_timer, follower, &follower->timer, &err) < 0)
        driver_fail(name, err.text);
    follower->driver = driver;
    follower->key = key;
    (void)snprintf(follower->name, sizeof(follower->name), "%s", name);
    follower->log = driver_log(driver, name);
    (void)fprintf(follower->log, "follows %s\n", key);
    return follower;
}

struct follower *follower_watch(struct driver *driver, const char *name, const char *key,
                                bool prefix, bool restless)
{
    struct follower *follower = follower_new(driver, name, key);
    follower->prefix = prefix;
    follower->restless = restless;
    loop_timer_set(follower->timer, 0);
    return follower;
}

struct follower *follower_mirror(struct driver *driver, const char *name, const char *prefix)
{
    static const struct kv_mirror_callbacks callbacks = { .on_change = on_change,
                                                          .on_revision = on_revision,
                                                          .on_lost = on_mirror_lost };
    struct follower *follower = follower_new(driver, name, prefix);
    struct error err = { 0 };
    (void)fputs("start 0\n", follower->log);
    if (kv_mirror_new(driver->loop, driver->kv, prefix, &callbacks, follower, &follower->mirror,
                      &err) < 0)
        driver_fail(name, err.text);
    return follower;
}

static int tell_have(const struct kv_pair *pair, void *userdata)
{
    const struct follower *follower = userdata;
    tell_pair(follower, "have", pair);
    (void)fputc('\n', follower->log);
    return 0;
}

void follower_free(struct follower *follower)
{
    if (!follower)
        return;
    if (follower->mirror)
        (void)kv_mirror_each(follower->mirror, "", tell_have, follower);
    (void)fputs("ended\n", follower->log);
    kv_watch_stop(follower->driver->kv, follower->watch);
    kv_mirror_free(follower->mirror);
    kv_forget(follower->driver->kv, follower);
    loop_timer_free(follower->timer);
    if (fclose(follower->log) != 0)
        driver_fail(follower->name, strerror(errno));
    free(follower);
}

const char *follower_name(const struct follower *follower)
{
    return follower->name;
}

int64_t follower_revision(const struct follower *follower)
{
    return follower->revision;
}

bool follower_is_lost(const struct follower *follower)
{
    return follower->lost;
}
