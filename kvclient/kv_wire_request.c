/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request is laid out as protobuf-c's structs, whose bytes are borrowed from the caller, and then
 * packed into memory of its own.
 */
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "kvclient/kv_wire_internal.h"

void kv_wire_bytes_done(struct kv_wire_bytes *bytes)
{
    if (bytes->data)
        explicit_bzero(bytes->data, bytes->length);
    free(bytes->data);
    *bytes = (struct kv_wire_bytes){ 0 };
}

static int pack(const ProtobufCMessage *message, struct kv_wire_bytes *ret, struct error *err)
{
    size_t length = protobuf_c_message_get_packed_size(message);
    uint8_t *data = malloc(length + 1);
    if (!data)
        return error_oom(err);
    (void)protobuf_c_message_pack(message, data);
    *ret = (struct kv_wire_bytes){ .data = data, .length = length };
    return 0;
}

/* Borrowed: protobuf-c only reads what it packs. */
static ProtobufCBinaryData bytes_of(const char *bytes, size_t length)
{
    return (ProtobufCBinaryData){ .len = length, .data = (uint8_t *)bytes };
}

/* The empty prefix is everything, whose first key is written as one NUL. */
static ProtobufCBinaryData key_of(const char *key)
{
    return bytes_of(key, *key ? strlen(key) : 1);
}

/* The first key after all that begin with prefix; one NUL, "to the end", if there is none. */
static int end_of(struct kv_wire_arena *arena, const char *prefix, ProtobufCBinaryData *ret)
{
    size_t length = strlen(prefix);
    while (length && (unsigned char)prefix[length - 1] == 0xff)
        length--;
    *ret = bytes_of("", 1);
    if (length == 0)
        return 0;
    char *end = kv_wire_arena_take(arena, length);
    if (!end)
        return -ENOMEM;
    memcpy(end, prefix, length);
    end[length - 1]++;
    *ret = bytes_of(end, length);
    return 0;
}

int kv_wire_write_range(const struct kv_wire_page *page, struct kv_wire_bytes *ret,
                        struct error *err)
{
    Etcd__RangeRequest range = ETCD__RANGE_REQUEST__INIT;
    autoptr(kv_wire_arena) arena = kv_wire_arena_new(0);
    if (!arena)
        return error_oom(err);
    range.key = key_of(page->key);
    if (page->after)
        range.key = bytes_of(page->after, strlen(page->after) + 1); /* its successor */
    if ((page->prefix || page->after) && end_of(arena, page->key, &range.range_end) < 0)
        return error_oom(err);
    range.limit = (int64_t)page->limit;
    range.revision = page->revision;
    return pack(&range.base, ret, err);
}

/* --- transactions --- */

static Etcd__Compare__Result result_of(enum kv_relation relation)
{
    switch (relation) {
    case KV_NOT_EQUAL:
        return ETCD__COMPARE__RESULT__NOT_EQUAL;
    case KV_GREATER:
        return ETCD__COMPARE__RESULT__GREATER;
    case KV_LESS:
        return ETCD__COMPARE__RESULT__LESS;
    case KV_EQUAL:
        break;
    }
    return ETCD__COMPARE__RESULT__EQUAL;
}

static void set_operand(Etcd__Compare *to, const struct kv_compare *compare)
{
    switch (compare->target) {
    case KV_TARGET_CREATE:
        to->target = ETCD__COMPARE__TARGET__CREATE;
        to->operand_case = ETCD__COMPARE__OPERAND_CREATE_REVISION;
        to->create_revision = compare->number;
        return;
    case KV_TARGET_MOD:
        to->target = ETCD__COMPARE__TARGET__MOD;
        to->operand_case = ETCD__COMPARE__OPERAND_MOD_REVISION;
        to->mod_revision = compare->number;
        return;
    case KV_TARGET_VERSION:
        to->operand_case = ETCD__COMPARE__OPERAND_VERSION;
        to->version = compare->number;
        return;
    case KV_TARGET_LEASE:
        to->target = ETCD__COMPARE__TARGET__LEASE;
        to->operand_case = ETCD__COMPARE__OPERAND_LEASE;
        to->lease = compare->number;
        return;
    case KV_TARGET_VALUE:
        to->target = ETCD__COMPARE__TARGET__VALUE;
        to->operand_case = ETCD__COMPARE__OPERAND_VALUE;
        to->value =
            bytes_of(compare->value, kv_value_length(compare->value, compare->value_length));
        return;
    case KV_TARGET_EXISTS: /* its version is greater than 0 */
    case KV_TARGET_INVALID:
        to->result = ETCD__COMPARE__RESULT__GREATER;
        to->operand_case = ETCD__COMPARE__OPERAND_VERSION;
        return;
    }
}

static int set_compares(struct kv_wire_arena *arena, const struct kv_txn *txn,
                        Etcd__TxnRequest *ret)
{
    size_t count = txn->compare_count;
    Etcd__Compare *all = kv_wire_arena_take(arena, count * sizeof(*all));
    ret->compare = kv_wire_arena_take(arena, count * sizeof(Etcd__Compare *));
    if (!all || !ret->compare)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        all[i] = (Etcd__Compare)ETCD__COMPARE__INIT;
        all[i].key = key_of(txn->compares[i].key);
        all[i].result = result_of(txn->compares[i].relation);
        set_operand(&all[i], &txn->compares[i]);
        ret->compare[i] = &all[i];
    }
    ret->n_compare = count;
    return 0;
}

/* An operation with what it points to. */
struct operation {
    Etcd__RequestOp op;
    union {
        Etcd__RangeRequest range;
        Etcd__PutRequest put;
        Etcd__DeleteRangeRequest deletion;
    } of;
};

static int set_put(const struct kv_op *op, struct operation *ret)
{
    Etcd__PutRequest *put = &ret->of.put;
    *put = (Etcd__PutRequest)ETCD__PUT_REQUEST__INIT;
    put->key = key_of(op->key);
    put->value = bytes_of(op->value, kv_value_length(op->value, op->value_length));
    put->ignore_lease = op->keep_lease;
    put->lease = op->keep_lease ? 0 : op->lease;
    ret->op.request_case = ETCD__REQUEST_OP__REQUEST_REQUEST_PUT;
    ret->op.request_put = put;
    return 0;
}

static int set_range(struct kv_wire_arena *arena, const struct kv_op *op, struct operation *ret)
{
    Etcd__RangeRequest *range = &ret->of.range;
    *range = (Etcd__RangeRequest)ETCD__RANGE_REQUEST__INIT;
    range->key = key_of(op->key);
    range->keys_only = op->keys_only;
    range->count_only = op->count_only;
    ret->op.request_case = ETCD__REQUEST_OP__REQUEST_REQUEST_RANGE;
    ret->op.request_range = range;
    return op->prefix ? end_of(arena, op->key, &range->range_end) : 0;
}

static int set_deletion(struct kv_wire_arena *arena, const struct kv_op *op, struct operation *ret)
{
    Etcd__DeleteRangeRequest *deletion = &ret->of.deletion;
    *deletion = (Etcd__DeleteRangeRequest)ETCD__DELETE_RANGE_REQUEST__INIT;
    deletion->key = key_of(op->key);
    ret->op.request_case = ETCD__REQUEST_OP__REQUEST_REQUEST_DELETE_RANGE;
    ret->op.request_delete_range = deletion;
    return op->prefix ? end_of(arena, op->key, &deletion->range_end) : 0;
}

static int set_operation(struct kv_wire_arena *arena, const struct kv_op *op, struct operation *ret)
{
    ret->op = (Etcd__RequestOp)ETCD__REQUEST_OP__INIT;
    if (op->kind == KV_OP_PUT)
        return set_put(op, ret);
    return op->kind == KV_OP_DELETE ? set_deletion(arena, op, ret) : set_range(arena, op, ret);
}

static int set_branch(struct kv_wire_arena *arena, const struct kv_op *ops, size_t count,
                      Etcd__RequestOp ***ret, size_t *ret_count)
{
    struct operation *all = kv_wire_arena_take(arena, count * sizeof(*all));
    *ret = kv_wire_arena_take(arena, count * sizeof(Etcd__RequestOp *));
    if (!all || !*ret)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        int r = set_operation(arena, &ops[i], &all[i]);
        if (r < 0)
            return r;
        (*ret)[i] = &all[i].op;
    }
    *ret_count = count;
    return 0;
}

int kv_wire_write_txn(const struct kv_txn *txn, struct kv_wire_bytes *ret, struct error *err)
{
    const size_t each = sizeof(struct operation) + sizeof(void *);
    size_t count = txn->compare_count + txn->success_count + txn->failure_count;
    Etcd__TxnRequest request = ETCD__TXN_REQUEST__INIT;
    autoptr(kv_wire_arena) arena = kv_wire_arena_new(count * each);
    if (!arena)
        return error_oom(err);
    int r = set_compares(arena, txn, &request);
    if (r == 0)
        r = set_branch(arena, txn->success, txn->success_count, &request.success,
                       &request.n_success);
    if (r == 0)
        r = set_branch(arena, txn->failure, txn->failure_count, &request.failure,
                       &request.n_failure);
    return r < 0 ? error_oom(err) : pack(&request.base, ret, err);
}

static bool are_reads(const struct kv_op *ops, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (ops[i].kind != KV_OP_RANGE)
            return false;
    return true;
}

bool kv_wire_txn_is_read(const struct kv_txn *txn)
{
    return are_reads(txn->success, txn->success_count) &&
           are_reads(txn->failure, txn->failure_count);
}

/* --- all else --- */

int kv_wire_write_compact(int64_t revision, struct kv_wire_bytes *ret, struct error *err)
{
    Etcd__CompactionRequest request = ETCD__COMPACTION_REQUEST__INIT;
    request.revision = revision;
    return pack(&request.base, ret, err);
}

int kv_wire_write_lease_grant(int64_t id, int64_t ttl_s, struct kv_wire_bytes *ret,
                              struct error *err)
{
    Etcd__LeaseGrantRequest request = ETCD__LEASE_GRANT_REQUEST__INIT;
    request.id = id;
    request.ttl = ttl_s;
    return pack(&request.base, ret, err);
}

int kv_wire_write_lease_id(int64_t id, struct kv_wire_bytes *ret, struct error *err)
{
    Etcd__LeaseRequest request = ETCD__LEASE_REQUEST__INIT;
    request.id = id;
    return pack(&request.base, ret, err);
}

/* progress_notify costs a message in ten minutes, and lets the resume revision of a quiet watch go
 * on, so that compaction does not overtake it. */
int kv_wire_write_watch(const char *key, bool prefix, int64_t from_revision,
                        struct kv_wire_bytes *ret, struct error *err)
{
    Etcd__WatchCreateRequest create = ETCD__WATCH_CREATE_REQUEST__INIT;
    Etcd__WatchRequest request = ETCD__WATCH_REQUEST__INIT;
    autoptr(kv_wire_arena) arena = kv_wire_arena_new(0);
    if (!arena)
        return error_oom(err);
    create.key = key_of(key);
    if (prefix && end_of(arena, key, &create.range_end) < 0)
        return error_oom(err);
    create.start_revision = from_revision;
    create.progress_notify = true;
    create.fragment = true;
    request.request_case = ETCD__WATCH_REQUEST__REQUEST_CREATE_REQUEST;
    request.create_request = &create;
    return pack(&request.base, ret, err);
}

int kv_wire_write_nothing(struct kv_wire_bytes *ret, struct error *err)
{
    uint8_t *data = calloc(1, 1);
    if (!data)
        return error_oom(err);
    *ret = (struct kv_wire_bytes){ .data = data };
    return 0;
}

int kv_wire_write_login(const char *user, const char *password, struct kv_wire_bytes *ret,
                        struct error *err)
{
    Etcd__AuthenticateRequest request = ETCD__AUTHENTICATE_REQUEST__INIT;
    if (!text_is_utf8(user) || !text_is_utf8(password))
        return error_set(err, -EINVAL, "user name or password is not UTF-8");
    request.name = (char *)user; /* borrowed as well */
    request.password = (char *)password;
    return pack(&request.base, ret, err);
}
