/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much of what runs may be taken down for moves that could wait: drains, rollouts, rebalancing,
 * preemption, machines whose metadata or capabilities are not what they were. One budget for all of
 * them: of a template's units one, or a tenth, may be away at a time, those that failed by
 * themselves included; and of all units a twentieth may be on the move.
 *
 * What must move (a lost machine, a broken rule) asks nobody, but what it leaves is less.
 *
 * How many units of each template are down, and how many are on the move, is kept as the model
 * changes; what a step decides is added within the step alone.
 */
#ifndef SCHEDULER_BUDGET_H
#define SCHEDULER_BUDGET_H

#include "base/text.h"
#include "scheduler/model_data.h"

struct party;

/* A copy of it runs as it should, or nobody wants it to. */
bool unit_is_up(const struct unit *unit);
/* It has been started, and failed. */
bool unit_has_failed(const struct unit *unit);

/* What is kept. To be told after each change of a copy; of what a machine's copies have answered,
 * since it came or went; and on both sides of a change of what is wished of a unit. */
void budget_note_copy(struct model *model, struct placement *placement);
void budget_note_machine(struct model *model, const struct machine *machine);
void budget_forget_unit(struct model *model, struct unit *unit);
void budget_note_unit(struct model *model, struct unit *unit);
/* All of it, from what units and copies are. */
void budget_count_anew(struct model *model);

/* Once a step, before anything is asked. touched: the copies that it has decided of so far. */
void budget_begin(struct model *model, struct placement *const *touched, size_t count);
/* May the unit be taken down now? One that has failed costs nobody anything. If not, why (unless
 * NULL) gets the words. */
bool budget_allows(const struct model *model, struct unit *unit, struct text *why);
/* The same for all that would go together: none of them stands in the way of another. */
bool budget_allows_all(const struct model *model, const struct party *party, struct text *why);
/* The same where a person has said how many of its template may be down at a time. */
bool budget_allows_of(const struct model *model, struct unit *unit, size_t at_a_time,
                      struct text *why);
/* It is, or is about to be: it counts as down and on the move. */
void budget_take(struct model *model, const struct unit *unit);
/* It was up, and is about to be down, whatever for. */
void budget_note_down(struct model *model, const struct unit *unit);

/* The same for a unit that is up all the while, since its successor is started first. */
bool budget_allows_beside(const struct model *model, struct text *why);
void budget_take_beside(struct model *model);

/* Of all units fewer are on the move than may be. */
bool budget_has_room(const struct model *model);

#endif
