/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud-config/encoding.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/cleanup.h"
#include "base/text.h"

int encoding_base64_decode(const char *text, char **ret, size_t *ret_length, struct error *err)
{
    autofree char *digits = malloc(strlen(text) + 1);
    if (!digits)
        return error_oom(err);
    size_t length = 0;
    for (const char *p = text; *p; p++)
        if (*p != '\n' && *p != '\r')
            digits[length++] = *p;
    int r = base64_read(digits, length, ret, ret_length, err);
    return r == -EPROTO ? -EINVAL : r;
}

static int copy_bytes(const char *content, size_t length, char **ret, size_t *ret_length,
                      struct error *err)
{
    char *copy = text_copy_bytes(content, length);
    if (!copy)
        return error_oom(err);
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
