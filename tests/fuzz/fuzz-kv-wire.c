/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers of a store that says anything: none may crash a reader, and what a reader takes keeps
 * what its header promises. What gRPC puts around them likewise.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/grpc.h"
#include "base/text.h"
#include "kvclient/kv_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_pairs(const struct kv_pair *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert(*pairs[i].key && pairs[i].mod_revision > 0);
        assert(pairs[i].value[pairs[i].value_length] == '\0');
        assert(i == 0 || strcmp(pairs[i - 1].key, pairs[i].key) < 0);
    }
}

static void read_page(const uint8_t *data, size_t size)
{
    struct kv_wire_range range = { 0 };
    if (kv_wire_read_range(data, size, &range, NULL) < 0)
        return;
    assert(range.header.cluster_id && range.header.revision > 0);
    assert(range.more ? range.pair_count > 0 : (uint64_t)range.count == range.pair_count);
    check_pairs(range.pairs, range.pair_count);
    kv_wire_range_done(&range);
}

/* Of two puts that had a guard, with something to read and to delete for when that fails. */
static void read_txn(const uint8_t *data, size_t size)
{
    const struct kv_op success[] = { kv_op_put("k", "v"), kv_op_put("l", "") };
    const struct kv_op failure[] = { kv_op_range_prefix("k"), kv_op_delete("l") };
    const struct kv_compare guard = kv_if_exists("k");
    const struct kv_txn asked = { .compares = &guard,
                                  .compare_count = 1,
                                  .success = success,
                                  .success_count = 2,
                                  .failure = failure,
                                  .failure_count = 2 };
    struct kv_wire_bytes request = { 0 };
    struct kv_wire_txn txn = { 0 };
    assert(kv_wire_write_txn(&asked, &request, NULL) == 0);
    if (kv_wire_read_txn(&request, data, size, &txn, NULL) == 0) {
        assert(txn.result_count == 2);
        assert(txn.results[1].pair_count == 0 && txn.results[1].count >= 0);
        assert(!txn.succeeded || txn.results[0].pair_count == 0);
        check_pairs(txn.results[0].pairs, txn.results[0].pair_count);
        kv_wire_txn_done(&txn);
    }
    kv_wire_bytes_done(&request);
}

static void check_events(const struct kv_wire_watch *whole)
{
    for (size_t i = 0; i < whole->event_count; i++) {
        const struct kv_pair *pair = &whole->events[i].pair;
        assert(*pair->key && pair->value[pair->value_length] == '\0');
        assert(i == 0 || pair->mod_revision >= whole->events[i - 1].pair.mod_revision);
    }
}

/* The same message twice, as if it had been split: no event is lost, and none is out of order; one
 * of several revisions does not go behind itself. */
static void read_watch(const uint8_t *data, size_t size)
{
    struct kv_wire_watch whole = { 0 };
    for (int i = 0; i < 2; i++) {
        struct kv_wire_watch message = { 0 };
        if (kv_wire_read_watch(data, size, &message, NULL) < 0)
            return;
        assert(message.failure == 0 || message.event_count == 0);
        size_t before = whole.event_count;
        size_t more = message.event_count;
        int r = kv_wire_watch_append(&whole, &message, 0, NULL);
        assert(r == 0 || r == -EPROTO);
        assert(whole.event_count == (r == 0 ? before + more : before));
        assert(message.event_count == (r == 0 ? 0 : more));
        kv_wire_watch_done(&message);
    }
    check_events(&whole);
    kv_wire_watch_done(&whole);
}

static void read_leases(const uint8_t *data, size_t size)
{
    struct kv_wire_lease lease = { 0 };
    struct kv_wire_header header = { 0 };
    if (kv_wire_read_lease_grant(data, size, &lease, NULL) == 0)
        assert(lease.id > 0 && lease.ttl_s > 0);
    if (kv_wire_read_lease_keep_alive(data, size, &lease, NULL) == 0)
        assert(lease.id > 0 && lease.ttl_s >= 0);
    if (kv_wire_read_lease_time_to_live(data, size, &lease, NULL) == 0)
        assert(lease.id > 0 && lease.granted_ttl_s >= 0);
    if (kv_wire_read_header(data, size, &header, NULL) == 0)
        assert(header.cluster_id && header.revision >= 0);
}

static void read_rare_answers(const uint8_t *data, size_t size)
{
    struct kv_wire_members members = { 0 };
    struct kv_wire_status status = { 0 };
    char *token = NULL;
    if (kv_wire_read_members(data, size, &members, NULL) == 0)
        kv_wire_members_done(&members);
    if (kv_wire_read_status(data, size, &status, NULL) == 0)
        kv_wire_status_done(&status);
    if (kv_wire_read_token(data, size, &token, NULL) == 0)
        assert(*token && !strpbrk(token, "\r\n"));
    free(token);
}

static void read_failures(const uint8_t *data, size_t size)
{
    autofree char *message = text_copy_bytes(data, size);
    struct error err = { 0 };
    assert(message);
    assert(kv_wire_read_failure(size ? data[0] : 1, message, &err) < 0);
    assert(text_is_utf8(err.text) && !strpbrk(err.text, "\r\n"));
    assert(kv_wire_read_foreign(404, message, size, &err) < 0);
    assert(text_is_utf8(err.text) && !strpbrk(err.text, "\r\n"));
}

/* Adds every message that is whole, each with its length; returns what ended that. */
static int take_messages(struct grpc_stream *stream, struct text *messages)
{
    const uint8_t *message = NULL;
    size_t length = 0;
    int r = 0;
    while ((r = grpc_stream_next(stream, &message, &length, NULL)) == 1) {
        text_addf(messages, "%zu:", length);
        text_add_bytes(messages, message, length);
    }
    return r;
}

/* The messages of the bytes, which come in two pieces. */
static int cut_at(const uint8_t *data, size_t size, size_t at, struct text *messages)
{
    struct grpc_stream stream = { 0 };
    int r = 0;
    assert(grpc_stream_add(&stream, data, at, NULL) == 0);
    r = take_messages(&stream, messages);
    if (r == 0) {
        assert(grpc_stream_add(&stream, data + at, size - at, NULL) == 0);
        r = take_messages(&stream, messages);
    }
    assert(r <= 0 && (r == 0 || grpc_stream_is_inside(&stream)));
    grpc_stream_done(&stream);
    return r;
}

/* Wherever the transport cut it, it is the same stream; where, the last byte says. */
static void read_stream(const uint8_t *data, size_t size)
{
    autotext whole = { 0 };
    autotext messages = { 0 };
    int r = cut_at(data, size, size, &whole);
    assert(cut_at(data, size, size ? data[size - 1] % size : 0, &messages) == r);
    assert(messages.length == whole.length);
    assert(whole.length == 0 || memcmp(messages.data, whole.data, whole.length) == 0);
}

static void decode_words(const uint8_t *data, size_t size)
{
    autofree char *words = text_copy_bytes(data, size);
    assert(words);
    size_t before = strlen(words);
    grpc_decode_words(words);
    assert(strlen(words) <= before && !strpbrk(words, "\r\n"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_page(data, size);
    read_txn(data, size);
    read_watch(data, size);
    read_leases(data, size);
    read_rare_answers(data, size);
    read_failures(data, size);
    read_stream(data, size);
    decode_words(data, size);
    return 0;
}
