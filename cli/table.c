/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/table.h"

#include <ctype.h>
#include <errno.h>
#include <libsmartcols.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"

enum { SHORT_HASH = 7 };

const char *row_string(const json_t *row, const char *name)
{
    const char *value = json_string_value(json_object_get(row, name));
    return value ? value : "";
}

long long row_number(const json_t *row, const char *name)
{
    return json_integer_value(json_object_get(row, name));
}

int json_print(const json_t *value)
{
    if (json_dumpf(value, stdout, JSON_INDENT(2)) < 0)
        return complain_text("the answer cannot be written");
    (void)putchar('\n');
    return EXIT_CODE_OK;
}

char *machine_cell(const struct cli *cli, const char *id, const char *ip)
{
    if (cli->full || !*id)
        return strdup(id);
    return text_format("%.8s...%s%s", id, *ip ? "/" : "", ip);
}

char *digest_cell(const struct cli *cli, const char *digest)
{
    return cli->full ? strdup(digest) : strndup(digest, strlen("sha256:") + SHORT_HASH);
}

char *cell_hash(const struct cli *cli, const json_t *row)
{
    const char *text = row_string(row, "hash");
    return cli->full ? strdup(text) : strndup(text, SHORT_HASH);
}

static const struct field *find_field(const struct field *fields, const char *name)
{
    for (; fields->name; fields++) {
        if (text_equal(fields->name, name))
            return fields;
    }
    return NULL;
}

static void cleanup_table(struct libscols_table **table)
{
    scols_unref_table(*table);
}
#define autotable __attribute__((cleanup(cleanup_table))) struct libscols_table *

static int add_column(struct libscols_table *table, const char *name)
{
    autofree char *heading = strdup(name);
    if (!heading)
        return -ENOMEM;
    for (char *c = heading; *c; c++)
        *c = (char)toupper((unsigned char)*c);
    return scols_table_new_column(table, heading, 0, 0) ? 0 : -ENOMEM;
}

/* A description must not speak to the terminal. The library would escape backslashes too, which
 * names of units have. */
static void make_printable(char *text)
{
    for (char *c = text; *c; c++) {
        bool is_c1 = *c == '\xc2' && (unsigned char)c[1] >= 0x80 && (unsigned char)c[1] < 0xa0;
        if (is_c1)
            *c++ = '?';
        if (is_c1 || (unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    }
}

static char *make_cell(const struct cli *cli, const struct field *field, const json_t *row)
{
    return field->value ? field->value(cli, row) : strdup(row_string(row, field->name));
}

static int add_row(struct libscols_table *table, const struct cli *cli, const struct field *fields,
                   char *const *names, const json_t *row)
{
    struct libscols_line *line = scols_table_new_line(table, NULL);
    for (size_t i = 0; line && names[i]; i++) {
        autofree char *cell = make_cell(cli, find_field(fields, names[i]), row);
        if (cell)
            make_printable(cell);
        if (!cell || scols_line_set_data(line, i, *cell ? cell : "-") < 0)
            return -ENOMEM;
    }
    return line ? 0 : -ENOMEM;
}

static int check_fields(const struct field *fields, char *const *names)
{
    if (!strv_length(names)) {
        (void)fprintf(stderr, "musterctl: Must define output format\n");
        return EXIT_CODE_FAILED;
    }
    for (; *names; names++) {
        if (find_field(fields, *names))
            continue;
        (void)fprintf(stderr,
                      "musterctl: Invalid key in output format: \"%s\" (there are:", *names);
        for (const struct field *field = fields; field->name; field++)
            (void)fprintf(stderr, " %s", field->name);
        (void)fprintf(stderr, ")\n");
        return EXIT_CODE_FAILED;
    }
    return 0;
}

static int fill(struct libscols_table *table, const struct cli *cli, const struct field *fields,
                char *const *names, const json_t *rows)
{
    int r = scols_table_set_column_separator(table, "  ");
    /* Whoever wants it narrower has a pager; a script must get all of it. */
    if (r == 0)
        r = scols_table_set_termforce(table, SCOLS_TERMFORCE_NEVER);
    if (r == 0)
        r = scols_table_enable_noheadings(table, !cli->legend);
    if (r == 0)
        r = scols_table_enable_noencoding(table, 1);
    for (size_t i = 0; r == 0 && names[i]; i++)
        r = add_column(table, names[i]);
    for (size_t i = 0; r == 0 && i < json_array_size(rows); i++)
        r = add_row(table, cli, fields, names, json_array_get(rows, i));
    return r;
}

/* libsmartcols prints nothing at all for a table without lines. */
static void print_headings(char *const *names)
{
    for (; *names; names++) {
        for (const char *c = *names; *c; c++)
            (void)putchar(toupper((unsigned char)*c));
        (void)fputs(names[1] ? "  " : "\n", stdout);
    }
}

int table_print(const struct cli *cli, const struct field *fields, const char *defaults,
                const json_t *rows)
{
    autostrv names = NULL;
    struct error err;
    if (strv_split(cli->fields ? cli->fields : defaults, ",", &names, &err) < 0)
        return complain(&err);
    int code = check_fields(fields, names);
    if (code)
        return code;
    if (json_array_size(rows) == 0) {
        if (cli->legend)
            print_headings(names);
        return EXIT_CODE_OK;
    }
    autotable table = scols_new_table();
    if (!table || fill(table, cli, fields, names, rows) < 0 || scols_print_table(table) < 0)
        return complain_text("out of memory");
    return EXIT_CODE_OK;
}

int list_print(const struct cli *cli, const char *path, const char *list,
               json_t *(*rows)(const json_t *list), const struct field *fields,
               const char *defaults)
{
    autojson answer = NULL;
    struct error err;
    if (client_call(cli->client, "GET", path, NULL, &answer, &err) < 0)
        return complain(&err);
    json_t *items = json_object_get(answer, list);
    if (cli->json && !items)
        return complain_text("the answer has no list \"%s\"", list);
    if (cli->json)
        return json_print(items);
    autojson made = rows ? rows(items) : json_incref(items);
    return table_print(cli, fields, defaults, made);
}
