/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"
#include "base/text.h"
#include "cli/submission.h"

static int destroy_one(const struct cli *cli, const char *name)
{
    static const struct outcome_words words = { "gone", "gone", "destroy" };
    autofree char *escaped = text_escape_url(name);
    autofree char *path = text_format("/v1/units/%s", escaped ? escaped : name);
    autojson answer = NULL;
    struct error err;
    int r = path ? client_call(cli->client, "DELETE", path, NULL, &answer, &err) : error_oom(&err);
    if (r < 0)
        return complain(&err);
    return submission_wait(cli, json_object_get(answer, "units"), &words);
}

/* One by one: an unknown name among many must not keep the others. */
int verb_destroy(struct cli *cli)
{
    autostrv names = NULL;
    int code = submission_names(cli, &names);
    for (size_t i = 0; names && names[i]; i++) {
        int one = destroy_one(cli, names[i]);
        code = one > code ? one : code;
    }
    return code;
}
