/* SPDX-License-Identifier: Apache-2.0 */
/* What reading a container from a unit file and from JSON have in common. Inside units/ only. */
#ifndef UNITS_CONTAINER_VALUE_H
#define UNITS_CONTAINER_VALUE_H

#include "units/container.h"

/* Takes over the strings of volume, which are NULL afterwards; on failure they stay. */
int container_add_volume(struct container *container, struct container_volume *volume,
                         struct error *err);
void container_clear_volumes(struct container *container);

const char *container_network_name(enum container_network network); /* "none", "host" */
/* CONTAINER_NETWORK_INVALID if it is none. */
enum container_network container_network_from_name(const char *name);

#endif
