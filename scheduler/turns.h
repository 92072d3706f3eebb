/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which of the marked units is thought about first: units whose machine is lost go before newcomers
 * take the room, peers before those that follow them, then by priority and by age.
 */
#ifndef SCHEDULER_TURNS_H
#define SCHEDULER_TURNS_H

#include "scheduler/step.h"

/* Of all marked units. */
struct turns {
    bool is_sorted; /* they are often marked in the order in which they have been created */
    bool any_follows;
    size_t newcomers; /* that have no copy, and were not waiting for one */
};

/* Puts the marked units in the order of their turns. */
void turns_order(struct step *step, struct turns *ret);

/* For units that have been looked at in this step: below 0 if left has its turn before right. */
int turns_compare(const struct model *model, const struct unit *left, const struct unit *right);
void turns_sort(struct model *model, struct unit **units, size_t count);

#endif
