/* SPDX-License-Identifier: Apache-2.0 */
/* One unit as the server describes it. */
#ifndef CLI_UNIT_H
#define CLI_UNIT_H

#include "cli/cli.h"

/* The name of the unit that was typed: mangled (see unit_name_mangle()) and checked; a pattern is
 * refused in words of its own, and so is what ought to be escaped. A Quadlet file such as
 * web.container gives its service's name: ServiceName= if the file is there to read, else
 * web.service. Caller frees *ret. */
int unit_typed_name(const char *typed, char **ret, struct error *err);

/* What the server knows of the unit that was typed. */
int unit_fetch(const struct cli *cli, const char *typed, json_t **ret, struct error *err);

/* Is this machine id ours? */
bool unit_is_local(const char *machine);

#endif
