/* SPDX-License-Identifier: Apache-2.0 */
/* brake: what is held because too many machines are lost at once, and letting it go. */
#include <stdio.h>

#include "base/json.h"
#include "base/text.h"
#include "cli/table.h"

static int show(const json_t *brake)
{
    const json_t *held = json_object_get(brake, "held");
    const char *order = row_string(brake, "order");
    if (text_equal(order, "hold"))
        (void)printf("The brake is held by order: no unit of a lost machine is moved (musterctl "
                     "brake auto ends that)\n");
    else if (text_equal(order, "release"))
        (void)printf("The brake is being released by order\n");
    for (size_t i = 0; i < json_array_size(held); i++) {
        const json_t *row = json_array_get(held, i);
        (void)printf("%s: %s\n", row_string(row, "unit"), row_string(row, "reason"));
    }
    if (json_array_size(held) == 0)
        (void)printf("No unit is held by the brake\n");
    return EXIT_CODE_OK;
}

static bool is_order(const char *word)
{
    return text_equal(word, "release") || text_equal(word, "hold") || text_equal(word, "auto");
}

int verb_brake(struct cli *cli)
{
    const char *word = cli->args[0];
    autojson answer = NULL;
    struct error err;
    if (!word || text_equal(word, "status")) {
        int r = client_call(cli->client, "GET", "/v1/brake", NULL, &answer, &err);
        return r < 0 ? complain(&err) : show(answer);
    }
    if (!is_order(word)) {
        (void)complain_text("brake: \"%s\" is none of status, release, hold, auto", word);
        return EXIT_CODE_USAGE;
    }
    autojson body = json_pack("{s:s}", "order", word);
    int r =
        body ? client_call(cli->client, "PUT", "/v1/brake", body, &answer, &err) : error_oom(&err);
    return r < 0 ? complain(&err) : show(answer);
}
