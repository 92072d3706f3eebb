/* SPDX-License-Identifier: Apache-2.0 */
#include "api/machine_json.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"

enum { PREFIX_MIN = 4 };

/* --- which --- */

static bool is_meant(const struct view_entry *member, const char *word)
{
    bool by_id = strlen(word) >= PREFIX_MIN && text_starts_with(member->machine, word);
    return by_id || text_equal(member->record.member.name, word);
}

int machine_find(const struct view *view, const char *word, const struct view_entry **ret,
                 struct error *err)
{
    size_t count = 0;
    const struct view_entry *found = view_find(view, STORE_KEY_MEMBER, word, "");
    struct view_entry *const *members = view_list(view, STORE_KEY_MEMBER, &count);
    for (size_t i = 0; !found && i < count; i++) {
        if (!is_meant(members[i], word))
            continue;
        for (size_t j = i + 1; j < count; j++)
            if (is_meant(members[j], word))
                return error_set(err, -EEXIST,
                                 "\"%s\" could be %.8s (%s) or %.8s (%s): name it by its id", word,
                                 members[i]->machine, members[i]->record.member.name,
                                 members[j]->machine, members[j]->record.member.name);
        found = members[i];
    }
    if (!found)
        return error_set(err, -ENOENT, "there is no machine %s (musterctl list-machines --full)",
                         word);
    *ret = found;
    return 0;
}

/* --- what --- */

json_t *machine_metadata_json(const struct model *model, const struct view_entry *member)
{
    json_t *object = json_object();
    struct metadata_rule *rules = NULL;
    size_t count = 0;
    if (!object || model_effective_metadata(model, member->machine, &rules, &count, NULL) < 0)
        return object;
    for (size_t i = 0; i < count; i++)
        (void)json_object_set_new(object, rules[i].key, json_string(rules[i].value));
    metadata_free(rules, count);
    return object;
}

static const char *drain_word(const struct record_drain *drain)
{
    if (drain->drained)
        return "drained";
    return drain->expired ? "expired" : "draining";
}

static json_t *drain_json(const struct view_entry *entry)
{
    if (!entry)
        return json_null();
    const struct record_drain *drain = &entry->record.drain;
    return json_pack("{s:s, s:s, s:I, s:I}", "state", drain_word(drain), "problem", drain->problem,
                     "since_ms", (json_int_t)drain->since_ms, "timeout_ms",
                     (json_int_t)drain->timeout_ms);
}

/* What a person wants to know first: is it there, does it take anybody, is it being emptied. */
static const char *state_word(const struct record_presence *up, const struct view_entry *cordon,
                              const struct view_entry *drain)
{
    if (!up)
        return "down";
    if (!up->ready)
        return "not ready";
    if (drain && !drain->record.drain.expired)
        return drain_word(&drain->record.drain);
    return cordon ? "cordoned" : "up";
}

static const char *reason_words(const struct record_presence *up, const struct view_entry *cordon,
                                const struct view_entry *drain)
{
    if (up && *up->not_ready_reason)
        return up->not_ready_reason;
    if (drain && *drain->record.drain.problem)
        return drain->record.drain.problem;
    return cordon && cordon->record.cordon.reason ? cordon->record.cordon.reason : "";
}

/* Thousandths of processors, bytes, tasks. */
static json_t *room_json(const struct model_room *room)
{
    json_t *object = json_object();
    for (size_t i = 0; object && i < RESOURCES; i++)
        (void)json_object_set_new(object, resource_name((enum resource)i),
                                  json_pack("{s:I, s:I}", "promised", (json_int_t)room->promised[i],
                                            "capacity", (json_int_t)room->capacity[i]));
    return object;
}

json_t *machine_json(const struct view *view, const struct model *model,
                     const struct view_entry *member)
{
    const struct view_entry *presence = view_find(view, STORE_KEY_PRESENCE, member->machine, "");
    const struct view_entry *cordon = view_find(view, STORE_KEY_CORDON, member->machine, "");
    const struct view_entry *drain = view_find(view, STORE_KEY_DRAIN, member->machine, "");
    const struct record_presence *up = presence ? &presence->record.presence : NULL;
    const char *ip = member->record.member.public_ip;
    struct model_room room;
    model_room(model, member->machine, &room);
    return json_pack("{s:s, s:s, s:s, s:o, s:s, s:s, s:I, s:b, s:o, s:o}", "id", member->machine,
                     "name", member->record.member.name, "ip", *ip || !up ? ip : up->address,
                     "metadata", machine_metadata_json(model, member), "state",
                     state_word(up, cordon, drain), "reason", reason_words(up, cordon, drain),
                     "units", (json_int_t)room.units, "cordoned", cordon ? 1 : 0, "drain",
                     drain_json(drain), "room", room_json(&room));
}
