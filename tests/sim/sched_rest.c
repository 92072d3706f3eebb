/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "tests/sim/sched.h"

/* --- the end: calm --- */

static const char *metadata_of(struct sim *sim, char m, const char *key)
{
    const struct entry *member = sim_findf(sim, "members/%c", m);
    return json_string_value(json_object_get(json_object_get(member->value, "metadata"), key));
}

static bool role_fits(struct sim *sim, char m, const char *wish)
{
    char holders[MACHINES + 1];
    (void)sim_count_holders(sim, holders);
    if (strchr(holders, m))
        return strcmp(wish, "active") == 0;
    const char *priority = sim_field_of(sim_findf(sim, "members/%c", m), "role_priority");
    return strcmp(wish, "standby") == 0 && strcmp(priority, "db=0") != 0;
}

/* Where its twin is; or where that may be, too, if the two are to go there from wherever they are.
 */
static bool twin_comes(struct sim *sim, const struct sim_sort *sort, char m)
{
    char home[MACHINES + 1];
    char other[MACHINES + 1];
    const struct sim_sort *twin = sim_sort_named(sort->twin);
    (void)sim_homes_of(sim, sort->name, home);
    (void)sim_homes_of(sim, twin->name, other);
    if (!sim_is_wanted(sim, twin))
        return false;
    if (other[0] == m)
        return true;
    return strcmp(home, other) == 0 &&
           (!twin->rack || strcmp(metadata_of(sim, m, "rack"), twin->rack) == 0);
}

static bool rules_hold(struct sim *sim, const struct sim_sort *sort, char m)
{
    if (sort->rack && strcmp(metadata_of(sim, m, "rack"), sort->rack) != 0)
        return false;
    if (sort->role && !role_fits(sim, m, sort->role))
        return false;
    if (sort->twin && !twin_comes(sim, sort, m))
        return false;
    if (sort->peer && !sim_findf(sim, "nodes/%c/units/%s", m, sort->peer))
        return false;
    for (size_t i = 0; i < UNITS; i++)
        if (&sim_sorts[i] != sort && sort->group && sim_sorts[i].group == sort->group &&
            sim_findf(sim, "nodes/%c/units/%s", m, sim_sorts[i].name))
            return false;
    return true;
}

/* Is there room for it beside those of its priority or a higher one (or beside all)? */
static bool has_room(struct sim *sim, const struct sim_sort *sort, char m, bool beside_all)
{
    int used = 0;
    const struct sim_sort *twin = sim_sort_named(sort->twin);
    int asked = sim_memory_of(sort);
    for (size_t i = 0; i < UNITS; i++)
        if (&sim_sorts[i] != sort && &sim_sorts[i] != twin &&
            (beside_all || sim_sorts[i].priority >= sort->priority) &&
            sim_findf(sim, "nodes/%c/units/%s", m, sim_sorts[i].name))
            used += sim_sorts[i].memory;
    return asked == 0 || used + asked <= MEMORY;
}

/* What a drained machine still has is what nobody else takes, or what waits for another instance to
 * be up again. */
static void check_drained(struct sim *sim, const struct sim_sort *sort, char home)
{
    const struct entry *drain = sim_findf(sim, "ops/drain/%c", home);
    const struct entry *verdict = sim_findf(sim, "verdicts/%s", sort->name);
    if (!drain || json_is_true(json_object_get(drain->value, "expired")))
        return;
    if (sort->first && text_equal(sim_field_of(verdict, "kind"), "moving"))
        return; /* enough machines have tried */
    for (size_t i = 0; !sim_is_another_down(sim, sort->name) && i < MACHINES; i++)
        sim_require(sim,
                    !sim_takes_newcomers(sim, sim_letter(i)) ||
                        !rules_hold(sim, sort, sim_letter(i)) ||
                        !has_room(sim, sort, sim_letter(i), true) ||
                        sim_is_reserved(sim, sort, sim_letter(i)),
                    "a drain leaves a unit that another machine takes", sort->name);
    sim_require(sim, *sim_field_of(drain, "problem") != '\0', "a drain does not say what it leaves",
                sort->name);
}

/* And with one text, unless a rollout was left half-way. */
static void check_everywhere(struct sim *sim, const char *unit)
{
    autorecord(rollout) rollout = { 0 };
    sim_read_rollout(sim, unit, &rollout);
    const char *text = sim_field_of(sim_findf(sim, "units/%s", unit), "blob");
    bool ended = rollout.state != ROLLOUT_RUNNING && rollout.state != ROLLOUT_PAUSED;
    for (size_t i = 0; i < MACHINES; i++) {
        char m = sim_letter(i);
        const struct entry *e = sim_findf(sim, "nodes/%c/units/%s", m, unit);
        bool given_back = sim_findf(sim, "ops/drain/%c", m) != NULL;
        sim_require(sim, e || given_back || !sim_takes_newcomers(sim, m),
                    "what runs everywhere is missing", (char[]){ m, 0 });
        if (e && sim_is_present(sim, m) && ended)
            sim_require(sim, text_equal(sim_field_of(e, "blob"), text),
                        "what runs everywhere has an old text", (char[]){ m, 0 });
    }
}

static void check_unit_at_rest(struct sim *sim, const struct sim_sort *sort)
{
    char homes[MACHINES + 1];
    size_t count = sim_homes_of(sim, sort->name, homes);
    if (!sim_is_wanted(sim, sort)) {
        sim_require(sim, count == 0, "an unwanted unit is still assigned", sort->name);
        return;
    }
    if (sim_is_global(sort->name)) {
        check_everywhere(sim, sort->name);
        return;
    }
    if (count == 1 && sim_is_present(sim, homes[0])) {
        sim_require(sim, rules_hold(sim, sort, homes[0]), "a unit is where it must not be",
                    sort->name);
        check_drained(sim, sort, homes[0]);
        return;
    }
    sim_require(sim, sim_findf(sim, "verdicts/%s", sort->name) != NULL, "a unit is forgotten",
                sort->name);
    for (size_t i = 0; !(count == 1 && sort->stays) && i < MACHINES; i++)
        sim_require(sim,
                    !sim_takes_newcomers(sim, sim_letter(i)) ||
                        !rules_hold(sim, sort, sim_letter(i)) ||
                        !has_room(sim, sort, sim_letter(i), false) ||
                        sim_is_reserved(sim, sort, sim_letter(i)),
                    "a unit waits though a machine would do, or less important ones would yield",
                    sort->name);
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
    char homes[MACHINES + 1];
    for (size_t i = 0; i < UNITS; i++) {
        const char *id = sim_field_of(sim_findf(sim, "verdicts/%s", sim_sorts[i].name), "reserved");
        count += *id != '\0';
        sim_require(sim,
                    !*id || (sim_takes_newcomers(sim, *id) && sim_memory_of(&sim_sorts[i]) > 0),
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

void sim_calm_down(struct sim *sim)
{
    int64_t wake_ms = -1;
    bool busy = true;
    for (int round = 0; busy || wake_ms >= 0; round++) {
        sim_require(sim, round < CALM_ROUNDS, "it never comes to rest", "");
        sim->now_ms = !busy && wake_ms > sim->now_ms ? wake_ms : sim->now_ms + 500;
        busy = sim_agents(sim, true);
        busy = sim_lead(sim, true, &wake_ms) || busy;
    }
    for (size_t i = 0; i < UNITS; i++)
        check_unit_at_rest(sim, &sim_sorts[i]);
    check_rollout_at_rest(sim, TEMPLATE);
    check_rollout_at_rest(sim, GLOBAL);
    check_reservations(sim);
    model_touch_all(sim->model);
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
}
