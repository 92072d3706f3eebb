/* SPDX-License-Identifier: Apache-2.0 */
/* The value and its JSON; container_read.c and its neighbours fill it from a unit file. */
#include "units/container.h"

#include <errno.h>
#include <string.h>

#include "base/shape.h"
#include "base/text.h"
#include "units/container_value.h"

const char *const container_pull_words[] = { NULL, "missing", "always", "never", "newer", NULL };
const char *const container_mount_words[] = { NULL,     "bind",  "volume", "tmpfs", "ramfs",
                                              "devpts", "image", "glob",   NULL };
const char *const container_network_words[] = {
    NULL, "none", "host", "bridge", "unit", "path", NULL
};
const char *const container_cgroups_words[] = { NULL, "split", "enabled", NULL };
const char *const container_userns_words[] = { NULL, "host", "auto", "keep-id", "map", NULL };
const char *const container_notify_words[] = { NULL, "no", "yes", "healthy", NULL };
const char *const container_on_failure_words[] = { NULL, "none", "kill", "restart", "stop", NULL };
const char *const container_log_words[] = { NULL, "journald", "none", "passthrough", NULL };
const char *const container_secret_words[] = { NULL, "mount", "env", NULL };
const char *const container_auto_update_words[] = { NULL, "no", "registry", "local", NULL };

#define STRING(type, member, json) SHAPE_STRING(struct container_##type, member, json)
#define STRV(type, member, json)   SHAPE_STRV(struct container_##type, member, json)
#define INT(type, member, json)    SHAPE_INT(struct container_##type, member, json)
#define BOOL(type, member, json)   SHAPE_BOOL(struct container_##type, member, json)

static const struct shape_field mount_fields[] = {
    SHAPE_WORD(struct container_mount, type, "type", container_mount_words),
    STRING(mount, source, "source"),
    STRING(mount, destination, "destination"),
    STRV(mount, options, "options"),
    BOOL(mount, read_only, "readOnly"),
    BOOL(mount, chown, "chown"),
    BOOL(mount, overlay, "overlay"),
    BOOL(mount, no_copy, "noCopy"),
    BOOL(mount, idmap, "idmap"),
    STRING(mount, subpath, "subpath"),
    SHAPE_END,
};
static const struct shape mount_shape = { sizeof(struct container_mount), mount_fields };

static const struct shape_field port_fields[] = {
    STRING(port, host_ip, "hostIp"),
    INT(port, host_port, "hostPort"),
    INT(port, container_port, "containerPort"),
    INT(port, count, "count"),
    STRING(port, protocol, "protocol"),
    SHAPE_END,
};
static const struct shape port_shape = { sizeof(struct container_port), port_fields };

static const struct shape_field network_fields[] = {
    STRING(network, name, "name"),
    STRV(network, options, "options"),
    SHAPE_END,
};
static const struct shape network_shape = { sizeof(struct container_network), network_fields };

static const struct shape_field secret_fields[] = {
    STRING(secret, name, "name"),
    SHAPE_WORD(struct container_secret, type, "type", container_secret_words),
    STRING(secret, target, "target"),
    INT(secret, uid, "uid"),
    INT(secret, gid, "gid"),
    INT(secret, mode, "mode"),
    SHAPE_END,
};
static const struct shape secret_shape = { sizeof(struct container_secret), secret_fields };

static const struct shape_field device_fields[] = {
    STRING(device, host, "host"),
    STRING(device, inside, "inside"),
    STRING(device, permissions, "permissions"),
    BOOL(device, optional, "optional"),
    SHAPE_END,
};
static const struct shape device_shape = { sizeof(struct container_device), device_fields };

static const struct shape_field ulimit_fields[] = {
    STRING(ulimit, name, "name"),
    INT(ulimit, soft, "soft"),
    INT(ulimit, hard, "hard"),
    SHAPE_END,
};
static const struct shape ulimit_shape = { sizeof(struct container_ulimit), ulimit_fields };

static const struct shape_field id_map_fields[] = {
    INT(id_map, inside, "inside"),
    INT(id_map, host, "host"),
    INT(id_map, count, "count"),
    SHAPE_END,
};
static const struct shape id_map_shape = { sizeof(struct container_id_map), id_map_fields };

#undef STRING
#undef STRV
#undef INT
#undef BOOL
#define STRING(member, json) SHAPE_STRING(struct container, member, json)
#define STRV(member, json)   SHAPE_STRV(struct container, member, json)
#define INT(member, json)    SHAPE_INT(struct container, member, json)
#define BOOL(member, json)   SHAPE_BOOL(struct container, member, json)
#define WORD(member, json, list) \
    SHAPE_WORD(struct container, member, json, container_##list##_words)
#define LIST(member, count, json, of) SHAPE_LIST(struct container, member, count, json, &of##_shape)

static const struct shape_field container_fields[] = {
    BOOL(is_pod, "isPod"),
    STRING(pod, "pod"),
    BOOL(starts_without_pod, "startsWithoutPod"),
    STRING(image, "image"),
    STRING(rootfs, "rootfs"),
    BOOL(rootfs_overlay, "rootfsOverlay"),
    WORD(pull, "pull", pull),
    INT(pull_retries, "pullRetries"),
    INT(pull_retry_delay_ms, "pullRetryDelayMs"),
    WORD(auto_update, "autoUpdate", auto_update),
    STRING(name, "name"),
    STRV(entrypoint, "entrypoint"),
    STRV(exec, "exec"),
    STRV(environment, "environment"),
    BOOL(oneshot, "oneshot"),
    STRV(environment_names, "environmentNames"),
    STRV(environment_files, "environmentFiles"),
    BOOL(environment_host, "environmentHost"),
    BOOL(no_http_proxy, "noHttpProxy"),
    STRING(working_directory, "workingDirectory"),
    STRING(user, "user"),
    STRV(groups, "groups"),
    BOOL(run_init, "runInit"),
    STRING(timezone, "timezone"),
    STRING(host_name, "hostName"),
    LIST(ulimits, ulimit_count, "ulimits", ulimit),
    STRV(sysctls, "sysctls"),
    WORD(notify, "notify", notify),
    WORD(log, "log", log),
    STRV(labels, "labels"),
    STRV(annotations, "annotations"),
    BOOL(privileged, "privileged"),
    BOOL(no_new_privileges, "noNewPrivileges"),
    STRV(add_capabilities, "addCapabilities"),
    STRV(drop_capabilities, "dropCapabilities"),
    STRING(seccomp_profile, "seccompProfile"),
    STRING(apparmor, "apparmor"),
    STRV(mask, "mask"),
    STRV(unmask, "unmask"),
    LIST(devices, device_count, "devices", device),
    BOOL(host_ipc, "hostIpc"),
    BOOL(host_pid, "hostPid"),
    BOOL(host_uts, "hostUts"),
    BOOL(read_only, "readOnly"),
    BOOL(no_read_only_tmpfs, "noReadOnlyTmpfs"),
    BOOL(volatile_tmp, "volatileTmp"),
    INT(shm_bytes, "shmBytes"),
    LIST(mounts, mount_count, "mounts", mount),
    LIST(secrets, secret_count, "secrets", secret),
    WORD(userns, "userns", userns),
    INT(userns_size, "usernsSize"),
    INT(keep_uid, "keepUid"),
    INT(keep_gid, "keepGid"),
    STRING(sub_uid, "subUid"),
    STRING(sub_gid, "subGid"),
    LIST(uid_maps, uid_map_count, "uidMaps", id_map),
    LIST(gid_maps, gid_map_count, "gidMaps", id_map),
    WORD(network, "network", network),
    STRING(network_target, "networkTarget"),
    LIST(networks, network_count, "networks", network),
    STRV(network_aliases, "networkAliases"),
    STRING(ip, "ip"),
    STRING(ip6, "ip6"),
    STRING(mac, "mac"),
    LIST(ports, port_count, "ports", port),
    STRV(dns, "dns"),
    STRV(dns_options, "dnsOptions"),
    STRV(dns_search, "dnsSearch"),
    STRV(add_hosts, "addHosts"),
    INT(memory_bytes, "memoryBytes"),
    INT(memory_swap_bytes, "memorySwapBytes"),
    INT(pids, "pids"),
    INT(cpu_permille, "cpuPermille"),
    WORD(cgroups, "cgroups", cgroups),
    STRING(slice, "slice"),
    STRING(stop_signal, "stopSignal"),
    INT(stop_seconds, "stopSeconds"),
    STRV(device_rules, "deviceRules"),
    STRV(reload_command, "reloadCommand"),
    STRING(reload_signal, "reloadSignal"),
    STRV(health.command, "healthCommand"),
    INT(health.interval_ms, "healthIntervalMs"),
    INT(health.timeout_ms, "healthTimeoutMs"),
    INT(health.start_period_ms, "healthStartPeriodMs"),
    INT(health.retries, "healthRetries"),
    WORD(health.on_failure, "healthOnFailure", on_failure),
    BOOL(health.disabled, "healthDisabled"),
    STRV(health.startup_command, "healthStartupCommand"),
    INT(health.startup_interval_ms, "healthStartupIntervalMs"),
    INT(health.startup_timeout_ms, "healthStartupTimeoutMs"),
    INT(health.startup_retries, "healthStartupRetries"),
    INT(health.startup_successes, "healthStartupSuccesses"),
    SHAPE_END,
};
static const struct shape container_shape = { sizeof(struct container), container_fields };

void container_free(struct container *container)
{
    if (!container)
        return;
    shape_clear(&container_shape, container);
    strv_free(container->warnings);
    free(container);
}

/* A list's element goes as it came: with what it owns. */
void container_clear_mounts(struct container *container, const char *key)
{
    size_t kept = 0;
    for (size_t i = 0; i < container->mount_count; i++) {
        if (strcmp(container->mounts[i].key, key) == 0)
            shape_clear(&mount_shape, &container->mounts[i]);
        else
            container->mounts[kept++] = container->mounts[i];
    }
    container->mount_count = kept;
}

static void clear_list(const struct shape *shape, void *array, size_t *count)
{
    for (size_t i = 0; i < *count; i++)
        shape_clear(shape, (char *)array + i * shape->size);
    *count = 0;
}

const struct container_mount *container_mount_at(const struct container *container,
                                                 const char *destination)
{
    for (size_t i = 0; i < container->mount_count; i++)
        if (strcmp(container->mounts[i].destination, destination) == 0)
            return &container->mounts[i];
    return NULL;
}

void container_drop_mounts(struct container *container)
{
    clear_list(&mount_shape, container->mounts, &container->mount_count);
}

void container_clear_ports(struct container *container)
{
    clear_list(&port_shape, container->ports, &container->port_count);
}

void container_clear_networks(struct container *container)
{
    clear_list(&network_shape, container->networks, &container->network_count);
}

void container_clear_devices(struct container *container)
{
    clear_list(&device_shape, container->devices, &container->device_count);
}

void container_clear_secrets(struct container *container)
{
    clear_list(&secret_shape, container->secrets, &container->secret_count);
}

void container_clear_ulimits(struct container *container)
{
    clear_list(&ulimit_shape, container->ulimits, &container->ulimit_count);
}

void container_set_defaults(struct container *c)
{
    if (c->pull == CONTAINER_PULL_INVALID)
        c->pull = CONTAINER_PULL_MISSING;
    if (c->auto_update == CONTAINER_AUTO_UPDATE_INVALID)
        c->auto_update = CONTAINER_AUTO_UPDATE_NO;
    if (c->notify == CONTAINER_NOTIFY_INVALID)
        c->notify = CONTAINER_NOTIFY_NO;
    if (c->log == CONTAINER_LOG_INVALID)
        c->log = CONTAINER_LOG_JOURNALD;
    if (c->userns == CONTAINER_USERNS_INVALID)
        c->userns = CONTAINER_USERNS_HOST;
    if (c->cgroups == CONTAINER_CGROUPS_INVALID)
        c->cgroups = CONTAINER_CGROUPS_SPLIT;
    if (c->health.on_failure == CONTAINER_ON_FAILURE_INVALID)
        c->health.on_failure = CONTAINER_ON_FAILURE_NONE;
}

int container_use_bridge(struct container *c, struct error *err)
{
    struct container_network *network =
        shape_list_add(&c->networks, &c->network_count, sizeof(*network));
    if (network)
        network->name = strdup("bridge");
    if (!network || !network->name)
        return error_oom(err);
    c->network = CONTAINER_NETWORK_BRIDGE;
    return 0;
}

int container_to_json(const struct container *container, json_t **ret, struct error *err)
{
    return shape_to_json(&container_shape, container, ret, err);
}

/* What muster-container could not work without. */
static int check_whole(const struct container *container, struct error *err)
{
    if (!container->image && !container->rootfs && !container->is_pod)
        return error_set(err, -EPROTO, "neither field \"image\" nor \"rootfs\"");
    if (!container->host_name)
        return error_set(err, -EPROTO, "field \"hostName\" is missing");
    for (size_t i = 0; i < container->mount_count; i++)
        if (!container->mounts[i].type || !container->mounts[i].destination)
            return error_set(err, -EPROTO, "field \"mounts\" item %zu has no type or destination",
                             i);
    return 0;
}

int container_from_json(const json_t *json, struct container **ret, struct error *err)
{
    autoptr(container) container = calloc(1, sizeof(*container));
    if (!container)
        return error_oom(err);
    int r = shape_from_json(&container_shape, json, container, err);
    if (r == 0)
        r = check_whole(container, err);
    if (r < 0)
        return r;
    container_set_defaults(container);
    *ret = take_ptr(container);
    return 0;
}
