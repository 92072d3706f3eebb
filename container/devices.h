/* SPDX-License-Identifier: Apache-2.0 */
/* Device nodes that a container is given: those of AddDevice=, all of them where it is privileged.
 */
#ifndef CONTAINER_DEVICES_H
#define CONTAINER_DEVICES_H

#include <stddef.h>

#include "base/error.h"
#include "units/container.h"
#include "units/oci.h"

struct devices {
    struct oci_device *list;
    size_t count;
    char **paths; /* what the list's paths point to */
};

/* A directory stands for the devices below it. -ENOENT: the machine has no such device, and it is
 * not optional. */
int devices_find(const struct container *container, struct devices *ret, struct error *err);
void devices_done(struct devices *devices);

#endif
