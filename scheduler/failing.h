/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Units that fail where they are. The machine may be to blame, so another gets its turn, after a
 * wait that doubles; when enough machines have tried, the unit is, and it is left as it is until
 * somebody asks again. Where it failed and how often stands in its verdict, which a new leader
 * reads like everybody else.
 *
 * A unit that runs elsewhere afterwards speaks against the machines where it failed. One that three
 * different units speak against within ten minutes gets no newcomers until a person has had a look.
 */
#ifndef SCHEDULER_FAILING_H
#define SCHEDULER_FAILING_H

#include "scheduler/step.h"

enum {
    FAILING_MACHINES = 3,   /* that try it before it is left failed */
    FAILING_WAIT_MS = 1000, /* before the first move */
    FAILING_WAIT_MAX_MS = 60000,
    SUSPECT_WITHIN_MS = 600000,  /* of STRIKES strikes */
    FAILING_FORGIVEN_MS = 60000, /* up for so long, and it is forgotten */
};

/* How long to wait after so many failures. */
int64_t failing_wait_ms(int64_t attempts);

/* The verdict speaks of failures of the unit as it is wished now. */
bool unit_is_failing(const struct unit *unit);

/* The verdict says that it has failed there, or could not move there. */
bool unit_has_tried(const struct unit *unit, const struct machine *machine);
/* A verdict that counts p's machine to those that have tried. reason is taken over. */
void step_give_tried(struct step *step, const struct placement *p, enum verdict_kind kind,
                     int64_t attempts, char *reason);

/* The unit may stay where p is. Releases it, gives a verdict or forgets one, or asks to be called
 * again. False: there is nothing about failures to say. */
bool step_failing(struct step *step, struct placement *p);

/* It was released because it, or the first of its party, has failed there, and that still holds. */
bool failing_goes_on(const struct placement *p);

/* The best place for all of the party among the machines that its first has not tried, and that are
 * not this one. */
struct place failing_place(const struct step *step, const struct party *party,
                           struct machine *from);
/* The same for a unit that nothing ties to others. */
struct place failing_place_alone(const struct step *step, const struct placement *p);

#endif
