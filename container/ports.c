/* SPDX-License-Identifier: Apache-2.0 */
#include "container/ports.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/text.h"

enum { PORT_MAX = 65535, TRIES_MAX = 200 };

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* --- ports that others of our containers have --- */

static const char *ip_of(const json_t *port)
{
    const char *ip = json_string_value(json_object_get(port, "hostIP"));
    return ip ? ip : "";
}

/* One on all addresses meets any other. */
static bool meet(const char *ip, const char *other)
{
    return !*ip || !*other || strcmp(ip, other) == 0;
}

static bool has_port(const json_t *ports, const char *ip, const char *protocol, int64_t number)
{
    size_t i = 0;
    const json_t *port = NULL;
    json_array_foreach(ports, i, port)
        if (json_integer_value(json_object_get(port, "hostPort")) == number &&
            text_equal(json_string_value(json_object_get(port, "protocol")), protocol) &&
            meet(ip, ip_of(port)))
            return true;
    return false;
}

/* --- ports on which programs of the machine listen --- */

static socklen_t address_of(const char *ip, int64_t number, union address *ret)
{
    *ret = (union address){ 0 };
    if (inet_pton(AF_INET6, ip, &ret->v6.sin6_addr) == 1) {
        ret->v6.sin6_family = AF_INET6;
        ret->v6.sin6_port = htons((uint16_t)number);
        return sizeof(ret->v6);
    }
    ret->v4.sin_family = AF_INET;
    ret->v4.sin_port = htons((uint16_t)number);
    if (inet_pton(AF_INET, ip, &ret->v4.sin_addr) != 1)
        ret->v4.sin_addr.s_addr = INADDR_ANY;
    return sizeof(ret->v4);
}

static int socket_for(const char *protocol, int family)
{
    int fd = -1;
    if (strcmp(protocol, "udp") == 0)
        fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    else
        fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC,
                    strcmp(protocol, "sctp") == 0 ? IPPROTO_SCTP : 0);
    /* Connections that have ended keep no one from listening. For udp the same option would let two
     * programs share a port. */
    int on = 1;
    if (fd >= 0 && strcmp(protocol, "udp") != 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    return fd;
}

/* Gives the port in *number, where that is 0 one that is free. An address that the machine does not
 * have may come to it later, and a protocol that the kernel lacks is portmap's to tell. */
static int try_bind(const char *ip, const char *protocol, int64_t *number)
{
    union address address;
    socklen_t length = address_of(ip, *number, &address);
    autoclose int fd = socket_for(protocol, address.any.sa_family);
    if (fd < 0)
        return *number ? 0 : -errno;
    if (bind(fd, &address.any, length) < 0)
        return errno == EADDRINUSE || !*number ? -errno : 0;
    if (getsockname(fd, &address.any, &length) < 0)
        return -errno;
    *number = ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
    return 0;
}

/* --- choosing --- */

struct choice {
    const struct ports_holder *holders; /* borrowed */
    size_t holder_count;
    json_t *ports; /* owned */
};

static const char *holder_of(const struct choice *choice, const char *ip, const char *protocol,
                             int64_t number)
{
    for (size_t i = 0; i < choice->holder_count; i++)
        if (has_port(choice->holders[i].ports, ip, protocol, number))
            return choice->holders[i].unit;
    return NULL;
}

static int check_free(const struct choice *choice, const char *ip, const char *protocol,
                      int64_t number, struct error *err)
{
    const char *holder = holder_of(choice, ip, protocol, number);
    if (holder)
        return error_set(err, -EADDRINUSE, "port %lld/%s of this machine is published by %s",
                         (long long)number, protocol, holder);
    if (has_port(choice->ports, ip, protocol, number))
        return error_set(err, -EADDRINUSE, "port %lld/%s is published twice by this unit",
                         (long long)number, protocol);
    if (try_bind(ip, protocol, &number) == -EADDRINUSE)
        return error_set(err, -EADDRINUSE,
                         "port %lld/%s of this machine is taken by a program that listens there",
                         (long long)number, protocol);
    return 0;
}

static int check_range(const struct choice *choice, const struct container_port *port,
                       int64_t first, struct error *err)
{
    int r = 0;
    for (int64_t i = 0; r == 0 && i < port->count; i++)
        r = check_free(choice, port->host_ip ? port->host_ip : "", port->protocol, first + i, err);
    return r;
}

/* A run of ports of which all are free. The kernel proposes where it begins. */
static int find_range(const struct choice *choice, const struct container_port *port, int64_t *ret,
                      struct error *err)
{
    for (int i = 0; i < TRIES_MAX; i++) {
        int64_t first = 0;
        int r = try_bind(port->host_ip ? port->host_ip : "", port->protocol, &first);
        if (r < 0)
            return error_errno(err, r, "looking for a free port%s%s", port->host_ip ? " at " : "",
                               port->host_ip ? port->host_ip : "");
        if (first + port->count - 1 > PORT_MAX || check_range(choice, port, first, NULL) < 0)
            continue;
        *ret = first;
        return 0;
    }
    return error_set(err, -EADDRINUSE, "found no %lld free ports in a row", (long long)port->count);
}

static int add_range(struct choice *choice, const struct container_port *port, struct error *err)
{
    int64_t first = port->host_port;
    int r = first ? check_range(choice, port, first, err) : find_range(choice, port, &first, err);
    for (int64_t i = 0; r == 0 && i < port->count; i++) {
        json_t *one = json_pack("{s:I, s:I, s:s, s:s*}", "hostPort", (json_int_t)first + i,
                                "containerPort", (json_int_t)port->container_port + i, "protocol",
                                port->protocol, "hostIP", port->host_ip);
        if (json_array_append_new(choice->ports, one) < 0)
            r = error_oom(err);
    }
    return r;
}

static int range_check(const struct container_port *port, struct error *err)
{
    if (!port->protocol || port->count < 1 || port->container_port < 1 || port->host_port < 0 ||
        port->count > PORT_MAX || port->container_port + port->count - 1 > PORT_MAX ||
        port->host_port + port->count - 1 > PORT_MAX)
        return error_set(err, -EPROTO, "this is no range of ports");
    return 0;
}

int ports_choose(const struct container *container, const struct ports_holder *holders,
                 size_t holder_count, json_t **ret, struct error *err)
{
    autojson ports = container->port_count ? json_array() : NULL;
    struct choice choice = { .holders = holders, .holder_count = holder_count, .ports = ports };
    if (container->port_count && !ports)
        return error_oom(err);
    for (size_t i = 0; i < container->port_count; i++) {
        const struct container_port *port = &container->ports[i];
        int r = range_check(port, err);
        if (r == 0)
            r = add_range(&choice, port, err);
        if (r < 0)
            return error_prefix(err, r, "PublishPort=%s%s%lld:%lld",
                                port->host_ip ? port->host_ip : "", port->host_ip ? ":" : "",
                                (long long)port->host_port, (long long)port->container_port);
    }
    *ret = take_ptr(ports);
    return 0;
}

int ports_words(const json_t *ports, char ***ret, struct error *err)
{
    autostrv words = NULL;
    size_t i = 0;
    const json_t *port = NULL;
    json_array_foreach(ports, i, port) {
        const char *ip = ip_of(port);
        const char *protocol = json_string_value(json_object_get(port, "protocol"));
        bool v6 = strchr(ip, ':') != NULL;
        int r = strv_addf(&words, err, "%s%s%s%s%lld:%lld/%s", v6 ? "[" : "", ip, v6 ? "]" : "",
                          *ip ? ":" : "",
                          (long long)json_integer_value(json_object_get(port, "hostPort")),
                          (long long)json_integer_value(json_object_get(port, "containerPort")),
                          protocol ? protocol : "tcp");
        if (r < 0)
            return r;
    }
    *ret = take_ptr(words);
    return 0;
}
