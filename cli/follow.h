/* SPDX-License-Identifier: Apache-2.0 */
/* Looking at something that goes on by itself, until it is over or the caller's time is. */
#ifndef CLI_FOLLOW_H
#define CLI_FOLLOW_H

#include <stdint.h>

#include "cli/cli.h"

enum { ATTEMPT_MS = 2000 }; /* of --block-attempts; the time between two of fleetctl's */

/* Waits until it is time to look again. False: it has been looked for as long as cli says
 * (block_attempts). *looks begins as 0. */
bool follow_on(const struct cli *cli, uint64_t *looks);

#endif
