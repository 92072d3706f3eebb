/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CNI networks of a machine by name: files *.conflist, *.conf and *.json of /etc/cni/net.d,
 * then those of /usr/share/muster/cni, of which one is muster's default.
 */
#ifndef CONTAINER_CNI_NETWORKS_H
#define CONTAINER_CNI_NETWORKS_H

#include "base/error.h"
#include "container/cni.h"

#define CNI_NETWORKS_DEFAULT "muster"

/* "bridge" and "podman" are the default network unless a file has that very name. -ENOENT: there is
 * none; the error lists those that there are. A file that cannot be read is told only if the
 * network is not found elsewhere. */
int cni_networks_find(const char *name, struct cni_network **ret, struct error *err);

/* The same among the files of these directories, the first one first; the list ends with NULL. */
int cni_networks_find_in(const char *const *directories, const char *name, struct cni_network **ret,
                         struct error *err);

#endif
