/* SPDX-License-Identifier: Apache-2.0 */
#include "api/foresee.h"

#include <stdio.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

#include "base/text.h"
#include "scheduler/plan.h"

enum { STEPS_MAX = 100, NOW_MS = 1 };

/* --- what becomes of units --- */

/* A unit that runs everywhere has one for each machine. */
struct fate {
    const char *from; /* NULL: it was nowhere */
    const char *at;   /* where it is by now; NULL: nowhere */
    char *reason;
    char *farewell; /* why it left, if something has come after that; or NULL */
    bool leaves;    /* it was told to */
    bool changed;   /* its assignment was rewritten */
    bool waits;     /* no machine takes it */
    char machines[2][33];
    struct fate *prev, *next;
};

struct fates {
    char *unit;
    bool is_global; /* as of the model that the last plan was made for */
    struct fate *list;
    UT_hash_handle hh;
};

struct foresight {
    struct fates *units; /* as they came up */
};

int foresight_new(struct foresight **ret, struct error *err)
{
    *ret = calloc(1, sizeof(**ret));
    return *ret ? 0 : error_oom(err);
}

static void fates_free(struct fates *fates)
{
    struct fate *fate = NULL;
    struct fate *next = NULL;
    DL_FOREACH_SAFE(fates->list, fate, next) {
        free(fate->reason);
        free(fate->farewell);
        free(fate);
    }
    free(fates->unit);
    free(fates);
}

void foresight_free(struct foresight *foresight)
{
    struct fates *fates = NULL;
    struct fates *next = NULL;
    if (!foresight)
        return;
    HASH_ITER(hh, foresight->units, fates, next) {
        HASH_DEL(foresight->units, fates);
        fates_free(fates);
    }
    free(foresight);
}

/* NULL: memory ran out. */
static struct fates *fates_of(struct foresight *foresight, const char *unit)
{
    struct fates *fates = NULL;
    HASH_FIND_STR(foresight->units, unit, fates);
    if (fates)
        return fates;
    fates = calloc(1, sizeof(*fates));
    char *copy = strdup(unit);
    if (!fates || !copy) {
        free(fates);
        free(copy);
        return NULL;
    }
    fates->unit = copy;
    HASH_ADD_KEYPTR(hh, foresight->units, fates->unit, strlen(fates->unit), fates);
    return fates;
}

static const char *note_machine(struct fate *fate, size_t i, const char *machine)
{
    (void)snprintf(fate->machines[i], sizeof(fate->machines[i]), "%s", machine);
    return fate->machines[i];
}

/* The one that is on this machine by now, or one that has been there and is nowhere. machine NULL:
 * one that has never been anywhere. Made if there is none, of a unit that was there. */
static struct fate *fate_on(struct fates *fates, const char *machine)
{
    struct fate *fate = NULL;
    DL_FOREACH(fates->list, fate)
        if (text_equal(fate->at ? fate->at : fate->from, machine))
            return fate;
    fate = calloc(1, sizeof(*fate));
    if (!fate)
        return NULL;
    fate->from = machine ? note_machine(fate, 0, machine) : NULL;
    fate->at = machine ? note_machine(fate, 1, machine) : NULL;
    DL_APPEND(fates->list, fate);
    return fate;
}

/* A newcomer on this machine, or (NULL) one that waits for any: whoever waits so far, or was there
 * before, or has left another one, unless it is one of many that run everywhere. */
static struct fate *fate_arriving(struct fates *fates, const char *machine)
{
    struct fate *fate = NULL;
    DL_FOREACH(fates->list, fate)
        if (!fate->at && fate->from && (!fates->is_global || text_equal(fate->from, machine)))
            return fate;
    return fate_on(fates, NULL);
}

/* It has left one machine, and what comes after that is another story. */
static void part(struct fate *fate, const char *machine)
{
    if (fate->from && !fate->farewell && !text_equal(fate->from, machine))
        fate->farewell = take_ptr(fate->reason);
}

/* reason is taken over. A copy that was told to leave says why before where it goes. */
static bool give_reason(struct fate *fate, char *reason, bool after)
{
    char *both =
        after && fate->reason && reason ? text_format("%s; %s", fate->reason, reason) : NULL;
    bool missing = after && fate->reason && !both;
    if (both)
        free(reason);
    free(fate->reason);
    fate->reason = both ? both : reason;
    return fate->reason && !missing;
}

static bool note_wait(struct fates *fates, const struct action *action)
{
    struct fate *fate = fate_arriving(fates, NULL);
    if (!fate)
        return false;
    part(fate, NULL);
    fate->waits = true;
    return give_reason(fate, action_reason(action), false);
}

static void note_hope(struct fates *fates)
{
    struct fate *fate = NULL;
    DL_FOREACH(fates->list, fate)
        fate->waits = false;
}

static bool note_arrival(struct fates *fates, const struct action *action)
{
    struct fate *fate = fate_arriving(fates, action->machine);
    if (!fate)
        return false;
    part(fate, action->machine);
    fate->waits = false;
    fate->changed = true;
    fate->leaves = false;
    fate->at = note_machine(fate, 1, action->machine);
    return give_reason(fate, action_reason(action), false);
}

/* Its next copy starts before this one stops. */
static bool note_successor(struct fates *fates, const struct action *action)
{
    struct fate *fate = fate_on(fates, action_more(action)->moves_from);
    if (!fate)
        return false;
    fate->leaves = true;
    return give_reason(fate, action_reason(action), false);
}

static bool note_rewrite(struct fates *fates, const struct action *action)
{
    if (action_more(action)->successor) /* whose beginning said why */
        return true;
    struct fate *fate = fate_on(fates, action->machine);
    if (!fate)
        return false;
    fate->leaves = action->want == WANT_RELEASE;
    fate->changed = true;
    bool says_more = fate->leaves || text_equal(fate->from, fate->at);
    return says_more ? give_reason(fate, action_reason(action), false) : true;
}

static bool note_move(struct fates *fates, const struct action *action)
{
    struct fate *fate = fate_on(fates, action_more(action)->from_machine);
    if (!fate)
        return false;
    bool was_told = fate->leaves;
    fate->leaves = false;
    fate->at = note_machine(fate, 1, action->machine);
    return give_reason(fate, action_reason(action), was_told);
}

static bool note_drop(struct fates *fates, const struct action *action)
{
    struct fate *fate = fate_on(fates, action->machine);
    if (!fate)
        return false;
    bool was_told = fate->leaves;
    fate->leaves = false;
    fate->at = NULL;
    return was_told ? true : give_reason(fate, action_reason(action), false);
}

static int note(struct foresight *foresight, const struct model *model, const struct action *action,
                struct error *err)
{
    struct fates *fates = foresight && action->unit ? fates_of(foresight, action->unit) : NULL;
    bool ok = true;
    if (!foresight || !action->unit)
        return 0;
    if (!fates)
        return error_oom(err);
    fates->is_global = model_is_global(model, action->unit);
    if (action->kind == ACTION_VERDICT)
        ok = note_wait(fates, action);
    else if (action->kind == ACTION_CLEAR_VERDICT)
        note_hope(fates);
    else if (action->kind == ACTION_MOVE)
        ok = note_move(fates, action);
    else if (action->kind == ACTION_DROP)
        ok = note_drop(fates, action);
    else if (action->kind == ACTION_ASSIGN && action_assignment_mod(action) > 0)
        ok = note_rewrite(fates, action);
    else if (action->kind == ACTION_ASSIGN)
        ok = action_more(action)->moves_from ? note_successor(fates, action)
                                             : note_arrival(fates, action);
    return ok ? 0 : error_oom(err);
}

/* --- told --- */

/* NULL: nothing worth telling. */
static const char *word_for(const struct fate *fate)
{
    if (fate->waits)
        return fate->from ? "leave" : "wait";
    if (!fate->from)
        return fate->at ? "place" : NULL;
    if (!fate->at || fate->leaves)
        return "leave";
    if (!text_equal(fate->from, fate->at))
        return "move";
    return fate->changed ? "change" : NULL;
}

static json_t *fate_json(const char *unit, const struct fate *fate, const char *word)
{
    bool moves = text_equal(word, "move");
    autofree char *reason = text_format("%s%s%s", fate->farewell ? fate->farewell : "",
                                        fate->farewell ? "; " : "", fate->reason);
    return json_pack("{s:s, s:s, s:s*, s:s*, s:s*}", "unit", unit, "action", word, "machine",
                     fate->at ? fate->at : fate->from, "from", moves ? fate->from : NULL, "reason",
                     reason);
}

json_t *foresight_json(const struct foresight *foresight)
{
    json_t *list = json_array();
    for (const struct fates *fates = foresight->units; fates; fates = fates->hh.next) {
        const struct fate *fate = NULL;
        DL_FOREACH(fates->list, fate) {
            const char *word = word_for(fate);
            if (word && json_array_append_new(list, fate_json(fates->unit, fate, word)) < 0) {
                json_decref(list);
                return NULL;
            }
        }
    }
    return list;
}

/* --- carrying out --- */

/* The agent has done what the assignment says. */
static int answer(const struct future *future, const char *machine, const char *unit, int64_t mod,
                  int64_t registration, enum want want, struct error *err)
{
    const struct record_state state = {
        .registration = registration,
        .assignment_revision = mod,
        .active = (char *)(want == WANT_RUN ? "active" : "inactive"),
        .released_revision = want == WANT_RELEASE ? mod : 0,
    };
    return registration > 0 ? model_put_state(future->model, machine, unit, mod, &state, err) : 0;
}

static int carry_assign(struct future *future, const struct action *action, struct error *err)
{
    const struct record_assignment record = {
        .blob = (char *)action->blob,
        .want = action->want,
        .unit_revision = action->unit_revision,
        .failover = action->failover,
        .cause = (char *)move_cause_name(action->cause),
        .moves_from = (char *)action_more(action)->moves_from,
        .restart_revision = action_more(action)->restart_revision,
    };
    int r = model_put_assignment(future->model, action->machine, action->unit, future->revision,
                                 &record, err);
    return r < 0 ? r
                 : answer(future, action->machine, action->unit, future->revision,
                          action->registration, action->want, err);
}

static void carry_drop(const struct future *future, const char *machine, const char *unit)
{
    model_drop_assignment(future->model, machine, unit);
    model_drop_state(future->model, machine, unit);
}

static int carry_verdict(const struct future *future, const struct action *action,
                         struct error *err)
{
    autofree char *reason = action_reason(action);
    const struct action_more *more = action_more(action);
    const struct record_verdict record = {
        .unit_revision = action->unit_revision,
        .reason = reason,
        .kind = (char *)verdict_kind_name(action->verdict),
        .attempts = more->attempts,
        .tried = more->tried ? more->tried : (char *)"",
        .reserved = action->machine ? (char *)action->machine : (char *)"",
    };
    return reason ? model_put_verdict(future->model, action->unit, future->revision, &record, err)
                  : error_oom(err);
}

static int carry_slot(const struct future *future, const struct action *action, struct error *err)
{
    const struct action_more *more = action_more(action);
    const struct record_slot record = { .machine = (char *)action->machine };
    return model_put_slot(future->model, more->role, more->index, future->revision, &record, err);
}

/* 1: it is left as it is. */
static int carry_out(struct future *future, const struct action *action, struct error *err)
{
    const struct action_more *more = action_more(action);
    if (more->rollout) /* its texts and its turns are another story */
        return 1;
    future->revision++;
    switch (action->kind) {
    case ACTION_ASSIGN:
        return carry_assign(future, action, err);
    case ACTION_MOVE:
        carry_drop(future, more->from_machine, action->unit);
        return carry_assign(future, action, err);
    case ACTION_DROP:
        carry_drop(future, action->machine, action->unit);
        return 0;
    case ACTION_VERDICT:
        return carry_verdict(future, action, err);
    case ACTION_CLEAR_VERDICT:
        model_drop_verdict(future->model, action->unit);
        return 0;
    case ACTION_SLOT:
        return carry_slot(future, action, err);
    case ACTION_CLEAR_SLOT:
        model_drop_slot(future->model, more->role, more->index);
        return 0;
    case ACTION_DRAIN:
        return model_put_drain(future->model, action->machine, future->revision, more->drain, err);
    case ACTION_CLEAR_BRAKE:
        model_drop_brake(future->model);
        return 0;
    case ACTION_CORDON:
        model_set_cordon(future->model, action->machine, true);
        return 0;
    case ACTION_UPDATE:
    case ACTION_ROLLOUT:
    case ACTION_INVALID:
        break;
    }
    return 1;
}

/* 1: nothing came, nor will. */
static int foresee_step(struct future *future, struct foresight *foresight, struct error *err)
{
    static const struct contact none = { .since_ms = -1 };
    static const struct plan_clock clock = { .now_ms = NOW_MS, .contact = &none };
    autoptr(plan) plan = NULL;
    int r = plan_step(future->model, &clock, &plan, err);
    if (r < 0)
        return r;
    bool is_over = plan->wake_ms < 0 || plan->wake_ms > NOW_MS;
    for (size_t i = 0; i < plan->count; i++) {
        r = carry_out(future, &plan->actions[i], err);
        if (r < 0)
            return r;
        is_over = is_over && r == 1;
        r = r == 0 ? note(foresight, future->model, &plan->actions[i], err) : 0;
        if (r < 0)
            return r;
    }
    return is_over;
}

int foresee(struct future *future, struct foresight *foresight, struct error *err)
{
    int r = 0;
    for (int i = 0; r == 0 && i < STEPS_MAX; i++)
        r = foresee_step(future, foresight, err);
    return r < 0 ? r : r == 0;
}

/* --- what is under way --- */

static bool is_under_way(const struct view_entry *assignment, const struct view_entry *presence,
                         const struct view_entry *state)
{
    const struct record_state *said = state ? &state->record.state : NULL;
    if (!said || said->registration != presence->create ||
        said->assignment_revision < assignment->mod)
        return true;
    return assignment->record.assignment.want == WANT_RELEASE
               ? said->released_revision != assignment->mod
               : text_equal(said->active, "activating");
}

int foresee_answers(const struct view *view, struct future *future, struct error *err)
{
    size_t count = 0;
    int r = 0;
    struct view_entry *const *list = view_list(view, STORE_KEY_ASSIGNMENT, &count);
    for (size_t i = 0; r == 0 && i < count; i++) {
        const struct view_entry *entry = list[i];
        const struct view_entry *presence = view_find(view, STORE_KEY_PRESENCE, entry->machine, "");
        if (presence && is_under_way(entry, presence,
                                     view_find(view, STORE_KEY_STATE, entry->machine, entry->name)))
            r = answer(future, entry->machine, entry->name, entry->mod, presence->create,
                       entry->record.assignment.want, err);
    }
    return r;
}
