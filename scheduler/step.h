/* SPDX-License-Identifier: Apache-2.0 */
/* One plan_step() while it runs: what it works on, and how its parts write down decisions. */
#ifndef SCHEDULER_STEP_H
#define SCHEDULER_STEP_H

#include "base/text.h"
#include "scheduler/arrivals.h"
#include "scheduler/budget.h"
#include "scheduler/model_data.h"
#include "scheduler/party.h"
#include "scheduler/place.h"
#include "scheduler/plan.h"

struct step {
    struct model *model;
    const struct plan_clock *clock;
    struct plan *plan;
    struct arrivals arrivals;   /* placements made in this step */
    struct placement **touched; /* others whose step fields must be cleared */
    size_t touched_count, touched_room;
    struct unit **settled; /* units that have had their turn with their party */
    size_t settled_count, settled_room;
    bool retries;     /* who waits looks again */
    uint64_t easings; /* as of when those that sleep were last called */
    bool has_budget;  /* it is counted, once a step */
    bool any_placed;  /* of those that ask for room: the lowest priority is */
    int lowest_placed;
    bool failed; /* memory ran out: the plan is worth nothing */
};

enum machine_status {
    MACHINE_STATUS_INVALID = 0,
    MACHINE_PRESENT,
    MACHINE_ABSENT, /* not yet lost: wait */
    MACHINE_HELD,   /* lost, and the brake holds its units */
    MACHINE_LOST,
};

/* Notes that the machine must be looked at again, and when, while it is absent and not yet lost. */
enum machine_status step_machine_status(struct step *step, struct machine *machine);
void step_wake_at(struct step *step, int64_t at_ms);
/* Not before at_ms, then yes; a step is made when it has come. */
bool step_is_past(struct step *step, int64_t at_ms);

/* So long since it was asked first of this trouble of the unit; until then it is asked again. */
bool step_has_waited(struct step *step, struct unit *unit, int64_t for_ms);
/* So long since *since_ms, which begins now if it is 0; until then the unit is asked again. */
bool step_has_lasted(struct step *step, struct unit *unit, int64_t *since_ms, int64_t for_ms);

/* It has waited for others to stop for so long that it is worth a verdict: that takes its time, and
 * whoever waits for a start is not to give up meanwhile. */
bool step_waits_long(struct step *step, struct unit *unit);

/* The unit's, made if it has none; NULL when memory ran out (then step->failed). */
struct trouble *step_trouble(struct step *step, struct unit *unit);

/* A new action with all guards off and with more; NULL when memory ran out (then step->failed).
 * reason is taken over. */
struct action *step_action(struct step *step, enum action_kind kind, const struct unit *unit,
                           const struct machine *machine, char *reason);
/* The whole ACTION_ASSIGN of a newcomer to the machine that was chosen, which is all the reason: it
 * has no more. */
struct action *step_action_placed(struct step *step, const struct unit *unit,
                                  const struct place *place);

void step_plan_arrival(struct step *step, struct placement *placement);
void step_plan_leaving(struct step *step, struct placement *placement);
/* The unit is rewritten in this step: nothing else is decided of its copies. */
void step_plan_change(struct step *step, struct unit *unit);
/* The placement of a pair, made if need be; NULL when memory ran out (then step->failed). */
struct placement *step_placement(struct step *step, struct machine *machine, struct unit *unit);

/* Nothing more is decided of it in this step. */
void step_settle(struct step *step, struct unit *unit);

/* roles.c: slots first, units follow them in the same step. */
void step_roles(struct step *step);
/* plan_unit.c */
void step_unit(struct step *step, struct unit *unit);
/* The copy that counts of a unit that runs once; NULL: it is on no machine. */
struct placement *step_find_home(struct step *step, const struct unit *unit);
/* It may stay, and still a planned move that has begun is carried through. */
bool step_move_goes_on(const struct placement *placement);
/* It has been given a place: see there. */
void step_soon(struct step *step, struct unit *unit);

/* Brings the assignment of a copy that may stay up to date. */
void step_keep(struct step *step, struct placement *placement);
/* What of it is to change, in words, if it stays; NULL: nothing. */
const char *step_change_of(const struct step *step, const struct placement *placement);

/* plan_party.c: finds a place for all of the unit's party that need one, now or with those that do
 * not know yet. False: nothing ties it to others, it is on its own. */
static inline bool step_party(struct step *step, struct unit *unit);
bool step_party_tied(struct step *step, struct unit *unit);
/* The unit, whose home it is, if it has Failover=never; else the first of its party on that machine
 * that has; NULL: there is none. */
const struct unit *step_party_never(struct step *step, const struct placement *placement);
/* Those of its party that are on the same machine and are to stay there, with itself. */
void step_party_here(const struct placement *placement, struct party *ret);
/* Those that leave with it because it may not stay: who is not the first leaves alone. */
void step_party_leaving(const struct placement *placement, struct party *ret);
/* Releases all that are there. */
void step_release_party(struct step *step, struct placement *placement, enum move_cause cause,
                        const char *reason);

/* brake.c: how many lost machines are let go; before anybody asks for their status. */
void step_brake(struct step *step);
/* Whether it would move anything off the machine, were that lost. */
bool step_brake_concerns(const struct machine *machine);
/* "held by the brake: 2 of 3 machines are lost; …" */
char *step_brake_words(const struct step *step, const struct machine *machine);

static inline bool step_party(struct step *step, struct unit *unit)
{
    return unit_is_tied(unit) && step_party_tied(step, unit);
}

/* The budget, counted when first asked in a step. */
static inline struct model *step_budget(struct step *step)
{
    if (!step->has_budget)
        budget_begin(step->model, step->touched, step->touched_count);
    step->has_budget = true;
    return step->model;
}

/* rebalance.c: last of all. */
void step_rebalance(struct step *step);
/* rollout.c and drain.c: after all that must be: what may be, within the budget. */
void step_rollouts(struct step *step);
void step_drains(struct step *step);
/* Of the assignments of a unit that runs everywhere: a rollout says which text they have, and when
 * they are started anew. */
bool step_rollout_holds(const struct step *step, const struct unit *unit);
/* plan_write.c: what is decided of units, as actions. reason is taken over. */

/* The agent has stopped it, says so for this very release, and is the one that is registered. */
bool step_is_released(const struct placement *placement);
/* What its assignment is to say. */
static inline enum want unit_want(const struct unit *unit)
{
    return unit->desired == DESIRED_LAUNCHED ? WANT_RUN : WANT_LOADED;
}
/* Tells the agent to stop it. NULL when memory ran out. */
struct action *step_release(struct step *step, struct placement *placement, enum move_cause cause,
                            char *reason);
/* The assignment as the unit wants it now, but for its text. NULL when memory ran out. */
struct action *step_rewrite(struct step *step, struct placement *placement, const char *blob,
                            char *reason);
/* Assignment and state go. */
void step_drop(struct step *step, struct placement *placement, char *reason);
/* It has stopped, and finds no other place. */
void step_drop_stopped(struct step *step, struct placement *placement);
/* A unit that has stopped, or whose machine is lost, goes there. */
void step_move(struct step *step, struct placement *from, bool lost, const struct place *place);
/* A unit that is on no machine, or one more copy of it. NULL when memory ran out. */
struct action *step_arrive(struct step *step, struct unit *unit, struct machine *machine,
                           char *reason);
void step_arrive_placed(struct step *step, struct unit *unit, const struct place *place);

/* The successor is all of the unit from now on: the old copy has stopped, or its machine is gone.
 */
void step_take_over(struct step *step, struct placement *old, struct placement *next);
/* Tells the agent of the old copy to stop it, which rests on this successor's being up. reason is
 * taken over. */
void step_release_for(struct step *step, struct placement *old, const struct placement *next,
                      char *reason);

/* "machine 4f2a1b3c (node1) is gone, and " before a reason; NULL: nothing. */
void step_lost_words(const struct machine *lost, struct text *words);
void step_give_verdict(struct step *step, struct unit *unit, enum verdict_kind kind, char *reason);
/* It finds no place; reserved: a machine waits for it to fit, or NULL. */
void step_give_nowhere(struct step *step, struct unit *unit, const struct machine *reserved,
                       char *reason);
void step_clear_verdict(struct step *step, struct unit *unit, const char *why);
/* Whether it looks again when anything makes room. */
static inline void step_set_pending(struct step *step, struct unit *unit, bool pending)
{
    if (unit->pending != pending && !model_set_pending(step->model, unit, pending))
        step->failed = true;
    if (!pending && unit->trouble)
        model_forget_short(step->model, unit);
}

#endif
