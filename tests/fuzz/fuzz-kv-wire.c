/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers of a store that says anything: none may crash a reader. The first byte says where the
 * stream is cut in two; wherever that is, the lines must be the same. What the exact readers take
 * must be what the others make of it.
 */
#include <assert.h>
#include <string.h>

#include "kvclient/kv_wire_exact.h"
#include "kvclient/kv_wire_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void assert_same_pair(const struct kv_pair *one, const struct kv_pair *other)
{
    assert(strcmp(one->key, other->key) == 0);
    assert(one->value_length == other->value_length);
    assert(memcmp(one->value, other->value, one->value_length + 1) == 0);
    assert(one->create_revision == other->create_revision);
    assert(one->mod_revision == other->mod_revision);
    assert(one->version == other->version);
    assert(one->lease == other->lease);
}

static void read_events(const char *line, size_t length, const struct kv_wire_watch *watch)
{
    struct kv_wire_watch exact = { 0 };
    if (!kv_wire_exact_events(line, length, &exact))
        return;
    assert(watch && watch->failure == 0 && !watch->created && !watch->cancelled);
    assert(exact.header.cluster_id == watch->header.cluster_id);
    assert(exact.header.revision == watch->header.revision);
    assert(exact.fragment == watch->fragment);
    assert(exact.event_count == watch->event_count);
    for (size_t i = 0; i < exact.event_count; i++) {
        assert(exact.events[i].deleted == watch->events[i].deleted);
        assert_same_pair(&exact.events[i].pair, &watch->events[i].pair);
    }
    kv_wire_watch_done(&exact);
}

static void read_page(const char *body, size_t length, const struct kv_wire_range *range)
{
    struct kv_wire_range exact = { 0 };
    if (!kv_wire_exact_range(body, length, &exact))
        return;
    assert(range);
    assert(exact.header.cluster_id == range->header.cluster_id);
    assert(exact.header.revision == range->header.revision);
    assert(exact.more == range->more && exact.count == range->count);
    assert(exact.pair_count == range->pair_count);
    for (size_t i = 0; i < exact.pair_count; i++)
        assert_same_pair(&exact.pairs[i], &range->pairs[i]);
    kv_wire_range_done(&exact);
}

static void add_lines(struct kv_wire_stream *stream, const char *bytes, size_t length,
                      struct text *lines)
{
    const char *line = NULL;
    size_t line_length = 0;
    assert(kv_wire_stream_add(stream, bytes, length, NULL) == 0);
    while (kv_wire_stream_next(stream, &line, &line_length)) {
        struct kv_wire_watch message = { 0 };
        text_add_bytes(lines, line, line_length);
        text_add(lines, "\n");
        int r = kv_wire_tree_watch(line, line_length, &message, NULL);
        read_events(line, line_length, r == 0 ? &message : NULL);
        kv_wire_watch_done(&message);
    }
}

static void read_cut(const char *bytes, size_t length, size_t cut)
{
    struct kv_wire_stream stream = { 0 };
    autotext lines = { 0 };
    add_lines(&stream, bytes, cut, &lines);
    add_lines(&stream, bytes + cut, length - cut, &lines);
    const char *end = memrchr(bytes, '\n', length);
    size_t whole = end ? (size_t)(end - bytes) + 1 : 0;
    assert(lines.length == whole);
    assert(whole == 0 || memcmp(lines.data, bytes, whole) == 0);
    kv_wire_stream_done(&stream);
}

static void read_puts(const char *bytes, size_t length)
{
    struct kv_wire_txn puts = { 0 };
    struct kv_wire_txn txn = { 0 };
    if (!kv_wire_exact_puts(bytes, length, &puts))
        return;
    assert(kv_wire_tree_txn(bytes, length, &txn, NULL) == 0);
    assert(puts.header.cluster_id == txn.header.cluster_id);
    assert(puts.header.revision == txn.header.revision);
    assert(puts.succeeded == txn.succeeded);
    assert(puts.result_count == txn.result_count);
    for (size_t i = 0; i < txn.result_count; i++)
        assert(txn.results[i].pair_count == 0 && txn.results[i].count == 0);
    kv_wire_txn_done(&puts);
    kv_wire_txn_done(&txn);
}

static void read_rare_answers(const char *bytes, size_t length)
{
    struct kv_wire_members members = { 0 };
    struct kv_wire_status status = { 0 };
    char *token = NULL;
    if (kv_wire_read_members(bytes, length, &members, NULL) == 0)
        kv_wire_members_done(&members);
    if (kv_wire_read_status(bytes, length, &status, NULL) == 0)
        kv_wire_status_done(&status);
    if (kv_wire_read_token(bytes, length, &token, NULL) == 0)
        assert(*token && !strpbrk(token, "\r\n"));
    free(token);
}

static void read_answers(const char *bytes, size_t length)
{
    struct kv_wire_range range = { 0 };
    struct kv_wire_txn txn = { 0 };
    struct kv_wire_lease lease = { 0 };
    struct error err = { 0 };
    int r = kv_wire_tree_range(bytes, length, &range, NULL);
    read_page(bytes, length, r == 0 ? &range : NULL);
    kv_wire_range_done(&range);
    if (kv_wire_tree_txn(bytes, length, &txn, NULL) == 0)
        kv_wire_txn_done(&txn);
    (void)kv_wire_read_lease(bytes, length, &lease, NULL);
    read_puts(bytes, length);
    read_rare_answers(bytes, length);
    assert(kv_wire_read_failure(400, bytes, length, &err) < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const char *bytes = (const char *)data + 1;
    size_t length = size - 1;
    read_cut(bytes, length, length ? data[0] % (length + 1) : 0);
    read_answers(bytes, length);
    return 0;
}
