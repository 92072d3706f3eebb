/* SPDX-License-Identifier: Apache-2.0 */
#include "kvclient/backoff.h"

#include <stdint.h>

#include "base/chance.h"

int backoff_next_ms(struct backoff *backoff)
{
    uint32_t dice = 0;
    int bound = backoff->bound_ms ? backoff->bound_ms : backoff->first_ms;
    if (bound > backoff->max_ms)
        bound = backoff->max_ms;
    backoff->bound_ms = bound > backoff->max_ms / 2 ? backoff->max_ms : bound * 2;
    chance_bytes(&dice, sizeof(dice));
    return (int)(dice % ((uint32_t)bound + 1));
}

void backoff_reset(struct backoff *backoff)
{
    backoff->bound_ms = 0;
}
