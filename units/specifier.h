/* SPDX-License-Identifier: Apache-2.0 */
/* %n, %N, %p, %i in what muster itself reads; the rest of a unit is systemd's to expand. */
#ifndef UNITS_SPECIFIER_H
#define UNITS_SPECIFIER_H

#include "base/error.h"

/* For the unit p@i.service: %n p@i.service, %N p@i, %p p, %i i, and %% a percent sign. -EINVAL: any
 * other, with the list. Caller frees *ret. */
int specifier_expand(const char *value, const char *unit_name, char **ret, struct error *err);

/* The same, on each string of a list, in place. On failure the list is half-way but whole. */
int specifier_expand_all(char **list, const char *unit_name, struct error *err);

#endif
