/* SPDX-License-Identifier: Apache-2.0 */
/* One line per unit and machine that has it, as fleet; and one for a unit that should be somewhere
 * and is nowhere, which fleet hides. */
#include <string.h>

#include "base/text.h"
#include "cli/table.h"

/* {unit, machine, ip, load, active, sub, health, hash, desired, reason, image, addresses,
 * ports, moves_from} */
static json_t *make_row(const json_t *unit, const json_t *copy)
{
    const char *problem = row_string(copy, "problem");
    const char *health_reason = row_string(copy, "health_reason");
    const char *moves_from = row_string(copy, "moves_from");
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}",
                     "unit", row_string(unit, "name"), "machine", row_string(copy, "machine"), "ip",
                     row_string(copy, "ip"), "load", row_string(copy, "load"), "active",
                     row_string(copy, "active"), "sub", row_string(copy, "sub"), "health",
                     row_string(copy, "health"), "hash", row_string(unit, "hash"), "desired",
                     row_string(unit, "desired"), "reason",
                     *problem         ? problem
                     : *health_reason ? health_reason
                     : *moves_from    ? ""
                                      : row_string(unit, "verdict"),
                     "image", row_string(copy, "image"), "addresses", row_string(copy, "addresses"),
                     "ports", row_string(copy, "ports"), "moves_from", moves_from);
}

static json_t *make_rows(const json_t *units)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < json_array_size(units); i++) {
        const json_t *unit = json_array_get(units, i);
        const json_t *copies = json_object_get(unit, "copies");
        size_t count = json_array_size(copies);
        for (size_t j = 0; j < count; j++)
            (void)json_array_append_new(rows, make_row(unit, json_array_get(copies, j)));
        if (!count && !text_equal(row_string(unit, "desired"), "inactive"))
            (void)json_array_append_new(rows, make_row(unit, NULL));
    }
    return rows;
}

static char *machine(const struct cli *cli, const json_t *row)
{
    return machine_cell(cli, row_string(row, "machine"), row_string(row, "ip"));
}

/* Of two copies the one that is to stay says why there are two. */
static char *reason(const struct cli *cli, const json_t *row)
{
    const char *said = row_string(row, "reason");
    const char *from = row_string(row, "moves_from");
    if (*said || !*from)
        return strdup(said);
    autofree char *cell = machine_cell(cli, from, "");
    return text_format("moves here from %s", cell ? cell : from);
}

static char *image(const struct cli *cli, const json_t *row)
{
    return digest_cell(cli, row_string(row, "image"));
}

static char *address(const struct cli *cli, const json_t *row)
{
    (void)cli;
    return strdup(row_string(row, "addresses"));
}

int verb_list_units(struct cli *cli)
{
    static const struct field fields[] = {
        {"unit",     NULL     },
        { "machine", machine  },
        { "active",  NULL     },
        { "sub",     NULL     },
        { "load",    NULL     },
        { "health",  NULL     },
        { "hash",    cell_hash},
        { "desired", NULL     },
        { "reason",  reason   },
        { "image",   image    },
        { "address", address  },
        { "ports",   NULL     },
        { NULL,      NULL     },
    };
    return list_print(cli, "/v1/units", "units", make_rows, fields, "unit,machine,active,sub");
}
