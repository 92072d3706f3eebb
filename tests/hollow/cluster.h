/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a drive writes into the store of its cluster, and what it finds in it. Whatever is not as it
 * should be ends the program.
 */
#ifndef TESTS_HOLLOW_CLUSTER_H
#define TESTS_HOLLOW_CLUSTER_H

#include "base/digest.h"
#include "tests/hollow/store.h"

/* A unit's name by its number, and the other way round; and the digest of its text. */
enum { CLUSTER_UNIT_NAME_SIZE = 48 };
void cluster_unit_name(unsigned int number, char ret[CLUSTER_UNIT_NAME_SIZE]);
bool cluster_unit_number(const char *name, unsigned int *ret);
void cluster_unit_digest(unsigned int number, char ret[DIGEST_HEX_SIZE]);

/* Units that want to run, a hundred instances to a template; and that are destroyed. */
void cluster_submit(struct store *store, unsigned int units);
void cluster_destroy(struct store *store, unsigned int units);

/* As if nothing had ever been assigned. */
void cluster_unassign(struct store *store);

/* That the machine takes no units. */
void cluster_cordon(struct store *store, const char *machine);

/* The assignments as they stand. */
struct cluster_assignments {
    int64_t first_revision; /* of the oldest and the newest */
    int64_t last_revision;
    int64_t last_state_revision; /* of the newest of their states */
};

/* Finds every unit assigned once, to a machine that is there, where it is active; nothing else is
 * assigned, and there is no state besides. */
struct cluster_assignments cluster_check(struct store *store, unsigned int units);

/* Only that every unit is assigned once. */
struct cluster_assignments cluster_check_assigned(struct store *store, unsigned int units);

/* The lease of a machine's presence ends now, as if its time were over. */
void cluster_expire(struct store *store, const char *machine);

#endif
