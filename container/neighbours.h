/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names by which containers of one machine find each other in the networks that they share: those
 * of NetworkAlias= and ContainerName=. They go into the hosts files, also of containers that run
 * already; there is no server of names.
 *
 * Who has names is told by a file of the directory cni/named; what they are stands in network.json
 * (network.h). So one without names asks nobody.
 */
#ifndef CONTAINER_NEIGHBOURS_H
#define CONTAINER_NEIGHBOURS_H

#include <jansson.h>

#include "base/error.h"
#include "container/place.h"

/* The field "networks" of network.json: of each network the container's addresses and names.
 * record: of its attachments; NULL: it is reached as the one is that it has joined, if it has,
 * whose network.json joined is. The caller owns *ret, which is NULL where there are no networks. */
int neighbours_networks(const struct container *container, const json_t *record,
                        const json_t *joined, json_t **ret, struct error *err);

/* With network.json, whose networks these are (NULL: it has none), and the hosts file written:
 * completes the hosts files, ours and those of the others. */
int neighbours_meet(const struct place *place, json_t *networks, struct error *err);

/* With network.json gone: nobody knows its names any more. Any number of times. */
int neighbours_leave(const struct place *place, struct error *err);

#endif
