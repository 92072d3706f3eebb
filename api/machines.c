/* SPDX-License-Identifier: Apache-2.0 */
#include "api/machine_json.h"
#include "api/route.h"

typedef json_t *(*describe_fn)(const struct view *view, const struct model *model,
                               const struct view_entry *member);

/* Answers {"machines": […]} of those members that are described (not NULL). */
static void answer_machines(struct call *call, const struct view *view, describe_fn describe)
{
    struct model *model = NULL;
    struct error err;
    int r = view_model(view, &model, &err);
    if (r < 0) {
        call_fail_code(call, r, err.text);
        return;
    }
    json_t *list = json_array();
    size_t count = 0;
    struct view_entry *const *members = view_list(view, STORE_KEY_MEMBER, &count);
    for (size_t i = 0; i < count; i++) {
        json_t *item = describe(view, model, members[i]);
        if (item)
            (void)json_array_append_new(list, item);
    }
    call_reply(call, 200, json_pack("{s:o}", "machines", list));
}

static void on_view(struct call *call, const struct view *view)
{
    answer_machines(call, view, machine_json);
}

void machines_list(struct call *call)
{
    call_with_texts(call, on_view);
}

/* fleet knows only machines that are there. */
static json_t *fleet_machine_json(const struct view *view, const struct model *model,
                                  const struct view_entry *member)
{
    const struct view_entry *presence = view_find(view, STORE_KEY_PRESENCE, member->machine, "");
    if (!presence)
        return NULL;
    const char *ip = member->record.member.public_ip;
    return json_pack("{s:s, s:s, s:o}", "id", member->machine, "primaryIP",
                     *ip ? ip : presence->record.presence.address, "metadata",
                     machine_metadata_json(model, member));
}

static void on_fleet_view(struct call *call, const struct view *view)
{
    answer_machines(call, view, fleet_machine_json);
}

void machines_fleet_list(struct call *call)
{
    call_with_texts(call, on_fleet_view);
}
