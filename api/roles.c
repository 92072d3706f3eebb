/* SPDX-License-Identifier: Apache-2.0 */
#include "api/roles.h"

#include <errno.h>
#include <string.h>

#include "api/route.h"
#include "base/json.h"

/* What people have said of it, as the store has it. */
static json_t *definition_json(const struct view *view, const char *name)
{
    json_t *definition = NULL;
    const struct view_entry *role = view_find(view, STORE_KEY_ROLE, "", name);
    return role && record_role_json(&role->record.role, &definition, NULL) == 0 ? definition
                                                                                : json_null();
}

static json_t *role_json(const struct view *view, const struct role_view *role)
{
    json_t *holders = json_array();
    for (unsigned int i = 0; i < role->have; i++)
        (void)json_array_append_new(holders, json_string(role->holders[i]));
    return json_pack("{s:s, s:i, s:i, s:i, s:i, s:s, s:o, s:o}", "role", role->role, "want",
                     (int)role->want, "have", (int)role->have, "spare", (int)role->spare, "min",
                     (int)role->min, "status", role_status_name(role->status), "holders", holders,
                     "definition", definition_json(view, role->role));
}

/* only: a role's name, or NULL for all. */
static int list_json(const struct view *view, const char *only, json_t *list, struct error *err)
{
    struct model *model = NULL;
    struct role_view *roles = NULL;
    size_t count = 0;
    int r = view_model(view, &model, err);
    if (r == 0)
        r = model_roles(model, &roles, &count, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < count; i++)
        if (!only || text_equal(only, roles[i].role))
            (void)json_array_append_new(list, role_json(view, &roles[i]));
    role_views_free(roles, count);
    return 0;
}

int role_show(const struct view *view, const char *name, json_t **ret, struct error *err)
{
    autojson list = json_array();
    int r = list_json(view, name, list, err);
    if (r < 0)
        return r;
    if (json_array_size(list) == 0)
        return error_set(err, -ENOENT, "there is no role %s", name);
    *ret = json_incref(json_array_get(list, 0));
    return 0;
}

static void on_view(struct call *call, const struct view *view)
{
    struct error err;
    autojson list = json_array();
    int r = list_json(view, NULL, list, &err);
    if (r < 0)
        call_fail_code(call, r, err.text);
    else
        call_reply(call, 200, json_pack("{s:O}", "roles", list));
}

void roles_list(struct call *call)
{
    call_with_texts(call, on_view);
}
