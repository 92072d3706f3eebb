/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shape of a plain struct: its fields, their types, and the names that they have in JSON. A
 * struct with a shape is freed, written and read by the three functions below, so that a new field
 * is one line. What is zero, NULL or empty is left out of the JSON, and what is absent there is
 * zero, NULL or empty again.
 *
 *     static const struct shape_field port_fields[] = {
 *         SHAPE_STRING(struct port, address, "address"),
 *         SHAPE_INT(struct port, number, "number"),
 *         SHAPE_END,
 *     };
 *     const struct shape port_shape = { sizeof(struct port), port_fields };
 */
#ifndef BASE_SHAPE_H
#define BASE_SHAPE_H

#include <jansson.h>
#include <stddef.h>

#include "base/error.h"

enum shape_type {
    SHAPE_TYPE_INVALID = 0,
    SHAPE_TYPE_STRING, /* char *, owned */
    SHAPE_TYPE_STRV,   /* char **, owned; NULL and the empty list are two values */
    SHAPE_TYPE_BOOL,   /* bool */
    SHAPE_TYPE_INT,    /* int64_t */
    SHAPE_TYPE_WORD,   /* an enum of int's size, written as one of words[]; words[0] is NULL */
    SHAPE_TYPE_LIST,   /* an owned array of structs of a shape, and its size_t count */
};

struct shape;

struct shape_field {
    const char *name;
    enum shape_type type;
    size_t offset;
    size_t count_offset;       /* lists */
    const struct shape *shape; /* lists: of an element */
    const char *const *words;  /* words: by the enum's value, ends with NULL after words[0] */
};

struct shape {
    size_t size;
    const struct shape_field *fields; /* the last has the name NULL */
};

#define SHAPE_STRING(type, member, json)                               \
    {                                                                  \
        json, SHAPE_TYPE_STRING, offsetof(type, member), 0, NULL, NULL \
    }
#define SHAPE_STRV(type, member, json)                               \
    {                                                                \
        json, SHAPE_TYPE_STRV, offsetof(type, member), 0, NULL, NULL \
    }
#define SHAPE_BOOL(type, member, json)                               \
    {                                                                \
        json, SHAPE_TYPE_BOOL, offsetof(type, member), 0, NULL, NULL \
    }
#define SHAPE_INT(type, member, json)                               \
    {                                                               \
        json, SHAPE_TYPE_INT, offsetof(type, member), 0, NULL, NULL \
    }
#define SHAPE_WORD(type, member, json, list)                         \
    {                                                                \
        json, SHAPE_TYPE_WORD, offsetof(type, member), 0, NULL, list \
    }
#define SHAPE_LIST(type, member, count, json, of)                                      \
    {                                                                                  \
        json, SHAPE_TYPE_LIST, offsetof(type, member), offsetof(type, count), of, NULL \
    }
#define SHAPE_END                                  \
    {                                              \
        NULL, SHAPE_TYPE_INVALID, 0, 0, NULL, NULL \
    }

/* Frees what the fields own and zeroes them; not the struct itself. */
void shape_clear(const struct shape *shape, void *object);

/* One more element, zeroed, at the end of a list: *array and *count are changed, the element is
 * returned; NULL if memory ran out. */
void *shape_list_add(void *array_pointer, size_t *count, size_t size);

/* What the value is called; NULL if it is none. And the reverse: 0 if the word is none. */
const char *shape_word(const char *const *words, int value);
int shape_word_find(const char *const *words, const char *word);

/* A new object; the caller owns it. */
int shape_to_json(const struct shape *shape, const void *object, json_t **ret, struct error *err);

/* Into a zeroed struct; what was read stays on failure, for shape_clear(). Fields that the shape
 * does not know are left alone. -EPROTO names the field. */
int shape_from_json(const struct shape *shape, const json_t *json, void *object, struct error *err);

#endif
