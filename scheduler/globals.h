/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Units that run everywhere, and which machines they have yet to ask. Whether a unit may be on a
 * machine depends on itself and on what is known of the machine and of what is there: so when
 * either changes is it asked again, and no sooner. All globals ask a machine that was stirred; one
 * that changed itself is forgotten, and asks all machines.
 *
 * What is kept for somebody is always asked: it depends on that unit, too.
 */
#ifndef SCHEDULER_GLOBALS_H
#define SCHEDULER_GLOBALS_H

#include "scheduler/model_data.h"

struct global {
    const struct unit *unit;
    bool asks_all;
    uint64_t *to_ask; /* machines, by number */
    uint64_t *has;    /* those that have it, or get it, as of when they were asked */
    size_t count;     /* of those */
    UT_hash_handle hh;
};

/* What there is of the unit, or is made: then it asks all. NULL: memory ran out. */
struct global *global_get(struct model *model, const struct unit *unit);
/* The machines that it is to ask now, by id; it has asked them. Borrowed until the next call. */
struct machine *const *global_take(struct model *model, struct global *global, size_t *ret_count);
/* What the machine said. */
void global_note(struct global *global, const struct machine *machine, bool has_it);

/* What it asks of machines may have changed, or it is gone. */
void global_forget(struct model *model, const struct unit *unit);
/* All of them, as after the machines have been numbered anew. */
void globals_forget(struct model *model);

#endif
