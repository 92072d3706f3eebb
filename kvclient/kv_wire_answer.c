/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "kvclient/kv_pairs.h"
#include "kvclient/kv_wire_internal.h"

int kv_wire_take_header(const Etcd__ResponseHeader *header, int64_t smallest,
                        struct kv_wire_header *ret, struct error *err)
{
    if (!header || header->cluster_id == 0)
        return error_set(err, -EPROTO, "an answer that names no cluster");
    if (header->revision < smallest)
        return error_set(err, -EPROTO, "an answer of revision %" PRId64, header->revision);
    *ret =
        (struct kv_wire_header){ .cluster_id = header->cluster_id, .revision = header->revision };
    return 0;
}

int kv_wire_take_text(const ProtobufCBinaryData *bytes, const char *what, char **ret,
                      struct error *err)
{
    static char empty[] = "";
    if (bytes->len && memchr(bytes->data, '\0', bytes->len))
        return error_set(err, -EPROTO, "%s has a NUL in it after \"%s\"", what,
                         (const char *)bytes->data);
    *ret = bytes->len ? (char *)bytes->data : empty;
    return 0;
}

static int check_numbers(const Etcd__KeyValue *kv, struct error *err)
{
    if (kv->mod_revision > 0 && kv->create_revision >= 0 && kv->version >= 0)
        return 0;
    return error_set(
        err, -EPROTO,
        "key \"%s\" of version %" PRId64 ", created at %" PRId64 ", changed at %" PRId64,
        (const char *)kv->key.data, kv->version, kv->create_revision, kv->mod_revision);
}

int kv_wire_take_pair(const Etcd__KeyValue *kv, struct kv_pair *ret, struct error *err)
{
    if (!kv || kv->key.len == 0)
        return error_set(err, -EPROTO, "a pair without a key");
    char *key = NULL;
    int r = kv_wire_take_text(&kv->key, "a key", &key, err);
    if (r == 0)
        r = check_numbers(kv, err);
    if (r < 0)
        return r;
    *ret = (struct kv_pair){
        .key = key,
        .value = kv->value.len ? (char *)kv->value.data : key + kv->key.len, /* empty */
        .value_length = kv->value.len,
        .create_revision = kv->create_revision,
        .mod_revision = kv->mod_revision,
        .version = kv->version,
        .lease = kv->lease,
    };
    return 0;
}

/* A pair that the store has, behind the one before it, or NULL. */
static int take_stored(const Etcd__KeyValue *kv, const struct kv_pair *before, struct kv_pair *ret,
                       struct error *err)
{
    int r = kv_wire_take_pair(kv, ret, err);
    if (r < 0)
        return r;
    if (ret->create_revision == 0 || ret->version == 0)
        return error_set(err, -EPROTO, "key \"%s\" was never created", ret->key);
    if (before && strcmp(before->key, ret->key) >= 0)
        return error_set(err, -EPROTO, "key \"%s\" comes after \"%s\"", ret->key, before->key);
    return 0;
}

static int check_count(const Etcd__RangeResponse *range, struct error *err)
{
    if (range->count >= 0 && (uint64_t)range->count >= range->n_kvs)
        return 0;
    return error_set(err, -EPROTO, "%zu pairs of %" PRId64, range->n_kvs, range->count);
}

/* --- pages --- */

static int own(struct kv_pair *pair, struct error *err)
{
    pair->key = strdup(pair->key);
    pair->value = text_copy_bytes(pair->value, pair->value_length);
    return pair->key && pair->value ? 0 : error_oom(err);
}

static int fill_page(const Etcd__RangeResponse *page, struct kv_wire_range *ret, struct error *err)
{
    if (page->n_kvs == 0)
        return 0;
    ret->pairs = calloc(page->n_kvs, sizeof(*ret->pairs));
    if (!ret->pairs)
        return error_oom(err);
    int r = 0;
    for (size_t i = 0; r == 0 && i < page->n_kvs; i++) {
        struct kv_pair pair = { 0 };
        r = take_stored(page->kvs[i], i > 0 ? &ret->pairs[i - 1] : NULL, &pair, err);
        if (r == 0)
            r = own(&pair, err);
        else
            pair = (struct kv_pair){ 0 };
        ret->pairs[ret->pair_count++] = pair;
    }
    return r;
}

static int check_page(const Etcd__RangeResponse *page, struct error *err)
{
    int r = check_count(page, err);
    if (r < 0)
        return r;
    if (page->more && page->n_kvs == 0)
        return error_set(err, -EPROTO, "an empty page says that more follow");
    if (!page->more && (uint64_t)page->count != page->n_kvs)
        return error_set(err, -EPROTO, "the last page has %zu pairs of %" PRId64, page->n_kvs,
                         page->count);
    return 0;
}

int kv_wire_read_range(const uint8_t *data, size_t length, struct kv_wire_range *ret,
                       struct error *err)
{
    autoptr(kv_wire_arena) arena = NULL;
    struct kv_wire_range range = { 0 };
    int r = kv_wire_unpack(&etcd__range_response__descriptor, data, length, &arena, err);
    if (r < 0)
        return r;
    const Etcd__RangeResponse *page = kv_wire_arena_message(arena);
    r = kv_wire_take_header(page->header, 1, &range.header, err);
    if (r == 0)
        r = check_page(page, err);
    if (r == 0)
        r = fill_page(page, &range, err);
    if (r < 0) {
        kv_wire_range_done(&range);
        return r;
    }
    range.count = page->count;
    range.more = page->more;
    *ret = range;
    return 0;
}

void kv_wire_range_done(struct kv_wire_range *range)
{
    kv_pair_array_free(range->pairs, range->pair_count);
    *range = (struct kv_wire_range){ 0 };
}

/* --- transactions --- */

/* What is still to be read of a request that we packed ourselves. */
struct rest {
    const uint8_t *at;
    const uint8_t *end;
};

/* False at the end. */
static bool take_varint(struct rest *rest, size_t *ret)
{
    size_t number = 0;
    for (unsigned int shift = 0; rest->at < rest->end && shift < 63; shift += 7) {
        uint8_t byte = *rest->at++;
        number |= (size_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *ret = number;
            return true;
        }
    }
    return false;
}

/* Every field of a transaction, and of an operation in it, is tag, length, bytes. */
static bool take_field(struct rest *rest, size_t *ret_number, struct rest *ret)
{
    size_t tag = 0;
    size_t length = 0;
    if (!take_varint(rest, &tag) || !take_varint(rest, &length) ||
        length > (size_t)(rest->end - rest->at))
        return false;
    *ret_number = tag >> 3;
    *ret = (struct rest){ .at = rest->at, .end = rest->at + length };
    rest->at += length;
    return true;
}

/* The kind of the branch's next operation, a field's number in RequestOp and in ResponseOp alike; 0
 * behind the last. */
static size_t next_kind(struct rest *request, size_t branch)
{
    size_t number = 0;
    size_t kind = 0;
    struct rest operation = { 0 };
    struct rest body = { 0 };
    while (take_field(request, &number, &operation))
        if (number == branch)
            return take_field(&operation, &kind, &body) ? kind : 0;
    return 0;
}

static int take_pairs(struct kv_wire_arena *arena, const Etcd__RangeResponse *range,
                      struct kv_op_result *ret, struct error *err)
{
    int r = check_count(range, err);
    if (r == 0 && range->more)
        r = error_set(err, -EPROTO, "not all pairs, though none were to be left out");
    ret->count = range->count;
    if (r < 0 || range->n_kvs == 0)
        return r;
    ret->pairs = kv_wire_arena_take(arena, range->n_kvs * sizeof(*ret->pairs));
    if (!ret->pairs)
        return error_oom(err);
    for (size_t i = 0; r == 0 && i < range->n_kvs; i++)
        r = take_stored(range->kvs[i], i > 0 ? &ret->pairs[i - 1] : NULL, &ret->pairs[i], err);
    ret->pair_count = range->n_kvs;
    return r;
}

static int take_result(struct kv_wire_arena *arena, const Etcd__ResponseOp *response,
                       struct kv_op_result *ret, struct error *err)
{
    *ret = (struct kv_op_result){ 0 };
    if (response->response_case == ETCD__RESPONSE_OP__RESPONSE_RESPONSE_RANGE)
        return take_pairs(arena, response->response_range, ret, err);
    if (response->response_case != ETCD__RESPONSE_OP__RESPONSE_RESPONSE_DELETE_RANGE)
        return 0;
    ret->count = response->response_delete_range->deleted;
    if (ret->count < 0)
        return error_set(err, -EPROTO, "%" PRId64 " keys are said to be deleted", ret->count);
    return 0;
}

static int take_results(struct kv_wire_arena *arena, const struct kv_wire_bytes *request,
                        const Etcd__TxnResponse *answer, struct kv_wire_txn *ret, struct error *err)
{
    enum { SUCCESS = 2, FAILURE = 3 }; /* fields of TxnRequest */
    const size_t branch = answer->succeeded ? SUCCESS : FAILURE;
    size_t count = answer->n_responses;
    struct rest rest = { .at = request->data, .end = request->data + request->length };
    ret->results = kv_wire_arena_take(arena, count * sizeof(*ret->results));
    if (!ret->results)
        return error_oom(err);
    for (size_t i = 0; i < count; i++) {
        const Etcd__ResponseOp *response = answer->responses[i];
        size_t kind = next_kind(&rest, branch);
        if (kind == 0 || kind != (size_t)response->response_case)
            return error_set(err, -EPROTO, "result %zu is of no operation that was asked for", i);
        int r = take_result(arena, response, &ret->results[i], err);
        if (r < 0)
            return r;
    }
    if (next_kind(&rest, branch))
        return error_set(err, -EPROTO, "%zu results, but more operations than that", count);
    ret->result_count = count;
    return 0;
}

int kv_wire_read_txn(const struct kv_wire_bytes *request, const uint8_t *data, size_t length,
                     struct kv_wire_txn *ret, struct error *err)
{
    autoptr(kv_wire_arena) arena = NULL;
    struct kv_wire_txn txn = { 0 };
    int r = kv_wire_unpack(&etcd__txn_response__descriptor, data, length, &arena, err);
    if (r < 0)
        return r;
    const Etcd__TxnResponse *answer = kv_wire_arena_message(arena);
    r = kv_wire_take_header(answer->header, 1, &txn.header, err);
    if (r == 0)
        r = take_results(arena, request, answer, &txn, err);
    if (r < 0)
        return r;
    txn.succeeded = answer->succeeded;
    txn.arena = take_ptr(arena);
    *ret = txn;
    return 0;
}

void kv_wire_txn_done(struct kv_wire_txn *txn)
{
    kv_wire_arena_free(txn->arena);
    *txn = (struct kv_wire_txn){ 0 };
}

/* --- leases --- */

static int read_lease(const uint8_t *data, size_t length, int64_t smallest_ttl_s,
                      struct kv_wire_lease *ret, struct error *err)
{
    autoptr(kv_wire_arena) arena = NULL;
    struct kv_wire_header header = { 0 };
    int r = kv_wire_unpack(&etcd__lease_response__descriptor, data, length, &arena, err);
    if (r < 0)
        return r;
    const Etcd__LeaseResponse *answer = kv_wire_arena_message(arena);
    r = kv_wire_take_header(answer->header, 0, &header, err);
    if (r < 0)
        return r;
    if (answer->id <= 0 || answer->ttl < smallest_ttl_s)
        return error_set(err, -EPROTO, "lease %jx for %" PRId64 " s", (uintmax_t)answer->id,
                         answer->ttl);
    *ret = (struct kv_wire_lease){ .header = header, .id = answer->id, .ttl_s = answer->ttl };
    return 0;
}

int kv_wire_read_lease_grant(const uint8_t *data, size_t length, struct kv_wire_lease *ret,
                             struct error *err)
{
    return read_lease(data, length, 1, ret, err);
}

int kv_wire_read_lease_keep_alive(const uint8_t *data, size_t length, struct kv_wire_lease *ret,
                                  struct error *err)
{
    return read_lease(data, length, 0, ret, err);
}

int kv_wire_read_lease_time_to_live(const uint8_t *data, size_t length, struct kv_wire_lease *ret,
                                    struct error *err)
{
    autoptr(kv_wire_arena) arena = NULL;
    struct kv_wire_header header = { 0 };
    int r =
        kv_wire_unpack(&etcd__lease_time_to_live_response__descriptor, data, length, &arena, err);
    if (r < 0)
        return r;
    const Etcd__LeaseTimeToLiveResponse *answer = kv_wire_arena_message(arena);
    r = kv_wire_take_header(answer->header, 0, &header, err);
    if (r < 0)
        return r;
    if (answer->id <= 0 || answer->granted_ttl < 0)
        return error_set(err, -EPROTO, "lease %jx with %" PRId64 " s left of %" PRId64,
                         (uintmax_t)answer->id, answer->ttl, answer->granted_ttl);
    *ret = (struct kv_wire_lease){ .header = header,
                                   .id = answer->id,
                                   .ttl_s = answer->ttl,
                                   .granted_ttl_s = answer->granted_ttl };
    return 0;
}

int kv_wire_read_header(const uint8_t *data, size_t length, struct kv_wire_header *ret,
                        struct error *err)
{
    autoptr(kv_wire_arena) arena = NULL;
    int r = kv_wire_unpack(&etcd__header_response__descriptor, data, length, &arena, err);
    if (r < 0)
        return r;
    const Etcd__HeaderResponse *answer = kv_wire_arena_message(arena);
    return kv_wire_take_header(answer->header, 0, ret, err);
}
