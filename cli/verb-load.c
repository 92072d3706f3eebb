/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/submission.h"

int verb_load(struct cli *cli)
{
    static const struct outcome_words words = { "loaded", "loaded", "load" };
    return submission_bring(cli, &words);
}
