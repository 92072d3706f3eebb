/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/machine.h"

#include "base/text.h"

int machine_call(const struct cli *cli, const char *method, const char *word, const char *what,
                 const json_t *body, json_t **ret, struct error *err)
{
    autofree char *escaped = text_escape_url(word);
    autofree char *path = escaped ? text_format("/v1/machines/%s%s", escaped, what) : NULL;
    return path ? client_call(cli->client, method, path, body, ret, err) : error_oom(err);
}

long long machine_units(const json_t *machine)
{
    return json_integer_value(json_object_get(machine, "units"));
}
