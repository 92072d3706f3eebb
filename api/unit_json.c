/* SPDX-License-Identifier: Apache-2.0 */
#include "api/unit_json.h"

#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "units/unit_file.h"

enum { FLEET_HASH_DIGITS = 40 }; /* fleet's is a SHA-1 */

struct unit_words unit_copy_words(const struct view_copy *copy)
{
    if (!copy->state)
        return (struct unit_words){ "-", "-", "-" };
    const struct record_state *state = &copy->state->record.state;
    if (!copy->known)
        return (struct unit_words){ state->load, "unknown", "unknown" };
    return (struct unit_words){ state->load, state->active, state->sub };
}

static bool has_answered(const struct view_copy *copy)
{
    return copy->assignment && copy->known &&
           copy->state->record.state.assignment_revision >= copy->assignment->mod;
}

const char *unit_current_state(const struct view_copy *copies, size_t count)
{
    const char *state = "inactive";
    for (size_t i = 0; i < count; i++) {
        if (!has_answered(&copies[i]))
            continue;
        if (copies[i].assignment->record.assignment.want == WANT_RUN)
            return "launched";
        state = "loaded";
    }
    return state;
}

static const char *machine_ip(const struct view *view, const char *machine)
{
    const struct view_entry *member = view_find(view, STORE_KEY_MEMBER, machine, "");
    if (member && *member->record.member.public_ip)
        return member->record.member.public_ip;
    const struct view_entry *presence = view_find(view, STORE_KEY_PRESENCE, machine, "");
    return presence ? presence->record.presence.address : "";
}

static json_t *copy_json(const struct view *view, const struct view_copy *copy)
{
    struct unit_words words = unit_copy_words(copy);
    const struct view_entry *member = view_find(view, STORE_KEY_MEMBER, copy->machine, "");
    json_t *json =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b}", "machine", copy->machine, "host",
                  member ? member->record.member.name : "", "ip", machine_ip(view, copy->machine),
                  "load", words.load, "active", words.active, "sub", words.sub, "present",
                  view_find(view, STORE_KEY_PRESENCE, copy->machine, "") ? 1 : 0);
    if (json && copy->assignment) {
        const struct record_assignment *assignment = &copy->assignment->record.assignment;
        (void)json_object_set_new(json, "want", json_string(want_name(assignment->want)));
        (void)json_object_set_new(json, "why", json_string(assignment->reason));
        if (*assignment->moves_from)
            (void)json_object_set_new(json, "moves_from", json_string(assignment->moves_from));
    }
    if (json && copy->state) {
        const struct record_state *state = &copy->state->record.state;
        (void)json_object_set_new(json, "result", json_string(state->result));
        (void)json_object_set_new(json, "problem", json_string(state->problem));
        (void)json_object_set_new(json, "image", json_string(state->image));
        (void)json_object_set_new(json, "addresses", json_string(state->addresses));
        (void)json_object_set_new(json, "ports", json_string(state->ports));
        (void)json_object_set_new(json, "health", json_string(copy->known ? state->health : ""));
        (void)json_object_set_new(json, "health_reason",
                                  json_string(copy->known ? state->health_reason : ""));
        (void)json_object_set_new(json, "since_ms", json_integer(state->since_ms));
        if (!copy->known)
            (void)json_object_set_new(
                json, "last_heard",
                json_pack("{s:s, s:s}", "active", state->active, "sub", state->sub));
    }
    return json;
}

static json_t *copies_json(const struct view *view, const struct view_copy *copies, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        (void)json_array_append_new(list, copy_json(view, &copies[i]));
    return list;
}

json_t *unit_json(const struct view *view, const struct view_entry *unit)
{
    autofree struct view_copy *copies = NULL;
    size_t count = 0;
    const struct record_unit *record = &unit->record.unit;
    const struct view_entry *verdict = view_find(view, STORE_KEY_VERDICT, "", unit->name);
    if (view_copies(view, unit->name, &copies, &count, NULL) < 0)
        return NULL;
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:I, s:b, s:s, s:s, s:o}", "name", unit->name, "desired",
        desired_name(record->desired), "state", unit_current_state(copies, count), "hash",
        record->blob, "revision", (json_int_t)unit->mod, "global",
        view_is_global(view, unit) ? 1 : 0, "description", view_description(view, unit), "verdict",
        verdict ? verdict->record.verdict.reason : "", "copies", copies_json(view, copies, count));
}

json_t *unit_json_whole(const struct view *view, const struct view_entry *unit)
{
    size_t length = 0;
    const char *text = view_unit_text(view, unit, &length);
    json_t *json = unit_json(view, unit);
    if (json)
        (void)json_object_set_new(json, "text", text ? json_stringn(text, length) : json_null());
    return json;
}

static json_t *options_json(const struct view *view, const struct view_entry *unit)
{
    autoptr(unit_file) file = NULL;
    size_t length = 0;
    const char *text = view_unit_text(view, unit, &length);
    json_t *list = json_array();
    if (!text || unit_file_parse(text, length, &file, NULL) < 0)
        return list;
    for (size_t i = 0; i < file->count; i++) {
        const struct unit_option *option = &file->options[i];
        (void)json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "section", option->section,
                                                    "name", option->key, "value", option->value));
    }
    return list;
}

json_t *unit_json_fleet(const struct view *view, const struct view_entry *unit)
{
    autofree struct view_copy *copies = NULL;
    size_t count = 0;
    if (view_copies(view, unit->name, &copies, &count, NULL) < 0)
        return NULL;
    json_t *json =
        json_pack("{s:s, s:o, s:s}", "name", unit->name, "options", options_json(view, unit),
                  "desiredState", desired_name(unit->record.unit.desired));
    if (!json || view_is_global(view, unit))
        return json; /* a global unit has neither one machine nor one state */
    (void)json_object_set_new(json, "currentState", json_string(unit_current_state(copies, count)));
    for (size_t i = 0; i < count; i++) {
        if (copies[i].assignment)
            (void)json_object_set_new(json, "machineID", json_string(copies[i].machine));
    }
    return json;
}

json_t *unit_json_fleet_state(const struct view *view, const struct view_entry *unit,
                              const struct view_copy *copy)
{
    struct unit_words words = unit_copy_words(copy);
    (void)view;
    return json_pack("{s:s, s:s%, s:s, s:s, s:s, s:s}", "name", unit->name, "hash",
                     unit->record.unit.blob, strnlen(unit->record.unit.blob, FLEET_HASH_DIGITS),
                     "machineID", copy->machine, "systemdLoadState", words.load,
                     "systemdActiveState", words.active, "systemdSubState", words.sub);
}
