/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many machines in one process and one loop. Each is musterd's own agent, whole, with its lease,
 * its watch, its API and its files in a directory of its own; simulated is only the systemd below
 * it. What they share is the client of the store, and so its connections for requests.
 */
#ifndef TESTS_HOLLOW_MACHINES_H
#define TESTS_HOLLOW_MACHINES_H

#include <stdbool.h>

#include "base/error.h"

struct machines_options {
    const char *url;
    const char *directory; /* a folder for each machine is made in it, named by its number */
    unsigned int first;
    unsigned int count;
    unsigned int ttl_s;
    bool may_lead; /* and then tells its decisions on standard error */
};

enum { MACHINE_ID_SIZE = 33 };
void machine_id_of(unsigned int number, char ret[MACHINE_ID_SIZE]);

/* Until SIGTERM. */
int machines_run(const struct machines_options *options, struct error *err);

#endif
