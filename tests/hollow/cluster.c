/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/hollow/cluster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/digest.h"
#include "base/text.h"
#include "scheduler/records.h"
#include "tests/hollow/machines.h"
#include "tests/hollow/processes.h"

#define PREFIX STORE_PREFIX_DEFAULT

enum { INSTANCES = 100 };

/* Operations whose keys and values are their own. */
struct ops {
    struct kv_op *all;
    size_t count;
    size_t room;
};

static void ops_put(struct ops *ops, char *key, char *value);

/* As the API does, in each transaction that they will be written in. */
static void ops_mark_units(struct ops *ops)
{
    if (ops->count % KV_TXN_OPS_MAX == 0)
        ops_put(ops, store_key(PREFIX, STORE_KEY_UNITS_MARK, NULL, NULL, 0),
                strdup(STORE_UNITS_MARK_VALUE));
}

static void ops_add(struct ops *ops, struct kv_op op)
{
    if (ops->count == ops->room) {
        ops->room = ops->room ? ops->room * 2 : 1024;
        ops->all = realloc(ops->all, ops->room * sizeof(*ops->all));
    }
    if (!ops->all)
        hollow_fail("out of memory");
    ops->all[ops->count++] = op;
}

/* Takes both. */
static void ops_put(struct ops *ops, char *key, char *value)
{
    if (!key || !value)
        hollow_fail("out of memory");
    ops_add(ops, kv_op_put(key, value));
}

/* Takes the key. */
static void ops_delete(struct ops *ops, char *key)
{
    if (!key)
        hollow_fail("out of memory");
    ops_add(ops, kv_op_delete(key));
}

static int64_t ops_write_ns(struct store *store, struct ops *ops)
{
    int64_t took_ns = store_write_ns(store, ops->all, ops->count);
    for (size_t i = 0; i < ops->count; i++) {
        free((char *)ops->all[i].key);
        free((char *)ops->all[i].value);
    }
    free(ops->all);
    return took_ns;
}

/* --- units --- */

void cluster_unit_name(unsigned int number, char ret[CLUSTER_UNIT_NAME_SIZE])
{
    (void)snprintf(ret, CLUSTER_UNIT_NAME_SIZE, "hollow%u@%u.service", number / INSTANCES,
                   number % INSTANCES);
}

bool cluster_unit_number(const char *name, unsigned int *ret)
{
    char *at = NULL;
    if (!text_starts_with(name, "hollow"))
        return false;
    unsigned long template = strtoul(name + strlen("hollow"), &at, 10);
    if (*at != '@')
        return false;
    unsigned long instance = strtoul(at + 1, &at, 10);
    *ret = (unsigned int)(template * INSTANCES + instance);
    return text_equal(at, ".service");
}

/* The text of a unit's template, and its digest. */
static char *text_of(unsigned int number, char digest[DIGEST_HEX_SIZE])
{
    char *text = text_format("[Unit]\nDescription=Hollow %u\n[Service]\nExecStart=/bin/sleep 1\n",
                             number / INSTANCES);
    if (!text)
        hollow_fail("out of memory");
    digest_sha256_hex(text, strlen(text), digest);
    return text;
}

void cluster_unit_digest(unsigned int number, char ret[DIGEST_HEX_SIZE])
{
    free(text_of(number, ret));
}

void cluster_submit(struct store *store, unsigned int units)
{
    struct ops ops = { 0 };
    for (unsigned int i = 0; i < units; i++) {
        char name[CLUSTER_UNIT_NAME_SIZE];
        char digest[DIGEST_HEX_SIZE];
        char *value = NULL;
        autofree char *text = text_of(i, digest);
        const struct record_unit unit = { .blob = digest, .desired = DESIRED_LAUNCHED };
        cluster_unit_name(i, name);
        ops_mark_units(&ops);
        if (i % INSTANCES == 0)
            ops_put(&ops, store_key(PREFIX, STORE_KEY_BLOB, NULL, digest, 0), take_ptr(text));
        if (record_unit_encode(&unit, &value, NULL) < 0)
            hollow_fail("a unit cannot be written");
        ops_mark_units(&ops);
        ops_put(&ops, store_key(PREFIX, STORE_KEY_UNIT, NULL, name, 0), value);
    }
    (void)ops_write_ns(store, &ops);
}

void cluster_destroy(struct store *store, unsigned int units)
{
    struct ops ops = { 0 };
    for (unsigned int i = 0; i < units; i++) {
        char name[CLUSTER_UNIT_NAME_SIZE];
        cluster_unit_name(i, name);
        ops_mark_units(&ops);
        ops_delete(&ops, store_key(PREFIX, STORE_KEY_UNIT, NULL, name, 0));
    }
    (void)ops_write_ns(store, &ops);
}

static void on_assigned(const struct kv_pair *pair, void *userdata)
{
    struct store_key_parts parts;
    store_key_parse(PREFIX, pair->key, &parts);
    if (parts.kind == STORE_KEY_ASSIGNMENT)
        ops_delete(userdata, strdup(pair->key));
}

void cluster_unassign(struct store *store)
{
    struct ops ops = { 0 };
    store_each(store, PREFIX "nodes/", on_assigned, &ops);
    (void)ops_write_ns(store, &ops);
}

void cluster_cordon(struct store *store, const char *machine)
{
    struct ops ops = { 0 };
    ops_put(&ops, store_key(PREFIX, STORE_KEY_CORDON, machine, NULL, 0), strdup("{}"));
    (void)ops_write_ns(store, &ops);
}

/* --- what there is --- */

struct presence {
    char machine[MACHINE_ID_SIZE];
    int64_t registration;
    UT_hash_handle hh;
};

struct assignment {
    char unit[CLUSTER_UNIT_NAME_SIZE];
    char machine[MACHINE_ID_SIZE];
    int64_t mod;
    bool active;
    UT_hash_handle hh;
};

struct census {
    struct presence *presences;
    struct assignment *assignments;
    struct cluster_assignments found;
};

static struct presence *find_presence(const struct census *census, const char *machine)
{
    struct presence *presence = NULL;
    HASH_FIND_STR(census->presences, machine, presence);
    return presence;
}

static struct assignment *find_assignment(const struct census *census, const char *unit)
{
    struct assignment *assignment = NULL;
    HASH_FIND_STR(census->assignments, unit, assignment);
    return assignment;
}

static void add_presence(struct census *census, const char *machine, int64_t registration)
{
    struct presence *presence = calloc(1, sizeof(*presence));
    if (!presence)
        hollow_fail("out of memory");
    (void)snprintf(presence->machine, sizeof(presence->machine), "%s", machine);
    presence->registration = registration;
    HASH_ADD_STR(census->presences, machine, presence);
}

static void add_assignment(struct census *census, const struct store_key_parts *parts, int64_t mod)
{
    struct cluster_assignments *found = &census->found;
    const struct assignment *other = find_assignment(census, parts->name);
    struct assignment *assignment = calloc(1, sizeof(*assignment));
    if (other)
        hollow_fail("%s is assigned to %s and to %s", parts->name, other->machine, parts->machine);
    if (!assignment || strlen(parts->name) >= CLUSTER_UNIT_NAME_SIZE)
        hollow_fail("out of memory");
    (void)strcpy(assignment->unit, parts->name);
    (void)strcpy(assignment->machine, parts->machine);
    assignment->mod = mod;
    HASH_ADD_STR(census->assignments, unit, assignment);
    if (!found->first_revision || mod < found->first_revision)
        found->first_revision = mod;
    if (mod > found->last_revision)
        found->last_revision = mod;
}

static void on_node_key(const struct kv_pair *pair, void *userdata)
{
    struct store_key_parts parts;
    store_key_parse(PREFIX, pair->key, &parts);
    if (parts.kind == STORE_KEY_PRESENCE)
        add_presence(userdata, parts.machine, pair->create_revision);
    else if (parts.kind == STORE_KEY_ASSIGNMENT)
        add_assignment(userdata, &parts, pair->mod_revision);
}

/* Of a machine that has been lost since, a state counts for nothing. */
static void on_state_key(const struct kv_pair *pair, void *userdata)
{
    struct census *census = userdata;
    struct store_key_parts parts;
    autorecord(state) state = { 0 };
    store_key_parse(PREFIX, pair->key, &parts);
    const struct presence *presence = find_presence(census, parts.machine);
    struct assignment *assignment = find_assignment(census, parts.name);
    if (record_state_decode(pair->value, pair->value_length, &state, NULL) < 0)
        hollow_fail("the state of %s cannot be read", parts.name);
    if (!assignment || strcmp(assignment->machine, parts.machine) != 0)
        hollow_fail("%s has a state on %s and is not assigned there", parts.name, parts.machine);
    assignment->active = presence && state.registration == presence->registration &&
                         state.assignment_revision == assignment->mod &&
                         text_equal(state.active, "active");
    if (pair->mod_revision > census->found.last_state_revision)
        census->found.last_state_revision = pair->mod_revision;
}

static void census_done(struct census *census)
{
    struct presence *presence = NULL;
    struct presence *next_presence = NULL;
    struct assignment *assignment = NULL;
    struct assignment *next_assignment = NULL;
    HASH_ITER(hh, census->presences, presence, next_presence) {
        HASH_DEL(census->presences, presence);
        free(presence);
    }
    HASH_ITER(hh, census->assignments, assignment, next_assignment) {
        HASH_DEL(census->assignments, assignment);
        free(assignment);
    }
}

static void take_census(struct store *store, unsigned int units, struct census *ret)
{
    store_each(store, PREFIX "nodes/", on_node_key, ret);
    if (HASH_COUNT(ret->assignments) != units)
        hollow_fail("%u units are assigned, and there are %u", HASH_COUNT(ret->assignments), units);
}

struct cluster_assignments cluster_check_assigned(struct store *store, unsigned int units)
{
    struct census census = { 0 };
    take_census(store, units, &census);
    census_done(&census);
    return census.found;
}

struct cluster_assignments cluster_check(struct store *store, unsigned int units)
{
    struct census census = { 0 };
    const struct assignment *assignment = NULL;
    const struct assignment *next = NULL;
    take_census(store, units, &census);
    store_each(store, PREFIX "states/", on_state_key, &census);
    HASH_ITER(hh, census.assignments, assignment, next) {
        if (!assignment->active)
            hollow_fail("%s is not active on %s", assignment->unit, assignment->machine);
    }
    census_done(&census);
    return census.found;
}

static void on_presence(const struct kv_pair *pair, void *userdata)
{
    *(int64_t *)userdata = pair->lease;
}

void cluster_expire(struct store *store, const char *machine)
{
    int64_t lease = 0;
    autofree char *key = store_key(PREFIX, STORE_KEY_PRESENCE, machine, NULL, 0);
    if (!key)
        hollow_fail("out of memory");
    store_each(store, key, on_presence, &lease);
    if (!lease)
        hollow_fail("machine %s is not here", machine);
    store_revoke(store, lease);
}
