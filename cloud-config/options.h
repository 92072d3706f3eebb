/* SPDX-License-Identifier: Apache-2.0 */
/* The command line in Go's manner: -x is --x; a value follows as "--x=v" or "--x v"; a flag that
 * is on or off takes none, or "=false". */
#ifndef CLOUD_CONFIG_OPTIONS_H
#define CLOUD_CONFIG_OPTIONS_H

#include <stdbool.h>

#include "base/error.h"

struct options {
    const char *from_file; /* borrowed from argv; NULL if not given */
    const char *root;
    const char *workspace;
    const char *ssh_key_name;
    bool validate;
    bool dry_run;
    bool ignore_failure;
    bool version;
    bool help;
};

/* -EINVAL and what is wrong with the command line. */
int options_parse(int argc, char **argv, struct options *ret, struct error *err);

extern const char options_help[];

#endif
