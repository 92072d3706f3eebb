/* SPDX-License-Identifier: Apache-2.0 */
#include "kvclient/kv_wire_exact.h"

#include <stdlib.h>
#include <string.h>

#include "base/base64.h"

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
    if (!skip(rest, "\"header\":{\"cluster_id\":") ||
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

bool kv_wire_exact_puts(const char *body, size_t length, struct kv_wire_txn *ret)
{
    struct rest rest = { .at = body, .end = body + length };
    struct kv_wire_txn txn = { 0 };
    if (!skip(&rest, "{") || !take_header(&rest, &txn.header))
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

/* --- pairs --- */

/* Base64 in quotes. */
static bool take_bytes(struct rest *rest, char **ret, size_t *ret_length)
{
    if (!skip(rest, "\""))
        return false;
    const char *end = memchr(rest->at, '"', (size_t)(rest->end - rest->at));
    if (!end || base64_read(rest->at, (size_t)(end - rest->at), ret, ret_length, NULL) < 0)
        return false;
    rest->at = end + 1;
    return true;
}

/* What is zero or empty is left out. */
static bool take_field(struct rest *rest, const char *name, int64_t *ret)
{
    uint64_t number = 0;
    if (skip(rest, name) && !take_number(rest, INT64_MAX, &number))
        return false;
    *ret = (int64_t)number;
    return true;
}

static bool take_value(struct rest *rest, struct kv_pair *ret)
{
    if (skip(rest, ",\"value\":"))
        return take_bytes(rest, &ret->value, &ret->value_length);
    ret->value = calloc(1, 1);
    return ret->value;
}

/* What it filled is the caller's to free, also if it fails. */
static bool take_pair(struct rest *rest, struct kv_pair *ret)
{
    size_t key_length = 0;
    return skip(rest, "{\"key\":") && take_bytes(rest, &ret->key, &key_length) &&
           strlen(ret->key) == key_length &&
           take_field(rest, ",\"create_revision\":", &ret->create_revision) &&
           take_field(rest, ",\"mod_revision\":", &ret->mod_revision) &&
           take_field(rest, ",\"version\":", &ret->version) && take_value(rest, ret) &&
           take_field(rest, ",\"lease\":", &ret->lease) && skip(rest, "}");
}

/* Room for one more behind count elements, and it is zero; NULL, and the array is as before. */
static void *grow(void *array, size_t count, size_t size)
{
    bool is_full = (count & (count - 1)) == 0; /* 0, 1, 2, 4, 8 … */
    char *grown = is_full ? reallocarray(array, count ? count * 2 : 1, size) : array;
    if (grown)
        memset(grown + count * size, 0, size);
    return grown;
}

static bool take_pairs(struct rest *rest, struct kv_wire_range *ret)
{
    do {
        struct kv_pair *pairs = grow(ret->pairs, ret->pair_count, sizeof(*pairs));
        if (!pairs)
            return false;
        ret->pairs = pairs;
        if (!take_pair(rest, &pairs[ret->pair_count++]))
            return false;
    } while (skip(rest, ","));
    return true;
}

static bool take_range(struct rest *rest, struct kv_wire_range *ret)
{
    if (!skip(rest, "{") || !take_header(rest, &ret->header) || !skip(rest, "\"kvs\":[") ||
        !take_pairs(rest, ret) || !skip(rest, "]"))
        return false;
    ret->more = skip(rest, ",\"more\":true");
    return take_field(rest, ",\"count\":", &ret->count) && skip(rest, "}") && rest->at == rest->end;
}

bool kv_wire_exact_range(const char *body, size_t length, struct kv_wire_range *ret)
{
    struct rest rest = { .at = body, .end = body + length };
    struct kv_wire_range range = { 0 };
    if (!take_range(&rest, &range)) {
        kv_wire_range_done(&range);
        return false;
    }
    *ret = range;
    return true;
}

/* --- events --- */

static bool take_event(struct rest *rest, struct kv_event *ret)
{
    if (!skip(rest, "{"))
        return false;
    ret->deleted = skip(rest, "\"type\":\"DELETE\",");
    return skip(rest, "\"kv\":") && take_pair(rest, &ret->pair) && skip(rest, "}");
}

static bool take_events(struct rest *rest, struct kv_wire_watch *ret)
{
    do {
        struct kv_event *events = grow(ret->events, ret->event_count, sizeof(*events));
        if (!events)
            return false;
        ret->events = events;
        if (!take_event(rest, &events[ret->event_count++]))
            return false;
    } while (skip(rest, ","));
    return true;
}

static bool take_watch(struct rest *rest, struct kv_wire_watch *ret)
{
    if (!skip(rest, "{\"result\":{") || !take_header(rest, &ret->header))
        return false;
    ret->fragment = skip(rest, "\"fragment\":true,");
    return skip(rest, "\"events\":[") && take_events(rest, ret) && skip(rest, "]}}") &&
           rest->at == rest->end;
}

bool kv_wire_exact_events(const char *line, size_t length, struct kv_wire_watch *ret)
{
    struct rest rest = { .at = line, .end = line + length };
    struct kv_wire_watch watch = { 0 };
    if (!take_watch(&rest, &watch)) {
        kv_wire_watch_done(&watch);
        return false;
    }
    *ret = watch;
    return true;
}
