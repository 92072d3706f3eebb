/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/json.h"
#include "cli/submission.h"
#include "cli/table.h"

static void print_change(const json_t *change)
{
    const char *machine = row_string(change, "machine");
    const char *from = row_string(change, "from");
    (void)printf("%s: %s", row_string(change, "unit"), row_string(change, "action"));
    if (*from)
        (void)printf(" %.8s ->", from);
    if (*machine)
        (void)printf(" %.8s", machine);
    (void)printf(": %s\n", row_string(change, "reason"));
}

int verb_plan(struct cli *cli)
{
    autojson answer = NULL;
    if (submission_plan(cli, &answer) != EXIT_CODE_OK)
        return EXIT_CODE_PLAN_FAILED;
    const json_t *changes = json_object_get(answer, "changes");
    for (size_t i = 0; !cli->json && i < json_array_size(changes); i++)
        print_change(json_array_get(changes, i));
    if (cli->json)
        (void)json_print(answer);
    else if (json_is_false(json_object_get(answer, "settled")))
        (void)printf("and so on: more would follow\n");
    return json_array_size(changes) > 0 ? EXIT_CODE_PLAN_CHANGES : EXIT_CODE_OK;
}
