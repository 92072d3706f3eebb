/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Volumes and mounts of a container on this machine: what a unit names becomes something that the
 * runtime can bind. Volumes with a name are directories of PLACE_VOLUMES and outlive their
 * containers; those without lie in the container's own directory and go with it.
 */
#ifndef CONTAINER_VOLUMES_H
#define CONTAINER_VOLUMES_H

#include "base/error.h"
#include "container/images.h"
#include "container/place.h"
#include "units/container.h"
#include "units/oci.h"

/* Rewrites the container's mounts until each is a bind of a path, or a file system of the kernel's.
 * A new volume is filled with what the image has at its destination, the root being mounted.
 * images: how to get those that are mounted; its said is not read. To be called in a mount
 * namespace of our own. -ENOENT: a source is not on this machine. */
int volumes_prepare(const struct place *place, struct container *container,
                    const struct images_request *images, struct error *err);

struct volumes {
    struct oci_mount *list; /* its strings are the container's, its options ours */
    size_t count;
};

/* The mounts as the runtime is told of them; they point into the container. */
int volumes_list(const struct container *container, struct volumes *ret, struct error *err);
void volumes_done(struct volumes *volumes);

#endif
