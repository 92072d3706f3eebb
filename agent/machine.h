/* SPDX-License-Identifier: Apache-2.0 */
/* Who this machine is: read once at start. */
#ifndef AGENT_MACHINE_H
#define AGENT_MACHINE_H

#include "base/error.h"

struct machine {
    char id[33];      /* /etc/machine-id */
    char boot_id[33]; /* of this boot */
    char name[65];    /* host name */
    char
        address[64]; /* of the interface that leads to the store or the default route; "" if none */
};

/* -EINVAL: /etc/machine-id is missing, empty or no 32 hex digits: a machine without identity must
 * not join. */
int machine_read(struct machine *ret, struct error *err);

#endif
