/* SPDX-License-Identifier: Apache-2.0 */
/*
 *   kv-driver DIRECTORY SEED WORK ENDPOINT…
 *
 * WORK is "write" (writers and followers), "write-large" (the same, with revisions of about 1 MiB)
 * or "follow" (followers only). It runs until SIGTERM; then its writers end what they began and put
 * a last revision, and it ends with 0 when every follower was told of it, or when another store
 * answers. Logs are in DIRECTORY; what the client thinks of it all is the last line of standard
 * output.
 */
#include "tests/integration/kv-driver.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>

#include "base/text.h"
#include "kvclient/kv_etcd.h"

enum { FOLLOWERS_MAX = 16, FINISH_MS = 40000, TICK_MS = 50 };

struct run {
    struct driver driver;
    FILE *writes;
    struct writer *writers[DRIVER_WRITERS];
    size_t writer_count;
    struct follower *followers[FOLLOWERS_MAX];
    size_t follower_count;
    struct loop_timer *tick;
    struct loop_timer *deadline;
    bool ending;         /* the last revision is asked for */
    int64_t end;         /* it */
    bool is_other_store; /* whose revisions say nothing */
};

uint64_t driver_random(struct driver *driver, uint64_t bound)
{
    uint64_t z = driver->random += 0x9e3779b97f4a7c15U; /* splitmix64 */
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
    z = (z ^ z >> 27) * 0x94d049bb133111ebU;
    return (z ^ z >> 31) % bound;
}

void driver_seed(struct driver *driver, const char *seed)
{
    driver->random = 0;
    for (; *seed; seed++)
        driver->random = driver->random * 31 + (unsigned char)*seed;
}

void driver_fail(const char *what, const char *why)
{
    (void)fprintf(stderr, "kv-driver: %s: %s\n", what, why);
    exit(1);
}

FILE *driver_log(const struct driver *driver, const char *name)
{
    autofree char *path = text_format("%s/%s.log", driver->directory, name);
    FILE *log = path ? fopen(path, "we") : NULL;
    if (!log)
        driver_fail(name, strerror(errno));
    return log;
}

static void follow(struct run *run, struct follower *follower)
{
    run->followers[run->follower_count++] = follower;
}

/* All of it, parts of it, one key; patient and restless; as events and as a mirror. */
static void start_followers(struct run *run)
{
    struct driver *driver = &run->driver;
    follow(run, follower_watch(driver, "watch-all", DRIVER_ROOT, true, false));
    follow(run, follower_watch(driver, "watch-restless", DRIVER_ROOT, true, true));
    follow(run, follower_watch(driver, "watch-0", DRIVER_ROOT "0/", true, false));
    follow(run, follower_watch(driver, "watch-1", DRIVER_ROOT "1/", true, true));
    follow(run, follower_watch(driver, "watch-key-2", DRIVER_ROOT "2/guard", false, false));
    follow(run, follower_watch(driver, "watch-key-3", DRIVER_ROOT "3/guard", false, true));
    follow(run, follower_mirror(driver, "mirror-all", DRIVER_ROOT));
    follow(run, follower_mirror(driver, "mirror-2", DRIVER_ROOT "2/"));
    follow(run, follower_mirror(driver, "mirror-3", DRIVER_ROOT "3/"));
}

static bool has_reached_end(const struct run *run, const struct follower *follower)
{
    return follower_is_lost(follower) || follower_revision(follower) >= run->end;
}

static void on_deadline(struct loop_timer *timer, void *userdata)
{
    struct run *run = userdata;
    (void)timer;
    if (!run->end)
        driver_fail("the last revision", "the store did not tell it");
    for (size_t i = 0; i < run->follower_count; i++) {
        if (!has_reached_end(run, run->followers[i]))
            (void)fprintf(stderr, "kv-driver: %s stands at %" PRId64 ", the store at %" PRId64 "\n",
                          follower_name(run->followers[i]), follower_revision(run->followers[i]),
                          run->end);
    }
    driver_fail("followers", "not all were told of the last revision");
}

static void on_looked(const struct kv_range_result *result, void *userdata)
{
    struct run *run = userdata;
    run->ending = false;
    if (result->code == 0 && result->pair_count)
        run->end = result->pairs[0].mod_revision;
    else if (result->code == -ESTALE)
        run->is_other_store = true;
}

static void on_put(const struct kv_txn_result *result, void *userdata)
{
    struct run *run = userdata;
    run->ending = false;
    if (result->code == 0)
        run->end = result->revision;
    else if (result->code == -ESTALE)
        run->is_other_store = true;
}

/* One revision that every follower is concerned by. Putting it twice is harmless. */
static int put_end(struct run *run, struct error *err)
{
    char keys[DRIVER_WRITERS][32];
    struct kv_op ops[DRIVER_WRITERS + 1];
    for (int i = 0; i < DRIVER_WRITERS; i++) {
        (void)snprintf(keys[i], sizeof(keys[i]), DRIVER_ROOT "%d/guard", i);
        ops[i] = kv_op_put(keys[i], "end");
    }
    ops[DRIVER_WRITERS] = kv_op_put(DRIVER_END, "end");
    struct kv_txn txn = { .success = ops, .success_count = DRIVER_WRITERS + 1 };
    return kv_txn(run->driver.kv, &txn, on_put, run, err);
}

static void ask_for_end(struct run *run)
{
    struct error err = { 0 };
    int r = run->writer_count ? put_end(run, &err)
                              : kv_range(run->driver.kv, DRIVER_END, false, on_looked, run, &err);
    if (r < 0)
        driver_fail("the last revision", err.text);
    run->ending = true;
}

static bool are_writers_idle(const struct run *run)
{
    for (size_t i = 0; i < run->writer_count; i++) {
        if (!writer_is_idle(run->writers[i]))
            return false;
    }
    return true;
}

/* Whoever was told that another store answers waits for nothing more. */
static bool is_over(const struct run *run)
{
    size_t lost = 0;
    size_t reached = 0;
    for (size_t i = 0; i < run->follower_count; i++) {
        lost += follower_is_lost(run->followers[i]);
        reached += run->end && has_reached_end(run, run->followers[i]);
    }
    return run->is_other_store || lost == run->follower_count || reached == run->follower_count;
}

static void on_tick(struct loop_timer *timer, void *userdata)
{
    struct run *run = userdata;
    if (is_over(run)) {
        loop_stop(run->driver.loop);
        return;
    }
    if (!run->end && !run->ending && are_writers_idle(run))
        ask_for_end(run);
    loop_timer_set(timer, TICK_MS);
}

static void on_sigterm(struct loop_signal *signal, void *userdata)
{
    struct run *run = userdata;
    (void)signal;
    if (run->driver.finishing)
        return;
    run->driver.finishing = true;
    loop_timer_set(run->tick, 0);
    loop_timer_set(run->deadline, FINISH_MS);
}

static void connect_store(struct run *run, char *const *endpoints)
{
    struct kv_etcd_config config = {
        .endpoints = endpoints, .request_timeout_ms = 400, .attempts = 3, .max_backoff_ms = 300
    };
    struct error err = { 0 };
    if (kv_etcd_new(run->driver.loop, &config, &run->driver.kv, &err) < 0)
        driver_fail("the store", err.text);
}

static void run_store(struct run *run)
{
    struct loop_signal *signal = NULL;
    struct error err = { 0 };
    if (loop_signal_new(run->driver.loop, SIGTERM, on_sigterm, run, &signal, &err) < 0 ||
        loop_timer_new(run->driver.loop, "end", on_tick, run, &run->tick, &err) < 0 ||
        loop_timer_new(run->driver.loop, "too late", on_deadline, run, &run->deadline, &err) < 0)
        driver_fail("the loop", err.text);
    (void)puts("ready");
    (void)fflush(stdout);
    loop_run(run->driver.loop);
    loop_signal_free(signal);
    loop_timer_free(run->tick);
    loop_timer_free(run->deadline);
}

static void finish(struct run *run)
{
    struct kv_etcd_view view = { 0 };
    kv_etcd_get_view(run->driver.kv, &view);
    (void)printf("reconnects %" PRIu64 " revision %" PRId64 "%s\n",
                 view.counts[KV_ETCD_COUNT_RECONNECT], view.revision,
                 run->is_other_store ? " another store" : "");
    for (size_t i = 0; i < run->writer_count; i++)
        writer_free(run->writers[i]);
    for (size_t i = 0; i < run->follower_count; i++)
        follower_free(run->followers[i]);
    if (run->writes && fclose(run->writes) != 0)
        driver_fail("writes", strerror(errno));
    kv_free(run->driver.kv);
    loop_free(run->driver.loop);
}

static void start_writers(struct run *run)
{
    run->writes = driver_log(&run->driver, "writes");
    for (; run->writer_count < DRIVER_WRITERS; run->writer_count++)
        run->writers[run->writer_count] =
            writer_new(&run->driver, (int)run->writer_count, run->writes);
}

int main(int argc, char **argv)
{
    struct run run = { 0 };
    struct error err = { 0 };
    if (argc < 5) {
        (void)fputs("usage: kv-driver DIRECTORY SEED write|write-large|follow ENDPOINT...\n",
                    stderr);
        return 2;
    }
    run.driver.directory = argv[1];
    run.driver.run = argv[2];
    run.driver.large = text_equal(argv[3], "write-large");
    driver_seed(&run.driver, argv[2]);
    if (loop_new(&run.driver.loop, &err) < 0)
        driver_fail("the loop", err.text);
    connect_store(&run, argv + 4);
    start_followers(&run);
    if (!text_equal(argv[3], "follow"))
        start_writers(&run);
    run_store(&run);
    finish(&run);
    return 0;
}
