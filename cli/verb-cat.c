/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/json.h"
#include "cli/unit.h"

int verb_cat(struct cli *cli)
{
    autojson unit = NULL;
    const char *text = NULL;
    struct error err;
    if (unit_fetch(cli, cli->args[0], &unit, &err) < 0 ||
        json_field_string(unit, "text", &text, &err) < 0)
        return complain(&err);
    (void)fputs(text, stdout);
    return EXIT_CODE_OK;
}
