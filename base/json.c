/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"

int json_read(const char *text, size_t length, json_t **ret, struct error *err)
{
    json_error_t where;
    json_t *value = json_loadb(text, length, JSON_REJECT_DUPLICATES, &where);
    if (!value)
        return error_set(err, -EPROTO, "not JSON: line %d column %d: %s", where.line, where.column,
                         where.text);
    *ret = value;
    return 0;
}

/* The field, or NULL where it is absent or null. */
static json_t *find_field(const json_t *object, const char *name)
{
    json_t *value = json_object_get(object, name);
    return json_is_null(value) ? NULL : value;
}

static int missing(const char *name, struct error *err)
{
    return error_set(err, -EPROTO, "field \"%s\" is missing", name);
}

static int wrong_type(const char *name, const char *wanted, struct error *err)
{
    return error_set(err, -EPROTO, "field \"%s\" is not %s", name, wanted);
}

int json_field_string(const json_t *object, const char *name, const char **ret, struct error *err)
{
    if (!find_field(object, name))
        return missing(name, err);
    return json_field_string_or(object, name, NULL, ret, err);
}

int json_field_string_or(const json_t *object, const char *name, const char *fallback,
                         const char **ret, struct error *err)
{
    const json_t *value = find_field(object, name);
    if (value && !json_is_string(value))
        return wrong_type(name, "a string", err);
    if (value && strlen(json_string_value(value)) != json_string_length(value))
        return wrong_type(name, "a string without NUL", err);
    *ret = value ? json_string_value(value) : fallback;
    return 0;
}

int json_field_int(const json_t *object, const char *name, int64_t *ret, struct error *err)
{
    if (!find_field(object, name))
        return missing(name, err);
    return json_field_int_or(object, name, 0, ret, err);
}

int json_field_int_or(const json_t *object, const char *name, int64_t fallback, int64_t *ret,
                      struct error *err)
{
    const json_t *value = find_field(object, name);
    if (value && !json_is_integer(value))
        return wrong_type(name, "an integer", err);
    *ret = value ? json_integer_value(value) : fallback;
    return 0;
}

int json_field_bool_or(const json_t *object, const char *name, bool fallback, bool *ret,
                       struct error *err)
{
    const json_t *value = find_field(object, name);
    if (value && !json_is_boolean(value))
        return wrong_type(name, "true or false", err);
    *ret = value ? json_is_true(value) : fallback;
    return 0;
}

int json_field_object_or_null(const json_t *object, const char *name, json_t **ret,
                              struct error *err)
{
    json_t *value = find_field(object, name);
    if (value && !json_is_object(value))
        return wrong_type(name, "an object", err);
    *ret = value;
    return 0;
}

int json_field_array_or_null(const json_t *object, const char *name, json_t **ret,
                             struct error *err)
{
    json_t *value = find_field(object, name);
    if (value && !json_is_array(value))
        return wrong_type(name, "an array", err);
    *ret = value;
    return 0;
}

int json_field_strv(const json_t *object, const char *name, char ***ret, struct error *err)
{
    json_t *array = NULL;
    int r = json_field_array_or_null(object, name, &array, err);
    if (r < 0)
        return r;
    autostrv list = NULL;
    size_t i = 0;
    json_t *item = NULL;
    json_array_foreach(array, i, item) {
        if (!json_is_string(item) || strlen(json_string_value(item)) != json_string_length(item))
            return wrong_type(name, "an array of strings", err);
        r = strv_add(&list, json_string_value(item), err);
        if (r < 0)
            return r;
    }
    *ret = take_ptr(list);
    return 0;
}

json_t *json_from_strv(char *const *list)
{
    autojson array = json_array();
    for (; array && list && *list; list++)
        if (json_array_append_new(array, json_string(*list)) < 0)
            return NULL;
    return take_ptr(array);
}

int json_write(const json_t *value, char **ret, struct error *err)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    if (!text)
        return error_set(err, -EINVAL,
                         "a value cannot be written as JSON (not UTF-8, or no memory)");
    *ret = text;
    return 0;
}
