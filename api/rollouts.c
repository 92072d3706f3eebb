/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rollouts: what they are like, and orders about them. An order is one transaction, guarded by the
 * rollout as it was read; the leader writes there, too, so it is planned again a few times.
 */
#include <errno.h>
#include <string.h>

#include "api/rollout_order.h"
#include "api/route.h"
#include "base/clock.h"
#include "base/json.h"

enum { ATTEMPTS = 5, TIME_MAX_MS = 7 * 24 * 3600 * 1000, PARALLEL_MAX = 1000000 };

/* --- telling --- */

/* "running", or "rolling-back" while it goes back. */
static const char *state_word(const struct record_rollout *rollout)
{
    return rollout->state == ROLLOUT_RUNNING && rollout->back ? "rolling-back"
                                                              : rollout_state_name(rollout->state);
}

static json_t *history_json(const struct record_rollout *rollout)
{
    json_t *list = json_array();
    for (size_t i = 0; i < rollout->version_count; i++) {
        const struct rollout_version *version = &rollout->versions[i];
        (void)json_array_append_new(
            list, json_pack("{s:I, s:s, s:I, s:s, s:b}", "version", (json_int_t)version->version,
                            "hash", version->blob, "since_ms", (json_int_t)version->since_ms, "how",
                            version->how, "good", version->good ? 1 : 0));
    }
    return list;
}

static bool is_registered(const struct view *view, const char *machine)
{
    return view_find(view, STORE_KEY_PRESENCE, machine, "") != NULL;
}

/* Of a unit that runs everywhere each machine counts. */
static void count_copies(const struct view *view, const struct view_entry *entry,
                         const struct view_entry *unit, size_t *ret_all, size_t *ret_changed)
{
    const struct record_rollout *rollout = &entry->record.rollout;
    struct view_copy *copies = NULL;
    size_t count = 0;
    if (view_copies(view, unit->name, &copies, &count, NULL) < 0)
        return;
    for (size_t i = 0; i < count; i++) {
        if (!copies[i].assignment)
            continue;
        const struct record_assignment *assignment = &copies[i].assignment->record.assignment;
        if (!rollout_has_copy(rollout, unit->name, copies[i].machine, assignment->want,
                              is_registered(view, copies[i].machine)))
            continue;
        (*ret_all)++;
        *ret_changed += rollout_has_reached_copy(rollout, &unit->record.unit, assignment->blob,
                                                 copies[i].assignment->mod);
    }
    free(copies);
}

/* How many units it is about, and how many of them have had their turn. */
static void count_units(const struct view *view, const struct view_entry *entry, size_t *ret_all,
                        size_t *ret_changed)
{
    size_t count = 0;
    struct view_entry *const *units = view_list(view, STORE_KEY_UNIT, &count);
    *ret_all = 0;
    *ret_changed = 0;
    for (size_t i = 0; i < count; i++) {
        if (!rollout_has_unit(entry->name, units[i]->name))
            continue;
        if (view_is_global(view, units[i]))
            count_copies(view, entry, units[i], ret_all, ret_changed);
        (*ret_all)++;
        *ret_changed += rollout_has_reached(&entry->record.rollout, &units[i]->record.unit);
    }
}

static json_t *rollout_json(const struct view *view, const struct view_entry *entry)
{
    const struct record_rollout *rollout = &entry->record.rollout;
    size_t all = 0;
    size_t changed = 0;
    count_units(view, entry, &all, &changed);
    return json_pack(
        "{s:s, s:s, s:s, s:I, s:s, s:b, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:I, s:o}", "name",
        entry->name, "state", state_word(rollout), "reason", rollout->reason, "version",
        (json_int_t)rollout->version, "hash", rollout->blob, "restart", rollout->restart ? 1 : 0,
        "on_failure", rollout->roll_back ? "rollback" : "pause", "parallel",
        (json_int_t)rollout->parallel, "percent", (json_int_t)rollout->percent, "wait_ms",
        (json_int_t)rollout->wait_ms, "timeout_ms", (json_int_t)rollout->timeout_ms, "units",
        (json_int_t)all, "changed", (json_int_t)changed, "changing",
        json_from_strv(rollout->changing), "since_ms", (json_int_t)rollout->since_ms, "history",
        history_json(rollout));
}

static void on_list(struct call *call, const struct view *view)
{
    size_t count = 0;
    struct view_entry *const *rollouts = view_list(view, STORE_KEY_ROLLOUT, &count);
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        (void)json_array_append_new(list, rollout_json(view, rollouts[i]));
    call_reply(call, 200, json_pack("{s:o}", "rollouts", list));
}

void rollouts_list(struct call *call)
{
    call_with_texts(call, on_list);
}

static void on_show(struct call *call, const struct view *view)
{
    const struct view_entry *entry = view_find(view, STORE_KEY_ROLLOUT, "", call->name);
    if (entry)
        call_reply(call, 200, rollout_json(view, entry));
    else
        call_fail(call, 404, "there is no rollout of %s", call->name);
}

void rollouts_show(struct call *call)
{
    call_with_texts(call, on_show);
}

/* --- orders --- */

struct work {
    json_t *input; /* what order borrows from */
    struct rollout_order order;
    unsigned int attempts;
    char *keys[2];
    char *value;
};

static void work_forget(struct work *work)
{
    free(take_ptr(work->keys[0]));
    free(take_ptr(work->keys[1]));
    free(take_ptr(work->value));
}

static void work_free(void *userdata)
{
    struct work *work = userdata;
    work_forget(work);
    json_decref(work->input);
    free(work);
}

static int read_number(const json_t *input, const char *name, int64_t fallback, int64_t maximum,
                       int64_t *ret, struct error *err)
{
    int r = json_field_int_or(input, name, fallback, ret, err);
    if (r < 0)
        return r;
    if (*ret != fallback && (*ret < 0 || *ret > maximum))
        return error_set(err, -EINVAL, "\"%s\" is not 0 to %lld", name, (long long)maximum);
    return 0;
}

static int read_order(const struct call *call, const json_t *input, struct rollout_order *ret,
                      struct error *err)
{
    const char *word = NULL;
    const char *on_failure = NULL;
    struct rollout_order order = { .name = call->name, .wall_ms = clock_wall_ms() };
    int r = json_field_string(input, "order", &word, err);
    if (r == 0)
        r = json_field_string_or(input, "text", NULL, &order.text, err);
    if (r == 0)
        r = json_field_string_or(input, "on_failure", "pause", &on_failure, err);
    if (r == 0)
        r = read_number(input, "to", 0, INT32_MAX, &order.to, err);
    if (r == 0)
        r = read_number(input, "parallel", 0, PARALLEL_MAX, &order.parallel, err);
    if (r == 0)
        r = read_number(input, "percent", 0, 100, &order.percent, err);
    if (r == 0)
        r = read_number(input, "wait_ms", -1, TIME_MAX_MS, &order.wait_ms, err);
    if (r == 0)
        r = read_number(input, "timeout_ms", -1, TIME_MAX_MS, &order.timeout_ms, err);
    if (r < 0)
        return r;
    if (!text_equal(on_failure, "pause") && !text_equal(on_failure, "rollback"))
        return error_set(err, -EINVAL, "\"on_failure\" is neither pause nor rollback");
    order.kind = rollout_order_from_name(word);
    if ((order.kind == ROLLOUT_ORDER_START) != (order.text != NULL))
        return error_set(err, -EINVAL, "\"text\" belongs to the order start, and to no other");
    order.roll_back = text_equal(on_failure, "rollback");
    *ret = order;
    return 0;
}

static void plan_and_send(struct call *call, const struct view *view);

static void on_written(const struct kv_txn_result *result, void *userdata)
{
    struct call *call = userdata;
    struct work *work = call->work;
    if (result->code < 0)
        call_fail_code(call, result->code, result->reason);
    else if (result->succeeded)
        call_with_texts(call, on_show);
    else if (++work->attempts < ATTEMPTS)
        call_with_view(call, plan_and_send);
    else
        call_fail(call, 409, "the rollout of %s keeps changing; try again", call->name);
}

/* The blob is always put: that tells who collects texts that this one is needed. */
static int send(struct call *call, struct work *work, const struct record_rollout *record,
                int64_t mod, struct error *err)
{
    work_forget(work);
    int r = record_rollout_encode(record, &work->value, err);
    if (r < 0)
        return r;
    work->keys[0] = store_key(call->api->prefix, STORE_KEY_ROLLOUT, "", call->name, 0);
    work->keys[1] = store_key(call->api->prefix, STORE_KEY_BLOB, "", record->blob, 0);
    if (!work->keys[0] || !work->keys[1])
        return error_oom(err);
    const struct kv_compare as_read = kv_if_mod(work->keys[0], mod);
    const struct kv_op ops[] = {
        kv_op_put(work->keys[0], work->value),
        kv_op_put(work->keys[1], work->order.text ? work->order.text : ""),
    };
    const struct kv_txn txn = { .compares = &as_read,
                                .compare_count = 1,
                                .success = ops,
                                .success_count = work->order.text ? 2 : 1 };
    return kv_txn(call->api->kv, &txn, on_written, call, err);
}

static void plan_and_send(struct call *call, const struct view *view)
{
    struct work *work = call->work;
    struct error err;
    autorecord(rollout) record = { 0 };
    const struct view_entry *known = view_find(view, STORE_KEY_ROLLOUT, "", call->name);
    int r = rollout_order_plan(view, &work->order, &record, &err);
    if (r == 0)
        r = send(call, work, &record, known ? known->mod : 0, &err);
    if (r < 0)
        call_fail_input(call, r, err.text);
}

void rollouts_order(struct call *call)
{
    autojson input = NULL;
    struct error err;
    if (call_input(call, &input) < 0)
        return;
    struct work *work = calloc(1, sizeof(*work));
    if (!work) {
        call_fail(call, 500, "out of memory");
        return;
    }
    call->work = work;
    call->work_free = work_free;
    work->input = take_ptr(input);
    int r = read_order(call, work->input, &work->order, &err);
    if (r < 0)
        call_fail_input(call, r, err.text);
    else
        call_with_view(call, plan_and_send);
}
