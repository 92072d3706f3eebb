/* SPDX-License-Identifier: Apache-2.0 */
/* The story that muster-hollow plays with its cluster, and the figures of it. */
#ifndef TESTS_HOLLOW_DRIVE_H
#define TESTS_HOLLOW_DRIVE_H

enum {
    DRIVE_GROUPS = 10,     /* processes of machines; one of them is lost */
    DRIVE_ROUNDS_MAX = 20, /* in which a leader writes everything */
};

struct drive_options {
    const char *url;
    const char *directory;
    unsigned int machines; /* a multiple of DRIVE_GROUPS */
    unsigned int units;
    unsigned int ttl_s;
    unsigned int idle_s; /* how long nothing is done, twice */
    unsigned int rounds; /* 1 to DRIVE_ROUNDS_MAX */
};

/* Ends the program if something is not as it should be. */
void drive(const struct drive_options *options);

#endif
