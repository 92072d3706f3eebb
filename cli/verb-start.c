/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/submission.h"

int verb_start(struct cli *cli)
{
    static const struct outcome_words words = { "launched", "launched", "start" };
    return submission_bring(cli, &words);
}
