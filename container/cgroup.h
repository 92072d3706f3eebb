/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cgroups of the unified hierarchy, by their path from its root on ("/muster.slice/web.service").
 * On a machine without one cgroup_of() says so (-EINVAL).
 */
#ifndef CONTAINER_CGROUP_H
#define CONTAINER_CGROUP_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

/* Where it is mounted. */
#define CGROUP_ROOT "/sys/fs/cgroup"

/* The one that a process is in (0: ours); caller frees. -ENOENT: there is no such process. */
int cgroup_of(pid_t pid, char **ret, struct error *err);

/* A value into one of its files. -ENOENT: the cgroup is gone. */
int cgroup_write(const char *cgroup, const char *file, const char *value, struct error *err);

/* Moves this process there. */
int cgroup_enter(const char *cgroup, struct error *err);

/* Nobody is in it, and below it, but this process. False if that cannot be seen. */
bool cgroup_is_ours_alone(const char *cgroup);

/* Kills all that is in it and below, and returns when nothing is left. That it is gone is success.
 */
int cgroup_kill(const char *cgroup, struct error *err);

#endif
