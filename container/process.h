/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the programs that muster-container leans on (skopeo, crun) and says in one line why one
 * failed. */
#ifndef CONTAINER_PROCESS_H
#define CONTAINER_PROCESS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "container/progress.h"

struct process {
    const char *const *argv;   /* ends with NULL; argv[0] is looked up in PATH */
    char *const *environment;  /* or NULL: empty but for PATH */
    const char *package;       /* who brings the program; named where it is missing */
    const char *log_path;      /* a file in which the program leaves its complaint; NULL: its output
                                  is taken from it and its last line is the complaint */
    const int *input;          /* a descriptor that becomes its stdin; NULL: it has ours */
    char **ret_output;         /* or NULL; what it wrote to stdout, if it ended well; caller frees.
                                  The complaint then is what it wrote to stderr */
    size_t *ret_length;        /* or NULL; bytes of it */
    bool complains_to_stdout;  /* its complaint is there too, as an answer; stderr if it is empty */
    struct progress *progress; /* or NULL; ticked while it runs */
    /* or NULL; makes an error of all of its complaint and returns the code */
    int (*explain)(const char *complaint, struct error *err);
};

/* Waits for the end. -ENOENT: the program is not installed. -EIO: it failed; err has the last line
 * of its complaint, or what explain() makes of it. */
int process_run(const struct process *process, struct error *err);

/* A descriptor for input, from which a program can read this text once; the caller closes it. */
int process_input(const void *text, size_t length, struct error *err);

#endif
