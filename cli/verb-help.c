/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli/cli.h"

static const struct {
    unsigned int bit; /* 0: every verb takes it */
    const char *name;
    const char *summary;
} options[] = {
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
    { OPTION_ROLLOUT,        "--on-failure=WORD",  "pause (the default) or rollback"                      },
    { OPTION_ROLLOUT,        "--to=VERSION",       "undo: the version to go back to"                      },
};

static void print_options(unsigned int mask)
{
    (void)puts("\nOPTIONS:");
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        if (!options[i].bit || (options[i].bit & mask))
            (void)printf("  %-20s  %s\n", options[i].name, options[i].summary);
    }
}

static void help_verb(const struct verb *verb)
{
    (void)printf("NAME:\n  %s - %s\n\nUSAGE:\n  musterctl %s%s %s\n", verb->name, verb->summary,
                 verb->name, verb->options ? " [OPTIONS]" : "", verb->arguments);
    print_options(verb->options);
}

static void help_all(void)
{
    (void)puts("NAME:\n  musterctl - the command line of muster\n\nUSAGE:\n"
               "  musterctl [--endpoint=URL] VERB [OPTIONS] [ARGUMENTS]\n\nVERSION:\n"
               "  " PACKAGE_VERSION "\n\nCOMMANDS:");
    for (const struct verb *verb = verbs; verb->name; verb++)
        (void)printf("  %-16s  %s\n", verb->name, verb->summary);
    (void)puts("\nVerbs may be cut short (list-m), musterctl help VERB says more.\n"
               "MUSTERCTL_ENDPOINT in the environment is the default of --endpoint.");
    print_options(~0U);
}

/* "help", "help VERB" and "VERB --help" all come here. */
int verb_help(struct cli *cli)
{
    const char *word = cli->args[0];
    const struct verb *verb = word ? verb_find(word) : NULL;
    if (word && !verb) {
        (void)complain_text("unknown verb \"%s\"", word);
        return EXIT_CODE_USAGE;
    }
    if (verb && verb->run != verb_help)
        help_verb(verb);
    else
        help_all();
    return EXIT_CODE_OK;
}
