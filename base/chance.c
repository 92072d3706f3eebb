/* SPDX-License-Identifier: Apache-2.0 */
#include "base/chance.h"

#include <sys/random.h>
#include <sys/types.h>

static uint64_t fake; /* 0: the kernel's */

uint64_t chance_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* The lowest bits are the weakest. */
uint64_t chance_below(uint64_t *state, uint64_t sides)
{
    return (chance_next(state) >> 11) % sides;
}

void chance_bytes(void *ret, size_t size)
{
    unsigned char *bytes = ret;
    size_t got = 0;
    for (; fake && got < size; got++)
        bytes[got] = (unsigned char)(chance_next(&fake) >> 32);
    while (got < size) {
        ssize_t n = getrandom(bytes + got, size - got, 0);
        got += n > 0 ? (size_t)n : 0;
    }
}

void chance_fake_set(uint64_t seed)
{
    fake = seed;
}
