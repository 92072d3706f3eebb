/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/match.h"

#include <string.h>

#include "scheduler/party.h"
#include "scheduler/role_choice.h"
#include "units/amount.h"

static const struct refusal fits = { REFUSAL_NONE, NULL, 0 };

/* --- the machine itself --- */

static struct refusal match_newcomer(const struct machine *machine)
{
    if (machine->registration == 0 || !machine->is_member)
        return (struct refusal){ REFUSAL_NOT_REGISTERED, NULL, 0 };
    if (!machine->ready)
        return (struct refusal){ REFUSAL_NOT_READY, NULL, 0 };
    if (machine->cordoned)
        return (struct refusal){ REFUSAL_CORDONED, NULL, 0 };
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
    return role_suits(role, machine) ? "standby" : NULL;
}

/* The value of a key as scheduling sees it: a role's overlay, else static. NULL: unset. */
static const char *metadata_of(const struct model *model, const struct machine *machine,
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
        if (!value_is_wanted(want, key, metadata_of(model, machine, key)))
            return (struct refusal){ REFUSAL_METADATA, key, 0 };
    }
    return fits;
}

struct refusal match_class(const struct model *model, const struct requirements *rules,
                           const struct machine *machine)
{
    if (rules->machine_id && !is_machine(machine, rules->machine_id))
        return (struct refusal){ REFUSAL_MACHINE_ID, NULL, 0 };
    for (char **word = rules->capabilities; word && *word; word++)
        if (!strv_contains(machine->member.capabilities, *word))
            return (struct refusal){ REFUSAL_CAPABILITY, *word, 0 };
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

/* with: who would come along, or NULL. */
static struct refusal match_peers(const struct unit *unit, const struct machine *machine,
                                  const struct party *with)
{
    for (size_t i = 0; i < unit_follow_count(unit); i++) {
        const struct unit *peer = unit->follows->links[i].peer;
        if (peer == unit || (with && party_has(with, peer)) || is_held_by(peer, machine))
            continue;
        return (struct refusal){ unit_is_held_anywhere(peer) ? REFUSAL_PEER_ELSEWHERE
                                                             : REFUSAL_PEER_UNASSIGNED,
                                 peer->name, 0 };
    }
    return fits;
}

/* --- conflicts --- */

static bool matches_any(char *const *globs, const char *name)
{
    for (; globs && *globs; globs++)
        if (text_glob_match(*globs, name))
            return true;
    return false;
}

static bool declares(const struct unit *unit, const char *name)
{
    const struct requirements *rules = unit_rules(unit);
    return rules && matches_any(rules->conflicts, name);
}

/* May the other not be beside it? */
static bool replaces(const struct unit *unit, const struct unit *other)
{
    const struct requirements *rules = unit_rules(unit);
    return rules && unit != other && matches_any(rules->replaces, other->name);
}

static bool ports_clash(const struct port_claim *a, const struct port_claim *b)
{
    return a->port == b->port && strcmp(a->protocol, b->protocol) == 0 &&
           (!*a->address || !*b->address || strcmp(a->address, b->address) == 0);
}

/* The first port that both want, or 0. */
static unsigned int common_port(const struct unit *a, const struct unit *b)
{
    const struct requirements *left = unit_rules(a);
    const struct requirements *right = unit_rules(b);
    for (size_t i = 0; left && right && i < left->port_count; i++)
        for (size_t j = 0; j < right->port_count; j++)
            if (ports_clash(&left->ports[i], &right->ports[j]))
                return left->ports[i].port;
    return 0;
}

bool units_clash(const struct unit *a, const struct unit *b)
{
    return declares(a, b->name) || declares(b, a->name) || replaces(a, b) || replaces(b, a) ||
           common_port(a, b) > 0;
}

/* The same on every leader: by age, and by name within one revision. */
static bool is_older(const struct unit *a, const struct unit *b)
{
    return a->create != b->create ? a->create < b->create : strcmp(a->name, b->name) < 0;
}

/* Of two in conflict on one machine, which stays? One that runs everywhere has no other place
 * there, so who is more important comes first. */
static bool stays_before(const struct unit *a, const struct unit *b)
{
    bool is_any_global = unit_is_global(a) || unit_is_global(b);
    if (is_any_global && unit_priority(a) != unit_priority(b))
        return unit_priority(a) > unit_priority(b);
    return is_older(a, b);
}

bool unit_replaces(const struct unit *unit, const struct unit *other)
{
    return replaces(unit, other) && !replaces(other, unit);
}

/* One that replaces it is about to come. */
static struct refusal match_cleared(const struct unit *unit, const struct machine *machine)
{
    if (!machine->is_cleared || !unit_replaces(machine->kept_for, unit))
        return fits;
    return (struct refusal){ REFUSAL_REPLACED, machine->kept_for->name, 0 };
}

/* What is being released, or is about to be, since nobody wants it, occupies its machine until it
 * is dropped, but it drives nobody out: it is going itself. */
static bool counts(const struct placement *p, enum match_mode mode)
{
    return mode == MATCH_STAY ? placement_holds(p) && unit_is_wanted(p->key.unit)
                              : placement_occupies(p);
}

/* Must unit keep away from where p is? */
static bool yields_to(const struct unit *unit, const struct placement *p, enum match_mode mode)
{
    const struct unit *other = p->key.unit;
    if (other == unit || !counts(p, mode))
        return false;
    if (unit_replaces(other, unit))
        return true;
    if (mode == MATCH_STAY && !stays_before(other, unit))
        return false;
    return unit_is_strange(other) || declares(unit, other->name) || declares(other, unit->name) ||
           replaces(other, unit) || common_port(unit, other) > 0;
}

static struct refusal conflict_with(const struct unit *unit, const struct unit *other)
{
    struct refusal refusal = { REFUSAL_CONFLICT, other->name, 0 };
    if (unit_is_strange(other)) {
        refusal.kind = REFUSAL_STOPPING;
    } else if (declares(unit, other->name) || declares(other, unit->name)) {
        refusal.kind = REFUSAL_CONFLICT;
    } else if (replaces(other, unit)) {
        refusal.kind = REFUSAL_REPLACED;
    } else {
        refusal.kind = REFUSAL_PORT;
        refusal.number = common_port(unit, other);
    }
    return refusal;
}

/* Of a list and of what was found before, the first by name: the words do not depend on who came
 * first. */
static const struct unit *first_yielded(const struct unit *unit, const struct placement *list,
                                        enum match_mode mode, const struct unit *first)
{
    const struct placement *p = NULL;
    LL_FOREACH2(list, p, machine_next)
        if (yields_to(unit, p, mode) && (!first || strcmp(p->key.unit->name, first->name) < 0))
            first = p->key.unit;
    return first;
}

static struct refusal match_conflicts(struct model *model, const struct unit *unit,
                                      const struct machine *machine, enum match_mode mode)
{
    if (!index_may_conflict(model, unit, machine))
        return fits;
    const struct unit *first = first_yielded(unit, machine->placements, mode, NULL);
    first = first_yielded(unit, machine->arrivals, mode, first);
    return first ? conflict_with(unit, first) : fits;
}

/* --- how many, how much --- */

static size_t count_mates(const struct unit *unit, const struct placement *list,
                          enum match_mode mode)
{
    const struct placement *p = NULL;
    size_t count = 0;
    LL_FOREACH2(list, p, machine_next) {
        const struct unit *other = p->key.unit;
        if (other == unit || !other->group || other->group->family != unit->group->family)
            continue;
        count += counts(p, mode) && (mode == MATCH_ARRIVE || is_older(other, unit));
    }
    return count;
}

static struct refusal match_mates(const struct unit *unit, const struct machine *machine,
                                  enum match_mode mode, const struct party *with)
{
    unsigned int max = unit_rules(unit)->max_per_machine;
    size_t coming = max > 0 && with ? party_mates(with, unit) : 0;
    if (max == 0 || count_mates(unit, machine->placements, mode) +
                            count_mates(unit, machine->arrivals, mode) + coming <
                        max)
        return fits;
    return (struct refusal){ REFUSAL_CROWDED, unit->group->family->name, max };
}

enum resource match_amounts(const int64_t *asked, const struct machine *machine)
{
    size_t i = 0;
    while (i < RESOURCES && (asked[i] == 0 || machine->capacity[i] == 0 ||
                             machine->used[i] + asked[i] <= machine->capacity[i]))
        i++;
    return (enum resource)i;
}

enum resource match_room(const struct group *group, const struct machine *machine)
{
    return match_amounts(group->requests, machine);
}

/* --- all of it, the cheapest first; room last, since it passes soonest --- */

static struct refusal match_but_room(struct model *model, const struct unit *unit,
                                     const struct machine *machine, enum match_mode mode,
                                     const struct party *with)
{
    struct refusal refusal = mode == MATCH_ARRIVE ? match_newcomer(machine) : fits;
    if (!refusal.kind && machine->is_member) /* else nobody knows what it has */
        refusal = match_class(model, unit_rules(unit), machine);
    if (!refusal.kind)
        refusal = match_peers(unit, machine, with);
    if (!refusal.kind)
        refusal = match_cleared(unit, machine);
    if (!refusal.kind)
        refusal = match_conflicts(model, unit, machine, mode);
    if (!refusal.kind)
        refusal = match_mates(unit, machine, mode, with);
    return refusal;
}

static struct refusal match_left(const int64_t *asked, const struct machine *machine, bool is_kept)
{
    enum resource lacking = match_amounts(asked, machine);
    if (lacking != RESOURCES)
        return (struct refusal){ REFUSAL_ROOM, NULL, lacking };
    return is_kept ? (struct refusal){ REFUSAL_KEPT, machine->kept_for->name, 0 } : fits;
}

struct refusal match(struct model *model, const struct unit *unit, const struct machine *machine,
                     enum match_mode mode)
{
    const struct refusal refusal = match_but_room(model, unit, machine, mode, NULL);
    if (refusal.kind || mode == MATCH_STAY || !unit->group->asks_room)
        return refusal;
    return match_left(unit_rules(unit)->requests, machine, machine_is_kept_from(machine, unit));
}

static bool lacks_role(const struct model *model, const struct requirements *rules,
                       const struct machine *machine)
{
    for (size_t i = 0; i < rules->metadata_count; i++) {
        const char *key = rules->metadata[i].key;
        if (text_starts_with(key, "role.") &&
            !value_is_wanted(rules, key, metadata_of(model, machine, key)))
            return true;
    }
    return false;
}

bool match_is_of_the_machine(struct model *model, const struct unit *unit,
                             const struct machine *machine, const struct refusal *refusal)
{
    if ((refusal->kind != REFUSAL_MACHINE_ID && refusal->kind != REFUSAL_METADATA &&
         refusal->kind != REFUSAL_CAPABILITY) ||
        lacks_role(model, unit_rules(unit), machine))
        return false;
    return match_peers(unit, machine, NULL).kind == REFUSAL_NONE &&
           match_cleared(unit, machine).kind == REFUSAL_NONE &&
           match_conflicts(model, unit, machine, MATCH_STAY).kind == REFUSAL_NONE &&
           match_mates(unit, machine, MATCH_STAY, NULL).kind == REFUSAL_NONE;
}

bool match_may_linger(struct model *model, const struct placement *p, const struct refusal *refusal)
{
    const struct unit *unit = p->key.unit;
    const struct requirements *rules = unit_rules(unit);
    const char *id = rules ? rules->machine_id : NULL;
    return refusal->kind != REFUSAL_MACHINE_ID && placement_holds(p) &&
           p->unit_revision == unit->mod && (!id || is_machine(p->key.machine, id)) &&
           match_is_of_the_machine(model, unit, p->key.machine, refusal);
}

struct refusal match_party(struct model *model, const struct party *party,
                           const struct machine *machine, enum match_mode mode,
                           const struct unit **ret_unit)
{
    struct refusal refusal = fits;
    *ret_unit = party->members[0];
    for (size_t i = 0; !refusal.kind && i < party->count; i++) {
        *ret_unit = party->members[i];
        refusal = match_but_room(model, party->members[i], machine, mode, party);
    }
    if (refusal.kind || mode == MATCH_STAY || !party->asks_room)
        return refusal;
    *ret_unit = party->members[0];
    return match_left(party->asked, machine, party_is_kept_from(party, machine));
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
    const char *value = metadata_of(model, machine, key);
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

/* What is left is rounded down, what is asked up: the words must show that it does not fit. */
static void amount_words(enum resource resource, int64_t amount, bool up, struct text *words)
{
    enum { MIB = 1048576 };
    switch (resource) {
    case RESOURCE_CPU:
        text_addf(words, "%.3g processors", (double)amount / CPU_MILLI);
        return;
    case RESOURCE_MEMORY:
        text_addf(words, "%lld MiB of memory", (long long)((amount + (up ? MIB - 1 : 0)) / MIB));
        return;
    case RESOURCE_TASKS:
    case RESOURCES:
        text_addf(words, "%lld tasks", (long long)amount);
        return;
    }
}

/* Of a list of a machine's placements the unit that is more important than most, or if there is
 * none than this priority; else most. Of those alike the first by name. */
static const struct unit *more_important(const struct placement *list, int priority,
                                         const struct unit *most)
{
    const struct placement *p = NULL;
    LL_FOREACH2(list, p, machine_next) {
        const struct unit *other = p->key.unit;
        int least = most ? unit_priority(most) : priority;
        if (placement_occupies(p) && other->group->asks_room &&
            (unit_priority(other) > least ||
             (most && unit_priority(other) == least && strcmp(other->name, most->name) < 0)))
            most = other;
    }
    return most;
}

static const struct unit *find_more_important(int priority, const struct machine *machine)
{
    const struct unit *most = more_important(machine->placements, priority, NULL);
    return more_important(machine->arrivals, priority, most);
}

static void room_words(const struct unit *unit, const struct party *party,
                       const struct machine *machine, enum resource resource, struct text *words)
{
    int64_t left = machine->capacity[resource] - machine->used[resource];
    text_add(words, "has ");
    amount_words(resource, left > 0 ? left : 0, false, words);
    text_add(words, " left, and ");
    amount_words(resource, party->asked[resource], true, words);
    text_add(words, " are asked");
    if (party->count > 1)
        text_addf(words, " by the %zu of the group", party->count);
    if (machine->is_reserved && machine->kept_for == unit)
        text_add(words, ", and what comes free is reserved for it");
    const struct unit *first = find_more_important(party->priority, machine);
    if (first)
        text_addf(words, " (%s, of priority %d, comes first)", first->name, unit_priority(first));
}

void match_party_words(const struct model *model, const struct party *party,
                       const struct unit *unit, const struct machine *machine,
                       const struct refusal *refusal, struct text *words)
{
    if (refusal->kind == REFUSAL_ROOM) {
        room_words(unit, party, machine, (enum resource)refusal->number, words);
        return;
    }
    if (party->count > 1 && refusal->kind > REFUSAL_CORDONED && refusal->kind != REFUSAL_KEPT)
        text_addf(words, "%s of the group: ", unit->name);
    refusal_words(model, unit, machine, refusal, words);
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
    case REFUSAL_CAPABILITY:
        text_addf(words, "has no capability %s", refusal->subject);
        return;
    case REFUSAL_REPLACED:
        text_addf(words, "%s replaces it there", refusal->subject);
        return;
    case REFUSAL_PORT:
        text_addf(words, "port %u is taken by %s", refusal->number, refusal->subject);
        return;
    case REFUSAL_CROWDED:
        text_addf(words, "has %u of %s, as many as MaxPerMachine= allows", refusal->number,
                  refusal->subject);
        return;
    case REFUSAL_ROOM: /* match_party_words() */
        return;
    case REFUSAL_KEPT:
        text_addf(words, machine->is_reserved ? "is reserved for %s" : "keeps its room for %s",
                  refusal->subject);
        return;
    case REFUSAL_STOPPING:
        text_addf(words, "still stops the destroyed %s, whose Conflicts= are unknown",
                  refusal->subject);
        return;
    }
}
