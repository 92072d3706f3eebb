/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A unit file as systemd reads it: sections, options in order, repeated ones kept, comments,
 * continuation lines. Reading keeps where each option stood; the original text is what gets stored
 * and shown, so nothing is lost.
 */
#ifndef UNITS_UNIT_FILE_H
#define UNITS_UNIT_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/error.h"

struct unit_option {
    char *section;
    char *key;
    char *value; /* continuation lines joined by a space, as systemd does; ends trimmed */
    unsigned int line;
};

struct unit_file {
    struct unit_option *options;
    size_t count;
};

/* -EINVAL "line N: …": what and what would be right. */
int unit_file_parse(const char *text, size_t length, struct unit_file **ret, struct error *err);
void unit_file_free(struct unit_file *file);
DEFINE_AUTOPTR(unit_file);

/* The last value of a key, as systemd takes it for single values; NULL if absent. Borrowed. */
const char *unit_file_get(const struct unit_file *file, const char *section, const char *key);
bool unit_file_has_section(const struct unit_file *file, const char *section);

/* Words of a value, quotes and escapes undone as systemd does for ExecStart= and Environment=. */
int unit_words_split(const char *value, char ***ret, struct error *err);

#endif
