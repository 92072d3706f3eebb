/* SPDX-License-Identifier: Apache-2.0 */
/* What the cluster knows of units, in both APIs. */
#include "api/route.h"
#include "api/unit_json.h"

typedef json_t *(*describe_fn)(const struct view *view, const struct view_entry *unit);

static void answer_units(struct call *call, const struct view *view, describe_fn describe)
{
    size_t count = 0;
    struct view_entry *const *units = view_list(view, STORE_KEY_UNIT, &count);
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        (void)json_array_append_new(list, describe(view, units[i]));
    call_reply(call, 200, json_pack("{s:o}", "units", list));
}

static void on_list(struct call *call, const struct view *view)
{
    answer_units(call, view, unit_json);
}

void units_list(struct call *call)
{
    call_with_texts(call, on_list);
}

static void on_fleet_list(struct call *call, const struct view *view)
{
    answer_units(call, view, unit_json_fleet);
}

void units_fleet_list(struct call *call)
{
    call_with_texts(call, on_fleet_list);
}

static void on_show(struct call *call, const struct view *view)
{
    const struct view_entry *unit = view_find(view, STORE_KEY_UNIT, "", call->name);
    if (unit)
        call_reply(call, 200, unit_json_whole(view, unit));
    else
        call_fail(call, 404, "unit %s does not exist", call->name);
}

void units_show(struct call *call)
{
    call_with_view(call, on_show);
}

static void on_fleet_show(struct call *call, const struct view *view)
{
    const struct view_entry *unit = view_find(view, STORE_KEY_UNIT, "", call->name);
    if (unit)
        call_reply(call, 200, unit_json_fleet(view, unit));
    else
        call_fail(call, 404, "unit does not exist");
}

void units_fleet_show(struct call *call)
{
    call_with_view(call, on_fleet_show);
}

/* Being emptied is no refusal to the scheduler, which looks for a place elsewhere first. */
static const char *refusal_of(const struct view *view, const struct model_answer *answer, bool here)
{
    const struct view_entry *drain = view_find(view, STORE_KEY_DRAIN, answer->machine, "");
    bool leaves = here && drain && !drain->record.drain.expired;
    return leaves && !answer->refusal ? "is being drained" : answer->refusal;
}

static json_t *answer_json(const struct view *view, const char *unit,
                           const struct model_answer *answer)
{
    const struct view_entry *member = view_find(view, STORE_KEY_MEMBER, answer->machine, "");
    const struct view_entry *state = view_find(view, STORE_KEY_STATE, answer->machine, unit);
    const struct view_entry *here = view_find(view, STORE_KEY_ASSIGNMENT, answer->machine, unit);
    return json_pack("{s:s, s:s, s:s?, s:s?, s:I, s:s, s:I, s:b, s:s}", "machine", answer->machine,
                     "ip", member ? member->record.member.public_ip : "", "refusal",
                     refusal_of(view, answer, here), "score", answer->score, "rank",
                     (json_int_t)answer->rank, "problem", state ? state->record.state.problem : "",
                     "units", (json_int_t)answer->load, "here", here != NULL, "reason",
                     here ? here->record.assignment.reason : "");
}

static void on_why(struct call *call, const struct view *view)
{
    struct model *model = NULL;
    struct model_answer *answers = NULL;
    size_t count = 0;
    struct error err;
    const struct view_entry *unit = view_find(view, STORE_KEY_UNIT, "", call->name);
    if (!unit) {
        call_fail(call, 404, "unit %s does not exist", call->name);
        return;
    }
    int r = view_model(view, &model, &err);
    if (r == 0)
        r = model_why(model, unit->name, &answers, &count, &err);
    if (r < 0) {
        call_fail_code(call, r, err.text);
        return;
    }
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        (void)json_array_append_new(list, answer_json(view, unit->name, &answers[i]));
    model_answers_free(answers, count);
    const struct view_entry *verdict = view_find(view, STORE_KEY_VERDICT, "", unit->name);
    call_reply(call, 200,
               json_pack("{s:s, s:s, s:s, s:o, s:b}", "name", unit->name, "desired",
                         desired_name(unit->record.unit.desired), "verdict",
                         verdict ? verdict->record.verdict.reason : "", "machines", list, "leader",
                         view_find(view, STORE_KEY_LEADER, "", "") ? 1 : 0));
}

void units_why(struct call *call)
{
    call_with_texts(call, on_why);
}
