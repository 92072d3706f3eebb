/* SPDX-License-Identifier: Apache-2.0 */
/* What reading a container from a unit file and from JSON have in common. Inside units/ only. */
#ifndef UNITS_CONTAINER_VALUE_H
#define UNITS_CONTAINER_VALUE_H

#include "units/container.h"

/* Copies the strings. -ENOMEM only. */
int container_add_volume(struct container *container, const char *source, const char *destination,
                         bool read_only, struct error *err);
void container_clear_volumes(struct container *container);

const char *container_network_name(enum container_network network); /* "none", "host" */
/* CONTAINER_NETWORK_INVALID if it is none. */
enum container_network container_network_from_name(const char *name);

#endif
