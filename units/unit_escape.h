/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How systemd writes any string into a unit's name, and reads it back: what systemd-escape does.
 */
#ifndef UNITS_UNIT_ESCAPE_H
#define UNITS_UNIT_ESCAPE_H

#include "base/error.h"

/* '/' becomes '-'; all but letters, digits and ":_." becomes \xNN, and so does a first '.'. Caller
 * frees; NULL if memory ran out. */
char *unit_escape(const char *s);

/* The same for a path, without its outer slashes; "/" becomes "-". -EINVAL: not absolute, or with
 * ".." in it. Caller frees *ret. */
int unit_escape_path(const char *path, char **ret, struct error *err);

/* The way back. -EINVAL: a backslash that begins no \xNN, or \x00; for a path also what no path
 * gives. Caller frees *ret. */
int unit_unescape(const char *escaped, char **ret, struct error *err);
int unit_unescape_path(const char *escaped, char **ret, struct error *err);

#endif
