/* SPDX-License-Identifier: Apache-2.0 */
#include "api/suppose.h"

#include <string.h>

#include "api/change.h"
#include "api/foresee.h"
#include "base/json.h"
#include "units/unit_file.h"
#include "units/unit_name.h"

/* Of the text that it would have, the caller's. */
static int read_requirements(const struct change *change, struct requirements **ret,
                             struct error *err)
{
    autoptr(unit_file) file = NULL;
    int r = unit_file_parse(change->text, strlen(change->text), &file, err);
    return r < 0 ? r : requirements_read(file, change->name, ret, err);
}

static int put_change(const struct view *view, struct future *future, struct change *change,
                      struct error *err)
{
    const struct view_entry *unit = view_find(view, STORE_KEY_UNIT, "", change->name);
    autoptr(requirements) fresh = NULL;
    const struct requirements *requirements = NULL;
    const struct record_unit record = { .blob = change->blob,
                                        .desired = change->new_desired,
                                        .restart_revision = change->restart_revision };
    int r = change->text ? read_requirements(change, &fresh, err)
                         : view_requirements(view, unit, &requirements, err);
    return r < 0
               ? r
               : model_put_unit(future->model, change->name, unit ? unit->create : future->revision,
                                future->revision, &record, fresh ? fresh : requirements, NULL, err);
}

/* As if it had this text (NULL: its own) and this wish (DESIRED_INVALID: its own). */
static int suppose_unit(const struct view *view, struct future *future, const char *name,
                        const char *text, enum desired desired, struct error *err)
{
    __attribute__((cleanup(change_done))) struct change change = {
        .kind = text ? CHANGE_SUBMIT : CHANGE_DESIRED,
        .name = strdup(name),
        .text = text ? strdup(text) : NULL,
        .desired = desired,
        .replace = true,
    };
    if (!change.name || (text && !change.text))
        return error_oom(err);
    int r = change_plan(view, &change, err);
    return r == 0 && change_writes(&change) ? put_change(view, future, &change, err) : r;
}

static int suppose_rollout(const struct view *view, struct future *future, const char *name,
                           const char *text, struct error *err)
{
    size_t count = 0;
    int r = suppose_unit(view, future, name, text, DESIRED_INACTIVE, err);
    struct view_entry *const *units = view_list(view, STORE_KEY_UNIT, &count);
    for (size_t i = 0; r == 0 && text && i < count; i++)
        if (unit_name_is_instance_of(units[i]->name, name))
            r = suppose_unit(view, future, units[i]->name, text, DESIRED_INVALID, err);
    return r;
}

static int suppose_item(const struct view *view, struct future *future, const json_t *item,
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
               ? suppose_rollout(view, future, name, text, err)
               : suppose_unit(view, future, name, text, DESIRED_LAUNCHED, err);
}

static int suppose_all(const struct view *view, struct future *future, const json_t *units,
                       struct error *err)
{
    int r = 0;
    size_t i = 0;
    const json_t *item = NULL;
    future->revision++;
    json_array_foreach(units, i, item)
        if (r == 0)
            r = suppose_item(view, future, item, err);
    return r;
}

int suppose(const struct view *view, const json_t *units, json_t **ret, struct error *err)
{
    autoptr(model) model = NULL;
    autoptr(foresight) foresight = NULL;
    int r = view_model_new(view, &model, err);
    if (r == 0)
        r = foresight_new(&foresight, err);
    if (r < 0)
        return r;
    struct future future = { .model = model, .revision = view_revision(view) };
    r = foresee_answers(view, &future, err);
    int anyway = r == 0 ? foresee(&future, NULL, err) : r;
    r = anyway < 0 ? anyway : suppose_all(view, &future, units, err);
    int thereby = r == 0 ? foresee(&future, foresight, err) : r;
    if (thereby < 0)
        return thereby;
    *ret = json_pack("{s:o, s:b}", "changes", foresight_json(foresight), "settled",
                     anyway == 0 && thereby == 0);
    return *ret ? 0 : error_oom(err);
}
