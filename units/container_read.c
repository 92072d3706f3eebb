/* SPDX-License-Identifier: Apache-2.0 */
/* [Container] of a unit file, key by key. */
#include "units/container.h"

#include <errno.h>
#include <string.h>

#include "base/shape.h"
#include "base/text.h"
#include "units/container_value.h"
#include "units/specifier.h"
#include "units/unit_file.h"

enum { TAG_MAX = 128 };

struct reading {
    struct container *container;
    const char *unit_name;
};

typedef int (*take_value_fn)(struct reading *reading, const struct unit_option *option,
                             struct error *err);

/* --- values --- */

/* The option's reason, wherever a callee found it. */
static int bad_value(const struct unit_option *option, int code, const struct error *reason,
                     struct error *err)
{
    if (code != -EINVAL)
        return error_set(err, code, "%s", reason->text);
    return unit_option_error(err, option, "%s", reason->text);
}

static int expand(const struct reading *reading, const struct unit_option *option, char **ret,
                  struct error *err)
{
    struct error reason = { 0 };
    int r = specifier_expand(option->value, reading->unit_name, ret, &reason);
    return r < 0 ? bad_value(option, r, &reason, err) : 0;
}

/* Words with specifiers expanded. An escape such as \xff may have made bytes that are no text. */
static int expand_words(const struct reading *reading, const struct unit_option *option,
                        char ***ret, struct error *err)
{
    autostrv words = NULL;
    struct error reason = { 0 };
    int r = unit_words_split(option->value, &words, &reason);
    if (r >= 0)
        r = specifier_expand_all(words, reading->unit_name, &reason);
    if (r < 0)
        return bad_value(option, r, &reason, err);
    for (char **word = words; word && *word; word++)
        if (!unit_text_is_utf8(*word))
            return unit_option_error(err, option, "with its escapes undone this is not UTF-8");
    *ret = take_ptr(words);
    return 0;
}

/* Absolute, with no way out of it by "..". */
static bool is_plain_path(const char *path)
{
    if (*path != '/')
        return false;
    for (const char *p = path; (p = strstr(p, "/..")) != NULL; p += 3)
        if (p[3] == '\0' || p[3] == '/')
            return false;
    return true;
}

static bool is_tag(const char *tag)
{
    static const char allowed[] = "0123456789abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ_.-";
    size_t length = strspn(tag, allowed);
    return length > 0 && length <= TAG_MAX && !tag[length] && *tag != '.' && *tag != '-';
}

/* --- one function per key --- */

static int check_image(const struct unit_option *option, const char *image, struct error *err)
{
    if (!text_starts_with(image, "oci:"))
        return unit_option_error(err, option,
                                 "only images in an OCI layout on the machine are supported so "
                                 "far: oci:/PATH[:TAG]");
    const char *path = image + strlen("oci:");
    const char *colon = strchr(path, ':');
    autofree char *directory = strndup(path, colon ? (size_t)(colon - path) : strlen(path));
    if (!directory)
        return error_oom(err);
    if (!is_plain_path(directory) || strspn(directory, "/") == strlen(directory))
        return unit_option_error(err, option,
                                 "the layout's path must be absolute and without \"..\": "
                                 "oci:/PATH[:TAG]");
    if (colon && !is_tag(colon + 1))
        return unit_option_error(err, option,
                                 "\"%s\" is no tag: letters, digits, '_', '.' and '-', at most %d",
                                 colon + 1, TAG_MAX);
    return 0;
}

static int take_image(struct reading *reading, const struct unit_option *option, struct error *err)
{
    autofree char *image = NULL;
    int r = expand(reading, option, &image, err);
    if (r < 0)
        return r;
    r = check_image(option, image, err);
    if (r < 0)
        return r;
    free(reading->container->image);
    reading->container->image = take_ptr(image);
    return 0;
}

/* "$$" is "$", as in the ExecStart= that Quadlet makes of it; any other '$' stands for itself:
 * there are no variables here. */
static void undouble_dollars(char *word)
{
    char *to = word;
    for (const char *from = word; *from; from++) {
        *to++ = *from;
        if (from[0] == '$' && from[1] == '$')
            from++;
    }
    *to = '\0';
}

static int take_exec(struct reading *reading, const struct unit_option *option, struct error *err)
{
    autostrv words = NULL;
    int r = expand_words(reading, option, &words, err);
    if (r < 0)
        return r;
    for (char **word = words; word && *word; word++)
        undouble_dollars(*word);
    strv_free(reading->container->exec);
    reading->container->exec = take_ptr(words);
    return 0;
}

/* The place of the variable that this assignment sets again, or NULL. */
static char **find_assignment(char **environment, const char *assignment)
{
    size_t name_length = (size_t)(strchr(assignment, '=') - assignment) + 1;
    for (; environment && *environment; environment++)
        if (strncmp(*environment, assignment, name_length) == 0)
            return environment;
    return NULL;
}

static int set_variable(char ***environment, const char *assignment, struct error *err)
{
    char **place = find_assignment(*environment, assignment);
    if (!place)
        return strv_add(environment, assignment, err);
    char *copy = strdup(assignment);
    if (!copy)
        return error_oom(err);
    free(*place);
    *place = copy;
    return 0;
}

static int take_environment(struct reading *reading, const struct unit_option *option,
                            struct error *err)
{
    struct container *container = reading->container;
    if (!*option->value) {
        strv_free(container->environment);
        container->environment = NULL;
        return 0;
    }
    autostrv words = NULL;
    int r = expand_words(reading, option, &words, err);
    for (char **word = words; r >= 0 && word && *word; word++) {
        if (**word == '=' || !strchr(*word, '='))
            return unit_option_error(err, option,
                                     "\"%s\" is no NAME=VALUE (quote values with spaces: "
                                     "\"NAME=some value\")",
                                     *word);
        r = set_variable(&container->environment, *word, err);
    }
    if (r >= 0 && strv_length(container->environment) > UNIT_LIST_MAX)
        return unit_option_error(err, option, "more than %d variables", UNIT_LIST_MAX);
    return r < 0 ? r : 0;
}

static bool has_volume_at(const struct container *container, const char *destination)
{
    for (size_t i = 0; i < container->mount_count; i++)
        if (strcmp(container->mounts[i].destination, destination) == 0)
            return true;
    return false;
}

static int check_volume(const struct container *container, const struct unit_option *option,
                        const char *source, const char *destination, const char *mode,
                        struct error *err)
{
    if (!is_plain_path(source))
        return unit_option_error(err, option,
                                 "only absolute paths of the machine, without \"..\", are "
                                 "supported so far: /SOURCE:/DESTINATION[:ro|rw]");
    if (!destination)
        return unit_option_error(err, option, "no destination: /SOURCE:/DESTINATION[:ro|rw]");
    if (!is_plain_path(destination) || strspn(destination, "/") == strlen(destination))
        return unit_option_error(err, option,
                                 "the destination must be an absolute path below /, without "
                                 "\"..\"");
    if (mode && strcmp(mode, "ro") != 0 && strcmp(mode, "rw") != 0)
        return unit_option_error(err, option, "option \"%s\" is not supported yet; ro and rw are",
                                 mode);
    if (container->mount_count >= UNIT_LIST_MAX)
        return unit_option_error(err, option, "more than %d volumes", UNIT_LIST_MAX);
    if (has_volume_at(container, destination))
        return unit_option_error(err, option, "another volume is mounted there already");
    return 0;
}

static int take_volume(struct reading *reading, const struct unit_option *option, struct error *err)
{
    if (!*option->value) {
        container_clear_mounts(reading->container);
        return 0;
    }
    autofree char *text = NULL;
    int r = expand(reading, option, &text, err);
    if (r < 0)
        return r;
    char *rest = text;
    const char *source = strsep(&rest, ":");
    const char *destination = strsep(&rest, ":");
    const char *mode = rest;
    r = check_volume(reading->container, option, source, destination, mode, err);
    if (r < 0)
        return r;
    bool read_only = mode && strcmp(mode, "ro") == 0;
    struct container *container = reading->container;
    struct container_mount *mount =
        shape_list_add(&container->mounts, &container->mount_count, sizeof(*mount));
    if (!mount)
        return error_oom(err);
    mount->type = CONTAINER_MOUNT_BIND;
    mount->source = strdup(source);
    mount->destination = strdup(destination);
    mount->read_only = read_only;
    return mount->source && mount->destination ? 0 : error_oom(err);
}

static bool is_host_name_character(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '.' || c == '_';
}

enum { HOST_NAME_BYTES = 64 /* the kernel's limit */ };

static int take_host_name(struct reading *reading, const struct unit_option *option,
                          struct error *err)
{
    autofree char *name = NULL;
    int r = expand(reading, option, &name, err);
    if (r < 0)
        return r;
    size_t length = 0;
    while (is_host_name_character(name[length]))
        length++;
    if (name[length] || length > HOST_NAME_BYTES)
        return unit_option_error(err, option,
                                 "a host name has letters, digits, '-', '.' and '_', at most %d",
                                 HOST_NAME_BYTES);
    free(reading->container->host_name);
    reading->container->host_name = length > 0 ? take_ptr(name) : NULL;
    return 0;
}

/* "web@1.service" gives "web-1". */
static char *default_host_name(const char *unit_name)
{
    const char *dot = strrchr(unit_name, '.');
    size_t length = dot ? (size_t)(dot - unit_name) : strlen(unit_name);
    if (length > HOST_NAME_BYTES)
        length = HOST_NAME_BYTES;
    char *name = strndup(unit_name, length);
    for (char *c = name; c && *c; c++)
        if (!is_host_name_character(*c))
            *c = '-';
    return name;
}

static int take_network(struct reading *reading, const struct unit_option *option,
                        struct error *err)
{
    enum container_network_mode network =
        *option->value ? shape_word_find(container_network_words, option->value)
                       : CONTAINER_NETWORK_NONE;
    if (network != CONTAINER_NETWORK_NONE && network != CONTAINER_NETWORK_HOST)
        return unit_option_error(err, option, "only none and host are supported so far");
    reading->container->network = network;
    return 0;
}

static int take_notify(struct reading *reading, const struct unit_option *option, struct error *err)
{
    if (strcmp(option->value, "healthy") == 0)
        return unit_option_error(err, option,
                                 "health checks are not supported yet; yes and no are");
    struct error reason = { 0 };
    bool yes = false;
    int r = unit_boolean_parse(*option->value ? option->value : "no", &yes, &reason);
    if (r < 0)
        return bad_value(option, r, &reason, err);
    reading->container->notify = yes ? CONTAINER_NOTIFY_YES : CONTAINER_NOTIFY_NO;
    return 0;
}

/* --- the section --- */

/* Quadlet's keys that wait for their turn. */
static const char *const later_keys[] = {
    "AddCapability",
    "AddDevice",
    "AddHost",
    "Annotation",
    "AppArmor",
    "AutoUpdate",
    "CgroupsMode",
    "ContainerName",
    "ContainersConfModule",
    "DNS",
    "DNSOption",
    "DNSSearch",
    "DropCapability",
    "Entrypoint",
    "EnvironmentFile",
    "EnvironmentHost",
    "ExposeHostPort",
    "GIDMap",
    "GlobalArgs",
    "Group",
    "GroupAdd",
    "HealthCmd",
    "HealthInterval",
    "HealthLogDestination",
    "HealthMaxLogCount",
    "HealthMaxLogSize",
    "HealthOnFailure",
    "HealthRetries",
    "HealthStartPeriod",
    "HealthStartupCmd",
    "HealthStartupInterval",
    "HealthStartupRetries",
    "HealthStartupSuccess",
    "HealthStartupTimeout",
    "HealthTimeout",
    "HttpProxy",
    "IP",
    "IP6",
    "Label",
    "LogDriver",
    "LogOpt",
    "Mask",
    "Memory",
    "Mount",
    "NetworkAlias",
    "NoNewPrivileges",
    "PidsLimit",
    "Pod",
    "PodmanArgs",
    "PublishPort",
    "Pull",
    "ReadOnly",
    "ReadOnlyTmpfs",
    "ReloadCmd",
    "ReloadSignal",
    "RemapGid",
    "RemapUid",
    "RemapUidSize",
    "RemapUsers",
    "Retry",
    "RetryDelay",
    "Rootfs",
    "RunInit",
    "SeccompProfile",
    "Secret",
    "SecurityLabelDisable",
    "SecurityLabelFileType",
    "SecurityLabelLevel",
    "SecurityLabelNested",
    "SecurityLabelType",
    "ServiceName",
    "ShmSize",
    "StartWithPod",
    "StopSignal",
    "StopTimeout",
    "SubGIDMap",
    "SubUIDMap",
    "Sysctl",
    "Timezone",
    "Tmpfs",
    "UIDMap",
    "Ulimit",
    "Unmask",
    "User",
    "UserNS",
    "VolatileTmp",
    "WorkingDir",
    NULL,
};

static const struct {
    const char *key;
    take_value_fn take;
} supported_keys[] = {
    {"Image",        take_image      },
    { "Exec",        take_exec       },
    { "Environment", take_environment},
    { "Volume",      take_volume     },
    { "HostName",    take_host_name  },
    { "Network",     take_network    },
    { "Notify",      take_notify     },
};
enum { SUPPORTED_COUNT = sizeof(supported_keys) / sizeof(supported_keys[0]) };

static int unknown_key(const struct unit_option *option, struct error *err)
{
    for (const char *const *key = later_keys; *key; key++)
        if (strcmp(*key, option->key) == 0)
            return error_set(err, -EINVAL, "line %u: [Container] key %s= is not supported yet",
                             option->line, option->key);
    const char *known[SUPPORTED_COUNT + 1] = { NULL };
    for (size_t i = 0; i < SUPPORTED_COUNT; i++)
        known[i] = supported_keys[i].key;
    const char *nearest = text_nearest(option->key, known);
    if (!nearest)
        nearest = text_nearest(option->key, later_keys);
    return error_set(err, -EINVAL, "line %u: [Container] has no key %.60s=%s%s%s", option->line,
                     option->key, nearest ? "; did you mean " : "", nearest ? nearest : "",
                     nearest ? "=?" : "");
}

static int take_option(struct reading *reading, const struct unit_option *option, struct error *err)
{
    for (size_t i = 0; i < SUPPORTED_COUNT; i++)
        if (strcmp(supported_keys[i].key, option->key) == 0)
            return supported_keys[i].take(reading, option, err);
    return unknown_key(option, err);
}

int container_read(const struct unit_file *file, const char *unit_name, struct container **ret,
                   struct error *err)
{
    if (!unit_file_has_section(file, "Container")) {
        *ret = NULL;
        return 0;
    }
    autoptr(container) container = calloc(1, sizeof(*container));
    if (!container)
        return error_oom(err);
    struct reading reading = { container, unit_name };
    for (size_t i = 0; i < file->count; i++) {
        if (strcmp(file->options[i].section, "Container") != 0)
            continue;
        int r = take_option(&reading, &file->options[i], err);
        if (r < 0)
            return r;
    }
    if (!container->image)
        return error_set(err, -EINVAL, "[Container] has no Image=; write Image=oci:/PATH[:TAG]");
    if (!container->host_name)
        container->host_name = default_host_name(unit_name);
    if (!container->host_name)
        return error_oom(err);
    container_set_defaults(container);
    *ret = take_ptr(container);
    return 0;
}
