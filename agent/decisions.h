/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a leader tells the log of its decisions.
 *
 * A line for each action, with its reason. Of a plan with many, as after a great submission, those
 * whose reason is in the store with what is written are told of by the transaction at last: a
 * journal takes 10,000 lines in 30 s (journald.conf(5), RateLimitBurst=) and drops what comes then,
 * whatever that is. Those are units placed for the first time, and verdicts. What moves or goes is
 * always told of by itself.
 */
#ifndef AGENT_DECISIONS_H
#define AGENT_DECISIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scheduler/plan.h"

enum { DECISIONS_TOLD_MAX = 500 }; /* of a plan, of those whose reason is in the store */

/* Of one plan. */
struct decisions {
    int64_t epoch;
    int64_t began_ms; /* boot time */
    size_t told;      /* of those whose reason is in the store */
};

void decisions_begin(struct decisions *decisions, int64_t epoch);

/* Tells of actions that are in one transaction. reasons: as that has them; where one is NULL, it is
 * made. */
void decisions_tell(struct decisions *decisions, const struct action *actions,
                    const char *const *reasons, size_t count);

/* So many actions of all are in the store, and what is not was refused. Of many it is told how long
 * that took. */
void decisions_end(const struct decisions *decisions, size_t written, size_t count);

#endif
