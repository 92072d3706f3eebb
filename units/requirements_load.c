/* SPDX-License-Identifier: Apache-2.0 */
/* What a unit's limits and published ports say about the room that it takes. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "units/amount.h"
#include "units/requirements_parts.h"
#include "units/specifier.h"

enum { PORT_MAX = 65535, PORTS_MAX = 1024 };

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
    if (value && limit->parse(value, &amount, NULL) == 0 && amount > 0 &&
        requirements->requests[limit->resource] == 0)
        requirements->requests[limit->resource] = amount;
}

/* --- ports --- */

struct range {
    unsigned int first, last;
};

static bool read_range(const char *text, struct range *ret)
{
    int end = 0;
    /* Five digits fit, and what they say is judged below. NOLINTNEXTLINE(cert-err34-c) */
    if (sscanf(text, "%5u-%5u%n", &ret->first, &ret->last, &end) < 2 || text[end] != '\0') {
        uint64_t port = 0;
        if (text_parse_u64(text, PORT_MAX, &port, NULL) < 0)
            return false;
        ret->first = ret->last = (unsigned int)port;
    }
    return ret->first > 0 && ret->first <= ret->last && ret->last <= PORT_MAX;
}

static bool is_any_address(const char *address)
{
    return strcmp(address, "0.0.0.0") == 0 || strcmp(address, "::") == 0 ||
           strcmp(address, "*") == 0;
}

/* [[IP:]HOST:]CONTAINER: cuts off the last part, then the port, and what is left is the address, in
 * brackets or not. False: no port of the host is named. */
static bool split_port(char *text, struct range *ret_ports, const char **ret_address)
{
    char *inside = strrchr(text, ':');
    if (!inside || inside == text)
        return false;
    *inside = '\0';
    char *host = strrchr(text, ':');
    *ret_address = "";
    if (host) {
        *host++ = '\0';
        size_t length = strlen(text);
        if (*text == '[' && length > 1 && text[length - 1] == ']') {
            text[length - 1] = '\0';
            text++;
        }
        *ret_address = is_any_address(text) ? "" : text;
    }
    return read_range(host ? host : text, ret_ports);
}

static int add_ports(struct requirements *requirements, const struct range *ports,
                     const char *address, const char *protocol, struct error *err)
{
    int r = 0;
    for (unsigned int port = ports->first; r >= 0 && port <= ports->last; port++) {
        struct port_claim claim = { .port = (uint16_t)port };
        (void)snprintf(claim.protocol, sizeof(claim.protocol), "%s", protocol);
        (void)snprintf(claim.address, sizeof(claim.address), "%s", address);
        if (requirements->port_count >= PORTS_MAX)
            return error_set(err, -EINVAL, "[Container]: more than %d published ports", PORTS_MAX);
        r = requirements_add_port(requirements, &claim, err);
    }
    return r;
}

static int take_port(struct requirements *requirements, const char *value, const char *unit_name,
                     struct error *err)
{
    autofree char *text = NULL;
    struct range ports = { 0 };
    const char *address = NULL;
    int r = specifier_expand(value, unit_name, &text, NULL);
    if (r == -ENOMEM)
        return error_oom(err);
    if (r < 0)
        return 0; /* whose key it is says so */
    char *slash = strchr(text, '/');
    const char *protocol = "tcp";
    if (slash) {
        *slash = '\0';
        protocol = slash + 1;
    }
    if (!split_port(text, &ports, &address))
        return 0;
    return add_ports(requirements, &ports, address, protocol, err);
}

static bool shares_the_hosts_network(const struct unit_file *file)
{
    const char *network = unit_file_get(file, "Container", "Network");
    return network && (strcmp(network, "host") == 0 || strcmp(network, "none") == 0);
}

static int take_ports(const struct unit_file *file, const char *unit_name,
                      struct requirements *requirements, struct error *err)
{
    int r = 0;
    for (size_t i = 0; r >= 0 && i < file->count; i++) {
        const struct unit_option *option = &file->options[i];
        if (strcmp(option->section, "Container") != 0 || strcmp(option->key, "PublishPort") != 0)
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
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
        if (!asked[limits[i].resource])
            take_limit(file, &limits[i], requirements);
    return shares_the_hosts_network(file) ? 0 : take_ports(file, unit_name, requirements, err);
}
