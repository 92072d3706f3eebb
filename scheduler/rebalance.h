/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evening out loads: a unit goes from a machine to one where it would go were it placed now, if it
 * gains at least two levels of load and a tenth (the load of a machine as index_level() has it: of
 * the one that it leaves, and of the other once it is there), and if the machine that it leaves is
 * the better for it. So the loads, sorted, only ever sink, and moving comes to an end.
 *
 * Nothing is moved that a person has tied to a machine (MachineID=, Failover=never), that runs
 * everywhere, that has peers (MachineOf=), that ran to its end, or that is not up. A machine gives
 * or gets one unit a minute, a unit rests for ten, after a move in vain for twenty, and so on up to
 * a day; a new leader waits a minute. The budget
 * (budget.h) is shared with all other moves that could wait, and while a machine is away nothing
 * begins.
 *
 * A machine is looked at when its load has changed, or one of its units has come up or has no
 * verdict any more, so that an even cluster costs nothing.
 */
#ifndef SCHEDULER_REBALANCE_H
#define SCHEDULER_REBALANCE_H

#include "scheduler/records.h"

enum {
    REBALANCE_GAIN_LEVELS = 2,
    REBALANCE_GAIN_PERCENT = 10,
    REBALANCE_MACHINE_MS = 60000,
    REBALANCE_UNIT_MS = 600000,
    REBALANCE_UNIT_MAX_MS = 86400000, /* after moves in vain */
    REBALANCE_RETRY_MS = 10000,       /* when the budget did not allow it */
    REBALANCE_LOOKS = 1000,           /* units that one look at a machine may ask about */
};

struct machine;
struct model;
struct unit;

struct rebalanced {
    const struct unit *unit; /* for comparing only: it may be gone */
    int64_t mod;             /* of the unit, as it was to move */
    int64_t at_ms;
    unsigned int vain; /* how often it could not run where it was to; see forget_rested() */
};

/* A move that was decided, and what was noted of it before. */
struct rebalance_attempt {
    const struct unit *unit;   /* for comparing only, as above */
    struct machine *from, *to; /* NULL: it is gone */
    bool succeeds;             /* it begins on the machine where it goes */
    bool was_noted;
    struct rebalanced noted; /* of the unit */
    int64_t from_ms, to_ms;  /* rebalanced_ms of the machines */
};

struct rebalance {
    enum rebalance_mode mode;
    bool muted;               /* loads are changed for looking only */
    bool begun;               /* this leader has made a step */
    int64_t not_before_ms;    /* nothing is looked at before that */
    struct machine *uneven;   /* whose load has changed; kept where the mode is "auto" */
    struct rebalanced *moved; /* that rest, or are soon to have rested */
    size_t moved_count, moved_room;
    struct rebalance_attempt *attempts; /* of the last step */
    size_t attempt_count, attempt_room;
};

void rebalance_set_mode(struct model *model, enum rebalance_mode mode);
/* Its load has changed, it takes newcomers now, or one of its units may go now. */
void rebalance_note(struct model *model, struct machine *machine);
/* The model has caught up with what the last step decided: where the store has refused a move
 * nobody rests for it. Before anything is decided. */
void rebalance_settle(struct model *model);
/* Its successor was no good: it rests for twice as long as before. False: memory ran out. */
bool rebalance_note_vain(struct model *model, const struct unit *unit, int64_t now_ms);
/* Its successor runs, and is all of it, as the store says: what was in vain before is over. */
void rebalance_note_success(struct model *model, const struct unit *unit);
/* It is about to be freed. */
void rebalance_forget(struct model *model, struct machine *machine);
void rebalance_done(struct model *model);

#endif
