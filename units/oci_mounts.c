/* SPDX-License-Identifier: Apache-2.0 */
/* What a container sees mounted: the kernel's file systems, files that muster brings, the unit's
 * own. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "units/container_value.h"
#include "units/oci_parts.h"

enum { OPTIONS_MAX = 8, SHM_DEFAULT_BYTES = 65536 * 1024 };

/* /run/systemd would look like a booted systemd. */
const char oci_notify_socket_inside[] = "/run/notify";
const char oci_init_inside[] = "/run/init";

struct mount {
    const char *destination;
    const char *type;
    const char *source;
    const char *options[OPTIONS_MAX];
};

static const struct mount kernel_mounts[] = {
    {"/proc",     "proc",  "proc",   { "nosuid", "noexec", "nodev" }                                 },
    { "/dev",     "tmpfs", "tmpfs",  { "nosuid", "noexec", "strictatime", "mode=755", "size=65536k" }},
    { "/dev/pts",
     "devpts",             "devpts",
     { "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5" }                    },
};
static const struct mount own_queues = {
    "/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}
};
static const struct mount host_queues = {
    "/dev/mqueue", "bind", "/dev/mqueue", {"rbind", "nosuid", "noexec", "nodev"}
};
static const struct mount host_shm = {
    "/dev/shm", "bind", "/dev/shm", {"rbind", "nosuid", "noexec", "nodev"}
};

/* A sysfs shows the network of whoever mounts it: a fresh one belongs to a fresh namespace, and
 * with the host's network the host's own is the truth. */
static const struct mount sys_of_own_network = {
    "/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", NULL}
};
static const struct mount sys_of_host_network = {
    "/sys", "bind", "/sys", {"rbind", "nosuid", "noexec", "nodev", NULL}
};
static const struct mount cgroup_mount = {
    "/sys/fs/cgroup", "cgroup", "cgroup", {"nosuid", "noexec", "nodev", "relatime", NULL}
};

json_t *oci_array_of(const char *const *list)
{
    json_t *array = json_array();
    for (; array && list && *list; list++) {
        if (json_array_append_new(array, json_string(*list)) < 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static int add_mount(json_t *mounts, const struct mount *mount, struct error *err)
{
    json_t *value =
        json_pack("{s:s, s:s, s:s, s:o}", "destination", mount->destination, "type", mount->type,
                  "source", mount->source, "options", oci_array_of(mount->options));
    return json_array_append_new(mounts, value) < 0 ? error_oom(err) : 0;
}

/* A privileged container may write what others only read. */
static int add_with_access(json_t *mounts, const struct mount *mount, bool read_only,
                           struct error *err)
{
    struct mount with_access = *mount;
    size_t i = 0;
    while (with_access.options[i])
        i++;
    with_access.options[i] = read_only ? "ro" : "rw";
    return add_mount(mounts, &with_access, err);
}

static int add_bind(json_t *mounts, const char *source, const char *destination, bool read_only,
                    struct error *err)
{
    const struct mount mount = {
        .destination = destination,
        .type = "bind",
        .source = source,
        .options = {"rbind", "rprivate", read_only ? "ro" : "rw"},
    };
    return source ? add_mount(mounts, &mount, err) : 0;
}

/* --- the kernel's --- */

static int add_shm(json_t *mounts, const struct oci_input *input, struct error *err)
{
    const struct container *container = input->container;
    const struct mount shared = {
        "/dev/shm",
        "bind",
        input->shared_memory,
        {"rbind", "rprivate", "nosuid", "noexec", "nodev", "rw"},
    };
    if (input->shared_memory)
        return add_mount(mounts, &shared, err);
    autofree char *size = text_format(
        "size=%lldk",
        (long long)((container->shm_bytes ? container->shm_bytes : SHM_DEFAULT_BYTES) / 1024));
    if (!size)
        return error_oom(err);
    const struct mount shm = {
        "/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777", size}
    };
    return add_mount(mounts, container->host_ipc ? &host_shm : &shm, err);
}

/* The network that /sys shows is the mounter's: a namespace that is joined has its own /sys too. */
static int add_kernel_mounts(json_t *mounts, const struct oci_input *input, struct error *err)
{
    const struct container *container = input->container;
    bool read_only = !container->privileged;
    const struct mount *sys =
        container->network == CONTAINER_NETWORK_HOST ? &sys_of_host_network : &sys_of_own_network;
    int r = 0;
    for (size_t i = 0; r == 0 && i < sizeof(kernel_mounts) / sizeof(kernel_mounts[0]); i++)
        r = add_mount(mounts, &kernel_mounts[i], err);
    if (r == 0)
        r = add_shm(mounts, input, err);
    if (r == 0)
        r = add_mount(mounts, container->host_ipc ? &host_queues : &own_queues, err);
    if (r == 0)
        r = add_with_access(mounts, sys, read_only, err);
    return r < 0 ? r : add_with_access(mounts, &cgroup_mount, read_only, err);
}

/* --- room to write --- */

static bool has_mount_at(const struct oci_input *input, const char *destination)
{
    for (size_t i = 0; i < input->mount_count; i++)
        if (strcmp(input->mounts[i].destination, destination) == 0)
            return true;
    return false;
}

/* What a program wants to write in although its root is read-only; the unit may put something else
 * there. */
static int add_temporary(json_t *mounts, const struct oci_input *input, struct error *err)
{
    static const char *const places[] = { "/run", "/tmp", "/var/tmp" };
    const struct container *container = input->container;
    bool all = container->read_only && !container->no_read_only_tmpfs;
    int r = 0;
    for (size_t i = 0; r == 0 && i < sizeof(places) / sizeof(places[0]); i++) {
        bool is_tmp = strcmp(places[i], "/tmp") == 0;
        const struct mount mount = {
            places[i],
            "tmpfs",
            "tmpfs",
            {"nosuid", "nodev", strcmp(places[i], "/run") == 0 ? "mode=0755" : "mode=1777"},
        };
        if ((all || (is_tmp && container->volatile_tmp)) && !has_mount_at(input, places[i]))
            r = add_mount(mounts, &mount, err);
    }
    return r;
}

/* --- the unit's own --- */

static int depth(const char *path)
{
    int slashes = 0;
    for (; *path; path++)
        slashes += path[0] == '/' && path[1] != '/' && path[1] != '\0';
    return slashes;
}

static int compare_depth(const void *a, const void *b)
{
    const struct oci_mount *const *first = a;
    const struct oci_mount *const *second = b;
    int difference = depth((*first)->destination) - depth((*second)->destination);
    if (difference != 0)
        return difference;
    return *first < *second ? -1 : *first > *second; /* as they were said */
}

/* What lies below another is mounted after it, however they were said. */
static int add_own_mounts(json_t *mounts, const struct oci_input *input, struct error *err)
{
    autofree const struct oci_mount **sorted = calloc(input->mount_count + 1, sizeof(void *));
    if (!sorted)
        return error_oom(err);
    for (size_t i = 0; i < input->mount_count; i++)
        sorted[i] = &input->mounts[i];
    qsort(sorted, input->mount_count, sizeof(void *), compare_depth);
    for (size_t i = 0; i < input->mount_count; i++) {
        const struct oci_mount *mount = sorted[i];
        json_t *value =
            json_pack("{s:s, s:s, s:s, s:o}", "destination", mount->destination, "type",
                      mount->type, "source", mount->source ? mount->source : mount->type, "options",
                      oci_array_of((const char *const *)mount->options));
        if (json_array_append_new(mounts, value) < 0)
            return error_oom(err);
    }
    return 0;
}

static bool is_bound(enum container_mount_type type)
{
    return type == CONTAINER_MOUNT_BIND || type == CONTAINER_MOUNT_VOLUME ||
           type == CONTAINER_MOUNT_IMAGE || type == CONTAINER_MOUNT_GLOB;
}

const char *oci_mount_type(enum container_mount_type type)
{
    return is_bound(type) ? "bind" : container_mount_words[type];
}

/* "slave" of "rslave" and the like, and "bind" of "rbind". */
static bool says_one_of(char *const *options, const char *const *words)
{
    for (; *words; words++)
        if (options && (strv_contains(options, *words)))
            return true;
    return false;
}

/* Propagation is private and the bind recursive unless the unit says otherwise. */
int oci_mount_options(const struct container_mount *mount, char ***ret, struct error *err)
{
    static const char *const binds[] = { "bind", "rbind", NULL };
    static const char *const propagations[] = { "shared",     "rshared",     "slave",
                                                "rslave",     "private",     "rprivate",
                                                "unbindable", "runbindable", NULL };
    autostrv options = NULL;
    int r = 0;
    if (is_bound(mount->type) && !says_one_of(mount->options, binds))
        r = strv_add(&options, "rbind", err);
    if (r == 0 && is_bound(mount->type) && !says_one_of(mount->options, propagations))
        r = strv_add(&options, "rprivate", err);
    if (r == 0)
        r = strv_add(&options, mount->read_only ? "ro" : "rw", err);
    for (char **word = mount->options; r == 0 && word && *word; word++)
        r = strv_add(&options, *word, err);
    if (r < 0)
        return r;
    *ret = take_ptr(options);
    return 0;
}

/* --- all --- */

/* A file that the unit mounts itself is the unit's. */
static int add_file(json_t *mounts, const struct oci_input *input, const char *source,
                    const char *destination, bool read_only, struct error *err)
{
    return has_mount_at(input, destination) ? 0
                                            : add_bind(mounts, source, destination, read_only, err);
}

static int add_files(json_t *mounts, const struct oci_input *input, struct error *err)
{
    const struct {
        const char *source, *destination;
        bool read_only;
    } files[] = {
        {input->resolv_conf,     "/etc/resolv.conf",       false},
        { input->hosts,          "/etc/hosts",             false},
        { input->host_name_file, "/etc/hostname",          false},
        { input->local_time,     "/etc/localtime",         true },
        { input->init,           oci_init_inside,          true },
        { input->notify_socket,  oci_notify_socket_inside, false},
    };
    int r = 0;
    for (size_t i = 0; r == 0 && i < sizeof(files) / sizeof(files[0]); i++)
        r = add_file(mounts, input, files[i].source, files[i].destination, files[i].read_only, err);
    return r;
}

int oci_mounts(const struct oci_input *input, json_t **ret, struct error *err)
{
    autojson mounts = json_array();
    if (!mounts)
        return error_oom(err);
    int r = add_kernel_mounts(mounts, input, err);
    if (r == 0)
        r = add_temporary(mounts, input, err);
    if (r == 0)
        r = add_own_mounts(mounts, input, err);
    /* After the unit's own: a tmpfs on /run must not hide what lies in it. */
    if (r == 0)
        r = add_files(mounts, input, err);
    if (r < 0)
        return r;
    *ret = take_ptr(mounts);
    return 0;
}
