/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the programs that muster-container leans on (umoci, crun) and says in one line why one
 * failed. */
#ifndef CONTAINER_PROCESS_H
#define CONTAINER_PROCESS_H

#include "base/error.h"

struct process {
    const char *const *argv;  /* ends with NULL; argv[0] is looked up in PATH */
    char *const *environment; /* or NULL: empty but for PATH */
    const char *package;      /* who brings the program; named where it is missing */
    const char *log_path;     /* a file in which the program leaves its complaint; NULL: its output
                                 is taken from it and its last line is the complaint */
};

/* Waits for the end. -ENOENT: the program is not installed. -EIO: it failed; err has the last line
 * of its complaint. */
int process_run(const struct process *process, struct error *err);

#endif
