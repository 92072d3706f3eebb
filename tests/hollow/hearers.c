/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/hollow/hearers.h"

#include "base/loop.h"
#include "base/text.h"
#include "kvclient/kv_etcd.h"
#include "tests/hollow/machines.h"
#include "tests/hollow/processes.h"

static void on_events(const struct kv_event *events, size_t count, int64_t revision, void *userdata)
{
    (void)events;
    (void)count;
    (void)revision;
    (void)userdata;
}

static void on_lost(int code, const char *reason, void *userdata)
{
    (void)code;
    (void)userdata;
    hollow_fail("a watch: %s", reason);
}

struct hearers {
    const struct hearers_options *options;
    struct kv *kv;
};

static void hear(struct hearers *hearers, const char *prefix, int64_t revision)
{
    static const struct kv_watch_callbacks callbacks = { .on_events = on_events,
                                                         .on_lost = on_lost };
    struct error err = { 0 };
    struct kv_watch *watch = NULL; /* ends with the process */
    if (kv_watch(hearers->kv, prefix, true, revision + 1, &callbacks, NULL, &watch, &err) < 0)
        hollow_fail("a watch: %s", err.text);
}

static void hear_of_machine(struct hearers *hearers, unsigned int number, int64_t revision)
{
    char machine[MACHINE_ID_SIZE];
    machine_id_of(number, machine);
    autofree char *prefix = text_format("%snodes/%s/", hearers->options->prefix, machine);
    if (!prefix)
        hollow_fail("out of memory");
    hear(hearers, prefix, revision);
}

/* A watch begins at a revision, so that comes first. */
static void on_revision(const struct kv_range_result *result, void *userdata)
{
    struct hearers *hearers = userdata;
    const struct hearers_options *options = hearers->options;
    if (result->code < 0)
        hollow_fail("a read: %s", result->reason);
    if (!options->machines)
        hear(hearers, options->prefix, result->revision);
    for (unsigned int i = 0; i < options->machines; i++)
        hear_of_machine(hearers, i, result->revision);
}

int hearers_run(const struct hearers_options *options, struct error *err)
{
    char *endpoints[] = { (char *)options->url, NULL };
    const struct kv_etcd_config store = { .endpoints = endpoints, .request_timeout_ms = 5000 };
    struct hearers hearers = { .options = options };
    struct loop *loop = NULL;
    int r = loop_new(&loop, err);
    if (r == 0)
        r = kv_etcd_new(loop, &store, &hearers.kv, err);
    if (r == 0)
        r = kv_range(hearers.kv, options->prefix, false, on_revision, &hearers, err);
    if (r == 0)
        loop_run(loop);
    kv_free(hearers.kv);
    loop_free(loop);
    return r;
}
