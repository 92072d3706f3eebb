/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts that many share: each is kept once, so a unit pays a pointer for the digest that it has in
 * common with a thousand others, and two are equal if their pointers are.
 */
#ifndef SCHEDULER_SHARED_H
#define SCHEDULER_SHARED_H

#include "scheduler/table.h"

struct shared_text;

/* Zero-initialise. */
struct shared {
    struct table table;
    struct shared_text *idle; /* perhaps not used any more */
};

void shared_done(struct shared *shared);
/* The one text that reads like this; NULL if memory ran out. Each get wants a put. */
const char *shared_get(struct shared *shared, const char *text);
/* The text stays readable until shared_sweep(). NULL does nothing. */
void shared_put(struct shared *shared, const char *text);
/* Frees what nobody uses. */
void shared_sweep(struct shared *shared);

#endif
