/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/hollow/puts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/text.h"
#include "scheduler/records.h"
#include "tests/hollow/cluster.h"
#include "tests/hollow/machines.h"
#include "tests/hollow/processes.h"

#define PREFIX      STORE_PREFIX_DEFAULT
#define BARE_PREFIX "/bare/"

/* One operation for each unit, machine by machine as a leader writes them. */
struct puts {
    unsigned int units;
    unsigned int machines;
    struct kv_op *ops;
    char **strings; /* owns all keys and values */
    size_t string_count;
    /* As the guards want them. */
    char **presence_keys;
    int64_t *registrations; /* by a machine's number, as its key */
    char *leader_key;
    int64_t leader_mod; /* 0: nobody leads */
    char *mark_key;
    int64_t mark_mod;
};

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count + 1, size);
    if (!memory)
        hollow_fail("out of memory");
    return memory;
}

static char *keep(struct puts *puts, char *s)
{
    if (!s)
        hollow_fail("out of memory");
    puts->strings[puts->string_count++] = s;
    return s;
}

static char *key_of(struct puts *puts, const char *prefix, enum store_key_kind kind,
                    const char *machine, const char *name)
{
    return keep(puts, store_key(prefix, kind, machine, name, 0));
}

static char *value_of(struct puts *puts, unsigned int unit)
{
    char digest[DIGEST_HEX_SIZE];
    char *value = NULL;
    cluster_unit_digest(unit, digest);
    const struct record_assignment record = {
        .blob = digest,
        .want = WANT_RUN,
        .unit_revision = 100000 + unit,
        .failover = FAILOVER_AT_LEAST_ONCE,
        .epoch = 100000,
        .reason = (char *)"least loaded of 1000 eligible machines (10 units)",
        .cause = (char *)"",
    };
    if (record_assignment_encode(&record, &value, NULL) < 0)
        hollow_fail("an assignment cannot be written");
    return keep(puts, value);
}

static void add_put(struct puts *puts, const char *prefix, unsigned int unit, size_t at)
{
    char name[CLUSTER_UNIT_NAME_SIZE];
    char machine[MACHINE_ID_SIZE];
    cluster_unit_name(unit, name);
    machine_id_of(unit % puts->machines, machine);
    const char *key = key_of(puts, prefix, STORE_KEY_ASSIGNMENT, machine, name);
    puts->ops[at] = kv_op_put(key, value_of(puts, unit));
}

static void puts_init(struct puts *puts, const char *prefix, unsigned int units,
                      unsigned int machines)
{
    size_t at = 0;
    *puts = (struct puts){ .units = units, .machines = machines };
    puts->ops = allocate(units, sizeof(*puts->ops));
    puts->strings = allocate((size_t)units * 2 + machines + 2, sizeof(*puts->strings));
    puts->presence_keys = allocate(machines, sizeof(*puts->presence_keys));
    puts->registrations = allocate(machines, sizeof(*puts->registrations));
    for (unsigned int machine = 0; machine < machines; machine++)
        for (unsigned int unit = machine; unit < units; unit += machines)
            add_put(puts, prefix, unit, at++);
}

static void puts_done(struct puts *puts)
{
    for (size_t i = 0; i < puts->string_count; i++)
        free(puts->strings[i]);
    free(puts->strings);
    free(puts->ops);
    free(puts->presence_keys);
    free(puts->registrations);
}

double puts_bare(struct store *store, unsigned int units, unsigned int machines)
{
    struct puts puts;
    puts_init(&puts, BARE_PREFIX, units, machines);
    int64_t took_ns = store_write_ns(store, puts.ops, units);
    puts_done(&puts);
    return units * 1e9 / (double)took_ns;
}

/* --- under guards --- */

static void on_leader_key(const struct kv_pair *pair, void *userdata)
{
    struct puts *puts = userdata;
    puts->leader_mod = pair->mod_revision;
}

static void on_mark(const struct kv_pair *pair, void *userdata)
{
    struct puts *puts = userdata;
    puts->mark_mod = pair->mod_revision;
}

static void on_presence_key(const struct kv_pair *pair, void *userdata)
{
    const struct puts *puts = userdata;
    struct store_key_parts parts;
    store_key_parse(PREFIX, pair->key, &parts);
    for (unsigned int i = 0; parts.kind == STORE_KEY_PRESENCE && i < puts->machines; i++)
        if (text_equal(puts->presence_keys[i], pair->key))
            puts->registrations[i] = pair->create_revision;
}

/* The transactions, and room for their guards. */
struct guarded {
    struct kv_txn *txns;
    size_t txn_count;
    struct kv_compare *compares;
    size_t compare_count;
};

static void add_compare(struct guarded *guarded, struct kv_compare compare)
{
    guarded->compares[guarded->compare_count++] = compare;
    guarded->txns[guarded->txn_count - 1].compare_count++;
}

static void begin_txn(struct guarded *guarded, const struct puts *puts, size_t at)
{
    struct kv_txn *txn = &guarded->txns[guarded->txn_count++];
    txn->compares = &guarded->compares[guarded->compare_count];
    txn->success = &puts->ops[at];
    add_compare(guarded, kv_if_mod(puts->leader_key, puts->leader_mod));
    add_compare(guarded, kv_if_mod(puts->mark_key, puts->mark_mod));
}

/* Opens another transaction where the last has no room for a put, or for its guard. */
static void add_guarded(struct puts *puts, struct guarded *guarded, size_t at, unsigned int unit)
{
    unsigned int machine = unit % puts->machines;
    const struct kv_txn *last = guarded->txn_count ? &guarded->txns[guarded->txn_count - 1] : NULL;
    bool fresh =
        !last || last->success_count == KV_TXN_OPS_MAX || last->compare_count == KV_TXN_OPS_MAX;
    if (fresh)
        begin_txn(guarded, puts, at);
    if (fresh || unit < puts->machines) /* the machine's first in it */
        add_compare(guarded,
                    kv_if_create(puts->presence_keys[machine], puts->registrations[machine]));
    guarded->txns[guarded->txn_count - 1].success_count++;
}

/* What the guards want to know of the cluster. */
static void read_cluster(struct store *store, struct puts *puts)
{
    for (unsigned int i = 0; i < puts->machines; i++) {
        char machine[MACHINE_ID_SIZE];
        machine_id_of(i, machine);
        puts->presence_keys[i] = key_of(puts, PREFIX, STORE_KEY_PRESENCE, machine, NULL);
    }
    puts->leader_key = key_of(puts, PREFIX, STORE_KEY_LEADER, NULL, NULL);
    puts->mark_key = key_of(puts, PREFIX, STORE_KEY_UNITS_MARK, NULL, NULL);
    store_each(store, puts->leader_key, on_leader_key, puts);
    store_each(store, puts->mark_key, on_mark, puts);
    store_each(store, PREFIX "nodes/", on_presence_key, puts);
}

double puts_guarded(struct store *store, unsigned int units, unsigned int machines)
{
    struct puts puts;
    struct guarded guarded = { .txns = allocate(units, sizeof(*guarded.txns)),
                               .compares = allocate((size_t)units * 4, sizeof(*guarded.compares)) };
    size_t at = 0;
    puts_init(&puts, PUTS_GUARDED_PREFIX, units, machines);
    read_cluster(store, &puts);
    for (unsigned int machine = 0; machine < machines; machine++)
        for (unsigned int unit = machine; unit < units; unit += machines)
            add_guarded(&puts, &guarded, at++, unit);
    int64_t took_ns = store_commit_ns(store, guarded.txns, guarded.txn_count);
    free(guarded.txns);
    free(guarded.compares);
    puts_done(&puts);
    return units * 1e9 / (double)took_ns;
}

static void delete_below(struct store *store, const char *prefix, unsigned int units,
                         unsigned int machines)
{
    struct puts puts;
    puts_init(&puts, prefix, units, machines);
    for (unsigned int i = 0; i < units; i++)
        puts.ops[i] = kv_op_delete(puts.ops[i].key);
    (void)store_write_ns(store, puts.ops, units);
    puts_done(&puts);
}

void puts_delete(struct store *store, unsigned int units, unsigned int machines)
{
    delete_below(store, BARE_PREFIX, units, machines);
    delete_below(store, PUTS_GUARDED_PREFIX, units, machines);
}
