/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What went wrong, in a code for the program and a sentence for the person.
 *
 * A function that can fail returns 0 (or a documented positive) or a negative errno, and takes a
 * struct error * last, which may be NULL. On failure it says why in one statement:
 *
 *     return error_set(err, -EINVAL, "lease of %u ms is shorter than three heartbeats", ttl_ms);
 *
 * Nothing here allocates, so running out of memory can be reported like anything else. The text is
 * UTF-8 whatever it quotes, and wherever it was cut, so that JSON and journals take it.
 *
 * The code decides what the caller does:
 *   -EINVAL     the operator's input is wrong; he must mend it
 *   -ENOENT     the thing is absent
 *   -EEXIST     the thing is there already
 *   -EAGAIN     did not happen; try again with back-off
 *   -ETIMEDOUT  the outcome is unknown: it may have happened or may yet
 *   -ESTALE     we are fenced (a newer leader, a newer registration): stop acting
 *   -EREMCHG    the store went back behind what it has shown: it was restored
 *   -EPROTO     the peer spoke nonsense
 *   -EACCES     refused for want of permission
 *   -ENOSPC     the store's quota is used up
 *   -E2BIG      over a limit of the store
 *   -ENOMEM     out of memory
 * and any other errno as libc has it.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stddef.h>

enum { ERROR_TEXT_MAX = 512 };

struct error {
    int code; /* 0 or a negative errno */
    char text[ERROR_TEXT_MAX];
};

/* Fills err (if not NULL) and returns code, which must be negative. A text too long is cut. */
int error_set(struct error *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same, with ": " and strerror(-code) after the text. */
int error_errno(struct error *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "prefix: " before the text that a callee wrote into err; returns code. */
int error_prefix(struct error *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Sets "out of memory" and returns -ENOMEM. */
int error_oom(struct error *err);

#endif
