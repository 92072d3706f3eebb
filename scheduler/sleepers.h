/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting units that do not look for themselves. Of a group (index.h) many may be told apart by
 * nothing but their age and names, and then what one of them finds all find. So once the verdict of
 * such a unit says what is so it sleeps, and when something has eased the oldest that sleeps looks
 * for all of its group. Only if it has found something do more of them have a turn, twice as many
 * as before each time, so that what a step costs follows what it gives.
 *
 * They sleep as long as nothing happens to them, nor to a machine that their verdicts speak of:
 * then these may read otherwise, and each looks for itself. So does, when something eases within a
 * step, who has not had its turn.
 *
 * Whom a pattern of its own comes to name while it sleeps may only have fewer machines than its
 * group: it sleeps on.
 */
#ifndef SCHEDULER_SLEEPERS_H
#define SCHEDULER_SLEEPERS_H

#include "scheduler/model_data.h"

/* It is nowhere, has tried no machine and is named by no pattern but its template's: what it finds
 * any other of its group finds that is so, too. */
bool unit_shares_luck(struct model *model, const struct unit *unit);

/* It waits, shares its luck, and its verdict says what is so. If memory runs out it stays awake. */
void sleepers_add(struct model *model, struct unit *unit);
/* The unit, which sleeps, is one of those that look for themselves. Whoever is marked is woken. */
void sleepers_wake(struct model *model, struct unit *unit);
/* They are the last of the pending ones then. */
void sleepers_wake_all(struct model *model);
/* Something has happened to a machine that their verdicts speak of. */
bool sleepers_are_stale(const struct model *model);

/* Marks the oldest of each group. */
void sleepers_call_first(struct model *model);
/* Marks twice as many of the group as were called last. The last of them speaks for the others. */
void sleepers_call_more(struct model *model, struct group *group);

/* Its group is about to be freed: none of them sleeps. It may be NULL. */
void sleepers_free(struct sleepers *sleepers);

#endif
