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

static bool reserve_note(struct group *group)
{
    enum { ROOM_MIN = 16 };
    if (group->arrived_count < group->arrived_room)
        return true;
    uint32_t room = group->arrived_room > 0 ? 2 * group->arrived_room : ROOM_MIN;
    uint32_t *grown = reallocarray(group->arrived, room, sizeof(*grown));
    if (!grown)
        return false;
    group->arrived = grown;
    group->arrived_room = room;
    return true;
}

bool arrivals_note(struct arrivals *arrivals, const struct placement *p)
{
    struct group *group = p->key.unit->group;
    if (!reserve_note(group))
        return false;
    if (group->arrived_count == 0) {
        group->arrived_next = arrivals->groups;
        arrivals->groups = group;
    }
    group->arrived[group->arrived_count++] = p->key.machine->number;
    return true;
}

/* --- as if nothing had been decided --- */

static void forget_names(const struct arrivals *arrivals, struct model *model)
{
    for (const struct machine *m = arrivals->machines; m; m = m->arrived_next)
        for (const struct placement *p = m->arrivals; p; p = p->machine_next)
            if (p->planned)
                index_vacate_unit(model, p);
}

/* Of one group after the other, since it costs more to come to a group than to change it. The last
 * first, which is what bags forget most easily. */
static void forget_group(struct model *model, struct group *group)
{
    while (group->arrived_count > 0) {
        struct machine *machine = model->index.by_number[group->arrived[--group->arrived_count]];
        machine->planned--;
        index_vacate_group(model, group, machine);
    }
    free(take_ptr(group->arrived));
    group->arrived_room = 0;
}

void arrivals_forget(struct arrivals *arrivals, struct model *model)
{
    if (index_goes_by_units(&model->index))
        forget_names(arrivals, model);
    for (; arrivals->groups; arrivals->groups = arrivals->groups->arrived_next)
        forget_group(model, arrivals->groups);
    while (arrivals->machines) {
        struct machine *machine = arrivals->machines;
        arrivals->machines = machine->arrived_next;
        machine->arrivals = NULL;
        index_settle(model, machine);
    }
}
