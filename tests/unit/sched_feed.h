/* SPDX-License-Identifier: Apache-2.0 */
/* Facts of a store, as JSON, into a model; and a plan as text: for golden tests and the simulator.
 */
#ifndef TESTS_UNIT_SCHED_FEED_H
#define TESTS_UNIT_SCHED_FEED_H

#include "base/json.h"
#include "base/text.h"
#include "scheduler/plan.h"

/*
 * key: without prefix; a machine may be one letter, standing for 32 of them. value: the record, or
 * null: deleted. A unit's value may hold "x-fleet", its requirements, or "problem". Dies on a fact
 * that cannot be read: the case is wrong.
 */
void feed(struct model *model, const char *key, int64_t create, int64_t mod, const json_t *value,
          int64_t now_ms);

/* One line an action: what, guards, reason; machines as one letter where they are 32 of one. */
void print_plan(const struct plan *plan, struct text *text);

#endif
