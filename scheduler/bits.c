/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/bits.h"

/* Adds neighbours pairwise, then pairs, then fours. Plain arithmetic, so that the compiler may do
 * several words at a time on any machine. */
static uint64_t ones_of(uint64_t x)
{
    x -= x >> 1 & UINT64_C(0x5555555555555555);
    x = (x & UINT64_C(0x3333333333333333)) + (x >> 2 & UINT64_C(0x3333333333333333));
    x = (x + (x >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    x += x >> 8;
    x += x >> 16;
    return (x + (x >> 32)) & 0x7f;
}

size_t bits_count(const uint64_t *a, const uint64_t *both, const uint64_t *without, size_t words)
{
    size_t count = 0;
    for (size_t i = 0; i < words; i++) {
        uint64_t x = a[i];
        if (both)
            x &= both[i];
        if (without)
            x &= ~without[i];
        count += ones_of(x);
    }
    return count;
}
