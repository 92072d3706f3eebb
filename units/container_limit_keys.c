/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of [Container] about limits and about how it ends. */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/shape.h"
#include "base/text.h"
#include "units/container_take.h"
#include "units/container_value.h"

/* --- Ulimit=NAME=SOFT[:HARD] --- */

static const char *const ulimit_names[] = {
    "core",   "cpu",   "data", "fsize",  "locks",  "memlock",    "msgqueue", "nice",
    "nofile", "nproc", "rss",  "rtprio", "rttime", "sigpending", "stack",    NULL,
};

static bool is_ulimit(const char *name)
{
    for (const char *const *known = ulimit_names; *known; known++)
        if (strcmp(*known, name) == 0)
            return true;
    return false;
}

static int ulimit_number(const char *text, int64_t *ret)
{
    if (strcmp(text, "unlimited") == 0) {
        *ret = -1;
        return 0;
    }
    return take_parse_int(text, -1, INT64_MAX, ret);
}

static int ulimit_parse(const struct unit_option *option, char *text,
                        struct container_ulimit *limit, struct error *err)
{
    char *rest = text;
    const char *name = strsep(&rest, "=");
    const char *soft = rest ? strsep(&rest, ":") : NULL;
    bool host = strcmp(name, "host") == 0 && !soft;
    if (!host && !is_ulimit(name))
        return unit_option_error(err, option, "\"%s\" is no limit; there are nofile, nproc, core …",
                                 name);
    if (!host && (!soft || ulimit_number(soft, &limit->soft) < 0 ||
                  ulimit_number(rest ? rest : soft, &limit->hard) < 0))
        return unit_option_error(err, option, "want NAME=SOFT[:HARD] in numbers, -1 is no limit");
    if (limit->hard >= 0 && (limit->soft < 0 || limit->soft > limit->hard))
        return unit_option_error(err, option, "the soft limit is over the hard one");
    limit->name = strdup(name);
    return limit->name ? 0 : error_oom(err);
}

static int take_ulimit(struct reading *reading, const struct unit_option *option, void *field,
                       struct error *err)
{
    struct container *container = reading->container;
    autofree char *value = NULL;
    (void)field;
    if (!*option->value) {
        container_clear_ulimits(container);
        return 0;
    }
    int r = take_expanded(reading, option, &value, err);
    if (r < 0)
        return r;
    struct container_ulimit *limit =
        shape_list_add(&container->ulimits, &container->ulimit_count, sizeof(*limit));
    return limit ? ulimit_parse(option, value, limit, err) : error_oom(err);
}

/* --- Sysctl=NAME=VALUE --- */

/* Those that belong to a namespace; any other would be the machine's. */
static bool is_namespaced(const char *name)
{
    static const char *const prefixes[] = {
        "net.", "fs.mqueue.", "kernel.msg", "kernel.shm", "kernel.sem=", "kernel.domainname=", NULL
    };
    for (const char *const *prefix = prefixes; *prefix; prefix++)
        if (text_starts_with(name, *prefix))
            return true;
    return false;
}

static int take_sysctl(struct reading *reading, const struct unit_option *option, void *field,
                       struct error *err)
{
    int r = take_words(reading, option, field, err);
    for (char **word = *(char ***)field; r == 0 && word && *word; word++) {
        if (**word == '=' || !strchr(*word, '=') || strpbrk(*word, "/ "))
            return unit_option_error(err, option, "\"%s\" is no NAME=VALUE with dots in the name",
                                     *word);
        if (!is_namespaced(*word))
            return unit_option_error(err, option,
                                     "\"%s\" would be the whole machine's; a container has net.*, "
                                     "fs.mqueue.*, kernel.msg*, kernel.shm*, kernel.sem and "
                                     "kernel.domainname",
                                     *word);
    }
    return r;
}

/* --- numbers --- */

/* -1 is no limit, and so is 0, as Podman has it. */
static int take_pids(struct reading *reading, const struct unit_option *option, void *field,
                     struct error *err)
{
    autofree char *value = NULL;
    int64_t *pids = field;
    int r = take_expanded(reading, option, &value, err);
    if (r < 0)
        return r;
    if (!*value) {
        *pids = 0;
        return 0;
    }
    if (take_parse_int(value, -1, INT_MAX, pids) < 0)
        return unit_option_error(err, option, "want a number of tasks, or -1 for no limit");
    if (*pids == 0)
        *pids = -1;
    return 0;
}

static int take_stop_timeout(struct reading *reading, const struct unit_option *option, void *field,
                             struct error *err)
{
    int r = take_count(reading, option, field, err);
    if (r == 0 && *option->value && *(int64_t *)field == 0)
        return unit_option_error(err, option,
                                 "want seconds, 1 or more; StopSignal=SIGKILL ends it "
                                 "at once");
    return r;
}

/* "no-conmon" leaves Podman's own supervisor out of the scope, and there is none here; "disabled"
 * leaves the container in the cgroup that it began in, which is the service's. */
static int take_cgroups(struct reading *reading, const struct unit_option *option, void *field,
                        struct error *err)
{
    static const char *const words[] = { NULL, "split", "enabled", "disabled", "no-conmon", NULL };
    static const enum container_cgroups meanings[] = {
        CONTAINER_CGROUPS_INVALID, CONTAINER_CGROUPS_SPLIT,   CONTAINER_CGROUPS_ENABLED,
        CONTAINER_CGROUPS_SPLIT,   CONTAINER_CGROUPS_ENABLED,
    };
    int word = 0;
    int r = take_word_of(words, reading, option, &word, err);
    if (r == 0)
        *(enum container_cgroups *)field = meanings[word];
    return r;
}

const struct container_key container_limit_keys[] = {
    {"CgroupsMode",   take_cgroups,      CONTAINER_FIELD(cgroups)       },
    { "Memory",       take_size,         CONTAINER_FIELD(memory_bytes)  },
    { "PidsLimit",    take_pids,         CONTAINER_FIELD(pids)          },
    { "ReloadCmd",    take_command,      CONTAINER_FIELD(reload_command)},
    { "ReloadSignal", take_signal,       CONTAINER_FIELD(reload_signal) },
    { "StopSignal",   take_signal,       CONTAINER_FIELD(stop_signal)   },
    { "StopTimeout",  take_stop_timeout, CONTAINER_FIELD(stop_seconds)  },
    { "Sysctl",       take_sysctl,       CONTAINER_FIELD(sysctls)       },
    { "Ulimit",       take_ulimit,       0                              },
    { NULL,           NULL,              0                              },
};
