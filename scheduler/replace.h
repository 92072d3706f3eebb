/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replaces= is a right to make others leave: a unit that finds no machine where nobody has to go
 * for it is kept the best one where somebody has, as if those had left already. While it is, nobody
 * that it replaces may be there (match.h), so they are released like whoever breaks a rule, and the
 * unit comes when their agents have said that they stopped.
 *
 * Units that MachineOf= ties together do not wait: they come, and those that they replace go then.
 */
#ifndef SCHEDULER_REPLACE_H
#define SCHEDULER_REPLACE_H

#include "scheduler/step.h"

/* found: what was found for the unit, which needs a place; where others have left a machine for it,
 * and else more would have to leave, that machine instead. True: it waits until others have left.
 */
bool step_make_leave(struct step *step, struct unit *unit, struct place *found);
static inline bool step_replace(struct step *step, struct unit *unit, struct place *found)
{
    return unit->group->replace_count > 0 && step_make_leave(step, unit, found);
}

/* It is told to leave for one that replaces it, and this leader has yet to find out for whom: the
 * next step will know. */
bool replace_is_unknown(struct step *step, struct placement *placement);

#endif
