/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Units with MoveOrder=start-first. In a move that could wait the next copy, the successor, is
 * started first, and the old one is stopped once the successor is active, and healthy if it has a
 * check. Meanwhile the unit has two assignments, the one exception to having one; that of the
 * successor says whose it is (moves_from) and what for, so a new leader goes on. All in all:
 *
 *   ASSIGN the successor → it is up → RELEASE the old → acknowledged → MOVE: the old assignment
 *   goes, the successor's says nothing of a move any more
 *
 * What happens meanwhile:
 *
 *   the successor fails, or is not up in time    it is given up; its verdict counts the machines
 *                                                that have tried, with waits as of failing.h
 *   its machine is lost                          it is given up, and the move begins anew
 *   the old one's machine is lost                the successor is the unit, up or not
 *   the move is not wanted any more              the successor is given up
 *   another text, another start                  the successor gets it, the old one runs on
 *   the old one has to go at once                it is released, and the successor is the unit
 *
 * It is so in drains and rebalancing, and where the machine does not suit the unit any more by its
 * id, metadata or capabilities. All else stops first: what yields its place (it is wanted now),
 * what has failed (nothing is kept up), roles (no more machines may have them), what MachineOf=
 * ties to others (they move as one), what is not up itself; and, when the time of a drain is over,
 * what is on its way or was so in vain.
 */
#ifndef SCHEDULER_SUCCESSION_H
#define SCHEDULER_SUCCESSION_H

#include "scheduler/match.h"
#include "scheduler/step.h"

enum {
    SUCCESSION_UP_MS = 300000, /* for the successor to come up */
    SUCCESSION_MACHINES = 3,   /* that try before a person has to look */
};

struct succession {
    struct placement *old, *next;
};

/* False: the unit is not on the way from one copy to another. */
bool unit_find_succession(const struct unit *unit, struct succession *ret);

/* The verdict says that no machine it was to move to could run it. */
bool unit_moves_in_vain(const struct unit *unit);

/* It is up, it is the only copy, and it may have a successor. */
bool succession_applies(const struct placement *placement);
/* Why it has to stop first though its text says otherwise, in words; NULL: it has not, or the text
 * does not. */
const char *succession_obstacle(const struct placement *placement);

/* Decides of a unit that is on the way; false: it is not. */
bool step_succession(struct step *step, struct unit *unit);

/* The best machine that has not tried; machine NULL: there is none. */
struct place succession_place(struct step *step, const struct placement *old);
/* May it be tried now? If not, why (unless NULL) gets the words, and the step is made again when
 * the wait is over, if it is one. */
bool succession_is_due(struct step *step, struct unit *unit, struct text *why);
/* Begins at the place that was found. why: what it moves for. */
void step_succeed(struct step *step, struct placement *old, const struct place *place,
                  enum move_cause cause, const char *why);
/* The same on this machine. reason is taken over. */
void step_succeed_on(struct step *step, struct placement *old, struct machine *machine,
                     enum move_cause cause, char *reason);

/* Its machine does not suit it any more: a successor begins, or is waited for. False: it stops
 * first. */
bool step_leaves_in_order(struct step *step, struct placement *placement,
                          const struct refusal *refusal, enum move_cause cause, const char *why);
/* It is to be told for a while that a move was in vain. */
bool step_tells_of_vain_move(struct step *step, const struct placement *placement);

#endif
