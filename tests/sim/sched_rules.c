/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "tests/sim/sched.h"

/* --- what must always hold --- */

/* The one exception to one assignment: a second one that says whose successor it is. */
static bool is_move_of_two(struct sim *sim, const struct sim_sort *sort, const char *homes)
{
    char next = sim_successor_of(sim, sort->name);
    if (!sort->first || !next || strlen(homes) != 2)
        return false;
    const char *from =
        sim_field_of(sim_findf(sim, "nodes/%c/units/%s", next, sort->name), "moves_from");
    return *from != next && strchr(homes, *from);
}

static void check_conflicts(struct sim *sim, const struct sim_sort *a, const struct sim_sort *b)
{
    for (size_t i = 0; a != b && a->group && a->group == b->group && i < sim->machines; i++)
        sim_require(sim,
                    !sim_findf(sim, "nodes/%c/units/%s", sim_letter(i), a->name) ||
                        !sim_findf(sim, "nodes/%c/units/%s", sim_letter(i), b->name),
                    "two units in conflict share a machine", a->name);
}

/* Each of the two has to be with the other. */
static void check_twins(struct sim *sim, const struct sim_sort *sort)
{
    char homes[MACHINES_MAX + 1];
    char others[MACHINES_MAX + 1];
    const struct sim_sort *peer = sim_sort_named(sort->peers[0]);
    bool is_mutual = peer && text_equal(peer->peers[0], sort->name);
    if (is_mutual && sim_homes_of(sim, sort->name, homes) > 0 &&
        sim_homes_of(sim, peer->name, others) > 0)
        sim_require(sim, strcmp(homes, others) == 0, "two that follow each other are apart",
                    sort->name);
}

static void check_memory(struct sim *sim, char m)
{
    int used = 0;
    for (size_t i = 0; i < UNITS; i++)
        if (sim_findf(sim, "nodes/%c/units/%s", m, sim_sorts[i].name))
            used += sim_sorts[i].memory;
    sim_require(sim, used <= MEMORY, "a machine has promised too much memory", (char[]){ m, 0 });
}

void sim_check_store(struct sim *sim)
{
    char homes[MACHINES_MAX + 1];
    for (size_t i = 0; i < UNITS; i++) {
        sim_require(sim,
                    sim_homes_of(sim, sim_sorts[i].name, homes) <= 1 ||
                        sim_is_global(sim_sorts[i].name) ||
                        is_move_of_two(sim, &sim_sorts[i], homes),
                    "a unit is on two machines", sim_sorts[i].name);
        check_twins(sim, &sim_sorts[i]);
        for (size_t j = 0; j < UNITS; j++)
            check_conflicts(sim, &sim_sorts[i], &sim_sorts[j]);
    }
    for (size_t i = 0; i < sim->machines; i++)
        check_memory(sim, sim_letter(i));
    size_t count = sim_count_holders(sim, homes);
    sim_require(sim, count <= NODES, "a role has too many holders", homes);
    sim_require(sim, count < 2 || homes[0] != homes[1], "a machine holds a role twice", homes);
}

bool sim_has_reserved(struct sim *sim, const struct sim_sort *sort, char m)
{
    const char *id = sim_field_of(sim_findf(sim, "verdicts/%s", sort->name), "reserved");
    return *id == m && sim_is_wanted(sim, sort);
}

/* What the plan says before of whom it is reserved for is not in the store yet. */
static bool is_said_before(const struct plan *plan, size_t end, const char *unit)
{
    for (size_t i = 0; i < end; i++)
        if ((plan->actions[i].kind == ACTION_VERDICT ||
             plan->actions[i].kind == ACTION_CLEAR_VERDICT) &&
            text_equal(plan->actions[i].unit, unit))
            return true;
    return false;
}

static void check_reserved(struct sim *sim, const struct plan *plan, size_t at)
{
    const struct action *a = &plan->actions[at];
    const struct sim_sort *sort = sim_sort_named(a->unit);
    if (!sort || sort->memory == 0)
        return;
    const struct sim_set party = sim_party(sim, sort);
    for (size_t i = 0; i < UNITS; i++)
        sim_require(sim,
                    party.has[i] || sim_sorts[i].priority < sort->priority ||
                        !sim_has_reserved(sim, &sim_sorts[i], a->machine[0]) ||
                        is_said_before(plan, at, sim_sorts[i].name),
                    "a newcomer where a machine is reserved for another", a->unit);
}

/* It has stopped, and nobody decides on it before its text can be read; or a copy that was to
 * follow it waits for that. */
static bool is_stranded(struct sim *sim, const struct entry *assignment, const char *unit)
{
    const struct sim_sort *sort = sim_sort_named(unit);
    const char *m = &assignment->key[strlen("nodes/")];
    const struct entry *state = sim_findf(sim, "states/%c/%s", *m, unit);
    bool has_stopped = sim_number_of(state, "released_revision") == assignment->mod;
    return sort && sim_is_wanted(sim, sort) && !sim_is_readable(sim, sort) &&
           (has_stopped || !text_equal(sim_field_of(assignment, "want"), "release"));
}

/* A successor whose other copy is gone: nothing is left to be done. */
static bool has_arrived(struct sim *sim, const struct entry *assignment, const char *unit)
{
    char homes[MACHINES_MAX + 1];
    return *sim_field_of(assignment, "moves_from") &&
           text_equal(sim_field_of(assignment, "want"), "run") &&
           sim_homes_of(sim, unit, homes) == 1;
}

/* So few units: one at a time. What runs everywhere stops when its machine has nothing else. */
static size_t count_moving(struct sim *sim)
{
    size_t count = 0;
    for (size_t i = 0; i < KEYS_MAX; i++) {
        bool goes = *sim_field_of(&sim->store[i], "cause") != '\0';
        const char *key = sim->store[i].key;
        const char *unit = goes ? strrchr(key, '/') + 1 : "";
        count += goes && !sim_is_global(unit) && !is_stranded(sim, &sim->store[i], unit) &&
                 !has_arrived(sim, &sim->store[i], unit) &&
                 sim_is_present(sim, key[strlen("nodes/")]);
    }
    return count;
}

static bool has_failed(struct sim *sim, char m, const char *unit)
{
    return text_equal(sim_field_of(sim_findf(sim, "states/%c/%s", m, unit), "active"), "failed");
}

/* A machine that is there says so of the very assignment. */
static bool is_up_on(struct sim *sim, char m, const char *unit)
{
    const struct entry *presence = sim_findf(sim, "nodes/%c/presence", m);
    const struct entry *assignment = sim_findf(sim, "nodes/%c/units/%s", m, unit);
    const struct entry *state = sim_findf(sim, "states/%c/%s", m, unit);
    return presence && assignment && text_equal(sim_field_of(assignment, "want"), "run") &&
           text_equal(sim_field_of(state, "active"), "active") &&
           sim_number_of(state, "assignment_revision") == assignment->mod &&
           sim_number_of(state, "registration") == presence->create;
}

static bool is_up(struct sim *sim, const char *unit)
{
    for (size_t i = 0; i < sim->machines; i++)
        if (is_up_on(sim, sim_letter(i), unit))
            return true;
    return false;
}

/* To take down what is unhealthy costs nobody anything. */
static bool is_healthy(struct sim *sim, const char *unit)
{
    for (size_t i = 0; i < sim->machines; i++)
        if (text_equal(sim_field_of(sim_findf(sim, "states/%c/%s", sim_letter(i), unit), "health"),
                       "unhealthy"))
            return false;
    return true;
}

static bool is_released_by(const struct plan *plan, char m, const char *unit)
{
    for (size_t i = 0; i < plan->count; i++) {
        const struct action *a = &plan->actions[i];
        if (a->kind == ACTION_ASSIGN && a->want == WANT_RELEASE && a->machine[0] == m &&
            text_equal(a->unit, unit))
            return true;
    }
    return false;
}

/* On a machine that is there and is to run it, also after this plan. */
static bool is_another_copy_down(struct sim *sim, const struct plan *plan, char but,
                                 const char *unit)
{
    for (size_t i = 0; i < sim->machines; i++) {
        char m = sim_letter(i);
        const struct entry *e = sim_findf(sim, "nodes/%c/units/%s", m, unit);
        if (m != but && sim_is_present(sim, m) && e && text_equal(sim_field_of(e, "want"), "run") &&
            !is_up_on(sim, m, unit) && !is_released_by(plan, m, unit))
            return true;
    }
    return false;
}

static bool is_another_of_template(const char *unit, const char *other)
{
    const char *at = strchr(unit, '@');
    return at && strncmp(unit, other, (size_t)(at + 1 - unit)) == 0 && !text_equal(unit, other);
}

bool sim_is_another_down(struct sim *sim, const char *unit)
{
    for (size_t i = 0; i < UNITS; i++)
        if (is_another_of_template(unit, sim_sorts[i].name) &&
            sim_is_to_run(sim, sim_sorts[i].name) && !is_up(sim, sim_sorts[i].name))
            return true;
    return false;
}

/* The rollout takes this one down although it runs: then all the others do. */
static bool takes_down(struct sim *sim, const struct plan *plan, const struct action *a)
{
    if (a->kind == ACTION_ASSIGN && action_more(a)->rollout &&
        is_up_on(sim, a->machine[0], a->unit)) {
        sim_require(sim, !is_another_copy_down(sim, plan, a->machine[0], a->unit),
                    "a rollout takes one down while another is down", a->unit);
        return true;
    }
    if (sim_is_global(a->unit ? a->unit : ""))
        return false; /* what runs has its text already */
    if (a->kind != ACTION_UPDATE || !sim_is_to_run(sim, a->unit) || !is_up(sim, a->unit) ||
        !is_healthy(sim, a->unit))
        return false;
    sim_require(sim, !sim_is_another_down(sim, a->unit),
                "a rollout takes one down while another is down", a->unit);
    return true;
}

/* What is tied together is one move: that of the first. */
static bool is_own_move(struct sim *sim, const struct plan *plan, const struct action *a)
{
    const struct sim_sort *sort = sim_sort_named(a->unit);
    const struct sim_set party = sim_party(sim, sort);
    for (size_t i = 0; i < plan->count; i++) {
        const struct action *b = &plan->actions[i];
        const struct sim_sort *other = sim_sort_named(b->unit);
        if (b->cause == a->cause && other && other < sort && party.has[other - sim_sorts] &&
            b->machine[0] == a->machine[0])
            return false;
    }
    return true;
}

/* Its machine may still run it. */
static bool leaves_a_lost_machine(struct sim *sim, const struct action *a)
{
    const struct sim_sort *sort = sim_sort_named(a->unit);
    return a->kind == ACTION_MOVE && sort->stays &&
           !sim_is_present(sim, action_more(a)->from_machine[0]);
}

static bool is_move(struct sim *sim, const struct plan *plan, const struct action *a)
{
    bool begins =
        a->want == WANT_RELEASE ? !sim_successor_of(sim, a->unit) : action_assignment_mod(a) == 0;
    return (a->cause == MOVE_CAUSE_DRAIN || a->cause == MOVE_CAUSE_REBALANCE ||
            a->cause == MOVE_CAUSE_RULE) &&
           begins && !has_failed(sim, a->machine[0], a->unit) && !sim_is_global(a->unit) &&
           is_own_move(sim, plan, a);
}

/* What moves in this order is up somewhere all the while, unless the time of its drain is over. */
static void check_order(struct sim *sim, const struct action *a)
{
    const struct sim_sort *sort = sim_sort_named(a->unit);
    const struct entry *drain = sim_findf(sim, "ops/drain/%c", a->machine ? a->machine[0] : '-');
    int64_t timeout_ms = sim_number_of(drain, "timeout_ms");
    bool is_over = timeout_ms > 0 && sim->now_ms >= sim_number_of(drain, "since_ms") + timeout_ms;
    bool leaves = a->kind == ACTION_ASSIGN && a->want == WANT_RELEASE && sort && sort->first &&
                  (a->cause == MOVE_CAUSE_DRAIN || a->cause == MOVE_CAUSE_REBALANCE);
    if (!leaves || is_over || !sim_is_to_run(sim, a->unit) ||
        !is_up_on(sim, a->machine[0], a->unit))
        return;
    size_t up = 0;
    for (size_t i = 0; i < sim->machines; i++)
        up += is_up_on(sim, sim_letter(i), a->unit);
    sim_require(sim, up == 2, "a move stops what is up nowhere else", a->unit);
}

/* --- no plan contradicts itself --- */

enum { WRITES_MAX = 2 };

static void list_writes(const struct action *a, char *ret[WRITES_MAX])
{
    const struct action_more *more = action_more(a);
    const char *m = a->machine ? a->machine : "";
    const char *unit = a->unit ? a->unit : "";
    ret[1] = NULL;
    if (a->kind == ACTION_MOVE)
        ret[1] = text_format("nodes/%s/units/%s", more->from_machine, unit);
    if (a->kind == ACTION_ASSIGN || a->kind == ACTION_DROP || a->kind == ACTION_MOVE)
        ret[0] = text_format("nodes/%s/units/%s", m, unit);
    else if (a->kind == ACTION_VERDICT || a->kind == ACTION_CLEAR_VERDICT)
        ret[0] = text_format("verdicts/%s", unit);
    else if (a->kind == ACTION_SLOT || a->kind == ACTION_CLEAR_SLOT)
        ret[0] = text_format("slots/%s/%u", more->role, more->index);
    else
        ret[0] = text_format("%s %s/%s/%s", action_kind_name(a->kind), m, unit,
                             more->rollout ? more->rollout : "");
}

static void check_once(struct sim *sim, const struct plan *plan)
{
    autostrv written = NULL;
    for (size_t i = 0; i < plan->count; i++) {
        char *writes[WRITES_MAX] = { NULL };
        list_writes(&plan->actions[i], writes);
        for (size_t j = 0; j < WRITES_MAX && writes[j]; j++) {
            sim_require(sim, !written || !strv_contains(written, writes[j]),
                        "a plan writes a key twice", writes[j]);
            assert_int_equal(strv_add(&written, writes[j], NULL), 0);
            free(writes[j]);
        }
    }
}

/* --- no move without a reason --- */

/* What is taken from a machine that is gone has been gone for a while. */
static void check_debounce(struct sim *sim, const struct action *a)
{
    char m = a->kind == ACTION_MOVE && action_more(a)->from_registration == 0
                 ? action_more(a)->from_machine[0]
             : a->kind == ACTION_DROP && a->registration == 0 ? a->machine[0]
                                                              : 0;
    sim_require(sim, !m || sim->now_ms - sim->absent_since_ms[sim_number(m)] >= PLAN_DEBOUNCE_MS,
                "taken from a machine that may be back", a->unit);
}

/* What the plan decides before may take away what let the unit be there: a slot, whom it follows,
 * or room for it beside who replaces it. */
static bool is_affected(const struct sim_sort *sort, const struct plan *plan,
                        const struct action *a)
{
    const struct sim_set peers = sim_closure(sort);
    for (const struct action *b = plan->actions; b < a; b++) {
        const struct sim_sort *other = sim_sort_named(b->unit);
        if ((sort->role && action_more(b)->role) || (other && peers.has[other - sim_sorts]) ||
            (other && text_equal(sort->replaced_by, other->name)))
            return true;
    }
    return false;
}

/* Some of those that it follows are about to leave. */
static bool is_left_alone(struct sim *sim, const struct sim_sort *sort, char m)
{
    const struct sim_set peers = sim_closure(sort);
    for (size_t i = 0; i < UNITS; i++)
        if (peers.has[i] && &sim_sorts[i] != sort &&
            text_equal(
                sim_field_of(sim_findf(sim, "nodes/%c/units/%s", m, sim_sorts[i].name), "want"),
                "release"))
            return true;
    return false;
}

static void check_release(struct sim *sim, const struct plan *plan, const struct action *a,
                          const char *reason)
{
    const struct sim_sort *sort = sim_sort_named(a->unit);
    if (a->kind != ACTION_ASSIGN || a->want != WANT_RELEASE || a->cause != MOVE_CAUSE_NONE)
        return;
    char homes[MACHINES_MAX + 1];
    char m = a->machine[0];
    sim_require(sim,
                !sim_is_wanted(sim, sort) || !sim_rules_hold(sim, sort, m) ||
                    sim_homes_of(sim, a->unit, homes) > 1 || /* it is up elsewhere */
                    is_left_alone(sim, sort, m) || is_affected(sort, plan, a),
                "a unit leaves though it may stay", reason);
}

/* A leader takes it for let go by another: what was said of its units while it was away last has
 * not been taken back yet. From then on it is, whatever becomes of the verdict. */
static bool seems_let_go(struct sim *sim, char m)
{
    for (size_t i = 0; i < UNITS; i++)
        if (sim_findf(sim, "nodes/%c/units/%s", m, sim_sorts[i].name) &&
            text_equal(sim_field_of(sim_findf(sim, "verdicts/%s", sim_sorts[i].name), "kind"),
                       "nowhere"))
            return true;
    return false;
}

static void note_seemingly_let_go(struct sim *sim)
{
    for (size_t i = 0; i < sim->machines; i++)
        if (!sim_is_present(sim, sim_letter(i)) && seems_let_go(sim, sim_letter(i)))
            sim->seemed_let_go[i] = true;
}

/* An order holds what was lost under it, but for what a role could not do without. */
static void check_held(struct sim *sim, const struct action *a)
{
    char m = a->kind == ACTION_MOVE ? action_more(a)->from_machine[0] : 0;
    char homes[MACHINES_MAX + 1];
    if (m && sim_homes_of(sim, a->unit, homes) == 1 && !sim_is_present(sim, m) &&
        sim->held_since_ms > 0 && !sim->held_a_slot[sim_number(m)] &&
        sim->absent_since_ms[sim_number(m)] >= sim->held_since_ms &&
        sim_findf(sim, "members/%c", m))
        sim_require(sim,
                    action_more(a)->from_registration != 0 || sim->seemed_let_go[sim_number(m)],
                    "a unit is moved that the brake holds", a->unit);
}

/* What runs everywhere is started anew in its turn. */
static void check_turn(struct sim *sim, const struct action *a)
{
    autorecord(rollout) rollout = { 0 };
    if (a->kind != ACTION_ASSIGN || a->want != WANT_RUN || !sim_is_global(a->unit) ||
        action_more(a)->rollout || !is_up_on(sim, a->machine[0], a->unit))
        return;
    sim_read_rollout(sim, GLOBAL, &rollout);
    sim_require(sim,
                action_more(a)->restart_revision <= action_assignment_mod(a) ||
                    (rollout.state != ROLLOUT_RUNNING && rollout.state != ROLLOUT_PAUSED),
                "a copy is started anew before its turn", a->unit);
}

/* Before anything changes under it. */
void sim_check_plan(struct sim *sim, const struct plan *plan)
{
    size_t moves = 0;
    size_t updates[2] = { 0 };
    check_once(sim, plan);
    note_seemingly_let_go(sim);
    for (size_t i = 0; i < plan->count; i++) {
        const struct action *a = &plan->actions[i];
        autofree char *reason = action_reason(a);
        sim_require(sim, reason && *reason, "an action without a reason",
                    action_kind_name(a->kind));
        moves += is_move(sim, plan, a);
        check_order(sim, a);
        check_turn(sim, a);
        updates[sim_is_global(a->unit ? a->unit : "")] += takes_down(sim, plan, a);
        bool arrives =
            a->kind == ACTION_SLOT ||
            ((a->kind == ACTION_MOVE || a->kind == ACTION_ASSIGN) && action_assignment_mod(a) == 0);
        sim_require(sim, !arrives || sim_takes_newcomers(sim, a->machine[0]),
                    "a newcomer for a machine that takes none", reason);
        sim_require(sim, !leaves_a_lost_machine(sim, a), "Failover=never has been moved", a->unit);
        check_release(sim, plan, a, reason);
        check_debounce(sim, a);
        check_held(sim, a);
        if (arrives)
            check_reserved(sim, plan, i);
    }
    sim_require(sim, moves == 0 || (moves == 1 && count_moving(sim) == 0),
                "too many planned moves at a time", "");
    for (size_t i = 0; i < 2; i++)
        sim_require(sim, updates[i] <= 1, "a rollout takes several down at a time",
                    i ? GLOBAL : TEMPLATE);
}
