/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/arrivals.h"

#include "base/memory.h"

static bool reserve(struct arrivals *arrivals)
{
    if (arrivals->count < arrivals->room)
        return true;
    struct placement **grown =
        memory_grow_pointers(arrivals->placements, arrivals->count, &arrivals->room);
    if (!grown)
        return false;
    arrivals->placements = grown;
    return true;
}

struct placement *arrivals_add(struct arrivals *arrivals, struct machine *machine,
                               struct unit *unit)
{
    struct placement *p = reserve(arrivals) ? model_placement_take(unit) : NULL;
    if (!p)
        return NULL;
    if (!machine->arrivals) {
        machine->arrived_next = arrivals->machines;
        arrivals->machines = machine;
    }
    p->key = (struct placement_key){ machine, unit };
    p->touched = true;
    LL_PREPEND2(machine->arrivals, p, machine_next);
    LL_PREPEND2(unit->placements, p, unit_next);
    arrivals->placements[arrivals->count++] = p;
    return p;
}

static void forget_one(struct model *model, struct placement *p)
{
    LL_DELETE2(p->key.unit->placements, p, unit_next);
    if (p->planned) {
        p->key.machine->planned--;
        index_take_back(model, p);
    }
    model_placement_give_back(p);
}

/* What is read a few placements from now (plan.c does so, too). */
static void foresee(const struct arrivals *arrivals)
{
    enum { UNIT_AHEAD = 16, GROUP_AHEAD = 8, FAMILY_AHEAD = 4 };
    struct placement *const *end = &arrivals->placements[arrivals->count];
    if (arrivals->count > UNIT_AHEAD)
        index_fetch(end[-UNIT_AHEAD], sizeof(struct placement));
    if (arrivals->count > GROUP_AHEAD) {
        index_fetch(end[-GROUP_AHEAD]->key.unit->group, sizeof(struct group));
        index_fetch(end[-GROUP_AHEAD]->key.machine, offsetof(struct machine, id));
    }
    if (arrivals->count > FAMILY_AHEAD)
        index_fetch(end[-FAMILY_AHEAD]->key.unit->group->family, sizeof(struct family));
}

void arrivals_forget(struct arrivals *arrivals, struct model *model)
{
    while (arrivals->count > 0) { /* the last first, which is what bags forget most easily */
        foresee(arrivals);
        forget_one(model, arrivals->placements[--arrivals->count]);
    }
    free(arrivals->placements);
    while (arrivals->machines) {
        struct machine *machine = arrivals->machines;
        arrivals->machines = machine->arrived_next;
        machine->arrivals = NULL;
        index_settle(model, machine);
    }
}
