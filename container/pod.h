/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the containers of a pod share, beside the network (network.h): the host name, the namespace
 * of System V's objects and message queues with /dev/shm, the users (userns.h), and the volumes of
 * the pod. All but the volumes are those of the pod's own container, which is found by its unit and
 * waits for its end.
 */
#ifndef CONTAINER_POD_H
#define CONTAINER_POD_H

#include <sys/types.h>

#include "base/error.h"
#include "container/place.h"
#include "units/container.h"

/* Adds to a member's specification what that of its pod says. -ENOENT: the pod is not on this
 * machine. */
int pod_complete(struct container *container, struct error *err);

struct pod {
    char *ipc_namespace; /* all NULL: the container is in none */
    char *uts_namespace;
    char *shared_memory; /* a directory to bind */
};

/* With owner, the first process of the pod's container. To be called in a mount namespace of our
 * own. */
int pod_join(const struct place *place, pid_t owner, struct pod *ret, struct error *err);
void pod_done(struct pod *pod);

#endif
