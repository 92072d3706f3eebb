/* SPDX-License-Identifier: Apache-2.0 */
/* One input made of several texts: they end with NUL, but for the last. */
#ifndef TESTS_FUZZ_PIECE_H
#define TESTS_FUZZ_PIECE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The next one, owned by the caller; the rest is left in *data. NULL: memory ran out. */
static inline char *piece(const uint8_t **data, size_t *size)
{
    size_t length = strnlen((const char *)*data, *size);
    char *text = strndup((const char *)*data, length);
    size_t used = length < *size ? length + 1 : length;
    *data += used;
    *size -= used;
    return text;
}

#endif
