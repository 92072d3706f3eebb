/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why no machine takes a unit, in words. They speak of the first few machines and count the others.
 *
 * Who waits is asked again whenever anything eases, and to find the words costs more than to find
 * that there is no place. So it is noted that a verdict says what they would be, and they are not
 * made again before something happens to one of those machines.
 */
#ifndef SCHEDULER_REFUSALS_H
#define SCHEDULER_REFUSALS_H

#include "base/text.h"
#include "scheduler/party.h"

/* Which machines the words speak of in this step. */
void refusals_begin(struct model *model);

/* "waits for a.service, which is on no machine" */
void refusals_peer_words(const struct unit *peer, struct text *words);
/* "no machine may run it: 4f2a1b3c (node1): conflicts with a.service; …" */
void refusals_words(struct model *model, const struct party *party, struct text *words);

/* The verdict of a unit that nothing ties says what would be said now: so it was noted, and nothing
 * has happened since. lost: as then. */
bool refusals_are_told(const struct model *model, const struct unit *unit,
                       const struct machine *lost);
/* Notes it, if the verdict reads like this. */
void refusals_note_told(const struct model *model, const struct unit *unit,
                        const struct machine *lost, const char *reason);

#endif
