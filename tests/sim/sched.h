/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scheduler alone against a random world; test-sched-sim.c says what is claimed.
 *
 *   sched_world.c    chance and story, the toy store, what can be put into it
 *   sched_disturb.c  what happens to the world, and what agents acknowledge
 *   sched_leader.c   a leader: its plans become writes, if their guards hold
 *   sched_units.c    the units and their rules, and where these let them be
 *   sched_rules.c    what must always hold
 *   sched_rest.c     what must hold when the world has calmed down
 *   sched_twins.c    what the same facts must give, however they are told
 */
#ifndef TESTS_SIM_SCHED_H
#define TESTS_SIM_SCHED_H

#include <uthash.h>

#include "tests/unit/harness.h"
#include "tests/unit/sched_feed.h"

#define TEMPLATE "t@.service"
#define GLOBAL   "global.service"

enum { UNITS = 34, KEYS_MAX = 768, STEPS = 60, NODES = 2, CALM_ROUNDS = 400 };
/* One seed in LARGE_EACH has a large cluster. */
enum { MACHINES = 5, MACHINES_LARGE = 12, MACHINES_MAX = 16, LARGE_EACH = 25 };

struct entry {
    char *key;
    json_t *value; /* NULL: free */
    int64_t create, mod;
    UT_hash_handle hh;
};

struct event {
    char *key;
    json_t *value; /* json_null(): deleted */
    int64_t create, mod;
};

struct sim {
    uint64_t random;
    uint64_t seed;
    size_t machines;
    struct entry store[KEYS_MAX];
    struct entry *by_key;
    int64_t revision;
    int64_t now_ms;
    int64_t absent_since_ms[MACHINES_MAX]; /* of those that are absent */
    bool held_a_slot[MACHINES_MAX];        /* when they went */
    bool seemed_let_go[MACHINES_MAX];      /* since they went: see sched_rules.c */
    int64_t held_since_ms;                 /* by an order to the brake; 0: there is none */
    struct event *events;                  /* all there were */
    size_t event_count, event_room, delivered;
    struct model *model;
    struct model *forgetful; /* told the same; what it has noted it forgets before each plan */
    struct text story;
};

enum { MEMORY = 100 }; /* of each machine */

/* What the test knows of its units by itself: the rules are checked without the code under test. */
enum { PEERS_MAX = 2 };
struct sim_sort {
    const char *name;
    const char *x_fleet;
    const char *rack;             /* wants this rack */
    const char *role;             /* wants db to be this */
    const char *peers[PEERS_MAX]; /* wants to be with them */
    const char *replaced_by;      /* is not where that is */
    char group;                   /* conflicts with others of its group */
    char machine;                 /* wants this one */
    bool kvm;                     /* wants a machine that has it */
    bool stays;                   /* Failover=never */
    bool first;                   /* MoveOrder=start-first */
    bool roams;                   /* each new text wants another rack */
    bool breaks;                  /* some of its texts cannot be read */
    int memory;                   /* that it asks, of MEMORY */
    int priority; /* of those with which it is placed: the one that asks for memory */
};
extern const struct sim_sort sim_sorts[UNITS];

/* Some of them. */
struct sim_set {
    bool has[UNITS];
};

/* --- sched_world.c --- */

uint64_t sim_dice(struct sim *sim, uint64_t sides);
void sim_tell(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Ends the test with the seed and its story. */
void sim_broken(struct sim *sim, const char *what, const char *which);
void sim_require(struct sim *sim, bool holds, const char *what, const char *which);
struct entry *sim_find(struct sim *sim, const char *key);
struct entry *sim_findf(struct sim *sim, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* What the store has to tell reaches the leader. */
void sim_deliver(struct sim *sim);
/* Another one, which knows what the store has and nothing else. */
void sim_new_leader(struct sim *sim);
/* Their ids are such a digit, 32 times. */
char sim_letter(size_t machine);
size_t sim_number(char m);
bool sim_is_present(struct sim *sim, char m);
bool sim_takes_newcomers(struct sim *sim, char m);
json_t *sim_record(const char *format, ...);
void sim_putf(struct sim *sim, json_t *value, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void sim_delf(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sim_put_member(struct sim *sim, char m);
void sim_put_presence(struct sim *sim, char m, bool ready);
bool sim_is_instance(const char *unit);
bool sim_is_global(const char *unit); /* it runs everywhere */
const char *sim_field_of(const struct entry *entry, const char *name);
int64_t sim_number_of(const struct entry *entry, const char *name);
void sim_put_unit(struct sim *sim, const struct sim_sort *sort, const char *desired);

/* --- sched_disturb.c --- */

void sim_read_rollout(struct sim *sim, const char *name, struct record_rollout *ret);
void sim_disturb(struct sim *sim);
/* Its presence goes. */
void sim_lose(struct sim *sim, char m);
/* They do what they were told, all of it or by chance; true if any did. */
bool sim_agents(struct sim *sim, bool hurry);

/* --- sched_leader.c --- */

/* One turn; true if it wrote anything. calm: nothing else happens meanwhile. */
bool sim_lead(struct sim *sim, bool calm, int64_t *ret_wake_ms);

/* --- sched_units.c --- */

const struct sim_sort *sim_sort_named(const char *name); /* or NULL */
size_t sim_homes_of(struct sim *sim, const char *name, char homes[MACHINES_MAX + 1]);
/* The machine where the unit's successor is, while there is one; '\0': there is none. */
char sim_successor_of(struct sim *sim, const char *name);
size_t sim_count_holders(struct sim *sim, char holders[MACHINES_MAX + 1]);
const char *sim_metadata_of(struct sim *sim, char m, const char *key);
bool sim_is_wanted(struct sim *sim, const struct sim_sort *sort); /* started, or loaded */
bool sim_is_readable(struct sim *sim, const struct sim_sort *sort);
bool sim_is_to_run(struct sim *sim, const char *unit);
/* Those that it is placed with; itself alone if it waits for one that nobody wants. */
struct sim_set sim_party(struct sim *sim, const struct sim_sort *sort);
/* It, and all whom it follows, by steps. */
struct sim_set sim_closure(const struct sim_sort *sort);
bool sim_waits_for_unwanted(struct sim *sim, const struct sim_sort *sort);
int sim_memory_of(const struct sim_set *set);
int sim_priority_of(const struct sim_set *set);
/* All rules but room let the unit be there, beside what is there. */
bool sim_rules_hold(struct sim *sim, const struct sim_sort *sort, char m);
/* All of the set may be there, and there is room for them beside all, or beside those that would
 * not yield to them. */
bool sim_all_fit(struct sim *sim, const struct sim_set *set, char m, bool beside_all);

/* --- sched_rules.c --- */

void sim_check_store(struct sim *sim);
/* A verdict says that the machine waits for it to fit. */
bool sim_has_reserved(struct sim *sim, const struct sim_sort *sort, char m);
bool sim_is_another_down(struct sim *sim, const char *unit);
void sim_check_plan(struct sim *sim, const struct plan *plan);

/* --- sched_rest.c --- */

/* Without anything else happening the leader has nothing more to do, after a few turns. */
void sim_settle(struct sim *sim);
void sim_calm_down(struct sim *sim);

/* --- sched_twins.c --- */

/* A model that was told all that ever happened plans what one plans that knows the outcome. */
void sim_check_twins(struct sim *sim);
/* What has been noted from step to step makes no plan differ: this one has just been made. */
void sim_check_forgetful(struct sim *sim, const struct plan *plan);

#endif
