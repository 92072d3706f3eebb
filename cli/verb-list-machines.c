/* SPDX-License-Identifier: Apache-2.0 */
/* fleet's columns, and after them whether the machine is there: absent ones are shown too. */
#include <string.h>

#include "base/text.h"
#include "cli/table.h"
#include "units/amount.h"

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

/* What was promised of what may be; what a machine does not declare is without bounds. */
static const json_t *room_of(const json_t *row, const char *resource, long long *ret_promised,
                             long long *ret_capacity)
{
    const json_t *room = json_object_get(json_object_get(row, "room"), resource);
    *ret_promised = row_number(room, "promised");
    *ret_capacity = row_number(room, "capacity");
    return room;
}

static char *cpu(const struct cli *cli, const json_t *row)
{
    long long promised = 0;
    long long capacity = 0;
    (void)cli;
    if (!room_of(row, "cpu", &promised, &capacity))
        return strdup("");
    return capacity > 0
               ? text_format("%g/%g", (double)promised / CPU_MILLI, (double)capacity / CPU_MILLI)
               : text_format("%g/-", (double)promised / CPU_MILLI);
}

static char *share(long long promised, long long capacity, bool is_bounded, const char *unit)
{
    return is_bounded ? text_format("%lld%s/%lld%s", promised, unit, capacity, unit)
                      : text_format("%lld%s/-", promised, unit);
}

/* In mebibytes: what is promised rounded up, what may be rounded down. */
static char *memory(const struct cli *cli, const json_t *row)
{
    enum { MIB = 1048576 };
    long long promised = 0;
    long long capacity = 0;
    (void)cli;
    if (!room_of(row, "memory", &promised, &capacity))
        return strdup("");
    return share((promised + MIB - 1) / MIB, capacity / MIB, capacity > 0, "M");
}

static char *tasks(const struct cli *cli, const json_t *row)
{
    long long promised = 0;
    long long capacity = 0;
    (void)cli;
    if (!room_of(row, "tasks", &promised, &capacity))
        return strdup("");
    return share(promised, capacity, capacity > 0, "");
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
        { "cpu",      cpu     },
        { "memory",   memory  },
        { "tasks",    tasks   },
        { "reason",   NULL    },
        { NULL,       NULL    },
    };
    return list_print(cli, "/v1/machines", "machines", NULL, fields, "machine,ip,metadata,state");
}
