/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Units that MachineOf= ties to each other, by however many steps and in whichever direction: they
 * are placed as one. People are told of them as groups; group is another word in here (index.h).
 *
 * Only what is wanted takes part. Who follows a unit that is not, by steps, waits for that one and
 * is in no party; a unit that runs everywhere is in none either, it is a rule for where those may
 * be that follow it.
 *
 * The first of a party is who follows the fewest others, by steps, and of those the oldest: the pod
 * of its containers, the database of those who want to be with it. Where it has to go, all go.
 */
#ifndef SCHEDULER_PARTY_H
#define SCHEDULER_PARTY_H

#include "scheduler/model_data.h"

enum { PARTY_MAX = 40 };

struct party {
    size_t count;               /* 0: there is none, for one of the two reasons below */
    const struct unit *missing; /* whom the unit waits for */
    bool is_too_large;

    struct unit *members[PARTY_MAX]; /* the first first, peers before those that follow them */
    uint64_t reach[PARTY_MAX];       /* whom each follows by steps: a bit for each member */

    int64_t asked[RESOURCES]; /* by all of them */
    bool asks_room;
    int priority; /* the lowest of those that ask for room */
};

/* It follows a unit, or is followed. */
static inline bool unit_is_tied(const struct unit *unit)
{
    return unit->follows || unit->followers;
}

/* The party of a unit; of one that nothing ties, or nobody wants, it is the only member. */
void party_gather(struct unit *unit, struct party *ret);
/* It alone, whomever it is tied to. */
void party_of_one(struct unit *unit, struct party *ret);
/* Those of its members that have a bit in the set. */
void party_pick(const struct party *party, uint64_t set, struct party *ret);

/* The bit of a member in a set. */
static inline uint64_t party_bit(size_t i)
{
    return UINT64_C(1) << i;
}

/* Which of the members it is; count: none. */
size_t party_index(const struct party *party, const struct unit *unit);
static inline bool party_has(const struct party *party, const struct unit *unit)
{
    return party_index(party, unit) < party->count;
}

/* How many of its template are in the party, itself aside. */
size_t party_mates(const struct party *party, const struct unit *unit);
/* Whose notes of what was in vain hold for it. NULL: nobody's, as several ask for more than the
 * group of any of them. */
static inline struct group *party_group(const struct party *party)
{
    return party->count == 1 ? party->members[0]->group : NULL;
}
/* Two that may not be on one machine; false: there are none. */
bool party_clash(const struct party *party, const struct unit **ret_a, const struct unit **ret_b);
/* How important those are that the machine is kept for: what was said when it was, or when it was
 * last found to be still reserved. As long as nobody knows who of a party asks for a place, since
 * only a verdict speaks of it, all of it. */
int machine_kept_priority(const struct machine *machine);
/* What is left there is kept for somebody else, who is no less important. */
bool machine_is_kept_from(const struct machine *machine, const struct unit *unit);
bool party_is_kept_from(const struct party *party, const struct machine *machine);

/* While it is asked where a party may go, those of its copies that are about to leave do not count.
 * Nothing else may happen between the two. What was found to be vain is worth another look then:
 * a machine may do that they are on. Once they are set down it is as vain as it was before, unless
 * something has really eased meanwhile. */
struct party_lift {
    struct placement *copies[PARTY_MAX];
    int64_t mods[PARTY_MAX];
    size_t count;
    bool was_muted;                          /* rebalancing; it is meanwhile */
    bool was_lifted;                         /* something, by whoever asks this */
    uint64_t easings_before, easings_lifted; /* of the index */
};
void party_lift(struct model *model, const struct party *party, struct party_lift *ret);
/* This copy alone. */
void party_lift_one(struct model *model, struct placement *copy, struct party_lift *ret);
void party_set_down(struct model *model, const struct party_lift *lift);

#endif
