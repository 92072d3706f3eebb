/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of records.c, shared with record_plain.c and nobody else: what a record is made of.
 * The fields of a table are in the order of their names, as they are in the JSON that is written.
 */
#ifndef SCHEDULER_RECORD_FIELDS_H
#define SCHEDULER_RECORD_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

enum field_kind {
    FIELD_END = 0,
    FIELD_TEXT,     /* char *; wanted */
    FIELD_NOTE,     /* char *; "" where absent */
    FIELD_COUNT,    /* int64_t, never negative; wanted */
    FIELD_COUNT_OR, /* the same; fallback where absent */
    FIELD_FLAG,     /* bool; false where absent */
    FIELD_DESIRED,
    FIELD_WANT,
    FIELD_FAILOVER, /* at-least-once where absent */
    FIELD_WORDS,    /* char **; empty where absent */
    FIELD_METADATA, /* {"key":"value"}, sorted by key; its count is at count_offset */
    FIELD_ROLLOUT_STATE,
    FIELD_VERSIONS, /* [{…}]; count_offset likewise */
};

struct field {
    const char *name;
    size_t name_length;
    enum field_kind kind;
    size_t offset;
    size_t count_offset; /* FIELD_METADATA, FIELD_VERSIONS */
    int64_t maximum;     /* of counts; 0: none */
    int64_t fallback;    /* FIELD_COUNT_OR */
    bool sparse;         /* not written where it is what is read where it is absent */
};

/* Whether the field holds what is read where it is absent; and need not be written for that. */
bool field_is_fallback(const struct field *field, const void *record);

/* Adds the text of a record as json_write() would give it. False, and nothing added, if it holds
 * what is not plain: then it is for jansson to say. */
bool fields_write_plain(const struct field *fields, const void *record, struct text *to);

/* Fills a zeroed record from a text that is written as ours are. If it is not, or something is
 * wrong with it: false, and what the record has by then is to be freed; it is for jansson to read
 * the text or to say what is wrong. */
bool fields_read_plain(const struct field *fields, const char *text, size_t length, void *record);

#endif
