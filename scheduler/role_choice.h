/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may hold a role, who is the best to get its next slot, and who is the first to lose one.
 * Pure. What must be (require, conflicts, priority 0) is asked by role_suits() and
 * role_in_the_way(); the rest are comparisons.
 */
#ifndef SCHEDULER_ROLE_CHOICE_H
#define SCHEDULER_ROLE_CHOICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct machine;
struct model;
struct role;

struct role_candidate {
    struct machine *machine;  /* borrowed; NULL: there is none */
    const char *id;           /* the machine's; borrowed */
    unsigned int alike;       /* other holders that share its value of the role's spread key */
    unsigned int priority;    /* 1–255 */
    unsigned int other_roles; /* roles it holds already */
    int64_t registration;     /* grows: the smaller, the longer it has been up */
    int64_t slot_mod;         /* holders: grows; the larger, the younger its tenure */
};

/* < 0: a gets a free slot before b. Never 0 for two machines. */
int role_candidate_compare(const struct role_candidate *a, const struct role_candidate *b);
/* < 0: of two holders too many a goes before b. */
int role_surplus_compare(const struct role_candidate *a, const struct role_candidate *b);
/* Is a better by what is worth a change of hands: its spread, else its priority? */
bool role_candidate_is_better(const struct role_candidate *a, const struct role_candidate *b);

/* What lasts: its priority is not 0, and its own metadata has what the role requires. */
bool role_suits(const struct role *role, const struct machine *machine);
/* The first "key=value" of the role's require that the machine does not have, nor another value
 * that would do; NULL: it has all. */
const char *role_lacks(const struct role *role, const struct machine *machine);
/* Registered, ready, not cordoned, and suited. */
bool role_may_take(const struct role *role, const struct machine *machine);
/* A role that the machine holds, or still stops the units of, and that does not go with this one;
 * NULL: there is none. */
const struct role *role_in_the_way(const struct model *model, const struct role *role,
                                   const struct machine *machine);
/* It gave up the slot and has not stopped the role's units yet. */
bool role_is_leaving(const struct role *role, const struct machine *machine);

/* What speaks for a machine; without counts it as no holder (NULL: all count). */
struct role_candidate role_candidate_of(const struct model *model, const struct role *role,
                                        struct machine *machine, const struct machine *without);
/* Of those that may take a slot and hold none; .machine is NULL if there is nobody. */
struct role_candidate role_best_spare(const struct model *model, const struct role *role,
                                      const struct machine *without);
unsigned int role_count_spares(const struct model *model, const struct role *role);

#endif
