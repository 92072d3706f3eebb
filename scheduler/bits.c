/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/bits.h"

static inline __attribute__((always_inline)) size_t
count_words(const uint64_t *a, const uint64_t *both, const uint64_t *without, size_t words)
{
    size_t count = 0;
    for (size_t i = 0; i < words; i++) {
        uint64_t x = a[i];
        if (both)
            x &= both[i];
        if (without)
            x &= ~without[i];
        count += (size_t)__builtin_popcountll(x);
    }
    return count;
}

/* Machines of the last fifteen years count a word in one instruction, which a build for all of them
 * may not use unasked. */
#ifdef __x86_64__
__attribute__((target("popcnt"))) static size_t
count_quickly(const uint64_t *a, const uint64_t *both, const uint64_t *without, size_t words)
{
    return count_words(a, both, without, words);
}
#endif

size_t bits_count(const uint64_t *a, const uint64_t *both, const uint64_t *without, size_t words)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("popcnt"))
        return count_quickly(a, both, without, words);
#endif
    return count_words(a, both, without, words);
}
