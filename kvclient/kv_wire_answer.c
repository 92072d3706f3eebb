/* SPDX-License-Identifier: Apache-2.0 */
#include "kvclient/kv_wire_internal.h"

#include <errno.h>
#include <string.h>

#include "base/base64.h"
#include "kvclient/kv_pairs.h"
#include "kvclient/kv_wire_exact.h"

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

int kv_wire_fill_header(const json_t *answer, struct kv_wire_header *ret, struct error *err)
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

int kv_wire_fill_pair(const json_t *kv, struct kv_pair *ret, struct error *err)
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
        r = kv_wire_fill_pair(json_array_get(array, i), &pairs[i], err);
    if (r < 0) {
        kv_pair_array_free(pairs, count);
        return r;
    }
    *ret = pairs;
    *ret_count = count;
    return 0;
}

int kv_wire_parse_object(const char *body, size_t length, json_t **ret, struct error *err)
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
    int r = kv_wire_fill_header(answer, &ret->header, err);
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

int kv_wire_tree_range(const char *body, size_t length, struct kv_wire_range *ret,
                       struct error *err)
{
    autojson answer = NULL;
    struct kv_wire_range range = { 0 };
    int r = kv_wire_parse_object(body, length, &answer, err);
    if (r == 0)
        r = fill_range(answer, &range, err);
    if (r < 0) {
        kv_wire_range_done(&range);
        return r;
    }
    *ret = range;
    return 0;
}

int kv_wire_read_range(const char *body, size_t length, struct kv_wire_range *ret,
                       struct error *err)
{
    return kv_wire_exact_range(body, length, ret) ? 0 : kv_wire_tree_range(body, length, ret, err);
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
    int r = kv_wire_fill_header(answer, &ret->header, err);
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

int kv_wire_tree_txn(const char *body, size_t length, struct kv_wire_txn *ret, struct error *err)
{
    autojson answer = NULL;
    struct kv_wire_txn txn = { 0 };
    int r = kv_wire_parse_object(body, length, &answer, err);
    if (r == 0)
        r = fill_txn(answer, &txn, err);
    if (r < 0) {
        kv_wire_txn_done(&txn);
        return r;
    }
    *ret = txn;
    return 0;
}

int kv_wire_read_txn(const char *body, size_t length, struct kv_wire_txn *ret, struct error *err)
{
    return kv_wire_exact_puts(body, length, ret) ? 0 : kv_wire_tree_txn(body, length, ret, err);
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
    int r = kv_wire_parse_object(body, length, &answer, err);
    if (r == 0 && json_object_get(answer, "error"))
        return kv_wire_read_failure(200, body, length, err);
    if (r == 0)
        r = json_field_object_or_null(answer, "result", &result, err);
    const json_t *message = result ? result : answer;
    if (r == 0)
        r = kv_wire_fill_header(message, &lease.header, err);
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
    int r = kv_wire_parse_object(body, length, &answer, err);
    return r < 0 ? r : kv_wire_fill_header(answer, ret, err);
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
    int r = kv_wire_fill_header(answer, &ret->header, err);
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
    int r = kv_wire_parse_object(body, length, &answer, err);
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
    int r = kv_wire_fill_header(answer, &ret->header, err);
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
    int r = kv_wire_parse_object(body, length, &answer, err);
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
    int r = kv_wire_parse_object(body, length, &answer, err);
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
