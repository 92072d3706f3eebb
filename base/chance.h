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

#endif
