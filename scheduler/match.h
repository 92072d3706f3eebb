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
    REFUSAL_PEER_UNASSIGNED,
    REFUSAL_PEER_ELSEWHERE,
    REFUSAL_CONFLICT,
    REFUSAL_STOPPING,
};

struct refusal {
    enum refusal_kind kind;
    const char *subject; /* metadata key, peer or conflicting unit; borrowed from the model */
};

enum match_mode {
    MATCH_ARRIVE = 1, /* a newcomer */
    MATCH_STAY,       /* it is there: presence, readiness and cordon do not drive it away, and of
                         two units in conflict the older stays */
};

/* model: what it scratches in is changed, what it knows is not. */
struct refusal match(struct model *model, const struct unit *unit, const struct machine *machine,
                     enum match_mode mode);
/* Only what is asked of the machine itself: its id and metadata. */
struct refusal match_class(const struct model *model, const struct requirements *rules,
                           const struct machine *machine);

/* Is it on some machine, and will it stay there, as far as is known? */
bool unit_is_held_anywhere(const struct unit *unit);

/* "conflicts with busybox@1.service" */
void refusal_words(const struct model *model, const struct unit *unit,
                   const struct machine *machine, const struct refusal *refusal,
                   struct text *words);

/* The value of a metadata key as scheduling sees it: a role's overlay, else static. NULL: unset. */
const char *machine_metadata(const struct model *model, const struct machine *machine,
                             const char *key);
/* "active", "standby", or NULL: what the machine is for the role. */
const char *machine_role_word(const struct role *role, const struct machine *machine);

/* "4f2a1b3c (node1)" */
void machine_words(const struct machine *machine, struct text *words);

#endif
