/* SPDX-License-Identifier: Apache-2.0 */
/* How those who take part in a rollout do. */
#include <string.h>

#include "scheduler/budget.h"
#include "scheduler/rollout.h"

/* The copy that carries out what the unit is now. */
static const struct placement *find_copy(const struct unit *unit)
{
    const struct placement *p = NULL;
    LL_FOREACH2(unit->placements, p, unit_next)
        if (p->assignment_mod > 0 && p->want == WANT_RUN && p->unit_revision == unit->mod)
            return p;
    return NULL;
}

static bool went_wrong(const struct unit *unit, struct text *why)
{
    const struct placement *p = find_copy(unit);
    bool answered = p && placement_has_answered(p);
    bool failed = answered && p->health == COPY_FAILED;
    bool unhealthy = answered && p->check == CHECK_UNHEALTHY;
    if (!why || !(failed || unhealthy))
        return failed || unhealthy;
    text_addf(why, "%s on ", unit->name);
    machine_words(p->key.machine, why);
    if (failed)
        text_addf(why, " has failed: %s",
                  unit->trouble && unit->trouble->failure ? unit->trouble->failure : "unknown");
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
    const struct trouble *trouble = unit->trouble;
    if (!trouble || trouble->verdict_mod == 0 || trouble->verdict_unit_revision != unit->mod ||
        trouble->verdict_kind != VERDICT_NOWHERE)
        return false;
    text_addf(why, "%s: %s", unit->name, trouble->verdict_reason);
    return true;
}

static struct rollout_watch *watch_of(struct step *step, struct rollout *rollout,
                                      const struct unit *unit)
{
    struct rollout_watch *watch = NULL;
    HASH_FIND_STR(rollout->watches, unit->name, watch);
    if (watch)
        return watch;
    watch = calloc(1, sizeof(*watch) + strlen(unit->name) + 1);
    if (!watch) {
        step->failed = true;
        return NULL;
    }
    memcpy(watch->name, unit->name, strlen(unit->name));
    watch->begun_ms = step->clock->now_ms;
    watch->up_since_ms = -1;
    HASH_ADD_STR(rollout->watches, name, watch);
    return watch;
}

static void see_copy(struct rollout_watch *watch, const struct placement *p, int64_t now_ms)
{
    bool up = p && placement_has_answered(p) && p->health == COPY_UP && p->check != CHECK_STARTING;
    if (!p || p->key.machine->registration == 0)
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

bool rollout_is_past(struct step *step, int64_t at_ms)
{
    if (step->clock->now_ms >= at_ms)
        return true;
    step_wake_at(step, at_ms);
    return false;
}

static enum turn watch_change(struct step *step, struct rollout *rollout, const struct unit *unit,
                              struct text *why)
{
    const struct record_rollout *record = &rollout->record;
    const struct placement *p = find_copy(unit);
    struct rollout_watch *watch = watch_of(step, rollout, unit);
    if (!watch)
        return TURN_CHANGING;
    see_copy(watch, p, step->clock->now_ms);
    if (watch->relapses >= ROLLOUT_RELAPSES_MAX) {
        text_addf(why, "%s does not stay up: it was up and down %u times", unit->name,
                  watch->relapses);
        return TURN_FAILED;
    }
    if (watch->up_since_ms >= 0)
        return rollout_is_past(step, watch->up_since_ms + record->wait_ms) ? TURN_OVER
                                                                           : TURN_CHANGING;
    if (record->timeout_ms == 0 || !rollout_is_past(step, watch->begun_ms + record->timeout_ms))
        return TURN_CHANGING;
    text_addf(why, "%s is not %s within %lld s", unit->name,
              p && p->check == CHECK_STARTING ? "healthy" : "active",
              (long long)(record->timeout_ms / 1000));
    return TURN_FAILED;
}

static bool has_had_its_turn(const struct record_rollout *record, const struct unit *unit)
{
    const struct record_unit as_stored = { .blob = (char *)unit->blob,
                                           .desired = unit->desired,
                                           .restart_revision = unit_restart_revision(unit) };
    if (unit->mod <= record->retry_revision && went_wrong(unit, NULL))
        return false;
    return rollout_has_reached(record, &as_stored);
}

enum turn rollout_judge(struct step *step, struct rollout *rollout, const struct unit *unit,
                        struct text *why)
{
    if (!has_had_its_turn(&rollout->record, unit))
        return TURN_TO_COME;
    if (unit->desired != DESIRED_LAUNCHED)
        return TURN_OVER;
    bool changing = strv_contains(rollout->record.changing, unit->name);
    if (went_wrong(unit, why) || (changing && fits_nowhere(unit, why)))
        return TURN_FAILED;
    return changing ? watch_change(step, rollout, unit, why) : TURN_OVER;
}

bool rollout_costs_nothing(const struct unit *unit)
{
    return unit->desired != DESIRED_LAUNCHED || rollout_has_no_machine(unit) ||
           went_wrong(unit, NULL) || unit_has_failed(unit);
}
