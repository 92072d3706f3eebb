/* SPDX-License-Identifier: Apache-2.0 */
/* Making and freeing what the model is made of. */
#include <string.h>

#include "scheduler/askers.h"
#include "scheduler/failures.h"
#include "scheduler/model_data.h"
#include "scheduler/rollout_list.h"

/* --- units --- */

static uint64_t unit_hash_of(const void *item)
{
    return table_hash_text(((const struct unit *)item)->name);
}

static bool unit_is(const void *item, const void *key)
{
    return strcmp(((const struct unit *)item)->name, key) == 0;
}

static const struct table_kind unit_kind = { unit_hash_of, unit_is };

struct unit *model_unit(const struct model *model, const char *name)
{
    return table_find(&model->units, &unit_kind, table_hash_text(name), name);
}

/* Room to mark one more than there are, so that no mark fails. */
static bool reserve_mark(struct model *model)
{
    if (model->units.count < model->marked_unit_room)
        return true;
    size_t room = model->marked_unit_room ? model->marked_unit_room * 2 : 64;
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): pointers are what is kept */
    struct unit **grown = reallocarray(model->marked_units, room, sizeof(*grown));
    if (!grown)
        return false;
    model->marked_units = grown;
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): the same */
    grown = reallocarray(model->revisited_units, room, sizeof(*grown));
    if (!grown)
        return false;
    model->revisited_units = grown;
    model->marked_unit_room = room;
    return true;
}

struct unit *model_unit_get(struct model *model, const char *name, struct error *err)
{
    struct unit *u = model_unit(model, name);
    if (u)
        return u;
    u = calloc(1, offsetof(struct unit, name) + strlen(name) + 1);
    if (u)
        memcpy(u->name, name, strlen(name));
    if (!u || !reserve_mark(model) || !table_add(&model->units, &unit_kind, u)) {
        free(u);
        (void)error_oom(err);
        return NULL;
    }
    return u;
}

void model_unfollow(struct model *model, struct unit *unit)
{
    model->tie_count -= unit_follow_count(unit);
    for (size_t i = 0; i < unit_follow_count(unit); i++)
        DL_DELETE(unit->follows->links[i].peer->followers, &unit->follows->links[i]);
    free(unit->follows);
    unit->follows = NULL;
}

static void trouble_free(struct trouble *trouble)
{
    if (!trouble)
        return;
    free(trouble->problem);
    free(trouble->verdict_reason);
    free(trouble->tried);
    free(trouble);
}

static void unit_done(struct model *model, struct unit *u)
{
    asker_forget(model, u);
    if (u->trouble && u->trouble->kept)
        model_let_go(model, u->trouble->kept);
    model_forget_short(model, u);
    model_unfollow(model, u);
    index_group_put(model, u->group);
    shared_put(&model->blobs, u->blob);
    trouble_free(u->trouble);
    free(u);
}

void model_free_unit(struct model *model, struct unit *unit)
{
    table_remove(&model->units, &unit_kind, unit);
    unit_done(model, unit);
}

struct trouble *model_trouble_get(struct unit *unit)
{
    if (!unit->trouble)
        unit->trouble = calloc(1, sizeof(*unit->trouble));
    if (unit->trouble)
        unit->trouble->unit = unit;
    return unit->trouble;
}

void model_trouble_trim(struct unit *unit)
{
    if (!unit->trouble || unit->trouble->problem || unit->trouble->failures > 0 ||
        unit->trouble->verdict_mod > 0 || unit->trouble->restart_revision > 0 ||
        unit->trouble->kept || unit->trouble->short_since_ms > 0 ||
        unit->trouble->waits_since_ms > 0 || unit->trouble->succeeds_since_ms > 0 ||
        unit->trouble->lingers_since_ms > 0)
        return;
    trouble_free(unit->trouble);
    unit->trouble = NULL;
}

/* --- machines --- */

struct machine *model_machine(const struct model *model, const char *id)
{
    struct machine *m = NULL;
    HASH_FIND_STR(model->machines, id, m);
    return m;
}

struct machine *model_machine_get(struct model *model, const char *id, struct error *err)
{
    struct machine *m = model_machine(model, id);
    if (m)
        return m;
    m = pool_take(&model->machine_pool);
    if (!m) {
        (void)error_oom(err);
        return NULL;
    }
    memcpy(m->id, id, strnlen(id, sizeof(m->id) - 1));
    m->absent_since_ms = -1;
    m->drain_stuck_since_ms = -1;
    HASH_ADD_STR(model->machines, id, m);
    model->machines_stale = true;
    index_renumber(model);
    return m;
}

static void machine_done(struct model *model, struct machine *m)
{
    record_member_done(&m->member);
    free(m->priorities);
    free(m->not_ready_reason);
    record_drain_done(&m->drain);
    pool_give_back(&model->machine_pool, m);
}

void model_free_machine(struct model *model, struct machine *machine)
{
    rebalance_forget(model, machine);
    if (machine->kept_for)
        model_let_go(model, machine);
    HASH_DEL(model->machines, machine);
    model->machines_stale = true;
    if (machine->member.ttl_ms == model->shortest_ttl_ms)
        model->shortest_ttl_stale = true;
    index_renumber(model);
    machine_done(model, machine);
}

int machine_compare(const void *a, const void *b)
{
    const struct machine *const *left = a;
    const struct machine *const *right = b;
    return strcmp((*left)->id, (*right)->id);
}

int model_sort_machines(struct model *model, struct error *err)
{
    if (!model->machines_stale)
        return 0;
    size_t count = 0;
    struct machine *m = NULL;
    struct machine *next = NULL;
    size_t room = HASH_COUNT(model->machines) + 1;
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): pointers are what is sorted */
    struct machine **sorted = calloc(room, sizeof(struct machine *));
    if (!sorted)
        return error_oom(err);
    HASH_ITER(hh, model->machines, m, next)
        sorted[count++] = m;
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): the same */
    qsort(sorted, count, sizeof(*sorted), machine_compare);
    free(model->machines_by_id);
    model->machines_by_id = sorted;
    model->machine_count = count;
    model->machines_stale = false;
    return 0;
}

/* --- pairs --- */

/* A global unit is on many machines, a machine has many units: both are walked side by side, until
 * one of them ends. */
struct placement *model_placement(const struct model *model, const struct machine *machine,
                                  const struct unit *unit)
{
    struct placement *of_unit = unit->placements;
    struct placement *const *const lists[] = { &machine->placements, &machine->arrivals };
    (void)model;
    for (size_t i = 0; of_unit && i < sizeof(lists) / sizeof(lists[0]); i++)
        for (struct placement *p = *lists[i]; p && of_unit; p = p->machine_next) {
            if (of_unit->key.machine == machine)
                return of_unit;
            if (p->key.unit == unit)
                return p;
            of_unit = of_unit->unit_next;
        }
    return NULL;
}

/* --- their memory --- */

void model_placement_give_back(struct placement *p)
{
    struct unit *unit = p->key.unit;
    if (p == &unit->own)
        p->key.machine = NULL;
    else
        free(p);
}

void model_placement_move_in(struct unit *unit)
{
    struct placement *p = unit->placements;
    if (unit->own.key.machine || !p || p->unit_next)
        return;
    unit->own = *p;
    DL_REPLACE_ELEM2(p->key.machine->placements, p, &unit->own, machine_prev, machine_next);
    unit->placements = &unit->own;
    free(p);
}

struct placement *model_placement_get(struct model *model, struct machine *machine,
                                      struct unit *unit)
{
    struct placement *p = model_placement(model, machine, unit);
    if (p)
        return p;
    if (!unit->group)
        model_change_group(model, unit, index_group_get(model, unit->name, NULL));
    p = unit->group ? model_placement_take(unit) : NULL;
    if (!p)
        return NULL;
    p->key = (struct placement_key){ machine, unit };
    DL_APPEND2(machine->placements, p, machine_prev, machine_next);
    LL_PREPEND2(unit->placements, p, unit_next);
    return p;
}

void model_free_placement(struct model *model, struct placement *p)
{
    rollout_note_copies(model, p->key.unit);
    LL_DELETE2(p->key.unit->placements, p, unit_next);
    DL_DELETE2(p->key.machine->placements, p, machine_prev, machine_next);
    shared_put(&model->blobs, p->blob);
    model_placement_give_back(p);
}

/* --- roles --- */

void model_free_role(struct model *model, struct role *role)
{
    struct slot *slot = NULL;
    struct slot *next = NULL;
    DL_FOREACH_SAFE(role->slots, slot, next)
        free(slot);
    record_role_done(&role->def);
    HASH_DEL(model->roles, role);
    free(role);
}

/* --- rollouts --- */

void rollout_forget_watches(struct rollout *rollout)
{
    struct rollout_watch *watch = NULL;
    struct rollout_watch *next = NULL;
    HASH_ITER(hh, rollout->watches, watch, next) {
        HASH_DEL(rollout->watches, watch);
        free(watch);
    }
}

void model_free_rollout(struct model *model, struct rollout *rollout)
{
    HASH_DEL(model->rollouts, rollout);
    rollout_forget_watches(rollout);
    rollout_list_drop(rollout);
    record_rollout_done(&rollout->record);
    free(rollout->units);
    free(rollout);
}

/* --- all of it --- */

int model_new(struct model **ret, struct error *err)
{
    struct model *model = calloc(1, sizeof(*model));
    if (!model)
        return error_oom(err);
    model->machine_pool.size = sizeof(struct machine);
    model->index.stale = true;
    *ret = model;
    return 0;
}

static void free_placements(struct model *model, struct unit *unit)
{
    struct placement *next = NULL;
    for (struct placement *p = unit->placements; p; p = next) {
        next = p->unit_next;
        model_free_placement(model, p);
    }
}

static void free_units(struct model *model)
{
    struct table units = model->units;
    for (size_t i = 0; i < units.room; i++) {
        if (!units.slots[i])
            continue;
        free_placements(model, units.slots[i]);
        model_unfollow(model, units.slots[i]); /* before any peer goes */
    }
    for (size_t i = 0; i < units.room; i++)
        if (units.slots[i])
            unit_done(model, units.slots[i]);
    table_done(&model->units);
    free(model->marked_units);
    free(model->revisited_units);
    free(model->pending_units);
}

void model_free(struct model *model)
{
    if (!model)
        return;
    struct role *r = NULL;
    struct role *r_next = NULL;
    struct machine *m = NULL;
    struct machine *m_next = NULL;
    while (model->rollouts)
        model_free_rollout(model, model->rollouts);
    free_units(model);
    HASH_ITER(hh, model->roles, r, r_next)
        model_free_role(model, r);
    HASH_ITER(hh, model->machines, m, m_next) {
        HASH_DEL(model->machines, m);
        machine_done(model, m);
    }
    pool_done(&model->machine_pool);
    free(model->machines_by_id);
    rebalance_done(model);
    failures_done(model);
    index_done(model);
    shared_done(&model->blobs);
    free(model);
}
