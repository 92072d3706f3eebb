/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of units by fleet's and systemd's rules: PREFIX[@[INSTANCE]].TYPE in [0-9A-Za-z:-_.\@], at
 * most 256 bytes (fleet's limit; unit_check() of translate.h refuses what systemd then cannot run).
 */
#ifndef UNITS_UNIT_NAME_H
#define UNITS_UNIT_NAME_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum { UNIT_NAME_MAX_BYTES = 256 };

/* -EINVAL and what is wrong. Templates are valid names. */
int unit_name_check(const char *name, struct error *err);
bool unit_name_is_template(const char *name); /* p@.service */
bool unit_name_is_instance(const char *name); /* p@i.service */
/* "service" of "p@i.service", borrowed; "" if the name has no suffix. */
const char *unit_name_type(const char *name);
/* "p@.service" of "p@i.service"; caller frees. NULL if it is no instance or memory ran out. */
char *unit_name_template(const char *name);
/* Is this its template? */
bool unit_name_is_instance_of(const char *name, const char *template_name);
/* What a person typed: its last path component, with ".service" added if it has no suffix of a
 * unit. Caller frees; NULL if memory ran out. */
char *unit_name_mangle(const char *typed);
/* For names that cannot hold '@' (scopes, slices): '@', '\' and odd characters as \xNN, so that two
 * names never become one. Caller frees; NULL if memory ran out. */
char *unit_name_escape(const char *name);

#endif
