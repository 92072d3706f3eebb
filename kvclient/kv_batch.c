/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A write is in one of three lists: queued --sent--> sent --answered--> ended, where its callback
 * takes it out; or back from sent to queued, if it did not happen and may yet.
 *
 * A transaction that fails reads in its failure branch what it compared. So one answer tells
 * whether it was the guard, and if not, exactly which writes stood in the way.
 */
#include "kvclient/kv_batch.h"

#include <errno.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

#include "base/text.h"
#include "kvclient/backoff.h"
#include "kvclient/kv_copy.h"

enum { RETRY_FIRST_MS = 100, RETRY_MAX_MS = 2000 };

struct entry {
    struct kv_op op; /* key and value are its own, as those of the compares */
    struct kv_compare *compares;
    size_t compare_count;
    size_t bytes;
    kv_batch_fn fn;
    void *userdata;
    int code; /* once it has ended, with reason and revision */
    char *reason;
    int64_t revision;
    struct entry *prev;
    struct entry *next;
    UT_hash_handle hh; /* in by_key, while it is queued */
};

struct kv_batch {
    struct kv *kv;            /* borrowed */
    struct loop_timer *timer; /* NULL without a loop */
    struct backoff backoff;
    struct kv_compare guard; /* its texts are its own */
    bool guard_is_new;       /* since the transaction under way was sent */
    struct entry *queued;
    struct entry *by_key;
    struct entry *sent;
    struct entry *ended;
    size_t sent_max; /* operations in the next transaction; fewer while one of them is sought that
                        the store does not take */
    int state;
    bool backing_off;
    bool telling;
    bool freed; /* by its owner, from inside a callback */
};

/* A transaction as kv_txn() wants it: the guard first, then the compares of each write in turn, and
 * in the failure branch a read for each of them. */
struct transaction {
    struct kv_compare compares[KV_TXN_OPS_MAX];
    struct kv_op reads[KV_TXN_OPS_MAX];
    size_t compare_count;
    struct kv_op ops[KV_TXN_OPS_MAX];
    size_t op_count;
    size_t bytes;
};

/* Writes and their memory. */

/* Its key is sent twice: compared, and read if the compare fails. */
static size_t compare_bytes(const struct kv_compare *compare)
{
    return 2 * strlen(compare->key) + compare->value_length + KV_BATCH_PIECE_BYTES;
}

static void entry_free(struct entry *entry)
{
    for (size_t i = 0; i < entry->compare_count; i++)
        kv_compare_done(&entry->compares[i]);
    free(entry->compares);
    kv_op_done(&entry->op);
    free(entry->reason);
    free(entry);
}
DEFINE_AUTOPTR(entry);

static int copy_op(struct entry *entry, const struct kv_op *op)
{
    int r = kv_op_copy(op, &entry->op);
    if (r == 0)
        entry->bytes = strlen(op->key) + entry->op.value_length + KV_BATCH_PIECE_BYTES;
    return r;
}

static int copy_compares(struct entry *entry, const struct kv_batch_write *write)
{
    entry->compares = calloc(write->compare_count + 1, sizeof(*entry->compares));
    if (!entry->compares)
        return -ENOMEM;
    for (; entry->compare_count < write->compare_count; entry->compare_count++) {
        struct kv_compare *copy = &entry->compares[entry->compare_count];
        if (kv_compare_copy(&write->compares[entry->compare_count], copy) < 0)
            return -ENOMEM;
        entry->bytes += compare_bytes(copy);
    }
    return 0;
}

static int entry_new(const struct kv_batch_write *write, struct entry **ret)
{
    autoptr(entry) entry = calloc(1, sizeof(*entry));
    if (!entry)
        return -ENOMEM;
    entry->fn = write->fn;
    entry->userdata = write->userdata;
    if (copy_op(entry, &write->op) < 0 || copy_compares(entry, write) < 0)
        return -ENOMEM;
    *ret = take_ptr(entry);
    return 0;
}

/* The queue and its ends. */

static void unqueue(struct kv_batch *batch, struct entry *entry)
{
    DL_DELETE(batch->queued, entry);
    HASH_DEL(batch->by_key, entry);
}

static void index_by_key(struct kv_batch *batch, struct entry *entry)
{
    HASH_ADD_KEYPTR(hh, batch->by_key, entry->op.key, strlen(entry->op.key), entry);
}

static struct entry *find_queued(const struct kv_batch *batch, const char *key)
{
    struct entry *entry = NULL;
    HASH_FIND_STR(batch->by_key, key, entry);
    return entry;
}

/* It is in no list; tell_ended() will tell it. */
static void end(struct kv_batch *batch, struct entry *entry, int code, const char *reason)
{
    entry->code = code;
    entry->reason = strdup(reason);
    DL_APPEND(batch->ended, entry);
}

static void end_superseded(struct kv_batch *batch, struct entry *entry)
{
    end(batch, entry, -ECANCELED, "a newer write of the key took its part");
}

static void end_sent(struct kv_batch *batch, int code, const char *reason)
{
    while (batch->sent) {
        struct entry *entry = batch->sent;
        DL_DELETE(batch->sent, entry);
        end(batch, entry, code, reason);
    }
}

static void end_queued(struct kv_batch *batch, int code, const char *reason)
{
    while (batch->queued) {
        struct entry *entry = batch->queued;
        unqueue(batch, entry);
        end(batch, entry, code, reason);
    }
}

/* What was sent and did not happen waits at the head of the queue, as if it had not been sent. */
static void queue_again(struct kv_batch *batch)
{
    while (batch->sent) {
        struct entry *last = batch->sent->prev;
        DL_DELETE(batch->sent, last);
        if (find_queued(batch, last->op.key)) {
            end_superseded(batch, last);
            continue;
        }
        DL_PREPEND(batch->queued, last);
        index_by_key(batch, last);
    }
}

static void list_free(struct entry **list)
{
    while (*list) {
        struct entry *entry = *list;
        DL_DELETE(*list, entry);
        entry_free(entry);
    }
}

static void batch_destroy(struct kv_batch *batch)
{
    kv_forget(batch->kv, batch);
    loop_timer_free(batch->timer);
    HASH_CLEAR(hh, batch->by_key);
    list_free(&batch->queued);
    list_free(&batch->sent);
    list_free(&batch->ended);
    kv_compare_done(&batch->guard);
    free(batch);
}

static void tell(const struct entry *entry)
{
    const struct kv_batch_result result = { .code = entry->code,
                                            .reason = entry->reason ? entry->reason : "",
                                            .revision = entry->revision };
    if (entry->fn)
        entry->fn(&result, entry->userdata);
}

/* Returns whether the batch is still there. Inside a callback it does nothing: the call that runs
 * the callback goes on with what has ended since. */
static bool tell_ended(struct kv_batch *batch)
{
    if (batch->telling)
        return true;
    batch->telling = true;
    while (batch->ended && !batch->freed) {
        autoptr(entry) entry = batch->ended;
        DL_DELETE(batch->ended, entry);
        tell(entry);
    }
    batch->telling = false;
    if (!batch->freed)
        return true;
    batch_destroy(batch);
    return false;
}

/* Answers. */

static void retry_later(struct kv_batch *batch)
{
    queue_again(batch);
    batch->backing_off = true;
    if (batch->timer)
        loop_timer_set(batch->timer, backoff_next_ms(&batch->backoff));
}

static void become_fenced(struct kv_batch *batch, const char *reason)
{
    batch->state = -ESTALE;
    end_sent(batch, -ESTALE, reason);
    end_queued(batch, -ESTALE, reason);
}

/* A new guard keeps the late one out already. */
static void become_unknown(struct kv_batch *batch, int code, const char *reason)
{
    end_sent(batch, code, reason);
    if (!batch->guard_is_new)
        batch->state = -ETIMEDOUT;
}

/* The store takes the whole or nothing of a transaction, and does not say what it disliked: half of
 * it is tried, until what remains is one. */
static void seek_the_bad_one(struct kv_batch *batch, int code, const char *reason)
{
    struct entry *entry = NULL;
    size_t count = 0;
    DL_COUNT(batch->sent, entry, count);
    if (count == 1) {
        end_sent(batch, code, reason);
        return;
    }
    queue_again(batch);
    batch->sent_max = count / 2;
}

static void on_failure(struct kv_batch *batch, int code, const char *reason)
{
    switch (code) {
    case -EAGAIN:
    case -ENOMEM:
        retry_later(batch);
        return;
    case -ETIMEDOUT:
    case -EPROTO:
        become_unknown(batch, code, reason);
        return;
    case -ESTALE:
        become_fenced(batch, reason);
        return;
    case -EINVAL:
    case -ENOENT:
    case -E2BIG:
        seek_the_bad_one(batch, code, reason);
        return;
    default:
        end_sent(batch, code, reason);
    }
}

static void on_success(struct kv_batch *batch, int64_t revision)
{
    while (batch->sent) {
        struct entry *entry = batch->sent;
        DL_DELETE(batch->sent, entry);
        entry->revision = revision;
        end(batch, entry, 0, "");
    }
    batch->sent_max = batch->sent_max * 2 < KV_TXN_OPS_MAX ? batch->sent_max * 2 : KV_TXN_OPS_MAX;
}

static bool held(const struct kv_compare *compare, const struct kv_op_result *read)
{
    return kv_compare_holds(compare, read->pair_count ? &read->pairs[0] : NULL);
}

/* The first compare of the write that did not hold; NULL if all did. */
static const struct kv_compare *find_unheld(const struct entry *entry,
                                            const struct kv_op_result *reads)
{
    for (size_t i = 0; i < entry->compare_count; i++)
        if (!held(&entry->compares[i], &reads[i]))
            return &entry->compares[i];
    return NULL;
}

/* Takes the writes that stood in the way out of what was sent; returns whether there were any. */
static bool end_refused(struct kv_batch *batch, const struct kv_op_result *reads)
{
    bool any = false;
    size_t seen = 0;
    struct entry *entry = NULL;
    struct entry *next = NULL;
    DL_FOREACH_SAFE(batch->sent, entry, next) {
        const struct kv_compare *unheld = find_unheld(entry, &reads[seen]);
        seen += entry->compare_count;
        if (!unheld)
            continue;
        autofree char *reason =
            text_format("%s is not as the write of %s wants it", unheld->key, entry->op.key);
        DL_DELETE(batch->sent, entry);
        end(batch, entry, -EBADE, reason ? reason : "");
        any = true;
    }
    return any;
}

static size_t count_sent_compares(const struct kv_batch *batch)
{
    size_t count = 1;
    const struct entry *entry = NULL;
    DL_FOREACH(batch->sent, entry) {
        count += entry->compare_count;
    }
    return count;
}

/* Nothing of the transaction happened. */
static void on_refusal(struct kv_batch *batch, const struct kv_txn_result *result)
{
    if (batch->guard_is_new) {
        queue_again(batch);
        return;
    }
    if (result->result_count != count_sent_compares(batch))
        become_unknown(batch, -EPROTO, "the store did not answer every read");
    else if (!held(&batch->guard, &result->results[0]))
        become_fenced(batch, "the guard of the batch does not hold");
    else if (end_refused(batch, result->results + 1))
        queue_again(batch);
    else
        become_unknown(batch, -EPROTO, "the store refused what by its own answer it should take");
}

static void advance(struct kv_batch *batch);

static void on_answer(const struct kv_txn_result *result, void *userdata)
{
    struct kv_batch *batch = userdata;
    if (result->code != -EAGAIN && result->code != -ENOMEM)
        backoff_reset(&batch->backoff);
    if (result->code < 0)
        on_failure(batch, result->code, result->reason);
    else if (result->succeeded)
        on_success(batch, result->revision);
    else
        on_refusal(batch, result);
    advance(batch);
}

/* Sending. */

static void add_compare(struct transaction *transaction, const struct kv_compare *compare)
{
    transaction->compares[transaction->compare_count] = *compare;
    transaction->reads[transaction->compare_count] = kv_op_range(compare->key);
    transaction->reads[transaction->compare_count].keys_only = compare->target != KV_TARGET_VALUE;
    transaction->compare_count++;
}

static bool fits(const struct transaction *transaction, const struct entry *entry)
{
    return transaction->op_count < KV_TXN_OPS_MAX &&
           transaction->compare_count + entry->compare_count <= KV_TXN_OPS_MAX &&
           transaction->bytes + entry->bytes <= KV_BATCH_BYTES_MAX;
}

static void add_entry(struct transaction *transaction, const struct entry *entry)
{
    for (size_t i = 0; i < entry->compare_count; i++)
        add_compare(transaction, &entry->compares[i]);
    transaction->ops[transaction->op_count++] = entry->op;
    transaction->bytes += entry->bytes;
}

static void begin(const struct kv_batch *batch, struct transaction *ret)
{
    ret->compare_count = 0;
    ret->op_count = 0;
    ret->bytes = compare_bytes(&batch->guard);
    add_compare(ret, &batch->guard);
}

/* The first is taken in any case: it did fit when it was added, but the guard may be another by
 * now. */
static bool takes_next(const struct kv_batch *batch, const struct transaction *transaction)
{
    if (transaction->op_count == 0)
        return batch->queued;
    return batch->queued && transaction->op_count < batch->sent_max &&
           fits(transaction, batch->queued);
}

static void take_from_queue(struct kv_batch *batch, struct transaction *transaction)
{
    while (takes_next(batch, transaction)) {
        struct entry *entry = batch->queued;
        unqueue(batch, entry);
        DL_APPEND(batch->sent, entry);
        add_entry(transaction, entry);
    }
}

static bool may_send(const struct kv_batch *batch)
{
    return batch->state == 0 && !batch->backing_off && !batch->freed && !batch->sent &&
           batch->queued;
}

/* Returns whether it failed at once and changed what there is to tell or to send. */
static bool send_next(struct kv_batch *batch)
{
    struct transaction transaction;
    struct error err = { 0 };
    if (!may_send(batch))
        return false;
    begin(batch, &transaction);
    take_from_queue(batch, &transaction);
    batch->guard_is_new = false;
    const struct kv_txn txn = { .compares = transaction.compares,
                                .compare_count = transaction.compare_count,
                                .success = transaction.ops,
                                .success_count = transaction.op_count,
                                .failure = transaction.reads,
                                .failure_count = transaction.compare_count };
    int r = kv_txn(batch->kv, &txn, on_answer, batch, &err);
    if (r < 0)
        on_failure(batch, r, err.text);
    return r < 0;
}

static void advance(struct kv_batch *batch)
{
    do {
        if (!tell_ended(batch))
            return;
    } while (send_next(batch));
}

/* At the end of this turn of the loop, or when the pause is over that it makes. */
static void send_soon(struct kv_batch *batch)
{
    if (batch->timer && !batch->backing_off)
        loop_timer_set(batch->timer, 0);
}

static void on_timer(struct loop_timer *timer, void *userdata)
{
    (void)timer;
    kv_batch_flush(userdata);
}

/* The interface. */

int kv_batch_new(struct loop *loop, struct kv *kv, const struct kv_compare *guard,
                 struct kv_batch **ret, struct error *err)
{
    autoptr(kv_batch) batch = calloc(1, sizeof(*batch));
    if (!batch)
        return error_oom(err);
    batch->kv = kv;
    batch->sent_max = KV_TXN_OPS_MAX;
    batch->backoff = (struct backoff){ .first_ms = RETRY_FIRST_MS, .max_ms = RETRY_MAX_MS };
    if (kv_compare_copy(guard, &batch->guard) < 0)
        return error_oom(err);
    int r = loop ? loop_timer_new(loop, "batch", on_timer, batch, &batch->timer, err) : 0;
    if (r < 0)
        return r;
    *ret = take_ptr(batch);
    return 0;
}

void kv_batch_free(struct kv_batch *batch)
{
    if (!batch)
        return;
    batch->freed = true;
    if (!batch->telling)
        batch_destroy(batch);
}

static int check_write(const struct kv_batch *batch, const struct kv_batch_write *write,
                       struct error *err)
{
    const struct kv_op *op = &write->op;
    if (batch->state == -ESTALE)
        return error_set(err, -ESTALE, "the guard of the batch does not hold");
    if ((op->kind != KV_OP_PUT && op->kind != KV_OP_DELETE) || op->prefix)
        return error_set(err, -EINVAL, "a batch takes puts, and deletes of one key");
    return 0;
}

static int check_fits(const struct kv_batch *batch, const struct entry *entry, struct error *err)
{
    struct transaction alone;
    begin(batch, &alone);
    if (fits(&alone, entry))
        return 0;
    return error_set(err, -E2BIG,
                     "the write of %s has %zu bytes and %zu compares: no transaction takes that",
                     entry->op.key, entry->bytes, entry->compare_count);
}

int kv_batch_add(struct kv_batch *batch, const struct kv_batch_write *write, struct error *err)
{
    autoptr(entry) entry = NULL;
    int r = check_write(batch, write, err);
    if (r < 0)
        return r;
    if (entry_new(write, &entry) < 0)
        return error_oom(err);
    r = check_fits(batch, entry, err);
    if (r < 0)
        return r;
    struct entry *older = find_queued(batch, entry->op.key);
    if (older) {
        unqueue(batch, older);
        end_superseded(batch, older);
    }
    DL_APPEND(batch->queued, entry);
    index_by_key(batch, entry);
    entry = NULL;
    send_soon(batch);
    return 0;
}

void kv_batch_flush(struct kv_batch *batch)
{
    batch->backing_off = false;
    if (batch->timer)
        loop_timer_cancel(batch->timer);
    advance(batch);
}

int kv_batch_resume(struct kv_batch *batch, const struct kv_compare *guard, struct error *err)
{
    struct kv_compare copy = { 0 };
    if (kv_compare_copy(guard, &copy) < 0)
        return error_oom(err);
    kv_compare_done(&batch->guard);
    batch->guard = copy;
    batch->guard_is_new = true;
    batch->state = 0;
    send_soon(batch);
    return 0;
}

int kv_batch_state(const struct kv_batch *batch)
{
    return batch->state;
}

void kv_batch_forget(struct kv_batch *batch, const void *userdata)
{
    struct entry *entry = NULL;
    struct entry *next = NULL;
    DL_FOREACH_SAFE(batch->queued, entry, next) {
        if (entry->userdata == userdata) {
            unqueue(batch, entry);
            entry_free(entry);
        }
    }
    DL_FOREACH(batch->sent, entry) {
        if (entry->userdata == userdata)
            entry->fn = NULL;
    }
    DL_FOREACH(batch->ended, entry) {
        if (entry->userdata == userdata)
            entry->fn = NULL;
    }
}
