/* SPDX-License-Identifier: Apache-2.0 */
/* The frame of a step: which machines are gone, what must be looked at. In which order: turns.c. */
#include "scheduler/plan.h"

#include <string.h>

#include "base/memory.h"
#include "scheduler/preempt.h"
#include "scheduler/refusals.h"
#include "scheduler/reserve.h"
#include "scheduler/sleepers.h"
#include "scheduler/step.h"
#include "scheduler/turns.h"

enum { REASON_USUAL = 120 };

static const char *const kind_names[] = {
    [ACTION_ASSIGN] = "assign",
    [ACTION_MOVE] = "move",
    [ACTION_DROP] = "drop",
    [ACTION_VERDICT] = "verdict",
    [ACTION_SLOT] = "slot",
    [ACTION_CLEAR_VERDICT] = "clear-verdict",
    [ACTION_CLEAR_SLOT] = "clear-slot",
    [ACTION_DRAIN] = "drain",
    [ACTION_CLEAR_BRAKE] = "clear-brake",
    [ACTION_CORDON] = "cordon",
    [ACTION_UPDATE] = "update",
    [ACTION_ROLLOUT] = "rollout",
};

const char *action_kind_name(enum action_kind kind)
{
    return kind >= ACTION_ASSIGN && kind <= ACTION_ROLLOUT ? kind_names[kind] : NULL;
}

/* --- actions --- */

_Static_assert(sizeof(struct action) <= 64, "a large plan pays for each line of an action");

static const struct action_more nothing_more = {
    .unit_mod = -1,
    .assignment_mod = -1,
    .state_mod = -1,
    .from_assignment_mod = -1,
    .from_state_mod = -1,
    .from_registration = -1,
    .successor_state_mod = -1,
    .successor_registration = -1,
    .slot_mod = -1,
    .verdict_mod = -1,
    .op_mod = -1,
};

const struct action_more *action_more(const struct action *action)
{
    return action->more ? action->more : &nothing_more;
}

const char *action_subject(const struct action *action)
{
    const struct action_more *more = action_more(action);
    if (action->unit)
        return action->unit;
    if (more->role)
        return more->role;
    return more->rollout ? more->rollout : "";
}

static void more_free(struct action_more *more)
{
    if (!more)
        return;
    free(more->words);
    free(more->tried);
    free(more->record);
    if (more->drain)
        record_drain_done(more->drain);
    free(more->drain);
    free(more);
}

void plan_free(struct plan *plan)
{
    for (size_t i = 0; plan && i < plan->count; i++)
        more_free(plan->actions[i].more);
    if (plan)
        free(plan->actions);
    free(plan);
}

void action_add_reason(const struct action *action, struct text *to)
{
    const char *words = action_more(action)->words;
    if (words)
        text_add(to, words);
    if (action->eligible > 0)
        place_words(action->eligible, action->load, action->wishes, to);
}

char *action_reason(const struct action *action)
{
    autotext text = { 0 };
    (void)text_reserve(&text, REASON_USUAL);
    action_add_reason(action, &text);
    return text_take(&text);
}

/* sure: so many of these are written, as far as can be told. */
static bool plan_reserve(struct plan *plan, size_t room, size_t sure)
{
    if (room <= plan->room)
        return true;
    struct action *grown = memory_reserve(room * sizeof(*grown), sure * sizeof(*grown));
    if (!grown)
        return false;
    if (plan->count > 0)
        memcpy(grown, plan->actions, plan->count * sizeof(*grown));
    free(plan->actions);
    plan->actions = grown;
    plan->room = room;
    plan->provided = 0;
    return true;
}

/* So many at a time; of few it is not worth the asking. */
static void plan_provide(struct plan *plan)
{
    enum { FEW = 256, AT_ONCE = 4096 };
    size_t left = plan->room - plan->count;
    if (plan->count < plan->provided || left < FEW)
        return;
    size_t count = left < AT_ONCE ? left : AT_ONCE;
    memory_provide(&plan->actions[plan->count], count * sizeof(*plan->actions));
    plan->provided = plan->count + count;
}

static struct action *plan_grow(struct plan *plan)
{
    if (plan->count == plan->room && !plan_reserve(plan, 2 * plan->room + 1, plan->count + 1))
        return NULL;
    plan_provide(plan);
    return &plan->actions[plan->count];
}

static struct action *add_action(struct step *step)
{
    struct action *action = plan_grow(step->plan);
    if (!action) {
        step->failed = true;
        return NULL;
    }
    step->plan->count++;
    return action;
}

static struct action_more *more_new(void)
{
    struct action_more *more = malloc(sizeof(*more));
    if (more)
        *more = nothing_more;
    return more;
}

struct action *step_action(struct step *step, enum action_kind kind, const struct unit *unit,
                           const struct machine *machine, char *reason)
{
    struct action_more *more = reason ? more_new() : NULL;
    struct action *action = more ? add_action(step) : NULL;
    if (!action) {
        free(reason);
        free(more);
        step->failed = true;
        return NULL;
    }
    more->words = reason;
    *action = (struct action){
        .kind = kind,
        .unit = unit ? unit->name : NULL,
        .machine = machine ? machine->id : NULL,
        .registration = -1,
        .more = more,
    };
    return action;
}

struct action *step_action_placed(struct step *step, const struct unit *unit,
                                  const struct place *place)
{
    struct action *action = add_action(step);
    if (!action)
        return NULL;
    *action = (struct action){
        .kind = ACTION_ASSIGN,
        .want = unit_want(unit),
        .failover = unit->group->failover,
        .wishes = (uint8_t)place->wishes,
        .eligible = (uint32_t)place->eligible,
        .load = (uint32_t)place->load,
        .unit = unit->name,
        .machine = place->machine->id,
        .blob = unit->blob,
        .unit_revision = unit->mod,
        .registration = place->machine->registration,
    };
    return action;
}

/* --- what the step has decided --- */

static bool touch(struct step *step, struct placement *placement)
{
    index_stir(step->model, placement->key.machine);
    if (placement->touched)
        return true;
    struct placement **touched =
        memory_grow_pointers(step->touched, step->touched_count, &step->touched_room);
    if (!touched) {
        step->failed = true;
        return false;
    }
    step->touched = touched;
    placement->touched = true;
    step->touched[step->touched_count++] = placement;
    return true;
}

static void note_placed(struct step *step, const struct unit *unit)
{
    if (!unit->group->asks_room || (step->any_placed && step->lowest_placed <= unit_priority(unit)))
        return;
    step->any_placed = true;
    step->lowest_placed = unit_priority(unit);
}

void step_plan_arrival(struct step *step, struct placement *placement)
{
    bool is_new = !placement_occupies(placement);
    if (!placement->is_newcomer && !touch(step, placement))
        return;
    placement->planned = true;
    placement->leaving = false;
    if (!is_new)
        return;
    if (placement->is_newcomer)
        arrivals_note(&step->arrivals, placement->key.unit->group);
    placement->key.machine->planned++;
    index_occupy(step->model, placement);
    note_placed(step, placement->key.unit);
}

void step_plan_leaving(struct step *step, struct placement *placement)
{
    if (touch(step, placement))
        placement->leaving = true;
}

void step_plan_change(struct step *step, struct unit *unit)
{
    struct placement *p = NULL;
    LL_FOREACH2(unit->placements, p, unit_next)
        (void)touch(step, p);
}

struct placement *step_placement(struct step *step, struct machine *machine, struct unit *unit)
{
    struct placement *p = unit->placements ? model_placement(step->model, machine, unit) : NULL;
    if (!p)
        p = arrivals_add(&step->arrivals, step->model, machine, unit);
    if (!p)
        step->failed = true;
    return p;
}

void step_settle(struct step *step, struct unit *unit)
{
    if (unit->settled)
        return;
    struct unit **settled =
        memory_grow_pointers(step->settled, step->settled_count, &step->settled_room);
    if (!settled) {
        step->failed = true;
        return;
    }
    step->settled = settled;
    unit->settled = true;
    step->settled[step->settled_count++] = unit;
}

static void forget_holder(struct step *step, struct machine *machine)
{
    if (machine)
        index_reclass(step->model, machine, true);
}

static void forget_slot_plans(struct step *step, struct role *role)
{
    struct slot *slot = NULL;
    struct slot *next = NULL;
    DL_FOREACH_SAFE(role->slots, slot, next) {
        if (!slot->has_plan)
            continue;
        struct machine *planned = slot->planned;
        struct machine *known = slot->machine;
        slot->has_plan = false;
        slot->planned = NULL;
        if (slot->mod == 0) {
            DL_DELETE(role->slots, slot);
            free(slot);
        }
        forget_holder(step, known);
        forget_holder(step, planned);
    }
}

static void forget_placement(struct step *step, struct placement *p)
{
    bool was_new = p->planned && p->assignment_mod == 0;
    p->planned = false;
    p->leaving = false;
    p->touched = false;
    index_stir(step->model, p->key.machine);
    if (!was_new)
        return;
    p->key.machine->planned--;
    index_vacate(step->model, p);
}

/* Nothing is remembered but the model: what was decided is known once the store says so. */
static void forget_plans(struct step *step)
{
    for (size_t i = 0; i < step->touched_count; i++)
        forget_placement(step, step->touched[i]);
    if (step->touched_count > 0) /* who has had a turn may yield in the next */
        index_ease(step->model);
    free(step->touched);
    for (size_t i = 0; i < step->settled_count; i++)
        step->settled[i]->settled = false;
    free(step->settled);
    arrivals_forget(&step->arrivals, step->model);
    for (struct role *r = step->model->roles; r; r = r->hh.next)
        forget_slot_plans(step, r);
}

/* --- time --- */

void step_wake_at(struct step *step, int64_t at_ms)
{
    if (step->plan->wake_ms < 0 || at_ms < step->plan->wake_ms)
        step->plan->wake_ms = at_ms;
}

bool step_is_past(struct step *step, int64_t at_ms)
{
    if (step->clock->now_ms >= at_ms)
        return true;
    step_wake_at(step, at_ms);
    return false;
}

bool step_has_lasted(struct step *step, struct unit *unit, int64_t *since_ms, int64_t for_ms)
{
    if (*since_ms == 0)
        *since_ms = step->clock->now_ms;
    if (step_is_past(step, *since_ms + for_ms))
        return true;
    unit->revisit = true;
    return false;
}

struct trouble *step_trouble(struct step *step, struct unit *unit)
{
    struct trouble *trouble = model_trouble_get(unit);
    step->failed = step->failed || !trouble;
    return trouble;
}

bool step_has_waited(struct step *step, struct unit *unit, int64_t for_ms)
{
    return step_has_lasted(step, unit, &unit->trouble->asked_since_ms, for_ms);
}

/* Held machines are looked at in each step, until the brake lets them go or they are back. */
static enum machine_status lost_or_held(struct step *step, struct machine *machine)
{
    if (machine->let_go || !step_brake_concerns(machine))
        return MACHINE_LOST;
    machine->revisit = true;
    model_mark_machine(step->model, machine);
    return MACHINE_HELD;
}

/* Of a machine whose record is gone nobody knows the TTL. */
static int64_t harmless_ms(const struct machine *machine)
{
    int64_t ttl_ms = machine->member.ttl_ms;
    return ttl_ms > 0 ? contact_harmless_ms(ttl_ms) : CONTACT_OUTAGE_MS;
}

/*
 * Absent for long enough, by somebody who could have seen it return: when the store was silent for
 * so long that the machine's lease may have ended in it, we may be looking at the end of an outage,
 * after which every machine is about to come back.
 */
enum machine_status step_machine_status(struct step *step, struct machine *machine)
{
    const struct plan_clock *clock = step->clock;
    if (machine->registration > 0)
        return MACHINE_PRESENT;
    if (machine->absent_since_ms < 0)
        machine->absent_since_ms = clock->now_ms;
    int64_t lost_at_ms = machine->absent_since_ms + PLAN_DEBOUNCE_MS;
    int64_t since_ms = contact_since(clock->contact, harmless_ms(machine), clock->now_ms);
    if (since_ms >= 0) {
        int64_t trusted_at_ms = since_ms + machine->member.ttl_ms + PLAN_CONTACT_MARGIN_MS;
        if (trusted_at_ms > lost_at_ms)
            lost_at_ms = trusted_at_ms;
        if (clock->now_ms >= lost_at_ms)
            return lost_or_held(step, machine);
        step_wake_at(step, lost_at_ms);
    }
    machine->revisit = true;
    model_mark_machine(step->model, machine);
    return MACHINE_ABSENT;
}

/* --- which units --- */

/* Most newcomers get a place, and until that is known they are pending. */
static bool expect_newcomers(struct model *model, size_t count)
{
    if (count == 0)
        return true;
    struct unit **pending = memory_expect_pointers(model->pending_units, model->pending_count,
                                                   count, &model->pending_room);
    if (pending)
        model->pending_units = pending;
    return pending != NULL;
}

static void spread_marks(struct step *step)
{
    struct model *model = step->model;
    struct machine *m = NULL;
    DL_FOREACH2(model->marked_machines, m, mark_next) {
        model_mark_units_of(model, m);
        model->retry = true;
        model->roles_marked = true;
    }
    step->retries = model->retry;
    if (model->retry)
        model_mark_pending(model);
}

/* What becomes of one concerns all that MachineOf= ties it to, but over those that are not wanted
 * or run everywhere: their followers have been marked with them. */
static bool passes_marks_on(const struct unit *unit)
{
    return unit_is_wanted(unit) && unit_rules(unit) && !unit_is_global(unit);
}

static void mark_ties(struct model *model)
{
    for (size_t i = 0; model->tie_count > 0 && i < model->marked_unit_count; i++) { /* it grows */
        const struct unit *unit = model->marked_units[i];
        if (!unit_is_tied(unit) || !passes_marks_on(unit))
            continue;
        model_mark_peers(model, unit);
        model_mark_followers(model, unit);
    }
}

/* What is read of it, or written. */
static void fetch_bag(const struct bag *bag, size_t words)
{
    if (!bag->bits)
        index_fetch(bag->list, bag->size * sizeof(*bag->list));
    else if (bag->list)
        index_fetch(&bag->list[bag->size], 1);
    index_fetch(bag->bits, words * sizeof(*bag->bits));
}

/* Of machines that do for whoever asks nothing those of one word come next. */
static void fetch_plain_bag(const struct index *index, const struct bag *bag)
{
    index_fetch(&bag->list[bag->size], 1);
    if (bag->bits && index->lowest < index->top)
        index_fetch(&bag->bits[index->levels[index->lowest].first], 1);
}

/* What the group points at, and the rest of it, if that is looked at. */
static void fetch_parts(const struct index *index, const struct group *group)
{
    index_fetch(group->family, CACHE_LINE);
    if (group->is_plain) {
        fetch_plain_bag(index, &group->here);
        return;
    }
    index_fetch(&group->replaces, offsetof(struct group, asleep) - GROUP_PLAIN_SIZE);
    index_fetch(group->conflicts, 1);
    index_fetch(group->tally, 1);
    fetch_bag(&group->here, index->words);
}

/* And what that points at. */
static void fetch_far_parts(const struct group *group)
{
    index_fetch(group->family->patterns, 1);
    for (size_t i = 0; i < group->conflict_count; i++)
        index_fetch(group->conflicts[i], offsetof(struct pattern, hash));
    if (group->tally)
        index_fetch(group->tally->counts,
                    group->tally->spread->domain_count * sizeof(*group->tally->counts));
}

enum { UNIT_AHEAD = 16, GROUP_AHEAD = 12, PARTS_AHEAD = 8, FAR_PARTS_AHEAD = 4 };

/* What later turns will read is fetched while this one is thought about: of many units each is far
 * from the one before in memory, and so is what it points at. There are more turns than UNIT_AHEAD
 * to come. */
static void foresee(const struct index *index, struct unit *const *turns)
{
    const struct group *near = turns[PARTS_AHEAD]->group;
    const struct group *next = turns[FAR_PARTS_AHEAD]->group;
    index_fetch(turns[UNIT_AHEAD], offsetof(struct unit, own.blob));
    index_fetch(turns[GROUP_AHEAD]->group, GROUP_PLAIN_SIZE);
    if (near)
        fetch_parts(index, near);
    if (next && !next->is_plain)
        fetch_far_parts(next);
}

/* --- those that sleep --- */

/* Whoever was marked last, from there on, has a turn among those that are still to come. Returns
 * how many turns there are. */
static size_t line_up(struct model *model, size_t next, size_t count, size_t from)
{
    struct unit **units = model->marked_units;
    struct unit **called = model->revisited_units; /* nobody is yet */
    size_t more = model->marked_unit_count - from;
    size_t at = count + more;
    /* NOLINTBEGIN(bugprone-sizeof-expression): pointers are what is moved */
    memcpy(called, &units[from], more * sizeof(*called));
    memmove(&units[at], &units[count], (from - count) * sizeof(*units));
    /* NOLINTEND(bugprone-sizeof-expression) */
    turns_sort(model, called, more);
    for (size_t left = count; more > 0;) {
        bool is_later = left > next && turns_compare(model, units[left - 1], called[more - 1]) > 0;
        units[--at] = is_later ? units[--left] : called[--more];
    }
    return count + model->marked_unit_count - from;
}

/* Who has had its turn looks again in the next step that is one for that. now: whose turn it is;
 * NULL: nobody has had one. */
static void wake_for_later_turns(struct model *model, const struct unit *now)
{
    size_t first = model->pending_count;
    sleepers_wake_all(model);
    for (size_t i = first; i < model->pending_count; i++)
        if (!now || turns_compare(model, model->pending_units[i], now) > 0)
            model_mark_unit(model, model->pending_units[i]);
}

/* What they found before holds no more, since this turn: each looks for itself. */
static bool have_news(const struct step *step)
{
    return sleepers_are_stale(step->model) || step->model->index.easings != step->easings;
}

/* Before the first turn. Returns how many there are. */
static size_t call_first(struct step *step, size_t count)
{
    struct model *model = step->model;
    if (!step->retries || model->sleep.count == 0)
        return count;
    if (sleepers_are_stale(model))
        wake_for_later_turns(model, NULL);
    else
        sleepers_call_first(model);
    return line_up(model, 0, count, count);
}

/* The unit has had its turn, and the next one is that. Returns how many there are. */
static size_t call_more(struct step *step, struct unit *unit, size_t next, size_t count)
{
    struct model *model = step->model;
    size_t from = model->marked_unit_count;
    bool has_luck = unit->speaks && !unit->is_asleep;
    unit->speaks = false;
    if (have_news(step))
        wake_for_later_turns(model, unit);
    else if (has_luck)
        sleepers_call_more(model, unit->group);
    step->easings = model->index.easings;
    return model->marked_unit_count > from ? line_up(model, next, count, from) : count;
}

/* --- the frame --- */

/* What is marked meanwhile has none: who wants a turn in the next step says so (revisit). */
static int take_turns(struct step *step, struct error *err)
{
    struct model *model = step->model;
    size_t count = model->marked_unit_count;
    struct turns turns;
    turns_order(step, &turns);
    if (!expect_newcomers(model, turns.newcomers) ||
        !plan_reserve(step->plan, step->plan->count + count, step->plan->count + turns.newcomers))
        return error_oom(err);
    step->easings = model->index.easings;
    count = call_first(step, count);
    for (size_t i = 0; i < count && !step->failed; i++) {
        struct unit *unit = model->marked_units[i];
        if (i + UNIT_AHEAD < count)
            foresee(&model->index, &model->marked_units[i]);
        step_unit(step, unit);
        if (step->retries && (unit->speaks || model->sleep.count > 0))
            count = call_more(step, unit, i + 1, count);
    }
    model->effort.turns = count;
    return 0;
}

/* All that must be is decided; what may be has one budget. */
static void step_moves(struct step *step)
{
    step_rollouts(step);
    step_drains(step);
    if (!step->failed)
        step_rebalance(step);
}

static int decide(struct step *step, struct error *err)
{
    int r = index_refresh(step->model, err);
    if (r < 0)
        return r;
    rebalance_settle(step->model);
    refusals_begin(step->model);
    step_brake(step);
    step_kept(step);
    spread_marks(step);
    if (step->model->roles_marked) {
        step_roles(step);
        spread_marks(step);
    }
    step->model->retry_late = false; /* in time so far */
    step_mark_short(step);
    mark_ties(step->model);
    r = take_turns(step, err);
    if (r < 0)
        return r;
    if (!step->failed)
        step_moves(step);
    step_wake_short(step);
    if (step->model->retry_late)
        step_wake_at(step, step->clock->now_ms);
    return step->failed ? error_oom(err) : 0;
}

int plan_step(struct model *model, const struct plan_clock *clock, struct plan **ret,
              struct error *err)
{
    autoptr(plan) plan = calloc(1, sizeof(*plan));
    if (!plan)
        return error_oom(err);
    plan->wake_ms = -1;
    struct step step = { .model = model, .clock = clock, .plan = plan };
    model->effort = (struct effort){ 0 };
    int r = decide(&step, err);
    forget_plans(&step);
    if (r < 0) { /* the marks stay: nothing was decided */
        model_forget_newcomers(model);
        model_look_anew(model);
        return r;
    }
    model_sweep(model);
    model->has_decided = true;
    *ret = take_ptr(plan);
    return 0;
}
