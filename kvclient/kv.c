/* SPDX-License-Identifier: Apache-2.0 */
#include "kvclient/kv.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

void kv_free(struct kv *kv)
{
    if (kv)
        kv->vtable->free(kv);
}

static int check_ops(const struct kv_op *ops, size_t count, struct error *err)
{
    if (count > KV_TXN_OPS_MAX)
        return error_set(err, -E2BIG, "a transaction of %zu operations: the store takes %d", count,
                         KV_TXN_OPS_MAX);
    for (size_t i = 0; i < count; i++) {
        assert(ops[i].kind != KV_OP_INVALID && ops[i].key);
        assert(ops[i].kind != KV_OP_PUT || ops[i].value);
    }
    return 0;
}

int kv_txn(struct kv *kv, const struct kv_txn *txn, kv_txn_fn fn, void *userdata, struct error *err)
{
    if (txn->compare_count > KV_TXN_OPS_MAX)
        return error_set(err, -E2BIG, "a transaction of %zu compares: the store takes %d",
                         txn->compare_count, KV_TXN_OPS_MAX);
    int r = check_ops(txn->success, txn->success_count, err);
    if (r == 0)
        r = check_ops(txn->failure, txn->failure_count, err);
    return r < 0 ? r : kv->vtable->txn(kv, txn, fn, userdata, err);
}

int kv_range(struct kv *kv, const char *key, bool prefix, kv_range_fn fn, void *userdata,
             struct error *err)
{
    return kv->vtable->range(kv, key, prefix, fn, userdata, err);
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

int64_t kv_lease_new_id(void)
{
    int64_t id = 0;
    while (id <= 0) {
        if (getrandom(&id, sizeof(id), 0) != (ssize_t)sizeof(id))
            id = 0;
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

struct kv_op kv_op_put(const char *key, const char *value)
{
    return (struct kv_op){ .kind = KV_OP_PUT, .key = key, .value = value };
}

struct kv_op kv_op_put_leased(const char *key, const char *value, int64_t lease)
{
    return (struct kv_op){ .kind = KV_OP_PUT, .key = key, .value = value, .lease = lease };
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
