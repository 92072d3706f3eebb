/* SPDX-License-Identifier: Apache-2.0 */
#include "base/chance.h"

#include <sys/random.h>
#include <sys/types.h>

static uint64_t fake; /* 0: the kernel's */

/* xorshift: a state that is not 0 never becomes 0. */
static unsigned char next_fake(void)
{
    fake ^= fake << 13;
    fake ^= fake >> 7;
    fake ^= fake << 17;
    return (unsigned char)(fake >> 32);
}

void chance_bytes(void *ret, size_t size)
{
    unsigned char *bytes = ret;
    size_t got = 0;
    for (; fake && got < size; got++)
        bytes[got] = next_fake();
    while (got < size) {
        ssize_t n = getrandom(bytes + got, size - got, 0);
        got += n > 0 ? (size_t)n : 0;
    }
}

void chance_fake_set(uint64_t seed)
{
    fake = seed;
}
