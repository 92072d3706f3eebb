/* SPDX-License-Identifier: Apache-2.0 */
/* Every key a cloud-config may have: its type, the values it takes, and whether this version
 * applies it. A table, so that a new key is one line. */
#ifndef CLOUD_CONFIG_SCHEMA_H
#define CLOUD_CONFIG_SCHEMA_H

#include <stdbool.h>

enum field_type {
    FIELD_INVALID = 0,
    FIELD_STRING,
    FIELD_INT,
    FIELD_FLOAT,
    FIELD_BOOL,
    FIELD_STRUCT,
    FIELD_STRING_LIST,
    FIELD_STRUCT_LIST,
    FIELD_STRING_OR_LIST,
};

struct schema_field {
    const char *name;
    enum field_type type;
    const struct schema_field *fields; /* members of a struct or of a list's elements */
    bool (*accepts)(const char *text); /* of a string; NULL: any. An empty one always passes */
    const char *deprecated;            /* why, or NULL */
    bool unapplied; /* known and checked, but this version does nothing with it */
    bool raw;       /* may hold NUL bytes */
};

/* The top level; lists of fields end with one that has no name. */
extern const struct schema_field schema_root[];

const struct schema_field *schema_find(const struct schema_field *fields, const char *name);

/* The field with a name close enough to be what was meant, or NULL. */
const char *schema_nearest(const struct schema_field *fields, const char *name);

const char *schema_type_name(enum field_type type);

#endif
