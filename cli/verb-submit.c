/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"
#include "cli/submission.h"

int verb_submit(struct cli *cli)
{
    autostrv names = NULL;
    return submission_put(cli, "inactive", &names);
}
