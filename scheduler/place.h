/* SPDX-License-Identifier: Apache-2.0 */
/* Where a unit goes: the least loaded of the machines that may run it; of equals the lowest id. */
#ifndef SCHEDULER_PLACE_H
#define SCHEDULER_PLACE_H

#include "scheduler/match.h"

struct place {
    struct machine *machine; /* NULL: nowhere */
    size_t eligible;         /* how many may run it */
    size_t load;             /* of the chosen one, before */
};

/* Asks the index, which must be fresh; it changes nothing that the model knows. */
struct place place_find(struct model *model, const struct unit *unit);
/* The same by asking every machine: what place_find() must agree with. */
struct place place_find_slowly(struct model *model, const struct unit *unit);
/* "least loaded of 3 eligible machines (0 units)" */
void place_words(size_t eligible, size_t load, struct text *words);
/* "no machine may run it: 4f2a1b3c (node1): conflicts with a.service; …" */
void place_refusals(struct model *model, const struct unit *unit, struct text *words);

#endif
