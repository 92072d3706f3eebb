/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who asks many machines and is asked often, and which machines it has yet to ask: units that run
 * everywhere, and groups of units that wait for others to leave that they replace. Whether a unit
 * may be on a machine depends on itself and on what is known of the machine and of what is there:
 * so when either changes is it asked again, and no sooner. All ask a machine that was stirred; who
 * changes is forgotten, and asks all machines.
 *
 * A group of which nobody waits is forgotten.
 *
 * What is kept for somebody is always asked: it depends on that unit, too.
 */
#ifndef SCHEDULER_ASKERS_H
#define SCHEDULER_ASKERS_H

#include "scheduler/model_data.h"

struct asker {
    const void *who; /* the unit, or the group */
    bool asks_all;
    uint64_t *to_ask; /* machines, by number */
    uint64_t *has;    /* those that have it, or get it, as of when they were asked */
    size_t count;     /* of those */
    UT_hash_handle hh;
};

/* What there is of it, or is made: then it asks all. NULL: memory ran out. */
struct asker *asker_get(struct model *model, const void *who);
/* The machines that it is to ask now, by id; it has asked them. Borrowed until the next call. */
struct machine *const *asker_take(struct model *model, struct asker *asker, size_t *ret_count);
/* What the machine said. */
void asker_note(struct asker *asker, const struct machine *machine, bool has_it);

/* What it asks of machines may have changed, or it has got what it asked for, or is gone. */
void asker_forget(struct model *model, const void *who);
/* All of them, as after the machines have been numbered anew. */
void askers_forget(struct model *model);

#endif
