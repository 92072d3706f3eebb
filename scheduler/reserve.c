/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/reserve.h"

#include "scheduler/match.h"
#include "scheduler/preempt.h"

enum { MARKED_MAX = 256 }; /* at a time: a step is to end */

static bool is_any_free(const struct model *model)
{
    size_t open = model->index.open_count;
    size_t most = open / RESERVE_ONE_IN > 0 ? open / RESERVE_ONE_IN : open > 1;
    return model->reserved_count < most;
}

static int64_t due_ms(const struct trouble *trouble)
{
    return trouble->short_since_ms + RESERVE_AFTER_MS;
}

/* --- whose time has come --- */

void step_mark_short(struct step *step)
{
    struct model *model = step->model;
    for (size_t i = 0; i < MARKED_MAX && model->shorts && is_any_free(model); i++) {
        struct trouble *first = model->shorts;
        if (due_ms(first) > step->clock->now_ms)
            return;
        model_unlist_short(model, first);
        model_mark_unit(model, first->unit);
    }
}

void step_wake_short(struct step *step)
{
    const struct model *model = step->model;
    if (!model->shorts || !is_any_free(model))
        return;
    int64_t at_ms = due_ms(model->shorts);
    step_wake_at(step, at_ms > step->clock->now_ms ? at_ms : step->clock->now_ms);
}

/* --- which machine --- */

/* What runs everywhere never makes room there. */
static bool could_hold(const struct party *party, const struct machine *machine)
{
    int64_t left[RESOURCES];
    const struct placement *p = NULL;
    for (size_t i = 0; i < RESOURCES; i++)
        left[i] = machine->capacity[i] - party->asked[i];
    DL_FOREACH2(machine->placements, p, machine_next) {
        if (!placement_occupies(p) || !unit_is_global(p->key.unit))
            continue;
        for (size_t i = 0; i < RESOURCES; i++)
            left[i] -= unit_rules(p->key.unit)->requests[i];
    }
    for (size_t i = 0; i < RESOURCES; i++)
        if (machine->capacity[i] > 0 && party->asked[i] > 0 && left[i] < 0)
            return false;
    return true;
}

/* Only room is missing, and it may come. */
static bool may_wait_for(struct model *model, const struct party *party,
                         const struct machine *machine)
{
    const struct unit *who = NULL;
    return machine_is_open(machine) &&
           match_party(model, party, machine, MATCH_ARRIVE, &who).kind == REFUSAL_ROOM &&
           could_hold(party, machine);
}

static struct machine *find_best(struct model *model, const struct party *party)
{
    struct machine *best = NULL;
    int64_t least = 0;
    for (size_t i = 0; i < model->machine_count; i++) {
        struct machine *m = model->machines_by_id[i];
        if (m->kept_for || !may_wait_for(model, party, m))
            continue;
        int64_t missing = preempt_missing(party, m);
        if (!best || missing < least) {
            best = m;
            least = missing;
        }
    }
    return best;
}

/* --- reserving --- */

/* The same for all of a group that nothing ties, while nothing has eased. */
static bool is_vain(const struct model *model, const struct party *party)
{
    const struct group *group = party_group(party);
    return group && group->vain_at == model->index.easings;
}

static void note_vain(const struct model *model, const struct party *party)
{
    struct group *group = party_group(party);
    if (group)
        group->vain_at = model->index.easings;
}

static struct machine *reserve(struct step *step, const struct party *party)
{
    struct model *model = step->model;
    struct unit *unit = party->members[0];
    struct machine *machine = is_vain(model, party) ? NULL : find_best(model, party);
    model_unlist_short(model, unit->trouble);
    if (!machine)
        note_vain(model, party);
    else if (!model_keep(model, machine, unit, party->priority, true))
        step->failed = true;
    return machine;
}

struct machine *step_reserve(struct step *step, const struct party *party, bool lacks_room)
{
    struct model *model = step->model;
    struct unit *unit = party->members[0];
    struct machine *kept = unit->trouble ? unit->trouble->kept : NULL;
    if (kept && kept->is_reserved) {
        if (lacks_room && may_wait_for(model, party, kept)) {
            kept->kept_priority = party->priority;
            return kept;
        }
        model_let_go(model, kept);
    }
    if (!lacks_room) {
        model_forget_short(model, unit);
        return NULL;
    }
    if (!model_is_short(model, unit, step->clock->now_ms)) {
        step->failed = true;
        return NULL;
    }
    if (step->clock->now_ms < due_ms(unit->trouble) || !is_any_free(model))
        return NULL;
    return reserve(step, party);
}

/* --- not any more --- */

static bool is_reserved_for(const struct trouble *trouble)
{
    return trouble->kept && trouble->kept->is_reserved;
}

void step_unreserve(struct step *step, const struct party *party)
{
    const struct machine *machine = party->members[0]->trouble->kept;
    for (size_t i = 0; i < party->count; i++) {
        struct unit *unit = party->members[i];
        autotext words = { 0 };
        if (!unit->trouble || !unit->trouble->says_reserved || is_reserved_for(unit->trouble))
            continue;
        text_add(&words, "others leave ");
        machine_words(machine, &words);
        text_addf(&words, " for %s", i == 0 ? "it" : party->members[0]->name);
        step_give_nowhere(step, unit, NULL, text_take(&words));
    }
}
