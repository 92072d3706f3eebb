/* SPDX-License-Identifier: Apache-2.0 */
/* Which machine gets a role's next slot, and which loses one: pure comparisons. */
#ifndef SCHEDULER_ROLES_H
#define SCHEDULER_ROLES_H

#include <stddef.h>
#include <stdint.h>

struct role_candidate {
    const char *machine;      /* id; borrowed */
    unsigned int priority;    /* 1–255 */
    unsigned int other_roles; /* roles it holds already */
    int64_t registration;     /* grows: the smaller, the longer it has been up */
    int64_t slot_mod;         /* holders: grows; the larger, the younger its tenure */
};

/* < 0: a gets a free slot before b. Never 0 for two machines. */
int role_candidate_compare(const struct role_candidate *a, const struct role_candidate *b);
/* < 0: of two holders too many a goes before b. */
int role_surplus_compare(const struct role_candidate *a, const struct role_candidate *b);

#endif
