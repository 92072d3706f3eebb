/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/rollout.h"

#include <string.h>

#include "scheduler/budget.h"

struct member {
    struct unit *unit;
    enum turn turn;
};

/* What a look at one rollout found, and what is to be written of it. */
struct look {
    struct rollout *rollout;
    struct record_rollout next;
    struct member *members; /* in the order of their names: p@2 before p@10 */
    size_t count;
    size_t to_run;       /* members that are to run */
    size_t changing;     /* of them */
    size_t to_come;      /* members that still have to be rewritten */
    bool busy;           /* something of it was decided in this step */
    struct text failure; /* of the first that failed */
    struct text waiting; /* why the next does not get its turn */
};

static void look_done(struct look *look)
{
    record_rollout_done(&look->next);
    free(look->members);
    text_done(&look->failure);
    text_done(&look->waiting);
}

/* --- who takes part --- */

static bool takes_part(const struct rollout *rollout, const struct unit *unit)
{
    return unit->exists && unit->group && strcmp(unit->group->family->name, rollout->name) == 0;
}

static int compare_members(const void *a, const void *b)
{
    const struct member *left = a;
    const struct member *right = b;
    int order = strverscmp(left->unit->name, right->unit->name);
    return order ? order : strcmp(left->unit->name, right->unit->name);
}

static bool gather(const struct model *model, struct look *look)
{
    size_t count = 0;
    for (size_t i = 0; i < model->units.room; i++)
        if (model->units.slots[i])
            count += takes_part(look->rollout, model->units.slots[i]);
    look->members = calloc(count + 1, sizeof(*look->members));
    if (!look->members)
        return false;
    for (size_t i = 0; i < model->units.room; i++)
        if (model->units.slots[i] && takes_part(look->rollout, model->units.slots[i]))
            look->members[look->count++].unit = model->units.slots[i];
    qsort(look->members, look->count, sizeof(*look->members), compare_members);
    return true;
}

/* --- how they do --- */

static enum turn judge(struct step *step, struct look *look, const struct unit *unit)
{
    autotext why = { 0 };
    enum turn turn = rollout_judge(step, look->rollout, unit, &why);
    if (look->failure.length == 0 && why.data)
        text_add(&look->failure, why.data);
    return turn;
}

static void judge_all(struct step *step, struct look *look)
{
    for (size_t i = 0; i < look->count; i++) {
        struct member *member = &look->members[i];
        member->turn = judge(step, look, member->unit);
        look->to_run += member->unit->desired == DESIRED_LAUNCHED;
        look->to_come += member->turn == TURN_TO_COME;
        if (member->turn != TURN_CHANGING)
            continue;
        look->changing++;
        budget_take(step_budget(step), member->unit);
    }
}

/* --- whose turn it is --- */

static bool is_touched(const struct unit *unit)
{
    const struct placement *p = NULL;
    LL_FOREACH2(unit->placements, p, unit_next)
        if (p->touched)
            return true;
    return false;
}

/* Newer than whatever it was started for. */
static int64_t restart_revision_for(const struct rollout *rollout, const struct unit *unit)
{
    int64_t revision = rollout->record.since_revision;
    const struct placement *p = NULL;
    LL_FOREACH2(unit->placements, p, unit_next)
        if (p->assignment_mod >= revision)
            revision = p->assignment_mod + 1;
    return revision;
}

static char *turn_words(const struct rollout *rollout)
{
    const struct record_rollout *record = &rollout->record;
    if (record->restart)
        return text_format("restart of %s", rollout->name);
    return text_format("%s of %s, version %lld", record->back ? "rollback" : "rollout",
                       rollout->name, (long long)record->version);
}

/* What has the text already is to be started anew. */
static void rewrite(struct step *step, struct look *look, struct unit *unit)
{
    const struct record_rollout *record = &look->rollout->record;
    bool same_text = record->restart || text_equal(unit->blob, record->blob);
    struct action *action = step_action(step, ACTION_UPDATE, unit, NULL, turn_words(look->rollout));
    if (!action)
        return;
    action->rollout = look->rollout->name;
    action->blob = same_text ? unit->blob : record->blob;
    action->desired = unit->desired;
    action->restart_revision =
        same_text ? restart_revision_for(look->rollout, unit) : unit_restart_revision(unit);
    action->unit_mod = unit->mod;
    action->op_mod = look->rollout->mod;
    step_plan_change(step, unit);
    look->busy = true;
    look->to_come--;
    if (unit->desired != DESIRED_LAUNCHED || rollout_has_no_machine(unit))
        return;
    look->changing++;
    if (strv_add(&look->next.changing, unit->name, NULL) < 0)
        step->failed = true;
}

static size_t at_a_time(const struct look *look)
{
    const struct record_rollout *record = &look->rollout->record;
    size_t share = look->to_run * (size_t)record->percent / 100;
    size_t count = record->parallel > 0 ? (size_t)record->parallel : share;
    return count > 0 ? count : 1;
}

static void give_turn(struct step *step, struct look *look, struct unit *unit)
{
    size_t limit = at_a_time(look);
    if (is_touched(unit)) {
        look->busy = true;
    } else if (rollout_costs_nothing(unit)) {
        rewrite(step, look, unit);
    } else if (look->changing < limit &&
               budget_allows_of(step_budget(step), unit, limit,
                                look->waiting.length == 0 ? &look->waiting : NULL)) {
        budget_take(step_budget(step), unit);
        rewrite(step, look, unit);
    }
}

static void give_turns(struct step *step, struct look *look)
{
    for (size_t i = 0; i < look->count && !step->failed; i++)
        if (look->members[i].turn == TURN_TO_COME)
            give_turn(step, look, look->members[i].unit);
}

/* --- what becomes of it --- */

static void set_reason(struct step *step, struct look *look, const char *reason)
{
    if (text_replace(&look->next.reason, reason ? reason : "", NULL) < 0)
        step->failed = true;
}

static void go_back(struct step *step, struct look *look)
{
    struct record_rollout *next = &look->next;
    autofree char *how = text_format("rollback of %lld", (long long)next->version);
    autofree char *previous = take_ptr(next->previous);
    next->previous = strdup("");
    next->back = true;
    strv_free(take_ptr(next->changing));
    if (!how || !next->previous ||
        rollout_add_version(next, previous, how, step->clock->wall_ms, NULL) < 0)
        step->failed = true;
}

static void stop_for_failure(struct step *step, struct look *look)
{
    struct record_rollout *next = &look->next;
    set_reason(step, look, look->failure.data);
    if (next->roll_back && !next->back && *next->previous)
        go_back(step, look);
    else
        next->state = ROLLOUT_PAUSED;
}

static void finish(struct look *look)
{
    struct record_rollout *next = &look->next;
    struct rollout_version *version = rollout_version_find(next, next->version);
    next->state = next->back ? ROLLOUT_ROLLED_BACK : ROLLOUT_DONE;
    if (version)
        version->good = true;
}

/* Why it does not go on, once that has lasted; a failure that it goes back for is worth more. */
static void tell_stuck(struct step *step, struct look *look)
{
    struct rollout *rollout = look->rollout;
    bool stuck = look->to_come > 0 && look->changing == 0 && !look->busy;
    if (!stuck)
        rollout->stuck_since_ms = -1;
    else if (rollout->stuck_since_ms < 0)
        rollout->stuck_since_ms = step->clock->now_ms;
    if (look->next.back)
        return;
    if (stuck && rollout_is_past(step, rollout->stuck_since_ms + ROLLOUT_STUCK_MS))
        set_reason(step, look, look->waiting.data);
    else if (!stuck)
        set_reason(step, look, "");
}

static void keep_changing(struct step *step, struct look *look)
{
    strv_free(take_ptr(look->next.changing));
    for (size_t i = 0; i < look->count; i++)
        if (look->members[i].turn == TURN_CHANGING &&
            strv_add(&look->next.changing, look->members[i].unit->name, NULL) < 0)
            step->failed = true;
}

static void advance(struct step *step, struct look *look)
{
    if (look->failure.length > 0) {
        stop_for_failure(step, look);
        return;
    }
    keep_changing(step, look);
    give_turns(step, look);
    tell_stuck(step, look);
    if (look->to_come == 0 && look->changing == 0 && !look->busy)
        finish(look);
}

static const char *outcome_words(const struct look *look)
{
    const struct record_rollout *next = &look->next;
    if (*next->reason)
        return next->reason;
    if (next->state == ROLLOUT_DONE)
        return look->count == 0 ? "there is no unit of it" : "all are up";
    return next->state == ROLLOUT_ROLLED_BACK ? "all are as they were" : "it goes on";
}

/* Written only if it says something new. */
static void write_down(struct step *step, struct look *look)
{
    autofree char *before = NULL;
    autofree char *after = NULL;
    if (record_rollout_encode(&look->rollout->record, &before, NULL) < 0 ||
        record_rollout_encode(&look->next, &after, NULL) < 0) {
        step->failed = true;
        return;
    }
    if (text_equal(before, after))
        return;
    struct action *action =
        step_action(step, ACTION_ROLLOUT, NULL, NULL, text_format("%s", outcome_words(look)));
    if (!action)
        return;
    action->rollout = look->rollout->name;
    action->op_mod = look->rollout->mod;
    action->record = take_ptr(after);
}

/* --- all of them --- */

static int compare_rollouts(const struct rollout *a, const struct rollout *b)
{
    return strcmp(a->name, b->name);
}

static struct look *look_at_all(struct step *step, size_t *ret_count)
{
    size_t count = 0;
    struct look *looks = calloc(HASH_COUNT(step->model->rollouts) + 1, sizeof(*looks));
    step->failed = step->failed || !looks;
    for (struct rollout *r = step->model->rollouts; r && !step->failed; r = r->hh.next) {
        struct look *look = &looks[count];
        if (r->record.state != ROLLOUT_RUNNING)
            continue;
        count++;
        look->rollout = r;
        if (record_rollout_copy(&r->record, &look->next, NULL) < 0 || !gather(step->model, look))
            step->failed = true;
        else
            judge_all(step, look);
    }
    *ret_count = count;
    return looks;
}

/* What is on its way counts for all of them before any begins more. */
void step_rollouts(struct step *step)
{
    size_t count = 0;
    if (!step->model->rollouts || step->failed)
        return;
    HASH_SORT(step->model->rollouts, compare_rollouts);
    struct look *looks = look_at_all(step, &count);
    for (size_t i = 0; i < count; i++) {
        if (!step->failed)
            advance(step, &looks[i]);
        if (!step->failed)
            write_down(step, &looks[i]);
        look_done(&looks[i]);
    }
    free(looks);
}
