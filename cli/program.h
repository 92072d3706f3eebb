/* SPDX-License-Identifier: Apache-2.0 */
/* Runs another program and hears it out; the command line may block. */
#ifndef CLI_PROGRAM_H
#define CLI_PROGRAM_H

#include "base/error.h"

enum { PROGRAM_NOT_INSTALLED = 127 }; /* as a shell says it */

/* To stdout and to stderr, up to 4 MiB each, and the exit status, or PROGRAM_NOT_INSTALLED. */
struct program_said {
    char *output;
    char *complaints;
    int status;
};

void program_said_done(struct program_said *said);
#define autosaid __attribute__((cleanup(program_said_done))) struct program_said

/* argv ends with NULL; argv[0] is looked up in PATH. prepare (or NULL) is called in the child,
 * whose stdout and stderr go to us already, apart; it may make them one. *ret: end it with
 * program_said_done(). -EIO: a signal ended it. */
int program_hear(char *const *argv, void (*prepare)(void), struct program_said *ret,
                 struct error *err);

#endif
