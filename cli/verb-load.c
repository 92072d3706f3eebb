/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"
#include "base/text.h"
#include "cli/submission.h"

int verb_load(struct cli *cli)
{
    static const struct outcome_words words = { "loaded", "loaded", "load" };
    autostrv names = NULL;
    autojson changed = NULL;
    int code = submission_put(cli, "loaded", &names);
    if (code == EXIT_CODE_OK)
        code = submission_wish(cli, names, "loaded", &changed);
    if (code == EXIT_CODE_OK)
        code = submission_wait(cli, changed, &words);
    return code;
}
