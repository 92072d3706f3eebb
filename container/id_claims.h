/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which ids of the host the containers of this machine have: a file for each, named as its unit,
 * of lines "uid START COUNT" and "gid START COUNT", in a directory of the run directory. A lock
 * makes looking and taking one step, so no two that take at the same time get the same.
 */
#ifndef CONTAINER_ID_CLAIMS_H
#define CONTAINER_ID_CLAIMS_H

#include "container/id_ranges.h"

struct id_claim {
    struct id_ranges uids, gids; /* owned */
};

void id_claim_done(struct id_claim *claim);

struct id_wish {
    const char *unit;       /* whose container it is */
    int64_t size;           /* of either kind */
    struct id_ranges *uids; /* where they may come from; borrowed */
    struct id_ranges *gids;
};

/* Finds a range of each kind that nobody has, and notes it; what the unit had before is given back
 * first. -ENOSPC: nothing is free. */
int id_claims_take(const char *directory, const struct id_wish *wish, struct id_claim *ret,
                   struct error *err);

/* Notes what a unit was told to use, free or not, so that nobody else is given it. */
int id_claims_note(const char *directory, const char *unit, const struct id_claim *claim,
                   struct error *err);

/* That there is none is success. */
int id_claims_give_back(const char *directory, const char *unit, struct error *err);

#endif
