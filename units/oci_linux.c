/* SPDX-License-Identifier: Apache-2.0 */
/* What a container is kept from, and what it may: namespaces, masks, capabilities, devices. */
#include <errno.h>
#include <fnmatch.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "units/capabilities.h"
#include "units/oci_parts.h"

/* Of /proc and /sys, what tells about the host or reaches it. */
static const char *const masked_paths[] = {
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
    "/sys/fs/selinux",
    NULL,
};

static const char *const readonly_paths[] = {
    "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", NULL,
};

/* --- capabilities --- */

static bool says_all(char *const *list)
{
    return list && strv_contains(list, "ALL");
}

static int add_unless(char ***list, const char *name, char *const *except, struct error *err)
{
    if (strv_contains(*list, name) || (except && strv_contains(except, name)))
        return 0;
    return strv_add(list, name, err);
}

/* The base is everything where all is added, nothing where all is dropped, else the default; then
 * what is added by name, less what is dropped by name. As Podman has it. */
int oci_capabilities(const struct container *container, char ***ret, struct error *err)
{
    static const char *const nothing[] = { NULL };
    const char *const *base = capabilities_default;
    autostrv list = NULL;
    if (says_all(container->drop_capabilities))
        base = nothing;
    if (container->privileged || says_all(container->add_capabilities))
        base = capabilities_all;
    int r = 0;
    for (; r == 0 && *base; base++)
        r = add_unless(&list, *base, container->drop_capabilities, err);
    for (char **name = container->add_capabilities; r == 0 && name && *name; name++)
        if (strcmp(*name, "ALL") != 0)
            r = add_unless(&list, *name, container->drop_capabilities, err);
    if (r == 0 && !list && !(list = calloc(1, sizeof(*list))))
        return error_oom(err);
    if (r < 0)
        return r;
    *ret = take_ptr(list);
    return 0;
}

/* Root has them all. Others have none, whatever they execute, but those that the unit adds, which
 * they keep when they execute something. */
int oci_process_capabilities(const struct oci_input *input, json_t **ret, struct error *err)
{
    const struct container *container = input->container;
    bool is_root = !input->user || input->user->uid == 0;
    autostrv list = NULL;
    autostrv added = NULL;
    int r = oci_capabilities(container, &list, err);
    for (char **name = list; r == 0 && *name; name++)
        if (says_all(container->add_capabilities) ||
            (container->add_capabilities && strv_contains(container->add_capabilities, *name)))
            r = strv_add(&added, *name, err);
    if (r < 0)
        return r;
    char *const *effective = is_root ? list : added;
    char *const *kept = is_root ? NULL : added;
    *ret = json_pack("{s:o, s:o, s:o, s:o, s:o}", "bounding", json_from_strv(list), "effective",
                     json_from_strv(effective), "permitted", json_from_strv(effective),
                     "inheritable", json_from_strv(kept), "ambient", json_from_strv(kept));
    return *ret ? 0 : error_oom(err);
}

/* --- namespaces --- */

static int add_namespace(json_t *namespaces, const char *type, const char *path, struct error *err)
{
    json_t *value = json_pack("{s:s, s:s*}", "type", type, "path", path);
    return json_array_append_new(namespaces, value) < 0 ? error_oom(err) : 0;
}

static int namespaces_build(const struct oci_input *input, json_t **ret, struct error *err)
{
    const struct container *container = input->container;
    const struct {
        const char *type;
        bool own;
        const char *path;
    } wanted[] = {
        {"pid",      !container->host_pid,                         NULL                    },
        { "mount",   true,                                         NULL                    },
        { "uts",     !container->host_uts,                         input->uts_namespace    },
        { "ipc",     !container->host_ipc,                         input->ipc_namespace    },
        { "cgroup",  true,                                         NULL                    },
        { "network", container->network != CONTAINER_NETWORK_HOST, input->network_namespace},
        { "user",    input->uid_map_count > 0,                     input->user_namespace   },
    };
    autojson namespaces = json_array();
    int r = namespaces ? 0 : error_oom(err);
    for (size_t i = 0; r == 0 && i < sizeof(wanted) / sizeof(wanted[0]); i++)
        if (wanted[i].own)
            r = add_namespace(namespaces, wanted[i].type, wanted[i].path, err);
    if (r < 0)
        return r;
    *ret = take_ptr(namespaces);
    return 0;
}

static json_t *maps_build(const struct container_id_map *maps, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < count; i++) {
        json_t *map =
            json_pack("{s:I, s:I, s:I}", "containerID", (json_int_t)maps[i].inside, "hostID",
                      (json_int_t)maps[i].host, "size", (json_int_t)maps[i].count);
        if (json_array_append_new(list, map) < 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

/* --- masks --- */

static bool is_unmasked(const struct container *container, const char *path)
{
    if (container->privileged || says_all(container->unmask))
        return true;
    for (char **pattern = container->unmask; pattern && *pattern; pattern++)
        if (fnmatch(*pattern, path, FNM_PATHNAME) == 0)
            return true;
    return false;
}

static json_t *paths_build(const struct container *container, const char *const *paths,
                           char *const *more)
{
    autostrv kept = NULL;
    int r = 0;
    for (; r == 0 && *paths; paths++)
        if (!is_unmasked(container, *paths))
            r = strv_add(&kept, *paths, NULL);
    for (; r == 0 && more && *more; more++)
        r = strv_add(&kept, *more, NULL);
    return r < 0 ? NULL : json_from_strv(kept);
}

/* --- devices, sysctls --- */

static json_t *devices_build(const struct oci_input *input)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < input->device_count; i++) {
        const struct oci_device *device = &input->devices[i];
        const char type[] = { device->type, '\0' };
        json_t *value = json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I}", "path", device->path,
                                  "type", type, "major", (json_int_t)device->major, "minor",
                                  (json_int_t)device->minor, "fileMode", (json_int_t)device->mode,
                                  "uid", (json_int_t)device->uid, "gid", (json_int_t)device->gid);
        if (json_array_append_new(list, value) < 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *sysctls_build(const struct container *container)
{
    json_t *object = json_object();
    for (char **word = container->sysctls; object && word && *word; word++) {
        const char *equals = strchr(*word, '=');
        if (!equals || json_object_setn_new(object, *word, (size_t)(equals - *word),
                                            json_string(equals + 1)) < 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

/* Parts that would be empty are left out. */
static int set_unless_empty(json_t *object, const char *name, json_t *value, struct error *err)
{
    if (!value)
        return error_oom(err);
    if (json_array_size(value) + json_object_size(value) == 0) {
        json_decref(value);
        return 0;
    }
    return json_object_set_new(object, name, value) < 0 ? error_oom(err) : 0;
}

/* No resources: the service's cgroup holds the container and systemd the limits; the runtime would
 * fail where a controller is missing. */
int oci_linux(const struct oci_input *input, json_t **ret, struct error *err)
{
    const struct container *container = input->container;
    autojson namespaces = NULL;
    int r = namespaces_build(input, &namespaces, err);
    if (r < 0)
        return r;
    autojson of_linux = json_pack("{s:O, s:O*, s:s*}", "namespaces", namespaces, "seccomp",
                                  container->privileged ? NULL : input->seccomp, "cgroupsPath",
                                  input->cgroups_path);
    if (!of_linux)
        return error_oom(err);
    const struct {
        const char *name;
        json_t *value;
    } parts[] = {
        {"maskedPaths",  paths_build(container,      masked_paths,                           container->mask) },
        { "readonlyPaths",             paths_build(container,                        readonly_paths,                             NULL) },
        { "devices",         devices_build(input)                                 },
        { "sysctl",             sysctls_build(container)},
        { "uidMappings", maps_build(input->uid_maps, input->uid_map_count)                                  },
        { "gidMappings", maps_build(input->gid_maps, input->gid_map_count)},
    };
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        int failed = set_unless_empty(of_linux, parts[i].name, parts[i].value, err);
        r = r < 0 ? r : failed;
    }
    if (r < 0)
        return r;
    *ret = take_ptr(of_linux);
    return 0;
}
