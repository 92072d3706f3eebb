/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a unit asks of the cluster: its [X-Fleet] section, with fleet's aliases, specifiers
 * expanded, checked. A plain value; the scheduler uses this type and nothing else of units/.
 */
#ifndef UNITS_REQUIREMENTS_H
#define UNITS_REQUIREMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "units/metadata.h"

enum failover {
    FAILOVER_INVALID = 0,
    FAILOVER_AT_LEAST_ONCE, /* the default: started elsewhere once its machine is lost */
    FAILOVER_NEVER,         /* stays assigned, unknown, until its machine is back */
};

/* What a machine has and a unit takes of it. */
enum resource {
    RESOURCE_CPU = 0, /* thousandths of a processor */
    RESOURCE_MEMORY,  /* bytes */
    RESOURCE_TASKS,
    RESOURCES,
};

/* A port of the host that the unit wants for itself: PublishPort= of [Container]. */
struct port_claim {
    uint16_t port;
    char protocol[8];
    char address[46]; /* "": all addresses */
};

struct requirements {
    char *machine_id;               /* full or 8-character id; NULL: any */
    char **machine_of;              /* units that must be on the same machine (AND) */
    struct metadata_rule *metadata; /* same key: OR; different keys: AND. Role= is among them */
    size_t metadata_count;
    struct metadata_rule *prefer; /* the same, as a wish */
    size_t prefer_count;
    char **conflicts;    /* globs over full unit names, symmetric */
    char **replaces;     /* globs over units that give way to this one */
    char **capabilities; /* what the machine must be able to do (AND) */
    char *spread;        /* metadata key over whose values instances are spread; NULL: none */
    struct port_claim *ports;
    size_t port_count;
    int64_t requests[RESOURCES];  /* 0: nothing is said */
    unsigned int max_per_machine; /* instances of its template on one machine; 0: any number */
    int priority;                 /* the higher is served first; 0 where nothing is said */
    bool global;
    bool ends;        /* Type=oneshot: that it failed is its answer, no machine's fault */
    bool start_first; /* MoveOrder=: in a planned move the next copy is up before this one stops */
    enum failover failover;
};

struct unit_file;

/* Reads and checks [X-Fleet] of a parsed unit file for the unit of this name (%n %N %p %i), and
 * what the rest of it says about resources and ports. -EINVAL with the key, its value and what
 * would be right. At-most-once is refused with a clear message until its own issue. An unknown key
 * is an error with the nearest known one. */
int requirements_read(const struct unit_file *file, const char *unit_name,
                      struct requirements **ret, struct error *err);
int requirements_copy(const struct requirements *from, struct requirements **ret,
                      struct error *err);
void requirements_free(struct requirements *requirements);
DEFINE_AUTOPTR(requirements);

const char *resource_name(enum resource resource); /* "cpu", "memory", "tasks" */

const char *failover_name(enum failover failover); /* "at-least-once", "never" */
/* FAILOVER_INVALID if it is none. */
enum failover failover_from_name(const char *name);

#endif
