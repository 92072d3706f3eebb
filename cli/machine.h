/* SPDX-License-Identifier: Apache-2.0 */
/* One machine, as the server describes it and is told about it. */
#ifndef CLI_MACHINE_H
#define CLI_MACHINE_H

#include "base/json.h"
#include "cli/cli.h"

/* METHOD /v1/machines/WORD/what; word is an id, its beginning or a name. *ret is the machine as it
 * is afterwards; the caller owns it. body is borrowed, NULL for none. */
int machine_call(const struct cli *cli, const char *method, const char *word, const char *what,
                 const json_t *body, json_t **ret, struct error *err);

/* How many units are assigned there. */
long long machine_units(const json_t *machine);

#endif
