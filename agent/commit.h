/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the scheduler's actions to transactions of the store. Pure.
 *
 * Every transaction compares the leader's epoch and, for each action, everything that the action
 * was derived from; so what is written was right when it was written, whoever is deposed, delayed
 * or restarted meanwhile.
 */
#ifndef AGENT_COMMIT_H
#define AGENT_COMMIT_H

#include "kvclient/kv.h"
#include "scheduler/plan.h"

struct commit {
    struct kv_compare compares[KV_TXN_OPS_MAX];
    size_t compare_count;
    struct kv_op ops[KV_TXN_OPS_MAX];
    size_t op_count;
    char **strings; /* owns the keys and values above */
};

struct commit_context {
    const char *prefix;
    int64_t epoch;
    int64_t wall_ms; /* for the times that people see */
};

/* An empty transaction that compares the epoch. */
int commit_begin(const struct commit_context *context, struct commit *commit, struct error *err);

/* Adds one action: 0; or 1 and nothing added if it does not fit any more. */
int commit_add(const struct commit_context *context, struct commit *commit,
               const struct action *action, struct error *err);
void commit_done(struct commit *commit);

#endif
