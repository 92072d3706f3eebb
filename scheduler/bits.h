/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of machine numbers as bits in words: what placing intersects. */
#ifndef SCHEDULER_BITS_H
#define SCHEDULER_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BITS_PER_WORD = 64 };

static inline size_t bits_words(size_t count)
{
    return (count + BITS_PER_WORD - 1) / BITS_PER_WORD;
}

static inline void bits_set(uint64_t *bits, size_t i)
{
    bits[i / BITS_PER_WORD] |= UINT64_C(1) << (i % BITS_PER_WORD);
}

static inline void bits_clear(uint64_t *bits, size_t i)
{
    bits[i / BITS_PER_WORD] &= ~(UINT64_C(1) << (i % BITS_PER_WORD));
}

static inline bool bits_test(const uint64_t *bits, size_t i)
{
    return bits[i / BITS_PER_WORD] >> (i % BITS_PER_WORD) & 1;
}

/* The lowest number in a word that is not 0. */
static inline unsigned int bits_first(uint64_t word)
{
    return (unsigned int)__builtin_ctzll(word);
}

/* How many are in a, and not in without (which may be NULL), and in both (which may be NULL). */
size_t bits_count(const uint64_t *a, const uint64_t *both, const uint64_t *without, size_t words);

#endif
