/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cluster of whole musterds in one process: agents, leaders, one store in memory, a systemd of
 * the mind for each machine, and a clock that jumps to whatever is due next. What happens to it is
 * drawn from a seed (disturb.c), and judged after each step (witness.c, rest.c). The same seed
 * makes the same run.
 *
 *   cluster.c  time, machines, musterds: what comes when
 *   disturb.c  what the world and people do to them
 *   witness.c  what must hold at every moment, from the store's own history and from what runs
 *   rest.c     what must hold once nothing happens any more
 */
#ifndef TESTS_SIM_CLUSTER_H
#define TESTS_SIM_CLUSTER_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/agent.h"
#include "base/text.h"
#include "kvclient/kv_memory.h"
#include "kvclient/kv_pairs.h"
#include "scheduler/records.h"

#define SIM_PREFIX   "/t/"
#define SIM_TEMPLATE "t@.service"

enum {
    SIM_MACHINES = 4,
    SIM_UNITS = 14,
    SIM_MEMORY = 100, /* MiB of each machine */
    SIM_TTL_MS = 5000,
    SIM_ROLE_NODES = 2,
    SIM_LAG_MAX_MS = 3000,
    /* What a leader or an agent knows may be so old: the longest lag and the longest hang, and both
     * of them twice. */
    SIM_STALE_MS = 15000,
};

/* What the simulator knows of its units by itself: rules are checked without the code under test.
 */
struct sim_sort {
    const char *name;
    const char *x_fleet; /* lines of [X-Fleet] */
    const char *rack;    /* wants this rack */
    const char *role;    /* wants "db" to be this */
    const char *peer;    /* wants to be with it */
    char group;          /* conflicts with others of its group */
    bool never;          /* Failover=never */
    bool first;          /* MoveOrder=start-first */
    bool global;
    int memory; /* MiB that it asks for */
    int priority;
};
extern const struct sim_sort sim_sorts[SIM_UNITS];

/* One unit on one machine: the assignment as the store has it, and what the simulator makes of the
 * unit in the machine's systemd. */
struct sim_copy {
    int64_t assignment_mod; /* 0: none */
    enum want want;
    int64_t answered; /* the assignment that a state answered last, without a problem */
    int64_t changed_ms;
    int64_t lawful_since_ms; /* since when the machine may run it; INT64_MAX: it may not */
    char moves_from[33];     /* the successor of a copy there; "": of none */
    int64_t active_since_ms; /* as the store says; 0: it is not */
    bool accused;            /* was told to leave in this very revision, for this: */
    char cause[16], reason[160];
    bool stray;   /* it may still run: its assignment went while its machine was away */
    bool cursed;  /* fails to start there */
    bool has_job; /* as systemd has it, like the next four */
    bool runs;
    const char *active; /* borrowed of systemd's */
    unsigned int starts, stops;
    int64_t job_ms; /* when its job in systemd ends; INT64_MAX: there is none */
    unsigned int starts_seen, stops_seen;
    int64_t started_for; /* the assignment that it was last started for, in this boot */
};

struct sim_machine {
    struct machine machine;
    struct config *config;
    struct agent_world world;
    char *run, *state, *links;
    unsigned int boots;
    struct systemd *systemd; /* NULL: the machine is off */
    uint64_t systemd_seen;   /* how far the copies show it */
    struct loop *loop;       /* of its musterd, as the next two; NULL: it does not run */
    struct kv *kv;
    struct agent *agent;
    /* When what is the matter ends; 0: nothing is. INT64_MAX for off and down: nobody mends it. */
    int64_t off_until_ms, down_until_ms, cut_until_ms, lag_until_ms, hung_until_ms, bus_until_ms;
    int64_t lag_ms;
    int64_t pump_ms; /* when the store is heard next; INT64_MAX: it has nothing to say */
    int64_t told_ms; /* the same of systemd */
    int64_t calm_since_ms;
    /* As the store has it. */
    int64_t registration, absent_since_ms;
    int64_t cordoned_since_ms; /* 0: it is not */
    size_t slots;              /* of the role that it holds */
    int64_t drain_seen_ms;     /* when there was last an order to drain it */
    struct sim_copy copies[SIM_UNITS];
};

struct sim {
    uint64_t seed, random;
    int64_t now_ms;
    char dir[64];
    struct kv_memory *store;
    struct kv *people, *witness;
    struct kv_watch *watch;
    struct kv_pairs shadow; /* the store as the witness has seen it */
    int64_t frozen_until_ms;
    int64_t store_calm_since_ms;
    int64_t leader_since_ms;
    bool slots_changed;
    int64_t units_changed, units_marked; /* in which revision last */
    int64_t held_since_ms;               /* by an order to the brake; 0: there is none */
    int64_t rebalance_seen_ms;           /* when there was last an order to rebalance; 0: never */
    int text_of_instances;               /* number of the text that instances are submitted with */
    int64_t unit_changed_ms[SIM_UNITS];
    struct sim_machine machines[SIM_MACHINES];
    const struct sim_machine *acting; /* whose code runs */
    bool disturbing;
    int64_t next_disturbance_ms;
    int64_t moves;  /* of units, so far */
    int64_t states; /* that were written, so far */
    bool tells;     /* keeps a story; else only the digest of one */
    struct text story;
    uint64_t digest;
    char broken[512]; /* what does not hold; "": nothing yet */
};

/* --- cluster.c --- */

void sim_begin(struct sim *sim, uint64_t seed, bool tells);
void sim_end(struct sim *sim);

/* Lets time pass, with all that happens meanwhile; less if something breaks. */
void sim_run(struct sim *sim, int64_t ms);

uint64_t sim_dice(struct sim *sim, uint64_t sides);
void sim_tell(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sim_break(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The machine's power, its musterd, and its way to the store. */
void sim_power_on(struct sim *sim, struct sim_machine *m);
void sim_power_off(struct sim *sim, struct sim_machine *m);
void sim_musterd_start(struct sim *sim, struct sim_machine *m);
void sim_musterd_kill(struct sim *sim, struct sim_machine *m);
void sim_cut(struct sim *sim, struct sim_machine *m, bool cut);
void sim_bus(struct sim *sim, struct sim_machine *m, bool connected);
/* Everything ends that is the matter, and every machine that shall come back does. */
void sim_heal(struct sim *sim);

/* Written at once, by people. */
void sim_put(struct sim *sim, const char *key, const char *value);
void sim_delete(struct sim *sim, const char *key);
/* A unit's key, with units-written. */
void sim_change_unit(struct sim *sim, const struct kv_op *op);
const struct kv_pair *sim_peek(const struct sim *sim, const char *key);
const struct kv_pair *sim_peekf(const struct sim *sim, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* NULL: nobody has this id; nobody leads. */
struct sim_machine *sim_machine_of(const struct sim *sim, const char *id);
struct sim_machine *sim_leader(const struct sim *sim);

bool sim_is_calm(const struct sim *sim, const struct sim_machine *m, int64_t ms);

/* --- disturb.c --- */

void sim_disturb(struct sim *sim);
/* Orders of people, by number of the unit. */
void sim_wish(struct sim *sim, size_t unit, enum desired desired);
/* What would go on by itself for minutes is called off. */
void sim_call_off(struct sim *sim);

/* --- witness.c --- */

int sim_witness_begin(struct sim *sim);
void sim_witness(struct sim *sim);
/* Whether the rules let the unit be there, as things stand in the store. */
bool sim_rules_hold(const struct sim *sim, const struct sim_machine *m, size_t unit);
bool sim_takes_newcomers(const struct sim *sim, const struct sim_machine *m);
bool sim_is_wanted(const struct sim *sim, size_t unit, enum desired *ret);
/* Beside those that would not yield to the unit. */
bool sim_has_room(const struct sim_machine *m, size_t unit);

/* --- rest.c --- */

/* Ends what disturbs, and checks that all comes to rest where it should, and stays there. */
void sim_come_to_rest(struct sim *sim);

#endif
