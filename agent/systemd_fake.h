/* SPDX-License-Identifier: Apache-2.0 */
/* A systemd of the mind, for tests: units are words in a table, jobs end when the test says
 * deliver. */
#ifndef AGENT_SYSTEMD_FAKE_H
#define AGENT_SYSTEMD_FAKE_H

#include <stddef.h>

#include "agent/systemd.h"

int systemd_fake_new(const struct systemd_callbacks *callbacks, void *userdata,
                     struct systemd **ret, struct error *err);

/* One that tells by itself, in the loop's next turn; also that the bus is there. */
int systemd_fake_new_in_loop(struct loop *loop, const struct systemd_callbacks *callbacks,
                             void *userdata, struct systemd **ret, struct error *err);

/* Tells what is due: ends of jobs and statuses, in the order they came about. Returns how many. */
size_t systemd_fake_deliver(struct systemd *systemd);

/* The unit's state changes by itself (it crashed, somebody stopped it). */
void systemd_fake_set(struct systemd *systemd, const char *unit, const char *active,
                      const char *sub);
/* What its service says of itself. */
void systemd_fake_set_text(struct systemd *systemd, const char *unit, const char *text);
/* systemd has it active without a file, as a slice that a service names; a reload finds the file.
 */
void systemd_fake_make_up(struct systemd *systemd, const char *unit);
/* Its main process is another (0: none), and so is its run. */
void systemd_fake_set_main_pid(struct systemd *systemd, const char *unit, int64_t pid);
/* As a unit that the host has of its own. */
void systemd_fake_set_fragment(struct systemd *systemd, const char *unit, const char *fragment);
/* The next start of the unit fails. */
void systemd_fake_fail_start(struct systemd *systemd, const char *unit);
/* Starts of the unit go on until it is stopped or let go. */
void systemd_fake_hold_start(struct systemd *systemd, const char *unit);
void systemd_fake_let_go(struct systemd *systemd, const char *name);
/* The next start of the unit changes nothing and ends with code: 0 as if a condition of the unit
 * did not hold, -EIO as if something that it needs were missing. */
void systemd_fake_ignore_start(struct systemd *systemd, const char *unit, int code);
/* From now on jobs take their time: a unit is activating or deactivating until the test says
 * finish. A start that is to fail then does. A job that is ordered meanwhile supersedes it. A bus
 * that is lost takes the answers with it, and when it is back statuses are told anew. */
void systemd_fake_set_slow(struct systemd *systemd);
bool systemd_fake_has_job(const struct systemd *systemd, const char *unit);
void systemd_fake_finish(struct systemd *systemd, const char *name);

/* It outlives its connections: systemd_free() ends one, whose jobs go on and tell nobody;
 * reconnect makes the next, for a musterd that was started anew; destroy is the machine's end. */
void systemd_fake_outlive(struct systemd *systemd);
void systemd_fake_reconnect(struct systemd *systemd, const struct systemd_callbacks *callbacks,
                            void *userdata);
void systemd_fake_destroy(struct systemd *systemd);

/* Whether there is something to deliver; and a number that grows whenever a job or a unit's state
 * changes. */
bool systemd_fake_is_due(const struct systemd *systemd);
uint64_t systemd_fake_changes(const struct systemd *systemd);
void systemd_fake_connect(struct systemd *systemd, bool connected);

/* How often it was started and stopped. */
unsigned int systemd_fake_starts(const struct systemd *systemd, const char *unit);
unsigned int systemd_fake_stops(const struct systemd *systemd, const char *unit);
unsigned int systemd_fake_reloads(const struct systemd *systemd);
/* How often its restart was ordered, and its main process killed; both change nothing here. */
unsigned int systemd_fake_restarts(const struct systemd *systemd, const char *unit);
unsigned int systemd_fake_kills(const struct systemd *systemd, const char *unit);
const char *systemd_fake_active(const struct systemd *systemd, const char *unit);

#endif
