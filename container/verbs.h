/* SPDX-License-Identifier: Apache-2.0 */
/* What muster-container does, one file per verb. */
#ifndef CONTAINER_VERBS_H
#define CONTAINER_VERBS_H

#include <stdbool.h>

#include "base/error.h"

/* Prepares and starts the unit's container, and tells systemd its pid. To be run by systemd as the
 * ExecStart= of a service with NotifyAccess=all: of Type=notify, or of Type=oneshot, whose start
 * lasts as long as the container; *ret_status is then the container's. After a failure nothing is
 * left. */
int verb_start(const char *unit, int *ret_status, struct error *err);

/* ReloadCmd= in the running container, or ReloadSignal= to its first process: the ExecReload= of
 * the service. -EIO: the command failed. */
int verb_reload(const char *unit, struct error *err);

/* Removes whatever a container of the unit left, but spec.json. Any number of times. */
int verb_clean(const char *unit, struct error *err);

/* Removes images that nobody uses until the rest is within images_max_size (settings.h), and tells
 * the journal; if verbose, also that there was nothing to do. A pull does so itself. */
int verb_gc(bool verbose, struct error *err);

/* Prints the digests that the name of an image in a registry stands for now, one a line: of its
 * manifest, or of an index and then of each manifest in it. */
int verb_digest(const char *image, struct error *err);

struct exec_options {
    bool tty; /* allocate a terminal */
};

/* Becomes the command (ends with NULL) inside the unit's running container, in a scope of its own
 * in muster.slice. Returns only on failure. */
int verb_exec(const char *unit, const struct exec_options *options, char *const *command,
              struct error *err);

/* Runs the container's health check once, or the one for its start. To be run by musterd, whose
 * death ends it; so does SIGTERM, and with it all that the check started. err is what a failing
 * check said last. -EAGAIN: it says nothing of the container, which is only about to start, or has
 * ended. */
int verb_probe(const char *unit, bool startup, struct error *err);

#endif
