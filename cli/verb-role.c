/* SPDX-License-Identifier: Apache-2.0 */
/* role set, role remove: how many machines do what, and which may. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "cli/table.h"

static json_t *settings_json(char *const *settings)
{
    json_t *list = json_array();
    for (; *settings; settings++)
        (void)json_array_append_new(list, json_string(*settings));
    return json_pack("{s:o}", "settings", list);
}

static int set(const struct cli *cli, const char *path)
{
    struct error err;
    autojson role = NULL;
    autojson body = settings_json(cli->args + 2);
    int r = body ? client_call(cli->client, "PUT", path, body, &role, &err) : error_oom(&err);
    if (r < 0)
        return complain(&err);
    (void)printf("Role %s wants %lld machines (at least %lld), %lld hold it, %lld could besides\n",
                 row_string(role, "role"), row_number(role, "want"), row_number(role, "min"),
                 row_number(role, "have"), row_number(role, "spare"));
    return EXIT_CODE_OK;
}

static int drop(const struct cli *cli, const char *path)
{
    struct error err;
    autojson answer = NULL;
    if (cli->args[2]) {
        (void)complain_text("role remove: one role at a time");
        return EXIT_CODE_USAGE;
    }
    if (client_call(cli->client, "DELETE", path, NULL, &answer, &err) < 0)
        return complain(&err);
    (void)printf("Role %s is removed: nobody holds it any more\n", cli->args[1]);
    return EXIT_CODE_OK;
}

int verb_role(struct cli *cli)
{
    autofree char *name = text_escape_url(cli->args[1]);
    autofree char *path = name ? text_format("/v1/roles/%s", name) : NULL;
    if (!path)
        return complain_text("out of memory");
    if (strcmp(cli->args[0], "set") == 0)
        return set(cli, path);
    if (strcmp(cli->args[0], "remove") == 0)
        return drop(cli, path);
    (void)complain_text("role: \"%s\" is neither set nor remove", cli->args[0]);
    return EXIT_CODE_USAGE;
}
