/* SPDX-License-Identifier: Apache-2.0 */
/* The whole configuration, and its process; mounts and what concerns the kernel have files of their
 * own. */
#include "units/oci.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "units/oci_parts.h"

static const char default_path[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/* --- the environment --- */

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

/* What holds where nobody says anything. */
static int environment_begin(const struct oci_input *input, json_t *environment, struct error *err)
{
    const char *home = !input->user ? "/root" : input->user->home ? input->user->home : "/";
    int r = environment_put_named(environment, "PATH", default_path, err);
    if (r == 0)
        r = environment_put_named(environment, "HOME", home, err);
    if (r == 0 && !input->container->host_uts)
        r = environment_put_named(environment, "HOSTNAME", input->container->host_name, err);
    /* By this programs know that they are in a container; systemd(1) lists the values. */
    return r < 0 ? r : environment_put_named(environment, "container", "oci", err);
}

static int environment_build(const struct oci_input *input, char *const *of_image, json_t **ret,
                             struct error *err)
{
    const char *const *const layers[] = {
        (const char *const *)of_image, input->host_environment,
        input->file_environment,       (const char *const *)input->container->environment,
        input->secret_environment,
    };
    autojson environment = json_array();
    if (!environment)
        return error_oom(err);
    int r = environment_begin(input, environment, err);
    for (size_t i = 0; r == 0 && i < sizeof(layers) / sizeof(layers[0]); i++)
        r = environment_put_all(environment, layers[i], err);
    if (r == 0 && input->notify_socket)
        r = environment_put_named(environment, "NOTIFY_SOCKET", oci_notify_socket_inside, err);
    if (r == 0)
        r = environment_put_all(environment, input->extra_environment, err);
    if (r < 0)
        return r;
    *ret = take_ptr(environment);
    return 0;
}

/* --- the command --- */

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

/* Program and arguments, without the init that may stand before them. */
static int command_build(const struct container *container, const struct image_defaults *image,
                         char ***ret, struct error *err)
{
    char **head = container->entrypoint ? container->entrypoint : image->entrypoint;
    bool is_own = container->entrypoint && container->entrypoint[0];
    char **tail = container->exec ? container->exec : is_own ? NULL : image->command;
    int r = strv_copy(head, ret, err);
    for (; r == 0 && tail && *tail; tail++)
        r = strv_add(ret, *tail, err);
    return r;
}

static int arguments_build(const struct oci_input *input, const struct image_defaults *image,
                           json_t **ret, struct error *err)
{
    const struct container *container = input->container;
    autostrv command = NULL;
    autojson arguments = json_array();
    if (container->is_pod) {
        *ret = json_pack("[s, s]", oci_init_inside, "-P"); /* waits for a signal to end */
        return *ret ? 0 : error_oom(err);
    }
    int r = command_build(container, image, &command, err);
    if (r < 0)
        return r;
    if (!command || !command[0])
        return error_set(err, -EINVAL,
                         "nothing to run: image %s has neither Entrypoint nor Cmd; say Exec= in "
                         "[Container]",
                         container->image ? container->image : container->rootfs);
    if (!*command[0])
        return error_set(err, -EINVAL, "nothing to run: the program's name is empty");
    autojson words = json_from_strv(command);
    if (input->init)
        r = json_array_append_new(arguments, json_string(oci_init_inside)) |
            json_array_append_new(arguments, json_string("--"));
    if (r < 0 || !arguments || !words || json_array_extend(arguments, words) < 0)
        return error_oom(err);
    *ret = take_ptr(arguments);
    return 0;
}

/* --- the process --- */

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

/* RLIMIT_NOFILE of "nofile". No limit is the greatest number that JSON's readers agree on. */
static json_t *limit_build(const struct container_ulimit *limit)
{
    char name[sizeof("RLIMIT_SIGPENDING") + 8] = "RLIMIT_";
    size_t length = strlen(name);
    for (const char *c = limit->name; *c && length + 1 < sizeof(name); c++)
        name[length++] = (char)toupper((unsigned char)*c);
    return json_pack("{s:s#, s:I, s:I}", "type", name, (int)length, "soft",
                     (json_int_t)(limit->soft < 0 ? INT64_MAX : limit->soft), "hard",
                     (json_int_t)(limit->hard < 0 ? INT64_MAX : limit->hard));
}

/* "host" is no limit but the wish to have the service's, which is what happens. */
static int limits_build(const struct container *container, json_t **ret, struct error *err)
{
    autojson limits = json_array();
    if (!limits)
        return error_oom(err);
    for (size_t i = 0; i < container->ulimit_count; i++)
        if (strcmp(container->ulimits[i].name, "host") != 0 &&
            json_array_append_new(limits, limit_build(&container->ulimits[i])) < 0)
            return error_oom(err);
    *ret = take_ptr(limits);
    return 0;
}

static int process_build(const struct oci_input *input, json_t **ret, struct error *err)
{
    const struct container *container = input->container;
    __attribute__((cleanup(image_done))) struct image_defaults image = { 0 };
    autojson arguments = NULL;
    autojson environment = NULL;
    autojson capabilities = NULL;
    autojson limits = NULL;
    int r = image_read(input->image_config, &image, err);
    if (r == 0)
        r = arguments_build(input, &image, &arguments, err);
    if (r == 0)
        r = environment_build(input, image.environment, &environment, err);
    if (r == 0)
        r = oci_process_capabilities(input, &capabilities, err);
    if (r == 0)
        r = limits_build(container, &limits, err);
    if (r < 0)
        return r;
    const char *directory = container->working_directory ? container->working_directory
                            : *image.working_directory   ? image.working_directory
                                                         : "/";
    bool confined = container->apparmor && strcmp(container->apparmor, "unconfined") != 0;
    *ret = json_pack("{s:b, s:o, s:O, s:O, s:s, s:O, s:b, s:s*, s:O*}", "terminal", 0, "user",
                     user_build(input->user), "args", arguments, "env", environment, "cwd",
                     directory, "capabilities", capabilities, "noNewPrivileges",
                     (int)container->no_new_privileges, "apparmorProfile",
                     confined ? container->apparmor : NULL, "rlimits",
                     json_array_size(limits) ? limits : NULL);
    return *ret ? 0 : error_oom(err);
}

/* --- the whole --- */

/* What crun shall apply without compiling linux.seccomp, which other runtimes read instead. */
static const char filter_annotation[] = "run.oci.seccomp_bpf_data";

/* Labels and annotations are one in OCI; what is said as an annotation wins. */
static int annotations_build(const struct oci_input *input, json_t **ret, struct error *err)
{
    const struct container *container = input->container;
    char *const *const lists[] = { container->labels, container->annotations };
    autojson annotations = json_object();
    if (input->seccomp_filter && !container->privileged &&
        json_object_set_new(annotations, filter_annotation, json_string(input->seccomp_filter)) < 0)
        return error_oom(err);
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        for (char *const *word = lists[i]; word && *word; word++) {
            const char *equals = strchr(*word, '=');
            if (equals && json_object_setn_new(annotations, *word, (size_t)(equals - *word),
                                               json_string(equals + 1)) < 0)
                return error_oom(err);
        }
    }
    *ret = take_ptr(annotations);
    return *ret ? 0 : error_oom(err);
}

int oci_config(const struct oci_input *input, json_t **ret, struct error *err)
{
    const struct container *container = input->container;
    autojson process = NULL;
    autojson mounts = NULL;
    autojson of_linux = NULL;
    autojson annotations = NULL;
    int r = process_build(input, &process, err);
    if (r == 0)
        r = oci_mounts(input, &mounts, err);
    if (r == 0)
        r = oci_linux(input, &of_linux, err);
    if (r == 0)
        r = annotations_build(input, &annotations, err);
    if (r < 0)
        return r;
    json_t *config = json_pack(
        "{s:s, s:O, s:{s:s, s:b}, s:s*, s:O, s:O, s:O*}", "ociVersion", "1.0.2", "process", process,
        "root", "path", input->root_path, "readonly", (int)container->read_only, "hostname",
        container->host_uts || input->uts_namespace ? NULL : container->host_name, "mounts", mounts,
        "linux", of_linux, "annotations", json_object_size(annotations) ? annotations : NULL);
    if (!config)
        return error_oom(err);
    *ret = config;
    return 0;
}
