/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/rollout.h"

#include <string.h>

#include "scheduler/budget.h"

/* In one step: they are written at once with the record that lists them, and each compares its
 * unit, its assignment and its machine's presence. */
enum { TURNS_MAX = 40 };

/* What a look at one rollout found, and what is to be written of it. */
struct look {
    struct rollout *rollout;
    struct record_rollout next;
    struct rollout_member *members; /* in the order of their names: p@2 before p@10 */
    size_t count;
    size_t to_run;   /* members that are to run */
    size_t changing; /* of them */
    size_t down;     /* other copies of units that run everywhere */
    const struct placement *first_down;
    size_t to_come;      /* members that still have to be rewritten */
    size_t turns;        /* given in this step */
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

static int compare_units(const void *a, const void *b)
{
    const struct unit *const *left = a;
    const struct unit *const *right = b;
    int order = strverscmp((*left)->name, (*right)->name);
    return order ? order : strcmp((*left)->name, (*right)->name);
}

/* All units are walked only when one that takes part has come or gone (model.c). */
static bool list_units(const struct model *model, struct rollout *rollout)
{
    size_t count = 0;
    if (rollout->units)
        return true;
    for (size_t i = 0; i < model->units.room; i++)
        if (model->units.slots[i])
            count += takes_part(rollout, model->units.slots[i]);
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): pointers are what is listed */
    rollout->units = calloc(count + 1, sizeof(*rollout->units));
    if (!rollout->units)
        return false;
    rollout->unit_count = 0;
    for (size_t i = 0; i < model->units.room; i++)
        if (model->units.slots[i] && takes_part(rollout, model->units.slots[i]))
            rollout->units[rollout->unit_count++] = model->units.slots[i];
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): the same */
    qsort(rollout->units, rollout->unit_count, sizeof(*rollout->units), compare_units);
    return true;
}

static bool copy_takes_part(const struct look *look, const struct placement *p)
{
    const struct machine *machine = p->key.machine;
    return unit_is_global(p->key.unit) && p->assignment_mod > 0 && !p->leaving &&
           rollout_has_copy(&look->rollout->record, p->key.unit->name, machine->id, p->want,
                            machine->registration > 0);
}

static int compare_copies(const void *a, const void *b)
{
    const struct rollout_member *left = a;
    const struct rollout_member *right = b;
    return strcmp(left->copy->key.machine->id, right->copy->key.machine->id);
}

/* The unit, and before it those of its copies that have a turn of their own, by machine. */
static void add_members(struct look *look, struct unit *unit)
{
    struct rollout_member *first = &look->members[look->count];
    size_t count = 0;
    struct placement *p = NULL;
    LL_FOREACH2(unit->placements, p, unit_next)
        if (copy_takes_part(look, p))
            first[count++] = (struct rollout_member){ .unit = unit, .copy = p };
    if (count > 1)
        qsort(first, count, sizeof(*first), compare_copies);
    first[count++] = (struct rollout_member){ .unit = unit };
    look->count += count;
}

static bool gather(const struct model *model, struct look *look)
{
    struct rollout *rollout = look->rollout;
    size_t room = 0;
    if (!list_units(model, rollout))
        return false;
    for (size_t i = 0; i < rollout->unit_count; i++) {
        const struct placement *p = NULL;
        size_t copies = 0;
        LL_COUNT2(rollout->units[i]->placements, p, copies, unit_next);
        room += 1 + copies;
    }
    look->members = calloc(room + 1, sizeof(*look->members));
    if (!look->members)
        return false;
    for (size_t i = 0; i < rollout->unit_count; i++)
        add_members(look, rollout->units[i]);
    return true;
}

/* --- how they do --- */

static enum turn judge(struct step *step, struct look *look, const struct rollout_member *member)
{
    autotext why = { 0 };
    enum turn turn = rollout_judge(step, look->rollout, member, &why);
    if (look->failure.length == 0 && why.data)
        text_add(&look->failure, why.data);
    return turn;
}

/* A unit that runs everywhere is down where its copies are. */
static bool is_to_run(const struct rollout_member *member)
{
    return member->unit->desired == DESIRED_LAUNCHED &&
           (member->copy || !unit_is_global(member->unit));
}

/* For whatever reason: it is one that may be down less. What has failed gets its turn at once. */
static void note_down(struct look *look, const struct rollout_member *member)
{
    if (!member->copy || !is_to_run(member) || rollout_copy_is_up(member->copy))
        return;
    look->down++;
    if (!look->first_down)
        look->first_down = member->copy;
}

static void judge_all(struct step *step, struct look *look)
{
    for (size_t i = 0; i < look->count; i++) {
        struct rollout_member *member = &look->members[i];
        member->turn = judge(step, look, member);
        look->to_run += is_to_run(member);
        look->to_come += member->turn == TURN_TO_COME;
        if (member->turn != TURN_CHANGING) {
            note_down(look, member);
            continue;
        }
        look->changing++;
        budget_take(step_budget(step), member->unit);
    }
}

/* --- whose turn it is --- */

/* Newer than whatever it was started for. */
static int64_t restart_revision_for(const struct rollout *rollout,
                                    const struct rollout_member *member)
{
    int64_t revision = rollout->record.since_revision;
    const struct placement *p = NULL;
    LL_FOREACH2(member->unit->placements, p, unit_next)
        if (p->assignment_mod >= revision && (!member->copy || member->copy == p))
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

static struct action *rewrite_unit(struct step *step, struct look *look, struct unit *unit,
                                   const char *blob)
{
    struct action *action = step_action(step, ACTION_UPDATE, unit, NULL, turn_words(look->rollout));
    if (!action)
        return NULL;
    action->blob = blob;
    action->desired = unit->desired;
    action->restart_revision = unit_restart_revision(unit);
    action->unit_mod = unit->mod;
    step_plan_change(step, unit);
    return action;
}

/* What has the text already is to be started anew. */
static struct action *rewrite_member(struct step *step, struct look *look,
                                     const struct rollout_member *member)
{
    const struct record_rollout *record = &look->rollout->record;
    struct unit *unit = member->unit;
    struct placement *copy = member->copy;
    const char *present = copy && !record->restart ? copy->blob : unit->blob;
    bool same_text = record->restart || text_equal(present, record->blob);
    const char *blob = same_text ? present : record->blob;
    struct action *action = copy ? step_rewrite(step, copy, blob, turn_words(look->rollout))
                                 : rewrite_unit(step, look, unit, blob);
    if (action && same_text)
        action->restart_revision = restart_revision_for(look->rollout, member);
    return action;
}

static void rewrite(struct step *step, struct look *look, const struct rollout_member *member)
{
    struct action *action = rewrite_member(step, look, member);
    if (!action)
        return;
    action->more->rollout = look->rollout->name;
    action->more->op_mod = look->rollout->mod;
    look->busy = true;
    look->turns++;
    look->to_come--;
    if (!is_to_run(member) || (!member->copy && rollout_has_no_machine(member->unit)))
        return;
    autofree char *name = rollout_member_name(member);
    look->changing++;
    if (!name || strv_add(&look->next.changing, name, NULL) < 0)
        step->failed = true;
}

static size_t at_a_time(const struct look *look)
{
    const struct record_rollout *record = &look->rollout->record;
    size_t share = look->to_run * (size_t)record->percent / 100;
    size_t count = record->parallel > 0 ? (size_t)record->parallel : share;
    return count > 0 ? count : 1;
}

static bool copies_are_over(const struct look *look, const struct unit *unit)
{
    for (size_t i = 0; i < look->count; i++)
        if (look->members[i].unit == unit && look->members[i].copy &&
            look->members[i].turn != TURN_OVER)
            return false;
    return true;
}

/* Of a unit that runs everywhere the record is the last to change; of a restart it is the first:
 * what is older than that has its turn to come. */
static bool waits_for_others(const struct look *look, const struct rollout_member *member)
{
    const struct record_rollout *record = &look->rollout->record;
    if (record->restart)
        return member->copy && unit_restart_revision(member->unit) < record->since_revision;
    return !member->copy && !copies_are_over(look, member->unit);
}

static bool budget_bears(struct step *step, struct look *look, const struct rollout_member *member)
{
    size_t limit = at_a_time(look);
    struct text *why = look->waiting.length == 0 ? &look->waiting : NULL;
    if (look->changing + look->down < limit)
        return budget_allows_of(step_budget(step), member->unit, limit, why);
    if (look->first_down && why) {
        text_addf(why, "%s is down on ", look->first_down->key.unit->name);
        machine_words(look->first_down->key.machine, why);
        text_addf(why, ", and no more than %zu may be", limit);
    }
    return false;
}

static void give_turn(struct step *step, struct look *look, const struct rollout_member *member)
{
    if (waits_for_others(look, member))
        return;
    if (rollout_is_touched(member)) {
        look->busy = true;
    } else if (rollout_costs_nothing(look->rollout, member)) {
        rewrite(step, look, member);
    } else if (budget_bears(step, look, member)) {
        budget_take(step_budget(step), member->unit);
        rewrite(step, look, member);
    }
}

static void give_turns(struct step *step, struct look *look)
{
    for (size_t i = 0; i < look->count && look->turns < TURNS_MAX && !step->failed; i++)
        if (look->members[i].turn == TURN_TO_COME)
            give_turn(step, look, &look->members[i]);
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

/* What it goes back for, or what went wrong before it was told to go on. */
static bool says_failure(const struct look *look)
{
    const struct rollout *rollout = look->rollout;
    return look->next.back && *look->next.reason && !rollout->says_stuck &&
           !text_equal(look->next.reason, look->waiting.data);
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
    if (says_failure(look))
        return;
    if (stuck && step_is_past(step, rollout->stuck_since_ms + ROLLOUT_STUCK_MS))
        set_reason(step, look, look->waiting.data);
    else if (!stuck)
        set_reason(step, look, "");
    rollout->says_stuck = stuck && *look->next.reason;
}

static void keep_changing(struct step *step, struct look *look)
{
    strv_free(take_ptr(look->next.changing));
    for (size_t i = 0; i < look->count; i++) {
        if (look->members[i].turn != TURN_CHANGING)
            continue;
        autofree char *name = rollout_member_name(&look->members[i]);
        if (!name || strv_add(&look->next.changing, name, NULL) < 0)
            step->failed = true;
    }
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
    autofree char *after = NULL;
    if (record_rollout_equal(&look->rollout->record, &look->next))
        return;
    if (record_rollout_encode(&look->next, &after, NULL) < 0) {
        step->failed = true;
        return;
    }
    struct action *action =
        step_action(step, ACTION_ROLLOUT, NULL, NULL, text_format("%s", outcome_words(look)));
    if (!action)
        return;
    action->more->rollout = look->rollout->name;
    action->more->op_mod = look->rollout->mod;
    action->more->record = take_ptr(after);
}

/* A copy that had its turn is in the record, or its turn has not begun: whoever pauses the rollout
 * or leads next judges by that. */
static void take_step(struct step *step, struct look *look)
{
    const size_t first = step->plan->count;
    advance(step, look);
    if (!step->failed)
        write_down(step, look);
    for (size_t i = first + 1; i < step->plan->count; i++)
        step->plan->actions[i].is_joined = true;
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
            take_step(step, &looks[i]);
        look_done(&looks[i]);
    }
    free(looks);
}
