/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The units of this machine: brings what systemd runs to what the cluster assigned, one pure step
 * (reconcile.h) at a time, and reports what became of it. Event-driven: it acts on assignments, on
 * systemd's signals and on the ends of its own steps, and on a timer only to try again what failed.
 */
#ifndef AGENT_RUNNER_H
#define AGENT_RUNNER_H

#include "agent/reports.h"
#include "agent/systemd.h"
#include "agent/unit_files.h"

struct runner;

struct runner_config {
    struct loop *loop; /* all borrowed */
    struct kv *kv;
    const char *prefix;
    struct unit_host host;
    struct unit_dirs dirs;
    struct reports *reports;
};

/* Takes up what an earlier musterd installed. */
int runner_new(const struct runner_config *config, struct runner **ret, struct error *err);
void runner_free(struct runner *runner);
DEFINE_AUTOPTR(runner);

/* systemd is given later, because it calls back into the runner. Borrowed. */
void runner_set_systemd(struct runner *runner, struct systemd *systemd);
void runner_on_status(struct runner *runner, const char *unit, const struct systemd_status *status);
void runner_on_connected(struct runner *runner, bool connected);

int runner_assign(struct runner *runner, const char *unit, int64_t mod,
                  const struct record_assignment *assignment, struct error *err);
void runner_unassign(struct runner *runner, const char *unit);
/* Unassigns every unit for which is_assigned says no: after the assignments were listed anew. */
void runner_retain(struct runner *runner, bool (*is_assigned)(const char *unit, void *userdata),
                   void *userdata);

/* A unit that is not assigned is stopped only once a linearizable read of the store that we know,
 * with a leader in it, has confirmed it: has_unconfirmed asks for such a read, confirm gives what
 * it listed as assigned here. One of which nothing is installed has nothing to be stopped: it is
 * forgotten without. */
bool runner_has_unconfirmed(const struct runner *runner);
void runner_confirm_absence(struct runner *runner, char *const *assigned);

/* How many units of ours are not down. */
size_t runner_running(const struct runner *runner);

#endif
