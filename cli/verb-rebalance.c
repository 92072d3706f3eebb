/* SPDX-License-Identifier: Apache-2.0 */
/* rebalance: whether loads are evened out, and what that moves or would move. */
#include <stdio.h>

#include "base/json.h"
#include "base/text.h"
#include "cli/dial.h"
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

static void show(const json_t *answer)
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
}

int verb_rebalance(struct cli *cli)
{
    static const char *const words[] = { "off", "advise", "auto", NULL };
    static const struct dial dial = { "rebalance", "/v1/rebalance", "mode", words, show };
    return dial_run(cli, &dial);
}
