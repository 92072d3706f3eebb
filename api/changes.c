/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The requests that change units. Everything is planned before the first write; then the changes go
 * out in guarded transactions of at most sixty units. A guard that failed means that somebody else
 * wrote meanwhile: read and plan again, a few times; what differs in text then is a conflict.
 */
#include <errno.h>
#include <string.h>

#include "api/change.h"
#include "api/route.h"
#include "base/json.h"
#include "units/unit_name.h"

enum {
    TXN_UNITS = 60,      /* blob + unit each, and the units' mark, of etcd's 128 operations */
    TXN_BYTES = 1000000, /* of etcd's 1.5 MiB per request */
    ATTEMPTS = 5,
};

struct work {
    struct change *changes;
    size_t count;
    size_t sent_first; /* the changes that are under way */
    size_t sent_end;
    unsigned int attempts;
    void (*answer)(struct call *call, const struct work *work);
};

static void work_free(void *userdata)
{
    struct work *work = userdata;
    for (size_t i = 0; i < work->count; i++)
        change_done(&work->changes[i]);
    free(work->changes);
    free(work);
}

/* The call owns the work from now on. NULL: out of memory, and the call is answered. */
static struct work *work_new(struct call *call, size_t count,
                             void (*answer)(struct call *call, const struct work *work))
{
    struct work *work = calloc(1, sizeof(*work));
    struct change *changes = calloc(count ? count : 1, sizeof(*changes));
    if (!work || !changes) {
        free(work);
        free(changes);
        call_fail(call, 500, "out of memory");
        return NULL;
    }
    *work = (struct work){ .changes = changes, .count = count, .answer = answer };
    call->work = work;
    call->work_free = work_free;
    return work;
}

/* --- committing --- */

/* One transaction's arrays, and the keys and values that they borrow. */
struct batch {
    struct kv_compare compares[2 * TXN_UNITS];
    struct kv_op ops[2 * TXN_UNITS + 1];
    char *owned[4 * TXN_UNITS + 1];
    size_t compare_count;
    size_t op_count;
    size_t owned_count;
    size_t bytes;
};

static void batch_free(struct batch *batch)
{
    for (size_t i = 0; i < batch->owned_count; i++)
        free(batch->owned[i]);
    free(batch);
}
DEFINE_AUTOPTR(batch);

/* Keeps s for the batch's life; NULL stays NULL. */
static const char *keep(struct batch *batch, char *s)
{
    if (s)
        batch->owned[batch->owned_count++] = s;
    return s;
}

static const char *key_of(struct batch *batch, const struct call *call, enum store_key_kind kind,
                          const char *name)
{
    return keep(batch, store_key(call->api->prefix, kind, "", name, 0));
}

static int add_put(struct batch *batch, const struct call *call, const struct change *change,
                   const char *unit_key, struct error *err)
{
    char blob[sizeof(change->blob)];
    memcpy(blob, change->blob, sizeof(blob));
    const struct record_unit record = { .blob = blob,
                                        .desired = change->new_desired,
                                        .restart_revision = change->restart_revision };
    char *value = NULL;
    int r = record_unit_encode(&record, &value, err);
    if (r < 0)
        return r;
    batch->ops[batch->op_count++] = kv_op_put(unit_key, keep(batch, value));
    if (change->kind != CHANGE_SUBMIT && change->action != CHANGE_ACTION_CREATED)
        return 0;
    /* Always, also where the text is there already: the put tells the collector that somebody
     * needs it. */
    const char *blob_key = key_of(batch, call, STORE_KEY_BLOB, change->blob);
    if (!blob_key)
        return error_oom(err);
    batch->ops[batch->op_count++] = kv_op_put(blob_key, change->text);
    batch->bytes += strlen(change->text);
    return 0;
}

static bool blob_is_in(const struct batch *batch, const char *key)
{
    for (size_t i = 0; i < batch->op_count; i++) {
        if (text_equal(batch->ops[i].key, key))
            return true;
    }
    return false;
}

/* etcd refuses two puts of one key in a transaction: a text shared by instances goes once. */
static void drop_repeated_blob(struct batch *batch)
{
    const struct kv_op last = batch->ops[batch->op_count - 1];
    batch->op_count--;
    if (!blob_is_in(batch, last.key))
        batch->op_count++;
    else
        batch->bytes -= strlen(last.value);
}

static int add_change(struct batch *batch, const struct call *call, const struct change *change,
                      struct error *err)
{
    const char *unit_key = key_of(batch, call, STORE_KEY_UNIT, change->name);
    if (!unit_key)
        return error_oom(err);
    batch->compares[batch->compare_count++] = kv_if_mod(unit_key, change->guard_mod);
    if (change->template_name) {
        const char *key = key_of(batch, call, STORE_KEY_UNIT, change->template_name);
        if (!key)
            return error_oom(err);
        batch->compares[batch->compare_count++] = kv_if_mod(key, change->template_mod);
    }
    if (change->action == CHANGE_ACTION_DESTROYED) {
        batch->ops[batch->op_count++] = kv_op_delete(unit_key);
        return 0;
    }
    size_t before = batch->op_count;
    int r = add_put(batch, call, change, unit_key, err);
    if (r == 0 && batch->op_count == before + 2)
        drop_repeated_blob(batch);
    return r;
}

static void commit_next(struct call *call);
static void plan_all(struct call *call, const struct view *view);

static size_t count_written(const struct work *work)
{
    size_t written = 0;
    for (size_t i = 0; i < work->count; i++)
        written += work->changes[i].written;
    return written;
}

/* A large request goes in several transactions: a failure must say how far it came. */
static void fail_commit(struct call *call, int code, const char *reason)
{
    const struct work *work = call->work;
    struct error err;
    size_t written = count_written(work);
    (void)error_set(&err, code, "%s", reason);
    if (written)
        (void)error_prefix(&err, code, "%zu of %zu units are written, the others are not", written,
                           work->count);
    call_fail_code(call, code, err.text);
}

static void on_committed(const struct kv_txn_result *result, void *userdata)
{
    struct call *call = userdata;
    struct work *work = call->work;
    if (result->code < 0) {
        fail_commit(call, result->code, result->reason);
    } else if (!result->succeeded && ++work->attempts < ATTEMPTS) {
        call_with_view(call, plan_all);
    } else if (!result->succeeded) {
        fail_commit(call, -EEXIST, "somebody else keeps changing the same units; try again");
    } else {
        for (size_t i = work->sent_first; i < work->sent_end; i++) {
            work->changes[i].written |= change_writes(&work->changes[i]);
            if (change_writes(&work->changes[i]))
                work->changes[i].revision = result->revision;
        }
        commit_next(call);
    }
}

/* Who writes units puts this with them: the leader goes by it (doc/store.md). */
static int mark_units(struct batch *batch, const struct call *call, struct error *err)
{
    const char *key = key_of(batch, call, STORE_KEY_UNITS_MARK, NULL);
    if (!key)
        return error_oom(err);
    batch->ops[batch->op_count++] = kv_op_put(key, STORE_UNITS_MARK_VALUE);
    return 0;
}

/* Fills a batch with the next changes that are to be written; sets how far it came. */
static int fill_batch(const struct call *call, struct work *work, struct batch *batch,
                      struct error *err)
{
    size_t units = 0;
    size_t i = work->sent_end;
    work->sent_first = i;
    for (; i < work->count && units < TXN_UNITS && batch->bytes < TXN_BYTES; i++) {
        const struct change *change = &work->changes[i];
        if (change->written || !change_writes(change))
            continue;
        if (units && change->text && batch->bytes + strlen(change->text) > TXN_BYTES)
            break;
        int r = add_change(batch, call, change, err);
        if (r < 0)
            return r;
        units++;
    }
    work->sent_end = i;
    return units ? mark_units(batch, call, err) : 0;
}

static void commit_next(struct call *call)
{
    struct work *work = call->work;
    autoptr(batch) batch = calloc(1, sizeof(*batch));
    struct error err;
    int r = batch ? fill_batch(call, work, batch, &err) : error_oom(&err);
    if (r == 0 && batch->op_count == 0) {
        work->answer(call, work);
        return;
    }
    if (r == 0) {
        const struct kv_txn txn = {
            .compares = batch->compares,
            .compare_count = batch->compare_count,
            .success = batch->ops,
            .success_count = batch->op_count,
        };
        r = kv_txn(call->api->kv, &txn, on_committed, call, &err);
    }
    if (r < 0)
        fail_commit(call, r, err.text);
}

static void plan_all(struct call *call, const struct view *view)
{
    struct work *work = call->work;
    struct error err;
    for (size_t i = 0; i < work->count; i++) {
        struct change *change = &work->changes[i];
        int r = change->written ? 0 : change_plan(view, change, &err);
        if (r < 0) {
            fail_commit(call, r, err.text);
            return;
        }
    }
    work->sent_end = 0;
    commit_next(call);
}

/* --- muster's requests --- */

static void answer_changes(struct call *call, const struct work *work)
{
    json_t *list = json_array();
    for (size_t i = 0; i < work->count; i++) {
        const struct change *change = &work->changes[i];
        (void)json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:b}", "name", change->name,
                                                    "action", change_action_name(change->action),
                                                    "revision", (json_int_t)change->revision,
                                                    "global", change->global ? 1 : 0));
    }
    call_reply(call, 200, json_pack("{s:o}", "units", list));
}

static int compare_names(const void *a, const void *b)
{
    const struct change *x = a;
    const struct change *y = b;
    return strcmp(x->name ? x->name : "", y->name ? y->name : "");
}

/* In name order; one name twice would guard against itself. */
static int check_names(struct work *work, struct error *err)
{
    if (work->count == 0)
        return error_set(err, -EINVAL, "no units given");
    qsort(work->changes, work->count, sizeof(struct change), compare_names);
    for (size_t i = 0; i < work->count; i++) {
        int r = unit_name_check(work->changes[i].name, err);
        if (r < 0)
            return r;
        if (i > 0 && text_equal(work->changes[i - 1].name, work->changes[i].name))
            return error_set(err, -EINVAL, "unit %s is given twice", work->changes[i].name);
    }
    return 0;
}

static int read_desired(const json_t *input, enum desired fallback, enum desired *ret,
                        struct error *err)
{
    const char *name = NULL;
    int r = json_field_string_or(input, "desired", NULL, &name, err);
    if (r < 0)
        return error_set(err, -EINVAL, "field \"desired\" is not a string");
    *ret = name ? desired_from_name(name) : fallback;
    if (name && *ret == DESIRED_INVALID)
        return error_set(err, -EINVAL, "\"%s\" is no desired state: inactive, loaded or launched",
                         name);
    return 0;
}

static int read_submitted(const json_t *item, const json_t *input, struct change *change,
                          struct error *err)
{
    const char *name = NULL;
    const char *text = NULL;
    int r = json_field_string(item, "name", &name, err);
    if (r == 0)
        r = json_field_string(item, "text", &text, err);
    if (r == 0)
        r = read_desired(input, DESIRED_INVALID, &change->desired, err);
    if (r == 0)
        r = json_field_bool_or(input, "replace", false, &change->replace, err);
    if (r < 0)
        return r;
    change->kind = CHANGE_SUBMIT;
    change->name = strdup(name);
    change->text = strdup(text);
    return change->name && change->text ? 0 : error_oom(err);
}

static int read_wished(const json_t *item, const json_t *input, struct change *change,
                       struct error *err)
{
    const char *name = json_string_value(item);
    if (!name)
        return error_set(err, -EINVAL, "field \"units\" is not a list of names");
    int r = read_desired(input, DESIRED_INVALID, &change->desired, err);
    if (r < 0)
        return r;
    if (change->desired == DESIRED_INVALID)
        return error_set(err, -EINVAL, "field \"desired\" is missing");
    change->kind = CHANGE_DESIRED;
    change->name = strdup(name);
    return change->name ? 0 : error_oom(err);
}

typedef int (*read_change_fn)(const json_t *item, const json_t *input, struct change *change,
                              struct error *err);

/* From the body's list "units" to planned and written changes. */
static void start_work(struct call *call, read_change_fn read_change)
{
    autojson input = NULL;
    if (call_input(call, &input) < 0)
        return;
    const json_t *list = json_object_get(input, "units");
    struct work *work = work_new(call, json_array_size(list), answer_changes);
    struct error err;
    int r = 0;
    if (!work)
        return;
    for (size_t i = 0; r == 0 && i < work->count; i++)
        r = read_change(json_array_get(list, i), input, &work->changes[i], &err);
    if (r == 0)
        r = check_names(work, &err);
    if (r < 0)
        call_fail_input(call, r, err.text);
    else
        call_with_view(call, plan_all);
}

void changes_submit(struct call *call)
{
    start_work(call, read_submitted);
}

void changes_desired(struct call *call)
{
    start_work(call, read_wished);
}

/* A request about the one unit that the path names. NULL: the call is answered. */
static struct work *work_of_one(struct call *call, enum change_kind kind,
                                void (*answer)(struct call *call, const struct work *work))
{
    struct work *work = work_new(call, 1, answer);
    if (!work)
        return NULL;
    work->changes[0].kind = kind;
    work->changes[0].name = strdup(call->name);
    if (work->changes[0].name)
        return work;
    call_fail(call, 500, "out of memory");
    return NULL;
}

void changes_destroy(struct call *call)
{
    if (work_of_one(call, CHANGE_DESTROY, answer_changes))
        call_with_view(call, plan_all);
}

/* --- fleet's --- */

static void answer_nothing(struct call *call, const struct work *work)
{
    call_reply(call, work->changes[0].text ? 201 : 204, NULL);
}

static void plan_fleet_destroy(struct call *call, const struct view *view)
{
    if (view_find(view, STORE_KEY_UNIT, "", call->name))
        plan_all(call, view);
    else
        call_fail(call, 404, "unit does not exist");
}

void changes_fleet_destroy(struct call *call)
{
    if (work_of_one(call, CHANGE_DESTROY, answer_nothing))
        call_with_view(call, plan_fleet_destroy);
}

/* fleet sends a unit as a list of options: the text is made from it, a section per run. */
static int text_from_options(const json_t *options, char **ret, struct error *err)
{
    autotext text = { 0 };
    const char *last = "";
    for (size_t i = 0; i < json_array_size(options); i++) {
        const json_t *option = json_array_get(options, i);
        const char *section = NULL;
        const char *name = NULL;
        const char *value = NULL;
        int r = json_field_string(option, "section", &section, err);
        if (r == 0)
            r = json_field_string(option, "name", &name, err);
        if (r == 0)
            r = json_field_string(option, "value", &value, err);
        if (r < 0)
            return error_prefix(err, -EINVAL, "options[%zu]", i);
        if (!text_equal(section, last))
            text_addf(&text, "%s[%s]\n", text.length ? "\n" : "", section);
        text_addf(&text, "%s=%s\n", name, value);
        last = section;
    }
    *ret = text_take(&text);
    return *ret ? 0 : error_oom(err);
}

static int read_fleet_unit(const struct call *call, const json_t *input, struct change *change,
                           struct error *err)
{
    const char *name = NULL;
    json_t *options = NULL;
    int r = json_field_string_or(input, "name", call->name, &name, err);
    if (r == 0 && !text_equal(name, call->name))
        r = error_set(err, -EINVAL,
                      "name in URL \"%s\" differs from unit name in request body "
                      "\"%s\"",
                      call->name, name);
    if (r == 0)
        r = unit_name_check(name, err);
    if (r == 0) {
        /* fleetctl writes the state as desiredState. */
        const char *desired = NULL;
        r = json_field_string_or(input, "desiredState", NULL, &desired, err);
        change->desired = r == 0 && desired ? desired_from_name(desired) : DESIRED_INVALID;
        if (r == 0 && desired && change->desired == DESIRED_INVALID)
            r = error_set(err, -EINVAL, "invalid desiredState \"%s\"", desired);
    }
    if (r == 0)
        r = json_field_array_or_null(input, "options", &options, err);
    if (r < 0)
        return r == -EPROTO ? -EINVAL : r;
    if (json_array_size(options) == 0)
        return 0;
    change->kind = CHANGE_SUBMIT;
    change->replace = true;
    return text_from_options(options, &change->text, err);
}

/* Without options only the state changes, of a unit that is there. */
static void plan_fleet_put(struct call *call, const struct view *view)
{
    const struct work *work = call->work;
    const struct change *change = &work->changes[0];
    bool is_submit = change->kind == CHANGE_SUBMIT;
    if (!is_submit && !view_find(view, STORE_KEY_UNIT, "", change->name))
        call_fail(call, 409, "unit does not exist and options field empty");
    else if (!is_submit && change->desired == DESIRED_INVALID)
        call_fail(call, 409, "must provide DesiredState to update existing unit");
    else
        plan_all(call, view);
}

void changes_fleet_put(struct call *call)
{
    autojson input = NULL;
    struct error err;
    if (call_input(call, &input) < 0)
        return;
    struct work *work = work_of_one(call, CHANGE_DESIRED, answer_nothing);
    if (!work)
        return;
    int r = read_fleet_unit(call, input, &work->changes[0], &err);
    if (r < 0)
        call_fail_code(call, r, err.text);
    else
        call_with_view(call, plan_fleet_put);
}
