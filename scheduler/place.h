/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a unit goes, of the machines that may run it. In this order: one that it prefers; one in
 * the domain with the fewest of its template (Spread=); one where it drives nobody away; one that
 * has none of its template; the least loaded; the first by number.
 */
#ifndef SCHEDULER_PLACE_H
#define SCHEDULER_PLACE_H

#include "scheduler/match.h"
#include "scheduler/party.h"

struct place {
    struct machine *machine; /* NULL: nowhere */
    size_t eligible;         /* how many may run it, be there room or not */
    size_t load;             /* units of the chosen one, before */
    unsigned int wishes;     /* that it fulfils beside being the least loaded: PLACE_… */
    bool lacks_room;         /* nowhere, and room is all that is missing on some machine */
    const char *note;        /* said before all that, or NULL; borrowed */
};
enum { PLACE_PREFERRED = 1, PLACE_SPREAD = 2, PLACE_APART = 4, PLACE_ROOM = 8 };

/* What speaks for a machine; the smaller, the better, the first that differs decides. */
struct merit {
    unsigned int unpreferred; /* 1: not one that it prefers */
    unsigned int domain;      /* of its template in the same domain, itself aside */
    unsigned int drives_away; /* 1: a unit there would have to go */
    unsigned int has_mates;   /* 1: has one of its template */
    unsigned int level;       /* of load */
    unsigned int number;
};

/* Would a unit there have to go, or is about to? */
bool place_drives_away(const struct unit *unit, const struct machine *machine);
struct merit place_merit(struct model *model, const struct unit *unit,
                         const struct machine *machine);
int merit_compare(const struct merit *a, const struct merit *b);
/* "3 of its template in rack r1; has one of its template; load 12/512" */
void merit_words(const struct merit *merit, const struct unit *unit, struct text *words);

/* Asks the index, which must be fresh; it changes nothing that the model knows. Whom the unit is
 * tied to by MachineOf= is not asked: that is for parties. */
struct place place_find(struct model *model, const struct unit *unit);
/* Where it would go, were it not where p is; perhaps there again. */
struct place place_find_anew(struct model *model, struct placement *p);
/* The same as place_find() by asking every machine: what place_find() must agree with. */
struct place place_find_slowly(struct model *model, const struct unit *unit);
/* Where all of a party go, which is lifted (party.h). What speaks for a machine is asked of its
 * first. The second asks every machine. */
struct place place_find_party(struct model *model, const struct party *party);
struct place place_find_party_slowly(struct model *model, const struct party *party);
/* As if the machines in but were closed, all of which are in the index; the words of a choice speak
 * of the others. */
struct place place_find_party_but(struct model *model, const struct party *party,
                                  struct machine *const *but, size_t count);
/* "least loaded of 3 eligible machines (0 units)" */
void place_words(size_t eligible, size_t load, unsigned int wishes, struct text *words);

#endif
