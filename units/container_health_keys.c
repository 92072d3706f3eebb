/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of [Container] about its health: what is asked, how often, and what a failure does. */
#include <string.h>

#include "base/text.h"
#include "units/container_take.h"
#include "units/container_value.h"

static int shell_words(const char *line, char ***ret, struct error *err)
{
    int r = strv_add(ret, "/bin/sh", err);
    if (r == 0)
        r = strv_add(ret, "-c", err);
    return r < 0 ? r : strv_add(ret, line, err);
}

/* A line for the shell of the image, ["PROGRAM", …], or none. */
static int take_check(struct reading *reading, const struct unit_option *option, void *field,
                      struct error *err)
{
    autofree char *value = NULL;
    autostrv words = NULL;
    char ***command = field;
    bool startup = command == &reading->container->health.startup_command;
    int r = take_expanded(reading, option, &value, err);
    if (r < 0)
        return r;
    take_undouble_dollars(value);
    bool none = strcmp(value, "none") == 0;
    if (!startup)
        reading->container->health.disabled = none;
    if (*value == '[')
        r = take_json_words(option, value, &words, err);
    else if (*value && !none)
        r = shell_words(value, &words, err);
    if (r < 0)
        return r;
    strv_free(*command);
    *command = take_ptr(words);
    return 0;
}

/* "disable" is Podman's word for a check that is made by hand only: here, never. */
static int take_interval(struct reading *reading, const struct unit_option *option, void *field,
                         struct error *err)
{
    if (strcmp(option->value, "disable") == 0) {
        reading->container->health.disabled = true;
        return 0;
    }
    return take_duration(reading, option, field, err);
}

static int take_on_failure(struct reading *reading, const struct unit_option *option, void *field,
                           struct error *err)
{
    return take_word_of(container_on_failure_words, reading, option, field, err);
}

const struct container_key container_health_keys[] = {
    {"HealthCmd",              take_check,      CONTAINER_FIELD(health.command)            },
    { "HealthInterval",        take_interval,   CONTAINER_FIELD(health.interval_ms)        },
    { "HealthOnFailure",       take_on_failure, CONTAINER_FIELD(health.on_failure)         },
    { "HealthRetries",         take_count,      CONTAINER_FIELD(health.retries)            },
    { "HealthStartPeriod",     take_duration,   CONTAINER_FIELD(health.start_period_ms)    },
    { "HealthStartupCmd",      take_check,      CONTAINER_FIELD(health.startup_command)    },
    { "HealthStartupInterval", take_duration,   CONTAINER_FIELD(health.startup_interval_ms)},
    { "HealthStartupRetries",  take_count,      CONTAINER_FIELD(health.startup_retries)    },
    { "HealthStartupSuccess",  take_count,      CONTAINER_FIELD(health.startup_successes)  },
    { "HealthStartupTimeout",  take_duration,   CONTAINER_FIELD(health.startup_timeout_ms) },
    { "HealthTimeout",         take_duration,   CONTAINER_FIELD(health.timeout_ms)         },
    { NULL,                    NULL,            0                                          },
};
