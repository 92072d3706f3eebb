/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/hollow/machines.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/systemd_fake.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/text.h"
#include "kvclient/kv_etcd.h"

struct hollow {
    struct machine machine;
    struct config *config;
    char *run;
    char *state;
    char *links;
    struct agent_world world;
    struct agent *agent;
};

struct machines {
    struct loop *loop;
    struct kv *kv;
    struct loop_signal *terminate;
    struct hollow *all;
    unsigned int count;
};

/* What people are shown of an id are its first digits, so those differ. */
void machine_id_of(unsigned int number, char ret[MACHINE_ID_SIZE])
{
    (void)snprintf(ret, MACHINE_ID_SIZE, "%08x%024x", number + 1, number + 1);
}

static int configure(const struct machines_options *options, unsigned int number,
                     struct hollow *hollow, struct error *err)
{
    autofree char *ttl = text_format("%us", options->ttl_s);
    autofree char *socket = text_format("%s/%u/socket", options->directory, number);
    const struct {
        const char *key;
        const char *value;
    } settings[] = {
        {"etcd_servers",    options->url                        },
        { "agent_ttl",      ttl                                 },
        { "socket",         socket                              },
        { "public_ip",      "127.0.0.1"                         },
        { "disable_engine", options->may_lead ? "false" : "true"},
    };
    int r = ttl && socket ? config_new(&hollow->config, err) : error_oom(err);
    for (size_t i = 0; r == 0 && i < sizeof(settings) / sizeof(settings[0]); i++)
        r = config_set(hollow->config, settings[i].key, settings[i].value, err);
    return r;
}

static void name_machine(unsigned int number, struct machine *machine)
{
    machine_id_of(number, machine->id);
    (void)strcpy(machine->boot_id, machine->id); /* it never boots again */
    (void)snprintf(machine->name, sizeof(machine->name), "hollow%u", number);
    machine->cpu_milli = 64000;
    machine->memory_bytes = INT64_C(256) << 30;
    machine->tasks = 1000000;
}

static int start(struct machines *machines, const struct machines_options *options,
                 unsigned int number, struct hollow *hollow, struct error *err)
{
    name_machine(number, &hollow->machine);
    hollow->run = text_format("%s/%u/run", options->directory, number);
    hollow->state = text_format("%s/%u/state", options->directory, number);
    hollow->links = text_format("%s/%u/links", options->directory, number);
    if (!hollow->run || !hollow->state || !hollow->links)
        return error_oom(err);
    hollow->world = (struct agent_world){ .run = hollow->run,
                                          .state = hollow->state,
                                          .links = hollow->links,
                                          .helper = PKGLIBDIR "/muster-container",
                                          .machine = &hollow->machine,
                                          .kv = machines->kv,
                                          .systemd_new = systemd_fake_new_in_loop,
                                          .shares_process = true };
    int r = configure(options, number, hollow, err);
    return r < 0 ? r
                 : agent_new(machines->loop, hollow->config, &hollow->world, &hollow->agent, err);
}

/* One machine gives back its leadership first; many are just gone. */
static void on_terminate(struct loop_signal *signal, void *userdata)
{
    struct machines *machines = userdata;
    (void)signal;
    if (machines->count == 1)
        agent_stop(machines->all[0].agent);
    else
        loop_stop(machines->loop);
}

static void hollow_done(struct hollow *hollow)
{
    agent_free(hollow->agent);
    config_free(hollow->config);
    free(hollow->run);
    free(hollow->state);
    free(hollow->links);
}

static void machines_done(struct machines *machines)
{
    for (unsigned int i = 0; i < machines->count; i++)
        hollow_done(&machines->all[i]);
    free(machines->all);
    loop_signal_free(machines->terminate);
    kv_free(machines->kv);
    loop_free(machines->loop);
}

static int start_all(struct machines *machines, const struct machines_options *options,
                     struct error *err)
{
    char *endpoints[] = { (char *)options->url, NULL };
    const struct kv_etcd_config store = { .endpoints = endpoints,
                                          .request_timeout_ms = 5000,
                                          .max_backoff_ms = (int)options->ttl_s * 200 };
    int r = loop_new(&machines->loop, err);
    if (r == 0)
        r = loop_signal_new(machines->loop, SIGTERM, on_terminate, machines, &machines->terminate,
                            err);
    if (r == 0)
        r = kv_etcd_new(machines->loop, &store, &machines->kv, err);
    machines->all = calloc(options->count, sizeof(*machines->all));
    if (r == 0 && !machines->all)
        r = error_oom(err);
    for (; r == 0 && machines->count < options->count; machines->count++)
        r = start(machines, options, options->first + machines->count,
                  &machines->all[machines->count], err);
    return r;
}

int machines_run(const struct machines_options *options, struct error *err)
{
    struct machines machines = { 0 };
    log_set_level(options->may_lead ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING);
    int r = start_all(&machines, options, err);
    if (r == 0)
        loop_run(machines.loop);
    machines_done(&machines);
    return r;
}
