/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/blocks.h"
#include "tests/sim/sched.h"
#include "tests/unit/contact.h"

/* --- writes of the leader --- */

static bool guard(const struct entry *entry, int64_t want, bool create)
{
    int64_t have = !entry ? 0 : create ? entry->create : entry->mod;
    return want < 0 || want == have;
}

/* What people asked for, of which the action is a part. */
static const struct entry *op_of(struct sim *sim, const struct action *a)
{
    char m = a->machine ? a->machine[0] : '-';
    if (action_more(a)->rollout)
        return sim_findf(sim, "ops/rollout/%s", action_more(a)->rollout);
    if (a->kind == ACTION_CORDON)
        return sim_findf(sim, "cordons/%c", m);
    return a->kind == ACTION_CLEAR_BRAKE ? sim_find(sim, "ops/brake")
                                         : sim_findf(sim, "ops/drain/%c", m);
}

static bool guards_hold(struct sim *sim, const struct action *a)
{
    const struct action_more *more = action_more(a);
    char m = a->machine ? a->machine[0] : '-';
    char from = more->from_machine ? more->from_machine[0] : '-';
    char next = more->successor ? more->successor[0] : '-';
    const char *unit = a->unit ? a->unit : "-";
    return guard(sim_findf(sim, "units/%s", unit), action_unit_mod(a), false) &&
           guard(sim_findf(sim, "nodes/%c/units/%s", m, unit), action_assignment_mod(a), false) &&
           guard(sim_findf(sim, "states/%c/%s", m, unit), more->state_mod, false) &&
           guard(sim_findf(sim, "nodes/%c/presence", m), a->registration, true) &&
           guard(sim_findf(sim, "nodes/%c/units/%s", from, unit), more->from_assignment_mod,
                 false) &&
           guard(sim_findf(sim, "states/%c/%s", from, unit), more->from_state_mod, false) &&
           guard(sim_findf(sim, "nodes/%c/presence", from), more->from_registration, true) &&
           guard(sim_findf(sim, "states/%c/%s", next, unit), more->successor_state_mod, false) &&
           guard(sim_findf(sim, "nodes/%c/presence", next), more->successor_registration, true) &&
           guard(sim_findf(sim, "verdicts/%s", unit), more->verdict_mod, false) &&
           guard(op_of(sim, a), more->op_mod, false) &&
           (!more->role ||
            guard(sim_findf(sim, "slots/%s/%u", more->role, more->index), more->slot_mod, false));
}

static bool all_guards_hold(struct sim *sim, const struct action *actions, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!guards_hold(sim, &actions[i]))
            return false;
    return true;
}

/* The one way to lose a copy that runs: its machine said that it stopped, or is gone. */
static void check_leave(struct sim *sim, char m, const char *unit)
{
    const struct entry *presence = sim_findf(sim, "nodes/%c/presence", m);
    const struct entry *assignment = sim_findf(sim, "nodes/%c/units/%s", m, unit);
    const struct entry *state = sim_findf(sim, "states/%c/%s", m, unit);
    bool stopped = presence && assignment &&
                   sim_number_of(state, "released_revision") == assignment->mod &&
                   sim_number_of(state, "registration") == presence->create;
    sim_require(sim, !presence || stopped, "taken from a machine that still runs it", unit);
}

static void write_assignment(struct sim *sim, const struct action *a)
{
    autofree char *reason = action_reason(a);
    const char *moves_from = action_more(a)->moves_from;
    sim_putf(sim,
             sim_record("{s:s,s:s,s:s,s:I,s:s,s:i,s:s,s:s}", "cause", move_cause_name(a->cause),
                        "blob", a->blob, "want", want_name(a->want), "unit_revision",
                        (json_int_t)a->unit_revision, "failover", failover_name(a->failover),
                        "epoch", 1, "reason", reason, "moves_from",
                        moves_from ? (char[]){ moves_from[0], '\0' } : ""),
             "nodes/%c/units/%s", a->machine[0], a->unit);
}

static void update_unit(struct sim *sim, const struct action *a)
{
    const struct entry *unit = sim_findf(sim, "units/%s", a->unit);
    sim_putf(sim,
             sim_record("{s:s,s:s,s:I,s:O}", "blob", a->blob, "desired", desired_name(a->desired),
                        "restart_revision", (json_int_t)action_more(a)->restart_revision, "x-fleet",
                        json_object_get(unit->value, "x-fleet")),
             "units/%s", a->unit);
}

static void leave(struct sim *sim, char m, const char *unit)
{
    check_leave(sim, m, unit);
    sim_delf(sim, "nodes/%c/units/%s", m, unit);
    sim_delf(sim, "states/%c/%s", m, unit);
}

static void perform(struct sim *sim, const struct action *a)
{
    char m[2] = { a->machine ? a->machine[0] : '-', '\0' };
    autofree char *reason = action_reason(a);
    sim_tell(sim, "%s %s %s: %s", action_kind_name(a->kind),
             a->unit ? a->unit : action_more(a)->role, m, reason);
    switch (a->kind) {
    case ACTION_MOVE:
        leave(sim, action_more(a)->from_machine[0], a->unit);
        write_assignment(sim, a);
        return;
    case ACTION_ASSIGN:
        write_assignment(sim, a);
        return;
    case ACTION_DROP:
        leave(sim, m[0], a->unit);
        return;
    case ACTION_VERDICT:
        sim_putf(sim,
                 sim_record("{s:I,s:s,s:s,s:s,s:s,s:I}", "attempts",
                            (json_int_t)action_more(a)->attempts, "tried",
                            action_more(a)->tried ? action_more(a)->tried : "", "reserved",
                            a->machine ? a->machine : "", "kind", verdict_kind_name(a->verdict),
                            "reason", reason, "unit_revision", (json_int_t)a->unit_revision),
                 "verdicts/%s", a->unit);
        return;
    case ACTION_CLEAR_VERDICT:
        sim_delf(sim, "verdicts/%s", a->unit);
        return;
    case ACTION_SLOT:
        sim_putf(sim, sim_record("{s:s}", "machine", m), "slots/%s/%u", action_more(a)->role,
                 action_more(a)->index);
        return;
    case ACTION_CLEAR_SLOT:
        sim_delf(sim, "slots/%s/%u", action_more(a)->role, action_more(a)->index);
        return;
    case ACTION_DRAIN:
        sim_putf(sim,
                 sim_record("{s:b,s:b,s:s,s:I,s:I}", "drained", action_more(a)->drain->drained,
                            "expired", action_more(a)->drain->expired, "problem",
                            action_more(a)->drain->problem, "since_ms",
                            (json_int_t)action_more(a)->drain->since_ms, "timeout_ms",
                            (json_int_t)action_more(a)->drain->timeout_ms),
                 "ops/drain/%s", m);
        return;
    case ACTION_CORDON:
        sim_putf(sim, sim_record("{s:s}", "reason", reason), "cordons/%s", m);
        return;
    case ACTION_CLEAR_BRAKE:
        sim_delf(sim, "ops/brake");
        return;
    case ACTION_UPDATE:
        update_unit(sim, a);
        return;
    case ACTION_ROLLOUT:
        sim_tell(sim, "%s", action_more(a)->record);
        sim_putf(sim, json_loads(action_more(a)->record, 0, NULL), "ops/rollout/%s",
                 action_more(a)->rollout);
        return;
    case ACTION_INVALID:
        sim_broken(sim, "an action of no kind", reason);
    }
}

/* One turn of the leader; true if it wrote anything. */
bool sim_lead(struct sim *sim, bool calm, int64_t *ret_wake_ms)
{
    autoptr(plan) plan = NULL;
    const struct plan_clock clock = { sim->now_ms, &contact_always, sim->now_ms };
    sim_deliver(sim);
    assert_int_equal(plan_step(sim->model, &clock, &plan, NULL), 0);
    sim_check_plan(sim, plan);
    sim_check_forgetful(sim, plan);
    *ret_wake_ms = plan->wake_ms;
    blocks_sort(plan);
    for (size_t i = 0; i < plan->count;) {
        if (!calm && sim_dice(sim, 8) == 0)
            sim_disturb(sim);
        if (!calm && sim_dice(sim, 40) == 0) {
            sim_new_leader(sim);
            break;
        }
        const size_t end = i + block_length(plan, i);
        bool lands = all_guards_hold(sim, &plan->actions[i], end - i);
        sim_require(sim, lands || !calm, "a guard fails though nothing changed",
                    action_kind_name(plan->actions[i].kind));
        for (; i < end; i++)
            if (lands)
                perform(sim, &plan->actions[i]);
        sim_check_store(sim);
    }
    return plan->count > 0;
}
