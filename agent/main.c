/* SPDX-License-Identifier: Apache-2.0 */
/* musterd: one per machine. See doc/architecture.md. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>

#include "agent/agent.h"
#include "agent/config.h"
#include "base/log.h"

static const char usage[] =
    "Usage: musterd [--config FILE] [--check]\n"
    "The agent, scheduler and API of one machine of a muster cluster; run by musterd.service.\n"
    "\n"
    "  --config FILE  read FILE instead of " SYSCONFDIR "/muster/musterd.conf\n"
    "  --check        read the configuration, say what is wrong with it, and exit\n"
    "  --version      print the version and exit\n"
    "  --help         print this and exit\n";

enum {
    EXIT_USAGE = 2,
    EXIT_CONFIG = 78, /* the unit file keeps systemd from trying again */
};

struct options {
    const char *config;
    bool check;
    bool done; /* nothing is left to do: exit with success */
};

static int read_options(int argc, char **argv, struct options *ret)
{
    static const struct option known[] = {
        {"config",   required_argument, NULL, 'c'},
        { "check",   no_argument,       NULL, 'k'},
        { "version", no_argument,       NULL, 'v'},
        { "help",    no_argument,       NULL, 'h'},
        { NULL,      0,                 NULL, 0  },
    };
    for (int c = getopt_long(argc, argv, "h", known, NULL); c != -1;
         c = getopt_long(argc, argv, "h", known, NULL)) {
        switch (c) {
        case 'c':
            ret->config = optarg;
            break;
        case 'k':
            ret->check = true;
            break;
        case 'v':
            (void)puts("musterd " PACKAGE_VERSION);
            ret->done = true;
            return 0;
        case 'h':
            (void)fputs(usage, stdout);
            ret->done = true;
            return 0;
        default:
            return -1;
        }
    }
    if (optind < argc) {
        (void)fprintf(stderr, "musterd takes no arguments; did you mean musterctl %s?\n",
                      argv[optind]);
        return -1;
    }
    return 0;
}

static void on_terminate(struct loop_signal *signal, void *userdata)
{
    (void)signal;
    agent_stop(userdata);
}

static int run(const struct config *config, struct error *err)
{
    static const struct agent_world world = {
        .run = "/run/muster",
        .state = "/var/lib/muster",
        .links = "/run/systemd/system",
        .helper = PKGLIBDIR "/muster-container",
        .systemd_new = systemd_bus_new,
    };
    autoptr(loop) loop = NULL;
    autoptr(agent) agent = NULL;
    autoptr(loop_signal) terminate = NULL;
    autoptr(loop_signal) interrupt = NULL;
    int r = loop_new(&loop, err);
    if (r == 0)
        r = agent_new(loop, config, &world, &agent, err);
    if (r == 0)
        r = loop_signal_new(loop, SIGTERM, on_terminate, agent, &terminate, err);
    if (r == 0)
        r = loop_signal_new(loop, SIGINT, on_terminate, agent, &interrupt, err);
    if (r < 0)
        return r;
    (void)sd_notify(0, "READY=1");
    loop_run(loop);
    log_flush();
    return agent_exit_code(agent);
}

int main(int argc, char **argv)
{
    struct options options = { 0 };
    struct error err = { 0 };
    autoptr(config) config = NULL;
    if (read_options(argc, argv, &options) < 0)
        return EXIT_USAGE;
    if (options.done)
        return EXIT_SUCCESS;
    (void)signal(SIGPIPE, SIG_IGN);
    int r = config_read(options.config, &config, &err);
    if (r < 0) {
        log_error("musterd: %s", err.text);
        return options.check || r != -EINVAL ? EXIT_FAILURE : EXIT_CONFIG;
    }
    if (config->verbose)
        log_set_level(LOG_LEVEL_DEBUG);
    if (!options.check)
        r = run(config, &err);
    if (r < 0) {
        log_error("musterd: %s", err.text);
        return EXIT_FAILURE;
    }
    return r;
}
