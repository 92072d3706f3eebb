/* SPDX-License-Identifier: Apache-2.0 */
/* rollout: another text, or a restart, for the instances of a template, a few at a time. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "base/text.h"
#include "cli/follow.h"
#include "cli/rollouts.h"
#include "cli/submission.h"
#include "cli/table.h"
#include "cli/unit.h"

static int call(const struct cli *cli, const char *method, const char *unit, const json_t *body,
                json_t **ret)
{
    struct error err;
    return rollouts_call(cli, method, unit, body, ret, &err) < 0 ? complain(&err) : EXIT_CODE_OK;
}

/* --- following --- */

/* -1: it goes on. */
static int code_of(const json_t *rollout)
{
    const char *state = row_string(rollout, "state");
    if (text_equal(state, "done"))
        return EXIT_CODE_OK;
    if (text_equal(state, "paused"))
        (void)complain_text("the rollout is paused; musterctl rollout resume %s tries again, "
                            "rollout undo goes back",
                            row_string(rollout, "name"));
    return text_equal(state, "paused") || text_equal(state, "rolled-back") ? EXIT_CODE_UNIT_FAILED
                                                                           : -1;
}

static int follow(const struct cli *cli, const char *unit)
{
    autofree char *said = NULL;
    for (uint64_t looks = 0;;) {
        autojson rollout = NULL;
        int code = call(cli, "GET", unit, NULL, &rollout);
        if (code != EXIT_CODE_OK)
            return code;
        rollouts_tell(stdout, rollout, &said);
        code = code_of(rollout);
        if (code >= 0)
            return code;
        if (!follow_on(cli, &looks))
            return complain_text("it is not done yet; it goes on (musterctl rollout status %s)",
                                 unit);
    }
}

/* --- orders --- */

/* Takes body. */
static int order(const struct cli *cli, const char *unit, json_t *body)
{
    autojson input = body;
    autojson rollout = NULL;
    autofree char *said = NULL;
    if (!input)
        return complain_text("out of memory");
    int code = call(cli, "PUT", unit, input, &rollout);
    if (code != EXIT_CODE_OK)
        return code;
    if (!cli->block || text_equal(row_string(rollout, "state"), "paused")) {
        rollouts_tell(stdout, rollout, &said);
        return EXIT_CODE_OK;
    }
    return follow(cli, unit);
}

static int start(struct cli *cli)
{
    autofree char *unit = NULL;
    autofree char *text = NULL;
    int code = submission_read(cli, cli->args[1], &unit, &text);
    return code == EXIT_CODE_OK ? order(cli, unit, rollouts_order(cli, "start", text)) : code;
}

static int order_unit(struct cli *cli)
{
    autofree char *unit = NULL;
    struct error err;
    if (unit_typed_name(cli->args[1], &unit, &err) < 0)
        return complain(&err);
    return order(cli, unit, rollouts_order(cli, cli->args[0], NULL));
}

/* --- tables --- */

static char *name(const struct cli *cli, const json_t *row)
{
    (void)cli;
    return strdup(row_string(row, "name"));
}

static char *version(const struct cli *cli, const json_t *row)
{
    (void)cli;
    return text_format("%lld", row_number(row, "version"));
}

static char *changed(const struct cli *cli, const json_t *row)
{
    (void)cli;
    return text_format("%lld/%lld", row_number(row, "changed"), row_number(row, "units"));
}

static char *changing(const struct cli *cli, const json_t *row)
{
    autotext words = { 0 };
    const json_t *list = json_object_get(row, "changing");
    (void)cli;
    for (size_t i = 0; i < json_array_size(list); i++) {
        text_add(&words, i ? "," : "");
        rollouts_member_words(json_string_value(json_array_get(list, i)), &words);
    }
    return text_take(&words);
}

static char *since(const struct cli *cli, const json_t *row)
{
    char text[32];
    time_t seconds = (time_t)(row_number(row, "since_ms") / 1000);
    struct tm utc;
    (void)cli;
    if (!gmtime_r(&seconds, &utc) || !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc))
        return strdup("");
    return strdup(text);
}

static char *good(const struct cli *cli, const json_t *row)
{
    (void)cli;
    return strdup(json_is_true(json_object_get(row, "good")) ? "yes" : "no");
}

static const struct field status_fields[] = {
    {"unit",      name     },
    { "state",    NULL     },
    { "version",  version  },
    { "hash",     cell_hash},
    { "changed",  changed  },
    { "changing", changing },
    { "reason",   NULL     },
    { "since",    since    },
    { NULL,       NULL     },
};
#define STATUS_DEFAULTS "unit,state,version,hash,changed,changing,reason"

static int fetch(const struct cli *cli, json_t **ret)
{
    autofree char *unit = NULL;
    struct error err;
    if (unit_typed_name(cli->args[1], &unit, &err) < 0)
        return complain(&err);
    return call(cli, "GET", unit, NULL, ret);
}

static int show_status(struct cli *cli)
{
    autojson rollout = NULL;
    if (!cli->args[1])
        return list_print(cli, "/v1/rollouts", "rollouts", NULL, status_fields, STATUS_DEFAULTS);
    int code = fetch(cli, &rollout);
    if (code != EXIT_CODE_OK)
        return code;
    autojson rows = json_pack("[O]", rollout);
    return cli->json ? json_print(rollout) : table_print(cli, status_fields, STATUS_DEFAULTS, rows);
}

static int show_history(struct cli *cli)
{
    static const struct field fields[] = {
        {"version", version  },
        { "hash",   cell_hash},
        { "since",  since    },
        { "how",    NULL     },
        { "good",   good     },
        { NULL,     NULL     },
    };
    autojson rollout = NULL;
    int code = fetch(cli, &rollout);
    if (code != EXIT_CODE_OK)
        return code;
    const json_t *history = json_object_get(rollout, "history");
    return cli->json ? json_print(history)
                     : table_print(cli, fields, "version,hash,since,how,good", history);
}

int verb_rollout(struct cli *cli)
{
    static const struct {
        const char *word;
        bool wants_unit;
        int (*run)(struct cli *cli);
    } words[] = {
        {"start",    true,  start       },
        { "restart", true,  order_unit  },
        { "pause",   true,  order_unit  },
        { "resume",  true,  order_unit  },
        { "undo",    true,  order_unit  },
        { "history", true,  show_history},
        { "status",  false, show_status },
    };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (!text_equal(cli->args[0], words[i].word))
            continue;
        if (!words[i].wants_unit || cli->args[1])
            return words[i].run(cli);
        (void)complain_text("rollout %s: of which unit?", words[i].word);
        return EXIT_CODE_USAGE;
    }
    (void)complain_text("rollout: \"%s\" is none of start, restart, status, pause, resume, undo, "
                        "history",
                        cli->args[0]);
    return EXIT_CODE_USAGE;
}
