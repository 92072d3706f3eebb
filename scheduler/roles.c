/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slots of roles. A holder keeps its slot until it is lost, forgotten or must not hold it; a
 * machine that is merely cordoned or not ready gets no new slot but keeps the one it has, as it
 * keeps its units.
 */
#include <string.h>

#include "scheduler/match.h"
#include "scheduler/role_choice.h"
#include "scheduler/step.h"

/* First boot: else the first machine up would take every role, and priorities would mean nothing.
 */
enum { SETTLE_ENOUGH_MS = 1000, SETTLE_SHORT_MS = 10000 };

/* Look at the roles again then. */
static void wake_for_roles(struct step *step, int64_t at_ms)
{
    step_wake_at(step, at_ms);
    step->model->roles_revisit = true;
}

/* --- holders --- */

/* Lost, and the role has no patience with it any more. A person who has forgotten a machine has
 * none either. */
static bool is_given_up(struct step *step, const struct role *role, struct machine *holder)
{
    if (step_machine_status(step, holder) != MACHINE_LOST)
        return false;
    int64_t at_ms = holder->absent_since_ms + role->def.promote_after_ms;
    if (!holder->is_member || at_ms <= step->clock->now_ms)
        return true;
    wake_for_roles(step, at_ms);
    return false;
}

/* Of two roles that do not go together the first by name stays. */
static const struct role *stronger_in_the_way(const struct step *step, const struct role *role,
                                              const struct machine *holder)
{
    const struct role *other = role_in_the_way(step->model, role, holder);
    return other && strcmp(other->name, role->name) < 0 ? other : NULL;
}

/* Is the slot in good hands? Those of a holder that is absent but not yet lost are: it may still
 * run the role's units, and cannot say when it has stopped them. */
static bool is_kept(struct step *step, const struct role *role, const struct slot *slot)
{
    struct machine *holder = slot_holder(slot);
    if (!holder || is_given_up(step, role, holder))
        return false;
    return holder->registration == 0 ||
           (role_suits(role, holder) && !stronger_in_the_way(step, role, holder));
}

static bool is_lost(struct step *step, const struct role *role, const struct slot *slot)
{
    struct machine *holder = slot_holder(slot);
    return holder && is_given_up(step, role, holder);
}

static unsigned int count_lost(struct step *step, const struct role *role)
{
    unsigned int lost = 0;
    const struct slot *slot = NULL;
    DL_FOREACH(role->slots, slot)
        lost += is_lost(step, role, slot);
    return lost;
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

static void give_slot(struct step *step, struct role *role, struct slot *slot,
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
    action->more->role = role->name;
    action->more->from_machine = lost ? slot->machine->id : NULL;
    action->more->index = slot->index;
    action->more->slot_mod = slot->mod;
    action->registration = holder->registration;
    action->more->from_registration = lost ? 0 : -1;
    slot->has_plan = true;
    slot->planned = holder;
    if (lost)
        role->promoted_ms = step->clock->now_ms;
    plan_slot(step, slot, holder);
}

static void clear_slot(struct step *step, const struct role *role, struct slot *slot,
                       const char *why)
{
    struct action *action =
        step_action(step, ACTION_CLEAR_SLOT, NULL, slot->machine, text_format("%s", why));
    if (!action)
        return;
    action->more->role = role->name;
    action->more->index = slot->index;
    action->more->slot_mod = slot->mod;
    slot->has_plan = true;
    slot->planned = NULL;
    plan_slot(step, slot, NULL);
}

/* --- those that gave it up --- */

/* Machines that gave a slot up and still stop its units: they count as holders, or more than
 * "nodes" of them would run. */
static unsigned int count_leaving(const struct model *model, const struct role *role)
{
    unsigned int count = 0;
    for (size_t i = 0; i < model->machine_count; i++)
        count += role_is_leaving(role, model->machines_by_id[i]);
    return count;
}

/* --- too few --- */

/* Of those that are in good hands: their machines may be back, or be lost. */
static unsigned int count_absent(struct step *step, const struct role *role)
{
    unsigned int absent = 0;
    const struct slot *slot = NULL;
    DL_FOREACH(role->slots, slot)
        absent += is_kept(step, role, slot) && slot_holder(slot)->registration == 0;
    return absent;
}

/* Fewer machines than the role can do with hold it or could, but for so many: is that an end to
 * filling? */
static bool is_halted(struct step *step, const struct role *role, unsigned int but)
{
    enum role_short when = role_short_from_name(role->def.when_short);
    if (when == ROLE_SHORT_RUN)
        return false;
    return count_kept(step, role) + role_count_spares(step->model, role) <
           role->def.min_nodes + but;
}

/* --- taking away --- */

/* ret_candidate: what speaks for it, or NULL. */
static struct slot *most_dispensable(struct step *step, const struct role *role,
                                     struct role_candidate *ret_candidate)
{
    struct slot *worst = NULL;
    struct role_candidate worst_candidate = { 0 };
    struct slot *slot = NULL;
    DL_FOREACH(role->slots, slot) {
        if (!is_kept(step, role, slot))
            continue;
        struct role_candidate candidate =
            role_candidate_of(step->model, role, slot_holder(slot), NULL);
        candidate.slot_mod = slot->mod;
        if (!worst || role_surplus_compare(&candidate, &worst_candidate) < 0) {
            worst = slot;
            worst_candidate = candidate;
        }
    }
    if (ret_candidate)
        *ret_candidate = worst_candidate;
    return worst;
}

static void demote_surplus(struct step *step, const struct role *role, unsigned int nodes)
{
    autofree char *why = text_format("the role wants %u nodes", nodes);
    for (unsigned int kept = count_kept(step, role); kept > nodes && !step->failed; kept--)
        clear_slot(step, role, most_dispensable(step, role, NULL), why ? why : "surplus");
}

static char *unwilling_words(const struct step *step, const struct role *role,
                             const struct machine *holder)
{
    const char *lacks = role_lacks(role, holder);
    const struct role *other = stronger_in_the_way(step, role, holder);
    if (machine_role_priority(holder, role->name) == 0)
        return text_format("its machine has priority 0 for the role");
    if (lacks)
        return text_format("its machine has no metadata %s", lacks);
    return text_format("its machine holds the role \"%s\", which this one conflicts with",
                       other ? other->name : "");
}

/* Of a live holder that must not hold it any more: first the slot goes and its units are released;
 * it is given out again when they have stopped. */
static void demote_unwilling(struct step *step, const struct role *role)
{
    struct slot *slot = NULL;
    DL_FOREACH(role->slots, slot) {
        const struct machine *holder = slot_holder(slot);
        if (!holder || is_kept(step, role, slot) || is_lost(step, role, slot))
            continue;
        autofree char *why = unwilling_words(step, role, holder);
        clear_slot(step, role, slot, why ? why : "its machine must not hold the role");
    }
}

/* Off a machine that is there and is being emptied, if somebody else can take it and then does: one
 * at a time, since between the stop there and the start elsewhere the role has one holder less. */
static void demote_draining(struct step *step, const struct role *role)
{
    struct slot *slot = NULL;
    if (!role_best_spare(step->model, role, NULL).machine || count_leaving(step->model, role) > 0 ||
        is_halted(step, role, count_absent(step, role) + 1))
        return;
    DL_FOREACH(role->slots, slot) {
        const struct machine *holder = slot_holder(slot);
        if (slot->has_plan || !holder || holder->registration == 0 ||
            !machine_is_draining(holder) || !is_kept(step, role, slot))
            continue;
        clear_slot(step, role, slot, "its machine is being drained");
        return;
    }
}

/* --- giving --- */

/*
 * More than half of the holders have gone: more likely than that they have died is that something
 * else is wrong. What the role can do with is promoted at once, and one machine more each TTL.
 */
static bool is_damped(struct step *step, const struct role *role)
{
    unsigned int kept = count_kept(step, role);
    unsigned int lost = count_lost(step, role);
    int64_t ttl_ms = 0;
    const struct slot *slot = NULL;
    if (kept < role->def.min_nodes || 2 * lost <= kept + lost || role->promoted_ms < 0)
        return false;
    DL_FOREACH(role->slots, slot)
        if (is_lost(step, role, slot) && slot_holder(slot)->member.ttl_ms > ttl_ms)
            ttl_ms = slot_holder(slot)->member.ttl_ms;
    if (step->clock->now_ms >= role->promoted_ms + ttl_ms)
        return false;
    wake_for_roles(step, role->promoted_ms + ttl_ms);
    return true;
}

static unsigned int count_just_cleared(const struct role *role)
{
    unsigned int count = 0;
    const struct slot *slot = NULL;
    DL_FOREACH(role->slots, slot)
        count += slot_was_just_cleared(slot);
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
        if (is_lost(step, role, slot))
            return slot;
    return free_slot(step, role);
}

static void fill(struct step *step, struct role *role, unsigned int nodes)
{
    unsigned int taken =
        count_kept(step, role) + count_just_cleared(role) + count_leaving(step->model, role);
    for (; taken < nodes && !step->failed; taken++) {
        struct machine *spare = role_best_spare(step->model, role, NULL).machine;
        struct slot *slot = spare && !is_damped(step, role) ? vacant_slot(step, role) : NULL;
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
        if (is_lost(step, role, slot) && ++left > nodes)
            clear_slot(step, role, slot, "its machine is lost and the role has enough others");
}

/* --- a better one is there --- */

/* How long a machine has been up is counted by this leader: a new one begins anew. */
static int64_t up_since(const struct step *step, struct machine *machine)
{
    if (machine->up_registration != machine->registration)
        machine->up_since_ms = step->clock->now_ms;
    machine->up_registration = machine->registration;
    return machine->up_since_ms;
}

static bool is_changing_hands(const struct model *model, const struct role *role)
{
    const struct slot *slot = NULL;
    DL_FOREACH(role->slots, slot)
        if (slot->has_plan)
            return true;
    return count_leaving(model, role) > 0;
}

/* One at a time, since between the stop there and the start here the role has one holder less. */
static void fail_back(struct step *step, const struct role *role)
{
    struct role_candidate worst = { 0 };
    bool may_change = role->def.fail_back && !is_changing_hands(step->model, role) &&
                      !is_halted(step, role, count_absent(step, role));
    struct slot *slot = may_change ? most_dispensable(step, role, &worst) : NULL;
    struct role_candidate best =
        slot ? role_best_spare(step->model, role, slot->machine) : (struct role_candidate){ 0 };
    if (!best.machine || !role_candidate_is_better(&best, &worst))
        return;
    int64_t at_ms = up_since(step, best.machine) + role->def.fail_back_after_ms;
    if (at_ms > step->clock->now_ms) {
        wake_for_roles(step, at_ms);
        return;
    }
    autotext why = { 0 };
    machine_words(best.machine, &why);
    if (best.alike != worst.alike)
        text_addf(&why, " shares its %s with fewer holders", role->def.spread);
    else
        text_addf(&why, " has priority %u, not %u", best.priority, worst.priority);
    autofree char *words = text_take(&why);
    clear_slot(step, role, slot, words ? words : "a better machine is there");
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
    wake_for_roles(step, settled_at_ms);
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

static void stop_short(struct step *step, const struct role *role)
{
    autofree char *why =
        text_format("fewer than %d machines could hold the role", (int)role->def.min_nodes);
    clear_all(step, role, why ? why : "too few machines could hold the role");
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
    if (step->model->draining)
        demote_draining(step, role);
    if (!is_halted(step, role, count_absent(step, role)))
        fill(step, role, nodes);
    else if (is_halted(step, role, 0) &&
             role_short_from_name(role->def.when_short) == ROLE_SHORT_STOP)
        stop_short(step, role);
    drop_lost_surplus(step, role, nodes);
    fail_back(step, role);
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
