/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The OCI runtime, crun, told to leave cgroups alone: the container stays in the cgroup of whoever
 * calls, which is the service's.
 */
#ifndef CONTAINER_RUNTIME_H
#define CONTAINER_RUNTIME_H

#include <sys/types.h>

#include "base/error.h"
#include "container/place.h"

/* From the bundle in place->directory, with our stdout and stderr as the container's. Gives the pid
 * of its first process, which waits for runtime_start(). */
int runtime_create(const struct place *place, char *const *environment, pid_t *ret,
                   struct error *err);
int runtime_start(const struct place *place, char *const *environment, struct error *err);

/* Kills what still runs. That there is no container is success. */
int runtime_delete(const struct place *place, char *const *environment, struct error *err);

#endif
