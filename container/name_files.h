/* SPDX-License-Identifier: Apache-2.0 */
/* The texts of a container's /etc/resolv.conf and /etc/hosts. Pure. */
#ifndef CONTAINER_NAME_FILES_H
#define CONTAINER_NAME_FILES_H

#include <stdbool.h>

#include "base/error.h"
#include "units/container.h"

/* A name server on the loopback of the machine is none for a container with a network of its own.
 */
bool name_files_only_loopback(const char *resolv_conf);

struct name_files_resolver {
    const struct container *container;
    const char *base;     /* the machine's resolv.conf, or another container's */
    char *const *servers; /* what the network says; NULL: nothing */
    char *const *search;
    char *const *options;
    bool keep_loopback; /* servers at 127.… of base are within reach */
};

/* What the unit says goes before what the network says, and that before base. A search of "." is
 * none. Caller frees *ret. */
int name_files_resolv_conf(const struct name_files_resolver *resolver, char **ret,
                           struct error *err);

struct name_files_hosts {
    const struct container *container;
    const char *base;       /* another file's text that goes in whole; NULL: localhost alone */
    const char *gateway;    /* what host-gateway is; NULL: there is none */
    char *const *addresses; /* of the container, "10.0.0.3" or "10.0.0.3/16"; NULL: none */
    const char *fallback;   /* address of its host name where it has none; NULL: left out */
};

/* A hosts file with the lines of other containers (name_files_with_others()) as it was without. */
size_t name_files_own_length(const char *hosts);

/* The same with these lines of others in place of those that it has. Caller frees *ret. */
int name_files_with_others(const char *hosts, const char *lines, char **ret, struct error *err);

/* AddHost= goes first, for the first line counts. -EINVAL: host-gateway, and there is none. */
int name_files_hosts(const struct name_files_hosts *hosts, char **ret, struct error *err);

#endif
