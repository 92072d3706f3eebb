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

struct place place_find(const struct model *model, const struct unit *unit);
/* "least loaded of 3 eligible machines (0 units)" */
void place_words(const struct place *place, struct text *words);
/* "no machine may run it: 4f2a1b3c (node1): conflicts with a.service; …" */
void place_refusals(const struct model *model, const struct unit *unit, struct text *words);

#endif
