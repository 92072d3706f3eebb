/* SPDX-License-Identifier: Apache-2.0 */
/* How those who take part in a rollout do. */
#include <string.h>

#include "scheduler/budget.h"
#include "scheduler/failures.h"
#include "scheduler/rollout.h"

bool step_rollout_holds(const struct step *step, const struct unit *unit)
{
    struct rollout *rollout = NULL;
    if (!step->model->rollouts || !unit_is_global(unit))
        return false;
    HASH_FIND_STR(step->model->rollouts, unit->group->family->name, rollout);
    return rollout &&
           (rollout->record.state == ROLLOUT_RUNNING || rollout->record.state == ROLLOUT_PAUSED);
}

char *rollout_member_name(const struct rollout_member *member)
{
    return member->copy ? rollout_copy_name(member->unit->name, member->copy->key.machine->id)
                        : strdup(member->unit->name);
}

/* The copy that carries out what is to be now. */
static const struct placement *find_copy(const struct record_rollout *record,
                                         const struct rollout_member *member)
{
    const struct unit *unit = member->unit;
    if (member->copy)
        return member->copy->want == WANT_RUN &&
                       (record->restart || text_equal(member->copy->blob, record->blob))
                   ? member->copy
                   : NULL;
    const struct placement *p = NULL;
    LL_FOREACH2(unit->placements, p, unit_next)
        if (p->assignment_mod > 0 && p->want == WANT_RUN && p->unit_revision == unit->mod)
            return p;
    return NULL;
}

/* The copy that has; NULL: none. */
static const struct placement *find_wrong(const struct record_rollout *record,
                                          const struct rollout_member *member)
{
    const struct placement *p = find_copy(record, member);
    bool is_wrong =
        p && placement_has_answered(p) && (p->health == COPY_FAILED || p->check == CHECK_UNHEALTHY);
    return is_wrong ? p : NULL;
}

static bool went_wrong(struct step *step, const struct record_rollout *record,
                       const struct rollout_member *member, struct text *why)
{
    const struct placement *p = find_wrong(record, member);
    if (!p)
        return false;
    text_addf(why, "%s on ", p->key.unit->name);
    machine_words(p->key.machine, why);
    if (p->health == COPY_FAILED)
        text_addf(why, " has failed: %s", failure_of(step->model, p));
    else
        text_add(why, " is unhealthy");
    return true;
}

bool rollout_has_no_machine(const struct unit *unit)
{
    const struct placement *p = NULL;
    LL_FOREACH2(unit->placements, p, unit_next)
        if (placement_occupies(p))
            return false;
    return true;
}

/* It is said that no machine may run it as it is now. */
static bool fits_nowhere(const struct unit *unit, struct text *why)
{
    if (!unit_verdict_holds(unit) || unit->trouble->verdict_kind != VERDICT_NOWHERE)
        return false;
    text_addf(why, "%s: %s", unit->name, unit->trouble->verdict_reason);
    return true;
}

static struct rollout_watch *watch_of(struct step *step, struct rollout *rollout, const char *name)
{
    struct rollout_watch *watch = NULL;
    HASH_FIND_STR(rollout->watches, name, watch);
    if (watch)
        return watch;
    watch = calloc(1, sizeof(*watch) + strlen(name) + 1);
    if (!watch) {
        step->failed = true;
        return NULL;
    }
    memcpy(watch->name, name, strlen(name));
    watch->begun_ms = step->clock->now_ms;
    watch->up_since_ms = -1;
    HASH_ADD_STR(rollout->watches, name, watch);
    return watch;
}

/* Its time has not begun: somebody has yet to tell its machine. One that is gone is told nothing,
 * and is waited for as long as one that does not come up. */
static bool is_still_to_begin(const struct rollout_member *member, const struct placement *p)
{
    if (!p)
        return !member->copy || member->copy->key.machine->registration > 0;
    return p->key.machine->registration == 0 && !unit_is_global(p->key.unit);
}

static void see_copy(struct rollout_watch *watch, const struct rollout_member *member,
                     const struct placement *p, int64_t now_ms)
{
    bool up = p && placement_has_answered(p) && p->health == COPY_UP && p->check != CHECK_STARTING;
    if (is_still_to_begin(member, p))
        watch->begun_ms = now_ms;
    if (watch->up_since_ms >= 0 && (!up || watch->run != p->run)) {
        watch->up_since_ms = -1;
        watch->begun_ms = now_ms;
        watch->relapses++;
    }
    if (up && watch->up_since_ms < 0) {
        watch->up_since_ms = now_ms;
        watch->run = p->run;
    }
}

static void member_words(const struct rollout_member *member, struct text *words)
{
    text_add(words, member->unit->name);
    if (member->copy) {
        text_add(words, " on ");
        machine_words(member->copy->key.machine, words);
    }
}

/* What keeps it from being over for good: true, and why. */
static bool has_run_out(struct step *step, const struct record_rollout *record,
                        const struct rollout_member *member, const struct rollout_watch *watch,
                        struct text *why)
{
    const struct placement *p = find_copy(record, member);
    if (watch->relapses >= ROLLOUT_RELAPSES_MAX) {
        member_words(member, why);
        text_addf(why, " does not stay up: it was up and down %u times", watch->relapses);
        return true;
    }
    if (watch->up_since_ms >= 0 || record->timeout_ms == 0 ||
        !step_is_past(step, watch->begun_ms + record->timeout_ms))
        return false;
    member_words(member, why);
    text_addf(why, " is not %s within %lld s",
              p && p->check == CHECK_STARTING ? "healthy" : "active",
              (long long)(record->timeout_ms / 1000));
    return true;
}

static enum turn watch_change(struct step *step, struct rollout *rollout,
                              const struct rollout_member *member, struct text *why)
{
    const struct record_rollout *record = &rollout->record;
    autofree char *name = rollout_member_name(member);
    struct rollout_watch *watch = name ? watch_of(step, rollout, name) : NULL;
    if (!watch) {
        step->failed = true;
        return TURN_CHANGING;
    }
    see_copy(watch, member, find_copy(record, member), step->clock->now_ms);
    if (has_run_out(step, record, member, watch, why))
        return TURN_FAILED;
    bool over = watch->up_since_ms >= 0 && step_is_past(step, watch->up_since_ms + record->wait_ms);
    return over ? TURN_OVER : TURN_CHANGING;
}

/* What went wrong before the order is tried again has its turn anew. Of a global unit that is said
 * of its copies, not of its text: that would begin all of them anew. */
static bool has_had_its_turn(const struct record_rollout *record,
                             const struct rollout_member *member)
{
    const struct unit *unit = member->unit;
    const struct placement *copy = member->copy;
    const struct record_unit as_stored = { .blob = (char *)unit->blob,
                                           .desired = unit->desired,
                                           .restart_revision = unit_restart_revision(unit) };
    int64_t revision = copy ? copy->assignment_mod : unit->mod;
    bool may_have_failed = copy || !unit_is_global(unit);
    if (may_have_failed && revision <= record->retry_revision && find_wrong(record, member))
        return false;
    return copy ? rollout_has_reached_copy(record, &as_stored, copy->blob, copy->assignment_mod)
                : rollout_has_reached(record, &as_stored);
}

enum turn rollout_judge(struct step *step, struct rollout *rollout,
                        const struct rollout_member *member, struct text *why)
{
    const struct record_rollout *record = &rollout->record;
    const struct unit *unit = member->unit;
    if (!has_had_its_turn(record, member))
        return TURN_TO_COME;
    if (unit->desired != DESIRED_LAUNCHED || (!member->copy && unit_is_global(unit)))
        return TURN_OVER;
    bool changing = member->is_listed;
    if (went_wrong(step, record, member, why) ||
        (changing && !member->copy && fits_nowhere(unit, why)))
        return TURN_FAILED;
    return changing ? watch_change(step, rollout, member, why) : TURN_OVER;
}

bool rollout_costs_nothing(const struct rollout *rollout, const struct rollout_member *member)
{
    const struct unit *unit = member->unit;
    const struct placement *copy = member->copy;
    if (unit->desired != DESIRED_LAUNCHED || find_wrong(&rollout->record, member))
        return true;
    if (copy)
        return placement_has_answered(copy) && copy->health == COPY_FAILED;
    return unit_is_global(unit) || rollout_has_no_machine(unit) || unit_has_failed(unit);
}

bool rollout_copy_is_up(const struct placement *copy)
{
    return copy->want == WANT_RUN && copy->health == COPY_UP && placement_has_answered(copy);
}

bool rollout_is_touched(const struct rollout_member *member)
{
    const struct placement *p = NULL;
    if (member->copy)
        return member->copy->touched;
    LL_FOREACH2(member->unit->placements, p, unit_next)
        if (p->touched)
            return true;
    return false;
}
