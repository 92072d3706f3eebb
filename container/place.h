/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a unit's container keeps what it needs while it runs, all under the run directory:
 *
 *   containers/UNIT/spec.json     what to run; written by the agent, ours to read only
 *   containers/UNIT/config.json   what the runtime was told
 *   containers/UNIT/health.json   the health check that holds (units/health_check.h); for musterd
 *   containers/UNIT/root/         the root, mounted in our own mount namespace only
 *   containers/UNIT/layer/        what the container wrote (or <state>/containers/UNIT/layer where
 *                                 the run directory cannot carry an overlay)
 *   containers/UNIT/images/       pins on its images (store.h)
 *   containers/UNIT/image         the digest of the one that it runs; for musterd
 *   containers/UNIT/pid, runtime.log (what crun said while it created)
 *   containers/UNIT/scope         the cgroup of its scope, if it has one (scope.h)
 *   containers/UNIT/secrets/      files of its secrets
 *   containers/UNIT/network.json  its addresses and ports (network.h)
 *   containers/UNIT/cni.json      what to undo of its network (attachments.h)
 *   containers/UNIT/resolv.conf, hosts, hostname    bound into its /etc
 *   containers/UNIT/stage/        mounts on their way into the container, in our own namespace only
 *   crun/ID/ or runc/ID/          the runtime's own state
 *   ids/UNIT                      which ids of the host its user namespace has (id_claims.h)
 *   pod/                          an empty directory: the root of pods' own containers
 *   filters/                      compiled seccomp filters (filter_cache.h)
 *   cni/                          leases of addresses, locks of networks, who has names
 */
#ifndef CONTAINER_PLACE_H
#define CONTAINER_PLACE_H

#include <stdbool.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "container/settings.h"
#include "units/container.h"

#define PLACE_RUN_DIRECTORY   "/run/muster"
#define PLACE_STATE_DIRECTORY "/var/lib/muster"
#define PLACE_IMAGE_STORE     PLACE_STATE_DIRECTORY "/images/.store"
#define PLACE_VOLUMES         PLACE_STATE_DIRECTORY "/volumes"
#define PLACE_CNI             PLACE_RUN_DIRECTORY "/cni"
#define PLACE_IDS             PLACE_RUN_DIRECTORY "/ids"
#define PLACE_FILTERS         PLACE_RUN_DIRECTORY "/filters"
#define PLACE_POD_ROOT        PLACE_RUN_DIRECTORY "/pod"

struct place {
    char *unit;
    char *id; /* the container's: the unit's name with '+' and two hex digits for what runtimes
                 refuse */
    char *directory;
    char *spec;
    char *config;
    char *health;
    char *root;
    char *images;
    char *image;
    char *layer;
    char *fallback_layer; /* on the state directory's file system */
    char *fallback;       /* the directory that holds it */
    char *stage;
    char *secrets;
    char *pid;
    char *log;
    char *scope;
    char *network;
    char *cni;
    char *resolv_conf;
    char *hosts;
    char *host_name;
    enum container_runtime runtime; /* that has the unit's container; crun where there is none */
    char *runtime_root;             /* the directory of its state of all containers */
    char *runtime_state;            /* … and of this one */
};

/* -EINVAL: no name of a unit. Nothing is created; which runtime has a container of the unit is
 * looked up. */
int place_new(const char *unit, struct place **ret, struct error *err);
void place_free(struct place *place);
DEFINE_AUTOPTR(place);

/* For a container to come; the place has none. */
int place_use_runtime(struct place *place, enum container_runtime runtime, struct error *err);

/* What the agent wrote about the unit's container; the caller frees it. */
int place_read_spec(const struct place *place, struct container **ret, struct error *err);

/* The runtime knows a container of this unit. */
bool place_has_container(const struct place *place);

#endif
