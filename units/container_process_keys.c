/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of [Container] that say what runs: the image, the command, its environment, what it may. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/shape.h"
#include "base/text.h"
#include "units/capabilities.h"
#include "units/container_take.h"
#include "units/container_value.h"
#include "units/reference.h"

/* --- the image --- */

static int take_image(struct reading *reading, const struct unit_option *option, void *field,
                      struct error *err)
{
    autofree char *image = NULL;
    autoptr(reference) reference = NULL;
    struct error reason = { 0 };
    int r = take_string(reading, option, &image, err);
    if (r < 0)
        return r;
    r = image ? reference_parse(image, &reference, &reason) : 0;
    if (r < 0)
        return take_failed(option, r, &reason, err);
    free(*(char **)field);
    *(char **)field = take_ptr(image);
    return 0;
}

/* PATH or PATH:O; other options of Podman's are of no use to a directory of ours. */
static int take_rootfs(struct reading *reading, const struct unit_option *option, void *field,
                       struct error *err)
{
    autofree char *value = NULL;
    int r = take_string(reading, option, &value, err);
    if (r < 0)
        return r;
    char *colon = value ? strchr(value, ':') : NULL;
    if (colon)
        *colon++ = '\0';
    if (value && !take_is_path_below_root(value))
        return unit_option_error(err, option,
                                 "want the absolute path of a directory, without \"..\": "
                                 "/PATH or /PATH:O");
    if (colon && strcmp(colon, "O") != 0)
        return unit_option_error(
            err, option, "option \"%s\" is not known; O (writes go to an overlay) is", colon);
    reading->container->rootfs_overlay = colon;
    free(*(char **)field);
    *(char **)field = take_ptr(value);
    return 0;
}

/* 0 in the struct is for those who say nothing. */
static int take_retry(struct reading *reading, const struct unit_option *option, void *field,
                      struct error *err)
{
    int r = take_count(reading, option, field, err);
    if (r == 0 && *option->value && *(int64_t *)field == 0)
        *(int64_t *)field = -1;
    return r;
}

static int take_pull(struct reading *reading, const struct unit_option *option, void *field,
                     struct error *err)
{
    return take_word_of(container_pull_words, reading, option, field, err);
}

static int take_auto_update(struct reading *reading, const struct unit_option *option, void *field,
                            struct error *err)
{
    static const char *const words[] = { NULL, "no", "registry", "local", NULL };
    int r = take_word_of(words, reading, option, field, err);
    if (r < 0 || *(int *)field != CONTAINER_AUTO_UPDATE_LOCAL)
        return r;
    return take_warning(reading, option,
                        "the images of machines are compared with nothing; those in files are "
                        "looked at when a unit starts, so \"musterctl rollout restart\" does it",
                        err);
}

/* The name of the service is the name under which the unit was submitted; what submits a
 * .container file minds this key. */
static int take_service_name(struct reading *reading, const struct unit_option *option, void *field,
                             struct error *err)
{
    autofree char *name = NULL;
    (void)field;
    return take_string(reading, option, &name, err);
}

/* --- the command --- */

/* A program, or a JSON array of it and its first arguments; empty: the image's is not used. */
static int take_entrypoint(struct reading *reading, const struct unit_option *option, void *field,
                           struct error *err)
{
    autofree char *value = NULL;
    autostrv words = NULL;
    int r = take_expanded(reading, option, &value, err);
    if (r >= 0 && *value == '[')
        r = take_json_words(option, value, &words, err);
    else if (r >= 0 && *value)
        r = strv_add(&words, value, err);
    if (r < 0)
        return r;
    if (!words && !(words = calloc(1, sizeof(*words))))
        return error_oom(err);
    strv_free(*(char ***)field);
    *(char ***)field = take_ptr(words);
    return 0;
}

/* --- the environment --- */

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
    return place ? text_replace(place, assignment, err) : strv_add(environment, assignment, err);
}

/* NAME=VALUE sets, a bare NAME hands on what the service has. */
static int take_environment(struct reading *reading, const struct unit_option *option, void *field,
                            struct error *err)
{
    struct container *container = reading->container;
    (void)field;
    if (!*option->value) {
        strv_free(container->environment);
        strv_free(container->environment_names);
        container->environment = container->environment_names = NULL;
        return 0;
    }
    autostrv words = NULL;
    int r = take_split(reading, option, &words, err);
    for (char **word = words; r >= 0 && word && *word; word++) {
        if (**word == '=')
            return unit_option_error(err, option,
                                     "\"%s\" is no NAME=VALUE (quote values with spaces: "
                                     "\"NAME=some value\")",
                                     *word);
        r = strchr(*word, '=') ? set_variable(&container->environment, *word, err)
                               : strv_add(&container->environment_names, *word, err);
    }
    if (r >= 0 && strv_length(container->environment) > UNIT_LIST_MAX)
        return unit_option_error(err, option, "more than %d variables", UNIT_LIST_MAX);
    return r < 0 ? r : 0;
}

static int take_environment_file(struct reading *reading, const struct unit_option *option,
                                 void *field, struct error *err)
{
    int r = take_words(reading, option, field, err);
    for (char **path = *(char ***)field; r == 0 && path && *path; path++)
        if (!take_is_plain_path(**path == '-' ? *path + 1 : *path))
            return unit_option_error(err, option,
                                     "\"%s\": want absolute paths on the machine; a unit of the "
                                     "cluster lies in no directory",
                                     *path);
    return r;
}

/* --- K=V lists --- */

static int take_pairs(struct reading *reading, const struct unit_option *option, void *field,
                      struct error *err)
{
    autostrv words = NULL;
    char ***list = field;
    int r = take_list_words(reading, option, list, &words, err);
    for (char **word = words; r >= 0 && word && *word; word++) {
        if (**word == '=' || !strchr(*word, '='))
            return unit_option_error(err, option, "\"%s\" is no NAME=VALUE", *word);
        r = set_variable(list, *word, err);
    }
    return r < 0 ? r : 0;
}

/* --- the host's name --- */

static bool is_host_name_character(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '.' || c == '_';
}

enum { HOST_NAME_BYTES = 64 /* the kernel's limit */ };

static int take_host_name(struct reading *reading, const struct unit_option *option, void *field,
                          struct error *err)
{
    autofree char *name = NULL;
    int r = take_expanded(reading, option, &name, err);
    if (r < 0)
        return r;
    size_t length = 0;
    while (is_host_name_character(name[length]))
        length++;
    if (name[length] || length > HOST_NAME_BYTES)
        return unit_option_error(err, option,
                                 "a host name has letters, digits, '-', '.' and '_', at most %d",
                                 HOST_NAME_BYTES);
    free(*(char **)field);
    *(char **)field = length > 0 ? take_ptr(name) : NULL;
    return 0;
}

char *container_default_host_name(const char *unit_name)
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

/* --- what it may --- */

static int take_capabilities(struct reading *reading, const struct unit_option *option, void *field,
                             struct error *err)
{
    autostrv words = NULL;
    char ***list = field;
    int r = take_list_words(reading, option, list, &words, err);
    for (char **word = words; r >= 0 && word && *word; word++) {
        const char *known = strcasecmp(*word, "all") == 0 ? "ALL" : capability_find(*word);
        if (!known) {
            autofree char *full =
                text_format("%s%s", strncasecmp(*word, "CAP_", 4) == 0 ? "" : "CAP_", *word);
            const char *nearest = full ? text_nearest(full, capabilities_all) : NULL;
            return unit_option_error(err, option, "there is no capability \"%s\"%s%s%s", *word,
                                     nearest ? "; did you mean " : "", nearest ? nearest : "",
                                     nearest ? "?" : "");
        }
        r = strv_add(list, known, err);
    }
    return r < 0 ? r : 0;
}

static int take_seccomp_profile(struct reading *reading, const struct unit_option *option,
                                void *field, struct error *err)
{
    if (strcmp(option->value, "unconfined") == 0)
        return take_string(reading, option, field, err);
    return take_absolute_path(reading, option, field, err);
}

/* Paths between colons, in as many lines as one likes. */
static int take_paths(struct reading *reading, const struct unit_option *option, void *field,
                      struct error *err)
{
    autostrv words = NULL;
    char ***list = field;
    int r = take_list_words(reading, option, list, &words, err);
    for (char **word = words; r >= 0 && word && *word; word++) {
        autostrv paths = NULL;
        r = strv_split(*word, ":", &paths, err);
        for (char **path = paths; r >= 0 && path && *path; path++) {
            bool all = strcasecmp(*path, "ALL") == 0 && strcmp(option->key, "Unmask") == 0;
            if (!all && !take_is_plain_path(*path))
                return unit_option_error(err, option, "\"%s\" is no absolute path", *path);
            r = strv_add(list, all ? "ALL" : *path, err);
        }
    }
    return r < 0 ? r : 0;
}

static int take_notify(struct reading *reading, const struct unit_option *option, void *field,
                       struct error *err)
{
    bool yes = false;
    if (strcmp(option->value, "healthy") == 0) {
        *(enum container_notify *)field = CONTAINER_NOTIFY_HEALTHY;
        return 0;
    }
    int r = take_boolean(reading, option, &yes, err);
    if (r == 0)
        *(enum container_notify *)field = yes ? CONTAINER_NOTIFY_YES : CONTAINER_NOTIFY_NO;
    return r;
}

/* Podman's other drivers are other places for the same lines. */
static int take_log_driver(struct reading *reading, const struct unit_option *option, void *field,
                           struct error *err)
{
    static const char *const files[] = { "k8s-file", "json-file", NULL };
    for (const char *const *file = files; *file; file++) {
        if (strcmp(option->value, *file) != 0)
            continue;
        *(enum container_log *)field = CONTAINER_LOG_JOURNALD;
        return take_warning(reading, option, "there is no log file; the journal has the output",
                            err);
    }
    return take_word_of(container_log_words, reading, option, field, err);
}

const struct container_key container_process_keys[] = {
    {"AddCapability",    take_capabilities,     CONTAINER_FIELD(add_capabilities)   },
    { "Annotation",      take_pairs,            CONTAINER_FIELD(annotations)        },
    { "AppArmor",        take_string,           CONTAINER_FIELD(apparmor)           },
    { "AutoUpdate",      take_auto_update,      CONTAINER_FIELD(auto_update)        },
    { "ContainerName",   take_object_name,      CONTAINER_FIELD(name)               },
    { "DropCapability",  take_capabilities,     CONTAINER_FIELD(drop_capabilities)  },
    { "Entrypoint",      take_entrypoint,       CONTAINER_FIELD(entrypoint)         },
    { "Environment",     take_environment,      0                                   },
    { "EnvironmentFile", take_environment_file, CONTAINER_FIELD(environment_files)  },
    { "EnvironmentHost", take_boolean,          CONTAINER_FIELD(environment_host)   },
    { "Exec",            take_command,          CONTAINER_FIELD(exec)               },
    { "HostName",        take_host_name,        CONTAINER_FIELD(host_name)          },
    { "HttpProxy",       take_boolean_inverted, CONTAINER_FIELD(no_http_proxy)      },
    { "Image",           take_image,            CONTAINER_FIELD(image)              },
    { "Label",           take_pairs,            CONTAINER_FIELD(labels)             },
    { "LogDriver",       take_log_driver,       CONTAINER_FIELD(log)                },
    { "Mask",            take_paths,            CONTAINER_FIELD(mask)               },
    { "NoNewPrivileges", take_boolean,          CONTAINER_FIELD(no_new_privileges)  },
    { "Notify",          take_notify,           CONTAINER_FIELD(notify)             },
    { "Pull",            take_pull,             CONTAINER_FIELD(pull)               },
    { "Retry",           take_retry,            CONTAINER_FIELD(pull_retries)       },
    { "RetryDelay",      take_duration,         CONTAINER_FIELD(pull_retry_delay_ms)},
    { "Rootfs",          take_rootfs,           CONTAINER_FIELD(rootfs)             },
    { "RunInit",         take_boolean,          CONTAINER_FIELD(run_init)           },
    { "SeccompProfile",  take_seccomp_profile,  CONTAINER_FIELD(seccomp_profile)    },
    { "ServiceName",     take_service_name,     0                                   },
    { "Unmask",          take_paths,            CONTAINER_FIELD(unmask)             },
    { "WorkingDir",      take_absolute_path,    CONTAINER_FIELD(working_directory)  },
    { NULL,              NULL,                  0                                   },
};
