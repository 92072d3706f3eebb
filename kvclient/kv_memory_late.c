/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transactions that land when their client has given up on them: the worst that "outcome unknown"
 * may mean.
 */
#include <errno.h>
#include <string.h>
#include <utlist.h>

#include "base/clock.h"
#include "kvclient/kv_copy.h"
#include "kvclient/kv_memory_internal.h"

static void free_ops(const struct kv_op *ops, size_t count)
{
    struct kv_op *own = (struct kv_op *)ops;
    for (size_t i = 0; own && i < count; i++)
        kv_op_done(&own[i]);
    free(own);
}

static void late_free(struct late *late)
{
    struct kv_compare *compares = (struct kv_compare *)late->txn.compares;
    for (size_t i = 0; compares && i < late->txn.compare_count; i++)
        kv_compare_done(&compares[i]);
    free(compares);
    free_ops(late->txn.success, late->txn.success_count);
    free_ops(late->txn.failure, late->txn.failure_count);
    free(late);
}

/* *ret_count: how many of them are whole. */
static int copy_ops(const struct kv_op *ops, size_t count, const struct kv_op **ret,
                    size_t *ret_count)
{
    struct kv_op *copies = calloc(count + 1, sizeof(*copies));
    int r = copies ? 0 : -ENOMEM;
    *ret = copies;
    for (*ret_count = 0; r == 0 && *ret_count < count; *ret_count += r == 0)
        r = kv_op_copy(&ops[*ret_count], &copies[*ret_count]);
    return r;
}

static int copy_compares(const struct kv_txn *txn, struct kv_txn *ret)
{
    struct kv_compare *copies = calloc(txn->compare_count + 1, sizeof(*copies));
    int r = copies ? 0 : -ENOMEM;
    size_t *count = &ret->compare_count;
    ret->compares = copies;
    for (*count = 0; r == 0 && *count < txn->compare_count; *count += r == 0)
        r = kv_compare_copy(&txn->compares[*count], &copies[*count]);
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
