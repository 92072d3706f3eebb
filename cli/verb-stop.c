/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"
#include "base/text.h"
#include "cli/submission.h"
#include "cli/table.h"

/* fleet's rule: what is on no machine cannot be stopped, and loading it instead would surprise. */
static int check_not_inactive(const struct cli *cli, char *const *names)
{
    autojson answer = NULL;
    struct error err;
    if (client_call(cli->client, "GET", "/v1/units", NULL, &answer, &err) < 0)
        return complain(&err);
    const json_t *units = json_object_get(answer, "units");
    for (size_t i = 0; i < json_array_size(units); i++) {
        const json_t *unit = json_array_get(units, i);
        if (strv_contains(names, row_string(unit, "name")) &&
            text_equal(row_string(unit, "desired"), "inactive"))
            return complain_text("Unable to stop unit %s in state inactive",
                                 row_string(unit, "name"));
    }
    return EXIT_CODE_OK;
}

int verb_stop(struct cli *cli)
{
    static const struct outcome_words words = { "stopped", "loaded", "stop" };
    autostrv names = NULL;
    autojson changed = NULL;
    int code = submission_names(cli, &names);
    if (code == EXIT_CODE_OK)
        code = check_not_inactive(cli, names);
    if (code == EXIT_CODE_OK)
        code = submission_wish(cli, names, "loaded", &changed);
    return code == EXIT_CODE_OK ? submission_wait(cli, changed, &words) : code;
}
