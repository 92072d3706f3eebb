/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's network: its namespace, its interfaces, and the files of /etc that speak of names.
 * network_prepare(), then the runtime creates, then network_attach(), then it starts; and
 * network_detach() whatever became of that.
 *
 * What is left for others to read, containers/UNIT/network.json:
 *   addresses  the container's, as plain addresses (those of whom it has joined)
 *   ports      what it publishes, "[IP:]HOST:CONTAINER/PROTOCOL"
 *   networks   of each network that it is in, its addresses and names (neighbours.h)
 *   namespace  tells its network namespace from another's
 */
#ifndef CONTAINER_NETWORK_H
#define CONTAINER_NETWORK_H

#include <jansson.h>
#include <sys/types.h>

#include "base/error.h"
#include "container/place.h"
#include "units/container.h"

/* What the runtime has to know. */
struct network {
    char *net_namespace; /* to be joined; NULL: one of its own, or the machine's */
    pid_t owner;         /* the first process of the container that is joined; 0: none is */
    json_t *joined;      /* its network.json */
    char *resolv_conf;   /* a file to bind in; NULL: the image's own stays */
    char *hosts;
    char *host_name;
};
void network_done(struct network *network);

/* Finds the namespace and writes the files. -ENOENT: there is no container to join. */
int network_prepare(const struct place *place, const struct container *container,
                    struct network *ret, struct error *err);

/* With the container created and not yet started: attaches it to its networks, and completes the
 * files. */
int network_attach(const struct place *place, const struct container *container,
                   const struct network *network, pid_t pid, struct error *err);

/* Undoes all of it, with the container dead. Any number of times. */
int network_detach(const struct place *place, struct error *err);

#endif
