/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/preempt.h"

#include <string.h>

#include "scheduler/match.h"
#include "scheduler/reserve.h"

enum { VICTIMS_MAX = 16, WHOLE = 1000 };

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

void step_kept(struct step *step)
{
    struct machine *m = NULL;
    struct machine *next = NULL;
    for (m = step->model->kept; m; m = next) {
        next = m->kept_next;
        if (is_kept_in_vain(m))
            model_let_go(step->model, m);
    }
}

bool preempt_goes_on(const struct placement *p)
{
    const struct machine *machine = p->key.machine;
    return machine->kept_for && machine_kept_priority(machine) > unit_priority(p->key.unit);
}

/* --- what is missing --- */

/* It is told to, or is about to be, since nobody wants it any more. */
static bool is_leaving(const struct placement *p)
{
    return p->leaving || (p->assignment_mod > 0 && !p->planned &&
                          (p->want == WANT_RELEASE || !unit_is_wanted(p->key.unit)));
}

static const int64_t *requests_of(const struct unit *unit)
{
    static const int64_t none[RESOURCES];
    return unit_rules(unit) ? unit_rules(unit)->requests : none;
}

/* Once all that leaves the machine has left. False: it would not do if it were empty. */
static bool find_shortage(const struct party *party, const struct machine *machine,
                          struct shortage *ret)
{
    const int64_t *asked = party->asked;
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

int64_t preempt_missing(const struct party *party, const struct machine *machine)
{
    struct shortage shortage;
    int64_t most = 0;
    if (!find_shortage(party, machine, &shortage))
        return INT64_MAX;
    for (size_t i = 0; i < RESOURCES; i++) {
        int64_t share = shortage.of[i] > 0 && machine->capacity[i] >= WHOLE
                            ? shortage.of[i] / (machine->capacity[i] / WHOLE)
                        : shortage.of[i] > 0 ? shortage.of[i] * WHOLE / machine->capacity[i]
                                             : 0;
        most = share > most ? share : most;
    }
    return most;
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

static bool is_less(const struct unit *unit, int priority)
{
    return unit_rules(unit) && !unit_is_global(unit) && unit_priority(unit) < priority;
}

/* It, and all that would have to stop with it. */
static bool yields(struct unit *unit, int priority)
{
    struct party party;
    if (!unit_is_tied(unit) || !is_less(unit, priority))
        return is_less(unit, priority);
    party_gather(unit, &party);
    for (size_t i = 0; i < party.count; i++)
        if (!is_less(party.members[i], priority))
            return false;
    return party.count > 0;
}

/* The party would be without one that it has to be with. */
static bool is_needed(const struct unit *unit, const struct party *party)
{
    for (size_t i = 0; i < party->count; i++)
        for (size_t f = 0; f < unit_follow_count(party->members[i]); f++)
            if (party->members[i]->follows->links[f].peer == unit)
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

/* The dearest question last. */
static bool may_be_chosen(const struct victims *victims, const struct placement *p,
                          const struct party *party)
{
    return p->assignment_mod > 0 && !p->touched && placement_holds(p) && !is_leaving(p) &&
           !is_chosen(victims, p) && !party_has(party, p->key.unit) &&
           !is_needed(p->key.unit, party) && yields(p->key.unit, party->priority);
}

/* The less important first, of those alike the younger. */
static bool is_lesser(const struct unit *a, const struct unit *b)
{
    if (unit_priority(a) != unit_priority(b))
        return unit_priority(a) < unit_priority(b);
    return a->create != b->create ? a->create > b->create : strcmp(a->name, b->name) > 0;
}

/* One that is enough by itself, else the one that gives most. */
static struct placement *choose(const struct victims *victims, const struct party *party,
                                const struct shortage *shortage)
{
    struct placement *best = NULL;
    int64_t best_share = 0;
    struct placement *p = NULL;
    DL_FOREACH2(victims->machine->placements, p, machine_next) {
        int64_t share = share_of(shortage, p->key.unit);
        bool would_do = share > best_share ||
                        (best && share == best_share && is_lesser(p->key.unit, best->key.unit));
        if (would_do && may_be_chosen(victims, p, party)) {
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

static bool some_leave_for(const struct machine *machine, const struct party *party)
{
    const struct placement *p = NULL;
    DL_FOREACH2(machine->placements, p, machine_next)
        if (placement_occupies(p) && is_leaving(p) && unit_priority(p->key.unit) < party->priority)
            return true;
    return false;
}

/* machine NULL: it cannot be done there. */
static struct victims find_victims(struct model *model, const struct party *party,
                                   struct machine *machine)
{
    const struct unit *who = NULL;
    struct victims victims = { .machine = machine };
    struct shortage shortage;
    const struct victims none = { 0 };
    if (party_is_kept_from(party, machine) ||
        match_party(model, party, machine, MATCH_ARRIVE, &who).kind != REFUSAL_ROOM ||
        !find_shortage(party, machine, &shortage))
        return none;
    if (!is_short(&shortage))
        return some_leave_for(machine, party) ? victims : none;
    while (is_short(&shortage)) {
        struct placement *p =
            victims.count < VICTIMS_MAX ? choose(&victims, party, &shortage) : NULL;
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

static struct victims find_best(struct model *model, const struct party *party)
{
    struct victims best = { 0 };
    for (size_t i = 0; i < model->machine_count; i++) {
        struct machine *m = model->machines_by_id[i];
        const struct victims victims =
            machine_is_open(m) ? find_victims(model, party, m) : (struct victims){ 0 };
        if (victims.machine && is_better(&victims, &best))
            best = victims;
    }
    return best;
}

/* --- doing it --- */

static char *yield_words(const struct placement *p, const struct party *party)
{
    autotext words = { 0 };
    text_add(&words, "yields its place on ");
    machine_words(p->key.machine, &words);
    text_addf(&words, " to %s (priority %d)", party->members[0]->name, party->priority);
    return text_take(&words);
}

/* What was kept for it, if it will do once all that leaves has left. */
static bool is_on_its_way(struct model *model, const struct party *party)
{
    struct shortage shortage;
    const struct unit *who = NULL;
    const struct trouble *trouble = party->members[0]->trouble;
    struct machine *machine = trouble ? trouble->kept : NULL;
    if (!machine)
        return false;
    if (match_party(model, party, machine, MATCH_ARRIVE, &who).kind == REFUSAL_ROOM &&
        find_shortage(party, machine, &shortage) && !is_short(&shortage))
        return model_keep(model, machine, party->members[0], party->priority, machine->is_reserved);
    if (!machine->is_reserved) /* else it waits for others, too */
        model_let_go(model, machine);
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

/* Whether anybody could yield to a unit that nothing ties depends on nothing but its group while
 * nothing has eased. */
static bool is_futile(const struct model *model, const struct party *party)
{
    const struct group *group = party_group(party);
    return model->index.prioritized == 0 || !party->asks_room ||
           (group && group->futile_at == model->index.easings);
}

static void note_futile(const struct model *model, const struct party *party)
{
    struct group *group = party_group(party);
    if (group)
        group->futile_at = model->index.easings;
}

/* Who was less important and had its turn before has just been placed: nobody yields before that is
 * known, but then it may. */
static void note_later(const struct step *step, const struct party *party, bool lacks_room)
{
    if (lacks_room && party->asks_room && step->any_placed && step->lowest_placed < party->priority)
        party->members[0]->revisit = true;
}

bool step_preempt(struct step *step, const struct party *party, bool is_lost, bool lacks_room)
{
    struct model *model = step->model;
    struct unit *first = party->members[0];
    if (is_on_its_way(model, party)) {
        step_unreserve(step, party);
        return true;
    }
    note_later(step, party, lacks_room);
    if (!lacks_room || is_futile(model, party))
        return false;
    const struct victims best = find_best(model, party);
    if (!best.machine) {
        note_futile(model, party);
        return false;
    }
    if (best.count > 0 && !is_lost && !has_budget(step, first))
        return false;
    if (!model_keep(model, best.machine, first, party->priority,
                    best.machine->kept_for == first && best.machine->is_reserved))
        step->failed = true;
    else
        step_unreserve(step, party);
    for (size_t i = 0; i < best.count; i++) {
        autofree char *words = yield_words(best.list[i], party);
        step_release_party(step, best.list[i], MOVE_CAUSE_PREEMPT, words ? words : "");
    }
    return true;
}
