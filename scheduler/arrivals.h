/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The newcomers that a step has decided on: placements that the store does not know yet. They live
 * as long as the step and are forgotten together, and a million of them leave the lists of the
 * model's own placements alone: a unit's list has them, a machine has them on a list of their own,
 * and each group counts them: as a rule they are what was added last to its bag, which is what the
 * index has to forget. Their units are marked, so that the sweep, which comes to each of these,
 * takes them off.
 */
#ifndef SCHEDULER_ARRIVALS_H
#define SCHEDULER_ARRIVALS_H

#include "scheduler/model_data.h"

/* Zero-initialise. */
struct arrivals {
    struct machine *machines; /* that have any, linked by arrived_next */
    struct group *groups;     /* of which some have a place, likewise */
};

/* A placement of a pair that has none. It occupies nothing before it is noted. NULL if memory ran
 * out. */
struct placement *arrivals_add(struct arrivals *arrivals, struct model *model,
                               struct machine *machine, struct unit *unit);
/* One of the group is about to occupy its machine. */
void arrivals_note(struct arrivals *arrivals, struct group *group);
/* The index and all machines are as if they had never been decided, once nothing else is. Only
 * their units know of them yet: model_sweep(), or else model_forget_newcomers(). */
void arrivals_forget(struct arrivals *arrivals, struct model *model);

#endif
