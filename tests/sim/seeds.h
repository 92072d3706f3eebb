/* SPDX-License-Identifier: Apache-2.0 */
/* Which seeds a simulator plays: SEED, or SEEDS from FIRST_SEED on, of the environment. */
#ifndef TESTS_SIM_SEEDS_H
#define TESTS_SIM_SEEDS_H

#include <stdlib.h>

#include "base/text.h"
#include "tests/unit/harness.h"

static inline uint64_t seeds_number(const char *name, uint64_t fallback)
{
    uint64_t number = fallback;
    const char *text = getenv(name);
    if (text && text_parse_u64(text, UINT32_MAX, &number, NULL) < 0)
        fail_msg("%s=%s is not a number", name, text);
    return number;
}

#endif
