/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The attachments of a container to CNI networks. What is to be done is written down before it is
 * done (containers/UNIT/cni.json), so whatever a crash leaves can be undone, and undone again.
 *
 * The record: {"ports": […], "attachments": [{"network", "request", "result"}, …]}; result is
 * absent while the plugins work.
 */
#ifndef CONTAINER_ATTACHMENTS_H
#define CONTAINER_ATTACHMENTS_H

#include <jansson.h>
#include <sys/types.h>

#include "base/error.h"
#include "container/place.h"
#include "units/container.h"

/* Attaches the namespace of this process to container->networks, and publishes ports. The caller
 * owns *ret, the record. After a failure attachments_undo() is due. -EADDRINUSE: a port is taken.
 */
int attachments_make(const struct place *place, const struct container *container, pid_t pid,
                     json_t **ret, struct error *err);

/* Whatever of the container's attachments there is goes; that its namespace is gone is usual. */
int attachments_undo(const struct place *place, struct error *err);

#endif
