/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/arrivals.h"

#include "base/memory.h"

enum { ROOM_MIN = 16 };

struct arrival_chunk {
    struct arrival_chunk *next; /* the one that was full before */
    size_t count, room;
    struct placement placements[];
};

static bool reserve(struct arrivals *arrivals)
{
    struct arrival_chunk *last = arrivals->chunks;
    if (last && last->count < last->room)
        return true;
    size_t room = last ? 2 * last->room : arrivals->expected;
    if (room < ROOM_MIN)
        room = ROOM_MIN;
    struct arrival_chunk *chunk =
        memory_reserve(sizeof(*chunk) + room * sizeof(chunk->placements[0]));
    if (!chunk)
        return false;
    chunk->next = last;
    chunk->count = 0;
    chunk->room = room;
    arrivals->chunks = chunk;
    return true;
}

struct placement *arrivals_add(struct arrivals *arrivals, struct machine *machine,
                               struct unit *unit)
{
    if (!reserve(arrivals))
        return NULL;
    struct arrival_chunk *chunk = arrivals->chunks;
    struct placement *p = &chunk->placements[chunk->count++];
    if (!machine->arrivals) {
        machine->arrived_next = arrivals->machines;
        arrivals->machines = machine;
    }
    *p = (struct placement){
        .key = {machine, unit},
        .machine_next = machine->arrivals,
        .unit_next = unit->placements,
        .touched = true
    };
    machine->arrivals = p;
    unit->placements = p;
    unit->placement_count++;
    return p;
}

static void forget_one(struct model *model, struct placement *p)
{
    struct unit *unit = p->key.unit;
    if (unit->placements == p)
        unit->placements = p->unit_next;
    else
        LL_DELETE2(unit->placements, p, unit_next);
    unit->placement_count--;
    if (!p->planned)
        return;
    p->key.machine->planned--;
    index_take_back(model, p);
}

/* What is read a few placements from now (plan.c does so, too). */
static void foresee(const struct arrival_chunk *chunk)
{
    enum { UNIT_AHEAD = 16, GROUP_AHEAD = 8, FAMILY_AHEAD = 4 };
    const struct placement *last = &chunk->placements[chunk->count - 1];
    if (chunk->count > UNIT_AHEAD) {
        index_fetch(last[-UNIT_AHEAD].key.unit, sizeof(struct unit));
        index_fetch(last[-UNIT_AHEAD].key.machine, offsetof(struct machine, id));
    }
    if (chunk->count > GROUP_AHEAD)
        index_fetch(last[-GROUP_AHEAD].key.unit->group, sizeof(struct group));
    if (chunk->count > FAMILY_AHEAD)
        index_fetch(last[-FAMILY_AHEAD].key.unit->group->family, sizeof(struct family));
}

/* The last first, which is what bags forget most easily. */
static void forget_chunk(struct model *model, struct arrival_chunk *chunk)
{
    while (chunk->count > 0) {
        foresee(chunk);
        forget_one(model, &chunk->placements[--chunk->count]);
    }
    free(chunk);
}

void arrivals_forget(struct arrivals *arrivals, struct model *model)
{
    while (arrivals->chunks) {
        struct arrival_chunk *chunk = arrivals->chunks;
        arrivals->chunks = chunk->next;
        forget_chunk(model, chunk);
    }
    while (arrivals->machines) {
        struct machine *machine = arrivals->machines;
        arrivals->machines = machine->arrived_next;
        machine->arrivals = NULL;
        index_settle(model, machine);
    }
}
