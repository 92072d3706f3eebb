/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strict reading of JSON over jansson. A field of the wrong type is an error that names the field
 * and what was wanted; nothing is guessed. Build with json_pack(); borrow with these.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"

static inline void cleanup_json(json_t **value)
{
    json_decref(*value);
}
#define autojson __attribute__((cleanup(cleanup_json))) json_t *

/* Parses a whole text; duplicate keys are refused. -EPROTO with line and column. Caller owns *ret.
 */
int json_read(const char *text, size_t length, json_t **ret, struct error *err);

/* Fields of an object. The plain forms want the field; the _or forms take the default where it is
 * absent or null. Strings are borrowed from the object. -EPROTO otherwise. */
int json_field_string(const json_t *object, const char *name, const char **ret, struct error *err);
int json_field_string_or(const json_t *object, const char *name, const char *fallback,
                         const char **ret, struct error *err);
int json_field_int(const json_t *object, const char *name, int64_t *ret, struct error *err);
int json_field_int_or(const json_t *object, const char *name, int64_t fallback, int64_t *ret,
                      struct error *err);
int json_field_bool_or(const json_t *object, const char *name, bool fallback, bool *ret,
                       struct error *err);

/* NULL where absent or null. */
int json_field_object_or_null(const json_t *object, const char *name, json_t **ret,
                              struct error *err);
int json_field_array_or_null(const json_t *object, const char *name, json_t **ret,
                             struct error *err);

/* An array of strings as a list that the caller frees with strv_free(); absent is the empty list.
 */
int json_field_strv(const json_t *object, const char *name, char ***ret, struct error *err);
/* The reverse; a NULL list gives an empty array. NULL if memory ran out. */
json_t *json_from_strv(char *const *list);

/* Compact text with sorted keys (the same value always gives the same bytes); caller frees. */
int json_write(const json_t *value, char **ret, struct error *err);

#endif
