/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "tests/sim/sched.h"

/* --- the end: calm --- */

static bool is_absent(struct sim *sim, const struct sim_sort *sort)
{
    char homes[MACHINES_MAX + 1];
    return sim_homes_of(sim, sort->name, homes) > 0 && !sim_is_present(sim, homes[0]);
}

static bool is_home(struct sim *sim, const struct sim_sort *sort)
{
    char homes[MACHINES_MAX + 1];
    return sim_homes_of(sim, sort->name, homes) > 0 && sim_is_present(sim, homes[0]);
}

/* Some of it have a place that they keep. */
static bool is_any_home(struct sim *sim, const struct sim_set *set)
{
    for (size_t i = 0; i < UNITS; i++)
        if (set->has[i] && is_home(sim, &sim_sorts[i]))
            return true;
    return false;
}

/* One that never leaves its lost machine. */
static bool is_any_stuck(struct sim *sim, const struct sim_set *set)
{
    for (size_t i = 0; i < UNITS; i++)
        if (set->has[i] && sim_sorts[i].stays && is_absent(sim, &sim_sorts[i]))
            return true;
    return false;
}

/* Those that would go with a unit that has no place: all that it is placed with; or, where some of
 * these are somewhere, whom it follows of the others. */
static struct sim_set goes_with(struct sim *sim, const struct sim_sort *sort)
{
    struct sim_set party = sim_party(sim, sort);
    if (!is_any_home(sim, &party))
        return party;
    party = sim_closure(sort);
    for (size_t i = 0; i < UNITS; i++)
        party.has[i] = party.has[i] && !is_home(sim, &sim_sorts[i]);
    return party;
}

static void check_homeless(struct sim *sim, const struct sim_sort *sort)
{
    const struct sim_set party = sim_party(sim, sort);
    const struct sim_set set = goes_with(sim, sort);
    sim_require(sim, sim_findf(sim, "verdicts/%s", sort->name) != NULL, "a unit is forgotten",
                sort->name);
    if (sim_waits_for_unwanted(sim, sort) || is_any_stuck(sim, &set) ||
        (is_any_stuck(sim, &party) && !is_any_home(sim, &party)))
        return;
    for (size_t i = 0; i < sim->machines; i++)
        sim_require(sim, !sim_all_fit(sim, &set, sim_letter(i), false),
                    "a unit waits though a machine would do, or less important ones would yield",
                    sort->name);
}

/* What a drained machine still has is what nobody else takes, or what waits for another instance to
 * be up again. */
static void check_drained(struct sim *sim, const struct sim_sort *sort, char home)
{
    struct sim_set set = sim_party(sim, sort);
    const struct entry *drain = sim_findf(sim, "ops/drain/%c", home);
    const struct entry *verdict = sim_findf(sim, "verdicts/%s", sort->name);
    if (!drain || json_is_true(json_object_get(drain->value, "expired")))
        return;
    if (sort->first && text_equal(sim_field_of(verdict, "kind"), "moving"))
        return; /* enough machines have tried */
    for (size_t i = 0; i < UNITS; i++)
        set.has[i] = set.has[i] && sim_findf(sim, "nodes/%c/units/%s", home, sim_sorts[i].name);
    for (size_t i = 0; !sim_is_another_down(sim, sort->name) && i < sim->machines; i++)
        sim_require(sim, !sim_all_fit(sim, &set, sim_letter(i), true),
                    "a drain leaves a unit that another machine takes", sort->name);
    sim_require(sim, *sim_field_of(drain, "problem") != '\0', "a drain does not say what it leaves",
                sort->name);
}

/* And with one text, unless a rollout was left half-way. */
static void check_everywhere(struct sim *sim, const struct sim_sort *sort)
{
    autorecord(rollout) rollout = { 0 };
    sim_read_rollout(sim, sort->name, &rollout);
    const char *text = sim_field_of(sim_findf(sim, "units/%s", sort->name), "blob");
    bool ended = rollout.state != ROLLOUT_RUNNING && rollout.state != ROLLOUT_PAUSED;
    for (size_t i = 0; i < sim->machines; i++) {
        char m = sim_letter(i);
        const struct entry *e = sim_findf(sim, "nodes/%c/units/%s", m, sort->name);
        bool given_back = sim_findf(sim, "ops/drain/%c", m) != NULL;
        bool may = sim_rules_hold(sim, sort, m);
        sim_require(sim, e || given_back || !may || !sim_takes_newcomers(sim, m),
                    "what runs everywhere is missing", (char[]){ m, 0 });
        sim_require(sim, !e || may || !sim_is_present(sim, m),
                    "what runs everywhere is where it must not be", (char[]){ m, 0 });
        if (e && sim_is_present(sim, m) && ended)
            sim_require(
                sim,
                e->mod > sim_number_of(sim_findf(sim, "units/%s", sort->name), "restart_revision"),
                "what runs everywhere has not been started anew", (char[]){ m, 0 });
        if (e && sim_is_present(sim, m) && ended)
            sim_require(sim, text_equal(sim_field_of(e, "blob"), text),
                        "what runs everywhere has an old text", (char[]){ m, 0 });
    }
}

static void check_unit_at_rest(struct sim *sim, const struct sim_sort *sort)
{
    char homes[MACHINES_MAX + 1];
    size_t count = sim_homes_of(sim, sort->name, homes);
    if (!sim_is_wanted(sim, sort)) {
        sim_require(sim, count == 0, "an unwanted unit is still assigned", sort->name);
    } else if (!sim_is_readable(sim, sort)) {
        sim_require(sim, sim_findf(sim, "verdicts/%s", sort->name) != NULL,
                    "nobody says that a text cannot be read", sort->name);
    } else if (sim_is_global(sort->name)) {
        check_everywhere(sim, sort);
    } else if (count == 1 && sim_is_present(sim, homes[0])) {
        sim_require(sim, sim_rules_hold(sim, sort, homes[0]), "a unit is where it must not be",
                    sort->name);
        check_drained(sim, sort, homes[0]);
    } else {
        check_homeless(sim, sort);
    }
}

static bool has_the_text(struct sim *sim, const struct record_rollout *rollout, const char *unit)
{
    const struct entry *e = sim_findf(sim, "units/%s", unit);
    if (!e || !sim_is_instance(unit))
        return true;
    if (rollout->restart) /* or somebody has started it since */
        return e->mod > rollout->since_revision || !sim_is_to_run(sim, unit);
    return text_equal(sim_field_of(e, "blob"), rollout->blob);
}

/* Of five machines one, for one of those that wait for room. */
static void check_reservations(struct sim *sim)
{
    size_t count = 0;
    char homes[MACHINES_MAX + 1];
    for (size_t i = 0; i < UNITS; i++) {
        const char *id = sim_field_of(sim_findf(sim, "verdicts/%s", sim_sorts[i].name), "reserved");
        const struct sim_set set = sim_party(sim, &sim_sorts[i]);
        count += *id != '\0';
        sim_require(sim, !*id || (sim_takes_newcomers(sim, *id) && sim_memory_of(&set) > 0),
                    "a machine is reserved in vain", sim_sorts[i].name);
        sim_require(sim,
                    !*id || sim_homes_of(sim, sim_sorts[i].name, homes) == 0 ||
                        !sim_is_present(sim, homes[0]),
                    "a machine is reserved for a unit that has one", sim_sorts[i].name);
    }
    sim_require(sim, count <= 1, "too many machines are reserved", "");
}

/* What it left is one text, if nobody came between; what does not go on says why. */
static void check_rollout_at_rest(struct sim *sim, const char *name)
{
    autorecord(rollout) rollout = { 0 };
    sim_read_rollout(sim, name, &rollout);
    bool ended = rollout.state == ROLLOUT_DONE || rollout.state == ROLLOUT_ROLLED_BACK;
    sim_require(sim, rollout.state != ROLLOUT_RUNNING || *rollout.reason,
                "a rollout neither ends nor says why", name);
    for (size_t i = 0; ended && !sim_is_global(name) && i < UNITS; i++)
        sim_require(sim, has_the_text(sim, &rollout, sim_sorts[i].name),
                    "a rollout leaves a unit as it was", sim_sorts[i].name);
}

/* What rebalancing could still gain, it has gained. */
static void check_even(struct sim *sim)
{
    struct model_advice *advices = NULL;
    size_t count = 0;
    if (!text_equal(sim_field_of(sim_findf(sim, "ops/rebalance"), "mode"), "auto"))
        return;
    assert_int_equal(model_advise(sim->model, 1, &advices, &count, NULL), 0);
    sim_require(sim, count == 0, "a unit would gain by a move", count ? advices[0].reason : "");
    model_advices_free(advices, count);
}

/* Whose time is over is not waited for: what had a turn has been told to stop. */
static void check_ends_of_drains(struct sim *sim)
{
    for (size_t i = 0; i < sim->machines; i++) {
        char m = sim_letter(i);
        const struct entry *drain = sim_findf(sim, "ops/drain/%c", m);
        int64_t timeout_ms = sim_number_of(drain, "timeout_ms");
        bool is_over =
            drain && timeout_ms > 0 && sim->now_ms >= sim_number_of(drain, "since_ms") + timeout_ms;
        sim_require(sim,
                    !is_over || json_is_true(json_object_get(drain->value, "expired")) ||
                        json_is_true(json_object_get(drain->value, "drained")) ||
                        *sim_field_of(drain, "problem"),
                    "a drain whose time is over neither ends nor says why", (char[]){ m, 0 });
    }
}

void sim_settle(struct sim *sim)
{
    enum { TURNS = 30 };
    int64_t wake_ms = -1;
    bool busy = true;
    for (int turns = 0; busy || wake_ms == sim->now_ms; turns++) {
        sim_require(sim, turns < TURNS, "it plans and plans though nothing happens", "");
        busy = sim_lead(sim, true, &wake_ms);
    }
}

/* People who held machines let them go. */
static void release_brake(struct sim *sim)
{
    if (sim->held_since_ms > 0)
        sim_delf(sim, "ops/brake");
    sim->held_since_ms = 0;
}

static void come_to_rest(struct sim *sim)
{
    int64_t wake_ms = -1;
    bool busy = true;
    for (int round = 0; busy || wake_ms >= 0; round++) {
        sim_require(sim, round < CALM_ROUNDS, "it never comes to rest", "");
        sim->now_ms = !busy && wake_ms > sim->now_ms ? wake_ms : sim->now_ms + 500;
        busy = sim_agents(sim, true);
        busy = sim_lead(sim, true, &wake_ms) || busy;
    }
}

/* --- one machine is lost --- */

/* Whatever happens to a machine that it is not on is no concern of it. */
static bool is_bystander(struct sim *sim, const struct sim_sort *sort)
{
    const struct sim_set closure = sim_closure(sort);
    const struct sim_set party = sim_party(sim, sort);
    for (size_t i = 0; i < UNITS; i++)
        if (&sim_sorts[i] != sort && (closure.has[i] || party.has[i]))
            return false;
    return sort->memory == 0 && !sort->role && !sort->replaced_by && !sim_is_global(sort->name) &&
           !sim_findf(sim, "verdicts/%s", sort->name);
}

static bool is_any_order(struct sim *sim)
{
    for (size_t i = 0; i < sim->machines; i++)
        if (sim_findf(sim, "ops/drain/%c", sim_letter(i)))
            return true;
    return text_equal(sim_field_of(sim_findf(sim, "ops/rollout/%s", TEMPLATE), "state"), "running");
}

static bool is_untouched(struct sim *sim, const struct sim_sort *sort, char home, int64_t mod)
{
    const struct entry *e = sim_findf(sim, "nodes/%c/units/%s", home, sort->name);
    return e && e->mod == mod;
}

/* What only stands by is where it was, untouched. */
static void lose_one(struct sim *sim)
{
    int64_t before[UNITS] = { 0 };
    char homes[UNITS] = "";
    char lost = sim_letter(sim_dice(sim, sim->machines));
    if (!sim_is_present(sim, lost) || is_any_order(sim))
        return;
    for (size_t i = 0; i < UNITS; i++) {
        char all[MACHINES_MAX + 1];
        if (sim_homes_of(sim, sim_sorts[i].name, all) != 1 || *all == lost ||
            !is_bystander(sim, &sim_sorts[i]))
            continue;
        homes[i] = *all;
        before[i] = sim_findf(sim, "nodes/%c/units/%s", *all, sim_sorts[i].name)->mod;
    }
    sim_lose(sim, lost);
    come_to_rest(sim);
    for (size_t i = 0; i < UNITS; i++)
        sim_require(sim, !homes[i] || is_untouched(sim, &sim_sorts[i], homes[i], before[i]),
                    "a unit is touched though another machine is lost", sim_sorts[i].name);
}

void sim_calm_down(struct sim *sim)
{
    int64_t wake_ms = -1;
    sim_settle(sim);
    release_brake(sim);
    come_to_rest(sim);
    for (size_t i = 0; i < UNITS; i++)
        check_unit_at_rest(sim, &sim_sorts[i]);
    check_ends_of_drains(sim);
    check_rollout_at_rest(sim, TEMPLATE);
    check_rollout_at_rest(sim, GLOBAL);
    check_reservations(sim);
    model_touch_all(sim->model);
    model_touch_all(sim->forgetful);
    sim_require(sim, !sim_lead(sim, true, &wake_ms), "an idle leader writes", "");
    check_even(sim);
    /* Which units have just been moved, and are to be left in peace, a leader takes to its grave:
     * the next one may rebalance them at once. */
    if (sim_findf(sim, "ops/rebalance"))
        sim_putf(sim, sim_record("{s:s}", "mode", "off"), "ops/rebalance");
    sim_new_leader(sim);
    sim->now_ms += 60000;
    for (int i = 0; i < 3; i++, sim->now_ms += 60000)
        sim_require(sim, !sim_lead(sim, true, &wake_ms), "a new leader of an idle cluster writes",
                    "");
    lose_one(sim);
}
