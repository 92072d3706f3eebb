/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every string in a request is base64 or ours, so nothing needs escaping and no tree of values is
 * built first.
 */
#include "kvclient/kv_wire.h"

#include <inttypes.h>
#include <string.h>

#include "base/base64.h"
#include "base/json.h"

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

/* That it is equal is etcd's default and left out: reading the word costs etcd half as much as the
 * rest of the compare, and a leader's transaction has more than a hundred. */
static void add_compare(struct text *t, const struct kv_compare *compare)
{
    static const char *const targets[] = {
        [KV_TARGET_CREATE] = "CREATE", [KV_TARGET_MOD] = "MOD",     [KV_TARGET_VERSION] = "VERSION",
        [KV_TARGET_LEASE] = "LEASE",   [KV_TARGET_VALUE] = "VALUE", [KV_TARGET_EXISTS] = "VERSION"
    };
    static const char *const relations[] = {
        [KV_NOT_EQUAL] = "NOT_EQUAL", [KV_GREATER] = "GREATER", [KV_LESS] = "LESS"
    };
    bool exists = compare->target == KV_TARGET_EXISTS;
    const char *relation = relations[exists ? KV_GREATER : compare->relation];
    text_addf(t, "{\"target\":\"%s\",", targets[compare->target]);
    if (relation)
        text_addf(t, "\"result\":\"%s\",", relation);
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
