/* SPDX-License-Identifier: Apache-2.0 */
/* What a change touches, and what is forgotten when no key speaks of it any more. */
#include <assert.h>

#include "base/memory.h"
#include "scheduler/askers.h"
#include "scheduler/budget.h"
#include "scheduler/model_data.h"
#include "scheduler/rollout_list.h"
#include "scheduler/sleepers.h"

/* --- marks --- */

void model_mark_machine(struct model *model, struct machine *machine)
{
    index_stir(model, machine);
    machine->drain_rests = false;
    if (machine->marked)
        return;
    machine->marked = true;
    DL_APPEND2(model->marked_machines, machine, mark_prev, mark_next);
}

void model_mark_unit(struct model *model, struct unit *unit)
{
    if (unit->is_asleep)
        sleepers_wake(model, unit);
    if (unit->marked)
        return;
    unit->marked = true;
    assert(model->marked_unit_count < model->marked_unit_room);
    model->marked_units[model->marked_unit_count++] = unit;
}

void model_mark_units_of(struct model *model, const struct machine *machine)
{
    struct placement *p = NULL;
    DL_FOREACH2(machine->placements, p, machine_next)
        model_mark_unit(model, p->key.unit);
}

void model_mark_followers(struct model *model, const struct unit *unit)
{
    struct follow *f = NULL;
    DL_FOREACH(unit->followers, f)
        model_mark_unit(model, f->follower);
}

void model_mark_peers(struct model *model, const struct unit *unit)
{
    for (size_t i = 0; i < unit_follow_count(unit); i++)
        if (unit->follows->links[i].peer != unit)
            model_mark_unit(model, unit->follows->links[i].peer);
}

/* Once none of them waits nobody of the group asks machines. */
static void leave_waiting(struct model *model, struct group *group)
{
    if (group && --group->pending == 0)
        asker_forget(model, group);
}

void model_change_group(struct model *model, struct unit *unit, struct group *group)
{
    struct group *before = unit->group;
    if (unit->is_asleep)
        sleepers_wake(model, unit);
    unit->group = group;
    if (unit->pending) {
        leave_waiting(model, before);
        if (group)
            group->pending++;
    }
    index_group_put(model, before);
}

void model_leave_pending_units(struct model *model, const struct unit *unit)
{
    struct unit *last = model->pending_units[--model->pending_count];
    model->pending_units[unit->pending_at] = last;
    last->pending_at = unit->pending_at;
}

void model_join_pending_units(struct model *model, struct unit *unit)
{
    unit->pending_at = (uint32_t)model->pending_count;
    model->pending_units[model->pending_count++] = unit;
}

static void stop_pending(struct model *model, struct unit *unit)
{
    if (unit->is_asleep)
        sleepers_wake(model, unit);
    leave_waiting(model, unit->group);
    model_leave_pending_units(model, unit);
    unit->pending = false;
}

static bool reserve_pending(struct model *model)
{
    size_t count = model->pending_count + model->sleep.count;
    if (count < model->pending_room)
        return true;
    struct unit **units = memory_grow_pointers(model->pending_units, count, &model->pending_room);
    if (!units)
        return false;
    model->pending_units = units;
    return true;
}

bool model_set_pending(struct model *model, struct unit *unit, bool pending)
{
    if (unit->pending == pending)
        return true;
    if (!pending) {
        stop_pending(model, unit);
        return true;
    }
    if (!reserve_pending(model))
        return false;
    unit->pending = true;
    if (unit->group)
        unit->group->pending++;
    model_join_pending_units(model, unit);
    return true;
}

void model_mark_pending(struct model *model)
{
    for (size_t i = 0; i < model->pending_count; i++)
        model_mark_unit(model, model->pending_units[i]);
}

void model_touch_all(struct model *model)
{
    struct machine *m = NULL;
    struct machine *next = NULL;
    HASH_ITER(hh, model->machines, m, next)
        model_mark_machine(model, m);
    for (size_t i = 0; i < model->units.room; i++)
        if (model->units.slots[i])
            model_mark_unit(model, model->units.slots[i]);
    model->retry = true;
    model->roles_marked = true;
}

void model_look_anew(struct model *model)
{
    index_ease(model);
    budget_count_anew(model);
    askers_forget(model);
    sleepers_wake_all(model);
    model->told.is_stale = true;
    for (struct rollout *r = model->rollouts; r; r = r->hh.next)
        rollout_list_drop(r);
}

/* --- sweeping --- */

static void forget_newcomers_of(struct unit *unit)
{
    struct placement **link = &unit->placements;
    unit->has_newcomer = false;
    while (*link) {
        struct placement *p = *link;
        if (p->is_newcomer) {
            *link = p->unit_next;
            model_placement_give_back(p);
        } else {
            link = &p->unit_next;
        }
    }
}

void model_forget_newcomers(struct model *model)
{
    for (size_t i = 0; i < model->marked_unit_count; i++)
        if (model->marked_units[i]->has_newcomer)
            forget_newcomers_of(model->marked_units[i]);
}

/* What runs everywhere is marked by whatever eases, and has a copy on each machine. */
static void sweep_placements_of(struct model *model, struct unit *unit)
{
    struct placement *next = NULL;
    if (!unit->has_idle_copy)
        return;
    unit->has_idle_copy = false;
    for (struct placement *p = unit->placements; p; p = next) {
        next = p->unit_next;
        model->effort.walked++;
        if (p->assignment_mod == 0 && p->state_mod == 0)
            model_free_placement(model, p);
    }
    const struct placement *before = unit->placements;
    model_placement_move_in(unit);
    if (unit->placements != before)
        rollout_note_copies(model, unit);
}

static void sweep_unit(struct model *model, struct unit *u)
{
    sweep_placements_of(model, u);
    if (u->exists || u->placements)
        return;
    /* Deleted and gone from everywhere: it repels and follows nobody any more. */
    model_change_group(model, u, NULL);
    model_mark_peers(model, u);
    model_unfollow(model, u);
    if (u->followers || unit_verdict_mod(u) > 0)
        return;
    (void)model_set_pending(model, u, false);
    model_free_unit(model, u);
}

/* Sweeping one marks its peers, which are then swept as well. */
static void sweep_units(struct model *model)
{
    size_t again = 0;
    while (model->marked_unit_count > 0) {
        enum { AHEAD = 16 };
        if (model->marked_unit_count > AHEAD)
            index_fetch(model->marked_units[model->marked_unit_count - AHEAD],
                        offsetof(struct unit, own.blob));
        struct unit *u = model->marked_units[--model->marked_unit_count];
        u->marked = false;
        if (u->has_newcomer)
            forget_newcomers_of(u);
        if (u->revisit && u->exists)
            model->revisited_units[again++] = u;
        else
            sweep_unit(model, u);
    }
    for (size_t i = 0; i < again; i++) {
        model->revisited_units[i]->revisit = false;
        model_mark_unit(model, model->revisited_units[i]);
    }
}

static bool machine_holds_a_slot(const struct model *model, const struct machine *machine)
{
    for (const struct role *r = model->roles; r; r = r->hh.next) {
        const struct slot *slot = NULL;
        DL_FOREACH(r->slots, slot)
            if (slot->machine == machine)
                return true;
    }
    return false;
}

static void sweep_machine(struct model *model, struct machine *m)
{
    if (m->is_member || m->registration || m->cordoned || m->drain_mod || m->placements ||
        machine_holds_a_slot(model, m))
        return;
    model_free_machine(model, m);
}

static void sweep_machines(struct model *model)
{
    struct machine *again = NULL;
    while (model->marked_machines) {
        struct machine *m = model->marked_machines;
        DL_DELETE2(model->marked_machines, m, mark_prev, mark_next);
        m->marked = false;
        if (m->revisit)
            DL_APPEND2(again, m, mark_prev, mark_next);
        else
            sweep_machine(model, m);
    }
    struct machine *m = NULL;
    DL_FOREACH2(again, m, mark_next) {
        m->marked = true;
        m->revisit = false;
    }
    model->marked_machines = again;
}

void model_sweep(struct model *model)
{
    struct role *r = NULL;
    struct role *r_next = NULL;
    sweep_units(model);
    sweep_machines(model);
    HASH_ITER(hh, model->roles, r, r_next)
        if (!r->defined && !r->slots)
            model_free_role(model, r);
    shared_sweep(&model->blobs);
    model->retry = model->retry_late;
    model->retry_late = false;
    model->roles_marked = model->roles_revisit;
    model->roles_revisit = false;
}
