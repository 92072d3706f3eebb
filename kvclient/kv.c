/* SPDX-License-Identifier: Apache-2.0 */
#include "kvclient/kv.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/chance.h"
#include "base/json.h"
#include "base/text.h"

void kv_free(struct kv *kv)
{
    if (kv)
        kv->vtable->free(kv);
}

/* Keys travel through JSON, logs and HTTP, so they are text, and a key is never empty. */
static int check_key(const char *key, struct error *err)
{
    if (!*key)
        return error_set(err, -EINVAL, "the key to put is empty");
    autojson text = json_string(key);
    return text ? 0 : error_set(err, -EINVAL, "the key to put is not UTF-8");
}

static int check_ops(const struct kv_op *ops, size_t count, struct error *err)
{
    if (count > KV_TXN_OPS_MAX)
        return error_set(err, -E2BIG, "a transaction of %zu operations: the store takes %d", count,
                         KV_TXN_OPS_MAX);
    for (size_t i = 0; i < count; i++) {
        assert(ops[i].kind != KV_OP_INVALID && ops[i].key);
        assert(ops[i].kind != KV_OP_PUT || ops[i].value);
        int r = ops[i].kind == KV_OP_PUT ? check_key(ops[i].key, err) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

int kv_txn(struct kv *kv, const struct kv_txn *txn, kv_txn_fn fn, void *userdata, struct error *err)
{
    if (txn->compare_count > KV_TXN_OPS_MAX)
        return error_set(err, -E2BIG, "a transaction of %zu compares: the store takes %d",
                         txn->compare_count, KV_TXN_OPS_MAX);
    for (size_t i = 0; i < txn->compare_count; i++)
        assert(txn->compares[i].target != KV_TARGET_VALUE || txn->compares[i].value);
    int r = check_ops(txn->success, txn->success_count, err);
    if (r == 0)
        r = check_ops(txn->failure, txn->failure_count, err);
    return r < 0 ? r : kv->vtable->txn(kv, txn, fn, userdata, err);
}

int kv_range(struct kv *kv, const char *key, bool prefix, kv_range_fn fn, void *userdata,
             struct error *err)
{
    return kv->vtable->range(kv, key, prefix, 0, fn, userdata, err);
}

int kv_range_at(struct kv *kv, const char *key, bool prefix, int64_t revision, kv_range_fn fn,
                void *userdata, struct error *err)
{
    if (revision <= 0)
        return error_set(err, -EINVAL, "the store has no revision %jd", (intmax_t)revision);
    return kv->vtable->range(kv, key, prefix, revision, fn, userdata, err);
}

int kv_lease_grant(struct kv *kv, int64_t id, int64_t ttl_s, kv_lease_fn fn, void *userdata,
                   struct error *err)
{
    if (id <= 0 || ttl_s <= 0)
        return error_set(err, -EINVAL, "a lease needs a positive id and a positive TTL");
    return kv->vtable->lease_grant(kv, id, ttl_s, fn, userdata, err);
}

int kv_lease_keep_alive(struct kv *kv, int64_t id, kv_lease_fn fn, void *userdata,
                        struct error *err)
{
    return kv->vtable->lease_keep_alive(kv, id, fn, userdata, err);
}

int kv_lease_revoke(struct kv *kv, int64_t id, kv_lease_fn fn, void *userdata, struct error *err)
{
    return kv->vtable->lease_revoke(kv, id, fn, userdata, err);
}

int kv_lease_time_to_live(struct kv *kv, int64_t id, kv_lease_fn fn, void *userdata,
                          struct error *err)
{
    return kv->vtable->lease_time_to_live(kv, id, fn, userdata, err);
}

int kv_compact(struct kv *kv, int64_t revision, kv_compact_fn fn, void *userdata, struct error *err)
{
    if (revision <= 0)
        return error_set(err, -EINVAL, "the store has no revision %jd", (intmax_t)revision);
    return kv->vtable->compact(kv, revision, fn, userdata, err);
}

int kv_members(struct kv *kv, kv_members_fn fn, void *userdata, struct error *err)
{
    return kv->vtable->members(kv, fn, userdata, err);
}

int kv_status(struct kv *kv, kv_status_fn fn, void *userdata, struct error *err)
{
    return kv->vtable->status(kv, fn, userdata, err);
}

int64_t kv_lease_new_id(void)
{
    int64_t id = 0;
    while (id <= 0) {
        chance_bytes(&id, sizeof(id));
        id &= INT64_MAX;
    }
    return id;
}

int kv_watch(struct kv *kv, const char *key, bool prefix, int64_t from_revision,
             const struct kv_watch_callbacks *callbacks, void *userdata, struct kv_watch **ret,
             struct error *err)
{
    assert(callbacks->on_events && callbacks->on_lost);
    if (from_revision <= 0)
        return error_set(err, -EINVAL, "a watch begins at a revision, not at %jd",
                         (intmax_t)from_revision);
    return kv->vtable->watch(kv, key, prefix, from_revision, callbacks, userdata, ret, err);
}

void kv_watch_pause(struct kv *kv, struct kv_watch *watch, bool pause)
{
    if (watch)
        kv->vtable->watch_pause(kv, watch, pause);
}

void kv_watch_stop(struct kv *kv, struct kv_watch *watch)
{
    if (watch)
        kv->vtable->watch_stop(kv, watch);
}

void kv_forget(struct kv *kv, const void *userdata)
{
    kv->vtable->forget(kv, userdata);
}

struct kv_compare kv_if_absent(const char *key)
{
    return (struct kv_compare){ .target = KV_TARGET_VERSION, .key = key };
}

struct kv_compare kv_if_exists(const char *key)
{
    return (struct kv_compare){ .target = KV_TARGET_EXISTS, .key = key };
}

struct kv_compare kv_if_mod(const char *key, int64_t mod_revision)
{
    return (struct kv_compare){ .target = KV_TARGET_MOD, .key = key, .number = mod_revision };
}

struct kv_compare kv_if_create(const char *key, int64_t create_revision)
{
    return (struct kv_compare){ .target = KV_TARGET_CREATE, .key = key, .number = create_revision };
}

struct kv_compare kv_if_value(const char *key, const char *value)
{
    return (struct kv_compare){ .target = KV_TARGET_VALUE, .key = key, .value = value };
}

struct kv_compare kv_if_lease(const char *key, int64_t lease)
{
    return (struct kv_compare){ .target = KV_TARGET_LEASE, .key = key, .number = lease };
}

struct kv_op kv_op_put(const char *key, const char *value)
{
    return (struct kv_op){ .kind = KV_OP_PUT, .key = key, .value = value };
}

struct kv_op kv_op_put_leased(const char *key, const char *value, int64_t lease)
{
    return (struct kv_op){ .kind = KV_OP_PUT, .key = key, .value = value, .lease = lease };
}

/* No bytes at all are the empty text, whatever value points to. */
struct kv_op kv_op_put_bytes(const char *key, const void *value, size_t length)
{
    return (struct kv_op){
        .kind = KV_OP_PUT, .key = key, .value = length ? value : "", .value_length = length
    };
}

struct kv_op kv_op_delete_prefix(const char *prefix)
{
    return (struct kv_op){ .kind = KV_OP_DELETE, .key = prefix, .prefix = true };
}

struct kv_op kv_op_delete(const char *key)
{
    return (struct kv_op){ .kind = KV_OP_DELETE, .key = key };
}

struct kv_op kv_op_range(const char *key)
{
    return (struct kv_op){ .kind = KV_OP_RANGE, .key = key };
}

struct kv_op kv_op_range_prefix(const char *prefix)
{
    return (struct kv_op){ .kind = KV_OP_RANGE, .key = prefix, .prefix = true };
}

void kv_pair_done(struct kv_pair *pair)
{
    free(pair->key);
    free(pair->value);
    *pair = (struct kv_pair){ 0 };
}

void kv_members_free(struct kv_member *members, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(members[i].name);
        strv_free(members[i].client_urls);
        strv_free(members[i].peer_urls);
    }
    free(members);
}

size_t kv_value_length(const char *value, size_t length)
{
    return length ? length : strlen(value);
}

static int order_of(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int order_of_values(const struct kv_pair *pair, const struct kv_compare *compare)
{
    size_t length = kv_value_length(compare->value, compare->value_length);
    size_t common = pair->value_length < length ? pair->value_length : length;
    int order = memcmp(pair->value, compare->value, common);
    return order ? order : order_of((int64_t)pair->value_length, (int64_t)length);
}

/* How what the store has (an absent key: zeros) stands to what the compare has. */
static int order_of_target(const struct kv_pair *pair, const struct kv_compare *compare)
{
    switch (compare->target) {
    case KV_TARGET_CREATE:
        return order_of(pair->create_revision, compare->number);
    case KV_TARGET_MOD:
        return order_of(pair->mod_revision, compare->number);
    case KV_TARGET_VERSION:
        return order_of(pair->version, compare->number);
    case KV_TARGET_LEASE:
        return order_of(pair->lease, compare->number);
    case KV_TARGET_VALUE:
        return order_of_values(pair, compare);
    case KV_TARGET_EXISTS:
    case KV_TARGET_INVALID:
        break;
    }
    return 0;
}

bool kv_compare_holds(const struct kv_compare *compare, const struct kv_pair *pair)
{
    static const struct kv_pair absent = { 0 };
    if (compare->target == KV_TARGET_EXISTS)
        return pair;
    if (compare->target == KV_TARGET_VALUE && !pair)
        return false;
    int order = order_of_target(pair ? pair : &absent, compare);
    switch (compare->relation) {
    case KV_EQUAL:
        return order == 0;
    case KV_NOT_EQUAL:
        return order != 0;
    case KV_GREATER:
        return order > 0;
    case KV_LESS:
        return order < 0;
    }
    return false;
}
