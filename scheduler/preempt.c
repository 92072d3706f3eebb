/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/preempt.h"

#include <limits.h>
#include <string.h>

#include "scheduler/match.h"

enum { VICTIMS_MAX = 16, FOLLOW_DEPTH_MAX = 16, WHOLE = 1000 };

/* Who would have to go from one machine. */
struct victims {
    struct machine *machine; /* NULL: none will do */
    struct placement *list[VICTIMS_MAX];
    size_t count;
};

/* What is missing of each resource; 0 or less: nothing. */
struct shortage {
    int64_t of[RESOURCES];
};

/* --- who is kept a place --- */

/* It stands on a machine that is there, and stays. */
static bool has_place(const struct unit *unit)
{
    const struct placement *p = NULL;
    LL_FOREACH2(unit->placements, p, unit_next)
        if (placement_holds(p) && p->key.machine->registration > 0)
            return true;
    return false;
}

static bool is_kept_in_vain(const struct machine *machine)
{
    const struct unit *unit = machine->kept_for;
    return !unit_is_wanted(unit) || !unit_rules(unit) || has_place(unit) ||
           !machine_is_open(machine);
}

static void let_go(struct model *model, struct machine *machine)
{
    machine->kept_for = NULL;
    DL_DELETE2(model->kept, machine, kept_prev, kept_next);
    model_mark_units_of(model, machine); /* who yields may stay after all */
    model->retry = true;
    index_ease(model);
}

static void keep_for(struct model *model, struct machine *machine, struct unit *unit)
{
    if (!machine->kept_for)
        DL_APPEND2(model->kept, machine, kept_prev, kept_next);
    machine->kept_for = unit;
}

void step_kept(struct step *step)
{
    struct machine *m = NULL;
    struct machine *next = NULL;
    for (m = step->model->kept; m; m = next) {
        next = m->kept_next;
        if (is_kept_in_vain(m))
            let_go(step->model, m);
    }
}

static struct machine *machine_kept_for(const struct model *model, const struct unit *unit)
{
    struct machine *m = NULL;
    DL_FOREACH2(model->kept, m, kept_next)
        if (m->kept_for == unit)
            return m;
    return NULL;
}

bool preempt_goes_on(const struct placement *p)
{
    const struct unit *unit = p->key.machine->kept_for;
    return unit && unit_priority(unit) > unit_priority(p->key.unit);
}

/* --- what is missing --- */

static bool is_leaving(const struct placement *p)
{
    return p->leaving || (p->assignment_mod > 0 && !p->planned && p->want == WANT_RELEASE);
}

static const int64_t *requests_of(const struct unit *unit)
{
    static const int64_t none[RESOURCES];
    return unit_rules(unit) ? unit_rules(unit)->requests : none;
}

/* Once all that leaves the machine has left. False: it would not do if it were empty. */
static bool find_shortage(const struct unit *unit, const struct machine *machine,
                          struct shortage *ret)
{
    const int64_t *asked = requests_of(unit);
    for (size_t i = 0; i < RESOURCES; i++) {
        bool counts = asked[i] > 0 && machine->capacity[i] > 0;
        if (counts && asked[i] > machine->capacity[i])
            return false;
        ret->of[i] = counts ? machine->used[i] + asked[i] - machine->capacity[i] : 0;
    }
    const struct placement *p = NULL;
    DL_FOREACH2(machine->placements, p, machine_next)
        for (size_t i = 0; placement_occupies(p) && is_leaving(p) && i < RESOURCES; i++)
            ret->of[i] -= requests_of(p->key.unit)[i];
    return true;
}

static void give(struct shortage *shortage, const struct unit *unit, int sign)
{
    for (size_t i = 0; i < RESOURCES; i++)
        shortage->of[i] -= sign * requests_of(unit)[i];
}

static bool is_short(const struct shortage *shortage)
{
    for (size_t i = 0; i < RESOURCES; i++)
        if (shortage->of[i] > 0)
            return true;
    return false;
}

/* How much of it the unit would give back: WHOLE for each resource, if all of it. */
static int64_t share_of(const struct shortage *shortage, const struct unit *unit)
{
    int64_t share = 0;
    for (size_t i = 0; i < RESOURCES; i++) {
        int64_t gives = requests_of(unit)[i];
        if (shortage->of[i] > 0)
            share += gives >= shortage->of[i] ? WHOLE : gives * WHOLE / shortage->of[i];
    }
    return share;
}

/* --- who yields --- */

/* It, and all that would have to stop with it. */
static bool yields(const struct unit *unit, int priority, unsigned int depth)
{
    const struct requirements *rules = unit_rules(unit);
    const struct follow *f = NULL;
    if (!rules || rules->global || rules->priority >= priority || depth == FOLLOW_DEPTH_MAX)
        return false;
    DL_FOREACH(unit->followers, f)
        if (!yields(f->follower, priority, depth + 1))
            return false;
    return true;
}

static bool is_peer_of(const struct unit *unit, const struct unit *follower)
{
    for (size_t i = 0; i < unit_follow_count(follower); i++)
        if (follower->follows->links[i].peer == unit)
            return true;
    return false;
}

static bool is_chosen(const struct victims *victims, const struct placement *p)
{
    for (size_t i = 0; i < victims->count; i++)
        if (victims->list[i] == p)
            return true;
    return false;
}

static bool may_be_chosen(const struct victims *victims, const struct placement *p,
                          const struct unit *unit)
{
    return p->assignment_mod > 0 && !p->touched && placement_holds(p) && !is_chosen(victims, p) &&
           p->key.unit != unit && yields(p->key.unit, unit_priority(unit), 0) &&
           !is_peer_of(p->key.unit, unit);
}

/* The less important first, of those alike the younger. */
static bool is_lesser(const struct unit *a, const struct unit *b)
{
    if (unit_priority(a) != unit_priority(b))
        return unit_priority(a) < unit_priority(b);
    return a->create != b->create ? a->create > b->create : strcmp(a->name, b->name) > 0;
}

/* One that is enough by itself, else the one that gives most. */
static struct placement *choose(const struct victims *victims, const struct unit *unit,
                                const struct shortage *shortage)
{
    struct placement *best = NULL;
    int64_t best_share = 0;
    struct placement *p = NULL;
    DL_FOREACH2(victims->machine->placements, p, machine_next) {
        if (!may_be_chosen(victims, p, unit))
            continue;
        int64_t share = share_of(shortage, p->key.unit);
        if (share > best_share ||
            (best && share == best_share && is_lesser(p->key.unit, best->key.unit))) {
            best = p;
            best_share = share;
        }
    }
    return best;
}

/* Some that were chosen first may not be needed after all. */
static void spare(struct victims *victims, struct shortage *shortage)
{
    for (size_t i = 0; i < victims->count;) {
        struct shortage without = *shortage;
        give(&without, victims->list[i]->key.unit, -1);
        if (is_short(&without)) {
            i++;
            continue;
        }
        *shortage = without;
        victims->count--;
        memmove(&victims->list[i], &victims->list[i + 1],
                (victims->count - i) * sizeof(*victims->list)); /* NOLINT: pointers are kept */
    }
}

static bool some_leave_for(const struct machine *machine, const struct unit *unit)
{
    const struct placement *p = NULL;
    DL_FOREACH2(machine->placements, p, machine_next)
        if (placement_occupies(p) && is_leaving(p) &&
            unit_priority(p->key.unit) < unit_priority(unit))
            return true;
    return false;
}

/* machine NULL: it cannot be done there. */
static struct victims find_victims(struct model *model, const struct unit *unit,
                                   struct machine *machine)
{
    struct victims victims = { .machine = machine };
    struct shortage shortage;
    const struct victims none = { 0 };
    if (machine_is_kept_from(machine, unit) ||
        match(model, unit, machine, MATCH_ARRIVE).kind != REFUSAL_ROOM ||
        !find_shortage(unit, machine, &shortage))
        return none;
    if (!is_short(&shortage))
        return some_leave_for(machine, unit) ? victims : none;
    while (is_short(&shortage)) {
        struct placement *p =
            victims.count < VICTIMS_MAX ? choose(&victims, unit, &shortage) : NULL;
        if (!p)
            return none;
        give(&shortage, p->key.unit, 1);
        victims.list[victims.count++] = p;
    }
    spare(&victims, &shortage);
    return victims;
}

static const struct unit *most_important(const struct victims *victims)
{
    const struct unit *most = victims->list[0]->key.unit;
    for (size_t i = 1; i < victims->count; i++)
        if (is_lesser(most, victims->list[i]->key.unit))
            most = victims->list[i]->key.unit;
    return most;
}

static bool is_better(const struct victims *victims, const struct victims *best)
{
    if (!best->machine || victims->count != best->count)
        return !best->machine || victims->count < best->count;
    return victims->count > 0 && is_lesser(most_important(victims), most_important(best));
}

static struct victims find_best(struct model *model, const struct unit *unit)
{
    struct victims best = { 0 };
    for (size_t i = 0; i < model->machine_count; i++) {
        struct machine *m = model->machines_by_id[i];
        const struct victims victims =
            machine_is_open(m) ? find_victims(model, unit, m) : (struct victims){ 0 };
        if (victims.machine && is_better(&victims, &best))
            best = victims;
    }
    return best;
}

/* --- doing it --- */

static char *yield_words(const struct placement *p, const struct unit *unit)
{
    autotext words = { 0 };
    text_add(&words, "yields its place on ");
    machine_words(p->key.machine, &words);
    text_addf(&words, " to %s (priority %d)", unit->name, unit_priority(unit));
    return text_take(&words);
}

/* What was kept for it, if it will do once all that leaves has left. */
static bool is_on_its_way(struct model *model, const struct unit *unit)
{
    struct shortage shortage;
    struct machine *machine = machine_kept_for(model, unit);
    if (!machine)
        return false;
    if (match(model, unit, machine, MATCH_ARRIVE).kind == REFUSAL_ROOM &&
        find_shortage(unit, machine, &shortage) && !is_short(&shortage))
        return true;
    let_go(model, machine);
    return false;
}

/* Until then the next step asks again. */
static bool has_budget(struct step *step, struct unit *unit)
{
    if (budget_has_room(step_budget(step)))
        return true;
    unit->revisit = true;
    return false;
}

/* Whether anybody could yield depends on nothing but the group while nothing has eased. */
static bool is_futile(const struct model *model, const struct unit *unit)
{
    return model->index.prioritized == 0 || !unit->group->asks_room ||
           unit->group->futile_at == model->index.easings;
}

bool step_preempt(struct step *step, struct unit *unit, bool is_lost)
{
    struct model *model = step->model;
    if (is_on_its_way(model, unit))
        return true;
    if (is_futile(model, unit))
        return false;
    const struct victims best = find_best(model, unit);
    if (!best.machine) {
        unit->group->futile_at = model->index.easings;
        return false;
    }
    if (best.count > 0 && !is_lost && !has_budget(step, unit))
        return false;
    keep_for(model, best.machine, unit);
    for (size_t i = 0; i < best.count; i++)
        step_release(step, best.list[i], MOVE_CAUSE_PREEMPT, yield_words(best.list[i], unit));
    return true;
}
