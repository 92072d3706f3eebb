/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/text.h"
#include "cli/table.h"

static char *number(const json_t *row, const char *name)
{
    return text_format("%lld", row_number(row, name));
}

static char *want(const struct cli *cli, const json_t *row)
{
    (void)cli;
    return number(row, "want");
}

static char *have(const struct cli *cli, const json_t *row)
{
    (void)cli;
    return number(row, "have");
}

static char *spare(const struct cli *cli, const json_t *row)
{
    (void)cli;
    return number(row, "spare");
}

static char *least(const struct cli *cli, const json_t *row)
{
    (void)cli;
    return number(row, "min");
}

static char *state(const struct cli *cli, const json_t *row)
{
    (void)cli;
    return strdup(row_string(row, "status"));
}

static char *holders(const struct cli *cli, const json_t *row)
{
    const json_t *list = json_object_get(row, "holders");
    autotext text = { 0 };
    for (size_t i = 0; i < json_array_size(list); i++) {
        autofree char *cell = machine_cell(cli, json_string_value(json_array_get(list, i)), "");
        text_addf(&text, "%s%s", i ? "," : "", cell ? cell : "");
    }
    return text_take(&text);
}

int verb_list_roles(struct cli *cli)
{
    static const struct field fields[] = {
        {"role",     NULL   },
        { "want",    want   },
        { "have",    have   },
        { "spare",   spare  },
        { "min",     least  },
        { "state",   state  },
        { "holders", holders},
        { NULL,      NULL   },
    };
    return list_print(cli, "/v1/roles", "roles", NULL, fields,
                      "role,want,have,spare,min,state,holders");
}
