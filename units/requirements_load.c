/* SPDX-License-Identifier: Apache-2.0 */
/* What a unit's limits and published ports say about the room that it takes. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "units/amount.h"
#include "units/container_value.h"
#include "units/requirements_parts.h"
#include "units/specifier.h"

enum { PORTS_MAX = 1024 };

/* --- limits --- */

struct limit {
    const char *section, *key;
    enum resource resource;
    int (*parse)(const char *text, int64_t *ret, struct error *err);
};

/* systemd's own key first: it is the one that holds where both stand. */
static const struct limit limits[] = {
    {"Service",    "CPUQuota",  RESOURCE_CPU,    amount_parse_cpu  },
    { "Service",   "MemoryMax", RESOURCE_MEMORY, amount_parse_bytes},
    { "Container", "Memory",    RESOURCE_MEMORY, amount_parse_bytes},
    { "Service",   "TasksMax",  RESOURCE_TASKS,  amount_parse_count},
    { "Container", "PidsLimit", RESOURCE_TASKS,  amount_parse_count},
};

/* "infinity", percentages of a machine and what is no amount at all say nothing. */
static void take_limit(const struct unit_file *file, const struct limit *limit,
                       struct requirements *requirements)
{
    const char *value = unit_file_get(file, limit->section, limit->key);
    int64_t amount = 0;
    if (value && limit->parse(value, &amount, NULL) == 0 && amount > 0)
        requirements->requests[limit->resource] = amount;
}

static int take_limits(const struct unit_file *file, const char *unit_name,
                       const bool asked[RESOURCES], struct requirements *requirements,
                       struct error *err)
{
    bool said[RESOURCES] = { false };
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        enum resource resource = limits[i].resource;
        if (asked[resource] || said[resource])
            continue;
        take_limit(file, &limits[i], requirements);
        said[resource] = unit_file_has_value(file, limits[i].section, limits[i].key);
    }
    return asked[RESOURCE_CPU] || said[RESOURCE_CPU]
               ? 0
               : container_podman_cpus(file, unit_name, &requirements->requests[RESOURCE_CPU], err);
}

/* --- ports --- */

static bool is_any_address(const char *address)
{
    return strcmp(address, "0.0.0.0") == 0 || strcmp(address, "::") == 0;
}

static int add_ports(struct requirements *requirements, const struct container_port *port,
                     struct error *err)
{
    const char *address = port->host_ip && !is_any_address(port->host_ip) ? port->host_ip : "";
    int r = 0;
    for (int64_t i = 0; r >= 0 && i < port->count; i++) {
        struct port_claim claim = { .port = (uint16_t)(port->host_port + i) };
        (void)snprintf(claim.protocol, sizeof(claim.protocol), "%s", port->protocol);
        (void)snprintf(claim.address, sizeof(claim.address), "%s", address);
        if (requirements->port_count >= PORTS_MAX)
            return error_set(err, -EINVAL, "PublishPort=: more than %d published ports", PORTS_MAX);
        r = requirements_add_port(requirements, &claim, err);
    }
    return r;
}

/* A port that the machine may choose is no claim. */
static int take_port(struct requirements *requirements, const char *value, const char *unit_name,
                     struct error *err)
{
    autofree char *text = NULL;
    struct container_port port = { 0 };
    int r = specifier_expand(value, unit_name, NULL, &text, NULL);
    if (r == 0)
        r = container_port_parse(text, &port, NULL);
    if (r == 0 && port.host_port > 0)
        r = add_ports(requirements, &port, err);
    else if (r == -ENOMEM)
        r = error_oom(err);
    else
        r = 0; /* whose key it is says so */
    free(port.host_ip);
    free(port.protocol);
    return r;
}

static bool shares_the_hosts_network(const struct unit_file *file)
{
    const char *network = unit_file_get(file, "Container", "Network");
    if (!network)
        network = unit_file_get(file, "Pod", "Network");
    return network && (strcmp(network, "host") == 0 || strcmp(network, "none") == 0);
}

static int take_ports(const struct unit_file *file, const char *unit_name,
                      struct requirements *requirements, struct error *err)
{
    int r = 0;
    for (size_t i = 0; r >= 0 && i < file->count; i++) {
        const struct unit_option *option = &file->options[i];
        bool is_ours =
            strcmp(option->section, "Container") == 0 || strcmp(option->section, "Pod") == 0;
        if (!is_ours || strcmp(option->key, "PublishPort") != 0)
            continue;
        if (!*option->value)
            requirements->port_count = 0; /* as an empty list does */
        else
            r = take_port(requirements, option->value, unit_name, err);
    }
    return r;
}

int requirements_read_load(const struct unit_file *file, const char *unit_name,
                           const bool asked[RESOURCES], struct requirements *requirements,
                           struct error *err)
{
    int r = take_limits(file, unit_name, asked, requirements, err);
    return r < 0 || shares_the_hosts_network(file) ? r
                                                   : take_ports(file, unit_name, requirements, err);
}
