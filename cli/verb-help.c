/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli/cli.h"

static void print_options(unsigned int mask)
{
    (void)puts("\nOPTIONS:");
    for (const struct verb_option *option = verb_options; option->name; option++) {
        if (!option->bit || (option->bit & mask))
            (void)printf("  %-20s  %s\n", option->name, option->summary);
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
