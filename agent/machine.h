/* SPDX-License-Identifier: Apache-2.0 */
/* Who this machine is: read once at start. */
#ifndef AGENT_MACHINE_H
#define AGENT_MACHINE_H

#include <stdint.h>

#include "base/error.h"

enum { MACHINE_CAPABILITIES_MAX = 4 };

struct machine {
    char id[33];      /* /etc/machine-id */
    char boot_id[33]; /* of this boot */
    char name[65];    /* host name */
    char
        address[64]; /* of the interface that leads to the store or the default route; "" if none */
    int64_t cpu_milli; /* processors that are online, in thousandths */
    int64_t memory_bytes;
    int64_t tasks;                                   /* that the kernel allows */
    char capabilities[MACHINE_CAPABILITIES_MAX][65]; /* its architecture, kvm, watchdog; then "" */
};

/* -EINVAL: /etc/machine-id is missing, empty or no 32 hex digits: a machine without identity must
 * not join. */
int machine_read(struct machine *ret, struct error *err);

#endif
