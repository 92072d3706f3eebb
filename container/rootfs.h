/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container's root: an overlay over the image's unpacked files. It is mounted in a mount
 * namespace of our own, whose copy the container gets, so it goes with the last of its processes
 * and no one has to unmount it; and systemd of the host sees no mount come and go.
 */
#ifndef CONTAINER_ROOTFS_H
#define CONTAINER_ROOTFS_H

#include "base/error.h"
#include "container/place.h"

/* Moves this process into the namespace. What the host mounts later appears in it, never the other
 * way about. Every verb does so, for crun binds its own program to a file in /tmp whenever it runs,
 * and systemd of the host would make a mount unit of each. Once more is harmless. */
int rootfs_isolate(struct error *err);

/* Mounts the overlay of image (an unpacked root) at place->root. */
int rootfs_mount(const struct place *place, const char *image, struct error *err);

#endif
