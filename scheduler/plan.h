/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From what the leader knows to what it does: actions, each with the reason in words and with
 * everything it was derived from, so that the write can be refused by the store if that has changed
 * meanwhile.
 *
 * The caller commits the actions (under its epoch), waits until the model has caught up with the
 * answer's revision, and asks again. Nothing is remembered between steps but the model.
 *
 * Moves follow four steps: RELEASE → the agent acknowledges (state.released_revision) → DROP (or
 * MOVE) → the new agent starts. A unit of a lost machine is moved in one. One with
 * MoveOrder=start-first begins at the other end: succession.h.
 */
#ifndef SCHEDULER_PLAN_H
#define SCHEDULER_PLAN_H

#include "base/contact.h"
#include "scheduler/model.h"

enum action_kind {
    ACTION_INVALID = 0,
    ACTION_ASSIGN,        /* put nodes/<machine>/units/<unit>, which is absent (assignment_mod 0) or
                             rewritten */
    ACTION_MOVE,          /* the same on machine, and delete assignment and state on from_machine;
                             of a successor's it rewrites the one that is there */
    ACTION_DROP,          /* delete assignment and state on machine */
    ACTION_VERDICT,       /* put verdicts/<unit> */
    ACTION_CLEAR_VERDICT, /* delete it */
    ACTION_SLOT,          /* put slots/<role>/<index> */
    ACTION_CLEAR_SLOT,    /* delete it */
    ACTION_DRAIN,         /* put ops/drain/<machine>: how far it is */
    ACTION_CLEAR_BRAKE,   /* delete ops/brake */
    ACTION_CORDON,        /* put cordons/<machine>, which is absent */
    ACTION_UPDATE,        /* put units/<unit>: its turn in a rollout */
    ACTION_ROLLOUT,       /* put ops/rollout/<rollout>: how far it is; joined to its turns */
};

/* What few of a large plan's actions have. */
struct action_more {
    char *words;                /* or NULL */
    int64_t restart_revision;   /* ASSIGN, MOVE, UPDATE */
    const char *from_machine;   /* MOVE; SLOT: the lost holder that it is taken from, else NULL */
    const char *moves_from;     /* ASSIGN: of a successor; else NULL */
    const char *successor;      /* ASSIGN: a release that rests on its being up there; else NULL */
    const char *role;           /* slots */
    unsigned int index;         /* slots */
    const char *rollout;        /* UPDATE, ROLLOUT; ASSIGN: whose turn it is by that; or NULL */
    char *record;               /* ROLLOUT: the value */
    struct record_drain *drain; /* DRAIN, else NULL */
    int64_t attempts;           /* VERDICT */
    char *tried;

    /* Guards. -1: do not compare; 0: the key must be absent. */
    int64_t unit_mod;            /* units/<unit> */
    int64_t assignment_mod;      /* nodes/<machine>/units/<unit> */
    int64_t state_mod;           /* states/<machine>/<unit> (DROP) */
    int64_t from_assignment_mod; /* MOVE: nodes/<from_machine>/units/<unit> */
    int64_t from_state_mod;      /* MOVE: states/<from_machine>/<unit> */
    int64_t from_registration;   /* MOVE: of from_machine; SLOT: 0, off a lost machine, or -1 */
    int64_t successor_state_mod, successor_registration;
    int64_t slot_mod;
    int64_t verdict_mod;
    int64_t op_mod; /* ops/… */
};

/* What to write, and what to compare besides the epoch. Names and blob are borrowed from the model:
 * they are good until its next plan_step() or its end. A plan may have a million of them, most for
 * newcomers: what those need not say is behind a pointer, and the rest fills one line of the
 * processor's cache. */
struct action {
    enum action_kind kind : 8;
    /* ASSIGN, MOVE: what to write, with blob and unit_revision (epoch is filled by the caller).
     * want may be WANT_RELEASE. */
    enum want want : 8;
    enum failover failover : 8;
    enum move_cause cause : 8;     /* of a release */
    enum verdict_kind verdict : 8; /* VERDICT */
    enum desired desired : 8;      /* UPDATE */
    bool is_joined : 1;            /* written with the one before it, or neither is: blocks.h */

    /* action_reason() makes words of these, after those in more. */
    uint8_t wishes;          /* where a machine was chosen: which it fulfils, as of place.h */
    uint32_t eligible, load; /* of how many it was chosen, and how many units it had */

    const char *unit;    /* or NULL */
    const char *machine; /* target; of slots: the holder; VERDICT: reserved for it, or NULL */
    const char *blob;
    int64_t unit_revision;
    int64_t registration; /* guard: create_revision of nodes/<machine>/presence, as in more */

    struct action_more *more; /* NULL: a newcomer of which nothing else is to be said; read it
                                 through these: */
};

/* There is always something to read: guards that compare nothing, where nothing else was said. */
const struct action_more *action_more(const struct action *action);

/* The guards of the unit and of its assignment. A newcomer's are the text that it was placed by,
 * and that there is none. */
static inline int64_t action_unit_mod(const struct action *action)
{
    return action->more ? action->more->unit_mod : action->unit_revision;
}

static inline int64_t action_assignment_mod(const struct action *action)
{
    return action->more ? action->more->assignment_mod : 0;
}

struct plan {
    struct action *actions;
    size_t count, room;
    size_t provided; /* of the room: memory_provide() */
    int64_t wake_ms; /* boot time when plan_step() should run again without an event; -1: none */
};

struct plan_clock {
    int64_t now_ms;                /* CLOCK_BOOTTIME */
    const struct contact *contact; /* of this process with the store */
    int64_t wall_ms;               /* for the deadlines that people set */
};

/* A machine that is absent for less than DEBOUNCE is waited for, and so is one whose lease may have
 * ended in a silence of the store: until our own contact is older than its TTL and MARGIN. */
enum { PLAN_DEBOUNCE_MS = 250, PLAN_CONTACT_MARGIN_MS = 2000 };

/* Call it after every change of the model, when wake_ms has come, and when contact begins anew (a
 * machine that waits for it sets no wake_ms while there is none). A write refused by a guard needs
 * nothing more: what it met is on its way as an event, and marks. After a write that failed for any
 * other reason call model_touch_all().
 *
 * Clears the marks of what it decided. Actions of one step never contradict each other. */
int plan_step(struct model *model, const struct plan_clock *clock, struct plan **ret,
              struct error *err);
void plan_free(struct plan *plan);
DEFINE_AUTOPTR(plan);
/* Why, for log, verdict and assignment. Caller frees; NULL if memory ran out. */
char *action_reason(const struct action *action);
/* The same at the end of a text, for who makes many. */
void action_add_reason(const struct action *action, struct text *to);
const char *action_kind_name(enum action_kind kind);
/* The unit that it is about, or the role, or the rollout; "": none of them. Borrowed. */
const char *action_subject(const struct action *action);

#endif
