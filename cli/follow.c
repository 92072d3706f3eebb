/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/follow.h"

#include <time.h>

enum { LOOK_MS = 500 };

bool follow_on(const struct cli *cli, uint64_t *looks)
{
    const struct timespec moment = { .tv_nsec = LOOK_MS * 1000000L };
    if (cli->block_attempts && *looks >= cli->block_attempts * ATTEMPT_MS / LOOK_MS)
        return false;
    (*looks)++;
    (void)nanosleep(&moment, NULL);
    return true;
}
