/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/rebalance.h"

#include <string.h>

#include "scheduler/bits.h"
#include "scheduler/budget.h"
#include "scheduler/failing.h"
#include "scheduler/place.h"
#include "scheduler/step.h"
#include "scheduler/succession.h"

/* --- whose load has changed --- */

void rebalance_note(struct model *model, struct machine *machine)
{
    struct rebalance *rebalance = &model->rebalance;
    if (rebalance->mode != REBALANCE_AUTO || rebalance->muted || machine->uneven)
        return;
    machine->uneven = true;
    DL_APPEND2(rebalance->uneven, machine, uneven_prev, uneven_next);
}

/* NULL: it is gone. */
static void forget_attempts_on(struct rebalance *rebalance, const struct machine *machine)
{
    for (size_t i = 0; i < rebalance->attempt_count; i++) {
        struct rebalance_attempt *attempt = &rebalance->attempts[i];
        attempt->from = attempt->from == machine ? NULL : attempt->from;
        attempt->to = attempt->to == machine ? NULL : attempt->to;
    }
}

static void forget_uneven(struct model *model, struct machine *machine)
{
    if (!machine->uneven)
        return;
    machine->uneven = false;
    DL_DELETE2(model->rebalance.uneven, machine, uneven_prev, uneven_next);
}

void rebalance_forget(struct model *model, struct machine *machine)
{
    forget_attempts_on(&model->rebalance, machine);
    forget_uneven(model, machine);
}

static void forget_all(struct model *model)
{
    while (model->rebalance.uneven)
        forget_uneven(model, model->rebalance.uneven);
}

void rebalance_set_mode(struct model *model, enum rebalance_mode mode)
{
    struct machine *m = NULL;
    struct machine *next = NULL;
    if (mode == model->rebalance.mode)
        return;
    model->rebalance.mode = mode;
    if (mode != REBALANCE_AUTO)
        forget_all(model);
    HASH_ITER(hh, model->machines, m, next)
        rebalance_note(model, m);
}

void rebalance_done(struct model *model)
{
    free(model->rebalance.moved);
    free(model->rebalance.attempts);
}

/* --- a look at one machine --- */

struct look {
    struct model *model;
    struct step *step; /* NULL: nobody rests, what should be and not what may be now */
    int64_t later_ms;  /* when one that rests may be moved; 0: none does */
    size_t asked;
};

struct offer {
    struct placement *placement; /* NULL: none */
    struct machine *to;
    size_t before, after;
};

static bool rests_until(struct look *look, int64_t due_ms)
{
    if (!look->step || look->step->clock->now_ms >= due_ms)
        return false;
    if (look->later_ms == 0 || due_ms < look->later_ms)
        look->later_ms = due_ms;
    return true;
}

static bool machine_rests(struct look *look, const struct machine *machine)
{
    return machine->rebalanced_ms > 0 &&
           rests_until(look, machine->rebalanced_ms + REBALANCE_MACHINE_MS);
}

static int64_t rest_ms(unsigned int vain)
{
    int64_t ms = REBALANCE_UNIT_MS;
    for (unsigned int i = 0; i < vain && ms < REBALANCE_UNIT_MAX_MS; i++)
        ms *= 2;
    return ms < REBALANCE_UNIT_MAX_MS ? ms : REBALANCE_UNIT_MAX_MS;
}

static struct rebalanced *find_moved(const struct rebalance *rebalance, const struct unit *unit)
{
    for (size_t i = 0; i < rebalance->moved_count; i++)
        if (rebalance->moved[i].unit == unit)
            return &rebalance->moved[i];
    return NULL;
}

/* What went wrong with it before it was changed says nothing any more. */
static unsigned int vain_of(const struct rebalanced *moved, const struct unit *unit)
{
    return moved->mod == unit->mod ? moved->vain : 0;
}

static bool unit_rests(struct look *look, const struct unit *unit)
{
    const struct rebalanced *moved = find_moved(&look->model->rebalance, unit);
    return moved &&
           (!look->step || rests_until(look, moved->at_ms + rest_ms(vain_of(moved, unit))));
}

static bool budget_bears(struct step *step, const struct placement *p)
{
    return succession_applies(p) ? budget_allows_beside(step_budget(step), NULL)
                                 : budget_allows(step_budget(step), p->key.unit, NULL);
}

static bool may_begin(struct look *look, const struct placement *p)
{
    if (!look->step || budget_bears(look->step, p))
        return true;
    look->model->rebalance.not_before_ms = look->step->clock->now_ms + REBALANCE_RETRY_MS;
    (void)rests_until(look, look->model->rebalance.not_before_ms);
    return false;
}

/* Nothing ties it to where it is, and it is up. */
static bool may_go(const struct placement *p)
{
    const struct unit *unit = p->key.unit;
    const struct requirements *rules = unit_rules(unit);
    struct succession succession;
    if (p->assignment_mod == 0 || p->touched || !placement_holds(p) || !unit_is_wanted(unit) ||
        unit->pending || !rules)
        return false;
    bool is_tied = rules->global || rules->machine_id || rules->ends ||
                   rules->failover != FAILOVER_AT_LEAST_ONCE || unit->follows || unit->followers;
    return !is_tied && unit_is_up(unit) && !unit_is_failing(unit) && !unit_moves_in_vain(unit) &&
           !unit_find_succession(unit, &succession);
}

static bool is_gain(size_t before, size_t after)
{
    return before >= after + REBALANCE_GAIN_LEVELS &&
           (before - after) * 100 >= before * REBALANCE_GAIN_PERCENT;
}

/* Who gains more; of those alike the less important, then the younger. */
static bool is_better(const struct offer *offer, const struct offer *best)
{
    if (!best->placement)
        return true;
    if (offer->after != best->after)
        return offer->after < best->after;
    if (unit_priority(offer->placement->key.unit) != unit_priority(best->placement->key.unit))
        return unit_priority(offer->placement->key.unit) < unit_priority(best->placement->key.unit);
    const struct unit *unit = offer->placement->key.unit;
    const struct unit *other = best->placement->key.unit;
    return unit->create != other->create ? unit->create > other->create
                                         : strcmp(unit->name, other->name) < 0;
}

/* Where it would go now, if that is worth a move. */
static bool make_offer(struct look *look, struct placement *p, struct offer *ret)
{
    const struct requirements *rules = unit_rules(p->key.unit);
    struct machine *from = p->key.machine;
    size_t before = index_level(from);
    look->asked++;
    if (index_level_with(from, rules, -1) >= before)
        return false;
    struct machine *to = place_find_anew(look->model, p).machine;
    if (!to || to == from)
        return false;
    *ret = (struct offer){ p, to, before, index_level_with(to, rules, 1) };
    return is_gain(before, ret->after) && !machine_rests(look, to) &&
           !unit_rests(look, p->key.unit) && may_begin(look, p);
}

/* toward NULL: wherever they would go; else only those that it would take. */
static void look_at_units(struct look *look, const struct machine *from,
                          const struct machine *toward, struct offer *best)
{
    struct placement *p = NULL;
    DL_FOREACH2(from->placements, p, machine_next) {
        struct offer offer;
        if (look->asked >= REBALANCE_LOOKS || !may_go(p))
            continue;
        if (toward && match(look->model, p->key.unit, toward, MATCH_ARRIVE).kind != REFUSAL_NONE)
            continue;
        if (make_offer(look, p, &offer) && is_better(&offer, best))
            *best = offer;
    }
}

static void look_at_level(struct look *look, const struct level *level,
                          const struct machine *toward, struct offer *best)
{
    const struct index *index = &look->model->index;
    for (size_t i = level->first; i < index->words && !best->placement; i++)
        for (uint64_t word = level->bits[i]; word && !best->placement; word &= word - 1) {
            const struct machine *m = index->by_number[i * BITS_PER_WORD + bits_first(word)];
            if (m != toward && !machine_rests(look, m))
                look_at_units(look, m, toward, best);
        }
}

/* The fullest first. */
static void look_at_fuller(struct look *look, const struct machine *machine, struct offer *best)
{
    const struct index *index = &look->model->index;
    size_t least = index_level(machine) + REBALANCE_GAIN_LEVELS;
    for (size_t i = index->top; i-- > least && !best->placement;)
        if (index->levels[i].count > 0)
            look_at_level(look, &index->levels[i], machine, best);
}

/* What it should give, else what it should get. */
static struct offer look_at(struct look *look, struct machine *machine)
{
    struct offer best = { 0 };
    look->asked = 0;
    if (!machine_is_open(machine) || machine_rests(look, machine))
        return best;
    look_at_units(look, machine, NULL, &best);
    if (!best.placement)
        look_at_fuller(look, machine, &best);
    return best;
}

static bool may_gain(const struct index *index)
{
    return index->top > index->lowest + REBALANCE_GAIN_LEVELS;
}

static char *offer_words(const struct offer *offer)
{
    autotext words = { 0 };
    text_addf(&words, "rebalance: load %zu/512 here, %zu/512 on ", offer->before, offer->after);
    machine_words(offer->to, &words);
    return text_take(&words);
}

/* --- moving --- */

/* Whoever may move again, and then in vain again, has rested once and some. */
static void forget_rested(struct rebalance *rebalance, int64_t now_ms)
{
    size_t kept = 0;
    for (size_t i = 0; i < rebalance->moved_count; i++) {
        const struct rebalanced *moved = &rebalance->moved[i];
        if (now_ms - moved->at_ms < rest_ms(moved->vain) * (moved->vain > 0 ? 2 : 1))
            rebalance->moved[kept++] = *moved;
    }
    rebalance->moved_count = kept;
}

/* With room for one more of that size than count: itself, or grown. NULL: memory ran out. */
static void *with_room(void *array, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return array;
    size_t more = 2 * *room + 16;
    void *grown = reallocarray(array, more, size);
    if (grown)
        *room = more;
    return grown;
}

static void renew(struct rebalanced *moved, const struct unit *unit, int64_t now_ms)
{
    moved->vain = vain_of(moved, unit);
    moved->mod = unit->mod;
    moved->at_ms = now_ms;
}

static bool remember(struct rebalance *rebalance, const struct unit *unit, int64_t now_ms)
{
    forget_rested(rebalance, now_ms);
    struct rebalanced *before = find_moved(rebalance, unit);
    if (before) {
        renew(before, unit, now_ms);
        return true;
    }
    struct rebalanced *moved =
        with_room(rebalance->moved, rebalance->moved_count, &rebalance->moved_room, sizeof(*moved));
    if (!moved)
        return false;
    rebalance->moved = moved;
    moved[rebalance->moved_count++] =
        (struct rebalanced){ .unit = unit, .mod = unit->mod, .at_ms = now_ms };
    return true;
}

bool rebalance_note_vain(struct model *model, const struct unit *unit, int64_t now_ms)
{
    if (!remember(&model->rebalance, unit, now_ms))
        return false;
    find_moved(&model->rebalance, unit)->vain++;
    return true;
}

void rebalance_note_success(struct model *model, const struct unit *unit)
{
    struct rebalanced *moved = find_moved(&model->rebalance, unit);
    if (moved)
        moved->vain = 0;
}

/* As the successor's machine has it. */
static char *successor_words(const struct offer *offer)
{
    autotext words = { 0 };
    text_addf(&words, "rebalance: load %zu/512 here, %zu/512 on ", offer->after, offer->before);
    machine_words(offer->placement->key.machine, &words);
    text_add(&words, "; starts here before it stops there");
    return text_take(&words);
}

/* --- what the store has refused --- */

static bool note_attempt(struct rebalance *rebalance, const struct offer *offer)
{
    const struct placement *p = offer->placement;
    const struct rebalanced *moved = find_moved(rebalance, p->key.unit);
    struct rebalance_attempt *attempts = with_room(rebalance->attempts, rebalance->attempt_count,
                                                   &rebalance->attempt_room, sizeof(*attempts));
    if (!attempts)
        return false;
    rebalance->attempts = attempts;
    attempts[rebalance->attempt_count++] = (struct rebalance_attempt){
        .unit = p->key.unit,
        .from = p->key.machine,
        .to = offer->to,
        .succeeds = succession_applies(p),
        .was_noted = moved != NULL,
        .noted = moved ? *moved : (struct rebalanced){ 0 },
        .from_ms = p->key.machine->rebalanced_ms,
        .to_ms = offer->to->rebalanced_ms,
    };
    return true;
}

/* The store has its first write. */
static bool has_begun(const struct rebalance_attempt *attempt)
{
    const struct machine *machine = attempt->succeeds ? attempt->to : attempt->from;
    const struct placement *p = NULL;
    if (machine)
        DL_FOREACH2(machine->placements, p, machine_next)
            if (p->key.unit == attempt->unit)
                return p->assignment_mod > 0 && p->cause == MOVE_CAUSE_REBALANCE;
    return false;
}

static void take_back(struct rebalance *rebalance, const struct rebalance_attempt *attempt)
{
    struct rebalanced *moved = find_moved(rebalance, attempt->unit);
    if (attempt->from)
        attempt->from->rebalanced_ms = attempt->from_ms;
    if (attempt->to)
        attempt->to->rebalanced_ms = attempt->to_ms;
    if (moved)
        *moved = attempt->was_noted ? attempt->noted : rebalance->moved[--rebalance->moved_count];
}

void rebalance_settle(struct model *model)
{
    struct rebalance *rebalance = &model->rebalance;
    for (size_t i = 0; i < rebalance->attempt_count; i++)
        if (!has_begun(&rebalance->attempts[i]))
            take_back(rebalance, &rebalance->attempts[i]);
    rebalance->attempt_count = 0;
}

/* --- beginning --- */

static void begin_move(struct step *step, const struct offer *offer)
{
    int64_t now_ms = step->clock->now_ms;
    if (!note_attempt(&step->model->rebalance, offer)) {
        step->failed = true;
        return;
    }
    if (succession_applies(offer->placement))
        step_succeed_on(step, offer->placement, offer->to, MOVE_CAUSE_REBALANCE,
                        successor_words(offer));
    else
        step_release(step, offer->placement, MOVE_CAUSE_REBALANCE, offer_words(offer));
    offer->placement->key.machine->rebalanced_ms = now_ms;
    offer->to->rebalanced_ms = now_ms;
    if (!remember(&step->model->rebalance, offer->placement->key.unit, now_ms))
        step->failed = true;
    step_wake_at(step, now_ms + REBALANCE_MACHINE_MS);
}

/* False: it is looked at again when its load changes. */
static bool stays_uneven(struct look *look, struct machine *machine)
{
    look->later_ms = 0;
    const struct offer offer = look_at(look, machine);
    if (offer.placement)
        begin_move(look->step, &offer);
    else if (look->later_ms > 0)
        step_wake_at(look->step, look->later_ms);
    return offer.placement || look->later_ms > 0;
}

static int compare_uneven(const struct machine *a, const struct machine *b)
{
    size_t left = index_level(a);
    size_t right = index_level(b);
    if (left != right)
        return left > right ? -1 : 1;
    return strcmp(a->id, b->id);
}

/* Machines are waited for, or their units held: it is no time to make more of it. */
static bool is_unsettled(const struct model *model)
{
    const struct machine *m = NULL;
    DL_FOREACH2(model->marked_machines, m, mark_next)
        if (m->revisit)
            return true;
    return false;
}

static bool is_too_early(struct step *step)
{
    struct rebalance *rebalance = &step->model->rebalance;
    if (!rebalance->begun) {
        rebalance->begun = true;
        rebalance->not_before_ms = step->clock->now_ms + REBALANCE_MACHINE_MS;
    }
    return step->clock->now_ms < rebalance->not_before_ms;
}

void step_rebalance(struct step *step)
{
    struct model *model = step->model;
    struct rebalance *rebalance = &model->rebalance;
    bool too_early = is_too_early(step);
    if (rebalance->mode != REBALANCE_AUTO || !rebalance->uneven)
        return;
    if (!may_gain(&model->index)) {
        forget_all(model);
        return;
    }
    if (too_early)
        step_wake_at(step, rebalance->not_before_ms);
    if (too_early || is_unsettled(model))
        return;
    struct look look = { .model = model, .step = step };
    struct machine *m = NULL;
    struct machine *next = NULL;
    DL_SORT2(rebalance->uneven, compare_uneven, uneven_prev, uneven_next);
    rebalance->muted = true;
    for (m = rebalance->uneven; m && !step->failed; m = next) {
        next = m->uneven_next;
        if (!stays_uneven(&look, m))
            forget_uneven(model, m);
    }
    rebalance->muted = false;
}

/* --- advice --- */

static struct offer best_of_all(struct look *look)
{
    struct offer best = { 0 };
    const struct index *index = &look->model->index;
    look->asked = 0;
    for (size_t i = index->top; i-- > 0 && !best.placement;)
        if (index->levels[i].count > 0)
            look_at_level(look, &index->levels[i], NULL, &best);
    return best;
}

/* As if it were done. */
static int suppose(struct model *model, const struct offer *offer, struct error *err)
{
    const struct placement *p = offer->placement;
    const struct record_assignment record = { .blob = (char *)p->blob,
                                              .want = p->want,
                                              .unit_revision = p->unit_revision,
                                              .failover = p->failover };
    const char *unit = p->key.unit->name;
    int64_t mod = p->assignment_mod;
    if (!remember(&model->rebalance, p->key.unit, 0))
        return error_oom(err);
    model_drop_assignment(model, p->key.machine->id, unit);
    return model_put_assignment(model, offer->to->id, unit, mod, &record, err);
}

static bool note_advice(const struct offer *offer, struct model_advice *advice)
{
    advice->unit = offer->placement->key.unit->name;
    memcpy(advice->from, offer->placement->key.machine->id, sizeof(advice->from));
    memcpy(advice->to, offer->to->id, sizeof(advice->to));
    advice->reason = offer_words(offer);
    return advice->reason != NULL;
}

void model_advices_free(struct model_advice *advices, size_t count)
{
    for (size_t i = 0; advices && i < count; i++)
        free(advices[i].reason);
    free(advices);
}

int model_advise(struct model *model, size_t max, struct model_advice **ret, size_t *ret_count,
                 struct error *err)
{
    struct look look = { .model = model };
    struct model_advice *advices = calloc(max + 1, sizeof(*advices));
    size_t count = 0;
    int r = advices ? index_refresh(model, err) : error_oom(err);
    while (r == 0 && count < max) {
        const struct offer offer = best_of_all(&look);
        if (!offer.placement)
            break;
        r = note_advice(&offer, &advices[count++]) ? suppose(model, &offer, err) : error_oom(err);
    }
    if (r < 0) {
        model_advices_free(advices, count);
        return r;
    }
    *ret = advices;
    *ret_count = count;
    return 0;
}
