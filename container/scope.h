/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A scope of systemd for the container of a unit that asks for one (CgroupsMode=enabled): in the
 * unit's slice, named after it, with the limits that systemd has for the service.
 *
 * We enter it, the runtime makes the container in it, and we leave again, so no process of ours
 * stays in it or waits for it. It ends with the last process of the container. It is bound to the
 * service: should nobody of us be left to end it, systemd does when the service is over.
 */
#ifndef CONTAINER_SCOPE_H
#define CONTAINER_SCOPE_H

#include "base/error.h"
#include "container/place.h"

/* "muster-web\x401.scope" of web@1.service; caller frees. */
int scope_name(const char *unit, char **ret, struct error *err);

/* Makes the scope and moves this process into it; place->scope says which cgroup that is.
 * *ret_home: the cgroup that we have left, for scope_leave(); caller frees. -EEXIST: an earlier one
 * of the name does not end. After a failure we are where we were. */
int scope_enter(const struct place *place, char **ret_home, struct error *err);
int scope_leave(const char *home, struct error *err);

/* Kills what is left in the scope of the unit's container, waits for its end and forgets it. That
 * there is none is success. */
int scope_end(const struct place *place, struct error *err);

#endif
