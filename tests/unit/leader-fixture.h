/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of a leader: it and a store in memory, on a fake clock, and everybody else who writes
 * there. Whatever fails in here fails the test. */
#ifndef TESTS_UNIT_LEADER_FIXTURE_H
#define TESTS_UNIT_LEADER_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/leader.h"
#include "base/contact.h"
#include "kvclient/kv_memory.h"

#define PREFIX "/t/"
#define M1     "11111111111111111111111111111111"
#define M2     "22222222222222222222222222222222"

struct world {
    struct loop *loop;
    struct kv_memory *store;
    struct kv *kv;     /* the leader's connection */
    struct kv *others; /* everybody else's */
    struct leader *leader;
    int64_t now_ms;
    int64_t epoch;
    struct contact contact;
    int64_t judged_ttl_ms;
    int renewals;
    int barred;
    bool members_mark; /* the units that they write */
    const char *uuid;  /* of the cluster that this machine remembers; NULL: none */
};

/* For each test: *state is a world without a leader. */
int world_set_up(void **state);
int world_tear_down(void **state);

/* What others write, in one transaction, which everybody hears of. Returns its revision. */
int64_t world_write(struct world *world, const struct kv_op *ops, size_t count);
int64_t world_put(struct world *world, const char *key, const char *value);
int64_t world_delete(struct world *world, const char *key);
/* Not told to anybody yet but to who writes. */
int64_t world_put_untold(struct world *world, const char *key, const char *value);

/* Lets the fake clock run, with everything that comes due on the way. The loop's own timers run on
 * real time, so those of the leader (a debounce of 250 ms, say) are waited for in steps. */
void world_run_for(struct world *world, int64_t ms);

/* M1 has become the leader, and begins. */
void world_lead(struct world *world);
/* It has become it once more, and goes on. */
void world_renew(struct world *world);

/* A machine is there. */
void world_join(struct world *world, const char *machine);
/* A unit of that text is wanted. */
void world_launch_text(struct world *world, const char *name, const char *text);
void world_launch(struct world *world, const char *name);

#endif
