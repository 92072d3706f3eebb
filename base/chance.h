/* SPDX-License-Identifier: Apache-2.0 */
/* Random bytes of the kernel's. A test may replace them by ones drawn from a seed, so that what a
 * program does can be seen again. */
#ifndef BASE_CHANCE_H
#define BASE_CHANCE_H

#include <stddef.h>
#include <stdint.h>

void chance_bytes(void *ret, size_t size);

/* From now on the bytes follow from the seed; 0 brings the kernel's back. */
void chance_fake_set(uint64_t seed);

/* The next number that follows from a state, which must not be 0: G. Marsaglia, "Xorshift RNGs",
 * 2003. */
uint64_t chance_next(uint64_t *state);
/* Likewise, of 0 … sides - 1: a throw of dice. */
uint64_t chance_below(uint64_t *state, uint64_t sides);

#endif
