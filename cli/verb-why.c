/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "cli/table.h"
#include "cli/unit.h"

static char *machine(const struct cli *cli, const json_t *row)
{
    return machine_cell(cli, row_string(row, "machine"), row_string(row, "ip"));
}

static char *units(const struct cli *cli, const json_t *row)
{
    (void)cli;
    return text_format("%" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(row, "units")));
}

static char *answer(const struct cli *cli, const json_t *row)
{
    const char *refusal = row_string(row, "refusal");
    const char *problem = row_string(row, "problem");
    autotext t = { 0 };
    (void)cli;
    if (json_is_true(json_object_get(row, "here")))
        text_addf(&t, "is here%s%s; %s", *refusal ? ", though: " : "", refusal,
                  row_string(row, "reason"));
    else if (*refusal)
        text_add(&t, refusal);
    else
        text_addf(&t, "may run here, choice %" JSON_INTEGER_FORMAT ": %s",
                  json_integer_value(json_object_get(row, "rank")), row_string(row, "score"));
    if (*problem)
        text_addf(&t, "; problem: %s", problem);
    return text_take(&t);
}

static int print(const struct cli *cli, const json_t *why)
{
    static const struct field fields[] = {
        {"machine", machine},
        { "units",  units  },
        { "answer", answer },
        { NULL,     NULL   },
    };
    const json_t *machines = json_object_get(why, "machines");
    const char *verdict = row_string(why, "verdict");
    (void)printf("%s: wished %s%s%s\n", row_string(why, "name"), row_string(why, "desired"),
                 *verdict ? "; " : "", verdict);
    if (!json_is_true(json_object_get(why, "leader")))
        (void)printf("there is no leader: nobody places units now\n");
    if (json_array_size(machines) == 0) {
        (void)printf("no machine has joined the cluster: nothing can run it\n");
        return EXIT_CODE_OK;
    }
    return table_print(cli, fields, "machine,units,answer", machines);
}

int verb_why(struct cli *cli)
{
    autofree char *name = NULL;
    struct error err;
    if (unit_typed_name(cli->args[0], &name, &err) < 0)
        return complain(&err);
    autofree char *escaped = text_escape_url(name);
    autofree char *path = escaped ? text_format("/v1/units/%s/why", escaped) : NULL;
    autojson why = NULL;
    int r = path ? client_call(cli->client, "GET", path, NULL, &why, &err) : error_oom(&err);
    if (r < 0)
        return complain(&err);
    if (!cli->json)
        return print(cli, why);
    return json_print(why);
}
