/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The OCI runtime, crun or runc as place->runtime says. crun is told to leave cgroups alone: the
 * container stays in the cgroup of whoever calls: the service's, or a scope. runc cannot, and makes
 * one below, which its config.json names (runtime_cgroup()).
 */
#ifndef CONTAINER_RUNTIME_H
#define CONTAINER_RUNTIME_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"
#include "container/place.h"

/* From the bundle in place->directory, with our stdout and stderr as the container's. Gives the pid
 * of its first process, which waits for runtime_start(). */
int runtime_create(const struct place *place, char *const *environment, pid_t *ret,
                   struct error *err);
int runtime_start(const struct place *place, char *const *environment, struct error *err);

/* False between runtime_create() and runtime_start(). */
bool runtime_is_started(const struct place *place);

/* Becomes the command (ends with NULL) inside the running container, as the container's user and
 * with its rights, in the caller's cgroup, which is the one of this name below the container's.
 * Returns only on failure. */
int runtime_exec(const struct place *place, const char *below, char *const *command,
                 struct error *err);

/* Kills what still runs of it, and removes its state. A scope of the container's has ended before.
 * That there is no container is success. */
int runtime_delete(const struct place *place, char *const *environment, struct error *err);

/* What runs the runtime with these words (end with NULL); caller frees with strv_free(). */
int runtime_line(const struct place *place, const char *const *words, char ***ret,
                 struct error *err);

/* The cgroup that config.json has to name if runtime_create() is to be called in the one that we
 * are in now, from the hierarchy's root on; *ret NULL: none. Caller frees. */
int runtime_cgroup(const struct place *place, char **ret, struct error *err);

#endif
