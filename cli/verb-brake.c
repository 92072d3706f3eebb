/* SPDX-License-Identifier: Apache-2.0 */
/* brake: what is held because too many machines are lost at once, and letting it go. */
#include <stdio.h>

#include "base/json.h"
#include "base/text.h"
#include "cli/dial.h"
#include "cli/table.h"

static void show(const json_t *brake)
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
}

int verb_brake(struct cli *cli)
{
    static const char *const words[] = { "release", "hold", "auto", NULL };
    static const struct dial dial = { "brake", "/v1/brake", "order", words, show };
    return dial_run(cli, &dial);
}
