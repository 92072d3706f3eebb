/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A unit file as systemd reads it: sections, options in order, repeated ones kept, comments,
 * continuation lines. Where systemd would warn and skip a line, this refuses: a line that does
 * nothing is a mistake. Nothing is lost: the file remembers the pieces of its text, comments and
 * blank lines among them, and unit_file_write() gives them back byte for byte.
 */
#ifndef UNITS_UNIT_FILE_H
#define UNITS_UNIT_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/error.h"

enum {
    UNIT_FILE_MAX_BYTES = 1024 * 1024, /* systemd's limit of a line, ours of a file */
    UNIT_LIST_MAX = 4096,              /* words of a value, values of a list that muster reads */
};

struct unit_option {
    char *section;
    char *key;
    char *value; /* continuation lines joined by a space, as systemd does; ends trimmed. "" is kept:
                    it resets lists */
    unsigned int line;
    bool changed; /* by unit_option_set(): written anew, not as it stood */
};

struct unit_section {
    char *name;
    unsigned int line;
};

enum unit_piece_kind {
    UNIT_PIECE_INVALID = 0,
    UNIT_PIECE_TEXT, /* comments, blank lines, a byte order mark */
    UNIT_PIECE_SECTION,
    UNIT_PIECE_OPTION, /* all of its physical lines, with the comments between them */
};

/* A stretch of the text, line ends included. Together the pieces are the text. */
struct unit_piece {
    enum unit_piece_kind kind;
    size_t offset;
    size_t length;
    size_t index; /* into sections or options */
};

struct unit_file {
    char *text; /* as it was parsed */
    struct unit_piece *pieces;
    size_t piece_count;
    struct unit_option *options;
    size_t count;
    struct unit_section *sections; /* every header as it stood, repeated and empty ones too */
    size_t section_count;
};

/* -EINVAL "line N: …": what and what would be right. */
int unit_file_parse(const char *text, size_t length, struct unit_file **ret, struct error *err);
void unit_file_free(struct unit_file *file);
DEFINE_AUTOPTR(unit_file);

/* The text: as it was parsed, but for options that were changed. Caller frees *ret. */
int unit_file_write(const struct unit_file *file, char **ret, struct error *err);

/* The same for one piece, for those who write only some of them. */
struct text;
void unit_file_write_piece(const struct unit_file *file, const struct unit_piece *piece,
                           struct text *t);

/* Ends the text of a unit so that what is added next begins a line, and continues none: an empty
 * line closes what a backslash at the end left open. */
void unit_text_end_line(struct text *t);

/* Gives the option another value (copied), without line ends in it. */
int unit_option_set(struct unit_option *option, const char *value, struct error *err);

/* The last option of a key, as systemd takes it for single values; NULL if absent. Borrowed. */
struct unit_option *unit_file_find(const struct unit_file *file, const char *section,
                                   const char *key);
/* Its value; NULL if absent. Borrowed. */
const char *unit_file_get(const struct unit_file *file, const char *section, const char *key);
bool unit_file_has_section(const struct unit_file *file, const char *section);

/* Whether a list such as ExecStart= has a value left: an empty assignment drops those before it. */
bool unit_file_has_value(const struct unit_file *file, const char *section, const char *key);

/* Returns -EINVAL with "line N: [Section] Key=Value: " and the reason (a long value is cut). */
int unit_option_error(struct error *err, const struct unit_option *option, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Words of a value, quotes and escapes undone as systemd does for ExecStart= and Environment=; as
 * there, an unknown escape stays as it stands. -EINVAL: a quote is not closed, or over
 * UNIT_LIST_MAX. */
int unit_words_split(const char *value, char ***ret, struct error *err);

/* What systemd takes for a boolean (yes, true, on, 1, …). -EINVAL otherwise; *ret as it was. */
int unit_boolean_parse(const char *value, bool *ret, struct error *err);

#endif
