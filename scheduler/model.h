/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the leader knows: machines, units, assignments, states, roles, as the store has them. Pure:
 * changed only by the functions below, one per kind of key; no clock but the one passed in; the
 * same facts in any order give the same model.
 *
 * A change marks what it touches; plan_step() works on the marks, so its cost follows the change
 * and not the cluster.
 */
#ifndef SCHEDULER_MODEL_H
#define SCHEDULER_MODEL_H

#include "scheduler/records.h"

struct model;

int model_new(struct model **ret, struct error *err);
void model_free(struct model *model);
DEFINE_AUTOPTR(model);

/* Each put copies what it is given; each drop of something unknown does nothing. machine: 32 hex
 * digits. mod: the key's mod_revision. now_ms: CLOCK_BOOTTIME. Failure is -ENOMEM only. */
int model_put_member(struct model *model, const char *machine, const struct record_member *member,
                     int64_t now_ms, struct error *err);
void model_drop_member(struct model *model, const char *machine, int64_t now_ms);
int model_put_presence(struct model *model, const char *machine, int64_t registration,
                       const struct record_presence *presence, int64_t now_ms, struct error *err);
void model_drop_presence(struct model *model, const char *machine, int64_t now_ms);
void model_set_cordon(struct model *model, const char *machine, bool cordoned);
int model_put_drain(struct model *model, const char *machine, int64_t mod,
                    const struct record_drain *drain, struct error *err);
void model_drop_drain(struct model *model, const char *machine);
void model_put_brake(struct model *model, int64_t mod, const struct record_brake *brake);
void model_drop_brake(struct model *model);
int model_put_rollout(struct model *model, const char *name, int64_t mod,
                      const struct record_rollout *rollout, struct error *err);
void model_drop_rollout(struct model *model, const char *name);
void model_put_rebalance(struct model *model, const struct record_rebalance *rebalance);
void model_drop_rebalance(struct model *model);

/* requirements NULL: the unit's text is missing or unreadable; problem says so (else NULL), and
 * becomes its verdict. */
int model_put_unit(struct model *model, const char *name, int64_t create, int64_t mod,
                   const struct record_unit *unit, const struct requirements *requirements,
                   const char *problem, struct error *err);
void model_drop_unit(struct model *model, const char *name);

int model_put_assignment(struct model *model, const char *machine, const char *name, int64_t mod,
                         const struct record_assignment *assignment, struct error *err);
void model_drop_assignment(struct model *model, const char *machine, const char *name);
int model_put_state(struct model *model, const char *machine, const char *name, int64_t mod,
                    const struct record_state *state, struct error *err);
void model_drop_state(struct model *model, const char *machine, const char *name);
int model_put_verdict(struct model *model, const char *name, int64_t mod,
                      const struct record_verdict *verdict, struct error *err);
void model_drop_verdict(struct model *model, const char *name);

int model_put_role(struct model *model, const char *role, int64_t mod,
                   const struct record_role *def, struct error *err);
void model_drop_role(struct model *model, const char *role);
int model_put_slot(struct model *model, const char *role, unsigned int index, int64_t mod,
                   const struct record_slot *slot, struct error *err);
void model_drop_slot(struct model *model, const char *role, unsigned int index);

/* The drop that a key which is not there any more asks for; of STORE_KEY_CORDON the cordon ends.
 * False: it is a key that the model knows nothing of. */
bool model_drop_key(struct model *model, const struct store_key_parts *parts, int64_t now_ms);

/* Of all machines; 0: there is none. */
int64_t model_shortest_ttl_ms(struct model *model);

/* Marks everything: the next plan_step() looks at all of it (a new leader's first). */
void model_touch_all(struct model *model);
/* Frees what no key speaks of any more, and all marks. Each step ends so; it is for who follows the
 * store and plans nothing. */
void model_sweep(struct model *model);

/* --- questions, for the API's why and list-roles, on a model built from a snapshot --- */

/* It runs everywhere, as far as is known. */
bool model_is_global(const struct model *model, const char *unit);

/* Per machine, sorted by id: may this unit run there, and if not why not (in words; NULL if it
 * may). */
struct model_answer {
    char machine[33];
    char *refusal; /* NULL: it may run there */
    size_t load;   /* units assigned there */
    char *score;   /* in words, what speaks for the machine; NULL if it may not */
    size_t rank;   /* 1: the first choice for a newcomer; 0: it may not, or the unit is there */
};
int model_why(struct model *model, const char *unit, struct model_answer **ret, size_t *ret_count,
              struct error *err);
void model_answers_free(struct model_answer *answers, size_t count);

/* What rebalancing would move, one after the other, at most max of them; neither the budget nor
 * what moved before is looked at. The model is taken along: the moves are made in it. */
struct model_advice {
    const char *unit; /* borrowed from the model */
    char from[33], to[33];
    char *reason;
};
int model_advise(struct model *model, size_t max, struct model_advice **ret, size_t *ret_count,
                 struct error *err);
void model_advices_free(struct model_advice *advices, size_t count);

enum role_status {
    ROLE_STATUS_INVALID = 0,
    ROLE_STATUS_OK,
    ROLE_STATUS_SHORT,
    ROLE_STATUS_CRITICAL,
    ROLE_STATUS_STOPPED, /* too few for when_short=stop */
    ROLE_STATUS_EMPTY,
    ROLE_STATUS_OFF,
};
struct role_view {
    char role[64];
    unsigned int want, have, spare, min;
    enum role_status status;
    char (*holders)[33]; /* have of them, in slot order */
};
int model_roles(const struct model *model, struct role_view **ret, size_t *ret_count,
                struct error *err);
void role_views_free(struct role_view *views, size_t count);
const char *role_status_name(enum role_status status);

/* By enum resource: what units that are or will be there ask for together, and what may be promised
 * to them, after reserve and overcommit; 0: the machine does not say, and nothing is refused. All 0
 * of a machine that nobody knows. It is summed up from what is assigned there. */
struct model_room {
    size_t units; /* assigned there */
    int64_t promised[RESOURCES], capacity[RESOURCES];
};
void model_room(const struct model *model, const char *machine, struct model_room *ret);

/* The metadata that scheduling sees of a machine: static, then role.<r>=active|standby over it
 * while the machine is registered. Caller frees with metadata_free(). -ENOENT: no such machine. */
int model_effective_metadata(const struct model *model, const char *machine,
                             struct metadata_rule **ret, size_t *ret_count, struct error *err);

#endif
