/* SPDX-License-Identifier: Apache-2.0 */
#include "api/route.h"
#include "api/view.h"

static json_t *role_json(const struct role_view *role)
{
    json_t *holders = json_array();
    for (unsigned int i = 0; i < role->have; i++)
        (void)json_array_append_new(holders, json_string(role->holders[i]));
    return json_pack("{s:s, s:i, s:i, s:i, s:i, s:s, s:o}", "role", role->role, "want",
                     (int)role->want, "have", (int)role->have, "spare", (int)role->spare, "min",
                     (int)role->min, "status", role_status_name(role->status), "holders", holders);
}

static void on_view(struct call *call, const struct view *view)
{
    autoptr(model) model = NULL;
    struct role_view *roles = NULL;
    size_t count = 0;
    struct error err;
    int r = view_model(view, &model, &err);
    if (r == 0)
        r = model_roles(model, &roles, &count, &err);
    if (r < 0) {
        call_fail_code(call, r, err.text);
        return;
    }
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        (void)json_array_append_new(list, role_json(&roles[i]));
    role_views_free(roles, count);
    call_reply(call, 200, json_pack("{s:o}", "roles", list));
}

void roles_list(struct call *call)
{
    call_with_view(call, on_view);
}
