/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base64.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* The last one or two bytes, padded. */
static void add_rest(struct text *t, const unsigned char *in, size_t length)
{
    unsigned char second = length == 2 ? in[1] : 0;
    char four[4] = { digits[in[0] >> 2], digits[(in[0] & 3) << 4 | second >> 4],
                     length == 2 ? digits[(second & 15) << 2] : '=', '=' };
    text_add_bytes(t, four, sizeof(four));
}

/* By the piece, since each call of text_add_bytes() costs more than a few digits do. */
void base64_add(struct text *t, const void *bytes, size_t length)
{
    enum { PIECE = 1024 };
    const unsigned char *in = bytes;
    while (length >= 3) {
        char piece[PIECE];
        size_t filled = 0;
        for (; length >= 3 && filled < PIECE; in += 3, length -= 3) {
            piece[filled++] = digits[in[0] >> 2];
            piece[filled++] = digits[(in[0] & 3) << 4 | in[1] >> 4];
            piece[filled++] = digits[(in[1] & 15) << 2 | in[2] >> 6];
            piece[filled++] = digits[in[2] & 63];
        }
        text_add_bytes(t, piece, filled);
    }
    if (length > 0)
        add_rest(t, in, length);
}

/* The value of a digit, or -1. */
static int digit_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static size_t padding_of(const char *s, size_t length)
{
    if (length == 0 || s[length - 1] != '=')
        return 0;
    return s[length - 2] == '=' ? 2 : 1;
}

int base64_read(const char *s, size_t length, char **ret, size_t *ret_length, struct error *err)
{
    if (length % 4 != 0)
        return error_set(err, -EPROTO, "base64 of %zu characters", length);
    size_t padding = padding_of(s, length);
    size_t out_length = length / 4 * 3 - padding;
    autofree char *out = malloc(out_length + 1);
    if (!out)
        return error_oom(err);
    uint32_t bits = 0;
    size_t written = 0;
    for (size_t i = 0; i < length; i++) {
        int value = i < length - padding ? digit_value(s[i]) : 0;
        if (value < 0)
            return error_set(err, -EPROTO, "base64 with byte 0x%02x in it", (unsigned char)s[i]);
        bits = bits << 6 | (uint32_t)value;
        if (i % 4 != 3)
            continue;
        for (int shift = 16; shift >= 0 && written < out_length; shift -= 8)
            out[written++] = (char)(bits >> shift & 255);
        bits = 0;
    }
    out[out_length] = '\0';
    *ret = take_ptr(out);
    *ret_length = out_length;
    return 0;
}
