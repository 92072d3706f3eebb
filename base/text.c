/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/chance.h"

void text_done(struct text *t)
{
    free(t->data);
    *t = (struct text){ 0 };
}

bool text_reserve(struct text *t, size_t more)
{
    if (t->failed)
        return false;
    if (t->length + more + 1 <= t->room)
        return true;
    size_t room = t->room ? t->room : 64;
    while (room < t->length + more + 1)
        room *= 2;
    char *data = realloc(t->data, room);
    if (!data) {
        t->failed = true;
        return false;
    }
    t->data = data;
    t->room = room;
    return true;
}

void text_add(struct text *t, const char *s)
{
    text_add_bytes(t, s, strlen(s));
}

void text_add_number(struct text *t, uint64_t number)
{
    enum { DIGITS_MAX = 20 };
    char digits[DIGITS_MAX];
    size_t at = DIGITS_MAX;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    text_add_bytes(t, &digits[at], DIGITS_MAX - at);
}

/* What is formatted mostly fits into the room there is, and is written once. */
static bool format_in_place(struct text *t, const char *format, va_list args, int *ret_length)
    __attribute__((format(printf, 2, 0)));
static bool format_in_place(struct text *t, const char *format, va_list args, int *ret_length)
{
    size_t left = t->room - t->length;
    *ret_length = vsnprintf(left ? t->data + t->length : NULL, left, format, args);
    if (*ret_length >= 0 && (size_t)*ret_length < left)
        return true;
    if (left)
        t->data[t->length] = '\0'; /* not half of it */
    return false;
}

void text_addf(struct text *t, const char *format, ...)
{
    int length = 0;
    va_list args;
    if (t->failed)
        return;
    va_start(args, format);
    bool done = format_in_place(t, format, args, &length);
    va_end(args);
    if (length < 0) {
        t->failed = true;
        return;
    }
    if (!done) {
        if (!text_reserve(t, (size_t)length))
            return;
        va_start(args, format);
        (void)vsnprintf(t->data + t->length, (size_t)length + 1, format, args);
        va_end(args);
    }
    t->length += (size_t)length;
}

void text_cut(struct text *t, size_t length)
{
    t->length = length;
    if (t->data)
        t->data[length] = '\0';
}

char *text_take(struct text *t)
{
    text_add_bytes(t, "", 0);
    char *data = t->failed ? NULL : take_ptr(t->data);
    text_done(t);
    return data;
}

char *text_format(const char *format, ...)
{
    char *s = NULL;
    va_list args;
    va_start(args, format);
    int length = vasprintf(&s, format, args);
    va_end(args);
    return length < 0 ? NULL : s;
}

char *text_escape_url(const char *s)
{
    autotext t = { 0 };
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     strchr("-._~", c);
        if (plain)
            text_add_bytes(&t, s, 1);
        else
            text_addf(&t, "%%%02X", c);
    }
    return text_take(&t);
}

char *text_copy_bytes(const void *bytes, size_t length)
{
    char *copy = malloc(length + 1);
    if (!copy)
        return NULL;
    if (length)
        memcpy(copy, bytes, length);
    copy[length] = '\0';
    return copy;
}

int text_replace(char **text, const char *value, struct error *err)
{
    char *copy = strdup(value);
    if (!copy)
        return error_oom(err);
    free(*text);
    *text = copy;
    return 0;
}

bool text_equal(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

bool text_starts_with(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool text_ends_with(const char *s, const char *suffix)
{
    size_t length = strlen(s);
    size_t tail = strlen(suffix);
    return length >= tail && strcmp(s + length - tail, suffix) == 0;
}

/* The length of the character at s, or 0: truncated, overlong, a surrogate, or out of range. */
static size_t utf8_character(const unsigned char *s)
{
    static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
    if (s[0] < 0x80)
        return 1;
    size_t length = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : s[0] >= 0xc0 ? 2 : 0;
    if (length == 0 || s[0] > 0xf7)
        return 0;
    uint32_t c = s[0] & (0x7fU >> length);
    for (size_t i = 1; i < length; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (s[i] & 0x3f);
    }
    bool surrogate = c >= 0xd800 && c <= 0xdfff;
    return c >= smallest[length] && c <= 0x10ffff && !surrogate ? length : 0;
}

bool text_is_utf8(const char *s)
{
    const unsigned char *p = (const unsigned char *)s;
    while (*p) {
        size_t length = utf8_character(p);
        if (length == 0)
            return false;
        p += length;
    }
    return true;
}

/* C0, DEL, and C1, which terminals obey too. */
static bool is_control(const unsigned char *s, size_t length)
{
    return length == 1 ? *s < ' ' || *s == 0x7f : length == 2 && s[0] == 0xc2 && s[1] < 0xa0;
}

static void question(char *s, bool controls)
{
    for (unsigned char *p = (unsigned char *)s; *p;) {
        size_t length = utf8_character(p);
        if (length == 0 || (controls && is_control(p, length))) {
            length = length ? length : 1;
            memset(p, '?', length);
        }
        p += length;
    }
}

void text_make_utf8(char *s)
{
    question(s, false);
}

void text_make_line(char *s)
{
    question(s, true);
}

char *text_trim(char *s)
{
    while (isspace((unsigned char)*s))
        s++;
    size_t length = strlen(s);
    while (length && isspace((unsigned char)s[length - 1]))
        s[--length] = '\0';
    return s;
}

void strv_free(char **list)
{
    for (char **s = list; s && *s; s++)
        free(*s);
    free(list);
}

size_t strv_length(char *const *list)
{
    size_t n = 0;
    while (list && list[n])
        n++;
    return n;
}

bool strv_contains(char *const *list, const char *s)
{
    for (; list && *list; list++)
        if (strcmp(*list, s) == 0)
            return true;
    return false;
}

/* Takes s, also when it fails. */
static int add_taken(char ***list, char *s, struct error *err)
{
    size_t n = strv_length(*list);
    char **longer = s ? realloc(*list, (n + 2) * sizeof(*longer)) : NULL;
    if (!longer) {
        free(s);
        return error_oom(err);
    }
    longer[n] = s;
    longer[n + 1] = NULL;
    *list = longer;
    return 0;
}

int strv_add(char ***list, const char *s, struct error *err)
{
    return add_taken(list, strdup(s), err);
}

int strv_addf(char ***list, struct error *err, const char *format, ...)
{
    char *s = NULL;
    va_list args;
    va_start(args, format);
    int length = vasprintf(&s, format, args);
    va_end(args);
    return add_taken(list, length < 0 ? NULL : s, err);
}

int strv_copy(char *const *list, char ***ret, struct error *err)
{
    autostrv copy = NULL;
    for (; list && *list; list++) {
        int r = strv_add(&copy, *list, err);
        if (r < 0)
            return r;
    }
    *ret = take_ptr(copy);
    return 0;
}

int strv_split(const char *s, const char *separators, char ***ret, struct error *err)
{
    autostrv list = NULL;
    while (*s) {
        size_t length = strcspn(s, separators);
        if (length) {
            int r = add_taken(&list, strndup(s, length), err);
            if (r < 0)
                return r;
        }
        s += length;
        if (*s)
            s++;
    }
    *ret = take_ptr(list);
    return 0;
}

int text_hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int text_parse_u64(const char *s, uint64_t max, uint64_t *ret, struct error *err)
{
    uint64_t value = 0;
    if (!*s)
        return error_set(err, -EINVAL, "a number is missing");
    for (const char *p = s; *p; p++) {
        if (*p < '0' || *p > '9')
            return error_set(err, -EINVAL, "\"%s\" is not a number", s);
        uint64_t digit = (uint64_t)(*p - '0');
        if (value > (UINT64_MAX - digit) / 10 || value * 10 + digit > max)
            return error_set(err, -EINVAL, "%s is more than %ju", s, (uintmax_t)max);
        value = value * 10 + digit;
    }
    *ret = value;
    return 0;
}

static double unit_in_ms(const char *s, size_t *length)
{
    static const struct {
        const char *name;
        double ms;
    } units[] = {
        {"ms",  1.0      },
        { "us", 1e-3     },
        { "ns", 1e-6     },
        { "h",  3600000.0},
        { "m",  60000.0  },
        { "s",  1000.0   },
    };
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        *length = strlen(units[i].name);
        if (strncmp(s, units[i].name, *length) == 0)
            return units[i].ms;
    }
    return -1;
}

int text_parse_duration_ms(const char *s, int64_t *ret_ms, struct error *err)
{
    static const double max_ms = 1e15;
    double total = 0;
    const char *p = s;
    while (*p) {
        size_t length = 0;
        char *end = NULL;
        if (*p != '.' && !isdigit((unsigned char)*p))
            break;
        double number = strtod(p, &end);
        size_t digits = strspn(p, "0123456789.");
        double scale = end == p + digits ? unit_in_ms(end, &length) : -1;
        if (scale < 0)
            break;
        total += number * scale;
        p = end + length;
    }
    if (!*s || *p || !(total < max_ms))
        return error_set(err, -EINVAL, "\"%s\" is not a duration such as 10s, 1m30s or 250ms", s);
    *ret_ms = (int64_t)floor(total);
    return 0;
}

/* Most names differ from most patterns before the first wildcard, and fnmatch() is slow to begin.
 */
bool text_glob_match(const char *pattern, const char *s)
{
    for (; *pattern && !strchr("*?[\\", *pattern); pattern++, s++)
        if (*pattern != *s)
            return false;
    return fnmatch(pattern, s, FNM_PATHNAME) == 0;
}

/* Levenshtein's distance of words shorter than WORD_MAX, one row at a time. */
static size_t edit_distance(const char *a, const char *b)
{
    enum { WORD_MAX = 64 };
    size_t row[WORD_MAX + 1];
    size_t columns = strlen(b);
    if (columns > WORD_MAX || strlen(a) > WORD_MAX)
        return SIZE_MAX;
    for (size_t j = 0; j <= columns; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= columns; j++) {
            bool same = tolower((unsigned char)a[i - 1]) == tolower((unsigned char)b[j - 1]);
            size_t best = diagonal + (same ? 0 : 1);
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[columns];
}

const char *text_nearest(const char *word, const char *const *candidates)
{
    const char *nearest = NULL;
    size_t best = strlen(word) / 3 + 1;
    for (; *candidates; candidates++) {
        size_t distance = edit_distance(word, *candidates);
        if (distance < best || (distance == best && !nearest)) {
            best = distance;
            nearest = *candidates;
        }
    }
    return nearest;
}

void text_random_hex(size_t n, char *ret)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        unsigned char byte = 0;
        chance_bytes(&byte, 1);
        ret[2 * i] = digits[byte >> 4];
        ret[2 * i + 1] = digits[byte & 15];
    }
    ret[2 * n] = '\0';
}
