/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of [Container] that say how it is reached and what it reaches. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/shape.h"
#include "base/text.h"
#include "units/container_take.h"
#include "units/container_value.h"
#include "units/unit_name.h"

enum { PORT_MAX = 65535 };

static bool is_address(int family, const char *text)
{
    unsigned char address[sizeof(struct in6_addr)];
    return inet_pton(family, text, address) == 1;
}

static bool is_any_address(const char *text)
{
    return is_address(AF_INET, text) || is_address(AF_INET6, text);
}

/* --- Network= --- */

/* Several networks may be joined, anything else stands alone. */
static int set_mode(struct reading *reading, const struct unit_option *option,
                    enum container_network_mode mode, struct error *err)
{
    struct container *container = reading->container;
    bool first = container->network == CONTAINER_NETWORK_INVALID;
    if (!first && (mode != CONTAINER_NETWORK_BRIDGE || container->network != mode))
        return unit_option_error(err, option,
                                 "line %u says Network=%s already; only bridge networks can be "
                                 "several",
                                 reading->network_option->line, reading->network_option->value);
    container->network = mode;
    reading->network_option = option;
    return 0;
}

static int set_target(struct reading *reading, const struct unit_option *option,
                      enum container_network_mode mode, const char *target, struct error *err)
{
    int r = set_mode(reading, option, mode, err);
    if (r < 0)
        return r;
    reading->container->network_target = strdup(target);
    return reading->container->network_target ? 0 : error_oom(err);
}

/* "web.container" and "container:web" are the container of web.service. */
static int join_unit(struct reading *reading, const struct unit_option *option, const char *name,
                     struct error *err)
{
    struct error reason = { 0 };
    const char *stem = text_starts_with(name, "systemd-") ? name + strlen("systemd-") : name;
    size_t length = strlen(stem);
    if (text_ends_with(stem, ".container"))
        length -= strlen(".container");
    else if (text_ends_with(stem, ".service"))
        length -= strlen(".service");
    autofree char *unit = text_format("%.*s.service", (int)length, stem);
    if (!unit)
        return error_oom(err);
    int r = unit_name_check(unit, &reason);
    if (r < 0)
        return take_failed(option, r, &reason, err);
    if (strcmp(unit, reading->unit_name) == 0)
        return unit_option_error(err, option, "that is this unit itself");
    return set_target(reading, option, CONTAINER_NETWORK_UNIT, unit, err);
}

static bool is_network_option(const char *word)
{
    static const char *const names[] = { "ip=", "ip6=", "mac=", "alias=", "interface_name=", NULL };
    for (const char *const *name = names; *name; name++)
        if (text_starts_with(word, *name))
            return word[strlen(*name)] != '\0';
    return false;
}

/* NAME[.network][:OPTION,…]; "bridge" is the default network. NAME.network is the network that
 * Quadlet would have called systemd-NAME, and muster calls NAME. */
static int join_network(struct reading *reading, const struct unit_option *option, char *value,
                        struct error *err)
{
    struct container *container = reading->container;
    char *options = value;
    char *name = strsep(&options, ":");
    if (text_ends_with(name, ".network"))
        name[strlen(name) - strlen(".network")] = '\0';
    if (!take_is_object_name(name))
        return unit_option_error(err, option, "this is no name of a network");
    int r = set_mode(reading, option, CONTAINER_NETWORK_BRIDGE, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < container->network_count; i++)
        if (strcmp(container->networks[i].name, name) == 0)
            return unit_option_error(err, option, "network %s is said twice", name);
    struct container_network *network =
        shape_list_add(&container->networks, &container->network_count, sizeof(*network));
    if (!network)
        return error_oom(err);
    network->name = strdup(name);
    if (!network->name)
        return error_oom(err);
    for (char *word; r == 0 && (word = strsep(&options, ",")) != NULL;) {
        if (!is_network_option(word))
            return unit_option_error(err, option,
                                     "\"%s\" is not known of a network; there are ip=, ip6=, mac=, "
                                     "alias= and interface_name=",
                                     word);
        r = strv_add(&network->options, word, err);
    }
    return r;
}

static int take_network_value(struct reading *reading, const struct unit_option *option,
                              char *value, struct error *err)
{
    static const char container_prefix[] = "container:";
    static const char ns_prefix[] = "ns:";
    if (strcmp(value, "none") == 0)
        return set_mode(reading, option, CONTAINER_NETWORK_NONE, err);
    if (strcmp(value, "host") == 0)
        return set_mode(reading, option, CONTAINER_NETWORK_HOST, err);
    if (strcmp(value, "private") == 0)
        memcpy(value, "bridge", sizeof("bridge"));
    if (text_starts_with(value, "pasta") || text_starts_with(value, "slirp4netns"))
        return unit_option_error(err, option,
                                 "this is for containers without root; want bridge, host, none, "
                                 "the name of a network, NAME.container or ns:/PATH");
    if (text_starts_with(value, container_prefix))
        return join_unit(reading, option, value + strlen(container_prefix), err);
    if (text_ends_with(value, ".container"))
        return join_unit(reading, option, value, err);
    if (!text_starts_with(value, ns_prefix))
        return join_network(reading, option, value, err);
    if (!take_is_path_below_root(value + strlen(ns_prefix)))
        return unit_option_error(err, option, "after ns: want an absolute path");
    return set_target(reading, option, CONTAINER_NETWORK_PATH, value + strlen(ns_prefix), err);
}

static int take_network(struct reading *reading, const struct unit_option *option, void *field,
                        struct error *err)
{
    struct container *container = reading->container;
    autofree char *value = NULL;
    (void)field;
    if (!*option->value) {
        container_clear_networks(container);
        free(container->network_target);
        container->network_target = NULL;
        container->network = CONTAINER_NETWORK_INVALID;
        return 0;
    }
    int r = take_expanded(reading, option, &value, err);
    return r < 0 ? r : take_network_value(reading, option, value, err);
}

/* --- PublishPort=[[IP:]HOST:]CONTAINER[/PROTOCOL] --- */

struct range {
    int64_t first, count;
};

static int range_parse(const char *text, struct range *ret)
{
    autofree char *copy = strdup(text);
    int64_t last = 0;
    if (!copy)
        return -ENOMEM;
    char *rest = copy;
    const char *first = strsep(&rest, "-");
    if (take_parse_int(first, 1, PORT_MAX, &ret->first) < 0)
        return -EINVAL;
    last = ret->first;
    if (rest && take_parse_int(rest, ret->first, PORT_MAX, &last) < 0)
        return -EINVAL;
    ret->count = last - ret->first + 1;
    return 0;
}

/* Cuts "[::1]:" or "10.0.0.1:" off the front; an address is there only before two colons. */
static char *cut_address(char **rest)
{
    char *address = NULL;
    if (**rest == '[') {
        address = *rest + 1;
        char *end = strstr(address, "]:");
        if (!end)
            return address; /* no address at all, as the caller will find */
        *end = '\0';
        *rest = end + 2;
        return address;
    }
    char *first = strchr(*rest, ':');
    if (!first || !strchr(first + 1, ':'))
        return NULL;
    address = *rest;
    *first = '\0';
    *rest = first + 1;
    return address;
}

int container_port_parse(char *text, struct container_port *port, struct error *err)
{
    char *slash = strrchr(text, '/');
    const char *protocol = slash ? slash + 1 : "tcp";
    if (slash)
        *slash = '\0';
    if (strcmp(protocol, "tcp") != 0 && strcmp(protocol, "udp") != 0 &&
        strcmp(protocol, "sctp") != 0)
        return error_set(err, -EINVAL, "\"%s\" is not tcp, udp or sctp", protocol);
    const char *address = cut_address(&text);
    if (address && *address && !is_any_address(address))
        return error_set(err, -EINVAL, "\"%s\" is no address", address);
    char *inside = strrchr(text, ':');
    const char *outside = inside ? text : NULL;
    if (inside)
        *inside++ = '\0';
    struct range in = { 0 };
    struct range out = { 0 };
    if (range_parse(inside ? inside : text, &in) < 0 ||
        (outside && *outside && strcmp(outside, "0") != 0 && range_parse(outside, &out) < 0))
        return error_set(err, -EINVAL,
                         "want [[IP:]HOSTPORT:]PORT[/tcp|udp|sctp], ports from 1 to %d, "
                         "ranges as 8000-8010",
                         PORT_MAX);
    if (out.first && out.count != in.count)
        return error_set(err, -EINVAL, "the two ranges are of different length");
    port->host_port = out.first;
    port->container_port = in.first;
    port->count = in.count;
    port->protocol = strdup(protocol);
    port->host_ip = address && *address ? strdup(address) : NULL;
    return port->protocol && (port->host_ip || !address || !*address) ? 0 : error_oom(err);
}

static int take_port(struct reading *reading, const struct unit_option *option, void *field,
                     struct error *err)
{
    struct container *container = reading->container;
    autofree char *value = NULL;
    (void)field;
    if (!*option->value) {
        container_clear_ports(container);
        return 0;
    }
    int r = take_expanded(reading, option, &value, err);
    if (r < 0)
        return r;
    if (container->port_count >= UNIT_LIST_MAX)
        return unit_option_error(err, option, "more than %d ports", UNIT_LIST_MAX);
    struct container_port *port =
        shape_list_add(&container->ports, &container->port_count, sizeof(*port));
    if (!port)
        return error_oom(err);
    struct error reason = { 0 };
    r = container_port_parse(value, port, &reason);
    return r < 0 ? take_failed(option, r, &reason, err) : 0;
}

/* --- addresses and names --- */

static int take_address(struct reading *reading, const struct unit_option *option, void *field,
                        struct error *err)
{
    int family = strcmp(option->key, "IP6") == 0 ? AF_INET6 : AF_INET;
    int r = take_string(reading, option, field, err);
    const char *address = *(char **)field;
    if (r == 0 && address && !is_address(family, address))
        return unit_option_error(err, option, "this is no IPv%c address",
                                 family == AF_INET ? '4' : '6');
    return r;
}

static int take_dns(struct reading *reading, const struct unit_option *option, void *field,
                    struct error *err)
{
    int r = take_line(reading, option, field, err);
    if (r == 0 && *option->value && strcmp(option->value, "none") != 0 &&
        strchr(option->value, '%') == NULL && !is_any_address(option->value))
        return unit_option_error(err, option, "want the address of a name server, or none");
    return r;
}

/* NAME[;NAME…]:ADDRESS */
static int take_host(struct reading *reading, const struct unit_option *option, void *field,
                     struct error *err)
{
    int r = take_line(reading, option, field, err);
    if (r < 0 || !*option->value)
        return r;
    char **list = *(char ***)field;
    const char *line = list[strv_length(list) - 1];
    const char *colon = strchr(line, ':');
    if (!colon || colon == line || strpbrk(line, " \t") ||
        (strcmp(colon + 1, "host-gateway") != 0 && !is_any_address(colon + 1)))
        return unit_option_error(err, option, "want NAME:ADDRESS, or NAME:host-gateway");
    return 0;
}

static int take_aliases(struct reading *reading, const struct unit_option *option, void *field,
                        struct error *err)
{
    int r = take_words(reading, option, field, err);
    for (char **name = *(char ***)field; r == 0 && name && *name; name++)
        if (!take_is_object_name(*name))
            return unit_option_error(err, option, "\"%s\" is no host name", *name);
    return r;
}

/* A line of resolv.conf each; nothing else may get into it. */
static int take_resolver_words(struct reading *reading, const struct unit_option *option,
                               void *field, struct error *err)
{
    int r = take_line(reading, option, field, err);
    for (char **word = *(char ***)field; r == 0 && word && *word; word++)
        if (strpbrk(*word, " \t\n\r"))
            return unit_option_error(err, option, "want one word a line");
    return r;
}

const struct container_key container_network_keys[] = {
    {"AddHost",       take_host,           CONTAINER_FIELD(add_hosts)      },
    { "DNS",          take_dns,            CONTAINER_FIELD(dns)            },
    { "DNSOption",    take_resolver_words, CONTAINER_FIELD(dns_options)    },
    { "DNSSearch",    take_resolver_words, CONTAINER_FIELD(dns_search)     },
    { "IP",           take_address,        CONTAINER_FIELD(ip)             },
    { "IP6",          take_address,        CONTAINER_FIELD(ip6)            },
    { "Network",      take_network,        0                               },
    { "NetworkAlias", take_aliases,        CONTAINER_FIELD(network_aliases)},
    { "PublishPort",  take_port,           0                               },
    { NULL,           NULL,                0                               },
};
