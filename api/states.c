/* SPDX-License-Identifier: Apache-2.0 */
/* fleet's unit states: one entity per unit and machine that has it. */
#include "api/route.h"
#include "api/unit_json.h"

/* Appends the states of one unit that pass the filter; a copy of which nothing has been heard yet
 * has no state. */
static void append_states(json_t *list, const struct view *view, const struct view_entry *unit,
                          const char *machine)
{
    autofree struct view_copy *copies = NULL;
    size_t count = 0;
    if (view_copies(view, unit->name, &copies, &count, NULL) < 0)
        return;
    for (size_t i = 0; i < count; i++) {
        if (copies[i].state && (!machine || text_equal(machine, copies[i].machine)))
            (void)json_array_append_new(list, unit_json_fleet_state(view, unit, &copies[i]));
    }
}

static void on_list(struct call *call, const struct view *view)
{
    const char *machine = call_query(call, "machineID");
    const char *name = call_query(call, "unitName");
    size_t count = 0;
    struct view_entry *const *units = view_list(view, STORE_KEY_UNIT, &count);
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        if (!name || text_equal(name, units[i]->name))
            append_states(list, view, units[i], machine);
    }
    call_reply(call, 200, json_pack("{s:o}", "states", list));
}

void states_fleet_list(struct call *call)
{
    call_with_view(call, on_list);
}

static void on_show(struct call *call, const struct view *view)
{
    const struct view_entry *unit = view_find(view, STORE_KEY_UNIT, "", call->name);
    json_t *list = json_array();
    if (unit)
        append_states(list, view, unit, NULL);
    json_t *first = json_array_get(list, 0);
    if (first)
        call_reply(call, 200, json_incref(first));
    else
        call_fail(call, 404, "unit %s", unit ? "has no state yet" : "does not exist");
    json_decref(list);
}

void states_fleet_show(struct call *call)
{
    call_with_view(call, on_show);
}
