/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Units that run everywhere, and which machines they have yet to ask. Whether a unit may be on a
 * machine depends on itself and on what is known of the machine and of what is there: so when
 * either changes is it asked again, and no sooner. All globals ask a machine that was stirred; one
 * that changed itself is forgotten, and asks all machines.
 *
 * What is kept for somebody is always asked: it depends on that unit, too.
 */
#ifndef SCHEDULER_ASKERS_H
#define SCHEDULER_ASKERS_H

#include "scheduler/model_data.h"

struct asker {
    const struct unit *unit;
    bool asks_all;
    uint64_t *to_ask; /* machines, by number */
    uint64_t *has;    /* those that have it, or get it, as of when they were asked */
    size_t count;     /* of those */
    UT_hash_handle hh;
};

/* What there is of the unit, or is made: then it asks all. NULL: memory ran out. */
struct asker *asker_get(struct model *model, const struct unit *unit);
/* The machines that it is to ask now, by id; it has asked them. Borrowed until the next call. */
struct machine *const *asker_take(struct model *model, struct asker *asker, size_t *ret_count);
/* What the machine said. */
void asker_note(struct asker *asker, const struct machine *machine, bool has_it);

/* What it asks of machines may have changed, or it is gone. */
void asker_forget(struct model *model, const struct unit *unit);
/* All of them, as after the machines have been numbered anew. */
void askers_forget(struct model *model);

#endif
