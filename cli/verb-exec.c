/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a command beside a unit's processes, where the unit runs. */
#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "cli/table.h"
#include "cli/unit.h"

#define HELPER PKGLIBDIR "/muster-container"

/* Does not return if all is well. */
static int run_helper(const char *unit, char **command)
{
    autostrv argv = NULL;
    struct error err;
    int r = strv_addf(&argv, &err, "%s", HELPER);
    if (r == 0)
        r = strv_add(&argv, "exec", &err);
    if (r == 0)
        r = strv_add(&argv, unit, &err);
    if (r == 0)
        r = strv_add(&argv, "--", &err);
    for (; r == 0 && *command; command++)
        r = strv_add(&argv, *command, &err);
    if (r < 0)
        return complain(&err);
    (void)execv(HELPER, argv);
    return complain_text("%s: %s", HELPER, strerror(errno));
}

/* One line that can be followed: which machine, and the command that reaches it. */
static int send_there(const struct cli *cli, const char *unit, const json_t *copy)
{
    const char *host = row_string(copy, "host");
    const char *ip = row_string(copy, "ip");
    autofree char *id = machine_cell(cli, row_string(copy, "machine"), ip);
    if (!id)
        return complain_text("out of memory");
    if (!*ip)
        return complain_text("unit %s runs on machine %s (%s); run this command there", unit,
                             *host ? host : "without a name", id);
    return complain_text("unit %s runs on machine %s (%s): ssh -t %s musterctl exec %s -- …", unit,
                         *host ? host : "without a name", id, ip, unit);
}

int verb_exec(struct cli *cli)
{
    autojson unit = NULL;
    struct error err;
    if (unit_fetch(cli, cli->args[0], &unit, &err) < 0)
        return complain(&err);
    const json_t *copies = json_object_get(unit, "copies");
    const json_t *elsewhere = NULL;
    for (size_t i = 0; i < json_array_size(copies); i++) {
        const json_t *copy = json_array_get(copies, i);
        if (!text_equal(row_string(copy, "active"), "active"))
            continue;
        if (unit_is_local(row_string(copy, "machine")))
            return run_helper(row_string(unit, "name"), cli->args + 1);
        elsewhere = copy;
    }
    if (!elsewhere)
        return complain_text("unit %s does not run anywhere (musterctl status %s)",
                             row_string(unit, "name"), row_string(unit, "name"));
    return send_there(cli, row_string(unit, "name"), elsewhere);
}
