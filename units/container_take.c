/* SPDX-License-Identifier: Apache-2.0 */
#include "units/container_take.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/shape.h"
#include "base/text.h"
#include "units/signal_name.h"
#include "units/specifier.h"

/* --- pieces --- */

int take_failed(const struct unit_option *option, int code, const struct error *reason,
                struct error *err)
{
    if (code != -EINVAL)
        return error_set(err, code, "%s", reason->text);
    return unit_option_error(err, option, "%s", reason->text);
}

int take_expanded(const struct reading *reading, const struct unit_option *option, char **ret,
                  struct error *err)
{
    struct error reason = { 0 };
    int r = specifier_expand(option->value, reading->unit_name, reading->machine, ret, &reason);
    return r < 0 ? take_failed(option, r, &reason, err) : 0;
}

/* An escape such as \xff may have made bytes that are no text. */
int take_split(const struct reading *reading, const struct unit_option *option, char ***ret,
               struct error *err)
{
    autostrv words = NULL;
    struct error reason = { 0 };
    int r = unit_words_split(option->value, &words, &reason);
    if (r >= 0)
        r = specifier_expand_all(words, reading->unit_name, reading->machine, &reason);
    if (r < 0)
        return take_failed(option, r, &reason, err);
    for (char **word = words; word && *word; word++)
        if (!text_is_utf8(*word))
            return unit_option_error(err, option, "with its escapes undone this is not UTF-8");
    *ret = take_ptr(words);
    return 0;
}

void take_undouble_dollars(char *word)
{
    char *to = word;
    for (const char *from = word; *from; from++) {
        *to++ = *from;
        from += from[0] == '$' && from[1] == '$';
    }
    *to = '\0';
}

int take_json_words(const struct unit_option *option, const char *text, char ***ret,
                    struct error *err)
{
    autojson array = NULL;
    autojson object = NULL;
    if (json_read(text, strlen(text), &array, NULL) == 0)
        object = json_pack("{s:O}", "words", array);
    if (!object || json_field_strv(object, "words", ret, NULL) < 0 || !*ret)
        return unit_option_error(err, option, "what begins with '[' is a JSON array of strings");
    return 0;
}

int take_warning(struct reading *reading, const struct unit_option *option, const char *reason,
                 struct error *err)
{
    return strv_addf(&reading->container->warnings, err, "line %u: [%s] %s=: %s", option->line,
                     option->section, option->key, reason);
}

int take_unknown_key(const struct unit_option *option, const char *const *known, struct error *err)
{
    const char *nearest = text_nearest(option->key, known);
    return error_set(err, -EINVAL, "line %u: [%s] has no key %.60s=%s%s%s", option->line,
                     option->section, option->key, nearest ? "; did you mean " : "",
                     nearest ? nearest : "", nearest ? "=?" : "");
}

bool take_is_plain_path(const char *path)
{
    if (*path != '/')
        return false;
    for (const char *p = path; (p = strstr(p, "/..")) != NULL; p += 3)
        if (p[3] == '\0' || p[3] == '/')
            return false;
    return true;
}

bool take_is_path_below_root(const char *path)
{
    return take_is_plain_path(path) && strspn(path, "/") != strlen(path);
}

bool take_is_object_name(const char *name)
{
    static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    static const char others[] = "0123456789abcdefghijklmnopqrstuvwxyz"
                                 "ABCDEFGHIJKLMNOPQRSTUVWXYZ_.-";
    return *name && strchr(letters, *name) && !name[strspn(name, others)];
}

int take_parse_int(const char *text, int64_t min, int64_t max, int64_t *ret)
{
    uint64_t value = 0;
    bool negative = min < 0 && *text == '-';
    if (text_parse_u64(text + negative, INT64_MAX, &value, NULL) < 0)
        return -EINVAL;
    int64_t number = negative ? -(int64_t)value : (int64_t)value;
    if (number < min || number > max)
        return -EINVAL;
    *ret = number;
    return 0;
}

int take_parse_size(const char *text, int64_t *ret)
{
    static const char units[] = "bkmgt";
    size_t digits = strspn(text, "0123456789");
    autofree char *number = strndup(text, digits);
    int64_t value = 0;
    if (!number)
        return -ENOMEM;
    if (take_parse_int(number, 0, INT64_MAX, &value) < 0)
        return -EINVAL;
    const char *unit = text + digits;
    if (!*unit) {
        *ret = value;
        return 0;
    }
    const char *known = strchr(units, *unit | 0x20);
    /* "64m", "64mb" and "64MiB" are the same. */
    if (!known || (strcasecmp(unit + 1, "") != 0 && strcasecmp(unit + 1, "b") != 0 &&
                   strcasecmp(unit + 1, "ib") != 0))
        return -EINVAL;
    int shift = 10 * (int)(known - units);
    if (value > (INT64_MAX >> shift))
        return -EINVAL;
    *ret = value << shift;
    return 0;
}

/* --- whole keys --- */

static void replace(char **field, char *value)
{
    free(*field);
    *field = value;
}

int take_string(struct reading *reading, const struct unit_option *option, void *field,
                struct error *err)
{
    autofree char *value = NULL;
    int r = take_expanded(reading, option, &value, err);
    if (r < 0)
        return r;
    replace(field, *value ? take_ptr(value) : NULL);
    return 0;
}

int take_boolean(struct reading *reading, const struct unit_option *option, void *field,
                 struct error *err)
{
    (void)reading;
    struct error reason = { 0 };
    if (!*option->value) {
        *(bool *)field = false;
        return 0;
    }
    int r = unit_boolean_parse(option->value, field, &reason);
    return r < 0 ? take_failed(option, r, &reason, err) : 0;
}

int take_boolean_inverted(struct reading *reading, const struct unit_option *option, void *field,
                          struct error *err)
{
    bool value = true;
    int r = *option->value ? take_boolean(reading, option, &value, err) : 0;
    if (r == 0)
        *(bool *)field = !value;
    return r;
}

static int list_drop(char ***field)
{
    strv_free(*field);
    *field = NULL;
    return 0;
}

static int list_check(char *const *list, const struct unit_option *option, struct error *err)
{
    if (strv_length(list) > UNIT_LIST_MAX)
        return unit_option_error(err, option, "more than %d values", UNIT_LIST_MAX);
    return 0;
}

int take_list_words(struct reading *reading, const struct unit_option *option, char ***list,
                    char ***ret, struct error *err)
{
    return *option->value ? take_split(reading, option, ret, err) : list_drop(list);
}

int take_words(struct reading *reading, const struct unit_option *option, void *field,
               struct error *err)
{
    autostrv words = NULL;
    int r = take_list_words(reading, option, field, &words, err);
    for (char **word = words; r >= 0 && word && *word; word++)
        r = strv_add(field, *word, err);
    return r < 0 ? r : list_check(*(char ***)field, option, err);
}

int take_line(struct reading *reading, const struct unit_option *option, void *field,
              struct error *err)
{
    autofree char *value = NULL;
    if (!*option->value)
        return list_drop(field);
    int r = take_expanded(reading, option, &value, err);
    if (r >= 0)
        r = strv_add(field, value, err);
    return r < 0 ? r : list_check(*(char ***)field, option, err);
}

int take_command(struct reading *reading, const struct unit_option *option, void *field,
                 struct error *err)
{
    autostrv words = NULL;
    int r = take_split(reading, option, &words, err);
    if (r < 0)
        return r;
    for (char **word = words; word && *word; word++)
        take_undouble_dollars(*word);
    (void)list_drop(field);
    *(char ***)field = take_ptr(words);
    return 0;
}

int take_absolute_path(struct reading *reading, const struct unit_option *option, void *field,
                       struct error *err)
{
    autofree char *path = NULL;
    int r = take_string(reading, option, &path, err);
    if (r < 0)
        return r;
    if (path && !take_is_plain_path(path))
        return unit_option_error(err, option, "want an absolute path without \"..\"");
    replace(field, take_ptr(path));
    return 0;
}

int take_size(struct reading *reading, const struct unit_option *option, void *field,
              struct error *err)
{
    autofree char *value = NULL;
    int r = take_expanded(reading, option, &value, err);
    if (r < 0)
        return r;
    if (!*value) {
        *(int64_t *)field = 0;
        return 0;
    }
    if (take_parse_size(value, field) < 0)
        return unit_option_error(err, option,
                                 "want a size: digits and at most one of b, k, m, g, t, such as "
                                 "64m");
    return 0;
}

int take_duration(struct reading *reading, const struct unit_option *option, void *field,
                  struct error *err)
{
    autofree char *value = NULL;
    struct error reason = { 0 };
    int r = take_expanded(reading, option, &value, err);
    if (r < 0)
        return r;
    if (!*value) {
        *(int64_t *)field = 0;
        return 0;
    }
    r = text_parse_duration_ms(value, field, &reason);
    return r < 0 ? take_failed(option, -EINVAL, &reason, err) : 0;
}

int take_count(struct reading *reading, const struct unit_option *option, void *field,
               struct error *err)
{
    autofree char *value = NULL;
    int r = take_expanded(reading, option, &value, err);
    if (r < 0)
        return r;
    if (take_parse_int(*value ? value : "0", 0, INT_MAX, field) < 0)
        return unit_option_error(err, option, "want a whole number, 0 or more");
    return 0;
}

int take_signal(struct reading *reading, const struct unit_option *option, void *field,
                struct error *err)
{
    autofree char *value = NULL;
    int r = take_string(reading, option, &value, err);
    if (r < 0)
        return r;
    const char *name = value ? signal_name_find(value) : NULL;
    if (value && !name)
        return unit_option_error(err, option, "there is no such signal; want one such as SIGTERM");
    char *copy = name ? strdup(name) : NULL;
    if (name && !copy)
        return error_oom(err);
    replace(field, copy);
    return 0;
}

int take_object_name(struct reading *reading, const struct unit_option *option, void *field,
                     struct error *err)
{
    autofree char *name = NULL;
    int r = take_string(reading, option, &name, err);
    if (r < 0)
        return r;
    if (name && !take_is_object_name(name))
        return unit_option_error(err, option,
                                 "a name has letters, digits, '_', '.' and '-', and begins with a "
                                 "letter or digit");
    replace(field, take_ptr(name));
    return 0;
}

static char *words_joined(const char *const *words)
{
    autotext t = { 0 };
    for (int i = 1; words[i]; i++)
        text_addf(&t, "%s%s", i == 1 ? "" : words[i + 1] ? ", " : " or ", words[i]);
    return text_take(&t);
}

int take_word_of(const char *const *words, struct reading *reading,
                 const struct unit_option *option, int *field, struct error *err)
{
    autofree char *value = NULL;
    int r = take_expanded(reading, option, &value, err);
    if (r < 0)
        return r;
    int found = shape_word_find(words, value);
    if (*value && !found) {
        autofree char *known = words_joined(words);
        return unit_option_error(err, option, "want %s", known ? known : "another word");
    }
    *field = found;
    return 0;
}
