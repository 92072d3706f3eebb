/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who takes part in a rollout, and what is known of each from step to step, so that a step judges
 * those anew that something has happened to: to the unit, to its copy, to the copy's machine, to
 * what the record says of it. Those that are changing, whose time may be over, it always judges.
 *
 * There is a list as long as the rollout runs. It is dropped, and made and judged anew by the next
 * step, when units that run everywhere get or lose copies, or when the order is another.
 */
#ifndef SCHEDULER_ROLLOUT_LIST_H
#define SCHEDULER_ROLLOUT_LIST_H

#include "scheduler/model_data.h"

enum turn {
    TURN_INVALID = 0, /* it does not take part at present */
    TURN_TO_COME,
    TURN_CHANGING,
    TURN_OVER,
    TURN_FAILED, /* then why gets the words */
};

struct rollout_member {
    struct unit *unit;
    struct placement *copy; /* of a unit that runs everywhere, else NULL; that also has one NULL */
    size_t first, own;      /* its unit's copies are from first on, the unit itself behind them */
    enum turn turn;
    bool is_listed; /* in what the record calls changing */
};

/* Sets of members. */
enum rollout_set {
    SET_STALE = 0, /* to be judged anew */
    SET_TOUCHED,   /* within a step: it has decided of them otherwise */
    SET_TO_COME,
    SET_CHANGING,
    SET_FAILED,
    SET_OPEN,   /* copies whose turn is not over */
    SET_DOWN,   /* copies that are not up, and not changing */
    SET_TO_RUN, /* that are to */
    SET_FREE,   /* to take it down is no loss to anybody */
    SET_UP,     /* units that run once, and are up */
    SETS
};

struct rollout_list {
    struct rollout_member *members; /* in the order of their names: p@2 before p@10 */
    size_t count, words;
    size_t *owns; /* of each of the rollout's units: where it is among the members */
    uint64_t *sets[SETS];
};

/* Makes it if there is none. False: memory ran out. */
bool rollout_list_make(const struct model *model, struct rollout *rollout);
void rollout_list_drop(struct rollout *rollout);

/* Something has happened to it. */
void rollout_note_unit(const struct model *model, const struct unit *unit);
void rollout_note_copy(const struct model *model, const struct placement *placement);
void rollout_note_machine(const struct model *model, const struct machine *machine);
/* A copy of it has come to be, or is no more what or where it was. */
void rollout_note_copies(const struct model *model, const struct unit *unit);
/* The unit comes, or goes. */
void rollout_join(const struct model *model, struct unit *unit);
void rollout_leave(const struct model *model, const struct unit *unit);
/* The record is about to become this. */
void rollout_note_record(struct rollout *rollout, const struct record_rollout *next);
/* The step has decided of the copy. */
void rollout_touch(const struct model *model, const struct placement *placement);

#endif
