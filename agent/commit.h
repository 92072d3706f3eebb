/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the scheduler's actions to transactions of the store. Pure.
 *
 * Every transaction compares the leader's epoch and, for each action, what it was derived from and
 * others may have changed; so what is written was right when it was written, whoever is deposed,
 * delayed or restarted meanwhile. A registration is compared once, however many actions rest on it.
 * So are the units, where one key speaks for all of them (unit_guard.h) and a transaction rests on
 * more than one.
 *
 * That an assignment is absent is compared for the first new one of a transaction alone. Nobody but
 * leaders writes assignments, and under this epoch nobody but this one, who knows what he wrote; so
 * it says only that this transaction was not written before. Who sends these asks for no second
 * sending (once in kv.h).
 */
#ifndef AGENT_COMMIT_H
#define AGENT_COMMIT_H

#include "base/arena.h"
#include "base/text.h"
#include "kvclient/kv.h"
#include "scheduler/plan.h"

enum {
    COMMIT_BYTES_MAX = 512 * 1024, /* etcd takes 1.5 MiB */
    COMMIT_ACTION_MAX = 6,         /* compares or ops that one action adds at the most: a move */
};

/* How far a transaction has come. */
struct commit_extent {
    size_t compare_count;
    size_t op_count;
    size_t action_count;
    size_t bytes;        /* of the strings that are in it */
    const char *machine; /* whose registration was compared last; borrowed from its action */
    bool is_once; /* it compares something that itself changes, so it cannot be written twice */
    size_t unit_compare; /* where the first unit is compared, or all; 0: none rests on a unit */
    bool has_mark;       /* and it is all */
    bool marks_units;    /* it writes units */
};

struct commit {
    struct commit_extent extent;
    struct kv_compare compares[KV_TXN_OPS_MAX + COMMIT_ACTION_MAX];
    struct kv_op ops[KV_TXN_OPS_MAX + COMMIT_ACTION_MAX];
    /* In the order of its actions: the reason that is written with it, or NULL. */
    const char *reasons[KV_TXN_OPS_MAX + COMMIT_ACTION_MAX];
    struct arena strings; /* owns the keys and values above */
    struct text text;     /* of one that is being made */
};

struct commit_context {
    const char *prefix;
    int64_t epoch;
    int64_t units_mark; /* what stands for all units, of unit_guard_plan(); 0: nothing does */
    int64_t wall_ms;    /* for the times that people see */
};

/* An empty transaction that compares the epoch. */
int commit_begin(const struct commit_context *context, struct commit *commit, struct error *err);

/* Adds actions that the store must get at once: 0; or 1 and nothing added if they do not fit any
 * more, or not even alone. A single one always fits an empty transaction. */
int commit_add(const struct commit_context *context, struct commit *commit,
               const struct action *actions, size_t count, struct error *err);
void commit_done(struct commit *commit);

#endif
