/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must hold of a parsed unit before systemd is asked to run it, told from the text alone.
 * Inside units/ only; others call unit_check() and unit_translate().
 */
#ifndef UNITS_UNIT_RULES_H
#define UNITS_UNIT_RULES_H

#include "base/error.h"
#include "units/unit_file.h"

/* The section that belongs to a type: "Service" for "service"; NULL if it has none ("target"). */
const char *unit_rules_own_section(const char *type);

/* The type can be started from a file, and the name is one that systemd takes. -EINVAL. */
int unit_rules_check_name(const char *name, struct error *err);

/* Each section means something to this type; a misspelt one is refused. -EINVAL. */
int unit_rules_check_sections(const struct unit_file *file, const char *name, struct error *err);

/* A unit without [Container] has what systemd wants of its type, such as ExecStart=. -EINVAL. */
int unit_rules_check_runs(const struct unit_file *file, const char *name, struct error *err);

/* A unit with [Container] is a service, and its [Service] leaves alone what muster fills in. */
int unit_rules_check_container(const struct unit_file *file, const char *name, struct error *err);

#endif
