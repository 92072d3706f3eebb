/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli/cli.h"

const struct verb verbs[] = {
    {"list-machines",    "",                                                           "the machines of the cluster",                     OPTIONS_LIST,                  0, 0,        verb_list_machines,
     0                                                                                                                                                                                                                         },
    { "list-units",      "",                                                           "units and how they are, one line per machine",    OPTIONS_LIST,                  0, 0,
     verb_list_units,                                                                                                                                                                                     0                    },
    { "list-unit-files", "",                                                           "every unit that was submitted",                   OPTIONS_LIST,                  0, 0,
     verb_list_unit_files,                                                                                                                                                                                0                    },
    { "list-roles",      "",                                                           "roles and who holds them",                        OPTIONS_LIST,                  0, 0,        verb_list_roles,    0                    },
    { "submit",          "FILE|UNIT…",                                               "store units, run nothing",                        OPTIONS_PUT,                   1, 0,        verb_submit,        0                    },
    { "load",            "FILE|UNIT…",                                               "place units on machines, do not start them",
     OPTIONS_WAIT | OPTIONS_PUT,                                                                                                                                         1, 0,        verb_load,          0                    },
    { "start",           "FILE|UNIT…",                                               "place units and start them",                      OPTIONS_WAIT | OPTIONS_PUT,    1, 0,
     verb_start,                                                                                                                                                                                          0                    },
    { "stop",            "UNIT…",                                                    "stop units; they stay on their machines",         OPTIONS_WAIT,                  1, 0,        verb_stop,
     0                                                                                                                                                                                                                         },
    { "unload",          "UNIT…",                                                    "take units off their machines",                   OPTIONS_WAIT,                  1, 0,        verb_unload,        0                    },
    { "destroy",         "UNIT…",                                                    "remove units altogether",                         OPTIONS_WAIT,                  1, 0,        verb_destroy,       0                    },
    { "cat",             "UNIT",                                                       "the text of a unit",                              0,                             1, 1,        verb_cat,           0                    },
    { "status",          "UNIT…",                                                    "what the cluster and systemd know of a unit",     0,                             1, 0,        verb_status,        0                    },
    { "plan",            "FILE|UNIT…",                                               "what would be placed where, and what would move",
     OPTION_JSON | OPTIONS_PUT,                                                                                                                                          1, 0,        verb_plan,          EXIT_CODE_PLAN_FAILED},
    { "why",             "UNIT",                                                       "each machine, and why it may not run the unit",   OPTION_FULL | OPTION_JSON,     1,
     1,                                                                                                                                                                               verb_why,           0                    },
    { "exec",            "UNIT -- CMD…",                                             "run a command in a unit's container",             0,                             2, 0,        verb_exec,          0                    },
    { "cordon",          "MACHINE…",                                                 "keep newcomers away from machines",               0,                             1, 0,        verb_cordon,        0                    },
    { "uncordon",        "MACHINE…",                                                 "let them come again, and call a drain off",       0,                             1, 0,        verb_uncordon,
     0                                                                                                                                                                                                                         },
    { "drain",           "MACHINE",                                                    "empty a machine, unit by unit",                   OPTIONS_WAIT | OPTION_TIMEOUT, 1, 1,
     verb_drain,                                                                                                                                                                                          0                    },
    { "brake",           "[status|release|hold|auto]",                                 "units held since too many machines are lost",     0,                             0, 1,
     verb_brake,                                                                                                                                                                                          0                    },
    { "role",            "set|remove ROLE [KEY=VALUE…]",                             "how many machines hold a role, and which may",    0,                             2,
     0,                                                                                                                                                                               verb_role,          0                    },
    { "rebalance",       "[status|off|advise|auto]",                                   "even out loads, or tell what that would move",    0,                             0,
     1,                                                                                                                                                                               verb_rebalance,     0                    },
    { "rollout",         "start|restart|status|pause|resume|undo|history [FILE|UNIT]",
     "change or restart instances a few at a time",                                                                                       OPTIONS_ROLLOUT,               1, 2,        verb_rollout,       0                    },
    { "auto-update",     "[UNIT…]",                                                  "let images follow their tags in registries",      OPTIONS_AUTO_UPDATE,
     0,                                                                                                                                                                     UINT_MAX, verb_auto_update,   0                    },
    { "version",         "",                                                           "the version of musterctl",                        0,                             0, 0,        verb_version,       0                    },
    { "help",            "[VERB]",                                                     "this",                                            0,                             0, 1,        verb_help,          0                    },
    { NULL,              NULL,                                                         NULL,                                              0,                             0, 0,        NULL,               0                    },
};

const struct verb_option verb_options[] = {
    {0,                      "--endpoint=URL",     "musterd to ask (" CLIENT_ENDPOINT_DEFAULT ")"         },
    { OPTION_FULL,           "-l, --full",         "whole ids and hashes"                                 },
    { OPTION_NO_LEGEND,      "--no-legend",        "no headings"                                          },
    { OPTION_FIELDS,         "--fields=A,B",       "columns to show"                                      },
    { OPTION_JSON,           "--json",             "as JSON"                                              },
    { OPTION_NO_BLOCK,       "--no-block",         "do not wait until it is done"                         },
    { OPTION_BLOCK_ATTEMPTS, "--block-attempts=N", "wait N times 2 s; 0: until it is settled"             },
    { OPTION_TIMEOUT,        "--timeout=TIME",     "begin nothing more, or each must be up, by then (10m)"},
    { OPTION_REPLACE,        "--replace",          "take the local text where it differs"                 },
    { OPTION_NO_VERIFY,      "--no-verify",        "do not ask systemd-analyze first"                     },
    { OPTION_ROLLOUT,        "--parallel=N|N%",    "so many at a time (1)"                                },
    { OPTION_ROLLOUT,        "--wait=TIME",        "each is up for so long before the next (10s)"         },
    { OPTION_ROLLOUT_BACK,   "--on-failure=WORD",  "pause (the default) or rollback"                      },
    { OPTION_ROLLOUT_BACK,   "--to=VERSION",       "undo: the version to go back to"                      },
    { OPTION_DRY_RUN,        "--dry-run",          "only tell what would be updated"                      },
    { OPTION_IF_LEADER,      "--if-leader",        "do nothing where the leader is not"                   },
    { 0,                     NULL,                 NULL                                                   },
};

const struct verb *verb_find(const char *name)
{
    const struct verb *found = NULL;
    for (const struct verb *verb = verbs; verb->name; verb++) {
        if (text_equal(verb->name, name))
            return verb;
    }
    for (const struct verb *verb = verbs; verb->name; verb++) {
        if (!text_starts_with(verb->name, name))
            continue;
        if (found)
            return NULL;
        found = verb;
    }
    return found;
}

int complain(const struct error *err)
{
    (void)fprintf(stderr, "musterctl: %s\n", err->text);
    return EXIT_CODE_FAILED;
}

int complain_text(const char *format, ...)
{
    struct error err;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(err.text, sizeof(err.text), format, args);
    va_end(args);
    return complain(&err);
}
