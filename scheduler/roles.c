/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slots of roles. A holder keeps its slot until it is lost, forgotten or told never to hold it; a
 * machine that is merely cordoned or not ready gets no new slot but keeps the one it has, as it
 * keeps its units.
 */
#include "scheduler/roles.h"

#include <string.h>

#include "scheduler/match.h"
#include "scheduler/step.h"

/* First boot: else the first machine up would take every role, and priorities would mean nothing.
 */
enum { SETTLE_ENOUGH_MS = 1000, SETTLE_SHORT_MS = 10000 };

/* --- the choice --- */

int role_candidate_compare(const struct role_candidate *a, const struct role_candidate *b)
{
    if (a->priority != b->priority)
        return a->priority > b->priority ? -1 : 1;
    if (a->other_roles != b->other_roles)
        return a->other_roles < b->other_roles ? -1 : 1;
    if (a->registration != b->registration)
        return a->registration < b->registration ? -1 : 1;
    return strcmp(a->machine, b->machine);
}

int role_surplus_compare(const struct role_candidate *a, const struct role_candidate *b)
{
    if (a->priority != b->priority)
        return a->priority < b->priority ? -1 : 1;
    if (a->slot_mod != b->slot_mod)
        return a->slot_mod > b->slot_mod ? -1 : 1;
    return strcmp(b->machine, a->machine);
}

bool role_may_take(const struct role *role, const struct machine *machine)
{
    return machine->is_member && machine->registration > 0 && machine->ready &&
           !machine->cordoned && machine_role_priority(machine, role->name) > 0;
}

static unsigned int count_other_roles(const struct model *model, const struct role *role,
                                      const struct machine *machine)
{
    unsigned int count = 0;
    for (const struct role *r = model->roles; r; r = r->hh.next)
        count += r != role && role_is_held_by(r, machine);
    return count;
}

static struct role_candidate candidate_of(const struct model *model, const struct role *role,
                                          const struct machine *machine)
{
    return (struct role_candidate){
        .machine = machine->id,
        .priority = machine_role_priority(machine, role->name),
        .other_roles = count_other_roles(model, role, machine),
        .registration = machine->registration,
    };
}

static struct machine *best_spare(const struct model *model, const struct role *role)
{
    struct machine *best = NULL;
    struct role_candidate best_candidate = { 0 };
    for (size_t i = 0; i < model->machine_count; i++) {
        struct machine *m = model->machines_by_id[i];
        if (!role_may_take(role, m) || role_is_held_by(role, m))
            continue;
        const struct role_candidate candidate = candidate_of(model, role, m);
        if (!best || role_candidate_compare(&candidate, &best_candidate) < 0) {
            best = m;
            best_candidate = candidate;
        }
    }
    return best;
}

/* --- holders --- */

/* Is the slot in good hands? A holder that is absent but not yet lost is. */
static bool is_kept(struct step *step, const struct role *role, const struct slot *slot)
{
    struct machine *holder = slot_holder(slot);
    return holder && machine_role_priority(holder, role->name) > 0 &&
           step_machine_status(step, holder) != MACHINE_LOST;
}

static bool is_lost(struct step *step, const struct slot *slot)
{
    struct machine *holder = slot_holder(slot);
    return holder && step_machine_status(step, holder) == MACHINE_LOST;
}

static unsigned int count_kept(struct step *step, const struct role *role)
{
    unsigned int kept = 0;
    const struct slot *slot = NULL;
    DL_FOREACH(role->slots, slot)
        kept += is_kept(step, role, slot);
    return kept;
}

/* --- writing down --- */

static void change_holder(struct step *step, struct machine *machine)
{
    if (!machine)
        return;
    index_reclass(step->model, machine, true);
    model_mark_machine(step->model, machine);
}

static void plan_slot(struct step *step, const struct slot *slot, struct machine *holder)
{
    change_holder(step, slot->machine);
    change_holder(step, holder);
}

static void give_slot(struct step *step, const struct role *role, struct slot *slot,
                      struct machine *holder)
{
    autotext reason = { 0 };
    bool lost = slot->mod > 0 && slot->machine;
    if (lost) {
        machine_words(slot->machine, &reason);
        text_add(&reason, " is lost, promoted ");
    } else {
        text_add(&reason, "chose ");
    }
    machine_words(holder, &reason);
    text_addf(&reason, " (priority %u)", machine_role_priority(holder, role->name));
    struct action *action = step_action(step, ACTION_SLOT, NULL, holder, text_take(&reason));
    if (!action)
        return;
    action->role = role->name;
    action->from_machine = lost ? slot->machine->id : NULL;
    action->index = slot->index;
    action->slot_mod = slot->mod;
    action->registration = holder->registration;
    action->from_registration = lost ? 0 : -1;
    slot->has_plan = true;
    slot->planned = holder;
    plan_slot(step, slot, holder);
}

static void clear_slot(struct step *step, const struct role *role, struct slot *slot,
                       const char *why)
{
    struct action *action =
        step_action(step, ACTION_CLEAR_SLOT, NULL, slot->machine, text_format("%s", why));
    if (!action)
        return;
    action->role = role->name;
    action->index = slot->index;
    action->slot_mod = slot->mod;
    slot->has_plan = true;
    slot->planned = NULL;
    plan_slot(step, slot, NULL);
}

/* --- those that gave it up --- */

static bool asks_for_active(const struct unit *unit, const struct role *role)
{
    const struct requirements *rules = unit_rules(unit);
    for (size_t i = 0; rules && i < rules->metadata_count; i++) {
        const struct metadata_rule *rule = &rules->metadata[i];
        if (text_starts_with(rule->key, "role.") && text_equal(rule->key + 5, role->name) &&
            text_equal(rule->value, "active"))
            return true;
    }
    return false;
}

static bool is_leaving(const struct role *role, const struct machine *machine)
{
    const struct placement *p = NULL;
    if (machine->registration == 0 || role_is_held_by(role, machine))
        return false;
    DL_FOREACH2(machine->placements, p, machine_next)
        if (p->assignment_mod > 0 && p->want == WANT_RELEASE && asks_for_active(p->key.unit, role))
            return true;
    return false;
}

/* Machines that gave a slot up and still stop its units: they count as holders, or more than
 * "nodes" of them would run. */
static unsigned int count_leaving(const struct model *model, const struct role *role)
{
    unsigned int count = 0;
    for (size_t i = 0; i < model->machine_count; i++)
        count += is_leaving(role, model->machines_by_id[i]);
    return count;
}

/* --- taking away --- */

static struct slot *most_dispensable(struct step *step, const struct role *role)
{
    struct slot *worst = NULL;
    struct role_candidate worst_candidate = { 0 };
    struct slot *slot = NULL;
    DL_FOREACH(role->slots, slot) {
        if (!is_kept(step, role, slot))
            continue;
        struct role_candidate candidate = candidate_of(step->model, role, slot->machine);
        candidate.slot_mod = slot->mod;
        if (!worst || role_surplus_compare(&candidate, &worst_candidate) < 0) {
            worst = slot;
            worst_candidate = candidate;
        }
    }
    return worst;
}

static void demote_surplus(struct step *step, const struct role *role, unsigned int nodes)
{
    autofree char *why = text_format("the role wants %u nodes", nodes);
    for (unsigned int kept = count_kept(step, role); kept > nodes && !step->failed; kept--)
        clear_slot(step, role, most_dispensable(step, role), why ? why : "surplus");
}

/* Of a live holder that must not hold it any more: first the slot goes and its units are released;
 * it is given out again when they have stopped. */
static void demote_unwilling(struct step *step, const struct role *role)
{
    struct slot *slot = NULL;
    DL_FOREACH(role->slots, slot)
        if (slot_holder(slot) && !is_kept(step, role, slot) && !is_lost(step, slot))
            clear_slot(step, role, slot, "its machine has priority 0 for the role");
}

/* Off a machine that is being emptied, if somebody else can take it: one at a time, since between
 * the stop there and the start elsewhere the role has one holder less. */
static void demote_draining(struct step *step, const struct role *role)
{
    struct slot *slot = NULL;
    if (!best_spare(step->model, role) || count_leaving(step->model, role) > 0)
        return;
    DL_FOREACH(role->slots, slot) {
        const struct machine *holder = slot_holder(slot);
        if (slot->has_plan || !holder || !machine_is_draining(holder) || !is_kept(step, role, slot))
            continue;
        clear_slot(step, role, slot, "its machine is being drained");
        return;
    }
}

/* --- giving --- */

/* Given up within this step: its machine has not even begun to stop the role's units. */
static unsigned int count_just_cleared(const struct role *role)
{
    unsigned int count = 0;
    const struct slot *slot = NULL;
    DL_FOREACH(role->slots, slot)
        count += slot->has_plan && !slot->planned && slot->machine->registration > 0;
    return count;
}

static struct slot *free_slot(struct step *step, struct role *role)
{
    unsigned int index = 0;
    struct slot *before = NULL;
    struct slot *slot = NULL;
    DL_FOREACH(role->slots, slot) {
        if (slot->index != index)
            break;
        before = slot;
        index++;
    }
    slot = calloc(1, sizeof(*slot));
    if (!slot) {
        step->failed = true;
        return NULL;
    }
    slot->index = index;
    DL_APPEND_ELEM(role->slots, before, slot);
    return slot;
}

/* Lost holders first; of those the lowest index. */
static struct slot *vacant_slot(struct step *step, struct role *role)
{
    struct slot *slot = NULL;
    DL_FOREACH(role->slots, slot)
        if (is_lost(step, slot))
            return slot;
    return free_slot(step, role);
}

static void fill(struct step *step, struct role *role, unsigned int nodes)
{
    unsigned int taken =
        count_kept(step, role) + count_just_cleared(role) + count_leaving(step->model, role);
    for (; taken < nodes && !step->failed; taken++) {
        struct machine *spare = best_spare(step->model, role);
        struct slot *slot = spare ? vacant_slot(step, role) : NULL;
        if (!slot)
            return;
        give_slot(step, role, slot, spare);
    }
}

/* A lost holder that nobody replaces keeps its slot for its return, but not above the number. */
static void drop_lost_surplus(struct step *step, const struct role *role, unsigned int nodes)
{
    unsigned int left = count_kept(step, role);
    struct slot *slot = NULL;
    DL_FOREACH(role->slots, slot)
        if (is_lost(step, slot) && ++left > nodes)
            clear_slot(step, role, slot, "its machine is lost and the role has enough others");
}

/* --- first boot --- */

static size_t digest_candidates(const struct model *model, const struct role *role,
                                uint64_t *ret_digest)
{
    uint64_t digest = UINT64_C(14695981039346656037); /* FNV-1a */
    size_t count = 0;
    for (size_t i = 0; i < model->machine_count; i++) {
        const struct machine *m = model->machines_by_id[i];
        if (!role_may_take(role, m))
            continue;
        count++;
        for (const char *c = m->id; *c; c++)
            digest = (digest ^ (unsigned char)*c) * UINT64_C(1099511628211);
    }
    *ret_digest = digest;
    return count;
}

/* May a role that never had a holder be filled now? */
static bool has_settled(struct step *step, struct role *role)
{
    uint64_t digest = 0;
    size_t count = digest_candidates(step->model, role, &digest);
    if (role->candidates_since_ms < 0 || digest != role->candidates_digest) {
        role->candidates_digest = digest;
        role->candidates_since_ms = step->clock->now_ms;
    }
    if (count == 0)
        return false;
    int64_t settled_at_ms =
        role->candidates_since_ms +
        ((int64_t)count >= role->def.nodes ? SETTLE_ENOUGH_MS : SETTLE_SHORT_MS);
    if (step->clock->now_ms >= settled_at_ms)
        return true;
    step_wake_at(step, settled_at_ms);
    step->model->roles_revisit = true;
    return false;
}

/* --- one role, all roles --- */

static void clear_all(struct step *step, const struct role *role, const char *why)
{
    struct slot *slot = NULL;
    DL_FOREACH(role->slots, slot)
        if (!slot->has_plan)
            clear_slot(step, role, slot, why);
}

static void decide_role(struct step *step, struct role *role)
{
    unsigned int nodes = (unsigned int)role->def.nodes;
    if (!role->defined || nodes == 0) {
        clear_all(step, role, role->defined ? "the role is switched off" : "the role is removed");
        return;
    }
    if (!role->was_held && !has_settled(step, role))
        return;
    demote_unwilling(step, role);
    demote_surplus(step, role, nodes);
    if (step->model->drain_count > 0)
        demote_draining(step, role);
    fill(step, role, nodes);
    drop_lost_surplus(step, role, nodes);
}

struct role_turn {
    struct role *role;
    bool broken; /* fewer holders than min_nodes: it is served first */
};

static int compare_roles(const void *a, const void *b)
{
    const struct role_turn *left = a;
    const struct role_turn *right = b;
    if (left->broken != right->broken)
        return left->broken ? -1 : 1;
    return strcmp(left->role->name, right->role->name);
}

void step_roles(struct step *step)
{
    size_t count = 0;
    autofree struct role_turn *turns = calloc(HASH_COUNT(step->model->roles) + 1, sizeof(*turns));
    if (!turns) {
        step->failed = true;
        return;
    }
    for (struct role *r = step->model->roles; r; r = r->hh.next)
        turns[count++] = (struct role_turn){ r, count_kept(step, r) < r->def.min_nodes };
    qsort(turns, count, sizeof(*turns), compare_roles);
    for (size_t i = 0; i < count && !step->failed; i++)
        decide_role(step, turns[i].role);
}
