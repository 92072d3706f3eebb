/* SPDX-License-Identifier: Apache-2.0 */
/* Rollouts as the server describes them, and what rollout and auto-update do with them alike. */
#ifndef CLI_ROLLOUTS_H
#define CLI_ROLLOUTS_H

#include <stdio.h>

#include "base/text.h"
#include "cli/cli.h"

/* /v1/rollouts/UNIT. Errors are client_call()'s; -ENOENT: there is none. */
int rollouts_call(const struct cli *cli, const char *method, const char *unit, const json_t *body,
                  json_t **ret, struct error *err);

/* What to PUT; as long, as many and so on as cli says. text: NULL but for "start". NULL if memory
 * ran out. */
json_t *rollouts_order(const struct cli *cli, const char *word, const char *text);

/* Who of a rollout is changing: "g.service/1e93…" is the copy of a unit that runs everywhere. */
void rollouts_member_words(const char *member, struct text *words);

/* A line whenever there is something new to say; *said is the last one. */
void rollouts_tell(FILE *stream, const json_t *rollout, char **said);

/* Whether the instances had the text with this hash, and it was taken back: by itself since it
 * failed, or by somebody. */
bool rollouts_took_back(const json_t *rollout, const char *hash);

#endif
