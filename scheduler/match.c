/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/match.h"

#include <string.h>

static const struct refusal fits = { REFUSAL_NONE, NULL };

/* --- the machine itself --- */

static struct refusal match_newcomer(const struct machine *machine)
{
    if (machine->registration == 0 || !machine->is_member)
        return (struct refusal){ REFUSAL_NOT_REGISTERED, NULL };
    if (!machine->ready)
        return (struct refusal){ REFUSAL_NOT_READY, NULL };
    if (machine->cordoned)
        return (struct refusal){ REFUSAL_CORDONED, NULL };
    return fits;
}

/* The whole id or exactly its first eight digits, as fleet has it. */
static bool is_machine(const struct machine *machine, const char *id)
{
    if (strlen(id) == 8)
        return strncmp(machine->id, id, 8) == 0;
    return strcmp(machine->id, id) == 0;
}

/* --- metadata --- */

const char *machine_role_word(const struct role *role, const struct machine *machine)
{
    if (!role->defined)
        return NULL;
    if (role_is_held_by(role, machine))
        return "active";
    return machine_role_priority(machine, role->name) > 0 ? "standby" : NULL;
}

const char *machine_metadata(const struct model *model, const struct machine *machine,
                             const char *key)
{
    struct role *role = NULL;
    if (text_starts_with(key, "role."))
        HASH_FIND_STR(model->roles, key + strlen("role."), role);
    const char *word = role ? machine_role_word(role, machine) : NULL;
    if (word)
        return word;
    for (size_t i = 0; i < machine->member.metadata_count; i++)
        if (strcmp(machine->member.metadata[i].key, key) == 0)
            return machine->member.metadata[i].value;
    return NULL;
}

static bool value_is_wanted(const struct requirements *requirements, const char *key,
                            const char *value)
{
    for (size_t i = 0; i < requirements->metadata_count; i++) {
        const struct metadata_rule *rule = &requirements->metadata[i];
        if (strcmp(rule->key, key) == 0 && text_equal(rule->value, value))
            return true;
    }
    return false;
}

static struct refusal match_metadata(const struct model *model, const struct requirements *want,
                                     const struct machine *machine)
{
    for (size_t i = 0; i < want->metadata_count; i++) {
        const char *key = want->metadata[i].key;
        if (!value_is_wanted(want, key, machine_metadata(model, machine, key)))
            return (struct refusal){ REFUSAL_METADATA, key };
    }
    return fits;
}

struct refusal match_class(const struct model *model, const struct requirements *rules,
                           const struct machine *machine)
{
    if (rules->machine_id && !is_machine(machine, rules->machine_id))
        return (struct refusal){ REFUSAL_MACHINE_ID, NULL };
    return match_metadata(model, rules, machine);
}

/* --- peers --- */

bool unit_is_held_anywhere(const struct unit *unit)
{
    const struct placement *p = NULL;
    LL_FOREACH2(unit->placements, p, unit_next)
    if (placement_holds(p))
        return true;
    return false;
}

static bool is_held_by(const struct unit *unit, const struct machine *machine)
{
    const struct placement *p = NULL;
    LL_FOREACH2(unit->placements, p, unit_next)
    if (p->key.machine == machine)
        return placement_holds(p);
    return false;
}

static struct refusal match_peers(const struct unit *unit, const struct machine *machine)
{
    for (size_t i = 0; i < unit_follow_count(unit); i++) {
        const struct unit *peer = unit->follows->links[i].peer;
        if (is_held_by(peer, machine))
            continue;
        return (struct refusal){ unit_is_held_anywhere(peer) ? REFUSAL_PEER_ELSEWHERE
                                                             : REFUSAL_PEER_UNASSIGNED,
                                 peer->name };
    }
    return fits;
}

/* --- conflicts --- */

static bool declares(const struct unit *unit, const char *name)
{
    const struct requirements *rules = unit_rules(unit);
    for (char **glob = rules ? rules->conflicts : NULL; glob && *glob; glob++)
        if (text_glob_match(*glob, name))
            return true;
    return false;
}

/* The same on every leader: by age, and by name within one revision. */
static bool is_older(const struct unit *a, const struct unit *b)
{
    return a->create != b->create ? a->create < b->create : strcmp(a->name, b->name) < 0;
}

/* Must unit keep away from where p is? What is being released occupies its machine until it is
 * dropped, but it drives nobody out: it is going itself. */
static bool yields_to(const struct unit *unit, const struct placement *p, enum match_mode mode)
{
    const struct unit *other = p->key.unit;
    if (other == unit || !placement_occupies(p))
        return false;
    if (mode == MATCH_STAY && (!placement_holds(p) || !is_older(other, unit)))
        return false;
    return unit_is_strange(other) || declares(unit, other->name) || declares(other, unit->name);
}

static struct refusal conflict_with(const struct unit *other)
{
    return (struct refusal){ unit_is_strange(other) ? REFUSAL_STOPPING : REFUSAL_CONFLICT,
                             other->name };
}

static struct refusal match_conflicts(struct model *model, const struct unit *unit,
                                      const struct machine *machine, enum match_mode mode)
{
    if (!index_may_conflict(model, unit, machine))
        return fits;
    const struct unit *first = NULL; /* by name: the words do not depend on who came first */
    const struct placement *p = NULL;
    DL_FOREACH2(machine->placements, p, machine_next)
        if (yields_to(unit, p, mode) && (!first || strcmp(p->key.unit->name, first->name) < 0))
            first = p->key.unit;
    return first ? conflict_with(first) : fits;
}

/* --- all of it, the cheapest first --- */

struct refusal match(struct model *model, const struct unit *unit, const struct machine *machine,
                     enum match_mode mode)
{
    struct refusal refusal = mode == MATCH_ARRIVE ? match_newcomer(machine) : fits;
    if (refusal.kind)
        return refusal;
    refusal = match_class(model, unit_rules(unit), machine);
    if (refusal.kind)
        return refusal;
    refusal = match_peers(unit, machine);
    if (refusal.kind)
        return refusal;
    return match_conflicts(model, unit, machine, mode);
}

/* --- words --- */

void machine_words(const struct machine *machine, struct text *words)
{
    text_add_bytes(words, machine->id, strnlen(machine->id, 8));
    if (machine->member.name && *machine->member.name)
        text_addf(words, " (%s)", machine->member.name);
}

static void metadata_words(const struct model *model, const struct unit *unit,
                           const struct machine *machine, const char *key, struct text *words)
{
    const struct requirements *want = unit_rules(unit);
    const char *value = machine_metadata(model, machine, key);
    const char *between = "";
    if (value)
        text_addf(words, "metadata %s is %s, not ", key, value);
    else
        text_addf(words, "has no metadata %s=", key);
    for (size_t i = 0; i < want->metadata_count; i++) {
        if (strcmp(want->metadata[i].key, key) != 0)
            continue;
        text_addf(words, "%s%s", between, want->metadata[i].value);
        between = " or ";
    }
}

void refusal_words(const struct model *model, const struct unit *unit,
                   const struct machine *machine, const struct refusal *refusal, struct text *words)
{
    switch (refusal->kind) {
    case REFUSAL_NONE:
        text_add(words, "may run it");
        return;
    case REFUSAL_NOT_REGISTERED:
        text_add(words, "is not registered (down, or cut off)");
        return;
    case REFUSAL_NOT_READY:
        text_addf(words, "is not ready (%s)", machine->not_ready_reason);
        return;
    case REFUSAL_CORDONED:
        text_add(words, "is cordoned");
        return;
    case REFUSAL_MACHINE_ID:
        text_addf(words, "is not machine %s", unit_rules(unit)->machine_id);
        return;
    case REFUSAL_METADATA:
        metadata_words(model, unit, machine, refusal->subject, words);
        return;
    case REFUSAL_PEER_UNASSIGNED:
        text_addf(words, "waits for %s", refusal->subject);
        return;
    case REFUSAL_PEER_ELSEWHERE:
        text_addf(words, "%s runs elsewhere", refusal->subject);
        return;
    case REFUSAL_CONFLICT:
        text_addf(words, "conflicts with %s", refusal->subject);
        return;
    case REFUSAL_STOPPING:
        text_addf(words, "still stops the destroyed %s, whose Conflicts= are unknown",
                  refusal->subject);
        return;
    }
}
