/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/publish.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "scheduler/records.h"

enum { RETRY_MS = 1000 };

struct publish {
    struct kv *kv; /* borrowed, as the next two */
    const struct config *config;
    const struct machine *machine;
    struct loop_timer *retry;
    struct role_number *roles;
    size_t role_count;
    size_t next_role;
};

static void try_again(struct publish *publish, const char *reason)
{
    log_debug("publish: %s; trying again", reason);
    loop_timer_set(publish->retry, RETRY_MS);
}

/* --- roles, one after the other --- */

static void seed_next_role(struct publish *publish);

static void on_seeded(const struct kv_txn_result *result, void *userdata)
{
    struct publish *publish = userdata;
    const struct role_number *role = &publish->roles[publish->next_role];
    autorecord(role) known = { 0 };
    if (result->code < 0) {
        try_again(publish, result->reason);
        return;
    }
    if (result->succeeded) {
        log_info("role \"%s\": defined with nodes=%u by this machine's configuration", role->name,
                 role->number);
    } else if (result->result_count == 1 && result->results[0].pair_count == 1) {
        const struct kv_pair *pair = &result->results[0].pairs[0];
        if (record_role_decode(pair->value, pair->value_length, &known, NULL) == 0 &&
            known.nodes != role->number)
            log_warning("role \"%s\": this machine's configuration says nodes=%u, the cluster says "
                        "nodes=%" PRId64 " (generation %" PRId64 "); the cluster is right",
                        role->name, role->number, known.nodes, known.generation);
    }
    publish->next_role++;
    seed_next_role(publish);
}

static void seed_next_role(struct publish *publish)
{
    struct error err = { 0 };
    autofree char *value = NULL;
    if (publish->next_role >= publish->role_count)
        return;
    const struct role_number *role = &publish->roles[publish->next_role];
    const struct record_role record = { .nodes = role->number,
                                        .min_nodes = role->number ? 1 : 0,
                                        .generation = 1 };
    autofree char *key =
        store_key(publish->config->etcd_key_prefix, STORE_KEY_ROLE, NULL, role->name, 0);
    int r = key ? record_role_encode(&record, &value, &err) : error_oom(&err);
    struct kv_compare absent = kv_if_absent(key);
    struct kv_op put = kv_op_put(key, value);
    struct kv_op read = kv_op_range(key);
    struct kv_txn txn = { .compares = &absent,
                          .compare_count = 1,
                          .success = &put,
                          .success_count = 1,
                          .failure = &read,
                          .failure_count = 1 };
    if (r == 0)
        r = kv_txn(publish->kv, &txn, on_seeded, publish, &err);
    if (r < 0)
        try_again(publish, err.text);
}

/* --- the member record --- */

static int64_t or_own(int64_t configured, int64_t own)
{
    return configured >= 0 ? configured : own;
}

/* In one order, so that the same machine always says the same. */
static int list_capabilities(const struct publish *publish, char ***ret, struct error *err)
{
    autostrv words = NULL;
    int r = strv_copy(publish->config->capabilities, &words, err);
    for (size_t i = 0; r >= 0 && i < MACHINE_CAPABILITIES_MAX; i++) {
        const char *own = publish->machine->capabilities[i];
        if (*own && !strv_contains(words, own))
            r = strv_add(&words, own, err);
    }
    if (r < 0)
        return r;
    *ret = take_ptr(words);
    return 0;
}

static int member_value(const struct publish *publish, char **ret, struct error *err)
{
    const struct config *config = publish->config;
    autostrv capabilities = NULL;
    int r = list_capabilities(publish, &capabilities, err);
    if (r < 0)
        return r;
    const struct record_member record = {
        .name = (char *)publish->machine->name,
        .public_ip = *config->public_ip ? config->public_ip : (char *)publish->machine->address,
        .metadata = config->metadata,
        .metadata_count = config->metadata_count,
        .ttl_ms = config->ttl_ms,
        .may_lead = config->may_lead,
        .version = (char *)PACKAGE_VERSION,
        .roles = config->roles,
        .role_priority = config->role_priority,
        .cpu_milli = or_own(config->cpu_milli, publish->machine->cpu_milli),
        .memory_bytes = or_own(config->memory_bytes, publish->machine->memory_bytes),
        .tasks = or_own(config->tasks, publish->machine->tasks),
        .reserve_cpu_milli = config->reserve_cpu_milli,
        .reserve_memory_bytes = config->reserve_memory_bytes,
        .reserve_tasks = config->reserve_tasks,
        .overcommit_cpu = config->overcommit_cpu,
        .overcommit_memory = config->overcommit_memory,
        .capabilities = capabilities,
        .marks_units = true,
    };
    return record_member_encode(&record, ret, err);
}

static void on_member_written(const struct kv_txn_result *result, void *userdata)
{
    struct publish *publish = userdata;
    if (result->code < 0 || !result->succeeded) {
        try_again(publish,
                  result->code < 0 ? result->reason : "the member record changed meanwhile");
        return;
    }
    publish->next_role = 0;
    seed_next_role(publish);
}

static void on_member_read(const struct kv_range_result *result, void *userdata)
{
    struct publish *publish = userdata;
    struct error err = { 0 };
    autofree char *value = NULL;
    autofree char *key = store_key(publish->config->etcd_key_prefix, STORE_KEY_MEMBER,
                                   publish->machine->id, NULL, 0);
    if (result->code < 0) {
        try_again(publish, result->reason);
        return;
    }
    int r = key ? member_value(publish, &value, &err) : error_oom(&err);
    const struct kv_pair *known = result->pair_count ? &result->pairs[0] : NULL;
    if (r == 0 && known && strcmp(known->value, value) == 0) {
        publish->next_role = 0;
        seed_next_role(publish);
        return;
    }
    struct kv_compare unchanged = kv_if_mod(key, known ? known->mod_revision : 0);
    struct kv_op put = kv_op_put(key, value);
    struct kv_txn txn = {
        .compares = &unchanged, .compare_count = 1, .success = &put, .success_count = 1
    };
    if (r == 0)
        r = kv_txn(publish->kv, &txn, on_member_written, publish, &err);
    if (r < 0)
        try_again(publish, err.text);
}

void publish_start(struct publish *publish)
{
    struct error err = { 0 };
    autofree char *key = store_key(publish->config->etcd_key_prefix, STORE_KEY_MEMBER,
                                   publish->machine->id, NULL, 0);
    kv_forget(publish->kv, publish);
    int r =
        key ? kv_range(publish->kv, key, false, on_member_read, publish, &err) : error_oom(&err);
    if (r < 0)
        try_again(publish, err.text);
}

static void on_retry(struct loop_timer *timer, void *userdata)
{
    (void)timer;
    publish_start(userdata);
}

int publish_new(struct loop *loop, struct kv *kv, const struct config *config,
                const struct machine *machine, struct publish **ret, struct error *err)
{
    autoptr(publish) publish = calloc(1, sizeof(*publish));
    if (!publish)
        return error_oom(err);
    publish->kv = kv;
    publish->config = config;
    publish->machine = machine;
    int r = role_numbers_parse(config->roles, ROLE_NODES_MAX, false, &publish->roles,
                               &publish->role_count, err);
    if (r == 0)
        r = loop_timer_new(loop, "publish retry", on_retry, publish, &publish->retry, err);
    if (r < 0)
        return r;
    *ret = take_ptr(publish);
    return 0;
}

void publish_free(struct publish *publish)
{
    if (!publish)
        return;
    kv_forget(publish->kv, publish);
    loop_timer_free(publish->retry);
    free(publish->roles);
    free(publish);
}
