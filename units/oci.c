/* SPDX-License-Identifier: Apache-2.0 */
#include "units/oci.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"

enum { OPTIONS_MAX = 8 };

static const char default_path[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/* Where the notify socket appears inside; /run/systemd would look like a booted systemd. */
static const char notify_socket_inside[] = "/run/notify";

const char *const oci_default_capabilities[] = {
    "CAP_AUDIT_WRITE", "CAP_CHOWN",   "CAP_DAC_OVERRIDE",     "CAP_FOWNER",     "CAP_FSETID",
    "CAP_KILL",        "CAP_MKNOD",   "CAP_NET_BIND_SERVICE", "CAP_NET_RAW",    "CAP_SETFCAP",
    "CAP_SETGID",      "CAP_SETPCAP", "CAP_SETUID",           "CAP_SYS_CHROOT", NULL,
};

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

struct mount {
    const char *destination;
    const char *type;
    const char *source;
    const char *options[OPTIONS_MAX];
};

static const struct mount kernel_mounts[] = {
    {"/proc",        "proc",   "proc",   { "nosuid", "noexec", "nodev" }                                 },
    { "/dev",        "tmpfs",  "tmpfs",  { "nosuid", "noexec", "strictatime", "mode=755", "size=65536k" }},
    { "/dev/pts",
     "devpts",                 "devpts",
     { "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5" }                        },
    { "/dev/shm",    "tmpfs",  "shm",    { "nosuid", "noexec", "nodev", "mode=1777", "size=65536k" }     },
    { "/dev/mqueue", "mqueue", "mqueue", { "nosuid", "noexec", "nodev" }                                 },
};

/* A sysfs shows the network of whoever mounts it: a fresh one belongs to a fresh namespace, and
 * with the host's network the host's own is the truth. */
static const struct mount sys_of_own_network = {
    "/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}
};
static const struct mount sys_of_host_network = {
    "/sys", "bind", "/sys", {"rbind", "nosuid", "noexec", "nodev", "ro"}
};
static const struct mount cgroup_mount = {
    "/sys/fs/cgroup", "cgroup", "cgroup", {"nosuid", "noexec", "nodev", "relatime", "ro"}
};

/* The builders below return NULL if memory ran out, and json_pack() passes a NULL on. */

static json_t *array_of(const char *const *list)
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
                  "source", mount->source, "options", array_of(mount->options));
    return json_array_append_new(mounts, value) < 0 ? error_oom(err) : 0;
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
    return add_mount(mounts, &mount, err);
}

static int add_kernel_mounts(json_t *mounts, bool host_network, struct error *err)
{
    for (size_t i = 0; i < sizeof(kernel_mounts) / sizeof(kernel_mounts[0]); i++) {
        int r = add_mount(mounts, &kernel_mounts[i], err);
        if (r < 0)
            return r;
    }
    int r = add_mount(mounts, host_network ? &sys_of_host_network : &sys_of_own_network, err);
    return r < 0 ? r : add_mount(mounts, &cgroup_mount, err);
}

static int mounts_build(const struct oci_input *input, json_t **ret, struct error *err)
{
    const struct container *container = input->container;
    bool host_network = container->network == CONTAINER_NETWORK_HOST;
    autojson mounts = json_array();
    if (!mounts)
        return error_oom(err);
    int r = add_kernel_mounts(mounts, host_network, err);
    if (r == 0 && host_network && input->resolv_conf)
        r = add_bind(mounts, input->resolv_conf, "/etc/resolv.conf", true, err);
    if (r == 0 && input->notify_socket)
        r = add_bind(mounts, input->notify_socket, notify_socket_inside, false, err);
    for (size_t i = 0; r == 0 && i < container->mount_count; i++) {
        const struct container_mount *mount = &container->mounts[i];
        r = add_bind(mounts, mount->source, mount->destination, mount->read_only, err);
    }
    if (r < 0)
        return r;
    *ret = take_ptr(mounts);
    return 0;
}

/* A variable said again takes the place of the first: programs disagree about which of two they
 * see. */
static int environment_put(json_t *environment, const char *assignment, struct error *err)
{
    const char *equals = strchr(assignment, '=');
    if (!equals || equals == assignment)
        return error_set(err, -EINVAL, "environment: \"%s\" is not NAME=VALUE", assignment);
    size_t name_length = (size_t)(equals - assignment) + 1;
    size_t i = 0;
    const json_t *old = NULL;
    json_array_foreach(environment, i, old)
        if (strncmp(json_string_value(old), assignment, name_length) == 0)
            break;
    json_t *value = json_string(assignment);
    int r = i < json_array_size(environment) ? json_array_set_new(environment, i, value)
                                             : json_array_append_new(environment, value);
    return r < 0 ? error_oom(err) : 0;
}

static int environment_put_all(json_t *environment, const char *const *list, struct error *err)
{
    for (; list && *list; list++) {
        int r = environment_put(environment, *list, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int environment_put_named(json_t *environment, const char *name, const char *value,
                                 struct error *err)
{
    autofree char *assignment = text_format("%s=%s", name, value);
    return assignment ? environment_put(environment, assignment, err) : error_oom(err);
}

static int environment_build(const struct oci_input *input, char *const *of_image, json_t **ret,
                             struct error *err)
{
    const char *home = !input->user ? "/root" : input->user->home ? input->user->home : "/";
    autojson environment = json_array();
    if (!environment)
        return error_oom(err);
    int r = environment_put_named(environment, "PATH", default_path, err);
    if (r == 0)
        r = environment_put_named(environment, "HOME", home, err);
    if (r == 0)
        r = environment_put_all(environment, (const char *const *)of_image, err);
    if (r == 0)
        r = environment_put_all(environment, (const char *const *)input->container->environment,
                                err);
    if (r == 0 && input->notify_socket)
        r = environment_put_named(environment, "NOTIFY_SOCKET", notify_socket_inside, err);
    if (r == 0)
        r = environment_put_all(environment, input->extra_environment, err);
    if (r < 0)
        return r;
    *ret = take_ptr(environment);
    return 0;
}

/* The part of an image's configuration that says how to run it. */
struct image_defaults {
    char **entrypoint;
    char **command;
    char **environment;
    const char *working_directory; /* borrowed */
};

static void image_done(struct image_defaults *image)
{
    strv_free(image->entrypoint);
    strv_free(image->command);
    strv_free(image->environment);
}

static int image_read(const json_t *config, struct image_defaults *image, struct error *err)
{
    image->working_directory = "";
    if (!config)
        return 0;
    int r = json_field_strv(config, "Entrypoint", &image->entrypoint, err);
    if (r == 0)
        r = json_field_strv(config, "Cmd", &image->command, err);
    if (r == 0)
        r = json_field_strv(config, "Env", &image->environment, err);
    if (r == 0)
        r = json_field_string_or(config, "WorkingDir", "", &image->working_directory, err);
    if (r < 0)
        return error_prefix(err, -EINVAL, "configuration of the image");
    if (*image->working_directory && *image->working_directory != '/')
        return error_set(err, -EINVAL,
                         "configuration of the image: WorkingDir \"%s\" is not absolute",
                         image->working_directory);
    return 0;
}

static int arguments_build(const struct container *container, const struct image_defaults *image,
                           json_t **ret, struct error *err)
{
    char **tail = container->exec ? container->exec : image->command;
    autojson arguments = json_from_strv(image->entrypoint);
    autojson more = json_from_strv(tail);
    if (!arguments || !more || json_array_extend(arguments, more) < 0)
        return error_oom(err);
    const json_t *program = json_array_get(arguments, 0);
    if (!program)
        return error_set(err, -EINVAL,
                         "nothing to run: image %s has neither Entrypoint nor Cmd; say Exec= in "
                         "[Container]",
                         container->image);
    if (!json_string_length(program))
        return error_set(err, -EINVAL, "nothing to run: the program's name is empty");
    *ret = take_ptr(arguments);
    return 0;
}

static json_t *user_build(const struct oci_user *user)
{
    if (!user)
        return json_pack("{s:i, s:i}", "uid", 0, "gid", 0);
    json_t *groups = json_array();
    for (size_t i = 0; groups && i < user->group_count; i++) {
        if (json_array_append_new(groups, json_integer(user->groups[i])) < 0) {
            json_decref(groups);
            return NULL;
        }
    }
    return json_pack("{s:I, s:I, s:o}", "uid", (json_int_t)user->uid, "gid", (json_int_t)user->gid,
                     "additionalGids", groups);
}

/* Nothing inheritable and nothing ambient: a program that is not root has none of these, whatever
 * it executes. */
static json_t *capabilities_build(void)
{
    return json_pack("{s:o, s:o, s:o}", "bounding", array_of(oci_default_capabilities), "effective",
                     array_of(oci_default_capabilities), "permitted",
                     array_of(oci_default_capabilities));
}

static int process_build(const struct oci_input *input, json_t **ret, struct error *err)
{
    __attribute__((cleanup(image_done))) struct image_defaults image = { 0 };
    autojson arguments = NULL;
    autojson environment = NULL;
    int r = image_read(input->image_config, &image, err);
    if (r == 0)
        r = arguments_build(input->container, &image, &arguments, err);
    if (r == 0)
        r = environment_build(input, image.environment, &environment, err);
    if (r < 0)
        return r;
    const char *directory = *image.working_directory ? image.working_directory : "/";
    json_t *process =
        json_pack("{s:b, s:o, s:O, s:O, s:s, s:o, s:b}", "terminal", 0, "user",
                  user_build(input->user), "args", arguments, "env", environment, "cwd", directory,
                  "capabilities", capabilities_build(), "noNewPrivileges", 0);
    if (!process)
        return error_oom(err);
    *ret = process;
    return 0;
}

static json_t *namespaces_build(bool host_network)
{
    static const char *const always[] = { "pid", "mount", "uts", "ipc", "cgroup", NULL };
    json_t *namespaces = json_array();
    int r = 0;
    for (const char *const *type = always; namespaces && r == 0 && *type; type++)
        r = json_array_append_new(namespaces, json_pack("{s:s}", "type", *type));
    if (namespaces && r == 0 && !host_network)
        r = json_array_append_new(namespaces, json_pack("{s:s}", "type", "network"));
    if (r < 0) {
        json_decref(namespaces);
        return NULL;
    }
    return namespaces;
}

/* No cgroupsPath and no resources: the service's cgroup holds the container and systemd the limits;
 * the runtime would fail where a controller is missing. */
static json_t *linux_build(const struct oci_input *input)
{
    bool host_network = input->container->network == CONTAINER_NETWORK_HOST;
    return json_pack("{s:o, s:o, s:o, s:O*}", "namespaces", namespaces_build(host_network),
                     "maskedPaths", array_of(masked_paths), "readonlyPaths",
                     array_of(readonly_paths), "seccomp", input->seccomp);
}

int oci_config(const struct oci_input *input, json_t **ret, struct error *err)
{
    autojson process = NULL;
    autojson mounts = NULL;
    int r = process_build(input, &process, err);
    if (r == 0)
        r = mounts_build(input, &mounts, err);
    if (r < 0)
        return r;
    json_t *config =
        json_pack("{s:s, s:O, s:{s:s, s:b}, s:s*, s:O, s:o}", "ociVersion", "1.0.2", "process",
                  process, "root", "path", input->root_path, "readonly", 0, "hostname",
                  input->container->host_name, "mounts", mounts, "linux", linux_build(input));
    if (!config)
        return error_oom(err);
    *ret = config;
    return 0;
}
