/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/rollout.h"

#include <string.h>

#include "scheduler/bits.h"
#include "scheduler/budget.h"

/* In one step: they are written at once with the record that lists them, and each compares its
 * unit, its assignment and its machine's presence. */
enum { TURNS_MAX = 40 };

/* What a look at one rollout found, and what is to be written of it. */
struct look {
    struct rollout *rollout;
    const struct rollout_list *list;
    struct record_rollout next;
    size_t to_run;       /* members that are to run */
    size_t changing;     /* of them */
    size_t down;         /* other copies of units that run everywhere */
    size_t to_come;      /* members that still have to be rewritten */
    size_t turns;        /* given in this step */
    bool busy;           /* something of it was decided in this step */
    bool is_full;        /* of those that cost anything none gets its turn */
    bool is_spent;       /* of units that run once, and are up, none does */
    struct text failure; /* of the first that failed */
    struct text waiting; /* why the next does not get its turn */
};

static void look_done(struct look *look)
{
    record_rollout_done(&look->next);
    text_done(&look->failure);
    text_done(&look->waiting);
}

/* --- sets of members --- */

static void set_to(const struct look *look, enum rollout_set set, size_t i, bool is_in)
{
    if (is_in)
        bits_set(look->list->sets[set], i);
    else
        bits_clear(look->list->sets[set], i);
}

static size_t count_in(const struct look *look, enum rollout_set set)
{
    return bits_count(look->list->sets[set], NULL, NULL, look->list->words);
}

/* The first of them; count: there is none. */
static size_t first_in(const struct look *look, enum rollout_set set)
{
    const uint64_t *bits = look->list->sets[set];
    for (size_t i = 0; i < look->list->words; i++)
        if (bits[i])
            return i * BITS_PER_WORD + bits_first(bits[i]);
    return look->list->count;
}

/* --- how they do --- */

static bool takes_part(const struct rollout_member *member)
{
    const struct placement *p = member->copy;
    return !p || (p->assignment_mod > 0 && !p->leaving && p->want != WANT_RELEASE &&
                  (p->key.machine->registration > 0 || member->is_listed));
}

static enum turn judge(struct step *step, struct look *look, const struct rollout_member *member)
{
    autotext why = { 0 };
    step->model->effort.judged++;
    if (!takes_part(member))
        return TURN_INVALID;
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

/* A copy that is down, for whatever reason, is one that may be down less. What has failed gets its
 * turn at once. */
static void note_member(struct step *step, struct look *look, size_t i)
{
    struct rollout_member *member = &look->list->members[i];
    const struct placement *copy = member->copy;
    const enum turn turn = judge(step, look, member);
    const bool is_in = turn != TURN_INVALID;
    const bool may_run = is_in && is_to_run(member);
    member->turn = turn;
    set_to(look, SET_TO_COME, i, turn == TURN_TO_COME);
    set_to(look, SET_CHANGING, i, turn == TURN_CHANGING);
    set_to(look, SET_FAILED, i, turn == TURN_FAILED);
    set_to(look, SET_OPEN, i, copy && is_in && turn != TURN_OVER);
    set_to(look, SET_DOWN, i,
           copy && may_run && turn != TURN_CHANGING && !rollout_copy_is_up(copy));
    set_to(look, SET_TO_RUN, i, may_run);
    set_to(look, SET_FREE, i, turn == TURN_TO_COME && rollout_costs_nothing(look->rollout, member));
    set_to(look, SET_UP, i, !copy && !unit_is_global(member->unit) && unit_is_up(member->unit));
}

/* What this step has decided of counts as such while it lasts, and then no more. */
static void judge_all(struct step *step, struct look *look)
{
    uint64_t *const *sets = look->list->sets;
    for (size_t w = 0; w < look->list->words; w++) {
        uint64_t word =
            sets[SET_STALE][w] | sets[SET_TOUCHED][w] | sets[SET_CHANGING][w] | sets[SET_FAILED][w];
        for (; word; word &= word - 1)
            note_member(step, look, w * BITS_PER_WORD + bits_first(word));
        sets[SET_STALE][w] = sets[SET_TOUCHED][w];
        for (word = sets[SET_CHANGING][w]; word; word &= word - 1)
            budget_take(step_budget(step),
                        look->list->members[w * BITS_PER_WORD + bits_first(word)].unit);
    }
    look->to_run = count_in(look, SET_TO_RUN);
    look->changing = count_in(look, SET_CHANGING);
    look->down = count_in(look, SET_DOWN);
    look->to_come = count_in(look, SET_TO_COME);
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
    action->more->restart_revision = unit_restart_revision(unit);
    action->more->unit_mod = unit->mod;
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
        action->more->restart_revision = restart_revision_for(look->rollout, member);
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

static bool copies_are_over(const struct look *look, const struct rollout_member *member)
{
    for (size_t i = member->first; i < member->own; i++)
        if (bits_test(look->list->sets[SET_OPEN], i))
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
    return !member->copy && !copies_are_over(look, member);
}

/* It is refused to others as well: who is up is one like another, and so is any copy of the only
 * unit that there is. */
static void note_refusal(struct look *look, const struct rollout_member *member)
{
    if (!member->copy)
        look->is_spent = look->is_spent || unit_is_up(member->unit);
    else
        look->is_full = look->is_full || look->rollout->unit_count == 1;
}

static bool budget_bears(struct step *step, struct look *look, const struct rollout_member *member)
{
    size_t limit = at_a_time(look);
    struct text *why = look->waiting.length == 0 ? &look->waiting : NULL;
    if (look->changing + look->down < limit) {
        bool bears = budget_allows_of(step_budget(step), member->unit, limit, why);
        if (!bears)
            note_refusal(look, member);
        return bears;
    }
    look->is_full = true;
    if (look->down > 0 && why) {
        const struct placement *down = look->list->members[first_in(look, SET_DOWN)].copy;
        text_addf(why, "%s is down on ", down->key.unit->name);
        machine_words(down->key.machine, why);
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

/* Those of a word of the sets that could get their turn. */
static uint64_t candidates(const struct look *look, size_t w)
{
    uint64_t *const *sets = look->list->sets;
    uint64_t asks = look->is_full ? 0 : look->is_spent ? ~sets[SET_UP][w] : ~UINT64_C(0);
    return sets[SET_TO_COME][w] & (sets[SET_FREE][w] | sets[SET_TOUCHED][w] | asks);
}

/* From that one on; count: there is none. */
static size_t next_candidate(const struct look *look, size_t from)
{
    uint64_t mask = ~UINT64_C(0) << (from % BITS_PER_WORD);
    for (size_t w = from / BITS_PER_WORD; w < look->list->words; w++, mask = ~UINT64_C(0)) {
        uint64_t word = candidates(look, w) & mask;
        if (word)
            return w * BITS_PER_WORD + bits_first(word);
    }
    return look->list->count;
}

static void give_turns(struct step *step, struct look *look)
{
    size_t i = next_candidate(look, 0);
    while (i < look->list->count && look->turns < TURNS_MAX && !step->failed) {
        step->model->effort.judged++;
        give_turn(step, look, &look->list->members[i]);
        i = next_candidate(look, i + 1);
    }
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
    const struct rollout_list *list = look->list;
    strv_free(take_ptr(look->next.changing));
    for (size_t w = 0; w < list->words; w++)
        for (uint64_t word = list->sets[SET_CHANGING][w]; word; word &= word - 1) {
            size_t i = w * BITS_PER_WORD + bits_first(word);
            autofree char *name = rollout_member_name(&list->members[i]);
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
        return look->list->count == 0 ? "there is no unit of it" : "all are up";
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

static void touch_members(struct step *step)
{
    const struct model *model = step->model;
    for (size_t i = 0; i < step->touched_count; i++)
        rollout_touch(model, step->touched[i]);
    for (const struct machine *m = step->arrivals.machines; m; m = m->arrived_next)
        for (const struct placement *p = m->arrivals; p; p = p->machine_next)
            rollout_touch(model, p);
}

/* With nobody touched. */
static bool list_members(struct step *step, struct rollout *rollout)
{
    if (!rollout_list_make(step->model, rollout))
        return false;
    memset(rollout->list->sets[SET_TOUCHED], 0,
           rollout->list->words * sizeof(*rollout->list->sets[SET_TOUCHED]));
    return true;
}

static struct look *begin_looks(struct step *step, size_t *ret_count)
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
        if (record_rollout_copy(&r->record, &look->next, NULL) < 0 || !list_members(step, r))
            step->failed = true;
        look->list = r->list;
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
    struct look *looks = begin_looks(step, &count);
    if (count > 0 && !step->failed)
        touch_members(step);
    for (size_t i = 0; i < count && !step->failed; i++)
        judge_all(step, &looks[i]);
    for (size_t i = 0; i < count; i++) {
        if (!step->failed)
            take_step(step, &looks[i]);
        look_done(&looks[i]);
    }
    free(looks);
}
