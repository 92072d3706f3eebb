/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/party.h"

#include <string.h>

#include "scheduler/match.h"

/* All that are tied to one unit, those that wait for somebody included. */
struct ties {
    struct unit *units[PARTY_MAX];
    size_t count;
    bool is_full;                          /* there are more */
    uint64_t follows[PARTY_MAX];           /* a bit for each of the units */
    const struct unit *missing[PARTY_MAX]; /* the peer that it waits for; NULL: for none */
};

static bool takes_part(const struct unit *unit)
{
    return unit_is_wanted(unit) && unit_rules(unit) && !unit_is_global(unit);
}

/* --- who is tied to whom --- */

static size_t find(struct unit *const *units, size_t count, const struct unit *unit)
{
    size_t i = 0;
    while (i < count && units[i] != unit)
        i++;
    return i;
}

static void add(struct ties *ties, struct unit *unit)
{
    if (!takes_part(unit) || find(ties->units, ties->count, unit) < ties->count)
        return;
    if (ties->count == PARTY_MAX)
        ties->is_full = true;
    else
        ties->units[ties->count++] = unit;
}

static void add_neighbours(struct ties *ties, const struct unit *unit)
{
    const struct follow *f = NULL;
    for (size_t i = 0; i < unit_follow_count(unit) && !ties->is_full; i++)
        add(ties, unit->follows->links[i].peer);
    for (f = unit->followers; f && !ties->is_full; f = f->next)
        add(ties, f->follower);
}

/* What nobody can be with: it is not wanted, or nobody knows its rules. */
static bool is_missing(const struct unit *peer)
{
    return !unit_is_wanted(peer) || !unit_rules(peer);
}

static void read_follows(struct ties *ties, size_t i)
{
    const struct unit *unit = ties->units[i];
    ties->follows[i] = 0;
    ties->missing[i] = NULL;
    for (size_t j = 0; j < unit_follow_count(unit); j++) {
        const struct unit *peer = unit->follows->links[j].peer;
        size_t at = find(ties->units, ties->count, peer);
        if (at < ties->count)
            ties->follows[i] |= party_bit(at);
        else if (!ties->missing[i] && is_missing(peer))
            ties->missing[i] = peer;
    }
}

/* Who follows one that waits, waits for that one. */
static void spread_missing(struct ties *ties)
{
    bool changed = true;
    while (changed) {
        changed = false;
        for (size_t i = 0; i < ties->count; i++)
            for (size_t j = 0; j < ties->count && !ties->missing[i]; j++)
                if (ties->follows[i] & party_bit(j) && ties->missing[j]) {
                    ties->missing[i] = ties->units[j];
                    changed = true;
                }
    }
}

static void tie(struct unit *unit, struct ties *ties)
{
    ties->count = 0;
    ties->is_full = false;
    add(ties, unit);
    for (size_t i = 0; i < ties->count && !ties->is_full; i++)
        add_neighbours(ties, ties->units[i]);
    for (size_t i = 0; i < ties->count; i++)
        read_follows(ties, i);
    spread_missing(ties);
}

/* Those tied to the first of the units without anybody between them who waits. */
static uint64_t connected(const struct ties *ties)
{
    uint64_t set = 1;
    uint64_t before = 0;
    while (set != before) {
        before = set;
        for (size_t i = 0; i < ties->count; i++)
            for (size_t j = 0; j < ties->count; j++)
                if (ties->follows[i] & party_bit(j) && !ties->missing[i] && !ties->missing[j] &&
                    (set & party_bit(i) || set & party_bit(j)))
                    set |= party_bit(i) | party_bit(j);
    }
    return set;
}

static void close_reach(uint64_t *reach, size_t count)
{
    for (size_t via = 0; via < count; via++)
        for (size_t i = 0; i < count; i++)
            if (reach[i] & party_bit(via))
                reach[i] |= reach[via];
}

/* --- in order --- */

struct rank {
    struct unit *unit;
    size_t was;
    uint64_t reach;
};

static int compare_ranks(const void *a, const void *b)
{
    const struct rank *left = a;
    const struct rank *right = b;
    int left_follows = __builtin_popcountll(left->reach);
    int right_follows = __builtin_popcountll(right->reach);
    if (left_follows != right_follows)
        return left_follows < right_follows ? -1 : 1;
    if (left->unit->create != right->unit->create)
        return left->unit->create < right->unit->create ? -1 : 1;
    return strcmp(left->unit->name, right->unit->name);
}

static void reckon(struct party *party)
{
    memset(party->asked, 0, sizeof(party->asked));
    party->asks_room = false;
    party->priority = party->count > 0 ? unit_priority(party->members[0]) : 0;
    for (size_t i = 0; i < party->count; i++) {
        const struct unit *unit = party->members[i];
        if (!unit->group->asks_room)
            continue;
        for (size_t r = 0; r < RESOURCES; r++)
            party->asked[r] += unit_rules(unit)->requests[r];
        if (!party->asks_room || unit_priority(unit) < party->priority)
            party->priority = unit_priority(unit);
        party->asks_room = true;
    }
}

static void line_up(const struct ties *ties, uint64_t set, struct party *ret)
{
    struct rank ranks[PARTY_MAX] = { 0 };
    uint64_t reach[PARTY_MAX];
    size_t now[PARTY_MAX];
    memcpy(reach, ties->follows, ties->count * sizeof(*reach));
    close_reach(reach, ties->count);
    ret->count = 0;
    for (size_t i = 0; i < ties->count; i++)
        if (set & party_bit(i))
            ranks[ret->count++] = (struct rank){ ties->units[i], i, reach[i] };
    qsort(ranks, ret->count, sizeof(*ranks), compare_ranks);
    for (size_t i = 0; i < ret->count; i++)
        now[ranks[i].was] = i;
    for (size_t i = 0; i < ret->count; i++) {
        ret->members[i] = ranks[i].unit;
        ret->reach[i] = 0;
        for (size_t j = 0; j < ties->count; j++)
            if (set & party_bit(j) && ranks[i].reach & party_bit(j))
                ret->reach[i] |= party_bit(now[j]);
    }
    reckon(ret);
}

/* --- parties --- */

void party_gather(struct unit *unit, struct party *ret)
{
    struct ties ties;
    if (!unit_is_tied(unit) || !takes_part(unit)) {
        party_of_one(unit, ret);
        return;
    }
    tie(unit, &ties);
    ret->count = 0;
    ret->is_too_large = ties.is_full;
    ret->missing = ties.missing[0];
    if (!ret->is_too_large && !ret->missing)
        line_up(&ties, connected(&ties), ret);
}

void party_of_one(struct unit *unit, struct party *ret)
{
    ret->count = 1;
    ret->missing = NULL;
    ret->is_too_large = false;
    ret->members[0] = unit;
    ret->reach[0] = 0;
    reckon(ret);
}

void party_pick(const struct party *party, uint64_t set, struct party *ret)
{
    ret->count = 0;
    ret->missing = NULL;
    ret->is_too_large = false;
    for (size_t i = 0; i < party->count; i++) {
        if (!(set & party_bit(i)))
            continue;
        uint64_t reach = 0;
        size_t to = 0;
        for (size_t j = 0; j < party->count; j++)
            if (set & party_bit(j))
                reach |= party->reach[i] & party_bit(j) ? party_bit(to++) : (to++, 0);
        ret->members[ret->count] = party->members[i];
        ret->reach[ret->count++] = reach;
    }
    reckon(ret);
}

size_t party_index(const struct party *party, const struct unit *unit)
{
    return find(party->members, party->count, unit);
}

size_t party_mates(const struct party *party, const struct unit *unit)
{
    size_t count = 0;
    for (size_t i = 0; i < party->count; i++)
        count +=
            party->members[i] != unit && party->members[i]->group->family == unit->group->family;
    return count;
}

static bool is_choosy(const struct unit *unit)
{
    const struct requirements *rules = unit_rules(unit);
    return rules->conflicts || rules->replaces || rules->port_count > 0 ||
           rules->max_per_machine > 0;
}

bool party_clash(const struct party *party, const struct unit **ret_a, const struct unit **ret_b)
{
    for (size_t i = 0; i < party->count; i++) {
        const struct unit *a = party->members[i];
        for (size_t j = 0; is_choosy(a) && j < party->count; j++) {
            const struct unit *b = party->members[j];
            bool is_crowd = unit_rules(a)->max_per_machine > 0 &&
                            a->group->family == b->group->family &&
                            party_mates(party, a) >= unit_rules(a)->max_per_machine;
            if (a == b || !(is_crowd || units_clash(a, b)))
                continue;
            *ret_a = a;
            *ret_b = b;
            return true;
        }
    }
    return false;
}

/* --- what is kept for one of them --- */

int machine_kept_priority(const struct machine *machine)
{
    struct party party;
    struct unit *unit = machine->kept_for;
    if (!unit_is_tied(unit) || !takes_part(unit))
        return unit_priority(unit);
    if (machine->kept_priority != PRIORITY_UNKNOWN)
        return machine->kept_priority;
    party_gather(unit, &party);
    return party.count > 0 ? party.priority : unit_priority(unit);
}

bool machine_is_kept_from(const struct machine *machine, const struct unit *unit)
{
    return machine->kept_for && machine->kept_for != unit &&
           machine_kept_priority(machine) >= unit_priority(unit);
}

bool party_is_kept_from(const struct party *party, const struct machine *machine)
{
    return machine->kept_for && !party_has(party, machine->kept_for) &&
           machine_kept_priority(machine) >= party->priority;
}

/* --- lifting --- */

static struct placement *copy_of(const struct unit *unit)
{
    struct placement *p = NULL;
    LL_FOREACH2(unit->placements, p, unit_next)
        if (p->assignment_mod > 0 && !p->planned)
            return p;
    return NULL;
}

static void lift(struct model *model, struct placement *p, struct party_lift *ret)
{
    ret->copies[ret->count] = p;
    ret->mods[ret->count++] = p->assignment_mod;
    p->assignment_mod = 0;
    p->key.machine->load--;
    index_vacate(model, p);
}

static void begin_lift(struct model *model, struct party_lift *ret)
{
    ret->count = 0;
    ret->was_muted = model->rebalance.muted;
    ret->was_lifted = model->is_lifted;
    model->is_lifted = true;
    ret->easings_before = model->index.easings;
    model->rebalance.muted = true;
}

static void end_lift(const struct model *model, struct party_lift *ret)
{
    ret->easings_lifted = model->index.easings;
}

void party_lift(struct model *model, const struct party *party, struct party_lift *ret)
{
    begin_lift(model, ret);
    for (size_t i = 0; i < party->count; i++) {
        struct placement *p = copy_of(party->members[i]);
        if (p)
            lift(model, p, ret);
    }
    end_lift(model, ret);
}

void party_lift_one(struct model *model, struct placement *copy, struct party_lift *ret)
{
    begin_lift(model, ret);
    lift(model, copy, ret);
    end_lift(model, ret);
}

void party_set_down(struct model *model, const struct party_lift *lift)
{
    for (size_t i = lift->count; i-- > 0;) {
        struct placement *p = lift->copies[i];
        p->assignment_mod = lift->mods[i];
        p->key.machine->load++;
        index_occupy(model, p);
    }
    if (lift->count > 0 && model->index.easings == lift->easings_lifted)
        model->index.easings = lift->easings_before;
    model->is_lifted = lift->was_lifted;
    model->rebalance.muted = lift->was_muted;
}
