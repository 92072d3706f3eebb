/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli/cli.h"

int verb_version(struct cli *cli)
{
    (void)cli;
    (void)puts("musterctl version " PACKAGE_VERSION);
    return EXIT_CODE_OK;
}
