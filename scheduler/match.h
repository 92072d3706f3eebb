/* SPDX-License-Identifier: Apache-2.0 */
/*
 * May this unit run on this machine? The hard rules, one after the other; the first that says no is
 * the answer. Pure; allocates nothing, so that a whole cluster can be asked. Words are made only
 * for answers that are shown.
 */
#ifndef SCHEDULER_MATCH_H
#define SCHEDULER_MATCH_H

#include "base/text.h"
#include "scheduler/model_data.h"

enum refusal_kind {
    REFUSAL_NONE = 0, /* it may */
    REFUSAL_NOT_REGISTERED,
    REFUSAL_NOT_READY,
    REFUSAL_CORDONED,
    REFUSAL_MACHINE_ID,
    REFUSAL_METADATA,
    REFUSAL_CAPABILITY,
    REFUSAL_PEER_UNASSIGNED,
    REFUSAL_PEER_ELSEWHERE,
    REFUSAL_CONFLICT,
    REFUSAL_STOPPING,
    REFUSAL_REPLACED, /* a unit there replaces this one */
    REFUSAL_PORT,     /* a unit there has a port that this one wants */
    REFUSAL_CROWDED,  /* as many of its template as MaxPerMachine= allows */
    REFUSAL_ROOM,     /* too little is left of a resource */
    REFUSAL_KEPT,     /* what is left is kept for another */
};

struct party;

struct refusal {
    enum refusal_kind kind;
    const char *subject; /* metadata key, capability, peer or unit; borrowed from the model */
    unsigned int number; /* the port, or the resource */
};

enum match_mode {
    MATCH_ARRIVE = 1, /* a newcomer */
    MATCH_STAY,       /* it is there: presence, readiness and cordon do not drive it away, and of
                         two units in conflict the older stays, or the more important if one
                         runs everywhere */
};

/* model: what it scratches in is changed, what it knows is not. */
struct refusal match(struct model *model, const struct unit *unit, const struct machine *machine,
                     enum match_mode mode);
/* Only what is asked of the machine itself: its id, metadata and capabilities. */
struct refusal match_class(const struct model *model, const struct requirements *rules,
                           const struct machine *machine);

/* May all of a party go there, or stay if all of them were there? Its copies are lifted (party.h).
 * unit: of whom the answer speaks. */
struct refusal match_party(struct model *model, const struct party *party,
                           const struct machine *machine, enum match_mode mode,
                           const struct unit **ret_unit);
void match_party_words(const struct model *model, const struct party *party,
                       const struct unit *unit, const struct machine *machine,
                       const struct refusal *refusal, struct text *words);

/* Refused to stay there, it harms nobody: the machine has another id, other metadata than a role's
 * or no such capability, and no other rule is broken. */
bool match_is_of_the_machine(struct model *model, const struct unit *unit,
                             const struct machine *machine, const struct refusal *refusal);
/* The same where it runs as it was last asked to, and may take its time: not by the id. */
bool match_may_linger(struct model *model, const struct placement *placement,
                      const struct refusal *refusal);

/* The first resource of which too little is left for one more of the group; RESOURCES: it fits. */
enum resource match_room(const struct group *group, const struct machine *machine);
/* The same for so much. */
enum resource match_amounts(const int64_t *asked, const struct machine *machine);
/* May it make the other leave? Who replace each other may not. */
bool unit_replaces(const struct unit *unit, const struct unit *other);
/* Whatever the machine, not both? */
bool units_clash(const struct unit *a, const struct unit *b);

/* Is it on some machine, and will it stay there, as far as is known? */
bool unit_is_held_anywhere(const struct unit *unit);

/* "conflicts with busybox@1.service". Of any but REFUSAL_ROOM, which speaks of all that come: of
 * that match_party_words() does. */
void refusal_words(const struct model *model, const struct unit *unit,
                   const struct machine *machine, const struct refusal *refusal,
                   struct text *words);

/* "active", "standby", or NULL: what the machine is for the role. */
const char *machine_role_word(const struct role *role, const struct machine *machine);

/* "4f2a1b3c (node1)" */
void machine_words(const struct machine *machine, struct text *words);

#endif
