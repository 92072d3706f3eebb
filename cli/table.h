/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A list on stdout as fleetctl prints it: chosen fields, upper-cased headings, columns lined up and
 * never cut. A row is a JSON object; a field knows how to say it.
 */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include "cli/cli.h"

struct field {
    const char *name;
    /* Fresh text, NULL if memory ran out; "" is shown as "-". Without it the row's string of that
     * name is the text. */
    char *(*value)(const struct cli *cli, const json_t *row);
};

/* fields ends with one without a name; defaults as --fields has them. Returns an exit code and has
 * complained if it is not 0. */
int table_print(const struct cli *cli, const struct field *fields, const char *defaults,
                const json_t *rows);

/* Values that several lists need. Borrowed; "" where absent. */
const char *row_string(const json_t *row, const char *name);
long long row_number(const json_t *row, const char *name); /* 0 where absent */
/* On stdout, for --json. Returns an exit code and has complained if it is not 0. */
int json_print(const json_t *value);
/* "1315e07d.../10.0.0.1", or the whole id with --full. */
char *machine_cell(const struct cli *cli, const char *id, const char *ip);
/* "sha256:1315e07", or the whole digest with --full. */
char *digest_cell(const struct cli *cli, const char *digest);

/* A unit's hash as struct field wants it: 7 digits, or all with --full. */
char *cell_hash(const struct cli *cli, const json_t *row);

/* GET path, then rows(answer) as a table, or with --json the answer's list as it came. */
int list_print(const struct cli *cli, const char *path, const char *list,
               json_t *(*rows)(const json_t *list), const struct field *fields,
               const char *defaults);

#endif
