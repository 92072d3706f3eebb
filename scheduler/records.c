/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records ↔ JSON, driven by one table per record: a field is named, typed and bounded in one line,
 * and what encodes it is also what decodes, copies, compares and frees it.
 */
#include "scheduler/records.h"

#include <stddef.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "scheduler/record_fields.h"

static void *at(void *record, size_t offset)
{
    return (char *)record + offset;
}

static const void *at_const(const void *record, size_t offset)
{
    return (const char *)record + offset;
}

static const char *text_at(const void *record, const struct field *field)
{
    return *(char *const *)at_const(record, field->offset);
}

/* --- freeing --- */

static bool holds_text(const struct field *field)
{
    return field->kind == FIELD_TEXT || field->kind == FIELD_NOTE;
}

static void versions_free(struct rollout_version *versions, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(versions[i].blob);
        free(versions[i].how);
    }
    free(versions);
}

static void fields_done(const struct field *fields, void *record, size_t size)
{
    for (const struct field *f = fields; f->kind != FIELD_END; f++) {
        if (holds_text(f))
            free(*(char **)at(record, f->offset));
        else if (f->kind == FIELD_WORDS)
            strv_free(*(char ***)at(record, f->offset));
        else if (f->kind == FIELD_METADATA)
            metadata_free(*(struct metadata_rule **)at(record, f->offset),
                          *(size_t *)at(record, f->count_offset));
        else if (f->kind == FIELD_VERSIONS)
            versions_free(*(struct rollout_version **)at(record, f->offset),
                          *(size_t *)at(record, f->count_offset));
    }
    memset(record, 0, size);
}

/* --- encoding --- */

static json_t *metadata_json(const struct metadata_rule *rules, size_t count)
{
    autojson object = json_object();
    for (size_t i = 0; object && i < count; i++)
        if (json_object_set_new(object, rules[i].key, json_string(rules[i].value)) < 0)
            return NULL;
    return take_ptr(object);
}

static json_t *versions_json(const struct rollout_version *versions, size_t count)
{
    autojson list = json_array();
    for (size_t i = 0; list && i < count; i++) {
        const struct rollout_version *v = &versions[i];
        if (json_array_append_new(list, json_pack("{s:I, s:s, s:I, s:s, s:b}", "version",
                                                  (json_int_t)v->version, "blob", v->blob,
                                                  "since_ms", (json_int_t)v->since_ms, "how",
                                                  v->how, "good", v->good ? 1 : 0)) < 0)
            return NULL;
    }
    return take_ptr(list);
}

static json_t *word_json(const char *word)
{
    return word ? json_string(word) : NULL;
}

static json_t *field_json(const struct field *field, const void *record)
{
    const void *value = at_const(record, field->offset);
    switch (field->kind) {
    case FIELD_TEXT:
    case FIELD_NOTE:
        return json_string(text_at(record, field) ? text_at(record, field) : "");
    case FIELD_COUNT:
    case FIELD_COUNT_OR:
        return json_integer(*(const int64_t *)value);
    case FIELD_FLAG:
        return json_boolean(*(const bool *)value);
    case FIELD_DESIRED:
        return word_json(desired_name(*(const enum desired *)value));
    case FIELD_WANT:
        return word_json(want_name(*(const enum want *)value));
    case FIELD_FAILOVER:
        return word_json(failover_name(*(const enum failover *)value));
    case FIELD_WORDS:
        return json_from_strv(*(char **const *)value);
    case FIELD_METADATA:
        return metadata_json(*(struct metadata_rule *const *)value,
                             *(const size_t *)at_const(record, field->count_offset));
    case FIELD_ROLLOUT_STATE:
        return word_json(rollout_state_name(*(const enum rollout_state *)value));
    case FIELD_VERSIONS:
        return versions_json(*(struct rollout_version *const *)value,
                             *(const size_t *)at_const(record, field->count_offset));
    case FIELD_END:
        break;
    }
    return NULL;
}

bool field_is_fallback(const struct field *field, const void *record)
{
    const void *value = at_const(record, field->offset);
    if (field->kind == FIELD_NOTE)
        return !text_at(record, field) || !*text_at(record, field);
    if (field->kind == FIELD_FAILOVER)
        return *(const enum failover *)value == FAILOVER_AT_LEAST_ONCE;
    return *(const int64_t *)value == field->fallback;
}

static bool is_left_out(const struct field *field, const void *record)
{
    return field->sparse && field_is_fallback(field, record);
}

static int fields_json(const struct field *fields, const void *record, json_t **ret,
                       struct error *err)
{
    autojson object = json_object();
    for (const struct field *f = fields; f->kind != FIELD_END; f++) {
        if (is_left_out(f, record))
            continue;
        json_t *value = field_json(f, record);
        if (!value)
            return error_set(err, -EINVAL, "field \"%s\" has a value that cannot be written",
                             f->name);
        if (json_object_set_new(object, f->name, value) < 0)
            return error_oom(err);
    }
    *ret = take_ptr(object);
    return 0;
}

static int fields_add(const struct field *fields, const void *record, struct text *to,
                      struct error *err)
{
    autojson object = NULL;
    autofree char *json = NULL;
    int r = 0;
    if (!fields_write_plain(fields, record, to)) {
        r = fields_json(fields, record, &object, err);
        if (r == 0)
            r = json_write(object, &json, err);
        if (r == 0)
            text_add(to, json);
    }
    return r == 0 && to->failed ? error_oom(err) : r;
}

static int fields_encode(const struct field *fields, const void *record, char **ret,
                         struct error *err)
{
    autotext text = { 0 };
    int r = fields_add(fields, record, &text, err);
    if (r == 0)
        *ret = text_take(&text);
    return r;
}

/* --- decoding --- */

static int decode_text(const json_t *object, const struct field *f, char **ret, struct error *err)
{
    const char *text = NULL;
    int r = f->kind == FIELD_TEXT ? json_field_string(object, f->name, &text, err)
                                  : json_field_string_or(object, f->name, "", &text, err);
    if (r < 0)
        return r;
    *ret = strdup(text);
    return *ret ? 0 : error_oom(err);
}

static int decode_count(const json_t *object, const struct field *f, int64_t *ret,
                        struct error *err)
{
    int r = f->kind == FIELD_COUNT ? json_field_int(object, f->name, ret, err)
                                   : json_field_int_or(object, f->name, f->fallback, ret, err);
    if (r < 0)
        return r;
    if (*ret < 0)
        return error_set(err, -EPROTO, "field \"%s\" is negative", f->name);
    if (f->maximum && *ret > f->maximum)
        return error_set(err, -EPROTO, "field \"%s\" is over %lld", f->name, (long long)f->maximum);
    return 0;
}

static int unknown_word(const char *name, const char *word, struct error *err)
{
    return error_set(err, -EPROTO, "field \"%s\" has the unknown value \"%s\"", name, word);
}

static int decode_desired(const json_t *object, const char *name, enum desired *ret,
                          struct error *err)
{
    const char *word = NULL;
    int r = json_field_string(object, name, &word, err);
    if (r < 0)
        return r;
    *ret = desired_from_name(word);
    return *ret == DESIRED_INVALID ? unknown_word(name, word, err) : 0;
}

static int decode_want(const json_t *object, const char *name, enum want *ret, struct error *err)
{
    const char *word = NULL;
    int r = json_field_string(object, name, &word, err);
    if (r < 0)
        return r;
    *ret = want_from_name(word);
    return *ret == WANT_INVALID ? unknown_word(name, word, err) : 0;
}

static int decode_failover(const json_t *object, const char *name, enum failover *ret,
                           struct error *err)
{
    const char *word = NULL;
    int r = json_field_string_or(object, name, NULL, &word, err);
    if (r < 0)
        return r;
    *ret = word ? failover_from_name(word) : FAILOVER_AT_LEAST_ONCE;
    return *ret == FAILOVER_INVALID ? unknown_word(name, word, err) : 0;
}

static int decode_metadata(const json_t *object, const char *name, struct metadata_rule **rules,
                           size_t *count, struct error *err)
{
    json_t *pairs = NULL;
    const char *key = NULL;
    json_t *value = NULL;
    int r = json_field_object_or_null(object, name, &pairs, err);
    if (r < 0)
        return r;
    json_object_foreach(pairs, key, value) {
        if (!json_is_string(value))
            return error_set(err, -EPROTO, "field \"%s\": the value of \"%s\" is not a string",
                             name, key);
        r = metadata_set(rules, count, key, json_string_value(value), err);
        if (r < 0)
            return r;
    }
    metadata_sort(*rules, *count);
    return 0;
}

static int decode_rollout_state(const json_t *object, const char *name, enum rollout_state *ret,
                                struct error *err)
{
    const char *word = NULL;
    int r = json_field_string(object, name, &word, err);
    if (r < 0)
        return r;
    *ret = rollout_state_from_name(word);
    return *ret == ROLLOUT_INVALID ? unknown_word(name, word, err) : 0;
}

static int decode_version(const json_t *object, struct rollout_version *ret, struct error *err)
{
    const char *blob = NULL;
    const char *how = NULL;
    int r = json_field_int(object, "version", &ret->version, err);
    if (r == 0)
        r = json_field_string(object, "blob", &blob, err);
    if (r == 0)
        r = json_field_string_or(object, "how", "", &how, err);
    if (r == 0)
        r = json_field_int_or(object, "since_ms", 0, &ret->since_ms, err);
    if (r == 0)
        r = json_field_bool_or(object, "good", false, &ret->good, err);
    if (r < 0)
        return r;
    ret->blob = strdup(blob);
    ret->how = strdup(how);
    return ret->blob && ret->how ? 0 : error_oom(err);
}

/* The count grows with what there is to free. */
static int decode_versions(const json_t *object, const char *name, struct rollout_version **ret,
                           size_t *ret_count, struct error *err)
{
    json_t *list = NULL;
    int r = json_field_array_or_null(object, name, &list, err);
    size_t count = json_array_size(list);
    if (r < 0 || count == 0)
        return r;
    *ret = calloc(count, sizeof(**ret));
    if (!*ret)
        return error_oom(err);
    for (size_t i = 0; r == 0 && i < count; i++) {
        const json_t *item = json_array_get(list, i);
        (*ret_count)++;
        r = json_is_object(item)
                ? decode_version(item, &(*ret)[i], err)
                : error_set(err, -EPROTO, "field \"%s\" has what is no object", name);
    }
    return r;
}

static int field_decode(const struct field *f, const json_t *object, void *record,
                        struct error *err)
{
    void *value = at(record, f->offset);
    switch (f->kind) {
    case FIELD_TEXT:
    case FIELD_NOTE:
        return decode_text(object, f, value, err);
    case FIELD_COUNT:
    case FIELD_COUNT_OR:
        return decode_count(object, f, value, err);
    case FIELD_FLAG:
        return json_field_bool_or(object, f->name, false, value, err);
    case FIELD_DESIRED:
        return decode_desired(object, f->name, value, err);
    case FIELD_WANT:
        return decode_want(object, f->name, value, err);
    case FIELD_FAILOVER:
        return decode_failover(object, f->name, value, err);
    case FIELD_WORDS:
        return json_field_strv(object, f->name, value, err);
    case FIELD_METADATA:
        return decode_metadata(object, f->name, value, at(record, f->count_offset), err);
    case FIELD_ROLLOUT_STATE:
        return decode_rollout_state(object, f->name, value, err);
    case FIELD_VERSIONS:
        return decode_versions(object, f->name, value, at(record, f->count_offset), err);
    case FIELD_END:
        break;
    }
    return 0;
}

static int fields_decode(const struct field *fields, const char *text, size_t length, void *record,
                         size_t size, struct error *err)
{
    autojson object = NULL;
    memset(record, 0, size);
    if (fields_read_plain(fields, text, length, record))
        return 0;
    fields_done(fields, record, size);
    int r = json_read(text, length, &object, err);
    if (r < 0)
        return r;
    if (!json_is_object(object))
        return error_set(err, -EPROTO, "a record is not a JSON object");
    for (const struct field *f = fields; r == 0 && f->kind != FIELD_END; f++)
        r = field_decode(f, object, record, err);
    if (r < 0)
        fields_done(fields, record, size);
    return r;
}

/* --- copying and comparing --- */

static int text_copy(const char *from, char **to)
{
    *to = strdup(from ? from : "");
    return *to ? 0 : -ENOMEM;
}

static int metadata_copy(const struct metadata_rule *from, size_t count, struct metadata_rule **to,
                         size_t *to_count)
{
    *to = count > 0 ? calloc(count, sizeof(**to)) : NULL;
    if (count > 0 && !*to)
        return -ENOMEM;
    *to_count = count;
    int r = 0;
    for (size_t i = 0; r == 0 && i < count; i++) {
        r = text_copy(from[i].key, &(*to)[i].key);
        if (r == 0)
            r = text_copy(from[i].value, &(*to)[i].value);
    }
    return r;
}

static int versions_copy(const struct rollout_version *from, size_t count,
                         struct rollout_version **to, size_t *to_count)
{
    *to = count > 0 ? calloc(count, sizeof(**to)) : NULL;
    if (count > 0 && !*to)
        return -ENOMEM;
    *to_count = count;
    int r = 0;
    for (size_t i = 0; r == 0 && i < count; i++) {
        struct rollout_version *version = &(*to)[i];
        *version = from[i];
        version->how = NULL;
        r = text_copy(from[i].blob, &version->blob);
        if (r == 0)
            r = text_copy(from[i].how, &version->how);
    }
    return r;
}

/* Enums are of one size. */
static size_t plain_size(const struct field *f)
{
    if (f->kind == FIELD_COUNT || f->kind == FIELD_COUNT_OR)
        return sizeof(int64_t);
    return f->kind == FIELD_FLAG ? sizeof(bool) : sizeof(enum desired);
}

static int field_copy(const struct field *f, const void *from, void *to)
{
    const void *value = at_const(from, f->offset);
    switch (f->kind) {
    case FIELD_TEXT:
    case FIELD_NOTE:
        return text_copy(text_at(from, f), at(to, f->offset));
    case FIELD_WORDS:
        return strv_copy(*(char **const *)value, at(to, f->offset), NULL);
    case FIELD_METADATA:
        return metadata_copy(*(struct metadata_rule *const *)value,
                             *(const size_t *)at_const(from, f->count_offset), at(to, f->offset),
                             at(to, f->count_offset));
    case FIELD_VERSIONS:
        return versions_copy(*(struct rollout_version *const *)value,
                             *(const size_t *)at_const(from, f->count_offset), at(to, f->offset),
                             at(to, f->count_offset));
    case FIELD_COUNT:
    case FIELD_COUNT_OR:
    case FIELD_FLAG:
    case FIELD_DESIRED:
    case FIELD_WANT:
    case FIELD_FAILOVER:
    case FIELD_ROLLOUT_STATE:
        memcpy(at(to, f->offset), value, plain_size(f));
        return 0;
    case FIELD_END:
        break;
    }
    return 0;
}

static int fields_copy(const struct field *fields, const void *from, void *to, size_t size,
                       struct error *err)
{
    int r = 0;
    memset(to, 0, size);
    for (const struct field *f = fields; r == 0 && f->kind != FIELD_END; f++)
        r = field_copy(f, from, to);
    if (r < 0) {
        fields_done(fields, to, size);
        return error_oom(err);
    }
    return 0;
}

static bool texts_equal(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

static bool words_equal(char *const *a, char *const *b)
{
    size_t count = strv_length(a);
    bool equal = strv_length(b) == count;
    for (size_t i = 0; equal && i < count; i++)
        equal = strcmp(a[i], b[i]) == 0;
    return equal;
}

static bool metadata_equal(const struct metadata_rule *a, const struct metadata_rule *b,
                           size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!texts_equal(a[i].key, b[i].key) || !texts_equal(a[i].value, b[i].value))
            return false;
    return true;
}

static bool versions_equal(const struct rollout_version *a, const struct rollout_version *b,
                           size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (a[i].version != b[i].version || a[i].since_ms != b[i].since_ms ||
            a[i].good != b[i].good || !texts_equal(a[i].blob, b[i].blob) ||
            !texts_equal(a[i].how, b[i].how))
            return false;
    return true;
}

static bool counts_equal(const struct field *f, const void *a, const void *b, size_t *ret)
{
    *ret = *(const size_t *)at_const(a, f->count_offset);
    return *ret == *(const size_t *)at_const(b, f->count_offset);
}

static bool field_equal(const struct field *f, const void *a, const void *b)
{
    const void *left = at_const(a, f->offset);
    const void *right = at_const(b, f->offset);
    size_t count = 0;
    switch (f->kind) {
    case FIELD_TEXT:
    case FIELD_NOTE:
        return texts_equal(text_at(a, f), text_at(b, f));
    case FIELD_WORDS:
        return words_equal(*(char **const *)left, *(char **const *)right);
    case FIELD_METADATA:
        return counts_equal(f, a, b, &count) &&
               metadata_equal(*(struct metadata_rule *const *)left,
                              *(struct metadata_rule *const *)right, count);
    case FIELD_VERSIONS:
        return counts_equal(f, a, b, &count) &&
               versions_equal(*(struct rollout_version *const *)left,
                              *(struct rollout_version *const *)right, count);
    case FIELD_COUNT:
    case FIELD_COUNT_OR:
    case FIELD_FLAG:
    case FIELD_DESIRED:
    case FIELD_WANT:
    case FIELD_FAILOVER:
    case FIELD_ROLLOUT_STATE:
        return memcmp(left, right, plain_size(f)) == 0;
    case FIELD_END:
        break;
    }
    return true;
}

static bool fields_equal(const struct field *fields, const void *a, const void *b)
{
    for (const struct field *f = fields; f->kind != FIELD_END; f++)
        if (!field_equal(f, a, b))
            return false;
    return true;
}

/* --- the records --- */

#define FIELD(type, member, kind_, ...)                                     \
    {                                                                       \
        .name = #member, .name_length = sizeof(#member) - 1, .kind = kind_, \
        .offset = offsetof(struct record_##type, member), __VA_ARGS__       \
    }

static const struct field cluster_fields[] = {
    FIELD(cluster, schema, FIELD_COUNT),
    FIELD(cluster, uuid, FIELD_TEXT),
    { 0 },
};

static const struct field member_fields[] = {
    FIELD(member, capabilities, FIELD_WORDS),
    FIELD(member, cpu_milli, FIELD_COUNT_OR),
    FIELD(member, marks_units, FIELD_FLAG),
    FIELD(member, may_lead, FIELD_FLAG),
    FIELD(member, memory_bytes, FIELD_COUNT_OR),
    FIELD(member, metadata, FIELD_METADATA,
          .count_offset = offsetof(struct record_member, metadata_count)),
    FIELD(member, name, FIELD_TEXT),
    FIELD(member, overcommit_cpu, FIELD_COUNT_OR, .maximum = OVERCOMMIT_MAX, .fallback = 100),
    FIELD(member, overcommit_memory, FIELD_COUNT_OR, .maximum = OVERCOMMIT_MAX, .fallback = 100),
    FIELD(member, public_ip, FIELD_NOTE),
    FIELD(member, reserve_cpu_milli, FIELD_COUNT_OR),
    FIELD(member, reserve_memory_bytes, FIELD_COUNT_OR),
    FIELD(member, reserve_tasks, FIELD_COUNT_OR),
    FIELD(member, role_priority, FIELD_NOTE),
    FIELD(member, roles, FIELD_NOTE),
    FIELD(member, tasks, FIELD_COUNT_OR),
    FIELD(member, ttl_ms, FIELD_COUNT),
    FIELD(member, version, FIELD_NOTE),
    { 0 },
};

static const struct field presence_fields[] = {
    FIELD(presence, address, FIELD_NOTE), FIELD(presence, boot_id, FIELD_NOTE),
    FIELD(presence, nonce, FIELD_TEXT),   FIELD(presence, not_ready_reason, FIELD_NOTE),
    FIELD(presence, ready, FIELD_FLAG),   { 0 },
};

static const struct field unit_fields[] = {
    FIELD(unit, blob, FIELD_TEXT),
    FIELD(unit, desired, FIELD_DESIRED),
    FIELD(unit, restart_revision, FIELD_COUNT_OR, .sparse = true),
    { 0 },
};

/* There is one assignment and one state for each unit, and each byte of them is read over and over
 * where etcd takes JSON and makes JSON of it: what says nothing is left out. */
static const struct field assignment_fields[] = {
    FIELD(assignment, blob, FIELD_TEXT),
    FIELD(assignment, cause, FIELD_NOTE, .sparse = true),
    FIELD(assignment, epoch, FIELD_COUNT),
    FIELD(assignment, failover, FIELD_FAILOVER, .sparse = true),
    FIELD(assignment, hold_ms, FIELD_COUNT_OR, .sparse = true),
    FIELD(assignment, moves_from, FIELD_NOTE, .sparse = true),
    FIELD(assignment, reason, FIELD_NOTE, .sparse = true),
    FIELD(assignment, restart_revision, FIELD_COUNT_OR, .sparse = true),
    FIELD(assignment, unit_revision, FIELD_COUNT),
    FIELD(assignment, want, FIELD_WANT),
    { 0 },
};

static const struct field state_fields[] = {
    FIELD(state, active, FIELD_NOTE, .sparse = true),
    FIELD(state, addresses, FIELD_NOTE, .sparse = true),
    FIELD(state, assignment_revision, FIELD_COUNT),
    FIELD(state, health, FIELD_NOTE, .sparse = true),
    FIELD(state, health_reason, FIELD_NOTE, .sparse = true),
    FIELD(state, image, FIELD_NOTE, .sparse = true),
    FIELD(state, invocation, FIELD_NOTE, .sparse = true),
    FIELD(state, load, FIELD_NOTE, .sparse = true),
    FIELD(state, ports, FIELD_NOTE, .sparse = true),
    FIELD(state, problem, FIELD_NOTE, .sparse = true),
    FIELD(state, registration, FIELD_COUNT),
    FIELD(state, released_revision, FIELD_COUNT_OR, .sparse = true),
    FIELD(state, result, FIELD_NOTE, .sparse = true),
    FIELD(state, since_ms, FIELD_COUNT_OR),
    FIELD(state, sub, FIELD_NOTE, .sparse = true),
    { 0 },
};

static const struct field verdict_fields[] = {
    FIELD(verdict, attempts, FIELD_COUNT_OR),
    FIELD(verdict, kind, FIELD_NOTE),
    FIELD(verdict, reason, FIELD_TEXT),
    FIELD(verdict, reserved, FIELD_NOTE, .sparse = true),
    FIELD(verdict, since_ms, FIELD_COUNT_OR),
    FIELD(verdict, tried, FIELD_NOTE),
    FIELD(verdict, unit_revision, FIELD_COUNT),
    { 0 },
};

static const struct field cordon_fields[] = {
    FIELD(cordon, reason, FIELD_NOTE),
    FIELD(cordon, since_ms, FIELD_COUNT_OR),
    { 0 },
};

static const struct field drain_fields[] = {
    FIELD(drain, drained, FIELD_FLAG),        FIELD(drain, expired, FIELD_FLAG),
    FIELD(drain, problem, FIELD_NOTE),        FIELD(drain, since_ms, FIELD_COUNT_OR),
    FIELD(drain, timeout_ms, FIELD_COUNT_OR), { 0 },
};

static const struct field brake_fields[] = {
    FIELD(brake, hold, FIELD_FLAG),
    FIELD(brake, since_ms, FIELD_COUNT_OR),
    { 0 },
};

static const struct field rollout_fields[] = {
    FIELD(rollout, back, FIELD_FLAG),
    FIELD(rollout, blob, FIELD_TEXT),
    FIELD(rollout, changing, FIELD_WORDS),
    FIELD(rollout, parallel, FIELD_COUNT_OR),
    FIELD(rollout, percent, FIELD_COUNT_OR, .maximum = 100),
    FIELD(rollout, previous, FIELD_NOTE),
    FIELD(rollout, reason, FIELD_NOTE),
    FIELD(rollout, restart, FIELD_FLAG),
    FIELD(rollout, retry_revision, FIELD_COUNT_OR),
    FIELD(rollout, roll_back, FIELD_FLAG),
    FIELD(rollout, since_ms, FIELD_COUNT_OR),
    FIELD(rollout, since_revision, FIELD_COUNT_OR),
    FIELD(rollout, state, FIELD_ROLLOUT_STATE),
    FIELD(rollout, timeout_ms, FIELD_COUNT_OR),
    FIELD(rollout, version, FIELD_COUNT),
    FIELD(rollout, versions, FIELD_VERSIONS,
          .count_offset = offsetof(struct record_rollout, version_count)),
    FIELD(rollout, wait_ms, FIELD_COUNT_OR),
    { 0 },
};

static const struct field rebalance_fields[] = {
    FIELD(rebalance, mode, FIELD_NOTE),
    FIELD(rebalance, since_ms, FIELD_COUNT_OR),
    { 0 },
};

static const struct field role_fields[] = {
    FIELD(role, conflicts, FIELD_WORDS),
    FIELD(role, fail_back, FIELD_FLAG),
    FIELD(role, fail_back_after_ms, FIELD_COUNT_OR, .fallback = ROLE_FAIL_BACK_AFTER_MS),
    FIELD(role, generation, FIELD_COUNT_OR, .fallback = 1),
    FIELD(role, min_nodes, FIELD_COUNT_OR, .maximum = ROLE_NODES_MAX, .fallback = 1),
    FIELD(role, nodes, FIELD_COUNT, .maximum = ROLE_NODES_MAX),
    FIELD(role, promote_after_ms, FIELD_COUNT_OR),
    FIELD(role, require, FIELD_WORDS),
    FIELD(role, spread, FIELD_NOTE),
    FIELD(role, when_short, FIELD_NOTE),
    { 0 },
};

static const struct field slot_fields[] = {
    FIELD(slot, machine, FIELD_TEXT),
    FIELD(slot, since_ms, FIELD_COUNT_OR),
    { 0 },
};

static const struct field leader_fields[] = {
    FIELD(leader, machine, FIELD_TEXT),
    FIELD(leader, nonce, FIELD_TEXT),
    { 0 },
};

#define DEFINE_RECORD(type)                                                                       \
    int record_##type##_encode(const struct record_##type *record, char **ret, struct error *err) \
    {                                                                                             \
        return fields_encode(type##_fields, record, ret, err);                                    \
    }                                                                                             \
    int record_##type##_add(const struct record_##type *record, struct text *to,                  \
                            struct error *err)                                                    \
    {                                                                                             \
        return fields_add(type##_fields, record, to, err);                                        \
    }                                                                                             \
    int record_##type##_decode(const char *text, size_t length, struct record_##type *ret,        \
                               struct error *err)                                                 \
    {                                                                                             \
        return fields_decode(type##_fields, text, length, ret, sizeof(*ret), err);                \
    }                                                                                             \
    int record_##type##_copy(const struct record_##type *from, struct record_##type *ret,         \
                             struct error *err)                                                   \
    {                                                                                             \
        return fields_copy(type##_fields, from, ret, sizeof(*ret), err);                          \
    }                                                                                             \
    bool record_##type##_equal(const struct record_##type *a, const struct record_##type *b)      \
    {                                                                                             \
        return fields_equal(type##_fields, a, b);                                                 \
    }                                                                                             \
    void record_##type##_done(struct record_##type *record)                                       \
    {                                                                                             \
        fields_done(type##_fields, record, sizeof(*record));                                      \
    }                                                                                             \
    struct record_##type

DEFINE_RECORD(cluster);
DEFINE_RECORD(member);
DEFINE_RECORD(presence);
DEFINE_RECORD(unit);
DEFINE_RECORD(assignment);
DEFINE_RECORD(state);
DEFINE_RECORD(verdict);
DEFINE_RECORD(role);
DEFINE_RECORD(slot);
DEFINE_RECORD(leader);
DEFINE_RECORD(cordon);
DEFINE_RECORD(drain);
DEFINE_RECORD(brake);
DEFINE_RECORD(rollout);
DEFINE_RECORD(rebalance);

int record_role_json(const struct record_role *record, json_t **ret, struct error *err)
{
    return fields_json(role_fields, record, ret, err);
}
