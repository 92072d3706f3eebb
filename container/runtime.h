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

/* What is executed inside the running container, with the container's rights, variables and
 * directory. */
struct runtime_exec {
    char *const *command; /* ends with NULL */
    const char *below; /* the caller's cgroup, by its name below the container's; NULL: another */
    bool tty;          /* allocate a terminal */
    /* crun gives what are stdin, stdout and stderr to the user inside, but for terminals: that may
     * be a file of somebody's, or the machine's /dev/null. Whoever cannot put others in their place
     * says this, and the command is root's inside. runc's is the container's user's anyway. */
    bool has_foreign_streams;
};

/* The line that executes it. For crun a descriptor stays open, which the program inherits. Caller
 * frees with strv_free(). */
int runtime_exec_line(const struct place *place, const struct runtime_exec *exec, char ***ret,
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
