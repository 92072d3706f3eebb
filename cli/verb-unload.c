/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"
#include "base/text.h"
#include "cli/submission.h"

int verb_unload(struct cli *cli)
{
    static const struct outcome_words words = { "inactive", "inactive", "unload" };
    autostrv names = NULL;
    autojson changed = NULL;
    int code = submission_names(cli, &names);
    if (code == EXIT_CODE_OK)
        code = submission_wish(cli, names, "inactive", &changed);
    return code == EXIT_CODE_OK ? submission_wait(cli, changed, &words) : code;
}
