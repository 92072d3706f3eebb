/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The [Container] section (keys of Podman's Quadlet) as a plain value, and its JSON, which is what
 * the agent leaves for muster-container in spec.json.
 */
#ifndef UNITS_CONTAINER_H
#define UNITS_CONTAINER_H

#include <jansson.h>
#include <stdbool.h>

#include "base/cleanup.h"
#include "base/error.h"

struct unit_file;

struct container_volume {
    char *source; /* absolute host path */
    char *destination;
    bool read_only;
};

enum container_network {
    CONTAINER_NETWORK_INVALID = 0,
    CONTAINER_NETWORK_NONE, /* a namespace of its own with loopback only */
    CONTAINER_NETWORK_HOST,
};

struct container {
    char *image;        /* "oci:PATH[:TAG]" */
    char **exec;        /* arguments after the image's entrypoint; NULL: the image's own command */
    char **environment; /* "K=V", each K once */
    struct container_volume *volumes;
    size_t volume_count;
    char *host_name; /* never NULL: the unit's name without suffix, '@' as '-', unless it says */
    enum container_network network;
    bool notify; /* Notify=yes: the program inside says READY=1 itself */
};

/* *ret NULL if the file has no [Container]. -EINVAL with line, key, value and what would be right.
 * Known keys of Quadlet that are not supported yet are refused by name; unknown ones with the
 * nearest known. Words are split and unquoted, %n %N %p %i %% expanded; in Exec= "$$" is "$" as in
 * Quadlet, and no variable is. */
int container_read(const struct unit_file *file, const char *unit_name, struct container **ret,
                   struct error *err);
void container_free(struct container *container);
DEFINE_AUTOPTR(container);

int container_to_json(const struct container *container, json_t **ret, struct error *err);
int container_from_json(const json_t *json, struct container **ret, struct error *err);

#endif
