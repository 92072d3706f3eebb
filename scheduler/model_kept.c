/* SPDX-License-Identifier: Apache-2.0 */
/* Machines that are kept for a unit, and units that wait for room. */
#include "scheduler/model_data.h"

/* The unit may be about to go: its trouble stays as it is. */
void model_let_go(struct model *model, struct machine *machine)
{
    if (machine->kept_for->trouble)
        machine->kept_for->trouble->kept = NULL;
    model->reserved_count -= machine->is_reserved;
    model->cleared_count -= machine->is_cleared;
    machine->is_cleared = false;
    machine->kept_for = NULL;
    machine->is_reserved = false;
    machine->kept_priority = PRIORITY_UNKNOWN;
    DL_DELETE2(model->kept, machine, kept_prev, kept_next);
    index_stir(model, machine);
    model_mark_units_of(model, machine); /* who yields may stay after all */
    model->retry = true;
    model->retry_late = true;
    index_ease(model);
}

void model_clear(struct model *model, struct machine *machine)
{
    model->cleared_count += !machine->is_cleared;
    machine->is_cleared = true;
}

/* Whoever it was kept for looks again. */
static void take_from(struct model *model, struct machine *machine)
{
    struct unit *unit = machine->kept_for;
    model_let_go(model, machine);
    model_mark_unit(model, unit);
    unit->revisit = true;
}

/* Some of those that are tied to the unit may ask for a place without the others: what one of them
 * was promised the next, less important, does not take back. */
static void raise_priority(struct machine *machine, int priority)
{
    if (priority > machine->kept_priority)
        machine->kept_priority = priority;
}

bool model_keep(struct model *model, struct machine *machine, struct unit *unit, int priority,
                bool reserved)
{
    struct trouble *trouble = model_trouble_get(unit);
    if (!trouble)
        return false;
    if (machine->kept_for == unit && machine->is_reserved == reserved) {
        raise_priority(machine, priority);
        return true;
    }
    if (machine->kept_for && machine->kept_for != unit)
        take_from(model, machine);
    if (trouble->kept)
        model_let_go(model, trouble->kept);
    machine->kept_for = unit;
    machine->is_reserved = reserved;
    machine->kept_priority = priority;
    model->reserved_count += reserved;
    trouble->kept = machine;
    DL_APPEND2(model->kept, machine, kept_prev, kept_next);
    index_stir(model, machine); /* what is told of it may be another */
    return true;
}

bool model_is_short(struct model *model, struct unit *unit, int64_t now_ms)
{
    struct trouble *trouble = model_trouble_get(unit);
    if (!trouble)
        return false;
    bool is_new = trouble->short_since_ms == 0;
    if (is_new)
        trouble->short_since_ms = now_ms;
    if (trouble->is_listed)
        return true;
    trouble->is_listed = true;
    if (is_new)
        DL_APPEND2(model->shorts, trouble, short_prev, short_next);
    else
        DL_PREPEND2(model->shorts, trouble, short_prev, short_next);
    return true;
}

void model_unlist_short(struct model *model, struct trouble *trouble)
{
    if (trouble->is_listed)
        DL_DELETE2(model->shorts, trouble, short_prev, short_next);
    trouble->is_listed = false;
}

void model_forget_short(struct model *model, struct unit *unit)
{
    struct trouble *trouble = unit->trouble;
    if (!trouble || (trouble->short_since_ms == 0 && trouble->waits_since_ms == 0))
        return;
    model_unlist_short(model, trouble);
    trouble->short_since_ms = 0;
    trouble->waits_since_ms = 0;
    model_trouble_trim(unit);
}
