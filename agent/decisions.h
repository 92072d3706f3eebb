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

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scheduler/plan.h"

enum { DECISIONS_PLACED_MAX = 500 }; /* of a plan, told one by one */

/* Of one plan. */
struct decisions {
    int64_t epoch;
    int64_t began_ms; /* boot time */
    size_t placed;    /* told of so far */
};

void decisions_begin(struct decisions *decisions, int64_t epoch);

/* Tells of actions that are in one transaction. reasons: as that has them; where one is NULL, it is
 * made. */
void decisions_tell(struct decisions *decisions, const struct action *actions,
                    const char *const *reasons, size_t count);

/* All actions of the plan were answered. Of many, how long that took. */
void decisions_end(const struct decisions *decisions, size_t count, bool refused);

#endif
