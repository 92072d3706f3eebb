/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a unit asks of the cluster: its [X-Fleet] section, with fleet's aliases, specifiers
 * expanded, checked. A plain value; the scheduler uses this type and nothing else of units/.
 */
#ifndef UNITS_REQUIREMENTS_H
#define UNITS_REQUIREMENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "units/metadata.h"

enum failover {
    FAILOVER_INVALID = 0,
    FAILOVER_AT_LEAST_ONCE, /* the default: started elsewhere once its machine is lost */
    FAILOVER_NEVER,         /* stays assigned, unknown, until its machine is back */
};

struct requirements {
    char *machine_id;               /* full or 8-character id; NULL: any */
    char **machine_of;              /* units that must be on the same machine (AND) */
    struct metadata_rule *metadata; /* same key: OR; different keys: AND */
    size_t metadata_count;
    char **conflicts; /* globs over full unit names, symmetric */
    bool global;
    enum failover failover;
};

struct unit_file;

/* Reads and checks [X-Fleet] of a parsed unit file for the unit of this name (%n %N %p %i). -EINVAL
 * with the key, its value and what would be right. At-most-once and Replaces= are refused with a
 * clear message until their own issue. An unknown key is an error with the nearest known one. */
int requirements_read(const struct unit_file *file, const char *unit_name,
                      struct requirements **ret, struct error *err);
int requirements_copy(const struct requirements *from, struct requirements **ret,
                      struct error *err);
void requirements_free(struct requirements *requirements);
DEFINE_AUTOPTR(requirements);

const char *failover_name(enum failover failover); /* "at-least-once", "never" */
/* FAILOVER_INVALID if it is none. */
enum failover failover_from_name(const char *name);

#endif
