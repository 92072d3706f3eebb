/* SPDX-License-Identifier: Apache-2.0 */
/* What every verb of musterctl is given, and the list of them. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/client.h"
#include "cli/exit.h"

/* Options that not every verb takes; a verb's mask names those it does. */
enum option_bit {
    OPTION_FULL = 1 << 0,
    OPTION_NO_LEGEND = 1 << 1,
    OPTION_FIELDS = 1 << 2,
    OPTION_JSON = 1 << 3,
    OPTION_NO_BLOCK = 1 << 4,
    OPTION_BLOCK_ATTEMPTS = 1 << 5,
    OPTION_REPLACE = 1 << 6,
    OPTION_TIMEOUT = 1 << 7,
    OPTION_NO_VERIFY = 1 << 8,
    OPTION_ROLLOUT = 1 << 9,       /* --parallel, --wait */
    OPTION_ROLLOUT_BACK = 1 << 10, /* --on-failure, --to */
    OPTION_DRY_RUN = 1 << 11,
    OPTION_IF_LEADER = 1 << 12,
};
enum {
    OPTIONS_LIST = OPTION_FULL | OPTION_NO_LEGEND | OPTION_FIELDS | OPTION_JSON,
    OPTIONS_PUT = OPTION_REPLACE | OPTION_NO_VERIFY,
    OPTIONS_WAIT = OPTION_NO_BLOCK | OPTION_BLOCK_ATTEMPTS,
    OPTIONS_TURNS = OPTIONS_LIST | OPTIONS_WAIT | OPTION_TIMEOUT | OPTION_ROLLOUT,
    OPTIONS_ROLLOUT = OPTIONS_TURNS | OPTION_NO_VERIFY | OPTION_ROLLOUT_BACK,
    OPTIONS_AUTO_UPDATE = OPTIONS_TURNS | OPTION_DRY_RUN | OPTION_IF_LEADER,
};

/* An option, as help tells it. */
struct verb_option {
    unsigned int bit; /* 0: every verb takes it; some have one in common */
    const char *name; /* "--json", with what it wants "--to=VERSION", or "-l, --full" */
    const char *summary;
};

/* Ends with one without a name. */
extern const struct verb_option verb_options[];

struct cli {
    struct client *client;
    const char *fields; /* NULL: the verb's default */
    bool full;
    bool legend;
    bool json;
    bool block;
    bool replace;
    bool verify;             /* by systemd-analyze, before anything is stored */
    uint64_t block_attempts; /* of two seconds each; 0: until it is settled */
    int64_t timeout_ms;      /* 0: none */
    uint64_t parallel;       /* rollout: 0: as by default */
    bool parallel_is_percent;
    int64_t wait_ms; /* rollout: -1: as by default */
    bool roll_back;
    uint64_t to;    /* rollout undo: 0: the last good version */
    bool dry_run;   /* auto-update: only tell */
    bool if_leader; /* auto-update: the leader's machine does it, others nothing */
    char **args;    /* after the verb, ends with NULL */
};

struct verb {
    const char *name;
    const char *arguments; /* as the help shows them */
    const char *summary;
    unsigned int options;
    unsigned int min_args;
    unsigned int max_args; /* 0: as many as one likes */
    int (*run)(struct cli *cli);
    int failed; /* the one code for all that goes wrong, the command line included; 0: as exit.h
                   tells them apart */
};

/* Ends with a verb without a name. */
extern const struct verb verbs[];

/* The verb of this name, or the only one that begins so. NULL: none, or several. */
const struct verb *verb_find(const char *name);

int verb_auto_update(struct cli *cli);
int verb_brake(struct cli *cli);
int verb_rebalance(struct cli *cli);
int verb_cat(struct cli *cli);
int verb_cordon(struct cli *cli);
int verb_destroy(struct cli *cli);
int verb_drain(struct cli *cli);
int verb_exec(struct cli *cli);
int verb_help(struct cli *cli);
int verb_list_machines(struct cli *cli);
int verb_list_roles(struct cli *cli);
int verb_list_unit_files(struct cli *cli);
int verb_list_units(struct cli *cli);
int verb_load(struct cli *cli);
int verb_role(struct cli *cli);
int verb_rollout(struct cli *cli);
int verb_start(struct cli *cli);
int verb_status(struct cli *cli);
int verb_stop(struct cli *cli);
int verb_submit(struct cli *cli);
int verb_uncordon(struct cli *cli);
int verb_unload(struct cli *cli);
int verb_version(struct cli *cli);
int verb_plan(struct cli *cli);
int verb_why(struct cli *cli);

/* "musterctl: " and the sentence, on stderr; returns EXIT_CODE_FAILED. */
int complain(const struct error *err);
int complain_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
