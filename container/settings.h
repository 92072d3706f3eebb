/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a machine's owner says about containers: /etc/muster/container.conf (lines of KEY = VALUE,
 * '#' comments), then the environment over it, MUSTER_CONTAINER_<KEY>.
 */
#ifndef CONTAINER_SETTINGS_H
#define CONTAINER_SETTINGS_H

#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "units/container.h"

/* The program that makes containers. */
enum container_runtime {
    CONTAINER_RUNTIME_INVALID = 0,
    CONTAINER_RUNTIME_CRUN,
    CONTAINER_RUNTIME_RUNC,
};

/* What the layers of images may take: one of the two is 0. */
struct container_bound {
    int64_t bytes;
    int64_t percent; /* of the file system that holds them */
};

/* The name of the program; also that of its Debian package. */
const char *container_runtime_name(enum container_runtime runtime);

struct container_settings {
    enum container_runtime runtime; /* of containers that start from now on */
    struct container_bound images_max_size;
    enum container_network_mode network; /* of units without Network=: bridge, none or host */
    int64_t registry_timeout_ms;         /* how long a registry may take to answer a question */
};

/* path: NULL is the default one, which may be absent. -EINVAL: a key or a value is wrong; the error
 * names the file and the line, or the variable. */
int container_settings_read(const char *path, struct container_settings **ret, struct error *err);
void container_settings_free(struct container_settings *settings);
DEFINE_AUTOPTR(container_settings);

#endif
