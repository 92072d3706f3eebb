/* SPDX-License-Identifier: Apache-2.0 */
/* One unit as the server describes it. */
#ifndef CLI_UNIT_H
#define CLI_UNIT_H

#include "cli/cli.h"

/* typed is mangled first. */
int unit_fetch(const struct cli *cli, const char *typed, json_t **ret, struct error *err);

/* Is this machine id ours? */
bool unit_is_local(const char *machine);

#endif
