/* SPDX-License-Identifier: Apache-2.0 */
#include "kvclient/kv_wire.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "kvclient/base64.h"
#include "kvclient/kv_pairs.h"

/* Requests. Every string in them is base64 or ours, so nothing needs escaping and no tree of values
 * is built first. */

static void add_bytes_field(struct text *t, const char *name, const void *bytes, size_t length)
{
    text_addf(t, "\"%s\":\"", name);
    base64_add(t, bytes, length);
    text_add(t, "\"");
}

/* The first key after all that begin with prefix; one NUL, "to the end", if there is none. */
static void add_prefix_end(struct text *t, const char *prefix)
{
    size_t length = strlen(prefix);
    while (length && (unsigned char)prefix[length - 1] == 0xff)
        length--;
    autotext end = { 0 };
    text_add_bytes(&end, prefix, length);
    if (length && !end.failed)
        end.data[length - 1]++;
    else
        text_add_bytes(&end, "", 1);
    t->failed |= end.failed;
    if (!t->failed)
        add_bytes_field(t, "range_end", end.data, end.length);
}

static void add_key(struct text *t, const char *key, bool prefix)
{
    /* The empty prefix is everything, whose first key is written as one NUL. */
    add_bytes_field(t, "key", key, *key ? strlen(key) : 1);
    if (prefix) {
        text_add(t, ",");
        add_prefix_end(t, key);
    }
}

static int finish(struct text *t, char **ret, struct error *err)
{
    char *body = text_take(t);
    if (!body)
        return error_oom(err);
    *ret = body;
    return 0;
}

int kv_wire_write_range(const struct kv_wire_page *page, char **ret, struct error *err)
{
    autotext t = { 0 };
    text_add(&t, "{");
    if (page->after) {
        add_bytes_field(&t, "key", page->after, strlen(page->after) + 1); /* its successor */
        text_add(&t, ",");
        add_prefix_end(&t, page->key);
    } else {
        add_key(&t, page->key, page->prefix);
    }
    if (page->limit)
        text_addf(&t, ",\"limit\":\"%zu\"", page->limit);
    if (page->revision)
        text_addf(&t, ",\"revision\":\"%" PRId64 "\"", page->revision);
    text_add(&t, "}");
    return finish(&t, ret, err);
}

static void add_number_compare(struct text *t, const struct kv_compare *compare, const char *field)
{
    text_addf(t, "\"%s\":\"%" PRId64 "\"", field, compare->number);
}

static void add_compared(struct text *t, const struct kv_compare *compare)
{
    switch (compare->target) {
    case KV_TARGET_CREATE:
        add_number_compare(t, compare, "create_revision");
        return;
    case KV_TARGET_MOD:
        add_number_compare(t, compare, "mod_revision");
        return;
    case KV_TARGET_VERSION:
        add_number_compare(t, compare, "version");
        return;
    case KV_TARGET_LEASE:
        add_number_compare(t, compare, "lease");
        return;
    case KV_TARGET_VALUE:
        add_bytes_field(t, "value", compare->value,
                        kv_value_length(compare->value, compare->value_length));
        return;
    case KV_TARGET_EXISTS:
    case KV_TARGET_INVALID:
        text_add(t, "\"version\":\"0\"");
        return;
    }
}

static void add_compare(struct text *t, const struct kv_compare *compare)
{
    static const char *const targets[] = {
        [KV_TARGET_CREATE] = "CREATE", [KV_TARGET_MOD] = "MOD",     [KV_TARGET_VERSION] = "VERSION",
        [KV_TARGET_LEASE] = "LEASE",   [KV_TARGET_VALUE] = "VALUE", [KV_TARGET_EXISTS] = "VERSION"
    };
    static const char *const relations[] = { [KV_EQUAL] = "EQUAL",
                                             [KV_NOT_EQUAL] = "NOT_EQUAL",
                                             [KV_GREATER] = "GREATER",
                                             [KV_LESS] = "LESS" };
    bool exists = compare->target == KV_TARGET_EXISTS;
    text_addf(t, "{\"target\":\"%s\",\"result\":\"%s\",", targets[compare->target],
              relations[exists ? KV_GREATER : compare->relation]);
    add_key(t, compare->key, false);
    text_add(t, ",");
    add_compared(t, compare);
    text_add(t, "}");
}

static void add_put(struct text *t, const struct kv_op *op)
{
    text_add(t, "{\"request_put\":{");
    add_key(t, op->key, false);
    text_add(t, ",");
    add_bytes_field(t, "value", op->value, kv_value_length(op->value, op->value_length));
    if (op->keep_lease)
        text_add(t, ",\"ignore_lease\":true");
    else if (op->lease)
        text_addf(t, ",\"lease\":\"%" PRId64 "\"", op->lease);
    text_add(t, "}}");
}

static void add_op(struct text *t, const struct kv_op *op)
{
    if (op->kind == KV_OP_PUT) {
        add_put(t, op);
        return;
    }
    text_addf(t, "{\"request_%s\":{", op->kind == KV_OP_DELETE ? "delete_range" : "range");
    add_key(t, op->key, op->prefix);
    if (op->keys_only)
        text_add(t, ",\"keys_only\":true");
    if (op->count_only)
        text_add(t, ",\"count_only\":true");
    text_add(t, "}}");
}

static void add_branch(struct text *t, const char *name, const struct kv_op *ops, size_t count)
{
    text_addf(t, "\"%s\":[", name);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            text_add(t, ",");
        add_op(t, &ops[i]);
    }
    text_add(t, "]");
}

int kv_wire_write_txn(const struct kv_txn *txn, char **ret, struct error *err)
{
    autotext t = { 0 };
    text_add(&t, "{\"compare\":[");
    for (size_t i = 0; i < txn->compare_count; i++) {
        if (i > 0)
            text_add(&t, ",");
        add_compare(&t, &txn->compares[i]);
    }
    text_add(&t, "],");
    add_branch(&t, "success", txn->success, txn->success_count);
    text_add(&t, ",");
    add_branch(&t, "failure", txn->failure, txn->failure_count);
    text_add(&t, "}");
    return finish(&t, ret, err);
}

int kv_wire_write_lease_grant(int64_t id, int64_t ttl_s, char **ret, struct error *err)
{
    autotext t = { 0 };
    text_addf(&t, "{\"ID\":\"%" PRId64 "\",\"TTL\":\"%" PRId64 "\"}", id, ttl_s);
    return finish(&t, ret, err);
}

int kv_wire_write_lease_id(int64_t id, char **ret, struct error *err)
{
    autotext t = { 0 };
    text_addf(&t, "{\"ID\":\"%" PRId64 "\"}", id);
    return finish(&t, ret, err);
}

int kv_wire_write_compact(int64_t revision, char **ret, struct error *err)
{
    autotext t = { 0 };
    text_addf(&t, "{\"revision\":\"%" PRId64 "\"}", revision);
    return finish(&t, ret, err);
}

int kv_wire_write_nothing(char **ret, struct error *err)
{
    autotext t = { 0 };
    text_add(&t, "{}");
    return finish(&t, ret, err);
}

int kv_wire_write_login(const char *user, const char *password, char **ret, struct error *err)
{
    autojson login = json_pack("{s:s,s:s}", "name", user, "password", password);
    if (!login)
        return error_set(err, -EINVAL, "user name or password is not UTF-8");
    return json_write(login, ret, err);
}

/* progress_notify costs a line in ten minutes, and lets the resume revision of a quiet watch go
 * on, so that compaction does not overtake it. */
int kv_wire_write_watch(const char *key, bool prefix, int64_t from_revision, char **ret,
                        struct error *err)
{
    autotext t = { 0 };
    text_add(&t, "{\"create_request\":{");
    add_key(&t, key, prefix);
    text_addf(&t,
              ",\"start_revision\":\"%" PRId64 "\",\"fragment\":true,\"progress_notify\":true}}",
              from_revision);
    return finish(&t, ret, err);
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

/* Answers. */

/* Ids use all 64 bits, which json_field_int64_text_or() would refuse. */
static int read_id(const json_t *object, const char *name, uint64_t *ret, struct error *err)
{
    const char *digits = NULL;
    int r = json_field_string_or(object, name, "0", &digits, err);
    if (r < 0)
        return r;
    if (text_parse_u64(digits, UINT64_MAX, ret, NULL) < 0)
        return error_set(err, -EPROTO, "field \"%s\" is not a number", name);
    return 0;
}

static int read_header(const json_t *answer, struct kv_wire_header *ret, struct error *err)
{
    json_t *header = NULL;
    int r = json_field_object_or_null(answer, "header", &header, err);
    if (r < 0 || !header)
        return r;
    r = read_id(header, "cluster_id", &ret->cluster_id, err);
    if (r < 0)
        return r;
    return json_field_int64_text_or(header, "revision", 0, &ret->revision, err);
}

static int read_bytes(const json_t *object, const char *name, char **ret, size_t *ret_length,
                      struct error *err)
{
    const char *coded = NULL;
    int r = json_field_string_or(object, name, "", &coded, err);
    if (r < 0)
        return r;
    r = base64_read(coded, strlen(coded), ret, ret_length, err);
    return r < 0 ? error_prefix(err, r, "field \"%s\"", name) : 0;
}

static int read_numbers(const json_t *kv, struct kv_pair *ret, struct error *err)
{
    int r = json_field_int64_text_or(kv, "create_revision", 0, &ret->create_revision, err);
    if (r == 0)
        r = json_field_int64_text_or(kv, "mod_revision", 0, &ret->mod_revision, err);
    if (r == 0)
        r = json_field_int64_text_or(kv, "version", 0, &ret->version, err);
    if (r == 0)
        r = json_field_int64_text_or(kv, "lease", 0, &ret->lease, err);
    return r;
}

/* What it filled is the caller's to free, also on failure. */
static int read_pair(const json_t *kv, struct kv_pair *ret, struct error *err)
{
    size_t key_length = 0;
    if (!json_is_object(kv))
        return error_set(err, -EPROTO, "a key-value pair is not an object");
    int r = read_bytes(kv, "key", &ret->key, &key_length, err);
    if (r < 0)
        return r;
    if (strlen(ret->key) != key_length)
        return error_set(err, -EPROTO, "a key has a NUL in it after \"%s\"", ret->key);
    r = read_bytes(kv, "value", &ret->value, &ret->value_length, err);
    return r < 0 ? r : read_numbers(kv, ret, err);
}

static int read_pairs(const json_t *range, struct kv_pair **ret, size_t *ret_count,
                      struct error *err)
{
    json_t *array = NULL;
    int r = json_field_array_or_null(range, "kvs", &array, err);
    if (r < 0 || json_array_size(array) == 0)
        return r;
    size_t count = json_array_size(array);
    struct kv_pair *pairs = calloc(count, sizeof(*pairs));
    if (!pairs)
        return error_oom(err);
    for (size_t i = 0; r == 0 && i < count; i++)
        r = read_pair(json_array_get(array, i), &pairs[i], err);
    if (r < 0) {
        kv_pair_array_free(pairs, count);
        return r;
    }
    *ret = pairs;
    *ret_count = count;
    return 0;
}

static int read_object(const char *body, size_t length, json_t **ret, struct error *err)
{
    autojson value = NULL;
    int r = json_read(body, length, &value, err);
    if (r < 0)
        return r;
    if (!json_is_object(value))
        return error_set(err, -EPROTO, "the answer is not an object");
    *ret = take_ptr(value);
    return 0;
}

static int fill_range(const json_t *answer, struct kv_wire_range *ret, struct error *err)
{
    int r = read_header(answer, &ret->header, err);
    if (r == 0)
        r = json_field_int64_text_or(answer, "count", 0, &ret->count, err);
    if (r == 0)
        r = json_field_bool_or(answer, "more", false, &ret->more, err);
    if (r == 0)
        r = read_pairs(answer, &ret->pairs, &ret->pair_count, err);
    if (r == 0 && ret->more && ret->pair_count == 0)
        r = error_set(err, -EPROTO, "an empty page says that more follow");
    return r;
}

int kv_wire_read_range(const char *body, size_t length, struct kv_wire_range *ret,
                       struct error *err)
{
    autojson answer = NULL;
    struct kv_wire_range range = { 0 };
    int r = read_object(body, length, &answer, err);
    if (r == 0)
        r = fill_range(answer, &range, err);
    if (r < 0) {
        kv_wire_range_done(&range);
        return r;
    }
    *ret = range;
    return 0;
}

void kv_wire_range_done(struct kv_wire_range *range)
{
    kv_pair_array_free(range->pairs, range->pair_count);
    *range = (struct kv_wire_range){ 0 };
}

static int read_op_result(const json_t *response, struct kv_op_result *ret, struct error *err)
{
    json_t *range = NULL;
    json_t *deleted = NULL;
    if (!json_is_object(response))
        return error_set(err, -EPROTO, "an operation's answer is not an object");
    int r = json_field_object_or_null(response, "response_range", &range, err);
    if (r == 0)
        r = json_field_object_or_null(response, "response_delete_range", &deleted, err);
    if (r == 0 && deleted)
        r = json_field_int64_text_or(deleted, "deleted", 0, &ret->count, err);
    if (r == 0 && range)
        r = json_field_int64_text_or(range, "count", 0, &ret->count, err);
    if (r == 0 && range)
        r = read_pairs(range, &ret->pairs, &ret->pair_count, err);
    return r;
}

static int fill_txn(const json_t *answer, struct kv_wire_txn *ret, struct error *err)
{
    json_t *responses = NULL;
    int r = read_header(answer, &ret->header, err);
    if (r == 0)
        r = json_field_bool_or(answer, "succeeded", false, &ret->succeeded, err);
    if (r == 0)
        r = json_field_array_or_null(answer, "responses", &responses, err);
    size_t count = r == 0 ? json_array_size(responses) : 0;
    if (count == 0)
        return r;
    ret->results = calloc(count, sizeof(*ret->results));
    if (!ret->results)
        return error_oom(err);
    ret->result_count = count;
    for (size_t i = 0; r == 0 && i < count; i++)
        r = read_op_result(json_array_get(responses, i), &ret->results[i], err);
    return r;
}

int kv_wire_read_txn(const char *body, size_t length, struct kv_wire_txn *ret, struct error *err)
{
    autojson answer = NULL;
    struct kv_wire_txn txn = { 0 };
    int r = read_object(body, length, &answer, err);
    if (r == 0)
        r = fill_txn(answer, &txn, err);
    if (r < 0) {
        kv_wire_txn_done(&txn);
        return r;
    }
    *ret = txn;
    return 0;
}

void kv_wire_txn_done(struct kv_wire_txn *txn)
{
    for (size_t i = 0; i < txn->result_count; i++)
        kv_pair_array_free(txn->results[i].pairs, txn->results[i].pair_count);
    free(txn->results);
    *txn = (struct kv_wire_txn){ 0 };
}

int kv_wire_read_lease(const char *body, size_t length, struct kv_wire_lease *ret,
                       struct error *err)
{
    autojson answer = NULL;
    json_t *result = NULL;
    struct kv_wire_lease lease = { 0 };
    int r = read_object(body, length, &answer, err);
    if (r == 0 && json_object_get(answer, "error"))
        return kv_wire_read_failure(200, body, length, err);
    if (r == 0)
        r = json_field_object_or_null(answer, "result", &result, err);
    const json_t *message = result ? result : answer;
    if (r == 0)
        r = read_header(message, &lease.header, err);
    if (r == 0)
        r = json_field_int64_text_or(message, "ID", 0, &lease.id, err);
    if (r == 0)
        r = json_field_int64_text_or(message, "TTL", 0, &lease.ttl_s, err);
    if (r == 0)
        r = json_field_int64_text_or(message, "grantedTTL", 0, &lease.granted_ttl_s, err);
    if (r == 0)
        *ret = lease;
    return r;
}

/* Members and status. */

int kv_wire_read_header(const char *body, size_t length, struct kv_wire_header *ret,
                        struct error *err)
{
    autojson answer = NULL;
    int r = read_object(body, length, &answer, err);
    return r < 0 ? r : read_header(answer, ret, err);
}

static int read_member(const json_t *object, struct kv_member *ret, struct error *err)
{
    const char *name = NULL;
    if (!json_is_object(object))
        return error_set(err, -EPROTO, "a member is not an object");
    int r = read_id(object, "ID", &ret->id, err);
    if (r == 0)
        r = json_field_string_or(object, "name", "", &name, err);
    if (r == 0)
        r = json_field_strv(object, "clientURLs", &ret->client_urls, err);
    if (r == 0)
        r = json_field_strv(object, "peerURLs", &ret->peer_urls, err);
    if (r == 0)
        r = json_field_bool_or(object, "isLearner", false, &ret->learner, err);
    if (r < 0)
        return r;
    ret->name = strdup(name);
    return ret->name ? 0 : error_oom(err);
}

static int fill_members(const json_t *answer, struct kv_wire_members *ret, struct error *err)
{
    json_t *array = NULL;
    int r = read_header(answer, &ret->header, err);
    if (r == 0)
        r = json_field_array_or_null(answer, "members", &array, err);
    size_t count = r == 0 ? json_array_size(array) : 0;
    if (count == 0)
        return r;
    ret->members = calloc(count, sizeof(*ret->members));
    if (!ret->members)
        return error_oom(err);
    ret->member_count = count;
    for (size_t i = 0; r == 0 && i < count; i++)
        r = read_member(json_array_get(array, i), &ret->members[i], err);
    return r;
}

int kv_wire_read_members(const char *body, size_t length, struct kv_wire_members *ret,
                         struct error *err)
{
    autojson answer = NULL;
    struct kv_wire_members members = { 0 };
    int r = read_object(body, length, &answer, err);
    if (r == 0)
        r = fill_members(answer, &members, err);
    if (r < 0) {
        kv_wire_members_done(&members);
        return r;
    }
    *ret = members;
    return 0;
}

void kv_wire_members_done(struct kv_wire_members *members)
{
    kv_members_free(members->members, members->member_count);
    *members = (struct kv_wire_members){ 0 };
}

/* Alarms come as lines: "memberID:1234 alarm:NOSPACE ". */
static int read_alarms(const json_t *answer, struct kv_status_result *ret, struct error *err)
{
    autostrv lines = NULL;
    int r = json_field_strv(answer, "errors", &lines, err);
    if (r < 0)
        return r;
    for (char **line = lines; line && *line; line++) {
        ret->no_space |= strstr(*line, "alarm:NOSPACE") != NULL;
        ret->corrupt |= strstr(*line, "alarm:CORRUPT") != NULL;
    }
    return 0;
}

static int fill_status(const json_t *answer, struct kv_wire_status *ret, struct error *err)
{
    json_t *header = NULL;
    const char *version = NULL;
    struct kv_status_result *status = &ret->status;
    int r = read_header(answer, &ret->header, err);
    if (r == 0)
        r = json_field_object_or_null(answer, "header", &header, err);
    if (r == 0 && header)
        r = read_id(header, "member_id", &status->member, err);
    if (r == 0)
        r = read_id(answer, "leader", &status->leader, err);
    if (r == 0)
        r = json_field_int64_text_or(answer, "dbSize", 0, &status->size_bytes, err);
    if (r == 0)
        r = json_field_int64_text_or(answer, "dbSizeInUse", 0, &status->in_use_bytes, err);
    if (r == 0)
        r = json_field_string_or(answer, "version", "", &version, err);
    if (r == 0)
        r = read_alarms(answer, status, err);
    if (r < 0)
        return r;
    status->revision = ret->header.revision;
    ret->version = strdup(version);
    status->version = ret->version;
    return ret->version ? 0 : error_oom(err);
}

int kv_wire_read_status(const char *body, size_t length, struct kv_wire_status *ret,
                        struct error *err)
{
    autojson answer = NULL;
    struct kv_wire_status status = { 0 };
    int r = read_object(body, length, &answer, err);
    if (r == 0)
        r = fill_status(answer, &status, err);
    if (r < 0)
        return r;
    *ret = status;
    return 0;
}

void kv_wire_status_done(struct kv_wire_status *status)
{
    free(status->version);
    *status = (struct kv_wire_status){ 0 };
}

int kv_wire_read_token(const char *body, size_t length, char **ret, struct error *err)
{
    autojson answer = NULL;
    const char *token = NULL;
    int r = read_object(body, length, &answer, err);
    if (r == 0)
        r = json_field_string(answer, "token", &token, err);
    if (r < 0)
        return r;
    for (const char *c = token; *c; c++)
        if (*c <= ' ' || *c > '~')
            return error_set(err, -EPROTO, "the token is no word of printable characters");
    if (!*token)
        return error_set(err, -EPROTO, "the token is empty");
    *ret = strdup(token);
    return *ret ? 0 : error_oom(err);
}

/* Failures. */

/* The codes of gRPC that etcd answers with. */
enum grpc_code {
    GRPC_NONE = -1,
    GRPC_INVALID_ARGUMENT = 3,
    GRPC_NOT_FOUND = 5,
    GRPC_PERMISSION_DENIED = 7,
    GRPC_RESOURCE_EXHAUSTED = 8,
    GRPC_FAILED_PRECONDITION = 9,
    GRPC_OUT_OF_RANGE = 11,
    GRPC_UNIMPLEMENTED = 12,
    GRPC_UNAVAILABLE = 14,
    GRPC_UNAUTHENTICATED = 16,
};

struct meaning {
    int grpc;
    const char *words; /* in the message; NULL: any */
    int code;
    const char *cure; /* for the operator, or NULL */
};

static const char too_large_cure[] = "etcd's --max-request-bytes, 1.5 MiB by default, bounds it";
static const char no_space_cure[] =
    "the quota is used up: compact (etcdctl compaction REVISION), then etcdctl defrag on every "
    "member, then etcdctl alarm disarm; or raise --quota-backend-bytes";

/* First match wins. What is not here has an unknown outcome: to call a lost answer "did not happen"
 * would be the only dangerous mistake. */
static const struct meaning meanings[] = {
    {GRPC_UNAVAILABLE,          "no leader",             -EAGAIN,      NULL                                   },
    { GRPC_INVALID_ARGUMENT,    "too many operations",   -E2BIG,       "etcd's --max-txn-ops"                 },
    { GRPC_INVALID_ARGUMENT,    "too large",             -E2BIG,       too_large_cure                         },
    { GRPC_INVALID_ARGUMENT,    "user name is empty",    -EKEYEXPIRED, NULL                                   },
    { GRPC_INVALID_ARGUMENT,    "auth store is old",     -EKEYEXPIRED, NULL                                   },
    { GRPC_INVALID_ARGUMENT,    "authentication failed", -EACCES,      NULL                                   },
    { GRPC_INVALID_ARGUMENT,    NULL,                    -EINVAL,      NULL                                   },
    { GRPC_NOT_FOUND,           NULL,                    -ENOENT,      NULL                                   },
    { GRPC_PERMISSION_DENIED,   NULL,                    -EACCES,      "grant the user's role these keys"     },
    { GRPC_UNAUTHENTICATED,     NULL,                    -EKEYEXPIRED, NULL                                   },
    { GRPC_RESOURCE_EXHAUSTED,  "space exceeded",        -ENOSPC,      no_space_cure                          },
    { GRPC_RESOURCE_EXHAUSTED,  "too many requests",     -EAGAIN,      NULL                                   },
    { GRPC_RESOURCE_EXHAUSTED,  "larger than max",       -E2BIG,       too_large_cure                         },
    { GRPC_FAILED_PRECONDITION, "lease already exists",  -EEXIST,      NULL                                   },
    { GRPC_FAILED_PRECONDITION, "is not enabled",        -EOPNOTSUPP,  NULL                                   },
    { GRPC_FAILED_PRECONDITION, NULL,                    -EINVAL,      NULL                                   },
    { GRPC_OUT_OF_RANGE,        "compacted",             -ERANGE,      NULL                                   },
    { GRPC_OUT_OF_RANGE,        "future revision",       -ESTALE,      NULL                                   },
    { GRPC_OUT_OF_RANGE,        NULL,                    -EINVAL,      NULL                                   },
    { GRPC_UNIMPLEMENTED,       NULL,                    -EPROTO,      NULL                                   },
    { GRPC_NONE,                "CommonName",            -EACCES,      "use a client certificate without a CN"},
};

static struct meaning find_meaning(int64_t grpc, long status, const char *message)
{
    for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
        const struct meaning *m = &meanings[i];
        if (m->grpc == grpc && (!m->words || strstr(message, m->words)))
            return *m;
    }
    bool nonsense = grpc == GRPC_NONE && status < 500;
    return (struct meaning){ .code = nonsense ? -EPROTO : -ETIMEDOUT };
}

struct failure {
    int64_t grpc;
    const char *message; /* borrowed from the answer */
};

/* {"error":"M","message":"M","code":N}, without "error" since 3.6, or as a stream has it:
 * {"error":{"grpc_code":N,"message":"M"}}. Fields of other types are as good as absent. */
static struct failure find_failure(const json_t *answer)
{
    const json_t *error = json_object_get(answer, "error");
    const json_t *from = json_is_object(error) ? error : answer;
    struct failure failure = { .grpc = GRPC_NONE };
    const json_t *code = json_object_get(from, "grpc_code");
    if (!code)
        code = json_object_get(from, "code");
    if (json_is_integer(code))
        failure.grpc = json_integer_value(code);
    failure.message = json_string_value(json_object_get(from, "message"));
    if (!failure.message)
        failure.message = json_string_value(error);
    return failure;
}

int kv_wire_read_failure(long status, const char *body, size_t length, struct error *err)
{
    enum { WORDS_MAX = 200 };
    autojson answer = NULL;
    struct failure failure = { .grpc = GRPC_NONE };
    if (json_read(body, length, &answer, NULL) == 0)
        failure = find_failure(answer);
    autofree char *plain = strndup(body, length < WORDS_MAX ? length : WORDS_MAX);
    if (!plain)
        return error_oom(err);
    if (!failure.message)
        failure.message = text_trim(plain);
    struct meaning meaning = find_meaning(failure.grpc, status, failure.message);
    return error_set(err, meaning.code, "the store says (HTTP %ld): %s%s%s%s", status,
                     failure.message, meaning.cure ? " (" : "", meaning.cure ? meaning.cure : "",
                     meaning.cure ? ")" : "");
}

/* Streams. */

static int read_event(const json_t *object, struct kv_event *ret, struct error *err)
{
    const char *type = NULL;
    if (!json_is_object(object))
        return error_set(err, -EPROTO, "an event is not an object");
    int r = json_field_string_or(object, "type", "PUT", &type, err);
    if (r < 0)
        return r;
    ret->deleted = strcmp(type, "DELETE") == 0;
    if (!ret->deleted && strcmp(type, "PUT") != 0)
        return error_set(err, -EPROTO, "an event of type \"%s\"", type);
    return read_pair(json_object_get(object, "kv"), &ret->pair, err);
}

static int read_events(const json_t *result, struct kv_wire_watch *ret, struct error *err)
{
    json_t *array = NULL;
    int r = json_field_array_or_null(result, "events", &array, err);
    size_t count = r == 0 ? json_array_size(array) : 0;
    if (count == 0)
        return r;
    ret->events = calloc(count, sizeof(*ret->events));
    if (!ret->events)
        return error_oom(err);
    ret->event_count = count;
    for (size_t i = 0; r == 0 && i < count; i++)
        r = read_event(json_array_get(array, i), &ret->events[i], err);
    return r;
}

/* Without a reason that we know, a cancelled watch is begun anew like a broken stream. */
static int read_cancel(const json_t *result, struct kv_wire_watch *ret, struct error *err)
{
    int64_t compacted = 0;
    const char *reason = NULL;
    int r = json_field_int64_text_or(result, "compact_revision", 0, &compacted, err);
    if (r == 0)
        r = json_field_string_or(result, "cancel_reason", "", &reason, err);
    if (r < 0)
        return r;
    struct error failure = { 0 };
    if (compacted || strstr(reason, "compacted"))
        (void)error_set(&failure, -ERANGE, "history before revision %" PRId64 " is compacted",
                        compacted);
    else if (strstr(reason, "invalid auth token") || strstr(reason, "user name is empty") ||
             strstr(reason, "auth store is old"))
        (void)error_set(&failure, -EKEYEXPIRED, "the store refused the watch: %s", reason);
    else if (strstr(reason, "permission denied"))
        (void)error_set(&failure, -EACCES, "the store refused the watch: %s", reason);
    else
        (void)error_set(&failure, -EAGAIN, "the store cancelled the watch: %s", reason);
    ret->failure = failure.code;
    memcpy(ret->reason, failure.text, sizeof(ret->reason));
    return 0;
}

static int fill_watch(const json_t *result, struct kv_wire_watch *ret, struct error *err)
{
    int r = read_header(result, &ret->header, err);
    if (r == 0)
        r = json_field_bool_or(result, "created", false, &ret->created, err);
    if (r == 0)
        r = json_field_bool_or(result, "canceled", false, &ret->cancelled, err);
    if (r == 0)
        r = json_field_bool_or(result, "fragment", false, &ret->fragment, err);
    if (r == 0 && ret->cancelled)
        r = read_cancel(result, ret, err);
    return r < 0 ? r : read_events(result, ret, err);
}

static int fill_message(const json_t *message, const char *line, size_t length,
                        struct kv_wire_watch *ret, struct error *err)
{
    json_t *result = NULL;
    if (json_object_get(message, "error")) {
        struct error failure = { 0 };
        ret->failure = kv_wire_read_failure(200, line, length, &failure);
        memcpy(ret->reason, failure.text, sizeof(ret->reason));
        return 0;
    }
    int r = json_field_object_or_null(message, "result", &result, err);
    if (r < 0)
        return r;
    if (!result)
        return error_set(err, -EPROTO, "a message of the watch has neither result nor error");
    return fill_watch(result, ret, err);
}

int kv_wire_read_watch(const char *line, size_t length, struct kv_wire_watch *ret,
                       struct error *err)
{
    autojson message = NULL;
    struct kv_wire_watch watch = { 0 };
    int r = read_object(line, length, &message, err);
    if (r == 0)
        r = fill_message(message, line, length, &watch, err);
    if (r < 0) {
        kv_wire_watch_done(&watch);
        return r;
    }
    *ret = watch;
    return 0;
}

void kv_wire_watch_done(struct kv_wire_watch *message)
{
    for (size_t i = 0; i < message->event_count; i++)
        kv_pair_done(&message->events[i].pair);
    free(message->events);
    *message = (struct kv_wire_watch){ 0 };
}

/* Drops the lines that were handed out, and the memory of a big one. */
static void forget_consumed(struct kv_wire_stream *stream)
{
    struct text *buffer = &stream->buffer;
    size_t left = buffer->length - stream->consumed;
    if (stream->consumed == 0)
        return;
    if (left == 0) {
        text_done(buffer);
    } else {
        memmove(buffer->data, buffer->data + stream->consumed, left);
        buffer->length = left;
        buffer->data[left] = '\0';
    }
    stream->scanned -= stream->consumed;
    stream->consumed = 0;
}

int kv_wire_stream_add(struct kv_wire_stream *stream, const void *bytes, size_t length,
                       struct error *err)
{
    forget_consumed(stream);
    if (stream->buffer.length + length > KV_WIRE_LINE_MAX)
        return error_set(err, -E2BIG, "a message of the stream is longer than %d bytes",
                         KV_WIRE_LINE_MAX);
    text_add_bytes(&stream->buffer, bytes, length);
    return stream->buffer.failed ? error_oom(err) : 0;
}

bool kv_wire_stream_next(struct kv_wire_stream *stream, const char **ret, size_t *ret_length)
{
    const struct text *buffer = &stream->buffer;
    if (stream->scanned == buffer->length) {
        if (stream->consumed == stream->scanned)
            forget_consumed(stream);
        return false;
    }
    const char *from = buffer->data + stream->scanned;
    const char *end = memchr(from, '\n', buffer->length - stream->scanned);
    if (!end) {
        stream->scanned = buffer->length;
        return false;
    }
    *ret = buffer->data + stream->consumed;
    *ret_length = (size_t)(end - *ret);
    stream->consumed = stream->scanned = (size_t)(end - buffer->data) + 1;
    return true;
}

void kv_wire_stream_done(struct kv_wire_stream *stream)
{
    text_done(&stream->buffer);
    *stream = (struct kv_wire_stream){ 0 };
}
