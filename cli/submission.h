/* SPDX-License-Identifier: Apache-2.0 */
/* What submit, load, start, stop, unload and destroy share: putting units in the store, wishing
 * them a state, and waiting until it is so. Each returns an exit code and has printed why. */
#ifndef CLI_SUBMISSION_H
#define CLI_SUBMISSION_H

#include "cli/cli.h"

/* Creates what is not in the store, replaces what differs if --replace says so, where the present
 * desired state is not above the wished one ("inactive", "loaded", "launched"). All files are read
 * and checked before anything is written. *ret_names: the units' names in the order typed; caller
 * frees. It is set only with EXIT_CODE_OK: what could not be put must not be wished a state. */
int submission_put(const struct cli *cli, const char *desired, char ***ret_names);

/* Sets the desired state; *ret is the server's list of what was changed. */
int submission_wish(const struct cli *cli, char *const *names, const char *desired, json_t **ret);

/* How to say that a unit has come to be as wished. */
struct outcome_words {
    const char *goal; /* of /v1/wait */
    const char *done; /* "launched": "Unit X launched on M" */
    const char *verb; /* "start": "Triggered unit X start" */
};

/* Waits for each of the changed units (globals and --no-block excepted) and tells. */
int submission_wait(const struct cli *cli, const json_t *changed,
                    const struct outcome_words *words);

/* All three: the units are stored if they are not, are wished into the state that words names as
 * the goal, and are waited for. The exit code. */
int submission_bring(const struct cli *cli, const struct outcome_words *words);

/* What the leader would do if all of them were submitted and started, as with --replace; nothing is
 * written. They are verified and warned of as submission_put() does it. */
int submission_plan(const struct cli *cli, json_t **ret);

/* The one file that was typed: its name and text, as start would submit it, whatever the store has.
 * It is verified as --no-verify lets it. Caller frees both. */
int submission_read(const struct cli *cli, const char *typed, char **ret_name, char **ret_text);

/* The names as units: mangled. */
int submission_names(const struct cli *cli, char ***ret);

#endif
