/* SPDX-License-Identifier: Apache-2.0 */
/* muster-container: prepares, starts, enters and clears away the container of a unit. Nothing of it
 * stays while the container runs. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/log.h"
#include "container/verbs.h"

enum { EXIT_USAGE = 2 };

static const char usage[] =
    "usage: muster-container start UNIT\n"
    "       muster-container clean UNIT\n"
    "       muster-container reload UNIT\n"
    "       muster-container exec [-t|--tty] [-i|--interactive] UNIT [--] COMMAND [ARGUMENT...]\n"
    "       muster-container gc\n"
    "       muster-container digest IMAGE\n"
    "       muster-container probe [--startup] UNIT\n"
    "\n"
    "systemd runs start, clean and reload for units of muster. exec runs a command inside the "
    "unit's\n"
    "container, in a scope of its own; it gets a terminal if it is started from one.\n"
    "gc removes images that nobody uses until the others fit into images_max_size of\n"
    "/etc/muster/container.conf; each pull does so as well.\n"
    "digest asks the image's registry what its name stands for now: the digest of a manifest, or\n"
    "of an index and of each manifest in it. musterctl auto-update does.\n"
    "musterd runs probe: the container's health check, once; what a failing one said is printed.\n"
    "\n"
    "MUSTER_SECCOMP_PROFILE names another seccomp profile than\n"
    "/usr/share/containers/seccomp.json, or is \"unconfined\".\n";

static int usage_wrong(void)
{
    (void)fputs(usage, stderr);
    return EXIT_USAGE;
}

static int finish(int r, const struct error *err)
{
    if (r >= 0)
        return EXIT_SUCCESS;
    log_error("%s", err->text);
    /* The agent hands this on to whoever waits for the unit, on whatever machine he sits. */
    (void)sd_notifyf(0, "STATUS=muster-container: %s", err->text);
    return EXIT_FAILURE;
}

static int run_start(const char *unit)
{
    struct error err = { 0 };
    int status = 0;
    int r = verb_start(unit, &status, &err);
    return r < 0 ? finish(r, &err) : status;
}

/* What went wrong is for musterd, who keeps it as the reason. */
static int run_probe(int argc, char **argv)
{
    struct error err = { 0 };
    bool startup = argc == 3 && strcmp(argv[1], "--startup") == 0;
    if (argc != (startup ? 3 : 2))
        return usage_wrong();
    int r = verb_probe(argv[argc - 1], startup, &err);
    if (r == 0)
        return EXIT_SUCCESS;
    (void)puts(err.text);
    return r == -EAGAIN ? EX_TEMPFAIL : EXIT_FAILURE;
}

static int run_exec(int argc, char **argv)
{
    static const struct option options[] = {
        {"tty",          no_argument, NULL, 't'},
        { "interactive", no_argument, NULL, 'i'},
        { NULL,          0,           NULL, 0  },
    };
    /* A terminal at one end only would hang or garble: -t is for where both are. */
    struct exec_options wanted = { .tty = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) };
    int option = 0;
    while ((option = getopt_long(argc, argv, "+ti", options, NULL)) >= 0) {
        if (option == '?')
            return usage_wrong();
        if (option == 't')
            wanted.tty = true;
        /* -i is what other tools want to keep stdin open; here it always is. */
    }
    char **rest = argv + optind;
    if (!rest[0])
        return usage_wrong();
    char **command = rest[1] && strcmp(rest[1], "--") == 0 ? rest + 2 : rest + 1;
    if (!command[0])
        return usage_wrong();
    struct error err = { 0 };
    return finish(verb_exec(rest[0], &wanted, command, &err), &err);
}

int main(int argc, char **argv)
{
    struct error err = { 0 };
    const char *verb = argc > 1 ? argv[1] : "";
    log_use_stream();
    if (strcmp(verb, "--help") == 0 || strcmp(verb, "-h") == 0)
        return fputs(usage, stdout) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
    if (strcmp(verb, "exec") == 0)
        return run_exec(argc - 1, argv + 1);
    if (argc == 2 && strcmp(verb, "gc") == 0)
        return finish(verb_gc(true, &err), &err);
    if (argc == 3 && strcmp(verb, "digest") == 0)
        return finish(verb_digest(argv[2], &err), &err);
    if (strcmp(verb, "probe") == 0)
        return run_probe(argc - 1, argv + 1);
    if (argc == 3 && strcmp(verb, "start") == 0)
        return run_start(argv[2]);
    if (argc == 3 && strcmp(verb, "reload") == 0)
        return finish(verb_reload(argv[2], &err), &err);
    if (argc == 3 && strcmp(verb, "clean") == 0)
        return finish(verb_clean(argv[2], &err), &err);
    return usage_wrong();
}
