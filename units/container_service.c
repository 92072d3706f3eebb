/* SPDX-License-Identifier: Apache-2.0 */
#include "units/container_service.h"

#include <inttypes.h>
#include <stdio.h>

enum { PIDS_DEFAULT = 2048 /* Podman's */ };

/* One that the user sets himself is left out. */
static void add_default(struct text *t, const struct unit_file *file, const char *key,
                        const char *value)
{
    if (!unit_file_has_value(file, "Service", key))
        text_addf(t, "%s=%s\n", key, value);
}

static void add_number(struct text *t, const struct unit_file *file, const char *key, int64_t value)
{
    char number[sizeof("-9223372036854775808")];
    (void)snprintf(number, sizeof(number), "%" PRId64, value);
    add_default(t, file, key, value < 0 ? "infinity" : number);
}

static void add_limits(struct text *t, const struct unit_file *file, const struct container *c)
{
    if (c->memory_bytes > 0)
        add_number(t, file, "MemoryMax", c->memory_bytes);
    /* Podman counts memory and swap together, systemd each for itself. */
    if (c->memory_swap_bytes != 0)
        add_number(t, file, "MemorySwapMax",
                   c->memory_swap_bytes < 0 ? -1 : c->memory_swap_bytes - c->memory_bytes);
    add_number(t, file, "TasksMax", c->pids ? c->pids : PIDS_DEFAULT);
    if (c->cpu_permille > 0 && !unit_file_has_value(file, "Service", "CPUQuota"))
        text_addf(t, "CPUQuota=%" PRId64 ".%" PRId64 "%%\n", c->cpu_permille / 10,
                  c->cpu_permille % 10);
}

/* A path in a list of settings: a per cent sign would begin a specifier. */
static void add_escaped(struct text *t, const char *path)
{
    for (; *path; path++) {
        text_add_bytes(t, path, 1);
        if (*path == '%')
            text_add(t, "%");
    }
}

/* None but the usual ones, and those that are said. What is privileged has them all. */
static void add_devices(struct text *t, const struct unit_file *file, const struct container *c)
{
    add_default(t, file, "DevicePolicy", c->privileged ? "auto" : "closed");
    for (size_t i = 0; i < c->device_count; i++) {
        text_add(t, "DeviceAllow=");
        add_escaped(t, c->devices[i].host);
        text_addf(t, " %s\n", c->devices[i].permissions);
    }
    for (char **rule = c->device_rules; rule && *rule; rule++)
        text_addf(t, "DeviceAllow=%s\n", *rule);
}

static void add_stop(struct text *t, const struct unit_file *file, const struct container *c)
{
    add_default(t, file, "KillMode", "mixed");
    if (c->stop_signal)
        add_default(t, file, "KillSignal", c->stop_signal);
    add_number(t, file, "TimeoutStopSec", c->stop_seconds ? c->stop_seconds : 10);
}

void container_service_defaults(struct text *t, const struct unit_file *file,
                                const struct container *container)
{
    add_default(t, file, "Slice", container->slice ? container->slice : "muster.slice");
    add_stop(t, file, container);
    add_default(t, file, "OOMPolicy", "stop");
    add_limits(t, file, container);
    add_devices(t, file, container);
    if (container->log == CONTAINER_LOG_NONE) {
        add_default(t, file, "StandardOutput", "null");
        add_default(t, file, "StandardError", "null");
    }
    add_default(t, file, "SyslogIdentifier", "%N");
}

/* A secret is a credential of systemd's, which looks for it in its stores by name. */
static void add_secrets(struct text *t, const struct container *container)
{
    for (size_t i = 0; i < container->secret_count; i++)
        text_addf(t, "LoadCredential=%s\n", container->secrets[i].name);
}

void container_service_fixed(struct text *t, const struct container *container, const char *helper)
{
    text_addf(t, "Type=%s\nNotifyAccess=all\nDelegate=yes\n",
              container->oneshot ? "oneshot" : "notify");
    add_secrets(t, container);
    text_addf(t, "ExecStart=%s start %%n\n", helper);
    if (container->reload_command || container->reload_signal)
        text_addf(t, "ExecReload=%s reload %%n\n", helper);
    text_addf(t, "ExecStopPost=-%s clean %%n\n", helper);
}

void container_service_dependencies(struct text *t, const struct container *container)
{
    /* Whose network it shares has to be there first, and takes it along when it goes. */
    if (container->network == CONTAINER_NETWORK_UNIT)
        text_addf(t, "After=%s\nBindsTo=%s\n", container->network_target,
                  container->network_target);
}
