/* SPDX-License-Identifier: Apache-2.0 */
/* Those who hear of puts as a leader and its machines hear of assignments, and do nothing about
 * them: what that costs etcd, without what those would do. */
#ifndef TESTS_HOLLOW_HEARERS_H
#define TESTS_HOLLOW_HEARERS_H

#include "base/error.h"

struct hearers_options {
    const char *url;
    const char *directory; /* where the log goes */
    const char *prefix;
    unsigned int machines; /* each hears of what is below its own node; 0: one who hears of all */
};

/* Until it is killed. */
int hearers_run(const struct hearers_options *options, struct error *err);

#endif
