/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a leader's writes compare of the units that they rest on: each unit, or all of them by one
 * key. Pure.
 *
 * Who writes or deletes units puts `units-written` in the same transaction. So if that is as it was
 * when a plan was made, then so is every unit, and one compare does for as many as a transaction
 * holds: the guards of the units cost the store as much as the writes that they are for.
 *
 * It refuses more than it has to: any unit that is written meanwhile is in the way of all. What it
 * has refused is written again under a guard for each unit, and so is what follows, until a plan
 * finds that none has been written since the one before.
 *
 * It says nothing where somebody may write without it (a musterd that is older than this rule;
 * members tell), where the key is absent or older than a unit, or where a record could not be read:
 * then a unit may be known here as it was before, and that is so until another leads.
 */
#ifndef AGENT_UNIT_GUARD_H
#define AGENT_UNIT_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct unit_guard {
    int64_t seen;      /* mod_revision of units-written, as the mirror shows it; 0: absent */
    int64_t mark;      /* the same, when all of a revision had been seen */
    int64_t newest;    /* the last revision in which a unit was put */
    size_t strangers;  /* members that may write units without it */
    bool is_blind;     /* a unit is known as it was before, or was: for as long as this leads */
    int64_t planned;   /* the mark of the last plan */
    bool is_contended; /* it has refused, and units have been written since */
};

/* What the mirror shows; mod 0: deleted. The key may be seen before the units that were written
 * with it: it stands for them once all of a revision has been seen, and that is told. */
void unit_guard_see_mark(struct unit_guard *guard, int64_t mod);
void unit_guard_see_unit(struct unit_guard *guard, int64_t mod);
void unit_guard_settle(struct unit_guard *guard);
void unit_guard_see_unreadable_unit(struct unit_guard *guard);
/* A member came that puts the key with its units, or does not; or one went. */
void unit_guard_see_member(struct unit_guard *guard, bool marks_units);
void unit_guard_forget_member(struct unit_guard *guard, bool marks_units);

/* With each plan: the mod_revision that stands for all units in it; 0: each is to be compared. */
int64_t unit_guard_plan(struct unit_guard *guard);

/* A transaction was refused under it. */
void unit_guard_refuse(struct unit_guard *guard);

#endif
