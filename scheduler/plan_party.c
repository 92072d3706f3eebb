/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of units that MachineOf= ties together. Those that need a place get it in one go:
 *
 *   some of it stay where they are    the others join them, each with those that it follows
 *   some may not leave yet            all wait for them
 *   all need one                      one machine for all; if there is none, one for those that had
 *                                     one before, and the others wait
 *
 * The actions of one go are told to be joined, so that the store gets all of them or none.
 */

#include "scheduler/failing.h"
#include "scheduler/place.h"
#include "scheduler/preempt.h"
#include "scheduler/refusals.h"
#include "scheduler/reserve.h"
#include "scheduler/step.h"

enum { WAITS_LONG_MS = 10000 };

enum member_status {
    MEMBER_INVALID = 0,
    MEMBER_WANTS, /* it is nowhere, or on a lost machine, or it has stopped where it was */
    MEMBER_STAYS,
    MEMBER_WAITS, /* nobody knows yet, it has still to stop, or it never leaves a lost machine */
};

struct member {
    enum member_status status;
    struct placement *home;   /* or NULL */
    bool is_lost;             /* home's machine is */
    const struct unit *never; /* who there has Failover=never, if it is or is held; or NULL */
};

struct gathering {
    struct step *step;
    struct party party;
    struct member members[PARTY_MAX];
};

/* --- who is where --- */

static enum member_status status_present(struct step *step, const struct placement *home)
{
    bool stays =
        match(step->model, home->key.unit, home->key.machine, MATCH_STAY).kind == REFUSAL_NONE &&
        !step_move_goes_on(home);
    if (stays)
        return home->leaving ? MEMBER_WAITS : MEMBER_STAYS;
    return step_is_released(home) && !home->leaving ? MEMBER_WANTS : MEMBER_WAITS;
}

static const struct unit *never_among(struct step *step, const struct party *party,
                                      const struct placement *p)
{
    for (size_t i = 0; i < party->count; i++) {
        const struct unit *unit = party->members[i];
        if (unit_rules(unit)->failover != FAILOVER_NEVER)
            continue;
        const struct placement *home = step_find_home(step, unit);
        if (home && home->key.machine == p->key.machine)
            return unit;
    }
    return NULL;
}

static struct member look_at(struct step *step, const struct party *party, const struct unit *unit)
{
    struct member member = { .status = MEMBER_WANTS, .home = step_find_home(step, unit) };
    if (!member.home)
        return member;
    switch (step_machine_status(step, member.home->key.machine)) {
    case MACHINE_PRESENT:
        member.status = status_present(step, member.home);
        break;
    case MACHINE_LOST:
        member.is_lost = true;
        member.never = never_among(step, party, member.home);
        member.status = member.never ? MEMBER_WAITS : MEMBER_WANTS;
        break;
    case MACHINE_HELD: /* let go or not, whoever never leaves it stays there */
        member.never = never_among(step, party, member.home);
        member.status = MEMBER_WAITS;
        break;
    case MACHINE_ABSENT:
    case MACHINE_STATUS_INVALID:
        member.status = MEMBER_WAITS;
        break;
    }
    return member;
}

/* Who was placed in this step stays there. */
static bool has_arrived(const struct unit *unit)
{
    const struct placement *p = NULL;
    LL_FOREACH2(unit->placements, p, unit_next)
        if (p->planned)
            return true;
    return false;
}

static void look_at_all(struct gathering *g)
{
    for (size_t i = 0; i < g->party.count; i++) {
        g->members[i] = look_at(g->step, &g->party, g->party.members[i]);
        if (has_arrived(g->party.members[i]))
            g->members[i].status = MEMBER_STAYS;
    }
}

static uint64_t members_that(const struct gathering *g, enum member_status status)
{
    uint64_t set = 0;
    for (size_t i = 0; i < g->party.count; i++)
        if (g->members[i].status == status)
            set |= party_bit(i);
    return set;
}

/* One that others wait for, the one with the longest breath. */
static const struct member *who_waits(const struct gathering *g)
{
    const struct member *found = NULL;
    for (size_t i = 0; i < g->party.count; i++)
        if (g->members[i].status == MEMBER_WAITS &&
            (!found || (g->members[i].never && !found->never)))
            found = &g->members[i];
    return found;
}

/* --- words --- */

static char *group_words(const struct party *party)
{
    if (party->count == 1)
        return text_format("%s", "");
    return text_format("as a group of %zu, %s first, ", party->count, party->members[0]->name);
}

static void lost_words(const struct member *member, struct text *words)
{
    step_lost_words(member->is_lost ? member->home->key.machine : NULL, words);
}

/* --- no place --- */

static void give_refusals(struct gathering *g, const struct party *party, struct unit *unit,
                          const struct member *member, const struct machine *reserved)
{
    autotext words = { 0 };
    lost_words(member, &words);
    refusals_words(g->step->model, party, &words);
    step_give_nowhere(g->step, unit, unit == party->members[0] ? reserved : NULL,
                      text_take(&words));
}

/* Where it has stopped it need not be any more. */
static void let_go(struct gathering *g, const struct member *member)
{
    if (member->home && !member->is_lost)
        step_drop_stopped(g->step, member->home);
}

static bool any_is_lost(const struct gathering *g)
{
    for (size_t i = 0; i < g->party.count; i++)
        if (g->members[i].is_lost && g->members[i].status == MEMBER_WANTS)
            return true;
    return false;
}

/* Those of the set wait for a machine; lacks_room: as of struct place. */
static void leave_out(struct gathering *g, uint64_t set, bool lacks_room)
{
    struct party party;
    struct party_lift lift;
    party_pick(&g->party, set, &party);
    party_lift(g->step->model, &party, &lift);
    bool is_promised = step_preempt(g->step, &party, any_is_lost(g), lacks_room);
    const struct machine *reserved = is_promised ? NULL : step_reserve(g->step, &party, lacks_room);
    party_set_down(g->step->model, &lift);
    for (size_t i = 0; i < g->party.count; i++) {
        if (!(set & party_bit(i)))
            continue;
        let_go(g, &g->members[i]);
        step_set_pending(g->step, g->party.members[i], true);
        if (!is_promised)
            give_refusals(g, &party, g->party.members[i], &g->members[i], reserved);
        step_settle(g->step, g->party.members[i]);
    }
}

/* --- a place --- */

static void put(struct gathering *g, size_t i, const struct place *place)
{
    struct unit *unit = g->party.members[i];
    const struct member *member = &g->members[i];
    if (!member->home)
        step_arrive_placed(g->step, unit, place);
    else if (member->home->key.machine == place->machine)
        (void)step_rewrite(g->step, member->home, member->home->key.unit->blob,
                           text_format("wanted here again"));
    else
        step_move(g->step, member->home, member->is_lost, place);
}

/* All of the set go there; the load that is told is the one before. */
static void put_all(struct gathering *g, uint64_t set, const struct place *place)
{
    struct step *step = g->step;
    size_t first = step->plan->count;
    for (size_t i = 0; i < g->party.count; i++)
        if (set & party_bit(i))
            put(g, i, place);
    for (size_t i = first + 1; i < step->plan->count; i++)
        step->plan->actions[i].is_joined = true;
    for (size_t i = 0; i < g->party.count; i++)
        if (set & party_bit(i)) {
            step_soon(step, g->party.members[i]);
            step_settle(step, g->party.members[i]);
        }
}

/* One that left because it failed there tries machines where it has not. */
static bool flees(const struct gathering *g, size_t i)
{
    const struct placement *home = g->members[i].home;
    return home && !g->members[i].is_lost && home->cause == MOVE_CAUSE_FAILING &&
           step_move_goes_on(home);
}

static struct place find_place(struct gathering *g, const struct party *party)
{
    struct place place = { 0 };
    struct party_lift lift;
    size_t i = 0;
    while (i < g->party.count && !flees(g, i))
        i++;
    party_lift(g->step->model, party, &lift);
    if (i < g->party.count)
        place = failing_place(g->step, party, g->members[i].home->key.machine);
    else
        place = place_find_party(g->step->model, party);
    party_set_down(g->step->model, &lift);
    return place;
}

static bool place_set(struct gathering *g, uint64_t set, bool *ret_lacks_room)
{
    struct party party;
    party_pick(&g->party, set, &party);
    struct place place = find_place(g, &party);
    *ret_lacks_room = place.lacks_room;
    if (!place.machine)
        return false;
    autofree char *note = group_words(&party);
    if (!note) {
        g->step->failed = true;
        return true;
    }
    place.note = note;
    put_all(g, set, &place);
    return true;
}

/* Who could only move and finds no place is better off where it is, unless others need that. */
static bool goes_back(struct gathering *g, uint64_t set)
{
    struct party party;
    struct party_lift lift;
    const struct unit *who = NULL;
    const struct placement *home = NULL;
    for (size_t i = 0; i < g->party.count; i++) {
        const struct member *member = &g->members[i];
        if (!(set & party_bit(i)))
            continue;
        if (!member->home || member->is_lost || member->home->cause == MOVE_CAUSE_NONE ||
            member->home->cause == MOVE_CAUSE_PREEMPT ||
            (home && home->key.machine != member->home->key.machine))
            return false;
        home = member->home;
    }
    if (!home)
        return false;
    party_pick(&g->party, set, &party);
    party_lift(g->step->model, &party, &lift);
    bool fits = match_party(g->step->model, &party, home->key.machine, MATCH_STAY, &who).kind ==
                REFUSAL_NONE;
    party_set_down(g->step->model, &lift);
    const struct place place = { .machine = home->key.machine };
    if (fits)
        put_all(g, set, &place);
    return fits;
}

static uint64_t members_with_home(const struct gathering *g)
{
    uint64_t set = 0;
    for (size_t i = 0; i < g->party.count; i++)
        if (g->members[i].home)
            set |= party_bit(i);
    return set;
}

/* Whom those of the set follow comes along, as far as it needs a place, too. */
static uint64_t with_peers(const struct gathering *g, uint64_t set)
{
    uint64_t reach = set;
    for (size_t i = 0; i < g->party.count; i++)
        if (set & party_bit(i))
            reach |= g->party.reach[i];
    return reach & members_that(g, MEMBER_WANTS);
}

/* The next wait for others is another one. */
static void stop_waiting(struct gathering *g, uint64_t set)
{
    for (size_t i = 0; i < g->party.count; i++) {
        struct unit *unit = g->party.members[i];
        if (!(set & party_bit(i)) || !unit->trouble)
            continue;
        unit->trouble->waits_since_ms = 0;
        model_trouble_trim(unit);
    }
}

static void place_all(struct gathering *g)
{
    uint64_t all = members_that(g, MEMBER_WANTS);
    uint64_t moved = with_peers(g, members_with_home(g));
    bool lacks_room = false;
    bool ignored = false; /* those that are left out need room beside the moved ones */
    stop_waiting(g, all);
    if (place_set(g, all, &lacks_room))
        return;
    if (moved && moved != all && (place_set(g, moved, &ignored) || goes_back(g, moved)))
        leave_out(g, all & ~moved, lacks_room);
    else if (!goes_back(g, all))
        leave_out(g, all, lacks_room);
}

/* --- waiting --- */

bool step_waits_long(struct step *step, struct unit *unit)
{
    struct trouble *trouble = step_trouble(step, unit);
    return trouble && step_has_lasted(step, unit, &trouble->waits_since_ms, WAITS_LONG_MS);
}

static bool is_worth_a_word(struct gathering *g, struct unit *unit, const struct member *other)
{
    enum machine_status status = step_machine_status(g->step, other->home->key.machine);
    return other->never || status == MACHINE_HELD ||
           (status == MACHINE_PRESENT && step_waits_long(g->step, unit));
}

static void waits_words(const struct member *other, struct text *words)
{
    const struct unit *unit = other->home->key.unit;
    text_addf(words, "waits for %s of its group, ", unit->name);
    if (!other->never) {
        text_add(words, "which is still on ");
        machine_words(other->home->key.machine, words);
        return;
    }
    text_add(words, "whose machine ");
    machine_words(other->home->key.machine, words);
    text_addf(words, " is gone and which stays there, for %s%sFailover=never",
              other->never == unit ? "it has " : other->never->name,
              other->never == unit ? "" : " has ");
}

static const struct machine *reserved_for(const struct unit *unit)
{
    const struct machine *kept = unit->trouble ? unit->trouble->kept : NULL;
    return kept && kept->is_reserved ? kept : NULL;
}

/* It lacks something else than room, and perhaps for good. */
static void give_back(struct model *model, struct unit *unit)
{
    if (unit->trouble && unit->trouble->kept)
        model_let_go(model, unit->trouble->kept);
    model_forget_short(model, unit);
}

/* Who has no place is told whom it waits for, if that lasts; who moves has been told. A lost
 * machine may stay away for good: until it is back there is no move. */
static void wait_for(struct gathering *g, struct unit *unit, const struct member *other)
{
    const struct member *member = &g->members[party_index(&g->party, unit)];
    step_set_pending(g->step, unit, true);
    if (other->never)
        give_back(g->step->model, unit);
    if (other->never && member->status == MEMBER_WANTS)
        let_go(g, member);
    else if (member->home && !member->is_lost)
        return;
    if (!is_worth_a_word(g, unit, other))
        return;
    autotext words = { 0 };
    lost_words(member, &words);
    waits_words(other, &words);
    step_give_nowhere(g->step, unit, reserved_for(unit), text_take(&words));
}

/* What holds for one of them holds for each that wants a place. */
static void wait_all(struct gathering *g, const struct member *other)
{
    for (size_t i = 0; i < g->party.count; i++) {
        struct unit *unit = g->party.members[i];
        if (g->members[i].status != MEMBER_WANTS || unit->settled)
            continue;
        wait_for(g, unit, other);
        step_settle(g->step, unit);
    }
}

/* --- joining --- */

/* They follow others than each other: where those are is the only place for them. */
static bool follow_others(const struct gathering *g, uint64_t set)
{
    for (size_t i = 0; i < g->party.count; i++)
        for (size_t j = 0; j < g->party.count; j++)
            if (set & party_bit(i) && g->party.reach[i] & party_bit(j) && !(set & party_bit(j)))
                return true;
    return false;
}

static struct machine *seat_of(const struct gathering *g)
{
    const struct placement *p = NULL;
    size_t i = 0;
    while (g->members[i].status != MEMBER_STAYS)
        i++;
    LL_FOREACH2(g->party.members[i]->placements, p, unit_next)
        if (placement_holds(p))
            return p->key.machine;
    return NULL;
}

/* Tied to those that stay by others yet to come: beside them if there is room, else wherever. */
static bool join_loosely(struct gathering *g, uint64_t set, bool *ret_lacks_room)
{
    struct party party;
    struct party_lift lift;
    const struct unit *who = NULL;
    struct machine *seat = seat_of(g);
    party_pick(&g->party, set, &party);
    party_lift(g->step->model, &party, &lift);
    bool fits =
        seat && match_party(g->step->model, &party, seat, MATCH_ARRIVE, &who).kind == REFUSAL_NONE;
    party_set_down(g->step->model, &lift);
    const struct place place = { .machine = seat, .note = "beside others of its group" };
    if (fits)
        put_all(g, set, &place);
    return fits || place_set(g, set, ret_lacks_room);
}

/* Whom it follows has had its turn in this step, in vain: nothing is found for more than that. */
static bool follows_one_left_out(const struct gathering *g, uint64_t peers)
{
    for (size_t i = 0; i < g->party.count; i++)
        if (peers & party_bit(i) && g->party.members[i]->settled)
            return true;
    return false;
}

/* Whom it follows comes along if all find a place; if not, that one has a turn of its own, and what
 * it is promised is for no more than that asks. */
static void join(struct gathering *g, struct unit *unit)
{
    uint64_t own = party_bit(party_index(&g->party, unit));
    uint64_t set = with_peers(g, own);
    bool lacks_room = false;
    for (size_t i = 0; i < g->party.count; i++)
        if (set & party_bit(i))
            for (size_t j = 0; j < g->party.count; j++)
                if (g->party.reach[i] & party_bit(j) && g->members[j].status == MEMBER_WAITS) {
                    wait_for(g, unit, &g->members[j]);
                    return;
                }
    stop_waiting(g, own);
    if (follows_one_left_out(g, set & ~own)) {
        leave_out(g, own, false);
        return;
    }
    bool is_placed =
        follow_others(g, set) ? place_set(g, set, &lacks_room) : join_loosely(g, set, &lacks_room);
    if (!is_placed && !goes_back(g, set))
        leave_out(g, own, lacks_room);
}

/* --- all of it --- */

/* It is in no party: nothing is asked of machines. */
static void stay_out(struct gathering *g, struct unit *unit)
{
    const struct member member = look_at(g->step, &g->party, unit);
    autotext words = { 0 };
    let_go(g, &member);
    step_set_pending(g->step, unit, true);
    give_back(g->step->model, unit);
    lost_words(&member, &words);
    if (g->party.is_too_large)
        text_addf(
            &words,
            "no machine may run it: MachineOf= ties it to more than %d others, and they would "
            "be placed as one",
            PARTY_MAX - 1);
    else
        refusals_peer_words(g->party.missing, &words);
    step_give_verdict(g->step, unit, VERDICT_NOWHERE, text_take(&words));
}

bool step_party_tied(struct step *step, struct unit *unit)
{
    struct gathering g = { .step = step };
    party_gather(unit, &g.party);
    if (g.party.count == 1 && !unit->follows)
        return false;
    look_at_all(&g);
    if (g.party.count == 0)
        stay_out(&g, unit);
    else if (members_that(&g, MEMBER_STAYS))
        join(&g, unit);
    else if (members_that(&g, MEMBER_WAITS))
        wait_all(&g, who_waits(&g));
    else
        place_all(&g);
    return true;
}

const struct unit *step_party_never(struct step *step, const struct placement *p)
{
    struct unit *unit = p->key.unit;
    struct party party;
    if (unit_rules(unit)->failover == FAILOVER_NEVER)
        return unit;
    if (!unit_is_tied(unit))
        return NULL;
    party_gather(unit, &party);
    return never_among(step, &party, p);
}

/* --- leaving together --- */

static struct placement *copy_on(const struct unit *unit, const struct machine *machine)
{
    struct placement *p = NULL;
    LL_FOREACH2(unit->placements, p, unit_next)
        if (p->key.machine == machine && p->assignment_mod > 0 && placement_holds(p))
            return p;
    return NULL;
}

void step_party_here(const struct placement *p, struct party *ret)
{
    struct party party;
    uint64_t set = 0;
    party_gather(p->key.unit, &party);
    if (party.count == 0)
        party_of_one(p->key.unit, &party);
    for (size_t i = 0; i < party.count; i++)
        if (party.members[i] == p->key.unit || copy_on(party.members[i], p->key.machine))
            set |= party_bit(i);
    party_pick(&party, set, ret);
}

void step_party_leaving(const struct placement *p, struct party *ret)
{
    step_party_here(p, ret);
    if (ret->members[0] != p->key.unit)
        party_of_one(p->key.unit, ret);
}

void step_release_party(struct step *step, struct placement *p, enum move_cause cause,
                        const char *reason)
{
    struct party here;
    step_party_here(p, &here);
    for (size_t i = 0; i < here.count; i++) {
        struct placement *copy = copy_on(here.members[i], p->key.machine);
        if (!copy || copy->touched)
            continue;
        step_release(step, copy, cause,
                     copy == p ? text_format("%s", reason)
                               : text_format("%s; goes with %s", reason, p->key.unit->name));
        step_settle(step, copy->key.unit);
    }
}
