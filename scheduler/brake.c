/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/brake.h"

#include <limits.h>
#include <string.h>

#include "scheduler/match.h"
#include "scheduler/step.h"
#include "scheduler/succession.h"

enum { FEW_MACHINES = 8, MANY_MIN = 4 };

/* --- the bucket --- */

size_t brake_limit(size_t machines)
{
    size_t limit = machines <= FEW_MACHINES ? machines / 2 : machines / 4;
    if (machines > FEW_MACHINES && limit < MANY_MIN)
        limit = MANY_MIN;
    return limit > 0 ? limit : 1;
}

void brake_fill(struct brake *brake, size_t limit, int64_t now_ms)
{
    int64_t full = (int64_t)limit * BRAKE_REFILL_MS;
    int64_t passed_ms = now_ms - brake->filled_ms;
    if (!brake->begun || passed_ms >= BRAKE_REFILL_MS)
        brake->level = full;
    else if (passed_ms > 0)
        brake->level += passed_ms * (int64_t)limit;
    if (brake->level > full)
        brake->level = full;
    brake->begun = true;
    brake->filled_ms = now_ms;
}

bool brake_take(struct brake *brake)
{
    if (brake->level < BRAKE_REFILL_MS)
        return false;
    brake->level -= BRAKE_REFILL_MS;
    return true;
}

void brake_give_back(struct brake *brake)
{
    brake->level += BRAKE_REFILL_MS;
}

int64_t brake_next_ms(const struct brake *brake, size_t limit)
{
    int64_t missing = BRAKE_REFILL_MS - brake->level;
    int64_t rate = (int64_t)limit;
    return missing <= 0 ? brake->filled_ms : brake->filled_ms + (missing + rate - 1) / rate;
}

/* --- who is let go --- */

struct losses {
    size_t members; /* that are not cordoned */
    size_t absent;  /* of them */
    size_t limit;
};

static struct losses count_losses(const struct model *model)
{
    return (struct losses){ .members = model->brake_members,
                            .absent = model->brake_absent,
                            .limit = brake_limit(model->brake_members) };
}

char *step_brake_words(const struct step *step, const struct machine *machine)
{
    autotext words = { 0 };
    const struct losses losses = count_losses(step->model);
    text_addf(&words, "held by the brake: %zu of %zu machines are lost, ", losses.absent,
              losses.members);
    machine_words(machine, &words);
    text_add(&words, " among them; it moves when that is back, ");
    if (!step->model->brake_hold)
        text_addf(&words, "in its turn (%zu a minute), ", losses.limit);
    text_add(&words, "or by order (musterctl brake release)");
    return text_take(&words);
}

/* Of a unit on the way from one copy to another, one of them is enough: succession.c. */
static bool has_another_copy(const struct placement *p)
{
    struct succession s;
    if (!unit_find_succession(p->key.unit, &s))
        return false;
    return p == s.next ? s.old->key.machine->registration > 0 || s.old->want != WANT_RELEASE
                       : s.next->key.machine->registration > 0 && s.next->want != WANT_RELEASE;
}

/* Machines that a person has given up cost no token, nor do those from which nothing moves, as what
 * runs everywhere does not. */
bool step_brake_concerns(const struct machine *machine)
{
    const struct placement *p = NULL;
    if (!machine->is_member)
        return false;
    DL_FOREACH2(machine->placements, p, machine_next)
        if (p->assignment_mod > 0 && p->failover != FAILOVER_NEVER &&
            !unit_is_global(p->key.unit) && !has_another_copy(p))
            return true;
    return false;
}

/* Which has nothing to do with a machine that a unit that runs everywhere is on. */
static bool finds_no_place(const struct unit *unit)
{
    return unit_verdict_mod(unit) > 0 && unit->trouble->verdict_kind == VERDICT_NOWHERE &&
           !unit_is_global(unit);
}

/* A former leader had let it go: a unit of it has been looked for a place, and there was none. */
static bool was_let_go(const struct machine *machine)
{
    const struct placement *p = NULL;
    DL_FOREACH2(machine->placements, p, machine_next)
        if (p->assignment_mod > 0 && finds_no_place(p->key.unit))
            return true;
    return false;
}

static void let_go(struct machine *machine)
{
    machine->let_go = true;
    machine->revisit = false;
}

static bool is_held(struct step *step, struct machine *machine)
{
    return machine->registration == 0 && step_machine_status(step, machine) == MACHINE_HELD;
}

/* A role that has fewer holders than it can do with is not made to wait. */
static void let_roles_go(struct step *step)
{
    for (const struct role *r = step->model->roles; r; r = r->hh.next) {
        size_t present = 0;
        const struct slot *slot = NULL;
        DL_FOREACH(r->slots, slot)
            present += slot->machine && slot->machine->registration > 0;
        DL_FOREACH(r->slots, slot) {
            if (!r->defined || present >= (size_t)r->def.min_nodes)
                break;
            if (slot->machine && is_held(step, slot->machine)) {
                let_go(slot->machine);
                present++;
            }
        }
    }
}

/* The end of what may have been an outage of everything; -1: it is not over. */
static int64_t since_outage_ms(const struct step *step)
{
    return contact_since(step->clock->contact, CONTACT_OUTAGE_MS, step->clock->now_ms);
}

static bool is_settling(const struct step *step, const struct losses *losses)
{
    int64_t since_ms = since_outage_ms(step);
    return losses->absent > losses->limit &&
           (since_ms < 0 || step->clock->now_ms - since_ms < BRAKE_BOOT_MS);
}

static void let_go_by_tokens(struct step *step, struct machine **held, size_t count)
{
    struct model *model = step->model;
    const struct losses losses = count_losses(model);
    brake_fill(&model->brake, losses.limit, step->clock->now_ms);
    if (is_settling(step, &losses)) {
        if (since_outage_ms(step) >= 0)
            step_wake_at(step, since_outage_ms(step) + BRAKE_BOOT_MS);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (held[i]->let_go)
            continue;
        if (!brake_take(&model->brake)) {
            step_wake_at(step, brake_next_ms(&model->brake, losses.limit));
            return;
        }
        held[i]->took_token = true;
        let_go(held[i]);
    }
}

/* Of the most important unit that would move. */
static int priority_of(const struct machine *machine)
{
    int highest = INT_MIN;
    const struct placement *p = NULL;
    DL_FOREACH2(machine->placements, p, machine_next) {
        const struct requirements *rules = unit_rules(p->key.unit);
        if (p->assignment_mod > 0 && rules && !rules->global && rules->priority > highest)
            highest = rules->priority;
    }
    return highest;
}

static int compare_held(const void *a, const void *b)
{
    const struct machine *const *left = a;
    const struct machine *const *right = b;
    int left_priority = priority_of(*left);
    int right_priority = priority_of(*right);
    if (left_priority != right_priority)
        return left_priority > right_priority ? -1 : 1;
    return strcmp((*left)->id, (*right)->id);
}

static struct machine **list_held(struct step *step, size_t *ret_count)
{
    size_t count = 0;
    struct machine *m = NULL;
    DL_FOREACH2(step->model->marked_machines, m, mark_next)
        count++;
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): pointers are what is sorted */
    struct machine **held = calloc(count + 1, sizeof(*held));
    count = 0;
    DL_FOREACH2(step->model->marked_machines, m, mark_next) {
        bool concerns = held && m->registration == 0 && !m->let_go && step_brake_concerns(m);
        if (!concerns || !is_held(step, m))
            continue;
        if (was_let_go(m))
            let_go(m);
        else
            held[count++] = m;
    }
    step->failed = step->failed || !held;
    if (held)
        /* NOLINTNEXTLINE(bugprone-sizeof-expression): the same */
        qsort(held, count, sizeof(*held), compare_held);
    *ret_count = count;
    return held;
}

/* An order to let go is carried out once, and deleted. */
static void obey_release(struct step *step, struct machine **held, size_t count)
{
    for (size_t i = 0; i < count; i++)
        let_go(held[i]);
    struct action *action = step_action(step, ACTION_CLEAR_BRAKE, NULL, NULL,
                                        text_format("lost machines let go by order: %zu", count));
    if (action)
        action->more->op_mod = step->model->brake_mod;
}

void step_brake(struct step *step)
{
    const struct model *model = step->model;
    size_t count = 0;
    autofree struct machine **held = list_held(step, &count);
    if (!held)
        return;
    let_roles_go(step);
    if (model->brake_mod > 0 && !model->brake_hold)
        obey_release(step, held, count);
    else if (model->brake_mod == 0 && count > 0)
        let_go_by_tokens(step, held, count);
}
