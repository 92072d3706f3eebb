/* SPDX-License-Identifier: Apache-2.0 */
/* fleet's columns, and after them whether the machine is there: absent ones are shown too. */
#include <string.h>

#include "base/text.h"
#include "cli/table.h"

static char *machine(const struct cli *cli, const json_t *row)
{
    return machine_cell(cli, row_string(row, "id"), "");
}

/* The server sorts its keys, and jansson keeps their order. */
static char *metadata(const struct cli *cli, const json_t *row)
{
    autotext text = { 0 };
    const char *key = NULL;
    json_t *value = NULL;
    (void)cli;
    json_object_foreach(json_object_get(row, "metadata"), key, value)
        text_addf(&text, "%s%s=%s", text.length ? "," : "", key, json_string_value(value));
    return text_take(&text);
}

/* One word, for awk's sake. */
static char *state(const struct cli *cli, const json_t *row)
{
    const char *word = row_string(row, "state");
    (void)cli;
    return strdup(text_equal(word, "not ready") ? "not-ready" : word);
}

static char *units(const struct cli *cli, const json_t *row)
{
    (void)cli;
    return text_format("%" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(row, "units")));
}

int verb_list_machines(struct cli *cli)
{
    static const struct field fields[] = {
        {"machine",   machine },
        { "ip",       NULL    },
        { "metadata", metadata},
        { "state",    state   },
        { "name",     NULL    },
        { "units",    units   },
        { "reason",   NULL    },
        { NULL,       NULL    },
    };
    return list_print(cli, "/v1/machines", "machines", NULL, fields, "machine,ip,metadata,state");
}
