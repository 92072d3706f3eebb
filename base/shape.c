/* SPDX-License-Identifier: Apache-2.0 */
#include "base/shape.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"

static void *at(const void *object, size_t offset)
{
    return (char *)object + offset;
}

/* --- freeing --- */

static void list_clear(const struct shape_field *field, void *object)
{
    char **array = at(object, field->offset);
    size_t *count = at(object, field->count_offset);
    for (size_t i = 0; i < *count; i++)
        shape_clear(field->shape, *array + i * field->shape->size);
    free(*array);
    *array = NULL;
    *count = 0;
}

static void field_clear(const struct shape_field *field, void *object)
{
    void *place = at(object, field->offset);
    switch (field->type) {
    case SHAPE_TYPE_STRING:
        free(*(char **)place);
        *(char **)place = NULL;
        return;
    case SHAPE_TYPE_STRV:
        strv_free(*(char ***)place);
        *(char ***)place = NULL;
        return;
    case SHAPE_TYPE_BOOL:
        *(bool *)place = false;
        return;
    case SHAPE_TYPE_INT:
        *(int64_t *)place = 0;
        return;
    case SHAPE_TYPE_WORD:
        *(int *)place = 0;
        return;
    case SHAPE_TYPE_LIST:
        list_clear(field, object);
        return;
    case SHAPE_TYPE_INVALID:
        return;
    }
}

void shape_clear(const struct shape *shape, void *object)
{
    for (const struct shape_field *field = shape->fields; field->name; field++)
        field_clear(field, object);
}

void *shape_list_add(void *array_pointer, size_t *count, size_t size)
{
    void **array = array_pointer;
    void *grown = reallocarray(*array, *count + 1, size);
    if (!grown)
        return NULL;
    *array = grown;
    return memset((char *)grown + (*count)++ * size, 0, size);
}

/* --- words --- */

const char *shape_word(const char *const *words, int value)
{
    for (int i = 1; words[i]; i++)
        if (i == value)
            return words[i];
    return NULL;
}

int shape_word_find(const char *const *words, const char *word)
{
    for (int i = 1; words[i]; i++)
        if (strcmp(words[i], word) == 0)
            return i;
    return 0;
}

/* --- writing --- */

static json_t *list_write(const struct shape_field *field, const void *object)
{
    const char *array = *(char **)at(object, field->offset);
    size_t count = *(size_t *)at(object, field->count_offset);
    autojson list = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *element = NULL;
        if (shape_to_json(field->shape, array + i * field->shape->size, &element, NULL) < 0 ||
            json_array_append_new(list, element) < 0)
            return NULL;
    }
    return take_ptr(list);
}

/* What an absent field would give as well need not be written. */
static bool is_zero(const struct shape_field *field, const void *object)
{
    const void *place = at(object, field->offset);
    switch (field->type) {
    case SHAPE_TYPE_STRING:
    case SHAPE_TYPE_STRV:
        return !*(void *const *)place;
    case SHAPE_TYPE_BOOL:
        return !*(const bool *)place;
    case SHAPE_TYPE_INT:
        return *(const int64_t *)place == 0;
    case SHAPE_TYPE_WORD:
        return !shape_word(field->words, *(const int *)place);
    case SHAPE_TYPE_LIST:
        return *(size_t *)at(object, field->count_offset) == 0;
    case SHAPE_TYPE_INVALID:
        break;
    }
    return true;
}

static json_t *field_write(const struct shape_field *field, const void *object)
{
    const void *place = at(object, field->offset);
    switch (field->type) {
    case SHAPE_TYPE_STRING:
        return json_string(*(char *const *)place);
    case SHAPE_TYPE_STRV:
        return json_from_strv(*(char **const *)place);
    case SHAPE_TYPE_BOOL:
        return json_boolean(*(const bool *)place);
    case SHAPE_TYPE_INT:
        return json_integer(*(const int64_t *)place);
    case SHAPE_TYPE_WORD:
        return json_string(shape_word(field->words, *(const int *)place));
    case SHAPE_TYPE_LIST:
        return list_write(field, object);
    case SHAPE_TYPE_INVALID:
        break;
    }
    return NULL;
}

int shape_to_json(const struct shape *shape, const void *object, json_t **ret, struct error *err)
{
    autojson json = json_object();
    if (!json)
        return error_oom(err);
    for (const struct shape_field *field = shape->fields; field->name; field++)
        if (!is_zero(field, object) &&
            json_object_set_new(json, field->name, field_write(field, object)) < 0)
            return error_oom(err);
    *ret = take_ptr(json);
    return 0;
}

/* --- reading --- */

static int string_read(const struct shape_field *field, const json_t *json, char **place,
                       struct error *err)
{
    const char *value = NULL;
    int r = json_field_string_or(json, field->name, NULL, &value, err);
    if (r < 0 || !value)
        return r;
    *place = strdup(value);
    return *place ? 0 : error_oom(err);
}

static int strv_read(const struct shape_field *field, const json_t *json, char ***place,
                     struct error *err)
{
    const json_t *value = json_object_get(json, field->name);
    if (!value || json_is_null(value))
        return 0;
    int r = json_field_strv(json, field->name, place, err);
    if (r < 0 || *place)
        return r;
    *place = calloc(1, sizeof(**place));
    return *place ? 0 : error_oom(err);
}

static int word_read(const struct shape_field *field, const json_t *json, int *place,
                     struct error *err)
{
    const char *value = NULL;
    int r = json_field_string_or(json, field->name, NULL, &value, err);
    if (r < 0 || !value)
        return r;
    *place = shape_word_find(field->words, value);
    return *place ? 0
                  : error_set(err, -EPROTO, "field \"%s\": \"%s\" is none of its words",
                              field->name, value);
}

static int list_read(const struct shape_field *field, const json_t *json, void *object,
                     struct error *err)
{
    json_t *list = NULL;
    const json_t *item = NULL;
    size_t i = 0;
    int r = json_field_array_or_null(json, field->name, &list, err);
    if (r < 0)
        return r;
    json_array_foreach(list, i, item) {
        void *element = shape_list_add(at(object, field->offset), at(object, field->count_offset),
                                       field->shape->size);
        if (!element)
            return error_oom(err);
        r = shape_from_json(field->shape, item, element, err);
        if (r < 0)
            return error_prefix(err, r, "field \"%s\" item %zu", field->name, i);
    }
    return 0;
}

static int field_read(const struct shape_field *field, const json_t *json, void *object,
                      struct error *err)
{
    void *place = at(object, field->offset);
    switch (field->type) {
    case SHAPE_TYPE_STRING:
        return string_read(field, json, place, err);
    case SHAPE_TYPE_STRV:
        return strv_read(field, json, place, err);
    case SHAPE_TYPE_BOOL:
        return json_field_bool_or(json, field->name, false, place, err);
    case SHAPE_TYPE_INT:
        return json_field_int_or(json, field->name, 0, place, err);
    case SHAPE_TYPE_WORD:
        return word_read(field, json, place, err);
    case SHAPE_TYPE_LIST:
        return list_read(field, json, object, err);
    case SHAPE_TYPE_INVALID:
        break;
    }
    return 0;
}

int shape_from_json(const struct shape *shape, const json_t *json, void *object, struct error *err)
{
    if (!json_is_object(json))
        return error_set(err, -EPROTO, "not an object");
    int r = 0;
    for (const struct shape_field *field = shape->fields; r == 0 && field->name; field++)
        r = field_read(field, json, object, err);
    return r;
}
