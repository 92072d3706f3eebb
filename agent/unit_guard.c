/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/unit_guard.h"

void unit_guard_see_mark(struct unit_guard *guard, int64_t mod)
{
    guard->seen = mod;
}

void unit_guard_settle(struct unit_guard *guard)
{
    guard->mark = guard->seen;
}

void unit_guard_see_unit(struct unit_guard *guard, int64_t mod)
{
    if (guard->newest < mod)
        guard->newest = mod;
}

void unit_guard_see_unreadable_unit(struct unit_guard *guard)
{
    guard->is_blind = true;
}

void unit_guard_see_member(struct unit_guard *guard, bool marks_units)
{
    guard->strangers += !marks_units;
}

void unit_guard_forget_member(struct unit_guard *guard, bool marks_units)
{
    guard->strangers -= !marks_units;
}

static bool speaks_for_all(const struct unit_guard *guard)
{
    return guard->mark > 0 && guard->mark >= guard->newest && guard->strangers == 0 &&
           !guard->is_blind;
}

int64_t unit_guard_plan(struct unit_guard *guard)
{
    if (guard->mark == guard->planned)
        guard->is_contended = false;
    guard->planned = guard->mark;
    return speaks_for_all(guard) && !guard->is_contended ? guard->mark : 0;
}

void unit_guard_refuse(struct unit_guard *guard)
{
    guard->is_contended = true;
}
