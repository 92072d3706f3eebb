/* SPDX-License-Identifier: Apache-2.0 */
/* musterctl: options, then the verb's own file. */
#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/cli.h"

enum {
    KEY_ENDPOINT = 256,
    KEY_NO_LEGEND,
    KEY_FIELDS,
    KEY_JSON,
    KEY_NO_BLOCK,
    KEY_BLOCK_ATTEMPTS,
    KEY_REPLACE,
    KEY_TIMEOUT,
    KEY_NO_VERIFY,
    KEY_PARALLEL,
    KEY_WAIT,
    KEY_ON_FAILURE,
    KEY_TO,
    KEY_DRY_RUN,
    KEY_IF_LEADER,
    KEY_VERSION,
};

enum { VERBS_MAX = 63 }; /* that a mistyped one is compared with */

static const struct option long_options[] = {
    {"endpoint",        required_argument, NULL, KEY_ENDPOINT      },
    { "full",           no_argument,       NULL, 'l'               },
    { "no-legend",      no_argument,       NULL, KEY_NO_LEGEND     },
    { "fields",         required_argument, NULL, KEY_FIELDS        },
    { "json",           no_argument,       NULL, KEY_JSON          },
    { "no-block",       no_argument,       NULL, KEY_NO_BLOCK      },
    { "block-attempts", required_argument, NULL, KEY_BLOCK_ATTEMPTS},
    { "replace",        no_argument,       NULL, KEY_REPLACE       },
    { "timeout",        required_argument, NULL, KEY_TIMEOUT       },
    { "no-verify",      no_argument,       NULL, KEY_NO_VERIFY     },
    { "parallel",       required_argument, NULL, KEY_PARALLEL      },
    { "wait",           required_argument, NULL, KEY_WAIT          },
    { "on-failure",     required_argument, NULL, KEY_ON_FAILURE    },
    { "to",             required_argument, NULL, KEY_TO            },
    { "dry-run",        no_argument,       NULL, KEY_DRY_RUN       },
    { "if-leader",      no_argument,       NULL, KEY_IF_LEADER     },
    { "version",        no_argument,       NULL, KEY_VERSION       },
    { "help",           no_argument,       NULL, 'h'               },
    { NULL,             0,                 NULL, 0                 },
};

/* The command line as read. */
struct command {
    struct cli cli;
    const char *endpoint;
    unsigned int given; /* option_bit of those that not every verb takes */
    bool help;
    bool version;
};

static int usage_error(const char *format, const char *what)
{
    /* Each format is a literal of ours with one %s. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    (void)fprintf(stderr, format, what);
#pragma GCC diagnostic pop
    return EXIT_CODE_USAGE;
}

static int take_block_attempts(struct command *command)
{
    struct error err;
    command->given |= OPTION_BLOCK_ATTEMPTS;
    if (text_parse_u64(optarg, 1000000, &command->cli.block_attempts, &err) == 0)
        return 0;
    return usage_error("musterctl: --block-attempts: %s\n", err.text);
}

static int take_timeout(struct command *command)
{
    struct error err;
    command->given |= OPTION_TIMEOUT;
    if (text_parse_duration_ms(optarg, &command->cli.timeout_ms, &err) == 0)
        return 0;
    return usage_error("musterctl: --timeout: %s\n", err.text);
}

/* N, or N% of them. */
static int take_parallel(struct command *command)
{
    struct error err;
    autofree char *number = strdup(optarg);
    size_t length = strlen(optarg);
    bool percent = length > 0 && optarg[length - 1] == '%';
    if (!number)
        return usage_error("musterctl: --parallel: %s\n", "out of memory");
    if (percent)
        number[length - 1] = '\0';
    command->cli.parallel_is_percent = percent;
    if (text_parse_u64(number, percent ? 100 : 1000000, &command->cli.parallel, &err) < 0)
        return usage_error("musterctl: --parallel: %s\n", err.text);
    if (command->cli.parallel == 0)
        return usage_error("musterctl: --parallel: %s is nobody's turn ever\n", optarg);
    return 0;
}

static int take_on_failure(struct command *command)
{
    command->cli.roll_back = text_equal(optarg, "rollback");
    return command->cli.roll_back || text_equal(optarg, "pause")
               ? 0
               : usage_error("musterctl: --on-failure: \"%s\" is neither pause nor rollback\n",
                             optarg);
}

static int take_rollout_option(struct command *command, int key)
{
    struct error err;
    command->given |= key == KEY_ON_FAILURE || key == KEY_TO ? OPTION_ROLLOUT_BACK : OPTION_ROLLOUT;
    if (key == KEY_PARALLEL)
        return take_parallel(command);
    if (key == KEY_ON_FAILURE)
        return take_on_failure(command);
    if (key == KEY_WAIT && text_parse_duration_ms(optarg, &command->cli.wait_ms, &err) < 0)
        return usage_error("musterctl: --wait: %s\n", err.text);
    if (key == KEY_TO && text_parse_u64(optarg, 1000000000, &command->cli.to, &err) < 0)
        return usage_error("musterctl: --to: %s\n", err.text);
    return 0;
}

/* Whether it is one of those that are there or not; it is noted. */
static bool take_flag(struct command *command, int key)
{
    struct cli *cli = &command->cli;
    const struct {
        int key;
        enum option_bit bit;
        bool *ret;
        bool value;
    } flags[] = {
        {'l',            OPTION_FULL,      &cli->full,      true },
        { KEY_NO_LEGEND, OPTION_NO_LEGEND, &cli->legend,    false},
        { KEY_JSON,      OPTION_JSON,      &cli->json,      true },
        { KEY_NO_BLOCK,  OPTION_NO_BLOCK,  &cli->block,     false},
        { KEY_REPLACE,   OPTION_REPLACE,   &cli->replace,   true },
        { KEY_NO_VERIFY, OPTION_NO_VERIFY, &cli->verify,    false},
        { KEY_DRY_RUN,   OPTION_DRY_RUN,   &cli->dry_run,   true },
        { KEY_IF_LEADER, OPTION_IF_LEADER, &cli->if_leader, true },
    };
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        if (flags[i].key != key)
            continue;
        command->given |= flags[i].bit;
        *flags[i].ret = flags[i].value;
        return true;
    }
    return false;
}

static int take_option(struct command *command, int key, char *word)
{
    if (take_flag(command, key))
        return 0;
    switch (key) {
    case KEY_ENDPOINT:
        command->endpoint = optarg;
        return 0;
    case KEY_FIELDS:
        command->given |= OPTION_FIELDS;
        command->cli.fields = optarg;
        return 0;
    case KEY_BLOCK_ATTEMPTS:
        return take_block_attempts(command);
    case KEY_TIMEOUT:
        return take_timeout(command);
    case KEY_PARALLEL:
    case KEY_WAIT:
    case KEY_ON_FAILURE:
    case KEY_TO:
        return take_rollout_option(command, key);
    case KEY_VERSION:
        command->version = true;
        return 0;
    case 'h':
        command->help = true;
        return 0;
    case ':':
        return usage_error("musterctl: option %s wants a value\n", word);
    default:
        return usage_error("musterctl: unknown option %s (musterctl help lists them)\n", word);
    }
}

static bool is_command_of_exec(char *const *words, size_t count)
{
    const struct verb *verb = count == 2 ? verb_find(words[0]) : NULL;
    return verb && verb->run == verb_exec;
}

/* Options and words come in any order, until "--" or the command that exec is given: its options
 * are its own. The words are gathered at the front of argv, where getopt is done; all of them, for
 * the verb says with which code a wrong option ends. */
static int parse(int argc, char **argv, struct command *command)
{
    size_t count = 0;
    int failed = 0;
    opterr = 0;
    while (optind < argc && !is_command_of_exec(argv, count)) {
        int before = optind;
        int key = getopt_long(argc, argv, "+:lh", long_options, NULL);
        int r = key == -1 ? 0 : take_option(command, key, argv[optind - 1]);
        failed = failed ? failed : r;
        if (key == -1 && optind > before) /* "--" */
            break;
        if (key == -1)
            argv[count++] = argv[optind++];
    }
    if (optind < argc && is_command_of_exec(argv, count) && text_equal(argv[optind], "--"))
        optind++;
    while (optind < argc)
        argv[count++] = argv[optind++];
    argv[count] = NULL;
    command->cli.args = argv;
    return failed;
}

/* "--parallel or --wait": what the bit stands for. */
static void name_options(unsigned int bit, struct text *t)
{
    for (const struct verb_option *option = verb_options; option->name; option++) {
        const char *name = strstr(option->name, "--");
        if (option->bit == bit && name)
            text_addf(t, "%s%.*s", t->length ? " or " : "", (int)strcspn(name, "="), name);
    }
}

/* An option that this verb does not take must not be dropped silently. */
static int check_options(const struct verb *verb, unsigned int given)
{
    unsigned int strange = given & ~verb->options;
    autotext names = { 0 };
    if (!strange)
        return 0;
    name_options(strange & (~strange + 1), &names); /* the first of them */
    (void)fprintf(stderr, "musterctl: %s takes no %s\n", verb->name,
                  names.data ? names.data : "such option");
    return EXIT_CODE_USAGE;
}

static int check_args(const struct verb *verb, char *const *args)
{
    size_t count = strv_length(args);
    bool takes_any = verb->max_args > 0 || verb->min_args > 0;
    bool too_many = takes_any ? verb->max_args && count > verb->max_args : count > 0;
    if (count >= verb->min_args && !too_many)
        return 0;
    if (!takes_any)
        (void)fprintf(stderr, "musterctl: %s takes no arguments\n", verb->name);
    else
        (void)fprintf(stderr, "musterctl: usage: musterctl %s %s\n", verb->name, verb->arguments);
    return EXIT_CODE_USAGE;
}

static int unknown_verb(const char *word)
{
    const char *names[VERBS_MAX + 1] = { NULL };
    autotext begin = { 0 };
    for (size_t i = 0; i < VERBS_MAX && verbs[i].name; i++) {
        names[i] = verbs[i].name;
        if (text_starts_with(verbs[i].name, word))
            text_addf(&begin, "%s%s", begin.length ? ", " : "", verbs[i].name);
    }
    const char *nearest = text_nearest(word, names);
    if (begin.length)
        (void)fprintf(stderr, "musterctl: \"%s\" could be any of %s\n", word, begin.data);
    else if (nearest)
        (void)fprintf(stderr, "musterctl: unknown verb \"%s\"; did you mean %s?\n", word, nearest);
    else
        (void)fprintf(stderr, "musterctl: unknown verb \"%s\" (musterctl help lists them)\n", word);
    return EXIT_CODE_USAGE;
}

/* What went wrong, as the verb tells it. verb NULL: none was given. */
static int code_of(const struct verb *verb, int code)
{
    return verb && verb->failed ? verb->failed : code;
}

static int run(struct command *command, const struct verb *verb)
{
    const char *endpoint = command->endpoint ? command->endpoint : getenv("MUSTERCTL_ENDPOINT");
    struct error err;
    autoptr(client) client = NULL;
    if (client_new(endpoint && *endpoint ? endpoint : CLIENT_ENDPOINT_DEFAULT, &client, &err) < 0) {
        (void)complain(&err);
        return code_of(verb, err.code == -EINVAL ? EXIT_CODE_USAGE : EXIT_CODE_FAILED);
    }
    command->cli.client = client;
    int r = verb->run(&command->cli);
    if (fflush(stdout) != 0 || ferror(stdout))
        return code_of(verb, complain_text("the output cannot be written"));
    return r;
}

int main(int argc, char **argv)
{
    struct command command = {
        .cli = {.legend = true, .block = true, .verify = true, .wait_ms = -1}
    };
    /* Unit files are UTF-8 whatever the locale; without this, lists escape what is not ASCII. */
    (void)setlocale(LC_CTYPE, "C.UTF-8");
    int r = parse(argc, argv, &command);
    const char *word = command.cli.args[0];
    const struct verb *verb = word ? verb_find(word) : NULL;
    if (r)
        return code_of(verb, r);
    if (command.version)
        return verb_version(&command.cli);
    if (!word)
        return verb_help(&command.cli);
    if (!verb)
        return unknown_verb(word);
    if (command.help)
        return verb_help(&command.cli);
    command.cli.args++;
    r = check_options(verb, command.given);
    if (!r)
        r = check_args(verb, command.cli.args);
    return r ? code_of(verb, r) : run(&command, verb);
}
