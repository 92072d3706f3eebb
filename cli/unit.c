/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/unit.h"

#include "base/file.h"
#include "base/loop_http.h"
#include "base/text.h"
#include "units/unit_name.h"

int unit_fetch(const struct cli *cli, const char *typed, json_t **ret, struct error *err)
{
    autofree char *name = unit_name_mangle(typed);
    autofree char *escaped = name ? http_escape(name) : NULL;
    autofree char *path = escaped ? text_format("/v1/units/%s", escaped) : NULL;
    if (!path)
        return error_oom(err);
    return client_call(cli->client, "GET", path, NULL, ret, err);
}

bool unit_is_local(const char *machine)
{
    autofree char *id = NULL;
    if (file_read("/etc/machine-id", 256, &id, NULL, NULL) < 0)
        return false;
    return text_equal(text_trim(id), machine);
}
