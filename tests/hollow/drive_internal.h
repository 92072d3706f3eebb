/* SPDX-License-Identifier: Apache-2.0 */
/* What drive.c, the story, and commit.c, its chapter on how fast a leader writes, share. For no one
 * else. */
#ifndef TESTS_HOLLOW_DRIVE_INTERNAL_H
#define TESTS_HOLLOW_DRIVE_INTERNAL_H

#include <sys/types.h>

#include "tests/hollow/drive.h"
#include "tests/hollow/machines.h"
#include "tests/hollow/store.h"

enum {
    DRIVE_POLL_MS = 50, /* and more, by who waits for long */
    DRIVE_PATIENCE_S = 600,
};

struct drive {
    const struct drive_options *options;
    struct store *store;
    pid_t leader;
    int64_t leader_since_ns;
    pid_t groups[DRIVE_GROUPS];
    bool lost[DRIVE_GROUPS];
};

/* drive.c */
void drive_figure(const char *name, double value, const char *unit);
double drive_seconds_between(int64_t from_ns, int64_t to_ns);
struct machines_options drive_machines_of(const struct drive *drive, unsigned int first,
                                          unsigned int count);
void drive_start_leader(struct drive *drive);
void drive_signal_groups(struct drive *drive, int signo);
void drive_wait_watches(struct drive *drive, int64_t wanted);

/* commit.c. Submits the units, and ends with all of them assigned to machines that stand still. */
void drive_commit(struct drive *drive);

#endif
