/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of Podman's Quadlet by their names: web.container is the service web.service, web.pod is
 * web-pod.service. The other kinds (.volume …) are no units here, and whoever brings one is told
 * what to do instead.
 */
#ifndef UNITS_QUADLET_H
#define UNITS_QUADLET_H

#include <stdbool.h>

#include "base/error.h"

struct unit_file;

/* Whether the name ends in one of Quadlet's types: .container, .volume, … */
bool quadlet_is_name(const char *name);

/* What to do instead of a file of this type ("volume"); NULL if it is none of Quadlet's, or is
 * "container" or "pod". */
const char *quadlet_advice(const char *type);

/* "web@1.service" for "web@1.container", "web-pod@1.service" for "web@1.pod"; with service_name
 * (the value of ServiceName=, NULL if there is none) "app", "app@1.service". Caller frees *ret.
 * -EINVAL: another type, with what to do instead, or no name of a service. */
int quadlet_service(const char *name, const char *service_name, char **ret, struct error *err);

/* Quadlet's translation in [Unit]: After=db.container becomes After=db.service, and so for its
 * like. The file's options are changed in place. -EINVAL for names of other kinds. */
int quadlet_translate(struct unit_file *file, struct error *err);

/* [Quadlet] DefaultDependencies=: whether the network is to be waited for. -EINVAL: an unknown key
 * of that section, or no boolean. */
int quadlet_default_dependencies(const struct unit_file *file, bool *ret, struct error *err);

#endif
