/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rollouts: the units of a template get another text, or are started anew, a few at a time.
 *
 * The order is ops/rollout/<name>: of the template p@.service, for all instances and the template
 * itself, or of a unit that is no instance. The API writes it (struct record_rollout); from then on
 * the leader does, until it is done. Whatever it needs to go on is in there and in the units and
 * their states, so a new leader goes on; only the waiting begins anew.
 *
 * In each step:
 *   - Instances in the order of their names. Those that nobody would miss (not to run, failed,
 *     without a machine) are rewritten at once; of the others as many as parallel says, if the
 *     budget (budget.h) lets them be down. They are in `changing` from then on.
 *   - One leaves it when the machine has answered for what units/<unit> now says, it is active (or
 *     ran to its end), healthy if it has a check, and was so for wait_ms in one run.
 *   - It has failed when it is failed or unhealthy, has no machine any more, was not up within
 *     timeout_ms, or was up and down three times. So has the rollout when an instance fails that
 *     had its turn: it is paused, or goes back to the previous text in the same way (`back`).
 *   - The time that its machine is absent does not count. An instance that is destroyed or is not
 *     to run any more is let off. One that somebody gives another text gets its turn (again).
 *   - When all have had it and none is changing, it is done; with no instance, at once.
 *
 * A unit that runs everywhere is one record, and its copies take part, in the order of machines. A
 * copy gets the text in its assignment alone; while the rollout runs or is paused step_unit()
 * leaves assignments of the unit their texts. units/<unit> gets it last, when all copies are up
 * with it, and with it what the text asks of machines. A machine that comes meanwhile gets what
 * units/<unit> says and has its turn to come; one that is away is let off, and gets that when it is
 * back. One that goes in its turn is waited for until its time is over. A restart begins at the
 * other end: units/<unit> gets a new restart_revision first, and copies whose assignments are older
 * have their turn to come; meanwhile step_unit() writes them nothing that would start them anew.
 *
 * To start all instances anew though their text stays, say because an image is newer: the same with
 * `restart`. PUT /v1/rollouts/<name> {"order": "restart"} does it, as `musterctl rollout restart`;
 * who writes the key itself fills a record with `restart`, the present revision of the store as
 * since_revision and retry_revision, keeps blob, version and versions as they are, and guards by
 * the mod of the key, which must be absent or not running. Nothing else is wanted: state becomes
 * done, or paused with a reason.
 */
#ifndef SCHEDULER_ROLLOUT_H
#define SCHEDULER_ROLLOUT_H

#include "scheduler/rollout_list.h"
#include "scheduler/step.h"

enum {
    ROLLOUT_STUCK_MS = 10000, /* waiting for budget is worth a word after that */
    ROLLOUT_RELAPSES_MAX = 3,
};

/* --- rollout_member.c --- */

/* Its name, with the machine behind a slash if it is a copy: as in `changing`. Caller frees; NULL
 * if memory ran out. */
char *rollout_member_name(const struct rollout_member *member);
enum turn rollout_judge(struct step *step, struct rollout *rollout,
                        const struct rollout_member *member, struct text *why);
bool rollout_has_no_machine(const struct unit *unit);
/* To take it down is no loss to anybody. */
bool rollout_costs_nothing(const struct rollout *rollout, const struct rollout_member *member);
bool rollout_copy_is_up(const struct placement *copy);
bool rollout_is_touched(const struct rollout_member *member);

#endif
