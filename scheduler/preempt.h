/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When room is short, the more important has it: a unit that finds none takes the place of others
 * of a strictly lower Priority=, the fewest and of those the youngest, on a machine that would take
 * it but for the room. They are released like in any planned move, go where there is room or wait
 * until there is, and the machine is kept for the unit: nobody of its priority or a lower one
 * who asks for room gets any there until it has come, or cannot come any more. So what one gives
 * up another does not snatch, and as priorities only sink from one to the next, it ends.
 *
 * A unit that runs takes nobody's place to run better. Those that run everywhere neither yield nor
 * make others yield. Of those that MachineOf= ties together (party.h) either all yield, if all are
 * less important, or none; a party that finds no place has the importance of its least.
 *
 * What yields counts as a move for the budget: others that could wait do. A newcomer begins only
 * while the budget of the cluster has room, and then with as many as it needs; one whose machine is
 * lost waits for nobody. What a template may do without is not looked at: who yields does not come
 * back by itself, so waiting for it would be waiting for ever.
 */
#ifndef SCHEDULER_PREEMPT_H
#define SCHEDULER_PREEMPT_H

#include "scheduler/party.h"
#include "scheduler/step.h"

/* Forgets the machines that are kept for nothing any more; before anything is decided. */
void step_kept(struct step *step);
/* The party, which is lifted, has found no place; is_lost: its machine is; lacks_room: as of struct
 * place. True: it gets one once others have left. */
bool step_preempt(struct step *step, const struct party *party, bool is_lost, bool lacks_room);
/* How much of the scarcest resource is missing there for the party, in 1/1000 of what there is,
 * once all that is leaving has left. */
int64_t preempt_missing(const struct party *party, const struct machine *machine);
/* The unit that it yields to still needs the machine. */
bool preempt_goes_on(const struct placement *placement);

#endif
