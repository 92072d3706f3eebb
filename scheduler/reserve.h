/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is large would wait for ever where small ones take each bit of room as it comes. So who has
 * found no place for a minute, for want of room alone, has a machine reserved: the one that lacks
 * least. Nobody of its priority or a lower one who asks for room gets any there until it fits;
 * elsewhere they go on passing it.
 *
 * A machine is reserved for one unit, and one machine in ten at the most; one at least, but never
 * the only one. A reservation is written in the verdict of the unit, so that a new leader keeps it;
 * how long units have waited it does not know, and begins anew. It ends when the unit is placed or
 * not wanted any more, when one of its group never leaves a machine that is lost, and when the
 * machine takes no newcomers any more or could not hold it.
 */
#ifndef SCHEDULER_RESERVE_H
#define SCHEDULER_RESERVE_H

#include "scheduler/party.h"
#include "scheduler/step.h"

enum { RESERVE_AFTER_MS = 60000, RESERVE_ONE_IN = 10 };

/* Those whose minute is over have a turn in this step; before turns are taken. */
void step_mark_short(struct step *step);
/* When the next is due; last of all. */
void step_wake_short(struct step *step);
/* The party, which is lifted, has found no place; lacks_room: a machine would take it but for that.
 * The machine that is reserved for it from now on, or NULL. */
struct machine *step_reserve(struct step *step, const struct party *party, bool lacks_room);
/* The first of the party has a machine kept for it that others leave. What was reserved for any of
 * them is so no longer, and their verdicts are not to say it. */
void step_unreserve(struct step *step, const struct party *party);

#endif
