/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/text.h"
#include "cli/table.h"

static bool is_global(const json_t *row)
{
    return json_is_true(json_object_get(row, "global"));
}

static char *unit(const struct cli *cli, const json_t *row)
{
    (void)cli;
    return strdup(row_string(row, "name"));
}

/* A global unit has no one state. */
static char *state(const struct cli *cli, const json_t *row)
{
    (void)cli;
    return strdup(is_global(row) ? "" : row_string(row, "state"));
}

static char *target(const struct cli *cli, const json_t *row)
{
    const json_t *copy = json_array_get(json_object_get(row, "copies"), 0);
    if (is_global(row))
        return strdup("global");
    return machine_cell(cli, row_string(copy, "machine"), row_string(copy, "ip"));
}

static char *global(const struct cli *cli, const json_t *row)
{
    (void)cli;
    return strdup(is_global(row) ? "true" : "false");
}

static char *desired(const struct cli *cli, const json_t *row)
{
    (void)cli;
    return strdup(row_string(row, "desired"));
}

static char *description(const struct cli *cli, const json_t *row)
{
    (void)cli;
    return strdup(row_string(row, "description"));
}

int verb_list_unit_files(struct cli *cli)
{
    static const struct field fields[] = {
        {"unit",      unit       },
        { "hash",     cell_hash  },
        { "dstate",   desired    },
        { "state",    state      },
        { "target",   target     },
        { "tmachine", target     }, /* fleet's older name of target */
        { "global",   global     },
        { "desc",     description},
        { NULL,       NULL       },
    };
    return list_print(cli, "/v1/units", "units", NULL, fields, "unit,hash,dstate,state,target");
}
