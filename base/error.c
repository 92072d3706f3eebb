/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

int error_set(struct error *err, int code, const char *format, ...)
{
    assert(code < 0);
    if (!err)
        return code;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(err->text, sizeof(err->text), format, args);
    va_end(args);
    text_make_utf8(err->text);
    err->code = code;
    return code;
}

int error_errno(struct error *err, int code, const char *format, ...)
{
    assert(code < 0);
    if (!err)
        return code;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(err->text, sizeof(err->text), format, args);
    va_end(args);
    size_t used = strlen(err->text);
    (void)snprintf(err->text + used, sizeof(err->text) - used, ": %s", strerror(-code));
    text_make_utf8(err->text);
    err->code = code;
    return code;
}

int error_prefix(struct error *err, int code, const char *format, ...)
{
    assert(code < 0);
    if (!err)
        return code;
    char prefix[ERROR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(prefix, sizeof(prefix), format, args);
    va_end(args);
    char rest[ERROR_TEXT_MAX];
    memcpy(rest, err->text, sizeof(rest));
    size_t room = sizeof(err->text);
    int used = snprintf(err->text, room, "%s: ", prefix);
    if (used > 0 && (size_t)used < room)
        (void)snprintf(err->text + used, room - (size_t)used, "%s", rest);
    text_make_utf8(err->text);
    err->code = code;
    return code;
}

int error_oom(struct error *err)
{
    return error_set(err, -ENOMEM, "out of memory");
}
