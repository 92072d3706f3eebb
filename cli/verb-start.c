/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"
#include "base/text.h"
#include "cli/submission.h"

int verb_start(struct cli *cli)
{
    static const struct outcome_words words = { "launched", "launched", "start" };
    autostrv names = NULL;
    autojson changed = NULL;
    int code = submission_put(cli, "launched", &names);
    if (code == EXIT_CODE_OK)
        code = submission_wish(cli, names, "launched", &changed);
    if (code == EXIT_CODE_OK)
        code = submission_wait(cli, changed, &words);
    return code;
}
