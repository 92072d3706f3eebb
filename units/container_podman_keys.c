/* SPDX-License-Identifier: Apache-2.0 */
/* PodmanArgs=: the few options of podman run that say what no key says. */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "units/container_take.h"
#include "units/container_value.h"
#include "units/specifier.h"

typedef int (*take_argument_fn)(struct reading *reading, const struct unit_option *option,
                                const char *value, struct error *err);

/* "1.5" of a processor. */
static int take_cpus(struct reading *reading, const struct unit_option *option, const char *value,
                     struct error *err)
{
    char *end = NULL;
    double cpus = strtod(value, &end);
    if (end == value || *end || !isfinite(cpus) || cpus < 0.001 || cpus > INT_MAX / 1000.0)
        return unit_option_error(err, option, "--cpus: want a number such as 1.5");
    reading->container->cpu_permille = (int64_t)lround(cpus * 1000);
    return 0;
}

/* Podman counts memory and swap together. */
static int take_memory_swap(struct reading *reading, const struct unit_option *option,
                            const char *value, struct error *err)
{
    int64_t *bytes = &reading->container->memory_swap_bytes;
    if (strcmp(value, "-1") == 0) {
        *bytes = -1;
        return 0;
    }
    if (take_parse_size(value, bytes) < 0)
        return unit_option_error(err, option, "--memory-swap: want a size such as 1g, or -1");
    return 0;
}

static int take_privileged(struct reading *reading, const struct unit_option *option,
                           const char *value, struct error *err)
{
    bool yes = true;
    if (value && unit_boolean_parse(value, &yes, NULL) < 0)
        return unit_option_error(err, option, "--privileged: want true or false");
    reading->container->privileged = yes;
    return 0;
}

/* "c 10:200 rwm", with * for any minor number. */
static int take_device_rule(struct reading *reading, const struct unit_option *option,
                            const char *value, struct error *err)
{
    autostrv parts = NULL;
    int r = strv_split(value, " ", &parts, err);
    if (r < 0)
        return r;
    bool well = strv_length(parts) == 3 && parts[0][1] == '\0' && strchr("bc", parts[0][0]) &&
                strspn(parts[1], "0123456789") > 0 &&
                parts[1][strspn(parts[1], "0123456789:")] == '\0' && strchr(parts[1], ':') &&
                strlen(parts[2]) == strspn(parts[2], "rwm");
    if (!well)
        return unit_option_error(
            err, option,
            "--device-cgroup-rule: want \"c MAJOR:MINOR rwm\" or \"b …\", both "
            "in numbers");
    return strv_addf(&reading->container->device_rules, err, "/dev/%s/%s %s",
                     parts[0][0] == 'c' ? "char" : "block", parts[1], parts[2]);
}

static int take_cgroup_parent(struct reading *reading, const struct unit_option *option,
                              const char *value, struct error *err)
{
    if (!text_ends_with(value, ".slice") || strchr(value, '/'))
        return unit_option_error(err, option, "--cgroup-parent: want the name of a slice");
    free(reading->container->slice);
    reading->container->slice = strdup(value);
    return reading->container->slice ? 0 : error_oom(err);
}

/* --ipc, --pid and --uts: the machine's namespace, or one of its own as ever. */
static int take_namespace(const struct unit_option *option, const char *value, bool *host,
                          struct error *err)
{
    if (strcmp(value, "host") != 0 && strcmp(value, "private") != 0)
        return unit_option_error(err, option, "\"%s\": want host or private", value);
    *host = strcmp(value, "host") == 0;
    return 0;
}

static int take_ipc(struct reading *reading, const struct unit_option *option, const char *value,
                    struct error *err)
{
    return take_namespace(option, value, &reading->container->host_ipc, err);
}

static int take_pid(struct reading *reading, const struct unit_option *option, const char *value,
                    struct error *err)
{
    return take_namespace(option, value, &reading->container->host_pid, err);
}

static int take_uts(struct reading *reading, const struct unit_option *option, const char *value,
                    struct error *err)
{
    return take_namespace(option, value, &reading->container->host_uts, err);
}

static int take_mac(struct reading *reading, const struct unit_option *option, const char *value,
                    struct error *err)
{
    if (strlen(value) != strlen("00:00:00:00:00:00") ||
        value[strspn(value, "0123456789abcdefABCDEF:")])
        return unit_option_error(err, option,
                                 "--mac-address: want six bytes such as "
                                 "02:00:00:00:00:01");
    free(reading->container->mac);
    reading->container->mac = strdup(value);
    return reading->container->mac ? 0 : error_oom(err);
}

static const struct argument {
    const char *name;
    take_argument_fn take;
    bool is_flag; /* needs no value */
} arguments[] = {
    {"--cgroup-parent",       take_cgroup_parent, false},
    { "--cpus",               take_cpus,          false},
    { "--device-cgroup-rule", take_device_rule,   false},
    { "--ipc",                take_ipc,           false},
    { "--mac-address",        take_mac,           false},
    { "--memory-swap",        take_memory_swap,   false},
    { "--pid",                take_pid,           false},
    { "--privileged",         take_privileged,    true },
    { "--uts",                take_uts,           false},
};
enum { ARGUMENT_COUNT = sizeof(arguments) / sizeof(arguments[0]) };

static const struct argument *find_argument(const char *word, size_t length)
{
    for (size_t i = 0; i < ARGUMENT_COUNT; i++)
        if (strlen(arguments[i].name) == length && strncmp(arguments[i].name, word, length) == 0)
            return &arguments[i];
    return NULL;
}

/* One argument with its value, which may be the next word; *word moves past both. */
static int take_argument(struct reading *reading, const struct unit_option *option, char ***word,
                         struct error *err)
{
    const char *text = *(*word)++;
    size_t length = strcspn(text, "=");
    const char *value = text[length] ? text + length + 1 : NULL;
    const struct argument *argument = find_argument(text, length);
    if (!argument)
        return unit_option_error(err, option,
                                 "%.*s is not taken; of podman's arguments there are --cpus, "
                                 "--memory-swap, --privileged, --device-cgroup-rule, "
                                 "--cgroup-parent, --ipc, --pid, --uts and --mac-address, and keys "
                                 "of [Container] for the rest",
                                 (int)length, text);
    if (!value && !argument->is_flag)
        value = **word ? *(*word)++ : NULL;
    if (!value && !argument->is_flag)
        return unit_option_error(err, option, "%s has no value", argument->name);
    return argument->take(reading, option, value, err);
}

static void drop_arguments(struct container *container)
{
    container->cpu_permille = 0;
    container->memory_swap_bytes = 0;
    container->privileged = false;
    strv_free(take_ptr(container->device_rules));
    free(take_ptr(container->slice));
    free(take_ptr(container->mac));
    container->host_ipc = container->host_pid = container->host_uts = false;
}

static int take_podman_args(struct reading *reading, const struct unit_option *option, void *field,
                            struct error *err)
{
    autostrv words = NULL;
    (void)field;
    if (!*option->value)
        drop_arguments(reading->container);
    int r = take_split(reading, option, &words, err);
    for (char **word = words; r >= 0 && word && *word;)
        r = take_argument(reading, option, &word, err);
    return r < 0 ? r : 0;
}

int container_podman_cpus(const struct unit_file *file, const char *unit_name, int64_t *ret_milli,
                          struct error *err)
{
    struct container container = { 0 };
    struct reading reading = { .container = &container,
                               .unit_name = unit_name,
                               .machine = &specifier_any_machine };
    int r = 0;
    for (size_t i = 0; r != -ENOMEM && i < file->count; i++) {
        const struct unit_option *option = &file->options[i];
        if (strcmp(option->section, "Container") == 0 && strcmp(option->key, "PodmanArgs") == 0)
            r = take_podman_args(&reading, option, NULL, NULL);
    }
    *ret_milli = container.cpu_permille;
    drop_arguments(&container);
    return r == -ENOMEM ? error_oom(err) : 0;
}

const struct container_key container_podman_keys[] = {
    {"PodmanArgs", take_podman_args, 0},
    { NULL,        NULL,             0},
};
