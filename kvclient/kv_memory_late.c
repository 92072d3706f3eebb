/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transactions that land when their client has given up on them: the worst that "outcome unknown"
 * may mean.
 */
#include <errno.h>
#include <string.h>
#include <utlist.h>

#include "base/clock.h"
#include "kvclient/kv_memory_internal.h"

static void free_ops(const struct kv_op *ops, size_t count)
{
    struct kv_op *own = (struct kv_op *)(void *)ops;
    for (size_t i = 0; i < count; i++) {
        free((char *)own[i].key);
        free((char *)own[i].value);
    }
    free(own);
}

static void late_free(struct late *late)
{
    struct kv_compare *compares = (struct kv_compare *)(void *)late->txn.compares;
    for (size_t i = 0; compares && i < late->txn.compare_count; i++) {
        free((char *)compares[i].key);
        free((char *)compares[i].value);
    }
    free(compares);
    free_ops(late->txn.success, late->txn.success_count);
    free_ops(late->txn.failure, late->txn.failure_count);
    free(late);
}

/* The bytes and a NUL after them; length as kv_value_length() counts. *ret NULL where there is
 * none.
 */
static int copy_value(const char *value, size_t length, const char **ret)
{
    if (!value)
        return 0;
    size_t bytes = kv_value_length(value, length);
    char *copy = calloc(1, bytes + 1);
    if (!copy)
        return -ENOMEM;
    memcpy(copy, value, bytes);
    *ret = copy;
    return 0;
}

static int copy_ops(const struct kv_op *ops, size_t count, const struct kv_op **ret,
                    size_t *ret_count)
{
    struct kv_op *copies = calloc(count ? count : 1, sizeof(*copies));
    int r = copies ? 0 : -ENOMEM;
    *ret = copies;
    for (size_t i = 0; r == 0 && i < count; i++) {
        copies[i] = ops[i];
        copies[i].value = NULL;
        copies[i].key = strdup(ops[i].key);
        *ret_count = i + 1;
        r = copies[i].key ? copy_value(ops[i].value, ops[i].value_length, &copies[i].value)
                          : -ENOMEM;
    }
    return r;
}

static int copy_compares(const struct kv_txn *txn, struct kv_txn *ret)
{
    struct kv_compare *copies =
        calloc(txn->compare_count ? txn->compare_count : 1, sizeof(*copies));
    int r = copies ? 0 : -ENOMEM;
    ret->compares = copies;
    for (size_t i = 0; r == 0 && i < txn->compare_count; i++) {
        const struct kv_compare *from = &txn->compares[i];
        copies[i] = *from;
        copies[i].value = NULL;
        copies[i].key = strdup(from->key);
        ret->compare_count = i + 1;
        r = copies[i].key ? copy_value(from->value, from->value_length, &copies[i].value) : -ENOMEM;
    }
    return r;
}

int kv_memory_late_add(struct kv_memory *store, const struct kv_txn *txn, int64_t delay_ms)
{
    struct late *late = calloc(1, sizeof(*late));
    if (!late)
        return -ENOMEM;
    late->due_boot_ms = clock_boot_ms() + delay_ms;
    int r = copy_compares(txn, &late->txn);
    if (r == 0)
        r = copy_ops(txn->success, txn->success_count, &late->txn.success,
                     &late->txn.success_count);
    if (r == 0)
        r = copy_ops(txn->failure, txn->failure_count, &late->txn.failure,
                     &late->txn.failure_count);
    if (r < 0) {
        late_free(late);
        return r;
    }
    DL_APPEND(store->late, late);
    return 0;
}

void kv_memory_late_land(struct kv_memory *store)
{
    struct late *late = NULL;
    struct late *next = NULL;
    DL_FOREACH_SAFE(store->late, late, next) {
        struct answer unheard = { 0 };
        if (late->due_boot_ms > clock_boot_ms())
            continue;
        DL_DELETE(store->late, late);
        (void)kv_memory_run_txn(store, &late->txn, &unheard);
        kv_memory_answer_done(&unheard);
        late_free(late);
    }
}

int64_t kv_memory_late_next_ms(const struct kv_memory *store)
{
    int64_t next_ms = INT64_MAX;
    const struct late *late = NULL;
    DL_FOREACH(store->late, late) {
        if (late->due_boot_ms < next_ms)
            next_ms = late->due_boot_ms;
    }
    return next_ms;
}

void kv_memory_late_clear(struct kv_memory *store)
{
    struct late *late = NULL;
    struct late *next = NULL;
    DL_FOREACH_SAFE(store->late, late, next) {
        DL_DELETE(store->late, late);
        late_free(late);
    }
}
