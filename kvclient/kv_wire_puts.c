/* SPDX-License-Identifier: Apache-2.0 */
#include "kvclient/kv_wire_puts.h"

#include <stdlib.h>
#include <string.h>

static const char put_begin[] = "{\"response_put\":{\"header\":{\"revision\":";
static const char put_end[] = "}}}";

/* What is still to be read. */
struct rest {
    const char *at;
    const char *end;
};

static bool skip_bytes(struct rest *rest, const char *bytes, size_t length)
{
    if ((size_t)(rest->end - rest->at) < length || memcmp(rest->at, bytes, length) != 0)
        return false;
    rest->at += length;
    return true;
}

static bool skip(struct rest *rest, const char *text)
{
    return skip_bytes(rest, text, strlen(text));
}

/* A number in quotes, as etcd writes 64 bits; one with a leading zero is not etcd's. */
static bool take_number(struct rest *rest, uint64_t max, uint64_t *ret)
{
    uint64_t number = 0;
    if (!skip(rest, "\""))
        return false;
    const char *first = rest->at;
    for (; rest->at < rest->end && *rest->at >= '0' && *rest->at <= '9'; rest->at++) {
        unsigned int digit = (unsigned int)(*rest->at - '0');
        if (number > (max - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    if (rest->at == first || (*first == '0' && rest->at - first > 1))
        return false;
    *ret = number;
    return skip(rest, "\"");
}

static bool skip_number(struct rest *rest)
{
    uint64_t ignored = 0;
    return take_number(rest, UINT64_MAX, &ignored);
}

static bool take_header(struct rest *rest, struct kv_wire_header *ret)
{
    uint64_t revision = 0;
    if (!skip(rest, "{\"header\":{\"cluster_id\":") ||
        !take_number(rest, UINT64_MAX, &ret->cluster_id) || !skip(rest, ",\"member_id\":") ||
        !skip_number(rest) || !skip(rest, ",\"revision\":") ||
        !take_number(rest, INT64_MAX, &revision) || !skip(rest, ",\"raft_term\":") ||
        !skip_number(rest) || !skip(rest, "},"))
        return false;
    ret->revision = (int64_t)revision;
    return true;
}

/* A put's own answer tells nothing, so only their number is of interest. */
static bool count_puts(struct rest *rest, size_t *ret)
{
    size_t count = 0;
    do {
        if (!skip_bytes(rest, put_begin, sizeof(put_begin) - 1) || !skip_number(rest) ||
            !skip_bytes(rest, put_end, sizeof(put_end) - 1))
            return false;
        count++;
    } while (skip(rest, ","));
    *ret = count;
    return true;
}

bool kv_wire_read_puts(const char *body, size_t length, struct kv_wire_txn *ret)
{
    struct rest rest = { .at = body, .end = body + length };
    struct kv_wire_txn txn = { 0 };
    if (!take_header(&rest, &txn.header))
        return false;
    txn.succeeded = skip(&rest, "\"succeeded\":true,"); /* false is left out */
    if (!skip(&rest, "\"responses\":[") || !count_puts(&rest, &txn.result_count) ||
        !skip(&rest, "]}") || rest.at != rest.end)
        return false;
    txn.results = calloc(txn.result_count, sizeof(*txn.results));
    if (!txn.results)
        return false;
    *ret = txn;
    return true;
}
