/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/dial.h"

#include "base/json.h"
#include "base/text.h"

static bool is_word(const struct dial *dial, const char *word)
{
    for (const char *const *known = dial->words; *known; known++)
        if (text_equal(word, *known))
            return true;
    return false;
}

static int complain_of_word(const struct dial *dial, const char *word)
{
    autotext known = { 0 };
    for (const char *const *w = dial->words; *w; w++)
        text_addf(&known, ", %s", *w);
    autofree char *list = text_take(&known);
    (void)complain_text("%s: \"%s\" is none of status%s", dial->verb, word, list ? list : "");
    return EXIT_CODE_USAGE;
}

int dial_run(const struct cli *cli, const struct dial *dial)
{
    const char *word = cli->args[0];
    bool shows = !word || text_equal(word, "status");
    autojson answer = NULL;
    struct error err;
    if (!shows && !is_word(dial, word))
        return complain_of_word(dial, word);
    autojson body = shows ? NULL : json_pack("{s:s}", dial->field, word);
    int r = !shows && !body
                ? error_oom(&err)
                : client_call(cli->client, shows ? "GET" : "PUT", dial->path, body, &answer, &err);
    if (r < 0)
        return complain(&err);
    dial->show(answer);
    return EXIT_CODE_OK;
}
