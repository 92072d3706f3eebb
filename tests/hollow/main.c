/* SPDX-License-Identifier: Apache-2.0 */
/*
 * muster-hollow drive URL DIRECTORY MACHINES UNITS TTL_S IDLE_S ROUNDS
 *
 * A cluster of MACHINES with hollow systemds and UNITS, and a leader in a process of its own, on
 * the etcd at URL, which must have no cluster yet. DIRECTORY is empty, and best in memory. Prints
 * figures, a line each: NAME VALUE UNIT. Fails if a unit runs twice, or not at all, or if an idle
 * cluster writes.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "agent/decisions.h"
#include "base/text.h"
#include "tests/hollow/drive.h"
#include "tests/hollow/processes.h"

static unsigned int number_of(const char *s)
{
    uint64_t number = 0;
    struct error err = { 0 };
    if (text_parse_u64(s, 1000000, &number, &err) < 0)
        hollow_fail("%s", err.text);
    return (unsigned int)number;
}

/* What processes.c begins: lead|follow URL DIRECTORY FIRST COUNT TTL_S. */
static int be_machines(char **argv)
{
    struct error err = { 0 };
    const struct machines_options options = { .url = argv[2],
                                              .directory = argv[3],
                                              .first = number_of(argv[4]),
                                              .count = number_of(argv[5]),
                                              .ttl_s = number_of(argv[6]),
                                              .may_lead = text_equal(argv[1], "lead") };
    if (machines_run(&options, &err) < 0)
        hollow_fail("%s", err.text);
    return EXIT_SUCCESS;
}

/* Likewise: hear URL PREFIX MACHINES. */
static int be_hearers(char **argv)
{
    struct error err = { 0 };
    const struct hearers_options options = { .url = argv[2],
                                             .prefix = argv[3],
                                             .machines = number_of(argv[4]) };
    if (hearers_run(&options, &err) < 0)
        hollow_fail("%s", err.text);
    return EXIT_SUCCESS;
}

static int play(char **argv)
{
    const struct drive_options options = { .url = argv[2],
                                           .directory = argv[3],
                                           .machines = number_of(argv[4]),
                                           .units = number_of(argv[5]),
                                           .ttl_s = number_of(argv[6]),
                                           .idle_s = number_of(argv[7]),
                                           .rounds = number_of(argv[8]) };
    if (options.machines == 0 || options.machines % DRIVE_GROUPS)
        hollow_fail("MACHINES is a multiple of %d", DRIVE_GROUPS);
    if (options.units <= DECISIONS_TOLD_MAX)
        hollow_fail("UNITS is more than %d, since a leader tells only then how long it wrote",
                    DECISIONS_TOLD_MAX);
    if (options.rounds == 0 || options.rounds > DRIVE_ROUNDS_MAX)
        hollow_fail("ROUNDS is from 1 to %d", DRIVE_ROUNDS_MAX);
    drive(&options);
    return EXIT_SUCCESS;
}

/* Each watch has a connection of its own. */
static void allow_files(void)
{
    struct rlimit files = { 0 };
    (void)getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    (void)signal(SIGPIPE, SIG_IGN);
    allow_files();
    if (text_equal(what, "drive") && argc == 9)
        return play(argv);
    if ((text_equal(what, "lead") || text_equal(what, "follow")) && argc == 7)
        return be_machines(argv);
    if (text_equal(what, "hear") && argc == 5)
        return be_hearers(argv);
    hollow_fail("arguments: drive URL DIRECTORY MACHINES UNITS TTL_S IDLE_S ROUNDS");
}
