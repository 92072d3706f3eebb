/* SPDX-License-Identifier: Apache-2.0 */
/* drain: empty a machine, and tell how far it is until it is. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli/follow.h"
#include "cli/machine.h"
#include "cli/table.h"

/* A line whenever there is something new to say. */
static void tell(const json_t *machine, const char *problem, long long *said_units,
                 char **said_problem)
{
    long long units = machine_units(machine);
    if (units == *said_units && text_equal(problem, *said_problem ? *said_problem : ""))
        return;
    *said_units = units;
    free(*said_problem);
    *said_problem = strdup(problem);
    (void)printf("%.8s (%s): %lld unit%s left%s%s\n", row_string(machine, "id"),
                 row_string(machine, "name"), units, units == 1 ? "" : "s", *problem ? "; " : "",
                 problem);
    (void)fflush(stdout);
}

/* -1: it goes on. */
static int code_of(const json_t *machine, const json_t *drain)
{
    const char *name = row_string(machine, "name");
    const char *state = row_string(drain, "state");
    if (!json_is_object(drain))
        return complain_text("the drain of %s was called off (musterctl uncordon)", name);
    if (text_equal(state, "drained")) {
        (void)printf("Machine %.8s (%s) is drained\n", row_string(machine, "id"), name);
        return EXIT_CODE_OK;
    }
    if (text_equal(state, "expired")) {
        (void)complain_text("the time is over, and %s still has %lld units; it stays cordoned",
                            name, machine_units(machine));
        return EXIT_CODE_UNPLACEABLE;
    }
    if (text_equal(row_string(machine, "state"), "down")) {
        (void)complain_text("%s is down: there is nothing to drain, its units are moved as those "
                            "of a lost machine",
                            name);
        return EXIT_CODE_ABSENT;
    }
    return -1;
}

static int wait_until_drained(const struct cli *cli, const char *word)
{
    long long said_units = -1;
    autofree char *said_problem = NULL;
    for (uint64_t looks = 0;;) {
        autojson machine = NULL;
        struct error err;
        if (machine_call(cli, "GET", word, "", NULL, &machine, &err) < 0)
            return complain(&err);
        const json_t *drain = json_object_get(machine, "drain");
        tell(machine, row_string(drain, "problem"), &said_units, &said_problem);
        int code = code_of(machine, drain);
        if (code >= 0)
            return code;
        if (!follow_on(cli, &looks))
            return complain_text("%s is not drained yet; it goes on (musterctl list-machines)",
                                 row_string(machine, "name"));
    }
}

int verb_drain(struct cli *cli)
{
    autojson machine = NULL;
    struct error err;
    autojson body = json_pack("{s:I}", "timeout_ms", (json_int_t)cli->timeout_ms);
    if (!body)
        return complain_text("out of memory");
    if (machine_call(cli, "PUT", cli->args[0], "/drain", body, &machine, &err) < 0)
        return complain(&err);
    (void)printf("Machine %.8s (%s) is being drained: %lld units\n", row_string(machine, "id"),
                 row_string(machine, "name"), machine_units(machine));
    (void)fflush(stdout);
    return cli->block ? wait_until_drained(cli, row_string(machine, "id")) : EXIT_CODE_OK;
}
