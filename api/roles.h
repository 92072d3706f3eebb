/* SPDX-License-Identifier: Apache-2.0 */
/* A role as the API shows it. */
#ifndef API_ROLES_H
#define API_ROLES_H

#include <jansson.h>

#include "api/view.h"

/* *ret is the caller's. -ENOENT: there is no such role. */
int role_show(const struct view *view, const char *name, json_t **ret, struct error *err);

#endif
