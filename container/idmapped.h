/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mounts that show files under the ids of a container (mount_setattr(2), MOUNT_ATTR_IDMAP): a file
 * that is root's on disk is root's inside, whatever range of ids the container has, and no file has
 * to be copied or given away. Linux 5.12, and 5.19 for layers of an overlay.
 */
#ifndef CONTAINER_IDMAPPED_H
#define CONTAINER_IDMAPPED_H

#include "base/error.h"
#include "container/id_maps.h"

/* A user namespace with these maps, which lives as long as the descriptor that is returned. */
int idmapped_namespace(const struct id_maps *maps, struct error *err);

/* Mounts the tree at source, with what is mounted below it, on target, which exists.
 * -EOPNOTSUPP: a file system of it cannot be shown so. */
int idmapped_bind(int namespace, const char *source, const char *target, struct error *err);

#endif
