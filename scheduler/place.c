/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/place.h"

#include <string.h>

#include "scheduler/bits.h"
#include "scheduler/party.h"
#include "scheduler/place_plain.h"

/* --- what speaks for a machine --- */

/* Where it is itself does not count: it is about to leave. */
static uint32_t count_own(const struct unit *unit, uint32_t domain)
{
    const struct spread *spread = unit->group->tally->spread;
    const struct placement *p = NULL;
    uint32_t count = 0;
    LL_FOREACH2(unit->placements, p, unit_next)
        count += placement_occupies(p) && spread->domain_of[p->key.machine->number] == domain;
    return count;
}

static uint32_t count_in_domain(const struct unit *unit, uint32_t domain)
{
    return unit->group->tally->counts[domain] - count_own(unit, domain);
}

bool place_drives_away(const struct unit *unit, const struct machine *machine)
{
    const struct group *group = unit->group;
    for (size_t i = 0; i < group->replace_count; i++)
        if (pattern_matches_on(group->replaces[i], machine->number))
            return true;
    return false;
}

struct merit place_merit(struct model *model, const struct unit *unit,
                         const struct machine *machine)
{
    const struct group *group = unit->group;
    const struct spread *spread = group->tally ? group->tally->spread : NULL;
    return (struct merit){
        .unpreferred = group->preferred &&
                       match_class(model, group->preferred->rules, machine).kind != REFUSAL_NONE,
        .domain = spread ? count_in_domain(unit, spread->domain_of[machine->number]) : 0,
        .drives_away = place_drives_away(unit, machine),
        .has_mates = bag_has(bag_sum(&group->family->here), machine->number),
        .level = (unsigned int)index_level(machine),
        .number = machine->number,
    };
}

static int compare_numbers(unsigned int a, unsigned int b)
{
    return (a > b) - (a < b);
}

int merit_compare(const struct merit *a, const struct merit *b)
{
    int r = compare_numbers(a->unpreferred, b->unpreferred);
    r = r ? r : compare_numbers(a->domain, b->domain);
    r = r ? r : compare_numbers(a->drives_away, b->drives_away);
    r = r ? r : compare_numbers(a->has_mates, b->has_mates);
    r = r ? r : compare_numbers(a->level, b->level);
    return r ? r : compare_numbers(a->number, b->number);
}

void merit_words(const struct merit *merit, const struct unit *unit, struct text *words)
{
    const struct group *group = unit->group;
    if (group->preferred)
        text_add(words, merit->unpreferred ? "not preferred; " : "preferred; ");
    if (group->tally)
        text_addf(words, "%u of its template with the same %s; ", merit->domain,
                  group->tally->spread->key);
    if (merit->drives_away)
        text_add(words, "would replace a unit; ");
    if (merit->has_mates)
        text_add(words, "has one of its template; ");
    text_addf(words, "load %u/512", merit->level);
}

/* --- asking every machine --- */

static void consider(struct model *model, const struct unit *unit, struct machine *machine,
                     const struct refusal refusal, struct place *best)
{
    best->eligible += refusal.kind == REFUSAL_NONE || refusal.kind == REFUSAL_ROOM ||
                      refusal.kind == REFUSAL_KEPT;
    if (refusal.kind != REFUSAL_NONE)
        return;
    const struct merit merit = place_merit(model, unit, machine);
    if (best->machine) {
        const struct merit before = place_merit(model, unit, best->machine);
        if (merit_compare(&merit, &before) >= 0)
            return;
    }
    best->machine = machine;
    best->load = machine_load(machine);
}

struct place place_find_slowly(struct model *model, const struct unit *unit)
{
    struct place best = { 0 };
    for (size_t i = 0; i < model->machine_count; i++) {
        struct machine *m = model->machines_by_id[i];
        consider(model, unit, m, match(model, unit, m, MATCH_ARRIVE), &best);
    }
    return best;
}

/* --- sets to avoid --- */

/* A union of sets, which is made only if it is of more than one: else it is borrowed from there. */
struct avoidance {
    uint64_t *scratch;      /* where it is made */
    const uint64_t *set;    /* NULL: nothing is in it */
    const struct bag *last; /* that was added: the next may be the same */
    const struct bag *only; /* all that is in it; NULL: nothing, or more */
    size_t words;
};

static void avoidance_make(struct avoidance *avoidance)
{
    avoidance->only = NULL;
    if (avoidance->set == avoidance->scratch)
        return;
    if (avoidance->set)
        memcpy(avoidance->scratch, avoidance->set, avoidance->words * sizeof(*avoidance->set));
    else
        memset(avoidance->scratch, 0, avoidance->words * sizeof(*avoidance->set));
    avoidance->set = avoidance->scratch;
}

static void avoidance_add(struct avoidance *avoidance, const struct bag *bag)
{
    if (bag->size == 0 || bag == avoidance->last)
        return;
    const bool is_first = !avoidance->set;
    avoidance->last = bag;
    if (is_first && bag->bits) {
        avoidance->set = bag->bits;
    } else {
        avoidance_make(avoidance);
        bag_unite(bag, avoidance->scratch, avoidance->words);
    }
    avoidance->only = is_first ? bag : NULL;
}

static void avoidance_add_matching(struct avoidance *avoidance, const struct pattern *pattern)
{
    for (size_t i = 0; i < pattern->family_count; i++)
        avoidance_add(avoidance, bag_sum(&pattern->families[i]->here));
    avoidance_add(avoidance, &pattern->matching);
}

/* Machines that one which replaces the unit is about to come to. */
static void add_cleared(struct model *model, const struct unit *unit, struct avoidance *ret)
{
    const struct machine *m = NULL;
    avoidance_make(ret);
    DL_FOREACH2(model->kept, m, kept_next)
        if (m->is_cleared && unit_replaces(m->kept_for, unit))
            bits_set(ret->scratch, m->number);
}

static void add_crowded(struct model *model, const struct group *group, size_t max,
                        struct avoidance *ret)
{
    avoidance_make(ret);
    bag_unite_from(bag_sum(&group->family->here), (uint32_t)max, ret->scratch, ret->words,
                   model->index.zeros);
}

/* Machines with units that the unit may not be beside, or that may not be beside it, and those that
 * have enough of its template. mates: how many of its template would come along. */
static void add_avoided(struct model *model, const struct unit *unit, size_t mates,
                        struct avoidance *ret)
{
    const struct group *group = unit->group;
    struct pattern **matched = NULL;
    size_t count = index_matched(model, unit, &matched);
    for (size_t i = 0; i < group->conflict_count; i++)
        avoidance_add_matching(ret, group->conflicts[i]);
    for (size_t i = 0; i < count; i++) {
        avoidance_add(ret, bag_sum(&matched[i]->conflicting));
        avoidance_add(ret, bag_sum(&matched[i]->replacing));
    }
    for (size_t i = 0; i < group->shut_count; i++)
        avoidance_add(ret, bag_sum(&group->shut[i]->taken));
    if (group->max_per_machine > mates)
        add_crowded(model, group, group->max_per_machine - mates, ret);
    avoidance_add(ret, &model->index.strange);
    if (model->cleared_count > 0)
        add_cleared(model, unit, ret);
}

enum { TIERS_MAX = 4 };

/* What to avoid if possible, the strictest first; each but the last may be found empty. */
struct tiers {
    const uint64_t *sets[TIERS_MAX];
    size_t count;
};

static void add_tier(struct tiers *tiers, const struct avoidance *avoidance)
{
    if (tiers->count == 0 || tiers->sets[tiers->count - 1] != avoidance->set)
        tiers->sets[tiers->count++] = avoidance->set;
}

/* The same and what has units of this template. */
static struct avoidance with_mates(const struct avoidance *avoidance, const struct group *group,
                                   uint64_t *scratch)
{
    struct avoidance mates = *avoidance;
    mates.scratch = scratch;
    avoidance_add(&mates, bag_sum(&group->family->here));
    return mates;
}

static void gather_tiers(struct model *model, const struct group *group,
                         const struct avoidance *avoided, struct tiers *ret)
{
    struct index *index = &model->index;
    struct avoidance shunned = *avoided; /* and where it would drive somebody away */
    shunned.scratch = index->shun;
    for (size_t i = 0; i < group->replace_count; i++)
        avoidance_add_matching(&shunned, group->replaces[i]);
    const struct avoidance mates = with_mates(&shunned, group, index->mates);
    ret->count = 0;
    if (!bag_has_all(bag_sum(&group->family->here), model->machine_count))
        add_tier(ret, &mates);
    add_tier(ret, &shunned);
    if (shunned.set != avoided->set) { /* driving away is worse than having mates */
        const struct avoidance others = with_mates(avoided, group, index->mates2);
        add_tier(ret, &others);
    }
    add_tier(ret, avoided);
}

/* --- asking the index --- */

static bool asks_nothing(const struct machine_class *class)
{
    return class->key[0] == '\0';
}

static size_t count_open(struct index *index, struct machine_class *class)
{
    if (asks_nothing(class))
        return index->open_count;
    if (class->counted_at != index->changes) {
        class->open_count = bits_count(class->bits, index->open, NULL, index->words);
        class->counted_at = index->changes;
    }
    return class->open_count;
}

static size_t count_anew(struct index *index, const struct machine_class *class,
                         const uint64_t *avoided)
{
    return bits_count(index->open, asks_nothing(class) ? NULL : class->bits, avoided, index->words);
}

/* Of what the last count is not too old for: it is brought up to date. */
static bool is_counted(const struct index *index, struct eligible *eligible, const struct bag *bag)
{
    if (eligible->avoided != bag || eligible->changes != index->changes)
        return false;
    if (eligible->bag_changes + 1 == bag->changes && eligible->has_chosen &&
        bag_has(bag, eligible->chosen)) {
        eligible->has_chosen = false;
        eligible->bag_changes++;
        eligible->count--;
    }
    return eligible->bag_changes == bag->changes;
}

static size_t count_eligible(struct index *index, struct group *group,
                             const struct avoidance *avoided)
{
    const struct bag *bag = avoided->only;
    if (!avoided->set)
        return count_open(index, group->class);
    if (bag != bag_sum(&group->family->here))
        return count_anew(index, group->class, avoided->set);
    if (!is_counted(index, &group->eligible, bag))
        group->eligible =
            (struct eligible){ .avoided = bag,
                               .changes = index->changes,
                               .bag_changes = bag->changes,
                               .count = count_anew(index, group->class, avoided->set) };
    return group->eligible.count;
}

/* What is looked for. Sets may be NULL. */
struct search {
    struct model *model;
    const struct unit *unit;
    const struct group *group;
    const struct party *party; /* NULL: the unit alone */
    const uint64_t *wanted, *preferred;
};

static uint64_t allowed(const struct search *search, const uint64_t *avoided, size_t i)
{
    uint64_t word = ~UINT64_C(0);
    if (search->wanted)
        word &= search->wanted[i];
    if (search->preferred)
        word &= search->preferred[i];
    if (avoided)
        word &= ~avoided[i];
    return word;
}

static bool has_room(const struct search *search, const struct machine *machine)
{
    if (search->party)
        return !search->party->asks_room ||
               (match_amounts(search->party->asked, machine) == RESOURCES &&
                !party_is_kept_from(search->party, machine));
    return !search->group->asks_room || (match_room(search->group, machine) == RESOURCES &&
                                         !machine_is_kept_from(machine, search->unit));
}

static struct machine *machine_of(const struct search *search, uint64_t word, size_t i)
{
    return search->model->index.by_number[i * BITS_PER_WORD + bits_first(word)];
}

/* The next of the word are a good guess of who is asked next, by others that ask the same. */
static void foresee_next(const struct search *search, uint64_t word, size_t i)
{
    enum { AHEAD = 2 };
    for (size_t n = 0; n < AHEAD && word; n++, word &= word - 1)
        index_fetch(machine_of(search, word, i), offsetof(struct machine, id));
}

static struct machine *first_with_room(const struct search *search, uint64_t word, size_t i)
{
    for (; word; word &= word - 1) {
        struct machine *machine = machine_of(search, word, i);
        if (has_room(search, machine)) {
            foresee_next(search, word & (word - 1), i);
            return machine;
        }
    }
    return NULL;
}

static struct machine *first_of(const struct search *search, struct level *level,
                                const uint64_t *avoided)
{
    for (size_t i = level_first_word(level); i < search->model->index.words; i++) {
        uint64_t word = level->bits[i];
        struct machine *machine =
            word ? first_with_room(search, word & allowed(search, avoided, i), i) : NULL;
        if (machine)
            return machine;
    }
    return NULL;
}

static struct machine *first_in(const struct search *search, const struct domain *domain,
                                const struct level *level, const uint64_t *avoided)
{
    for (size_t i = 0; i < domain->words; i++) {
        size_t at = domain->first + i;
        uint64_t word = level->bits[at] & domain->bits[i];
        struct machine *machine =
            word ? first_with_room(search, word & allowed(search, avoided, at), at) : NULL;
        if (machine)
            return machine;
    }
    return NULL;
}

static struct machine *find_least_loaded(const struct search *search, const uint64_t *avoided)
{
    const struct index *index = &search->model->index;
    struct machine *machine = NULL;
    for (size_t i = index->lowest; i < index->top && !machine; i++)
        if (index->levels[i].count > 0)
            machine = first_of(search, &index->levels[i], avoided);
    return machine;
}

/* The first by number, of the domains that have so many of its template. Those of the key that
 * numbers machines follow each other. */
static struct machine *first_in_domains(const struct search *search, struct level *level,
                                        const uint32_t *counts, uint32_t count,
                                        const uint64_t *avoided)
{
    const struct spread *spread = search->group->tally->spread;
    size_t first = level_first_word(level); /* domains before it have none */
    bool in_order = spread == search->model->index.primary;
    struct machine *best = NULL;
    for (size_t i = 0; i < spread->domain_count && !(best && in_order); i++) {
        const struct domain *domain = &spread->domains[i];
        if (counts[i] != count || domain->first + domain->words <= first ||
            (best && domain->first > best->number / BITS_PER_WORD))
            continue;
        struct machine *machine = first_in(search, domain, level, avoided);
        if (machine && (!best || machine->number < best->number))
            best = machine;
    }
    return best;
}

/* Level by level: most often the first domain in the lowest has one, and the others are not
 * asked. */
static struct machine *find_in_domains(const struct search *search, const uint32_t *counts,
                                       uint32_t count, const uint64_t *avoided)
{
    const struct index *index = &search->model->index;
    struct machine *machine = NULL;
    for (size_t i = index->lowest; i < index->top && !machine; i++)
        if (index->levels[i].count > 0)
            machine = first_in_domains(search, &index->levels[i], counts, count, avoided);
    return machine;
}

/* How many others of its template each domain has; borrowed until the next call. */
static const uint32_t *count_others(struct index *index, const struct unit *unit)
{
    const struct tally *tally = unit->group->tally;
    const struct placement *p = NULL;
    if (!unit->placements)
        return tally->counts;
    memcpy(index->others, tally->counts, tally->spread->domain_count * sizeof(*index->others));
    LL_FOREACH2(unit->placements, p, unit_next)
        if (placement_occupies(p))
            index->others[tally->spread->domain_of[p->key.machine->number]]--;
    return index->others;
}

/* The smallest count of any domain that is not below minimum; UINT32_MAX: there is none. Without a
 * branch, since who has it cannot be foreseen. */
static uint32_t next_count(const uint32_t *counts, size_t domain_count, uint32_t minimum)
{
    uint32_t next = UINT32_MAX;
    for (size_t i = 0; i < domain_count; i++) {
        uint32_t count = counts[i] >= minimum ? counts[i] : UINT32_MAX;
        next = count < next ? count : next;
    }
    return next;
}

/* The domains with the fewest of its template first. */
static struct machine *find_spread(const struct search *search, const struct unit *unit,
                                   const struct tiers *tiers)
{
    size_t domain_count = unit->group->tally->spread->domain_count;
    const uint32_t *counts = count_others(&search->model->index, unit);
    struct machine *machine = NULL;
    uint32_t count = next_count(counts, domain_count, 0);
    while (!machine && count < UINT32_MAX) {
        for (size_t i = 0; i < tiers->count && !machine; i++)
            machine = find_in_domains(search, counts, count, tiers->sets[i]);
        count = machine ? count : next_count(counts, domain_count, count + 1);
    }
    return machine;
}

static struct machine *find_among(const struct search *search, const struct unit *unit,
                                  const struct tiers *tiers)
{
    struct machine *machine = NULL;
    if (unit->group->tally)
        return find_spread(search, unit, tiers);
    for (size_t i = 0; i < tiers->count && !machine; i++)
        machine = find_least_loaded(search, tiers->sets[i]);
    return machine;
}

static struct machine *find_best(struct search *search, const struct avoidance *avoided)
{
    const struct group *group = search->group;
    struct machine *machine = NULL;
    struct tiers tiers;
    gather_tiers(search->model, group, avoided, &tiers);
    if (group->preferred) {
        search->preferred = group->preferred->bits;
        machine = find_among(search, search->unit, &tiers);
        search->preferred = NULL;
    }
    return machine ? machine : find_among(search, search->unit, &tiers);
}

static unsigned int wishes_of(const struct group *group, const struct machine *machine,
                              bool asks_room)
{
    const struct bag *here = bag_sum(&group->family->here);
    unsigned int wishes = 0;
    if (group->preferred && bits_test(group->preferred->bits, machine->number))
        wishes |= PLACE_PREFERRED;
    if (group->tally)
        wishes |= PLACE_SPREAD;
    if (group->family->is_template && here->size > 0 && !bag_has(here, machine->number))
        wishes |= PLACE_APART;
    if (asks_room)
        wishes |= PLACE_ROOM;
    return wishes;
}

/* Whether one of the group finds no place does not depend on its name. */
static bool shares_hope(const struct index *index)
{
    return index->name_count == 0 && index->glob_count == 0;
}

static struct machine *find_alone(struct model *model, const struct unit *unit,
                                  const struct avoidance *avoided)
{
    const struct machine_class *class = unit->group->class;
    struct search search = { .model = model,
                             .unit = unit,
                             .group = unit->group,
                             .wanted = asks_nothing(class) ? NULL : class->bits };
    return find_best(&search, avoided);
}

/* What no other of its group may have. */
static bool has_kept(const struct unit *unit)
{
    return unit->trouble && unit->trouble->kept;
}

struct place place_find(struct model *model, const struct unit *unit)
{
    struct index *index = &model->index;
    struct group *group = unit->group;
    struct place place = { 0 };
    if (place_is_plain(model, group))
        return place_find_plain(model, group);
    if (group->hopeless_at == index->easings && shares_hope(index) && !has_kept(unit)) {
        place.lacks_room = group->lacks_room;
        return place;
    }
    struct avoidance avoided = { .scratch = index->avoid, .words = index->words };
    add_avoided(model, unit, 0, &avoided);
    place.eligible = count_eligible(index, group, &avoided);
    if (place.eligible > 0)
        place.machine = find_alone(model, unit, &avoided);
    if (place.machine) {
        place.load = machine_load(place.machine);
        place.wishes = wishes_of(group, place.machine, group->asks_room);
        group->eligible.chosen = place.machine->number;
        group->eligible.has_chosen = true;
    } else {
        group->hopeless_at = index->easings;
        group->lacks_room = place.eligible > 0;
        place.lacks_room = group->lacks_room;
    }
    return place;
}

struct place place_find_anew(struct model *model, struct placement *p)
{
    struct party_lift lift;
    party_lift_one(model, p, &lift);
    const struct place place = place_find(model, p->key.unit);
    party_set_down(model, &lift);
    return place;
}

/* --- all of a party --- */

static void keep_beside(struct index *index, const struct unit *peer)
{
    const struct placement *p = NULL;
    memset(index->beside, 0, index->words * sizeof(*index->beside));
    LL_FOREACH2(peer->placements, p, unit_next)
        if (placement_holds(p))
            bits_set(index->beside, p->key.machine->number);
    for (size_t i = 0; i < index->words; i++)
        index->wanted[i] &= index->beside[i];
}

/* Machines that may run all of it, if they have room and nobody stands in the way. */
static const uint64_t *gather_wanted(struct index *index, const struct party *party)
{
    memset(index->wanted, 0xff, index->words * sizeof(*index->wanted));
    for (size_t i = 0; i < party->count; i++) {
        const struct unit *unit = party->members[i];
        for (size_t w = 0; !asks_nothing(unit->group->class) && w < index->words; w++)
            index->wanted[w] &= unit->group->class->bits[w];
        for (size_t f = 0; f < unit_follow_count(unit); f++)
            if (!party_has(party, unit->follows->links[f].peer))
                keep_beside(index, unit->follows->links[f].peer);
    }
    return index->wanted;
}

struct place place_find_party_but(struct model *model, const struct party *party,
                                  struct machine *const *but, size_t count)
{
    struct index *index = &model->index;
    const struct unit *first = party->members[0];
    const struct unit *clash[2] = { NULL };
    struct place place = { 0 };
    if (party_clash(party, &clash[0], &clash[1]))
        return place;
    struct search search = { .model = model,
                             .unit = first,
                             .group = first->group,
                             .party = party,
                             .wanted = gather_wanted(index, party) };
    struct avoidance avoided = { .scratch = index->avoid, .words = index->words };
    for (size_t i = 0; i < party->count; i++)
        add_avoided(model, party->members[i], party_mates(party, party->members[i]), &avoided);
    avoidance_make(&avoided);
    for (size_t i = 0; i < count; i++)
        bits_set(avoided.scratch, but[i]->number);
    place.eligible = bits_count(index->open, search.wanted, avoided.set, index->words);
    if (place.eligible > 0)
        place.machine = find_best(&search, &avoided);
    if (place.machine) {
        place.load = machine_load(place.machine);
        place.wishes = wishes_of(first->group, place.machine, party->asks_room);
    }
    place.lacks_room = !place.machine && place.eligible > 0;
    return place;
}

struct place place_find_party(struct model *model, const struct party *party)
{
    return place_find_party_but(model, party, NULL, 0);
}

struct place place_find_party_slowly(struct model *model, const struct party *party)
{
    struct place best = { 0 };
    const struct unit *unit = NULL;
    if (party_clash(party, &unit, &unit))
        return best;
    for (size_t i = 0; i < model->machine_count; i++) {
        struct machine *m = model->machines_by_id[i];
        consider(model, party->members[0], m, match_party(model, party, m, MATCH_ARRIVE, &unit),
                 &best);
    }
    return best;
}

/* --- words --- */

/* Each is asked of those that fulfil the ones before it. */
static void wish_words(unsigned int wishes, struct text *words)
{
    static const char *const wish_texts[] = { "is preferred", "has the fewest in its domain",
                                              "has none of its template", "has room" };
    const char *between = "";
    for (size_t i = 0; i < sizeof(wish_texts) / sizeof(wish_texts[0]); i++) {
        if (!(wishes >> i & 1))
            continue;
        text_add(words, between);
        text_add(words, wish_texts[i]);
        between = ", and of those ";
    }
}

static void eligible_words(size_t eligible, unsigned int wishes, struct text *words)
{
    if (eligible == 1) {
        text_add(words, "the only eligible machine");
        return;
    }
    text_add(words, wishes ? "of " : "least loaded of ");
    text_add_number(words, eligible);
    text_add(words, " eligible machines");
    if (wishes) {
        text_add(words, " the least loaded that ");
        wish_words(wishes, words);
    }
}

/* A leader says so of each unit that it places, so nothing is formatted that need not be. */
void place_words(size_t eligible, size_t load, unsigned int wishes, struct text *words)
{
    eligible_words(eligible, wishes, words);
    text_add(words, " (");
    text_add_number(words, load);
    text_add(words, load == 1 ? " unit)" : " units)");
}
