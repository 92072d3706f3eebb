/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who the users and groups of a container are outside: what UserNS=, UIDMap= and the like come to
 * on this machine. The ranges that UserNS=auto and keep-id take are noted in PLACE_IDS until
 * id_maps_forget().
 */
#ifndef CONTAINER_ID_MAPS_H
#define CONTAINER_ID_MAPS_H

#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "container/id_claims.h"
#include "container/place.h"
#include "units/container.h"

struct id_maps {
    struct container_id_map *uids;
    size_t uid_count;
    struct container_id_map *gids;
    size_t gid_count;
};

/* *ret NULL: the container has no user namespace. The ids come from the ranges that /etc/subuid and
 * /etc/subgid give to the name that the unit says, or else to "containers", or else from
 * id_range_builtin. -ENOENT: the name that the unit says has none. -ENOSPC: all are in use. */
int id_maps_make(const struct place *place, const struct container *container, struct id_maps **ret,
                 struct error *err);
void id_maps_free(struct id_maps *maps);
DEFINE_AUTOPTR(id_maps);

/* The maps of the namespace of process pid, whose ids are noted for place's unit as well: they are
 * nobody else's before the last that has them is gone. */
int id_maps_join(const struct place *place, pid_t pid, struct id_maps **ret, struct error *err);

int id_maps_forget(const struct place *place, struct error *err);

/* Pure: adds the maps that are in the text of /proc/PID/uid_map. -EPROTO: it is none. */
int id_maps_parse(const char *text, struct container_id_map **maps, size_t *count,
                  struct error *err);

/* Pure: the maps of a container whose ids are the first range of each kind. -EINVAL: keep-id names
 * an id that is not among them. */
int id_maps_build(const struct container *container, const struct id_claim *claim,
                  struct id_maps **ret, struct error *err);

/* The id outside; -1: it has none. */
int64_t id_maps_outside(const struct container_id_map *maps, size_t count, int64_t inside);

#endif
