/* SPDX-License-Identifier: Apache-2.0 */
/* [Container] of a unit file, key by key; the keys are in the tables of container_*_keys.c. */
#include "units/container.h"

#include <errno.h>
#include <string.h>

#include "base/shape.h"
#include "base/text.h"
#include "units/container_take.h"
#include "units/container_value.h"
#include "units/unit_file.h"

static const struct container_key *const tables[] = {
    container_process_keys, container_file_keys,   container_network_keys, container_limit_keys,
    container_user_keys,    container_health_keys, container_podman_keys,  container_pod_keys,
};
enum { TABLE_COUNT = sizeof(tables) / sizeof(tables[0]), KEYS_MAX = 160 };

/* Taken so that files of Podman's run unchanged; the reason is what the user is told. */
static const struct {
    const char *key;
    const char *reason;
} idle_keys[] = {
    {"ContainersConfModule",   "there is no containers.conf here"                        },
    { "ExposeHostPort",        "it opens nothing; PublishPort= does"                     },
    { "HealthLogDestination",  "results of checks go to the unit's state and the journal"},
    { "HealthMaxLogCount",     "results of checks go to the unit's state and the journal"},
    { "HealthMaxLogSize",      "results of checks go to the unit's state and the journal"},
    { "LogOpt",                "the journal has no options for one unit; see LogRateLimit… in "
                "systemd.exec(5)"                                         },
    { "SecurityLabelDisable",  "no SELinux label is set"                                 },
    { "SecurityLabelFileType", "no SELinux label is set"                                 },
    { "SecurityLabelLevel",    "no SELinux label is set"                                 },
    { "SecurityLabelNested",   "no SELinux label is set"                                 },
    { "SecurityLabelType",     "no SELinux label is set"                                 },
};
enum { IDLE_COUNT = sizeof(idle_keys) / sizeof(idle_keys[0]) };

static const struct {
    const char *key;
    const char *reason;
} refused_keys[] = {
    {"GlobalArgs", "there is no podman to give them to; most have a key of their own"},
};
enum { REFUSED_COUNT = sizeof(refused_keys) / sizeof(refused_keys[0]) };

static const struct container_key *find_key(const char *name)
{
    for (size_t i = 0; i < TABLE_COUNT; i++)
        for (const struct container_key *key = tables[i]; key->name; key++)
            if (strcmp(key->name, name) == 0)
                return key;
    return NULL;
}

static int unknown_key(const struct unit_option *option, struct error *err)
{
    const char *known[KEYS_MAX + 1] = { NULL };
    size_t count = 0;
    for (size_t i = 0; i < TABLE_COUNT; i++)
        for (const struct container_key *key = tables[i]; key->name && count < KEYS_MAX; key++)
            known[count++] = key->name;
    return take_unknown_key(option, known, err);
}

static int take_option(struct reading *reading, const struct unit_option *option, struct error *err)
{
    const char *name = reading->container->is_pod ? container_pod_key(option->key) : option->key;
    const struct container_key *key = name ? find_key(name) : NULL;
    if (key)
        return key->take(reading, option, (char *)reading->container + key->offset, err);
    if (reading->container->is_pod)
        return container_take_beside_pod(reading, option, err);
    for (size_t i = 0; i < IDLE_COUNT; i++)
        if (strcmp(idle_keys[i].key, option->key) == 0)
            return take_warning(reading, option, idle_keys[i].reason, err);
    for (size_t i = 0; i < REFUSED_COUNT; i++)
        if (strcmp(refused_keys[i].key, option->key) == 0)
            return error_set(err, -EINVAL, "line %u: [Container] %s= is not taken: %s",
                             option->line, option->key, refused_keys[i].reason);
    return unknown_key(option, err);
}

/* --- what the keys say together --- */

static int check_image(const struct container *c, struct error *err)
{
    if (!c->image && !c->rootfs && !c->is_pod)
        return error_set(err, -EINVAL,
                         "[Container] has neither Image= nor Rootfs=; write Image=NAME[:TAG] or "
                         "Image=oci:/PATH[:TAG]");
    if (c->image && c->rootfs)
        return error_set(err, -EINVAL, "[Container] has both Image= and Rootfs=; want one of them");
    return 0;
}

/* Addresses and ports are a bridge's. */
static int check_network(const struct container *c, struct error *err)
{
    if (c->network == CONTAINER_NETWORK_BRIDGE || c->network == CONTAINER_NETWORK_INVALID)
        return 0;
    const char *key = c->port_count        ? "PublishPort"
                      : c->ip              ? "IP"
                      : c->ip6             ? "IP6"
                      : c->network_aliases ? "NetworkAlias"
                                           : NULL;
    if (key)
        return error_set(err, -EINVAL, "[%s]: %s= needs a bridge network, not Network=%s",
                         c->is_pod ? "Pod" : "Container", key, container_network_words[c->network]);
    bool own = c->network == CONTAINER_NETWORK_NONE;
    for (char **sysctl = c->sysctls; sysctl && *sysctl; sysctl++)
        if (text_starts_with(*sysctl, "net.") && !own)
            return error_set(err, -EINVAL,
                             "[Container]: Sysctl=%s would change a network that is not the "
                             "container's own",
                             *sysctl);
    return 0;
}

static int check_rest(const struct container *c, struct error *err)
{
    if (c->reload_command && c->reload_signal)
        return error_set(err, -EINVAL, "[Container] has both ReloadCmd= and ReloadSignal=");
    if (c->notify == CONTAINER_NOTIFY_HEALTHY && c->health.disabled)
        return error_set(err, -EINVAL,
                         "[Container]: Notify=healthy waits for a check, and "
                         "HealthCmd=none says that there is none");
    if (c->health.startup_command && !c->health.command)
        return error_set(err, -EINVAL,
                         "[Container]: HealthStartupCmd= is the beginning of a "
                         "check; HealthCmd= is missing");
    if (c->memory_swap_bytes > 0 && c->memory_swap_bytes < c->memory_bytes)
        return error_set(err, -EINVAL,
                         "[Container]: --memory-swap counts memory and swap together "
                         "and is less than Memory=");
    return 0;
}

static int set_rest(struct container *c, const struct unit_file *file, const char *unit_name,
                    struct error *err)
{
    const char *type = unit_file_get(file, "Service", "Type");
    c->oneshot = type && strcmp(type, "oneshot") == 0;
    if (!c->host_name)
        c->host_name = container_default_host_name(unit_name);
    if (!c->host_name)
        return error_oom(err);
    container_set_defaults(c);
    /* What only a bridge can give is wish enough for one. */
    return c->network == CONTAINER_NETWORK_INVALID &&
                   (c->port_count || c->ip || c->ip6 || c->network_aliases)
               ? container_use_bridge(c, err)
               : 0;
}

static int settle(struct reading *reading, const struct unit_file *file, struct error *err)
{
    struct container *c = reading->container;
    int r = check_image(c, err);
    if (r == 0)
        r = container_settle_users(reading, err);
    if (r == 0)
        r = container_settle_userns(reading, err);
    if (r == 0)
        r = container_settle_pod(reading, err);
    if (r == 0)
        r = set_rest(c, file, reading->unit_name, err);
    if (r == 0)
        r = check_network(c, err);
    return r < 0 ? r : check_rest(c, err);
}

static int read_section(struct reading *reading, const struct unit_file *file, struct error *err)
{
    const char *section = reading->container->is_pod ? "Pod" : "Container";
    for (size_t i = 0; i < file->count; i++) {
        if (strcmp(file->options[i].section, section) != 0)
            continue;
        int r = take_option(reading, &file->options[i], err);
        if (r < 0)
            return r;
    }
    return settle(reading, file, err);
}

int container_read(const struct unit_file *file, const char *unit_name,
                   const struct specifier_machine *machine, struct container **ret,
                   struct error *err)
{
    bool is_container = unit_file_has_section(file, "Container");
    bool is_pod = unit_file_has_section(file, "Pod");
    if (is_container && is_pod)
        return error_set(err, -EINVAL,
                         "[Container] and [Pod] in one unit: a pod is a unit of its own, and its "
                         "containers say Pod=NAME.pod");
    if (!is_container && !is_pod) {
        *ret = NULL;
        return 0;
    }
    autoptr(container) container = calloc(1, sizeof(*container));
    if (!container)
        return error_oom(err);
    container->is_pod = is_pod;
    struct reading reading = { .container = container, .unit_name = unit_name, .machine = machine };
    int r = read_section(&reading, file, err);
    free(reading.user);
    free(reading.group);
    free(reading.remap_users);
    if (r < 0)
        return r;
    *ret = take_ptr(container);
    return 0;
}
