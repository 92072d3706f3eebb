/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The model from inside, for scheduler/ alone.
 *
 * Machines, units and their pairs (placements) point at each other. A thing exists as long as some
 * key of the store speaks of it; what no key speaks of any more is swept at the end of the next
 * step, so that nothing on the lists of marks is ever freed under the step's feet.
 *
 * The fields under "within a step" hold what the step has decided but the store does not know yet;
 * they are clear between steps.
 */
#ifndef SCHEDULER_MODEL_DATA_H
#define SCHEDULER_MODEL_DATA_H

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

#include "scheduler/brake.h"
#include "scheduler/index.h"
#include "scheduler/model.h"
#include "scheduler/pool.h"
#include "scheduler/rebalance.h"
#include "scheduler/shared.h"

/* A unit failed here, and runs elsewhere. */
struct strike {
    const struct family *family; /* for comparing only: it may be gone */
    int64_t at_ms;
};
enum { STRIKES = 3 };

enum { REFUSALS_TOLD = 8 };

/* The machines that are spoken of where none will do: refusals.h. */
struct told {
    struct machine *machines[REFUSALS_TOLD];
    size_t count, others;
    uint64_t changes; /* how often something has happened to one of them, or to who they are */
    bool is_stale;
};

struct machine {
    /* What each placing looks at fills one line of the processor's cache. */
    _Alignas(CACHE_LINE) int64_t registration; /* 0: absent */
    uint32_t load;                             /* placements that the store has an assignment for */
    uint32_t planned;             /* within a step: placements decided on top of load */
    struct placement *arrivals;   /* within a step: newcomers, linked by machine_next alone */
    struct machine *arrived_next; /* within a step */
    struct unit *kept_for;        /* it is about to have room for this one; NULL: for none */
    int kept_priority; /* of those that come with it, if any are tied to it; see party.h */
    bool is_cleared;   /* and nobody that it replaces may stay */
    bool is_reserved;  /* for that one, which has waited long; its verdict says so */
    bool is_told;      /* one of struct told */
    bool is_bounded;   /* some capacity is declared */
    uint32_t number;   /* in the index, unless that is stale */
    uint32_t level;    /* the one that it is in there, if it is open */
    bool is_member;

    /* And what is looked at where resources count fills most of the next. */
    _Alignas(CACHE_LINE) int64_t capacity[RESOURCES]; /* to be promised; 0: not declared */
    int64_t used[RESOURCES]; /* what is promised, as long as the index is not stale */

    char id[33];
    struct record_member member;
    struct role_number *priorities; /* member.role_priority, read */
    size_t priority_count;
    bool ready;
    char *not_ready_reason;
    int64_t absent_since_ms; /* -1: not seen absent yet */
    int64_t up_registration; /* the one that roles.c has known since up_since_ms */
    int64_t up_since_ms;
    bool cordoned;
    int64_t drain_mod; /* of ops/drain/<id>; 0: none */
    struct record_drain drain;
    bool took_token;                    /* to be let go; given back when it is back */
    bool is_counted, is_counted_absent; /* in brake_members, brake_absent of the model */
    bool was_known;                     /* when it was last looked whom words tell of */
    bool let_go; /* lost, and its units may go elsewhere: the brake does not hold it */
    struct strike strikes[STRIKES]; /* the youngest last; those with at_ms 0 are none */
    int64_t drain_stuck_since_ms;   /* nothing moves, for want of budget; -1: it does */
    /* As drain.c has found, no more of its copies can go, as long as nothing happens to them or to
     * who is told of, and nothing eases: */
    bool drain_rests;
    uint64_t drain_told_at, drain_eased_at;
    struct machine *drain_prev, *drain_next; /* in draining of the model */

    struct placement *placements;

    int64_t rebalanced_ms; /* when it last gave or got a unit by rebalancing; 0: never */
    bool uneven;           /* its load has changed since rebalancing looked at it */
    struct machine *uneven_prev, *uneven_next;

    struct machine *kept_prev, *kept_next;

    bool marked;
    struct machine *mark_prev, *mark_next;
    UT_hash_handle hh;

    bool revisit; /* within a step: absent, not yet lost: the next must look again */
};

/* "unit follows peer": one line of MachineOf=. Owned by the follower. */
struct follow {
    struct unit *follower, *peer;
    struct follow *prev, *next; /* in peer->followers */
};

/* Few units follow others. */
struct follow_set {
    size_t count;
    /* within a step */
    uint64_t depth_round;
    unsigned int depth; /* how long the chain of its peers is; valid if the round is this one */
    struct follow links[];
};

/* Few units are in trouble, or have ever been started anew by order. */
struct trouble {
    char *problem;       /* why there are no requirements; else NULL */
    int64_t verdict_mod; /* 0: there is no verdict */
    int64_t verdict_unit_revision;
    char *verdict_reason;
    enum verdict_kind verdict_kind;
    int64_t attempts; /* failing: on how many machines */
    char *tried;
    bool lacks_machine;       /* it failed, and nobody else may try */
    size_t failures;          /* of its copies, as failures.h has them */
    int64_t asked_since_ms;   /* since when it is asked what to do about it; 0: not yet */
    int64_t restart_revision; /* as of record_unit */

    struct machine *kept;   /* that is kept for it; NULL: none */
    int64_t short_since_ms; /* since when it has found no place for want of room; 0: it does not */
    int64_t
        waits_since_ms; /* since when it waits for others of its group to stop; 0: it does not */
    int64_t succeeds_since_ms; /* since when its successor may come up; 0: there is none */
    int64_t lingers_since_ms;  /* since when it waits until it may leave; 0: it does not */
    int64_t told_mod;          /* of the verdict that says what is so: refusals.h */
    uint64_t told_at;
    const struct machine *told_lost; /* for comparing only */
    bool is_listed;                  /* in shorts of the model */
    bool says_reserved;              /* its verdict: a machine is reserved for it */
    struct unit *unit;
    struct trouble *short_prev, *short_next;
};

struct placement_key {
    struct machine *machine;
    struct unit *unit;
};

/* What its state says of a copy that should run. */
enum copy_health {
    COPY_UNKNOWN = 0, /* nothing was said yet, or it is on its way */
    COPY_UP,          /* active, or it ran to its end and all was well */
    COPY_FAILED,      /* failed, or the machine could not do what it was to do */
};

/* What it says of the health of its container. */
enum check_health {
    CHECK_NONE = 0, /* nothing is checked */
    CHECK_STARTING,
    CHECK_HEALTHY,
    CHECK_UNHEALTHY,
};

struct placement {
    struct placement_key key;
    struct placement *unit_next;
    struct placement *machine_prev, *machine_next;
    int64_t assignment_mod; /* 0: no assignment */

    enum want want : 8;
    enum failover failover : 8;
    enum copy_health health : 8;
    enum move_cause cause : 8; /* of a release */
    /* within a step */
    bool planned : 1; /* decided: it will be assigned here */
    bool leaving : 1; /* decided: released, dropped or moved away */
    bool touched : 1;
    bool is_newcomer : 1; /* the store knows nothing of the pair: see arrivals.h */
    enum check_health check : 2;
    bool succeeds : 1;                     /* it is to follow another copy: succession.h */
    bool is_moving : 1, is_succeeding : 1; /* as budget.c has counted it */
    uint16_t run; /* of systemd's invocation id: another run has another, as a rule */

    const char *blob; /* shared */
    int64_t unit_revision;
    int64_t state_mod; /* 0: no state */
    int64_t state_registration;
    int64_t released_revision;
    int64_t answered_revision; /* of the assignment that the state answers */
};

/* There may be a million of them: 200 bytes with a name of 23. Nearly each is on one machine, so
 * that one placement is part of it: what reads the one finds the other beside it. */
struct unit {
    /* What each look at it reads stands together. */
    uint32_t pending_at; /* where it is among the pending ones, or those that sleep, if it is */
    enum desired desired : 8;
    bool exists : 1;  /* the store has units/<name> */
    bool pending : 1; /* wants what no machine gives: tried again when anything makes room */
    bool marked : 1;
    bool revisit : 1;                   /* within a step: the next must look again */
    bool settled : 1;                   /* within a step: it has been decided with its party */
    bool is_lost : 1;                   /* its machine is, as this step has found; of marked ones */
    bool is_down : 1, moves_as_one : 1; /* as budget.c has counted it */
    bool has_idle_copy : 1;             /* perhaps: one that no key speaks of */
    bool is_asleep : 1;                 /* pending, and another looks for it: sleepers.h */
    bool speaks : 1;       /* within a step: if it finds nothing, nor do those that sleep */
    bool has_newcomer : 1; /* within a step: a placement of arrivals.h; then it is marked */

    int64_t create, mod; /* of units/<name>; mod 0: absent */
    const char *blob;    /* shared */
    /* Kept after the unit is deleted while copies remain: what is being released still conflicts.
     * NULL until the unit or an assignment of it is seen. */
    struct group *group;
    struct trouble *trouble; /* or NULL */
    struct placement *placements;
    struct follow_set *follows; /* or NULL */
    struct follow *followers;

    struct placement own; /* one of them, or, without a machine, none */
    char name[];
};

/* An instance that has had its turn in a rollout, as this leader has seen it. */
struct rollout_watch {
    int64_t begun_ms;    /* since when it may take its time to come up */
    int64_t up_since_ms; /* -1: it is not up */
    uint16_t run;        /* the one that is up */
    unsigned int relapses;
    UT_hash_handle hh;
    char name[];
};

struct rollout_list;

struct rollout {
    char name[257];
    int64_t mod;
    struct record_rollout record;
    struct rollout_watch *watches;
    int64_t stuck_since_ms; /* nothing moves, for want of budget; -1: it does */
    bool says_stuck;        /* its reason is that, as this leader has written it */
    struct unit **units;    /* that take part, by name; NULL: not listed yet */
    size_t unit_count;
    struct rollout_list *list; /* what is known of them: rollout_list.h; NULL: nothing */
    UT_hash_handle hh;
};

struct slot {
    unsigned int index;
    int64_t mod; /* 0: not in the store (decided within this step) */
    struct machine *machine;
    struct slot *prev, *next; /* sorted by index */

    /* within a step */
    bool has_plan;
    struct machine *planned; /* NULL: given up */
};

struct role {
    char name[64];
    bool defined;
    int64_t mod;
    struct record_role def; /* its own */
    struct slot *slots;
    bool was_held; /* it has or had a holder: not its first boot */
    /* First boot: which machines may hold it, and since when these. */
    uint64_t candidates_digest;
    int64_t candidates_since_ms;
    int64_t promoted_ms; /* when a lost holder was last replaced; -1: not by this leader */
    UT_hash_handle hh;
};

/* What the last step has looked at, in numbers: tests hold it against what had changed. */
struct effort {
    size_t trials;  /* machines on which units were lifted for one that replaces them */
    size_t counted; /* copies for the budget */
    size_t asked;   /* machines, by askers */
    size_t judged;  /* members of rollouts, once for how they do and once for a turn */
    size_t worded;  /* machines, for words about why they do not take a unit */
    size_t drained; /* copies on machines that are to be empty */
    size_t walked;  /* copies, to order turns and to forget what is idle */
    size_t turns;   /* units */
};

struct asker;

/* Units of one group that sleep, a heap with the oldest on top: sleepers.h. */
struct sleepers {
    struct unit **units;
    size_t count, room;
    size_t called; /* within a step: so many at a time */
    struct sleepers *prev, *next;
};

/* All that sleep. */
struct sleep {
    struct sleepers *groups; /* those with any */
    size_t count;            /* of the units */
    uint64_t told_at;        /* what their verdicts say was so then, as of struct told */
};

struct model {
    struct machine *machines;
    struct pool machine_pool;
    struct machine **machines_by_id; /* sorted; rebuilt when machines come and go */
    size_t machine_count;
    bool machines_stale;
    int64_t shortest_ttl_ms; /* 0: of nobody known */
    bool shortest_ttl_stale;
    struct table units;
    struct shared blobs;
    struct table failures; /* failures.h */
    struct role *roles;
    struct rollout *rollouts;
    struct asker *askers;
    struct index index;
    struct told told;

    size_t tie_count;         /* lines of MachineOf= */
    size_t wanted_count;      /* units that should be on some machine */
    size_t moves_known;       /* planned moves under way, as the store has them */
    struct machine *draining; /* machines with an order to be empty, in no order */
    struct brake brake;
    size_t brake_members, brake_absent; /* machines that are not cordoned; those that are gone */
    int64_t brake_mod;                  /* of an order to it; 0: none */
    bool brake_hold;
    struct rebalance rebalance;
    struct machine *kept; /* machines with kept_for */
    size_t reserved_count;
    size_t cleared_count;
    struct trouble *shorts; /* units that may come to reserve a machine, the longest first */

    struct machine *marked_machines;
    struct unit **marked_units;    /* with room for all units: a mark never fails */
    struct unit **revisited_units; /* with as much room */
    size_t marked_unit_count, marked_unit_room;
    struct unit **pending_units; /* in no order, but those that sleep; with room for these, too */
    size_t pending_count, pending_room;
    struct sleep sleep;
    bool retry;         /* something made room: pending units look again */
    bool retry_late;    /* when some of them may have had their turn: in the next step */
    bool has_decided;   /* this leader has had its first step */
    bool roles_marked;  /* roles look again */
    bool roles_revisit; /* a role waits for its first holders: the next step looks again */
    uint64_t depth_round;

    /* within a step */
    bool is_lifted;      /* some copies are, to try something out: party.h */
    size_t moving_count; /* and those that it has decided */
    uint64_t budget_round;
    struct effort effort;
};

/* --- looking up, making, freeing --- */

struct machine *model_machine(const struct model *model, const char *id);
struct unit *model_unit(const struct model *model, const char *name);
struct placement *model_placement(const struct model *model, const struct machine *machine,
                                  const struct unit *unit);
/* The memory of a placement of this unit, zeros; it is on no list. NULL if memory ran out. */
static inline struct placement *model_placement_take(struct unit *unit)
{
    if (unit->own.key.machine)
        return calloc(1, sizeof(unit->own));
    unit->own = (struct placement){ 0 };
    return &unit->own;
}
void model_placement_give_back(struct placement *placement);
/* What the step has decided for units that it has no placement of is forgotten, of all that are
 * marked; the sweep does it as well. */
void model_forget_newcomers(struct model *model);
/* If it has moved and has but one left, that becomes its own; whoever knows it by its address must
 * not care. */
void model_placement_move_in(struct unit *unit);
/* Each finds or makes. NULL if memory ran out. */
struct machine *model_machine_get(struct model *model, const char *id, struct error *err);
struct unit *model_unit_get(struct model *model, const char *name, struct error *err);
struct placement *model_placement_get(struct model *model, struct machine *machine,
                                      struct unit *unit);
struct trouble *model_trouble_get(struct unit *unit);
/* Frees it if there is none. */
void model_trouble_trim(struct unit *unit);
void model_unfollow(struct model *model, struct unit *unit);

void model_free_machine(struct model *model, struct machine *machine);
void model_free_unit(struct model *model, struct unit *unit);
void model_free_placement(struct model *model, struct placement *placement);
void model_free_role(struct model *model, struct role *role);
void model_free_rollout(struct model *model, struct rollout *rollout);
void rollout_forget_watches(struct rollout *rollout);

/* For qsort() of pointers to machines: by id. */
int machine_compare(const void *a, const void *b);
/* machines_by_id made fresh. -ENOMEM. */
int model_sort_machines(struct model *model, struct error *err);

/* --- marks --- */

void model_mark_machine(struct model *model, struct machine *machine);
void model_mark_unit(struct model *model, struct unit *unit);
void model_mark_units_of(struct model *model, const struct machine *machine);
void model_mark_followers(struct model *model, const struct unit *unit);
/* Peers that only this unit spoke of must be swept. */
void model_mark_peers(struct model *model, const struct unit *unit);
/* False if memory ran out: then it is not pending. */
bool model_set_pending(struct model *model, struct unit *unit, bool pending);
void model_mark_pending(struct model *model);
/* For sleepers.c: it stays pending, and is not, or again, one of the pending units. */
void model_leave_pending_units(struct model *model, const struct unit *unit);
void model_join_pending_units(struct model *model, struct unit *unit);
/* It is of that group now, which it takes over, and no more of the one that it was of; either may
 * be NULL. */
void model_change_group(struct model *model, struct unit *unit, struct group *group);
/* What steps have noted to save themselves work is forgotten: the next finds all of it anew. It
 * decides the same. */
void model_look_anew(struct model *model);

/* --- machines that are kept for a unit --- */

enum { PRIORITY_UNKNOWN = INT_MIN };

/* For no other then, and no other machine for it. The priority is that of all that come with it; if
 * it was kept for the unit before, a higher one stays. What is reserved is told it anew in each
 * step that looks: see reserve.c. False: memory ran out. */
bool model_keep(struct model *model, struct machine *machine, struct unit *unit, int priority,
                bool reserved);
void model_let_go(struct model *model, struct machine *machine);
/* What is kept for one is cleared of those that it replaces. */
void model_clear(struct model *model, struct machine *machine);
/* It lacks room: it is listed, since now if it was not short before. False: memory ran out. */
bool model_is_short(struct model *model, struct unit *unit, int64_t now_ms);
void model_unlist_short(struct model *model, struct trouble *trouble);
/* It does not, nor waits for others of its group; or nobody wants it any more. */
void model_forget_short(struct model *model, struct unit *unit);

/* --- small facts --- */

/* NULL: not known. */
static inline const struct requirements *unit_rules(const struct unit *unit)
{
    return unit->group ? unit->group->requirements : NULL;
}

/* It runs everywhere, as far as is known. */
static inline bool unit_is_global(const struct unit *unit)
{
    return unit->group && unit->group->is_global;
}

static inline int unit_priority(const struct unit *unit)
{
    return unit->group ? unit->group->priority : 0;
}

/* The older first. */
static inline int unit_compare_ages(const struct unit *a, const struct unit *b)
{
    return a->create != b->create ? (a->create < b->create ? -1 : 1) : strcmp(a->name, b->name);
}

static inline int64_t unit_verdict_mod(const struct unit *unit)
{
    return unit->trouble ? unit->trouble->verdict_mod : 0;
}

/* There is a verdict, and it speaks of the unit as it is wished now. */
static inline bool unit_verdict_holds(const struct unit *unit)
{
    return unit_verdict_mod(unit) > 0 && unit->trouble->verdict_unit_revision == unit->mod;
}

static inline int64_t unit_restart_revision(const struct unit *unit)
{
    return unit->trouble ? unit->trouble->restart_revision : 0;
}

/* Why its requirements are not known. */
static inline const char *unit_problem(const struct unit *unit)
{
    return unit->trouble && unit->trouble->problem ? unit->trouble->problem : "its text is missing";
}

static inline size_t unit_follow_count(const struct unit *unit)
{
    return unit->follows ? unit->follows->count : 0;
}

/* Destroyed, and this leader was not there to read it: whom it bears is unknown until it stops. */
static inline bool unit_is_strange(const struct unit *unit)
{
    return !unit->exists && !unit_rules(unit);
}

static inline bool machine_is_open(const struct machine *machine)
{
    return machine->registration > 0 && machine->is_member && machine->ready && !machine->cordoned;
}

/* One that left for good is not worth a word. */
static inline bool machine_is_known(const struct machine *machine)
{
    return machine->is_member || machine->registration > 0;
}

/* Units that are there, or on their way. */
static inline size_t machine_load(const struct machine *machine)
{
    return (size_t)machine->load + machine->planned;
}

/* Assigned, or decided to be within this step. */
static inline bool placement_occupies(const struct placement *p)
{
    return p->assignment_mod > 0 || p->planned;
}

/* It is there and will stay, as far as is known. */
static inline bool placement_holds(const struct placement *p)
{
    return placement_occupies(p) && !p->leaving &&
           (p->planned || p->want == WANT_RUN || p->want == WANT_LOADED);
}

/* Its machine is there, and its state answers this very assignment, or a later one. */
static inline bool placement_has_answered(const struct placement *p)
{
    return p->answered_revision >= p->assignment_mod && p->key.machine->registration > 0 &&
           p->state_registration == p->key.machine->registration;
}

/* A planned move is under way. */
static inline bool placement_moves(const struct placement *p)
{
    return p->want == WANT_RELEASE && p->cause != MOVE_CAUSE_NONE;
}

static inline bool machine_is_draining(const struct machine *machine)
{
    return machine->drain_mod > 0 && !machine->drain.expired;
}

/* Given up within this step: its machine, which is there, has not even begun to stop the role's
 * units. */
static inline bool slot_was_just_cleared(const struct slot *slot)
{
    return slot->has_plan && !slot->planned && slot->machine && slot->machine->registration > 0;
}

static inline struct machine *slot_holder(const struct slot *slot)
{
    return slot->has_plan ? slot->planned : slot->machine;
}

/* The store says that the unit should be on some machine. */
static inline bool unit_is_wanted(const struct unit *unit)
{
    return unit->exists && (unit->desired == DESIRED_LOADED || unit->desired == DESIRED_LAUNCHED);
}

static inline void index_stir(struct model *model, const struct machine *machine)
{
    struct index *index = &model->index;
    if (machine->is_told)
        model->told.changes++;
    if (!model->askers || index->stale)
        return;
    bits_set(index->stirred, machine->number);
    index->is_stirred = true;
}

/* Priority of a machine for a role: 1–255, 0 is never, 100 where nothing is said. */
unsigned int machine_role_priority(const struct machine *machine, const char *role);
/* Does it hold a slot of the role, as decided so far? */
bool role_is_held_by(const struct role *role, const struct machine *machine);

#endif
