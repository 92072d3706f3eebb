/* SPDX-License-Identifier: Apache-2.0 */
#include "units/unit_file.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

/* A value in an error is shown this far. */
enum { SHOWN_MAX = 60 };

#define UTF8_BOM "\xef\xbb\xbf"

struct reader {
    const char *next;
    const char *end;
    size_t length; /* of the whole text */
    bool bom_seen;
    unsigned int line;    /* of the physical line read last */
    unsigned int started; /* the first physical line of the logical one */
    size_t began;         /* the offset of that line */
    char *section;        /* borrowed from the last of file->sections; NULL before the first */
    struct unit_file *file;
};

void unit_file_free(struct unit_file *file)
{
    if (!file)
        return;
    for (size_t i = 0; i < file->count; i++) {
        free(file->options[i].section);
        free(file->options[i].key);
        free(file->options[i].value);
    }
    for (size_t i = 0; i < file->section_count; i++)
        free(file->sections[i].name);
    free(file->text);
    free(file->pieces);
    free(file->options);
    free(file->sections);
    free(file);
}

/* Room for one more at the end, which is zeroed. Sizes double at powers of two. */
static void *add_slot(void *array_pointer, size_t count, size_t size)
{
    void **array = array_pointer;
    if ((count & (count - 1)) == 0) {
        void *grown = reallocarray(*array, count ? count * 2 : 1, size);
        if (!grown)
            return NULL;
        *array = grown;
    }
    return memset((char *)*array + count * size, 0, size);
}

/* systemd's idea of white space, which has no \v and no \f. */
static char *trim(char *s)
{
    static const char white[] = " \t\n\r";
    s += strspn(s, white);
    size_t length = strlen(s);
    while (length > 0 && strchr(white, s[length - 1]))
        length--;
    s[length] = '\0';
    return s;
}

static bool is_line_end(char c)
{
    return c == '\n' || c == '\r';
}

/* The next physical line without its end: \n, \r, or both in either order, as systemd reads it. */
static bool next_physical_line(struct reader *reader, const char **ret, size_t *ret_length)
{
    if (reader->next == reader->end)
        return false;
    const char *start = reader->next, *p = start;
    while (p < reader->end && !is_line_end(*p))
        p++;
    *ret = start;
    *ret_length = (size_t)(p - start);
    if (p < reader->end) {
        char first = *p++;
        if (p < reader->end && is_line_end(*p) && *p != first)
            p++;
    }
    reader->next = p;
    reader->line++;
    return true;
}

/* A backslash that nothing before it escapes stands at the end. Each physical line can be asked by
 * itself, for the one before it ended in a space by then. */
static bool is_continued(const char *line, size_t length)
{
    bool escaped = false;
    for (size_t i = 0; i < length; i++)
        escaped = !escaped && line[i] == '\\';
    return escaped;
}

static int take_text(struct text *t, char **ret, struct error *err)
{
    *ret = text_take(t);
    return *ret ? 0 : error_oom(err);
}

/* systemd drops one byte order mark, at the start of whatever line. */
static void skip_bom(struct reader *reader, const char **line, size_t *length)
{
    size_t bom = strlen(UTF8_BOM);
    if (reader->bom_seen || *length < bom || memcmp(*line, UTF8_BOM, bom) != 0)
        return;
    reader->bom_seen = true;
    *line += bom;
    *length -= bom;
}

static bool is_comment(const char *line, size_t length)
{
    size_t i = 0;
    while (i < length && (line[i] == ' ' || line[i] == '\t'))
        i++;
    return i < length && (line[i] == '#' || line[i] == ';');
}

static size_t reader_offset(const struct reader *reader)
{
    return (size_t)(reader->next - (reader->end - reader->length));
}

/* What was read since reader->began. Stretches of text that touch become one. */
static int add_piece(struct reader *reader, enum unit_piece_kind kind, size_t index,
                     struct error *err)
{
    struct unit_file *file = reader->file;
    size_t end = reader_offset(reader);
    struct unit_piece *last = file->piece_count ? &file->pieces[file->piece_count - 1] : NULL;
    if (kind == UNIT_PIECE_TEXT && last && last->kind == UNIT_PIECE_TEXT) {
        last->length = end - last->offset;
        return 0;
    }
    struct unit_piece *piece = add_slot(&file->pieces, file->piece_count, sizeof(*piece));
    if (!piece)
        return error_oom(err);
    *piece = (struct unit_piece){ kind, reader->began, end - reader->began, index };
    file->piece_count++;
    return 0;
}

/* Joins continuation lines, whose leading blanks stay; comments between them vanish. *ret NULL at
 * the end of the text. */
static int next_logical_line(struct reader *reader, char **ret, struct error *err)
{
    autotext joined = { 0 };
    const char *line = NULL;
    size_t length = 0;
    bool continued = false;
    reader->began = reader_offset(reader);
    while (next_physical_line(reader, &line, &length)) {
        skip_bom(reader, &line, &length);
        if (is_comment(line, length)) {
            int r = continued ? 0 : add_piece(reader, UNIT_PIECE_TEXT, 0, err);
            if (r < 0)
                return r;
            if (!continued)
                reader->began = reader_offset(reader);
            continue;
        }
        if (!continued)
            reader->started = reader->line;
        continued = is_continued(line, length);
        text_add_bytes(&joined, line, continued ? length - 1 : length);
        if (!continued)
            return take_text(&joined, ret, err);
        text_add(&joined, " ");
    }
    *ret = NULL;
    return continued ? take_text(&joined, ret, err) : 0;
}

/* At most max bytes, and no half of a character. */
static int shown_length(const char *s, int max)
{
    int length = (int)strnlen(s, (size_t)max + 1);
    if (length <= max)
        return length;
    length = max;
    while (length > 0 && ((unsigned char)s[length] & 0xc0) == 0x80)
        length--;
    return length;
}

static int line_error(const struct reader *reader, struct error *err, const char *line,
                      const char *problem)
{
    return error_set(err, -EINVAL, "line %u: \"%.*s\": %s", reader->started,
                     shown_length(line, SHOWN_MAX), line, problem);
}

static int add_section(struct reader *reader, char *line, struct error *err)
{
    size_t length = strlen(line);
    if (line[length - 1] != ']')
        return line_error(reader, err, line, "a section's line ends in ']' and nothing follows it");
    line[length - 1] = '\0';
    const char *name = line + 1;
    if (!*name || strpbrk(name, "[]\"'\\"))
        return line_error(reader, err, line, "this is no name of a section");
    struct unit_file *file = reader->file;
    struct unit_section *section = add_slot(&file->sections, file->section_count, sizeof(*section));
    if (!section)
        return error_oom(err);
    section->name = strdup(name);
    if (!section->name)
        return error_oom(err);
    section->line = reader->started;
    reader->section = section->name;
    return add_piece(reader, UNIT_PIECE_SECTION, file->section_count++, err);
}

static int add_option(struct reader *reader, char *line, struct error *err)
{
    char *equals = strchr(line, '=');
    if (!equals)
        return line_error(reader, err, line, "neither [Section], Key=Value nor a comment");
    if (equals == line)
        return line_error(reader, err, line, "nothing stands before '='");
    if (!reader->section)
        return line_error(reader, err, line, "it stands before any [Section]");
    *equals = '\0';
    struct unit_file *file = reader->file;
    struct unit_option *option = add_slot(&file->options, file->count, sizeof(*option));
    if (!option)
        return error_oom(err);
    file->count++;
    option->line = reader->started;
    option->section = strdup(reader->section);
    option->key = strdup(trim(line));
    option->value = strdup(trim(equals + 1));
    if (!option->section || !option->key || !option->value)
        return error_oom(err);
    return add_piece(reader, UNIT_PIECE_OPTION, file->count - 1, err);
}

static int take_line(struct reader *reader, char *line, struct error *err)
{
    char *trimmed = trim(line);
    if (!*trimmed)
        return add_piece(reader, UNIT_PIECE_TEXT, 0, err);
    if (!text_is_utf8(trimmed))
        return error_set(err, -EINVAL, "line %u: not UTF-8", reader->started);
    if (text_starts_with(trimmed, UTF8_BOM))
        return error_set(err, -EINVAL, "line %u: a byte order mark that is not the first",
                         reader->started);
    return *trimmed == '[' ? add_section(reader, trimmed, err) : add_option(reader, trimmed, err);
}

/* What no line-by-line reader could tell. */
static int check_whole(const char *text, size_t length, struct error *err)
{
    if (length > UNIT_FILE_MAX_BYTES)
        return error_set(err, -EINVAL, "a unit file of %zu bytes is too long; %d are allowed",
                         length, UNIT_FILE_MAX_BYTES);
    const char *nul = length > 0 ? memchr(text, '\0', length) : NULL;
    if (!nul)
        return 0;
    unsigned int line = 1;
    for (const char *p = text; p < nul; p++)
        line += *p == '\n';
    return error_set(err, -EINVAL, "line %u: a NUL byte; this is no text", line);
}

int unit_file_parse(const char *text, size_t length, struct unit_file **ret, struct error *err)
{
    int r = check_whole(text, length, err);
    if (r < 0)
        return r;
    autoptr(unit_file) file = calloc(1, sizeof(*file));
    if (!file)
        return error_oom(err);
    file->text = strndup(length > 0 ? text : "", length);
    if (!file->text)
        return error_oom(err);
    struct reader reader = {
        .next = file->text, .end = file->text + length, .length = length, .file = file
    };
    for (;;) {
        autofree char *line = NULL;
        r = next_logical_line(&reader, &line, err);
        if (r < 0)
            return r;
        if (!line)
            break;
        r = take_line(&reader, line, err);
        if (r < 0)
            return r;
    }
    *ret = take_ptr(file);
    return 0;
}

void unit_text_end_line(struct text *t)
{
    /* A line that ends in \r would take a single \n for the other half of its own end. */
    if (t->length > 0)
        text_add(t, t->data[t->length - 1] == '\n' ? "\n" : "\n\n");
}

/* A value may end in a backslash that a space followed; at a line's end it would continue the line.
 */
static void write_option(const struct unit_option *option, struct text *t)
{
    bool open = is_continued(option->value, strlen(option->value));
    text_addf(t, "%s=%s%s\n", option->key, option->value, open ? " " : "");
}

void unit_file_write_piece(const struct unit_file *file, const struct unit_piece *piece,
                           struct text *t)
{
    if (piece->kind == UNIT_PIECE_OPTION && file->options[piece->index].changed)
        write_option(&file->options[piece->index], t);
    else
        text_add_bytes(t, file->text + piece->offset, piece->length);
}

int unit_file_write(const struct unit_file *file, char **ret, struct error *err)
{
    autotext t = { 0 };
    for (size_t i = 0; i < file->piece_count; i++)
        unit_file_write_piece(file, &file->pieces[i], &t);
    return take_text(&t, ret, err);
}

int unit_option_set(struct unit_option *option, const char *value, struct error *err)
{
    assert(!strpbrk(value, "\r\n"));
    char *copy = strdup(value);
    if (!copy)
        return error_oom(err);
    free(option->value);
    option->value = copy;
    option->changed = true;
    return 0;
}

static bool is_option(const struct unit_option *option, const char *section, const char *key)
{
    return strcmp(option->key, key) == 0 && strcmp(option->section, section) == 0;
}

struct unit_option *unit_file_find(const struct unit_file *file, const char *section,
                                   const char *key)
{
    for (size_t i = file->count; i > 0; i--)
        if (is_option(&file->options[i - 1], section, key))
            return &file->options[i - 1];
    return NULL;
}

const char *unit_file_get(const struct unit_file *file, const char *section, const char *key)
{
    const struct unit_option *option = unit_file_find(file, section, key);
    return option ? option->value : NULL;
}

bool unit_file_has_value(const struct unit_file *file, const char *section, const char *key)
{
    /* The last assignment decides: an empty one clears, any other leaves at least itself. */
    const char *value = unit_file_get(file, section, key);
    return value && *value;
}

bool unit_file_has_section(const struct unit_file *file, const char *section)
{
    for (size_t i = 0; i < file->section_count; i++)
        if (strcmp(file->sections[i].name, section) == 0)
            return true;
    return false;
}

int unit_option_error(struct error *err, const struct unit_option *option, const char *format, ...)
{
    char reason[ERROR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(reason, sizeof(reason), format, args);
    va_end(args);
    int section = shown_length(option->section, SHOWN_MAX);
    int key = shown_length(option->key, SHOWN_MAX);
    int value = shown_length(option->value, SHOWN_MAX);
    return error_set(err, -EINVAL, "line %u: [%.*s] %.*s=%.*s%s: %s", option->line, section,
                     option->section, key, option->key, value, option->value,
                     option->value[value] ? "…" : "", reason);
}
