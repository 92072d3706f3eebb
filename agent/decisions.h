/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a leader tells the log of its decisions.
 *
 * A line for each action, with its reason. Of a plan that places many units for the first time, as
 * after a great submission, the later ones are told of by the transaction: a journal takes 10,000
 * lines in 30 s (journald.conf(5), RateLimitBurst=) and drops what comes then, whatever that is.
 * Nothing is lost by it: each assignment has its reason with it in the store. What moves, goes or
 * is refused is always told of by itself.
 */
#ifndef AGENT_DECISIONS_H
#define AGENT_DECISIONS_H

#include <stddef.h>
#include <stdint.h>

#include "scheduler/plan.h"

enum { DECISIONS_PLACED_MAX = 500 }; /* of a plan, told one by one */

/* Of one plan; begin with the epoch alone. */
struct decisions {
    int64_t epoch;
    size_t placed; /* told of so far */
};

/* Tells of actions that are in one transaction. reasons: as that has them; where one is NULL, it is
 * made. */
void decisions_tell(struct decisions *decisions, const struct action *actions,
                    const char *const *reasons, size_t count);

#endif
