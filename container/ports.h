/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Published ports of a container: ranges spelled out, ports of the machine chosen where the unit
 * leaves that to us, and a port that is taken told before anything is set up. portmap would not
 * notice: its rules simply shadow whoever listens.
 */
#ifndef CONTAINER_PORTS_H
#define CONTAINER_PORTS_H

#include <jansson.h>

#include "base/error.h"
#include "units/container.h"

/* What another unit's container on this machine has published. */
struct ports_holder {
    const char *unit;    /* borrowed */
    const json_t *ports; /* borrowed; as ports_choose() made it */
};

/* An array as CNI's capability portMappings has it (hostPort, containerPort, protocol, hostIP),
 * owned by the caller; NULL where the container publishes none. -EADDRINUSE: a port is taken, and
 * the error says by whom. */
int ports_choose(const struct container *container, const struct ports_holder *holders,
                 size_t holder_count, json_t **ret, struct error *err);

/* As people write them, "[IP:]HOST:CONTAINER/PROTOCOL"; caller frees with strv_free(). */
int ports_words(const json_t *ports, char ***ret, struct error *err);

#endif
