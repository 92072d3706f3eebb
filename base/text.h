/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strings: a buffer that grows, lists of strings, and the few parsers of plain values that several
 * folders need. Nothing here knows a locale.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"

/* A text under construction. Zero-initialise: struct text t = { 0 }. After a failed allocation it
 * stays failed, appends do nothing, and text_take() returns NULL: check once, at the end. */
struct text {
    char *data; /* NUL-terminated, or NULL while empty */
    size_t length;
    size_t room;
    bool failed;
};

void text_done(struct text *t);
/* Room for so many bytes more, where somebody knows beforehand about how many come. False: it has
 * failed, which may as well be found out at the end. */
bool text_reserve(struct text *t, size_t more);
void text_add(struct text *t, const char *s);
/* Records and keys are made of a great many small pieces: what has room is copied on the spot. */
static inline void text_add_bytes(struct text *t, const void *bytes, size_t length)
{
    const bool has_room = !t->failed && length < t->room - t->length;
    if (!has_room && !text_reserve(t, length))
        return;
    if (length)
        memcpy(t->data + t->length, bytes, length);
    t->length += length;
    t->data[t->length] = '\0';
}
void text_add_number(struct text *t, uint64_t number); /* in decimal */
void text_addf(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Only so much of it stays, which it has at least; its memory is kept for what comes next. */
void text_cut(struct text *t, size_t length);

/* The finished string, owned by the caller ("" if nothing was added); NULL if memory ran out. The
 * buffer is empty afterwards. */
char *text_take(struct text *t);

#define autotext __attribute__((cleanup(text_done))) struct text

/* printf into fresh memory; NULL if memory ran out. */
char *text_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* For a URL: s with everything but unreserved characters (RFC 3986) as %XX, in fresh memory; NULL
 * if memory ran out. */
char *text_escape_url(const char *s);

/* The bytes, and a NUL behind them, in fresh memory; NULL if memory ran out. bytes may be NULL
 * where there are none. */
char *text_copy_bytes(const void *bytes, size_t length);

/* A copy of value takes the place of *text, which is freed. -ENOMEM: *text is as it was. */
int text_replace(char **text, const char *value, struct error *err);

bool text_equal(const char *a, const char *b); /* NULL equals only NULL */
bool text_starts_with(const char *s, const char *prefix);
bool text_ends_with(const char *s, const char *suffix);

/* Whole characters only: none cut short, overlong, a surrogate or out of range. */
bool text_is_utf8(const char *s);
/* Makes it so, in place: each byte that is of no whole character becomes a question mark. */
void text_make_utf8(char *s);
/* Makes it one line besides: control characters, ends of line among them, become question marks. */
void text_make_line(char *s);

/* Removes white space at both ends, in place; returns the first character kept. */
char *text_trim(char *s);

/* A list of strings ends with NULL; the list NULL is empty. */
void strv_free(char **list);
size_t strv_length(char *const *list);
bool strv_contains(char *const *list, const char *s);
int strv_add(char ***list, const char *s, struct error *err); /* copies s */
int strv_addf(char ***list, struct error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int strv_copy(char *const *list, char ***ret, struct error *err);

/* The pieces of s between any of the separators; empty pieces are left out. */
int strv_split(const char *s, const char *separators, char ***ret, struct error *err);

static inline void cleanup_strv(char ***list)
{
    strv_free(*list);
}
#define autostrv __attribute__((cleanup(cleanup_strv))) char **

/* What a hexadecimal digit counts, in either case; -1 where it is none. */
int text_hex_digit(char c);

/* Decimal digits only, the whole string. -EINVAL and the reason otherwise. */
int text_parse_u64(const char *s, uint64_t max, uint64_t *ret, struct error *err);

/* A Go duration ("10s", "1m30s", "250ms", "1.5h"; a bare number is refused) in milliseconds,
 * rounded down. Negative ones are refused. */
int text_parse_duration_ms(const char *s, int64_t *ret_ms, struct error *err);

/* Glob as Go's path.Match has it: *, ?, [a-z], \x; * does not cross '/'. */
bool text_glob_match(const char *pattern, const char *s);

/* The candidate nearest to word in edits if it is near enough for "did you mean", else NULL. */
const char *text_nearest(const char *word, const char *const *candidates);

/* n bytes of randomness from the kernel as 2n hex digits; ret has room for 2n + 1. */
void text_random_hex(size_t n, char *ret);

#endif
