/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/arrivals.h"

struct placement *arrivals_add(struct arrivals *arrivals, struct model *model,
                               struct machine *machine, struct unit *unit)
{
    struct placement *p = model_placement_take(unit);
    if (!p)
        return NULL;
    if (!machine->arrivals) {
        machine->arrived_next = arrivals->machines;
        arrivals->machines = machine;
    }
    p->key = (struct placement_key){ machine, unit };
    p->touched = true;
    p->is_newcomer = true;
    LL_PREPEND2(machine->arrivals, p, machine_next);
    LL_PREPEND2(unit->placements, p, unit_next);
    unit->has_newcomer = true;
    if (!unit->marked)
        model_mark_unit(model, unit);
    return p;
}

void arrivals_note(struct arrivals *arrivals, struct group *group)
{
    if (group->arrived_count++ > 0)
        return;
    group->arrived_at = group->here.changes;
    group->arrived_next = arrivals->groups;
    arrivals->groups = group;
}

/* --- as if nothing had been decided --- */

/* Nothing has happened to its bag but that newcomers were added, and they are still in a list. */
static bool are_last(const struct index *index, const struct group *group)
{
    return !index->stale && group->here.list &&
           group->here.changes - group->arrived_at == group->arrived_count;
}

/* Of one group after the other, since it costs more to come to a group than to change it. False:
 * of some it is not known where they are. */
static bool forget_groups(const struct arrivals *arrivals, struct model *model)
{
    bool are_forgotten = true;
    for (struct group *group = arrivals->groups; group; group = group->arrived_next) {
        if (are_last(&model->index, group)) {
            index_vacate_last(model, group, group->arrived_count);
            group->arrived_count = 0;
        }
        are_forgotten = are_forgotten && group->arrived_count == 0;
    }
    return are_forgotten;
}

static void forget_newcomer(struct model *model, const struct placement *p)
{
    struct group *group = p->key.unit->group;
    index_vacate_unit(model, p);
    if (group->arrived_count > 0) /* it has not been forgotten with its group */
        index_vacate_group(model, group, p->key.machine);
}

static void forget_one_by_one(const struct arrivals *arrivals, struct model *model)
{
    for (size_t i = model->marked_unit_count; i-- > 0;) {
        const struct unit *unit = model->marked_units[i];
        if (!unit->has_newcomer)
            continue;
        for (const struct placement *p = unit->placements; p; p = p->unit_next)
            if (p->is_newcomer && p->planned)
                forget_newcomer(model, p);
    }
    for (struct group *group = arrivals->groups; group; group = group->arrived_next)
        group->arrived_count = 0;
}

void arrivals_forget(struct arrivals *arrivals, struct model *model)
{
    if (!forget_groups(arrivals, model) || index_goes_by_units(&model->index))
        forget_one_by_one(arrivals, model);
    arrivals->groups = NULL;
    while (arrivals->machines) {
        struct machine *machine = arrivals->machines;
        arrivals->machines = machine->arrived_next;
        machine->arrivals = NULL;
        machine->planned = 0;
        index_settle(model, machine);
    }
}
