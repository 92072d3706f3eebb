/* SPDX-License-Identifier: Apache-2.0 */
/* Names of units: fleet's and systemd's rules (at most 256 bytes, [0-9A-Za-z:-_.\@], a known
 * suffix). */
#ifndef UNITS_UNIT_NAME_H
#define UNITS_UNIT_NAME_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* -EINVAL and what is wrong. Templates are valid names. */
int unit_name_check(const char *name, struct error *err);
bool unit_name_is_template(const char *name); /* p@.service */
bool unit_name_is_instance(const char *name); /* p@i.service */
/* "p@.service" of "p@i.service"; caller frees. NULL if it is no instance or memory ran out. */
char *unit_name_template(const char *name);
/* What a person typed: its last path component, with ".service" added if it has no suffix of a
 * unit. */
char *unit_name_mangle(const char *typed);
/* For names that cannot hold '@' (scopes, slices): '@' and other odd characters as \xNN. Caller
 * frees. */
char *unit_name_escape(const char *name);

#endif
