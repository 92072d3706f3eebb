/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What people order of machines, rebalancing, the brake and roles: cordon, uncordon, drain; off,
 * auto; release, hold; set, remove. Each is one guarded transaction; the leader does the rest, and
 * writes into ops/drain/<id> how far it is.
 */
#include <errno.h>
#include <string.h>

#include "api/machine_json.h"
#include "api/roles.h"
#include "api/route.h"
#include "api/view.h"
#include "base/clock.h"
#include "base/json.h"
#include "scheduler/role_settings.h"

enum { TIMEOUT_MAX_MS = 7 * 24 * 3600 * 1000, OPS_MAX = 2, ADVICES_MAX = 100 };

/* One order while it is under way. */
struct order {
    json_t *input; /* the body, or NULL */
    char *keys[OPS_MAX];
    char *values[OPS_MAX];
    struct kv_op ops[OPS_MAX];
    size_t count;
    const char *refused; /* what it means if the guard failed */
    void (*answer)(struct call *call, const struct view *view);
};

static void order_free(void *userdata)
{
    struct order *order = userdata;
    json_decref(order->input);
    for (size_t i = 0; i < order->count; i++) {
        free(order->keys[i]);
        free(order->values[i]);
    }
    free(order);
}

/* The call owns the order from now on. NULL: out of memory, and the call is answered. */
static struct order *order_new(struct call *call)
{
    struct order *order = calloc(1, sizeof(*order));
    if (!order) {
        call_fail(call, 500, "out of memory");
        return NULL;
    }
    call->work = order;
    call->work_free = order_free;
    return order;
}

/* Takes key and value; value NULL: the key is deleted. */
static int add(struct order *order, char *key, char *value, struct error *err)
{
    size_t i = order->count++;
    order->keys[i] = key;
    order->values[i] = value;
    if (!key)
        return error_oom(err);
    order->ops[i] = value ? kv_op_put(key, value) : kv_op_delete(key);
    return 0;
}

static char *key_of(const struct call *call, enum store_key_kind kind, const char *machine)
{
    return store_key(call->api->prefix, kind, machine, NULL, 0);
}

static void on_written(const struct kv_txn_result *result, void *userdata)
{
    struct call *call = userdata;
    const struct order *order = call->work;
    if (result->code < 0)
        call_fail_code(call, result->code, result->reason);
    else if (!result->succeeded)
        call_fail(call, 409, "%s", order->refused);
    else
        call_with_texts(call, order->answer);
}

/* Writes what was added, if the guard holds (NULL: in any case); refused says what it means if not.
 */
static void send(struct call *call, const struct kv_compare *guard, const char *refused)
{
    struct order *order = call->work;
    struct error err;
    order->refused = refused;
    const struct kv_txn txn = { .compares = guard,
                                .compare_count = guard ? 1 : 0,
                                .success = order->ops,
                                .success_count = order->count };
    int r = kv_txn(call->api->kv, &txn, on_written, call, &err);
    if (r < 0)
        call_fail_code(call, r, err.text);
}

/* --- machines --- */

static void send_while_member(struct call *call, const char *machine)
{
    autofree char *member = key_of(call, STORE_KEY_MEMBER, machine);
    if (!member) {
        call_fail(call, 500, "out of memory");
        return;
    }
    const struct kv_compare exists = kv_if_exists(member);
    send(call, &exists, "the machine was forgotten meanwhile");
}

static void answer_machine(struct call *call, const struct view *view)
{
    struct error err;
    const struct view_entry *member = NULL;
    struct model *model = NULL;
    int r = machine_find(view, call->name, &member, &err);
    if (r == 0)
        r = view_model(view, &model, &err);
    if (r < 0)
        call_fail_code(call, r, err.text);
    else
        call_reply(call, 200, machine_json(view, model, member));
}

void operations_machine(struct call *call)
{
    call_with_texts(call, answer_machine);
}

static char *cordon_value(const char *reason)
{
    const struct record_cordon record = { .reason = (char *)reason, .since_ms = clock_wall_ms() };
    char *value = NULL;
    return record_cordon_encode(&record, &value, NULL) < 0 ? NULL : value;
}

static int add_cordon(const struct call *call, struct order *order, const char *machine,
                      const char *reason, struct error *err)
{
    char *value = cordon_value(reason);
    return value ? add(order, key_of(call, STORE_KEY_CORDON, machine), value, err) : error_oom(err);
}

static int read_reason(const json_t *input, const char **ret, struct error *err)
{
    return json_field_string_or(input, "reason", "", ret, err);
}

static int plan_cordon(const struct call *call, struct order *order,
                       const struct view_entry *member, struct error *err)
{
    const char *reason = "";
    int r = read_reason(order->input, &reason, err);
    return r < 0 ? r : add_cordon(call, order, member->machine, reason, err);
}

static int plan_uncordon(const struct call *call, struct order *order,
                         const struct view_entry *member, struct error *err)
{
    int r = add(order, key_of(call, STORE_KEY_CORDON, member->machine), NULL, err);
    return r < 0 ? r : add(order, key_of(call, STORE_KEY_DRAIN, member->machine), NULL, err);
}

static int drain_value(const json_t *input, char **ret, struct error *err)
{
    int64_t timeout_ms = 0;
    int r = json_field_int_or(input, "timeout_ms", 0, &timeout_ms, err);
    if (r < 0)
        return r;
    if (timeout_ms < 0 || timeout_ms > TIMEOUT_MAX_MS)
        return error_set(err, -EINVAL, "\"timeout_ms\" is not 0 (none) to %d (a week)",
                         TIMEOUT_MAX_MS);
    const struct record_drain record = { .since_ms = clock_wall_ms(), .timeout_ms = timeout_ms };
    return record_drain_encode(&record, ret, err);
}

/* A drained machine is cordoned, too: nobody comes while the others go, nor when they are gone. */
static int plan_drain(const struct call *call, struct order *order, const struct view_entry *member,
                      struct error *err)
{
    const char *reason = "";
    char *value = NULL;
    int r = read_reason(order->input, &reason, err);
    if (r == 0)
        r = add_cordon(call, order, member->machine, reason, err);
    if (r == 0)
        r = drain_value(order->input, &value, err);
    return r < 0 ? r : add(order, key_of(call, STORE_KEY_DRAIN, member->machine), value, err);
}

typedef int (*plan_fn)(const struct call *call, struct order *order,
                       const struct view_entry *member, struct error *err);

static void order_of_machine(struct call *call, const struct view *view, plan_fn plan)
{
    struct error err;
    const struct view_entry *member = NULL;
    int r = machine_find(view, call->name, &member, &err);
    if (r == 0)
        r = plan(call, call->work, member, &err);
    if (r < 0)
        call_fail_input(call, r, err.text);
    else
        send_while_member(call, member->machine);
}

static void on_cordon_view(struct call *call, const struct view *view)
{
    order_of_machine(call, view, plan_cordon);
}

static void on_uncordon_view(struct call *call, const struct view *view)
{
    order_of_machine(call, view, plan_uncordon);
}

static void on_drain_view(struct call *call, const struct view *view)
{
    order_of_machine(call, view, plan_drain);
}

/* The body, which may be empty. */
static struct order *begin(struct call *call, void (*answer)(struct call *, const struct view *))
{
    json_t *input = NULL;
    if (call->body.length > 0 && call_input(call, &input) < 0)
        return NULL;
    struct order *order = order_new(call);
    if (!order) {
        json_decref(input);
        return NULL;
    }
    order->input = input ? input : json_object();
    order->answer = answer;
    return order;
}

/* Nothing has to be read for it. */
static void order_outright(struct call *call, void (*answer)(struct call *, const struct view *),
                           int (*plan)(const struct call *, struct order *, struct error *))
{
    struct error err;
    struct order *order = begin(call, answer);
    if (!order)
        return;
    int r = plan(call, order, &err);
    if (r < 0)
        call_fail_input(call, r, err.text);
    else
        send(call, NULL, "");
}

void operations_cordon(struct call *call)
{
    if (begin(call, answer_machine))
        call_with_view(call, on_cordon_view);
}

void operations_uncordon(struct call *call)
{
    if (begin(call, answer_machine))
        call_with_view(call, on_uncordon_view);
}

void operations_drain(struct call *call)
{
    if (begin(call, answer_machine))
        call_with_view(call, on_drain_view);
}

/* --- rebalancing --- */

static enum rebalance_mode mode_of(const struct view *view)
{
    const struct view_entry *entry = view_find(view, STORE_KEY_REBALANCE, "", "");
    enum rebalance_mode mode = REBALANCE_ADVISE;
    if (entry)
        (void)rebalance_mode_from_name(entry->record.rebalance.mode, &mode);
    return mode;
}

/* On their way. */
static json_t *rebalanced_json(const struct view *view)
{
    size_t count = 0;
    json_t *list = json_array();
    struct view_entry *const *entries = view_list(view, STORE_KEY_ASSIGNMENT, &count);
    for (size_t i = 0; i < count; i++)
        if (move_cause_from_name(entries[i]->record.assignment.cause) == MOVE_CAUSE_REBALANCE)
            (void)json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "unit", entries[i]->name,
                                                        "from", entries[i]->machine, "reason",
                                                        entries[i]->record.assignment.reason));
    return list;
}

static int advice_json(const struct view *view, json_t **ret, struct error *err)
{
    autoptr(model) model = NULL;
    struct model_advice *advices = NULL;
    size_t count = 0;
    json_t *list = json_array();
    int r = view_model_new(view, &model, err);
    if (r == 0)
        r = model_advise(model, ADVICES_MAX, &advices, &count, err);
    for (size_t i = 0; i < count; i++)
        (void)json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "unit", advices[i].unit,
                                                    "from", advices[i].from, "to", advices[i].to,
                                                    "reason", advices[i].reason));
    model_advices_free(advices, count);
    *ret = list;
    return r;
}

static void answer_rebalance(struct call *call, const struct view *view)
{
    struct error err;
    autojson advice = NULL;
    enum rebalance_mode mode = mode_of(view);
    int r = mode == REBALANCE_OFF ? 0 : advice_json(view, &advice, &err);
    if (r < 0)
        call_fail_code(call, r, err.text);
    else
        call_reply(call, 200,
                   json_pack("{s:s, s:o, s:O?}", "mode", rebalance_mode_name(mode), "moving",
                             rebalanced_json(view), "advice", advice));
}

void operations_rebalance(struct call *call)
{
    call_with_texts(call, answer_rebalance);
}

/* {"mode": "off", "advise" or "auto"} */
static int plan_rebalance(const struct call *call, struct order *order, struct error *err)
{
    const char *word = NULL;
    char *value = NULL;
    enum rebalance_mode mode = REBALANCE_ADVISE;
    int r = json_field_string(order->input, "mode", &word, err);
    if (r < 0)
        return r;
    if (!rebalance_mode_from_name(word, &mode))
        return error_set(err, -EINVAL, "\"%s\" is no way to rebalance: off, advise or auto", word);
    const struct record_rebalance record = { .mode = (char *)word, .since_ms = clock_wall_ms() };
    r = record_rebalance_encode(&record, &value, err);
    return r < 0 ? r : add(order, key_of(call, STORE_KEY_REBALANCE, NULL), value, err);
}

void operations_set_mode(struct call *call)
{
    order_outright(call, answer_rebalance, plan_rebalance);
}

/* --- the brake --- */

static json_t *held_json(const struct view *view)
{
    size_t count = 0;
    json_t *list = json_array();
    struct view_entry *const *verdicts = view_list(view, STORE_KEY_VERDICT, &count);
    for (size_t i = 0; i < count; i++)
        if (text_equal(verdicts[i]->record.verdict.kind, "held"))
            (void)json_array_append_new(list,
                                        json_pack("{s:s, s:s}", "unit", verdicts[i]->name, "reason",
                                                  verdicts[i]->record.verdict.reason));
    return list;
}

static void answer_brake(struct call *call, const struct view *view)
{
    const struct view_entry *brake = view_find(view, STORE_KEY_BRAKE, "", "");
    const char *order = !brake ? "" : brake->record.brake.hold ? "hold" : "release";
    call_reply(call, 200, json_pack("{s:s, s:o}", "order", order, "held", held_json(view)));
}

void operations_brake(struct call *call)
{
    call_with_view(call, answer_brake);
}

/* {"order": "hold", "release", or "auto": as the tokens have it, the default} */
static int plan_brake(const struct call *call, struct order *order, struct error *err)
{
    const char *word = NULL;
    char *value = NULL;
    int r = json_field_string(order->input, "order", &word, err);
    if (r < 0)
        return r;
    if (text_equal(word, "auto"))
        return add(order, key_of(call, STORE_KEY_BRAKE, NULL), NULL, err);
    if (!text_equal(word, "hold") && !text_equal(word, "release"))
        return error_set(err, -EINVAL, "\"%s\" is no order to the brake: release, hold or auto",
                         word);
    const struct record_brake record = { .hold = text_equal(word, "hold"),
                                         .since_ms = clock_wall_ms() };
    r = record_brake_encode(&record, &value, err);
    return r < 0 ? r : add(order, key_of(call, STORE_KEY_BRAKE, NULL), value, err);
}

void operations_set_brake(struct call *call)
{
    order_outright(call, answer_brake, plan_brake);
}

/* --- roles --- */

static void answer_role(struct call *call, const struct view *view)
{
    json_t *role = NULL;
    struct error err;
    int r = role_show(view, call->name, &role, &err);
    if (r < 0)
        call_fail_code(call, r, err.text);
    else
        call_reply(call, 200, role);
}

static void answer_removed(struct call *call, const struct view *view)
{
    (void)view;
    call_reply(call, 204, NULL);
}

static void send_unless_changed(struct call *call, const struct view_entry *role)
{
    const struct order *order = call->work;
    const struct kv_compare unchanged = kv_if_mod(order->keys[0], role ? role->mod : 0);
    send(call, &unchanged, "somebody else has changed the role meanwhile: look, and try again");
}

static char *role_key(const struct call *call)
{
    return store_key(call->api->prefix, STORE_KEY_ROLE, NULL, call->name, 0);
}

/* {"settings": ["nodes=3", …]} */
static int plan_role(const struct call *call, struct order *order, const struct view_entry *known,
                     struct error *err)
{
    autostrv settings = NULL;
    autorecord(role) role = { 0 };
    char *value = NULL;
    int r = json_field_strv(order->input, "settings", &settings, err);
    if (r == 0 && known)
        r = record_role_copy(&known->record.role, &role, err);
    if (r == 0)
        r = role_settings_apply(&role, call->name, settings, err);
    if (r == 0)
        r = record_role_encode(&role, &value, err);
    return r < 0 ? r : add(order, role_key(call), value, err);
}

static void on_role_view(struct call *call, const struct view *view)
{
    struct error err;
    const struct view_entry *known = view_find(view, STORE_KEY_ROLE, "", call->name);
    int r = plan_role(call, call->work, known, &err);
    if (r < 0)
        call_fail_input(call, r, err.text);
    else
        send_unless_changed(call, known);
}

static void on_remove_role_view(struct call *call, const struct view *view)
{
    struct error err;
    const struct view_entry *known = view_find(view, STORE_KEY_ROLE, "", call->name);
    int r = known ? add(call->work, role_key(call), NULL, &err)
                  : error_set(&err, -ENOENT, "there is no role %s", call->name);
    if (r < 0)
        call_fail_code(call, r, err.text);
    else
        send_unless_changed(call, known);
}

void operations_set_role(struct call *call)
{
    if (begin(call, answer_role))
        call_with_view(call, on_role_view);
}

void operations_remove_role(struct call *call)
{
    if (begin(call, answer_removed))
        call_with_view(call, on_remove_role_view);
}
