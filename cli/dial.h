/* SPDX-License-Identifier: Apache-2.0 */
/* A setting of the cluster that has a few words: "VERB [status|WORD…]" shows it, or sets it. */
#ifndef CLI_DIAL_H
#define CLI_DIAL_H

#include "cli/cli.h"

struct dial {
    const char *verb;
    const char *path;         /* GET shows it, PUT {field: word} sets it; both answer alike */
    const char *field;        /* in the body */
    const char *const *words; /* that it may be set to; ends with NULL */
    void (*show)(const json_t *answer);
};

/* Returns an exit code and has complained if it is not 0. */
int dial_run(const struct cli *cli, const struct dial *dial);

#endif
