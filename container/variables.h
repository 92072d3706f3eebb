/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Variables that a container gets besides those of its unit: from the service's own environment
 * (EnvironmentHost=, a bare name in Environment=, proxies), and from files (EnvironmentFile=).
 */
#ifndef CONTAINER_VARIABLES_H
#define CONTAINER_VARIABLES_H

#include "base/error.h"
#include "units/container.h"

/* Pure. Of environment, what the container is handed on; caller frees with strv_free(). */
int variables_of_service(const struct container *container, char *const *environment, char ***ret,
                         struct error *err);

/* Pure. A file as Podman reads it: NAME=VALUE to the line's end, with no quotes; a bare NAME takes
 * the value from environment, if it has one; empty lines and those that begin with '#' are nothing.
 * Adds to *list. -EINVAL: "line N: …". */
int variables_parse(const char *text, char *const *environment, char ***list, struct error *err);

/* All files of the container. -ENOENT: one is missing that may not be. */
int variables_of_files(const struct container *container, char *const *environment, char ***ret,
                       struct error *err);

#endif
