/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON of most records without jansson, whose tree of values costs more than all else that a
 * leader does for an assignment. Plain is an object with its names in order and no white space,
 * whose values are texts of ASCII without control characters, quotes and backslashes, numbers from
 * 0, and true or false. Anything else, and any error, is left to jansson: so this may be slower,
 * but never wrong.
 */
#include <string.h>

#include "scheduler/record_fields.h"
#include "scheduler/records.h"

enum {
    DIGITS_MAX = 18,  /* of a number that surely fits */
    WORD_SIZE = 24,   /* of what enums are written as, and a NUL */
    PLAIN_MAX = 24,   /* fields of a text */
    USUAL_SIZE = 250, /* of a whole text: an assignment's, a state's */
};

static bool is_plain(char c)
{
    return (unsigned char)c >= ' ' && (unsigned char)c < 0x80 && c != '"' && c != '\\';
}

enum { WORD = sizeof(uint64_t) };

static uint64_t each_byte(unsigned char c)
{
    return UINT64_C(0x0101010101010101) * c;
}

/* The highest bit of some byte is set if any byte is below limit, which is 0x80 at the most. */
static uint64_t has_less(uint64_t word, unsigned char limit)
{
    return (word - each_byte(limit)) & ~word;
}

static uint64_t has(uint64_t word, unsigned char c)
{
    return has_less(word ^ each_byte(c), 1);
}

static bool is_plain_word(const char *text)
{
    uint64_t word = 0;
    memcpy(&word, text, WORD);
    const uint64_t other = word | has_less(word, ' ') | has(word, '"') | has(word, '\\');
    return !(other & each_byte(0x80));
}

/* How many bytes the text begins with that are plain. Most are all, so eight are looked at
 * together.
 */
static size_t plain_length(const char *text, size_t length)
{
    size_t plain = 0;
    while (length - plain >= WORD && is_plain_word(text + plain))
        plain += WORD;
    while (plain < length && is_plain(text[plain]))
        plain++;
    return plain;
}

static const char *text_of(const void *value)
{
    const char *text = *(char *const *)value;
    return text ? text : "";
}

/* --- writing --- */

static bool write_text(struct text *to, const char *text)
{
    const size_t length = text ? strlen(text) : 0;
    if (!text || plain_length(text, length) < length)
        return false;
    text_add_bytes(to, "\"", 1);
    text_add_bytes(to, text, length);
    text_add_bytes(to, "\"", 1);
    return true;
}

static bool write_number(struct text *to, int64_t number)
{
    if (number < 0)
        return false;
    text_add_number(to, (uint64_t)number);
    return true;
}

static bool write_value(struct text *to, const struct field *field, const void *value)
{
    switch (field->kind) {
    case FIELD_TEXT:
    case FIELD_NOTE:
        return write_text(to, text_of(value));
    case FIELD_COUNT:
    case FIELD_COUNT_OR:
        return write_number(to, *(const int64_t *)value);
    case FIELD_FLAG:
        text_add(to, *(const bool *)value ? "true" : "false");
        return true;
    case FIELD_DESIRED:
        return write_text(to, desired_name(*(const enum desired *)value));
    case FIELD_WANT:
        return write_text(to, want_name(*(const enum want *)value));
    case FIELD_FAILOVER:
        return write_text(to, failover_name(*(const enum failover *)value));
    case FIELD_WORDS:
    case FIELD_METADATA:
    case FIELD_ROLLOUT_STATE:
    case FIELD_VERSIONS:
    case FIELD_END:
        break;
    }
    return false;
}

static bool write_fields(const struct field *fields, const void *record, struct text *to)
{
    const char *before = "{\"";
    for (const struct field *f = fields; f->kind != FIELD_END; f++) {
        if (f->sparse && field_is_fallback(f, record))
            continue;
        text_add_bytes(to, before, 2);
        text_add_bytes(to, f->name, f->name_length);
        text_add_bytes(to, "\":", 2);
        if (!write_value(to, f, (const char *)record + f->offset))
            return false;
        before = ",\"";
    }
    text_add(to, *before == '{' ? "{}" : "}");
    return true;
}

bool fields_write_plain(const struct field *fields, const void *record, struct text *to)
{
    const size_t length = to->length;
    (void)text_reserve(to, USUAL_SIZE);
    if (write_fields(fields, record, to))
        return true;
    text_cut(to, length);
    return false;
}

/* --- reading --- */

/* What a text has under a name. Borrowed from the text. */
struct plain {
    const char *name;
    size_t name_length;
    const char *value; /* within quotes, if it is a text; else its first character */
    size_t length;
    bool is_text;
};

/* The bytes from *at on that are plain, up to a quote, which is passed. */
static bool take_text(const char **at, const char *end, const char **ret, size_t *ret_length)
{
    const char *from = *at;
    const char *to = from + plain_length(from, (size_t)(end - from));
    if (to == end || *to != '"')
        return false;
    *ret = from;
    *ret_length = (size_t)(to - from);
    *at = to + 1;
    return true;
}

static bool take_char(const char **at, const char *end, char c)
{
    if (*at == end || **at != c)
        return false;
    ++*at;
    return true;
}

static bool equals(const struct plain *plain, const char *word)
{
    return plain->length == strlen(word) && memcmp(plain->value, word, plain->length) == 0;
}

static bool is_number(const struct plain *plain)
{
    size_t digits = 0;
    while (digits < plain->length && plain->value[digits] >= '0' && plain->value[digits] <= '9')
        digits++;
    return digits > 0 && digits == plain->length && digits <= DIGITS_MAX &&
           (digits == 1 || plain->value[0] != '0');
}

static bool take_value(const char **at, const char *end, struct plain *ret)
{
    if (take_char(at, end, '"')) {
        ret->is_text = true;
        return take_text(at, end, &ret->value, &ret->length);
    }
    ret->is_text = false;
    ret->value = *at;
    while (*at < end && **at != ',' && **at != '}')
        ++*at;
    ret->length = (size_t)(*at - ret->value);
    return is_number(ret) || equals(ret, "true") || equals(ret, "false");
}

static int compare_names(const char *a, size_t a_length, const char *b, size_t b_length)
{
    int r = memcmp(a, b, a_length < b_length ? a_length : b_length);
    return r ? r : (a_length > b_length) - (a_length < b_length);
}

/* Each name comes after the one before it, so none comes twice. */
static bool is_in_order(const struct plain *plain, size_t at)
{
    return at == 0 || compare_names(plain[at - 1].name, plain[at - 1].name_length, plain[at].name,
                                    plain[at].name_length) < 0;
}

static bool take_pair(const char **at, const char *end, struct plain *ret)
{
    return take_char(at, end, '"') && take_text(at, end, &ret->name, &ret->name_length) &&
           take_char(at, end, ':') && take_value(at, end, ret);
}

/* How many pairs the text consists of; 0 if it has none or is not plain. */
static size_t split(const char *text, size_t length, struct plain plain[PLAIN_MAX])
{
    const char *at = text;
    const char *end = text + length;
    size_t count = 0;
    if (!take_char(&at, end, '{'))
        return 0;
    do {
        if (count == PLAIN_MAX || !take_pair(&at, end, &plain[count]) || !is_in_order(plain, count))
            return 0;
        count++;
    } while (take_char(&at, end, ','));
    return take_char(&at, end, '}') && at == end ? count : 0;
}

static bool read_flag(const struct plain *plain, bool *ret)
{
    *ret = equals(plain, "true");
    return !plain->is_text && (*ret || equals(plain, "false"));
}

static bool read_number(const struct field *field, const struct plain *plain, int64_t *ret)
{
    int64_t number = 0;
    if (plain->is_text || !is_number(plain))
        return false;
    for (size_t i = 0; i < plain->length; i++)
        number = number * 10 + (plain->value[i] - '0');
    *ret = number;
    return !field->maximum || number <= field->maximum;
}

static bool read_word(const struct field *field, const struct plain *plain, void *ret)
{
    char word[WORD_SIZE];
    if (!plain->is_text || plain->length >= sizeof(word))
        return false;
    memcpy(word, plain->value, plain->length);
    word[plain->length] = '\0';
    if (field->kind == FIELD_DESIRED)
        return (*(enum desired *)ret = desired_from_name(word)) != DESIRED_INVALID;
    if (field->kind == FIELD_WANT)
        return (*(enum want *)ret = want_from_name(word)) != WANT_INVALID;
    return (*(enum failover *)ret = failover_from_name(word)) != FAILOVER_INVALID;
}

static bool read_text(const struct plain *plain, char **ret)
{
    if (!plain->is_text)
        return false;
    *ret = text_copy_bytes(plain->value, plain->length);
    return *ret;
}

static bool read_value(const struct field *field, const struct plain *plain, void *ret)
{
    switch (field->kind) {
    case FIELD_TEXT:
    case FIELD_NOTE:
        return read_text(plain, ret);
    case FIELD_COUNT:
    case FIELD_COUNT_OR:
        return read_number(field, plain, ret);
    case FIELD_FLAG:
        return read_flag(plain, ret);
    case FIELD_DESIRED:
    case FIELD_WANT:
    case FIELD_FAILOVER:
        return read_word(field, plain, ret);
    case FIELD_WORDS:
    case FIELD_METADATA:
    case FIELD_ROLLOUT_STATE:
    case FIELD_VERSIONS:
    case FIELD_END:
        break;
    }
    return false;
}

/* What a field is where the text does not have it. */
static bool read_absent(const struct field *field, void *ret)
{
    switch (field->kind) {
    case FIELD_NOTE:
        return (*(char **)ret = strdup(""));
    case FIELD_COUNT_OR:
        *(int64_t *)ret = field->fallback;
        return true;
    case FIELD_FAILOVER:
        *(enum failover *)ret = FAILOVER_AT_LEAST_ONCE;
        return true;
    case FIELD_FLAG:
    case FIELD_WORDS:
    case FIELD_METADATA:
    case FIELD_VERSIONS:
        return true; /* zero as it is */
    case FIELD_TEXT:
    case FIELD_COUNT:
    case FIELD_DESIRED:
    case FIELD_WANT:
    case FIELD_ROLLOUT_STATE:
    case FIELD_END:
        break;
    }
    return false;
}

/* Both are in the order of names: what the table does not know is passed over. */
bool fields_read_plain(const struct field *fields, const char *text, size_t length, void *record)
{
    struct plain plain[PLAIN_MAX];
    const size_t count = split(text, length, plain);
    size_t at = 0;
    bool known = count > 0;
    for (const struct field *f = fields; known && f->kind != FIELD_END; f++) {
        void *value = (char *)record + f->offset;
        int order = -1;
        while (at < count && (order = compare_names(plain[at].name, plain[at].name_length, f->name,
                                                    f->name_length)) < 0)
            at++;
        known = at < count && order == 0 ? read_value(f, &plain[at], value) : read_absent(f, value);
    }
    return known;
}
