/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/leader-fixture.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "scheduler/records.h"
#include "tests/unit/contact.h"
#include "tests/unit/harness.h"

static void on_put(const struct kv_txn_result *result, void *userdata)
{
    assert_int_equal(result->code, 0);
    *(int64_t *)userdata = result->revision;
}

static int64_t write_to(struct world *world, const struct kv_op *ops, size_t count, bool all_hear)
{
    const struct kv_txn txn = { .success = ops, .success_count = count };
    int64_t revision = 0;
    assert_int_equal(kv_txn(world->others, &txn, on_put, &revision, NULL), 0);
    if (all_hear)
        (void)kv_memory_deliver(world->store);
    else
        (void)kv_memory_deliver_to(world->others, true, false);
    return revision;
}

int64_t world_write(struct world *world, const struct kv_op *ops, size_t count)
{
    return write_to(world, ops, count, true);
}

int64_t world_put(struct world *world, const char *key, const char *value)
{
    const struct kv_op op = kv_op_put(key, value);
    return world_write(world, &op, 1);
}

int64_t world_delete(struct world *world, const char *key)
{
    const struct kv_op op = kv_op_delete(key);
    return world_write(world, &op, 1);
}

int64_t world_put_untold(struct world *world, const char *key, const char *value)
{
    const struct kv_op op = kv_op_put(key, value);
    return write_to(world, &op, 1, false);
}

void world_run_for(struct world *world, int64_t ms)
{
    for (int64_t t = 0; t < ms; t += 50) {
        world->now_ms += 50;
        clock_fake_set(world->now_ms);
        for (int i = 0; i < 4; i++) {
            (void)kv_memory_deliver(world->store);
            loop_run_once(world->loop, false);
        }
    }
}

static const struct contact *contact(void *userdata)
{
    return &((const struct world *)userdata)->contact;
}

static void judge(int64_t ttl_ms, void *userdata)
{
    ((struct world *)userdata)->judged_ttl_ms = ttl_ms;
}

static bool may_lead(const char *uuid, void *userdata)
{
    const struct world *world = userdata;
    return !world->uuid || (uuid && strcmp(uuid, world->uuid) == 0);
}

static void on_barred(void *userdata)
{
    ((struct world *)userdata)->barred++;
}

static void renew_epoch(void *userdata)
{
    struct world *world = userdata;
    world->renewals++;
}

/* The epoch is that key's revision. */
static void take_epoch(struct world *world)
{
    world->epoch = world_put(world, PREFIX "leader", "{\"machine\":\"" M1 "\",\"nonce\":\"x\"}");
}

void world_lead(struct world *world)
{
    const struct leader_config config = { .loop = world->loop,
                                          .kv = world->kv,
                                          .prefix = PREFIX,
                                          .machine = M1,
                                          .contact = contact,
                                          .judge = judge,
                                          .may_lead = may_lead,
                                          .on_barred = on_barred,
                                          .renew_epoch = renew_epoch,
                                          .userdata = world };
    take_epoch(world);
    assert_int_equal(leader_new(&config, world->epoch, &world->leader, NULL), 0);
}

void world_renew(struct world *world)
{
    take_epoch(world);
    leader_set_epoch(world->leader, world->epoch);
}

void world_join(struct world *world, const char *machine)
{
    autofree char *value = NULL;
    autofree char *member = store_key(PREFIX, STORE_KEY_MEMBER, machine, NULL, 0);
    autofree char *presence = store_key(PREFIX, STORE_KEY_PRESENCE, machine, NULL, 0);
    autofree char *present = NULL;
    struct record_member record = { .name = (char *)machine,
                                    .public_ip = (char *)"",
                                    .ttl_ms = 2000,
                                    .may_lead = true,
                                    .version = (char *)"0",
                                    .roles = (char *)"",
                                    .role_priority = (char *)"",
                                    .marks_units = world->members_mark };
    struct record_presence here = { .boot_id = (char *)"b",
                                    .nonce = (char *)"n",
                                    .address = (char *)"",
                                    .ready = true,
                                    .not_ready_reason = (char *)"" };
    assert_int_equal(record_member_encode(&record, &value, NULL), 0);
    assert_int_equal(record_presence_encode(&here, &present, NULL), 0);
    (void)world_put(world, member, value);
    (void)world_put(world, presence, present);
}

void world_launch_text(struct world *world, const char *name, const char *text)
{
    char digest[DIGEST_HEX_SIZE];
    autofree char *value = NULL;
    digest_sha256_hex(text, strlen(text), digest);
    autofree char *blob = store_key(PREFIX, STORE_KEY_BLOB, NULL, digest, 0);
    autofree char *key = store_key(PREFIX, STORE_KEY_UNIT, NULL, name, 0);
    struct record_unit unit = { .blob = digest, .desired = DESIRED_LAUNCHED };
    assert_int_equal(record_unit_encode(&unit, &value, NULL), 0);
    (void)world_put(world, blob, text);
    (void)world_put(world, key, value);
}

void world_launch(struct world *world, const char *name)
{
    world_launch_text(world, name, "[Service]\nExecStart=/bin/sleep 1\n");
}

int world_set_up(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    assert_non_null(world);
    world->now_ms = 1000000;
    world->contact = contact_always;
    clock_fake_set(world->now_ms);
    assert_int_equal(loop_new(&world->loop, NULL), 0);
    assert_int_equal(kv_memory_new(&world->store, NULL), 0);
    assert_int_equal(kv_memory_connect(world->store, &world->kv, NULL), 0);
    assert_int_equal(kv_memory_connect(world->store, &world->others, NULL), 0);
    *state = world;
    return 0;
}

int world_tear_down(void **state)
{
    struct world *world = *state;
    leader_free(world->leader);
    kv_free(world->kv);
    kv_free(world->others);
    kv_memory_free(world->store);
    loop_free(world->loop);
    clock_fake_set(-1);
    free(world);
    return 0;
}
