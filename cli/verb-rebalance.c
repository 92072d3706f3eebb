/* SPDX-License-Identifier: Apache-2.0 */
/* rebalance: whether loads are evened out, and what that moves or would move. */
#include <stdio.h>

#include "base/json.h"
#include "base/text.h"
#include "cli/table.h"

static void show_moves(const json_t *moves, const char *word)
{
    for (size_t i = 0; i < json_array_size(moves); i++) {
        const json_t *move = json_array_get(moves, i);
        (void)printf("%s: %s %.8s", row_string(move, "unit"), word, row_string(move, "from"));
        if (*row_string(move, "to"))
            (void)printf(" for %.8s", row_string(move, "to"));
        (void)printf(": %s\n", row_string(move, "reason"));
    }
}

static int show(const json_t *answer)
{
    const char *mode = row_string(answer, "mode");
    const json_t *moving = json_object_get(answer, "moving");
    const json_t *advice = json_object_get(answer, "advice");
    if (text_equal(mode, "off"))
        (void)printf("Loads are not evened out (off)\n");
    else if (text_equal(mode, "auto"))
        (void)printf("Loads are evened out, a unit of a machine each minute (auto)\n");
    else
        (void)printf("Loads are evened out by nobody but you (advise, the default)\n");
    show_moves(moving, "leaves");
    show_moves(advice, text_equal(mode, "auto") ? "will leave" : "would leave");
    if (json_array_size(moving) + json_array_size(advice) == 0 && !text_equal(mode, "off"))
        (void)printf("No unit would gain by a move\n");
    return EXIT_CODE_OK;
}

static bool is_mode(const char *word)
{
    return text_equal(word, "off") || text_equal(word, "advise") || text_equal(word, "auto");
}

int verb_rebalance(struct cli *cli)
{
    const char *word = cli->args[0];
    autojson answer = NULL;
    struct error err;
    if (!word || text_equal(word, "status")) {
        int r = client_call(cli->client, "GET", "/v1/rebalance", NULL, &answer, &err);
        return r < 0 ? complain(&err) : show(answer);
    }
    if (!is_mode(word)) {
        (void)complain_text("rebalance: \"%s\" is none of status, off, advise, auto", word);
        return EXIT_CODE_USAGE;
    }
    autojson body = json_pack("{s:s}", "mode", word);
    int r = body ? client_call(cli->client, "PUT", "/v1/rebalance", body, &answer, &err)
                 : error_oom(&err);
    return r < 0 ? complain(&err) : show(answer);
}
