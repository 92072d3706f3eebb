/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The user namespace of a container: its ids, and what has to be mounted or given away so that its
 * files are its own. The runtime makes the namespace itself, from the same maps, but for a
 * container of a pod that has one.
 */
#ifndef CONTAINER_USERNS_H
#define CONTAINER_USERNS_H

#include "base/error.h"
#include "container/id_maps.h"
#include "container/place.h"
#include "units/container.h"
#include "units/oci.h"

struct userns {
    struct id_maps *maps; /* NULL: the container has none of its own, and nothing is to be done */
    char *path;           /* to be joined; NULL: the runtime makes it */
    int fd;
};

/* Takes the ids and makes a namespace to mount by. owner: the first process of the pod's own
 * container, whose namespace is joined if the pod has one; 0: there is no pod. place: borrowed.
 * Errors as id_maps_make() has them, and what the kernel says. */
int userns_make(const struct place *place, const struct container *container, pid_t owner,
                struct userns *ret, struct error *err);
void userns_done(struct userns *userns);

/* Exchanges each directory (owned, ends with NULL) for an idmapped mount of it below place->stage.
 * To be called in a mount namespace of our own. -EOPNOTSUPP: a file system cannot be shown so. */
int userns_show_layers(const struct userns *userns, const struct place *place, char **directories,
                       struct error *err);

/* For each mount that says idmap: the same with its source. For each that says U: its source and
 * what is below is given to user. */
int userns_show_mounts(const struct userns *userns, const struct place *place,
                       struct container *container, const struct oci_user *user, struct error *err);

/* -EINVAL: user has an id that is none of the container's. */
int userns_check_user(const struct userns *userns, const struct oci_user *user, struct error *err);

/* Who the container's uid and gid are on the machine; what they are where there is no namespace. */
int64_t userns_uid_outside(const struct userns *userns, int64_t uid);
int64_t userns_gid_outside(const struct userns *userns, int64_t gid);

#endif
