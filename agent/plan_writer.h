/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes a plan into the store: in as few transactions as hold it (commit.h), and as many of them
 * at a time as keep the store busy.
 *
 * What takes something away may make room for what follows it, so there the order of the plan is
 * kept; new assignments stand each for itself, in whatever order they land. A transaction that was
 * refused under one guard for all units (unit_guard.h) is sent once more under a guard for each.
 */
#ifndef AGENT_PLAN_WRITER_H
#define AGENT_PLAN_WRITER_H

#include "agent/unit_guard.h"
#include "kvclient/kv.h"
#include "scheduler/plan.h"

struct plan_writer;

struct plan_writer_config {
    struct kv *kv; /* borrowed, as is all that follows */
    const char *prefix;
    struct unit_guard *guard; /* is told when what stands for all units was refused */
    /* Every action of the plan is in the store; refused: but for some, whose guards did not hold.
     */
    void (*on_written)(bool refused, void *userdata);
    /* Whether something is in the store is not known, or somebody else leads: the plan is
     * forgotten, and nothing more may be written under its epoch. */
    void (*on_doubt)(void *userdata);
    void *userdata;
};

int plan_writer_new(const struct plan_writer_config *config, struct plan_writer **ret,
                    struct error *err);
void plan_writer_free(struct plan_writer *writer);
DEFINE_AUTOPTR(plan_writer);

/* Takes the plan; there is none under way. units_mark: what its units are guarded by, of
 * unit_guard_plan(); 0: each by itself. After a plan of which some was refused, the next one under
 * its epoch is written one block at a time, and by each unit, to find what stands in the way. */
void plan_writer_begin(struct plan_writer *writer, struct plan *plan, int64_t epoch,
                       int64_t units_mark);

/* Drops the plan that is under way, if any: none of the callbacks comes any more. What is in flight
 * may land until there is a new epoch. */
void plan_writer_forget(struct plan_writer *writer);

/* Of the newest transaction that is known to be in the store; 0: there is none. */
int64_t plan_writer_revision(const struct plan_writer *writer);

#endif
