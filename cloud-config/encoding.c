/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud-config/encoding.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

static int digit_value(char c)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *p = c ? strchr(alphabet, c) : NULL;
    return p ? (int)(p - alphabet) : -1;
}

int encoding_base64_decode(const char *text, char **ret, size_t *ret_length, struct error *err)
{
    autofree char *bytes = malloc(strlen(text) / 4 * 3 + 4);
    if (!bytes)
        return error_oom(err);
    size_t length = 0;
    unsigned digits = 0, padding = 0;
    uint32_t group = 0;
    for (const char *p = text; *p; p++) {
        if (*p == '\n' || *p == '\r')
            continue;
        int value = *p == '=' ? 0 : digit_value(*p);
        padding += *p == '=';
        /* Padding may stand for the last one or two digits only, and nothing may follow it. */
        if (value < 0 || (padding && *p != '=') || padding > 2 || (*p == '=' && digits < 2))
            return error_set(err, -EINVAL, "not base64 at \"%.8s\"", p);
        group = group << 6 | (uint32_t)value;
        if (++digits < 4)
            continue;
        for (unsigned i = 0; i < 3 - padding; i++)
            bytes[length++] = (char)(group >> (16 - 8 * i));
        digits = 0;
        group = 0;
    }
    if (digits)
        return error_set(err, -EINVAL, "base64 ends in the middle of a group of four");
    bytes[length] = '\0';
    *ret = take_ptr(bytes);
    *ret_length = length;
    return 0;
}

static int copy_bytes(const char *content, size_t length, char **ret, size_t *ret_length,
                      struct error *err)
{
    char *copy = malloc(length + 1);
    if (!copy)
        return error_oom(err);
    memcpy(copy, content, length);
    copy[length] = '\0';
    *ret = copy;
    *ret_length = length;
    return 0;
}

static bool is_one_of(const char *text, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(text, *words) == 0)
            return true;
    return false;
}

static int refuse(const char *encoding, struct error *err)
{
    return error_set(err, -EINVAL, "content cannot be decoded as \"%s\"", encoding);
}

int encoding_decode(const char *encoding, const char *content, size_t length, char **ret,
                    size_t *ret_length, struct error *err)
{
    static const char *const base64[] = { "base64",      "b64",      "gz+base64", "gz+b64",
                                          "gzip+base64", "gzip+b64", NULL };
    static const char *const gzip[] = { "gz", "gzip", NULL };
    autofree char *bytes = NULL;
    size_t count = 0;
    int r = -EINVAL;
    if (!*encoding || is_one_of(encoding, gzip))
        r = copy_bytes(content, length, &bytes, &count, err);
    else if (is_one_of(encoding, base64) && strlen(content) == length)
        r = encoding_base64_decode(content, &bytes, &count, err);
    if (r < 0)
        return r == -EINVAL ? refuse(encoding, err) : r;
    if (encoding[0] == 'g') {
        if (count < 2 || memcmp(bytes, "\x1f\x8b", 2) != 0)
            return refuse(encoding, err);
        return error_set(err, -EOPNOTSUPP,
                         "this version cannot unpack \"%s\": give the content as base64", encoding);
    }
    *ret = take_ptr(bytes);
    *ret_length = count;
    return 0;
}
