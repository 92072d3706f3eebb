/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What would the leader do if these units were submitted and started now? The same model and the
 * same plan_step() answer it; nothing is written. The first step is what the leader has to do
 * anyway, and is left out.
 */
#include <errno.h>
#include <string.h>

#include "api/route.h"
#include "api/view.h"
#include "base/digest.h"
#include "base/json.h"
#include "scheduler/plan.h"
#include "units/translate.h"
#include "units/unit_file.h"
#include "units/unit_name.h"

static int step(struct model *model, struct plan **ret, struct error *err)
{
    const struct contact none = { .since_ms = -1 };
    const struct plan_clock clock = { .now_ms = 1, .contact = &none };
    return plan_step(model, &clock, ret, err);
}

static int read_requirements(const struct view *view, const char *name, const char *text,
                             struct requirements **ret, struct error *err)
{
    const struct view_entry *unit = view_find(view, STORE_KEY_UNIT, "", name);
    autoptr(unit_file) file = NULL;
    if (!text && !unit)
        return error_set(err, -ENOENT, "there is no unit %s", name);
    if (!text)
        return view_requirements(view, unit, ret, err);
    int r = unit_check(name, text, strlen(text), err);
    if (r == 0)
        r = unit_file_parse(text, strlen(text), &file, err);
    return r < 0 ? r : requirements_read(file, name, ret, err);
}

/* As if it had another text or its own, and this wish, in the next revision. */
static int suppose_unit(const struct view *view, struct model *model, const char *name,
                        const char *text, enum desired desired, struct error *err)
{
    char blob[65] = "";
    autoptr(requirements) requirements = NULL;
    int r = read_requirements(view, name, text, &requirements, err);
    if (r < 0)
        return r;
    const struct view_entry *unit = view_find(view, STORE_KEY_UNIT, "", name);
    if (text)
        digest_sha256_hex(text, strlen(text), blob);
    const struct record_unit record = { .blob = text ? blob : unit->record.unit.blob,
                                        .desired = desired };
    bool same = unit && unit->record.unit.desired == desired &&
                strcmp(unit->record.unit.blob, record.blob) == 0;
    int64_t next = view_revision(view) + 1;
    return same ? 0
                : model_put_unit(model, name, unit ? unit->create : next, next, &record,
                                 requirements, NULL, err);
}

/* What a rollout of the template's text would do to its instances, whose wishes stay. */
static int suppose_rollout(const struct view *view, struct model *model, const char *name,
                           const char *text, struct error *err)
{
    size_t count = 0;
    int r = 0;
    const struct view_entry *units = view_list(view, STORE_KEY_UNIT, &count);
    for (size_t i = 0; r == 0 && text && i < count; i++)
        if (unit_name_is_instance_of(units[i].name, name))
            r = suppose_unit(view, model, units[i].name, text, units[i].record.unit.desired, err);
    return r;
}

/* As if it had been submitted and started; a template, rolled out. */
static int suppose(const struct view *view, struct model *model, const json_t *item,
                   struct error *err)
{
    const char *name = NULL;
    const char *text = NULL;
    int r = json_field_string(item, "name", &name, err);
    if (r == 0)
        r = json_field_string_or(item, "text", NULL, &text, err);
    if (r < 0)
        return r;
    return unit_name_is_template(name)
               ? suppose_rollout(view, model, name, text, err)
               : suppose_unit(view, model, name, text, DESIRED_LAUNCHED, err);
}

/* In words of what a person sees of it; NULL: nothing worth telling. */
static const char *word_for(const struct action *action)
{
    if (action->kind == ACTION_VERDICT)
        return "wait";
    if (action->kind == ACTION_UPDATE || action->kind == ACTION_ROLLOUT)
        return NULL;
    if (action->kind == ACTION_MOVE)
        return "move";
    if (action->kind == ACTION_DROP || action->want == WANT_RELEASE)
        return "leave";
    if (action->kind == ACTION_ASSIGN)
        return action->assignment_mod == 0 ? "place" : "change";
    return NULL;
}

static json_t *changes_json(const struct plan *plan)
{
    json_t *list = json_array();
    for (size_t i = 0; i < plan->count; i++) {
        const struct action *action = &plan->actions[i];
        autofree char *reason = action_reason(action);
        if (word_for(action))
            (void)json_array_append_new(
                list, json_pack("{s:s, s:s, s:s?, s:s?, s:s?}", "unit", action->unit, "action",
                                word_for(action), "machine", action->machine, "from",
                                action_more(action)->from_machine, "reason", reason));
    }
    return list;
}

static int answer(const struct view *view, const json_t *units, json_t **ret, struct error *err)
{
    autoptr(model) model = NULL;
    autoptr(plan) anyway = NULL;
    autoptr(plan) plan = NULL;
    size_t i = 0;
    json_t *item = NULL;
    int r = view_model(view, &model, err);
    if (r == 0)
        r = step(model, &anyway, err);
    json_array_foreach(units, i, item)
        if (r == 0)
            r = suppose(view, model, item, err);
    if (r == 0)
        r = step(model, &plan, err);
    if (r == 0)
        *ret = json_pack("{s:o}", "changes", changes_json(plan));
    return r;
}

static void on_plan(struct call *call, const struct view *view)
{
    autojson input = NULL;
    struct error err;
    json_t *body = NULL;
    if (call_input(call, &input) < 0)
        return;
    int r = answer(view, json_object_get(input, "units"), &body, &err);
    if (r < 0)
        call_fail_input(call, r, err.text);
    else
        call_reply(call, 200, body);
}

void plan_show(struct call *call)
{
    call_with_view(call, on_plan);
}
