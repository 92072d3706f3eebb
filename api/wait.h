/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Has what was asked for come true? Pure: facts in, an answer in words out.
 *
 * Whoever changed a unit holds the revision R of that change. The leader answers it by assignments
 * that carry a unit_revision of at least R, or by a verdict why there is none; a machine answers an
 * assignment by a state that names its revision. A state is believed only if it was written under
 * the machine's present registration. So nothing older than the change can be taken for its
 * outcome.
 */
#ifndef API_WAIT_H
#define API_WAIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scheduler/records.h"

enum wait_goal {
    WAIT_GOAL_INVALID = 0,
    WAIT_GOAL_LAUNCHED, /* active, or ran to its end with success */
    WAIT_GOAL_LOADED,   /* on a machine, not running */
    WAIT_GOAL_STOPPED,  /* the same, or on no machine at all */
    WAIT_GOAL_INACTIVE, /* on no machine, the unit itself stays */
    WAIT_GOAL_GONE,     /* on no machine, and the unit is no more */
};
enum wait_goal wait_goal_from_name(const char *name); /* "launched", "loaded", "stopped", … */

struct wait_copy {
    const char *machine;                        /* "1315e07d.../10.0.0.1" */
    const struct record_assignment *assignment; /* or NULL */
    int64_t assignment_mod;
    const struct record_state *state; /* or NULL */
    int64_t registration;             /* of the machine's presence; 0: it is absent */
};

struct wait_facts {
    int64_t store_revision; /* the facts are as of this revision */
    int64_t unit_mod;       /* 0: no such unit */
    enum desired desired;
    bool has_leader;
    const struct record_verdict *verdict; /* or NULL */
    const struct wait_copy *copies;
    size_t copy_count;
    bool silent; /* nothing has changed for a while: say what is missing */
};

enum wait_state {
    WAIT_STATE_INVALID = 0,
    WAIT_STATE_WAITING,
    WAIT_STATE_DONE,
    WAIT_STATE_UNPLACEABLE, /* no machine may run it, and why; it will start when one may */
    WAIT_STATE_FAILED,      /* it ran and failed, or its machine could not do it */
    WAIT_STATE_ABSENT,      /* recorded, but its machine is not there to carry it out */
    WAIT_STATE_OVERTAKEN,   /* somebody else has changed or removed the unit since */
};
const char *wait_state_name(enum wait_state state);

struct wait_answer {
    enum wait_state state;
    char reason[ERROR_TEXT_MAX];     /* "" while there is nothing to say */
    bool leaderless;                 /* WAITING, and nobody is there to decide */
    const char *machine;             /* DONE, FAILED: where; borrowed from the facts, or NULL */
    const struct record_state *unit; /* DONE, FAILED: what it said there, or NULL */
};

void wait_evaluate(const struct wait_facts *facts, enum wait_goal goal, int64_t revision,
                   struct wait_answer *ret);

#endif
