/* SPDX-License-Identifier: Apache-2.0 */
#include "units/requirements.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "units/requirements_parts.h"

void requirements_clear_rules(struct metadata_rule **rules, size_t *count)
{
    metadata_free(*rules, *count);
    *rules = NULL;
    *count = 0;
}

void requirements_free(struct requirements *requirements)
{
    if (!requirements)
        return;
    free(requirements->machine_id);
    strv_free(requirements->machine_of);
    requirements_clear_rules(&requirements->metadata, &requirements->metadata_count);
    requirements_clear_rules(&requirements->prefer, &requirements->prefer_count);
    strv_free(requirements->conflicts);
    strv_free(requirements->replaces);
    strv_free(requirements->capabilities);
    free(requirements->spread);
    free(requirements->ports);
    free(requirements);
}

static const struct {
    enum failover failover;
    const char *name;
} failover_names[] = {
    {FAILOVER_AT_LEAST_ONCE, "at-least-once"},
    { FAILOVER_NEVER,        "never"        },
};

const char *failover_name(enum failover failover)
{
    for (size_t i = 0; i < sizeof(failover_names) / sizeof(failover_names[0]); i++)
        if (failover_names[i].failover == failover)
            return failover_names[i].name;
    return NULL;
}

enum failover failover_from_name(const char *name)
{
    for (size_t i = 0; i < sizeof(failover_names) / sizeof(failover_names[0]); i++)
        if (text_equal(failover_names[i].name, name))
            return failover_names[i].failover;
    return FAILOVER_INVALID;
}

const char *resource_name(enum resource resource)
{
    static const char *const resource_names[] = {
        [RESOURCE_CPU] = "cpu",
        [RESOURCE_MEMORY] = "memory",
        [RESOURCE_TASKS] = "tasks",
    };
    return resource < RESOURCES ? resource_names[resource] : NULL;
}

int requirements_add_rule(struct metadata_rule **rules, size_t *count, const char *key,
                          size_t key_length, const char *value, struct error *err)
{
    struct metadata_rule *grown = reallocarray(*rules, *count + 1, sizeof(*grown));
    if (!grown)
        return error_oom(err);
    *rules = grown;
    struct metadata_rule *rule = &grown[(*count)++];
    rule->key = strndup(key, key_length);
    rule->value = strdup(value);
    return rule->key && rule->value ? 0 : error_oom(err);
}

int requirements_add_port(struct requirements *requirements, const struct port_claim *claim,
                          struct error *err)
{
    struct port_claim *grown =
        reallocarray(requirements->ports, requirements->port_count + 1, sizeof(*grown));
    if (!grown)
        return error_oom(err);
    requirements->ports = grown;
    grown[requirements->port_count++] = *claim;
    return 0;
}

/* --- copying --- */

static int copy_rules(const struct metadata_rule *from, size_t from_count,
                      struct metadata_rule **to, size_t *to_count, struct error *err)
{
    int r = 0;
    for (size_t i = 0; r >= 0 && i < from_count; i++)
        r = requirements_add_rule(to, to_count, from[i].key, strlen(from[i].key), from[i].value,
                                  err);
    return r;
}

static int copy_text(const char *from, char **to, struct error *err)
{
    *to = from ? strdup(from) : NULL;
    return from && !*to ? error_oom(err) : 0;
}

static int copy_lists(const struct requirements *from, struct requirements *to, struct error *err)
{
    int r = strv_copy(from->machine_of, &to->machine_of, err);
    if (r >= 0)
        r = strv_copy(from->conflicts, &to->conflicts, err);
    if (r >= 0)
        r = strv_copy(from->replaces, &to->replaces, err);
    if (r >= 0)
        r = strv_copy(from->capabilities, &to->capabilities, err);
    if (r >= 0)
        r = copy_rules(from->metadata, from->metadata_count, &to->metadata, &to->metadata_count,
                       err);
    if (r >= 0)
        r = copy_rules(from->prefer, from->prefer_count, &to->prefer, &to->prefer_count, err);
    for (size_t i = 0; r >= 0 && i < from->port_count; i++)
        r = requirements_add_port(to, &from->ports[i], err);
    return r;
}

static int copy_fields(const struct requirements *from, struct requirements *to, struct error *err)
{
    memcpy(to->requests, from->requests, sizeof(to->requests));
    to->max_per_machine = from->max_per_machine;
    to->priority = from->priority;
    to->global = from->global;
    to->ends = from->ends;
    to->start_first = from->start_first;
    to->failover = from->failover;
    int r = copy_text(from->machine_id, &to->machine_id, err);
    if (r >= 0)
        r = copy_text(from->spread, &to->spread, err);
    return r < 0 ? r : copy_lists(from, to, err);
}

int requirements_copy(const struct requirements *from, struct requirements **ret, struct error *err)
{
    autoptr(requirements) copy = calloc(1, sizeof(*copy));
    if (!copy)
        return error_oom(err);
    int r = copy_fields(from, copy, err);
    if (r < 0)
        return r;
    *ret = take_ptr(copy);
    return 0;
}
