/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container's root: an overlay over the layers of its image, or over a directory. It is mounted
 * in a mount namespace of our own, whose copy the container gets, so it goes with the last of its
 * processes and no one has to unmount it; and systemd of the host sees no mount come and go.
 */
#ifndef CONTAINER_ROOTFS_H
#define CONTAINER_ROOTFS_H

#include <stdbool.h>

#include "base/error.h"
#include "container/image.h"
#include "container/place.h"

/* Moves this process into the namespace. What the host mounts later appears in it, never the other
 * way about. Every verb does so, for crun binds its own program to a file in /tmp whenever it runs,
 * and systemd of the host would make a mount unit of each. Once more, and what we have mounted
 * since is gone. */
int rootfs_isolate(struct error *err);

struct rootfs {
    char **lowers; /* directories, the uppermost first, at least one. Each may be exchanged for a
                      mount of it, such as an idmapped one, before rootfs_mount() */
    bool direct;   /* no overlay: the one directory itself, and the container writes to it */
};

/* What is below a container of the image. -EPROTO where it has no layers. */
int rootfs_of_image(const struct image *image, const char *store, struct rootfs *ret,
                    struct error *err);

/* A directory of the machine's; overlay: what the container writes does not reach it. -EINVAL where
 * there is no such directory. */
int rootfs_of_directory(const char *path, bool overlay, struct rootfs *ret, struct error *err);

/* Mounts it at place->root. */
int rootfs_mount(const struct place *place, const struct rootfs *rootfs, struct error *err);

/* Mounts the directories at target, with what is written going to layer, which is made anew; not on
 * an overlay itself. */
int rootfs_overlay(const char *layer, const struct rootfs *rootfs, const char *target,
                   struct error *err);

void rootfs_done(struct rootfs *rootfs);

#endif
