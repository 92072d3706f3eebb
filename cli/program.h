/* SPDX-License-Identifier: Apache-2.0 */
/* Runs another program and hears it out; the command line may block. */
#ifndef CLI_PROGRAM_H
#define CLI_PROGRAM_H

#include "base/error.h"

enum { PROGRAM_NOT_INSTALLED = 127 }; /* as a shell says it */

/* argv ends with NULL; argv[0] is looked up in PATH. prepare (or NULL) is called in the child,
 * whose output goes to us already. *ret: all that it wrote, to stdout and stderr, up to 4 MiB;
 * caller frees. *ret_status: its exit status, or PROGRAM_NOT_INSTALLED. -EIO: a signal ended it. */
int program_hear(char *const *argv, void (*prepare)(void), char **ret, int *ret_status,
                 struct error *err);

#endif
