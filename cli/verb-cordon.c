/* SPDX-License-Identifier: Apache-2.0 */
/* cordon, uncordon: whether newcomers may come to a machine. */
#include <stdio.h>
#include <string.h>

#include "cli/machine.h"
#include "cli/table.h"

static int cordon_one(const struct cli *cli, const char *word)
{
    autojson machine = NULL;
    struct error err;
    int r = machine_call(cli, "PUT", word, "/cordon", NULL, &machine, &err);
    if (r < 0)
        return complain(&err);
    (void)printf("Machine %.8s (%s) is cordoned: its %lld units stay, no others come\n",
                 row_string(machine, "id"), row_string(machine, "name"), machine_units(machine));
    return EXIT_CODE_OK;
}

static int uncordon_one(const struct cli *cli, const char *word)
{
    autojson machine = NULL;
    struct error err;
    int r = machine_call(cli, "DELETE", word, "/cordon", NULL, &machine, &err);
    if (r < 0)
        return complain(&err);
    (void)printf("Machine %.8s (%s) takes units again\n", row_string(machine, "id"),
                 row_string(machine, "name"));
    return EXIT_CODE_OK;
}

static int for_each(const struct cli *cli, int (*one)(const struct cli *cli, const char *word))
{
    int code = EXIT_CODE_OK;
    for (size_t i = 0; cli->args[i]; i++) {
        int r = one(cli, cli->args[i]);
        code = r > code ? r : code;
    }
    return code;
}

int verb_cordon(struct cli *cli)
{
    return for_each(cli, cordon_one);
}

int verb_uncordon(struct cli *cli)
{
    return for_each(cli, uncordon_one);
}
