/* SPDX-License-Identifier: Apache-2.0 */
#include "kvclient/backoff.h"

#include <stdint.h>
#include <sys/random.h>

int backoff_next_ms(struct backoff *backoff)
{
    uint32_t dice = 0;
    int bound = backoff->bound_ms ? backoff->bound_ms : backoff->first_ms;
    if (bound > backoff->max_ms)
        bound = backoff->max_ms;
    backoff->bound_ms = bound > backoff->max_ms / 2 ? backoff->max_ms : bound * 2;
    if (getrandom(&dice, sizeof(dice), 0) != (ssize_t)sizeof(dice))
        return bound;
    return (int)(dice % ((uint32_t)bound + 1));
}

void backoff_reset(struct backoff *backoff)
{
    backoff->bound_ms = 0;
}
