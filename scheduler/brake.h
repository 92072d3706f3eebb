/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The brake on mass failure: a bucket of tokens, one for each lost machine whose units may go
 * elsewhere. When many machines vanish at once it is more likely that something else is wrong (a
 * switch, a power feed, etcd's clients) than that they have all died, and what is left could not
 * carry their units anyway. Pure.
 */
#ifndef SCHEDULER_BRAKE_H
#define SCHEDULER_BRAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    BRAKE_REFILL_MS = 60000, /* an empty bucket is full again after that */
    BRAKE_BOOT_MS = 60000,   /* after an outage of everything, everybody has so long to return */
};

/* Zero-initialised it is full. */
struct brake {
    bool begun;
    int64_t filled_ms; /* when level was right */
    int64_t level;     /* a token is BRAKE_REFILL_MS of it */
};

/* How many machines may be lost at once, of so many: half of a few, a quarter of many. */
size_t brake_limit(size_t machines);

/* What has flowed in until now. */
void brake_fill(struct brake *brake, size_t limit, int64_t now_ms);
/* False: there is no token. */
bool brake_take(struct brake *brake);
/* A machine that had one is back. */
void brake_give_back(struct brake *brake);
/* When there will be one, if nobody takes any until then. */
int64_t brake_next_ms(const struct brake *brake, size_t limit);

#endif
