/* SPDX-License-Identifier: Apache-2.0 */
/* What stands inside a value: words with quotes and escapes, booleans, valid text. */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/text.h"
#include "units/unit_file.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Exactly count digits of this base; false if one is none. */
static bool read_digits(const char *s, int count, int base, uint32_t *ret)
{
    uint32_t value = 0;
    for (int i = 0; i < count; i++) {
        int digit = text_hex_digit(s[i]);
        if (digit < 0 || digit >= base)
            return false;
        value = value * (uint32_t)base + (uint32_t)digit;
    }
    *ret = value;
    return true;
}

static void add_code_point(struct text *t, uint32_t c)
{
    char bytes[4];
    size_t length = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char first[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
    for (size_t i = length - 1; i > 0; i--, c >>= 6)
        bytes[i] = (char)(0x80 | (c & 0x3f));
    bytes[0] = (char)(first[length] | c);
    text_add_bytes(t, bytes, length);
}

static bool is_code_point(uint32_t c)
{
    return c != 0 && c <= 0x10ffff && !(c >= 0xd800 && c <= 0xdfff);
}

/* \xHH and \NNN give a byte, \uXXXX and \UXXXXXXXX a character. How many characters after the
 * backslash were taken; 0: it is none of these, or would be a NUL. */
static size_t add_numeric_escape(struct text *t, const char *s)
{
    uint32_t value = 0;
    if (*s == 'u' || *s == 'U') {
        int digits = *s == 'u' ? 4 : 8;
        if (!read_digits(s + 1, digits, 16, &value) || !is_code_point(value))
            return 0;
        add_code_point(t, value);
        return (size_t)digits + 1;
    }
    bool is_hex = *s == 'x';
    if (!(is_hex ? read_digits(s + 1, 2, 16, &value) : read_digits(s, 3, 8, &value)))
        return 0;
    if (value == 0 || value > 0xff)
        return 0;
    char byte = (char)value;
    text_add_bytes(t, &byte, 1);
    return 3;
}

/* s stands after a backslash. An escape that systemd does not know stays, backslash and all. */
static size_t add_escape(struct text *t, const char *s)
{
    static const char letters[] = "abfnrtv\\\"'s";
    static const char meanings[] = "\a\b\f\n\r\t\v\\\"' ";
    const char *letter = *s ? strchr(letters, *s) : NULL;
    if (letter) {
        text_add_bytes(t, &meanings[letter - letters], 1);
        return 1;
    }
    size_t taken = add_numeric_escape(t, s);
    if (taken > 0)
        return taken;
    size_t kept = *s ? 1 : 0;
    text_add(t, "\\");
    text_add_bytes(t, s, kept);
    return kept;
}

/* Reads one word from *s, which stands on its first character, and moves *s past it. */
static int next_word(const char **s, char **ret, struct error *err)
{
    autotext word = { 0 };
    const char *p = *s;
    char quote = '\0';
    for (; *p && (quote || !is_space(*p)); p++) {
        if (*p == '\\')
            p += add_escape(&word, p + 1);
        else if (quote ? *p == quote : (*p == '"' || *p == '\''))
            quote = quote ? '\0' : *p;
        else
            text_add_bytes(&word, p, 1);
    }
    if (quote)
        return error_set(err, -EINVAL, "a quote %c is not closed", quote);
    *s = p;
    *ret = text_take(&word);
    return *ret ? 0 : error_oom(err);
}

int unit_words_split(const char *value, char ***ret, struct error *err)
{
    autostrv words = NULL;
    for (size_t count = 1;; count++) {
        while (is_space(*value))
            value++;
        if (!*value)
            break;
        if (count > UNIT_LIST_MAX)
            return error_set(err, -EINVAL, "more than %d words", UNIT_LIST_MAX);
        autofree char *word = NULL;
        int r = next_word(&value, &word, err);
        if (r < 0)
            return r;
        r = strv_add(&words, word, err);
        if (r < 0)
            return r;
    }
    *ret = take_ptr(words);
    return 0;
}

int unit_boolean_parse(const char *value, bool *ret, struct error *err)
{
    static const struct {
        const char *word;
        bool meaning;
    } words[] = {
        {"yes",    true },
        { "no",    false},
        { "true",  true },
        { "false", false},
        { "on",    true },
        { "off",   false},
        { "1",     true },
        { "0",     false},
        { "y",     true },
        { "n",     false},
        { "t",     true },
        { "f",     false},
    };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcasecmp(value, words[i].word) == 0) {
            *ret = words[i].meaning;
            return 0;
        }
    }
    return error_set(err, -EINVAL, "write yes or no");
}
