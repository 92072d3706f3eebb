/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/unit.h"

#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "base/loop_http.h"
#include "base/text.h"
#include "units/unit_name.h"

int unit_typed_name(const char *typed, char **ret, struct error *err)
{
    const char *slash = strrchr(typed, '/'); /* a folder may be called what it likes */
    if (strpbrk(slash ? slash : typed, "*?["))
        return error_set(err, -EINVAL,
                         "\"%s\" is a pattern; name each unit, as the shell does with "
                         "NAME@{1,2}.service",
                         typed);
    autofree char *name = unit_name_mangle(typed);
    if (!name)
        return error_oom(err);
    int r = unit_name_check(name, err);
    if (r < 0)
        return error_prefix(err, r, "%s", typed);
    *ret = take_ptr(name);
    return 0;
}

int unit_fetch(const struct cli *cli, const char *typed, json_t **ret, struct error *err)
{
    autofree char *name = NULL;
    int r = unit_typed_name(typed, &name, err);
    if (r < 0)
        return r;
    autofree char *escaped = http_escape(name);
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
