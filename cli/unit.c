/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/unit.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "units/quadlet.h"
#include "units/unit_escape.h"
#include "units/unit_file.h"
#include "units/unit_name.h"

/* What the file says of its service's name; NULL if it is not there, cannot be read, or says
 * nothing: whoever submits it is told the rest. */
static char *service_name_in(const char *path)
{
    autofree char *text = NULL;
    autoptr(unit_file) file = NULL;
    size_t length = 0;
    if (!path || file_read(path, UNIT_FILE_MAX_BYTES, &text, &length, NULL) < 0 ||
        unit_file_parse(text, length, &file, NULL) < 0 ||
        !unit_file_has_value(file, "Container", "ServiceName"))
        return NULL;
    return strdup(unit_file_get(file, "Container", "ServiceName"));
}

static int quadlet_typed_name(const char *typed, const char *base, char **ret, struct error *err)
{
    autofree char *template_base = unit_name_template(base);
    autofree char *template_path =
        template_base ? text_format("%.*s%s", (int)(base - typed), typed, template_base) : NULL;
    autofree char *said = service_name_in(typed);
    if (!said)
        said = service_name_in(template_path);
    return quadlet_service(base, said, ret, err);
}

/* foo@/dev/sda is no path: nobody has a folder "foo@" but by accident, and many have an instance
 * for a path. */
static int check_escaped(const char *typed, struct error *err)
{
    const char *at = strchr(typed, '@');
    bool is_instance =
        at && at[1] == '/' && (at == typed || !memchr(typed, '/', (size_t)(at - typed)));
    if (!is_instance || access(typed, F_OK) == 0)
        return 0;
    autofree char *plain = unit_escape(at + 1);
    autofree char *path = NULL;
    if (!plain)
        return error_oom(err);
    int r = unit_escape_path(at + 1, &path, err);
    if (r < 0)
        return error_prefix(err, r, "\"%s\"", typed);
    return error_set(err, -EINVAL,
                     "\"%s\": a path is escaped in a unit's name: write '%.*s@%s', or '%.*s@%s' "
                     "if the unit expects its first slash, too (see systemd-escape)",
                     typed, (int)(at - typed), typed, path, (int)(at - typed), typed, plain);
}

int unit_typed_name(const char *typed, char **ret, struct error *err)
{
    const char *slash = strrchr(typed, '/'); /* a folder may be called what it likes */
    const char *base = slash ? slash + 1 : typed;
    if (strpbrk(base, "*?["))
        return error_set(err, -EINVAL,
                         "\"%s\" is a pattern; name each unit, as the shell does with "
                         "NAME@{1,2}.service",
                         typed);
    int r = check_escaped(typed, err);
    if (r < 0)
        return r;
    if (quadlet_is_name(base))
        return quadlet_typed_name(typed, base, ret, err);
    autofree char *name = unit_name_mangle(typed);
    if (!name)
        return error_oom(err);
    r = unit_name_check(name, err);
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
    autofree char *escaped = text_escape_url(name);
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
