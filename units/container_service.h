/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What keys of [Container] mean to systemd: limits, devices, how it stops, reloads, where its
 * output goes, in lines of the [Service] section. Inside units/ only.
 */
#ifndef UNITS_CONTAINER_SERVICE_H
#define UNITS_CONTAINER_SERVICE_H

#include "base/text.h"
#include "units/container.h"
#include "units/unit_file.h"

/* Adds to the lines of [Service] what stands before the user's own, which therefore win; a key that
 * he sets is left out. */
void container_service_defaults(struct text *t, const struct unit_file *file,
                                const struct container *container);

/* Adds what muster-container relies on, to stand last. helper: quoted for ExecStart=. */
void container_service_fixed(struct text *t, const struct container *container, const char *helper);

/* Adds to [Unit] the services that have to run for this one to. */
void container_service_dependencies(struct text *t, const struct container *container);

#endif
