/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/role_choice.h"

#include <string.h>

#include "base/text.h"
#include "scheduler/model_data.h"

/* --- comparing --- */

int role_candidate_compare(const struct role_candidate *a, const struct role_candidate *b)
{
    if (a->alike != b->alike)
        return a->alike < b->alike ? -1 : 1;
    if (a->priority != b->priority)
        return a->priority > b->priority ? -1 : 1;
    if (a->other_roles != b->other_roles)
        return a->other_roles < b->other_roles ? -1 : 1;
    if (a->registration != b->registration)
        return a->registration < b->registration ? -1 : 1;
    return strcmp(a->id, b->id);
}

int role_surplus_compare(const struct role_candidate *a, const struct role_candidate *b)
{
    if (a->alike != b->alike)
        return a->alike > b->alike ? -1 : 1;
    if (a->priority != b->priority)
        return a->priority < b->priority ? -1 : 1;
    if (a->slot_mod != b->slot_mod)
        return a->slot_mod > b->slot_mod ? -1 : 1;
    return strcmp(b->id, a->id);
}

bool role_candidate_is_better(const struct role_candidate *a, const struct role_candidate *b)
{
    return a->alike != b->alike ? a->alike < b->alike : a->priority > b->priority;
}

/* --- what must be --- */

/* Its static metadata: what roles lay over it would make one role's holders depend on another's. */
static const char *own_metadata(const struct machine *machine, const char *key, size_t length)
{
    for (size_t i = 0; i < machine->member.metadata_count; i++) {
        const struct metadata_rule *rule = &machine->member.metadata[i];
        if (strncmp(rule->key, key, length) == 0 && rule->key[length] == '\0')
            return rule->value;
    }
    return NULL;
}

/* Does the machine have one of the values that are asked of this pair's key? */
static bool has_one_of(const struct machine *machine, char *const *pairs, const char *pair)
{
    size_t key = strcspn(pair, "=");
    const char *value = own_metadata(machine, pair, key);
    if (!value)
        return false;
    for (; *pairs; pairs++)
        if (strcspn(*pairs, "=") == key && strncmp(*pairs, pair, key) == 0 && (*pairs)[key] &&
            strcmp(*pairs + key + 1, value) == 0)
            return true;
    return false;
}

const char *role_lacks(const struct role *role, const struct machine *machine)
{
    char *const *pairs = role->def.require;
    for (size_t i = 0; pairs && pairs[i]; i++)
        if (!has_one_of(machine, pairs, pairs[i]))
            return pairs[i];
    return NULL;
}

bool role_suits(const struct role *role, const struct machine *machine)
{
    return machine_role_priority(machine, role->name) > 0 && !role_lacks(role, machine);
}

bool role_may_take(const struct role *role, const struct machine *machine)
{
    return machine_is_open(machine) && role_suits(role, machine);
}

/* --- who still stops --- */

static bool asks_for_active(const struct unit *unit, const struct role *role)
{
    const struct requirements *rules = unit_rules(unit);
    for (size_t i = 0; rules && i < rules->metadata_count; i++) {
        const struct metadata_rule *rule = &rules->metadata[i];
        if (text_starts_with(rule->key, "role.") && text_equal(rule->key + 5, role->name) &&
            text_equal(rule->value, "active"))
            return true;
    }
    return false;
}

bool role_is_leaving(const struct role *role, const struct machine *machine)
{
    const struct placement *p = NULL;
    if (machine->registration == 0 || role_is_held_by(role, machine))
        return false;
    DL_FOREACH2(machine->placements, p, machine_next)
        if (p->assignment_mod > 0 && p->want == WANT_RELEASE && asks_for_active(p->key.unit, role))
            return true;
    return false;
}

static bool has_just_given_up(const struct role *role, const struct machine *machine)
{
    const struct slot *slot = NULL;
    DL_FOREACH(role->slots, slot)
        if (slot_was_just_cleared(slot) && slot->machine == machine)
            return true;
    return false;
}

/* --- roles that do not go together --- */

static bool do_conflict(const struct role *a, const struct role *b)
{
    return (a->def.conflicts && strv_contains(a->def.conflicts, b->name)) ||
           (b->def.conflicts && strv_contains(b->def.conflicts, a->name));
}

const struct role *role_in_the_way(const struct model *model, const struct role *role,
                                   const struct machine *machine)
{
    for (const struct role *r = model->roles; r; r = r->hh.next)
        if (r != role && r->defined && do_conflict(r, role) &&
            (role_is_held_by(r, machine) || role_is_leaving(r, machine) ||
             has_just_given_up(r, machine)))
            return r;
    return NULL;
}

/* --- candidates --- */

static unsigned int count_other_roles(const struct model *model, const struct role *role,
                                      const struct machine *machine)
{
    unsigned int count = 0;
    for (const struct role *r = model->roles; r; r = r->hh.next)
        count += r != role && role_is_held_by(r, machine);
    return count;
}

/* A machine without the key is like nobody. */
static unsigned int count_alike(const struct role *role, const struct machine *machine,
                                const struct machine *without)
{
    unsigned int count = 0;
    const struct slot *slot = NULL;
    const char *key = role->def.spread ? role->def.spread : "";
    const char *value = *key ? own_metadata(machine, key, strlen(key)) : NULL;
    if (!value)
        return 0;
    DL_FOREACH(role->slots, slot) {
        const struct machine *holder = slot_holder(slot);
        if (holder && holder != machine && holder != without)
            count += text_equal(own_metadata(holder, key, strlen(key)), value);
    }
    return count;
}

struct role_candidate role_candidate_of(const struct model *model, const struct role *role,
                                        struct machine *machine, const struct machine *without)
{
    return (struct role_candidate){
        .machine = machine,
        .id = machine->id,
        .alike = count_alike(role, machine, without),
        .priority = machine_role_priority(machine, role->name),
        .other_roles = count_other_roles(model, role, machine),
        .registration = machine->registration,
    };
}

static bool is_spare(const struct model *model, const struct role *role,
                     const struct machine *machine)
{
    return role_may_take(role, machine) && !role_is_held_by(role, machine) &&
           !role_in_the_way(model, role, machine);
}

struct role_candidate role_best_spare(const struct model *model, const struct role *role,
                                      const struct machine *without)
{
    struct role_candidate best = { 0 };
    for (size_t i = 0; i < model->machine_count; i++) {
        struct machine *m = model->machines_by_id[i];
        if (!is_spare(model, role, m))
            continue;
        const struct role_candidate candidate = role_candidate_of(model, role, m, without);
        if (!best.machine || role_candidate_compare(&candidate, &best) < 0)
            best = candidate;
    }
    return best;
}

unsigned int role_count_spares(const struct model *model, const struct role *role)
{
    unsigned int count = 0;
    for (size_t i = 0; i < model->machine_count; i++)
        count += is_spare(model, role, model->machines_by_id[i]);
    return count;
}
