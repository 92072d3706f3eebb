/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cost of a step follows what has changed, not what there is: the same small event in clusters
 * of two sizes, and how much the next step looked at (struct effort). Nothing is timed.
 */
#include "scheduler/plan.h"

#include <string.h>

#include "base/text.h"
#include "scheduler/askers.h"
#include "scheduler/model_data.h"
#include "scheduler/party.h"
#include "tests/unit/contact.h"
#include "tests/unit/harness.h"
#include "tests/unit/sched_feed.h"

enum { SMALL = 20, LARGE = 200 };

/* --- a cluster --- */

struct cluster {
    struct model *model;
    int64_t revision, now_ms;
};

static void tell(struct cluster *cluster, const char *json, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void tell(struct cluster *cluster, const char *json, const char *format, ...)
{
    char key[128];
    autojson value = NULL;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(key, sizeof(key), format, args);
    va_end(args);
    assert_int_equal(json_read(json, strlen(json), &value, NULL), 0);
    cluster->revision++;
    feed(cluster->model, key, cluster->revision, cluster->revision, value, cluster->now_ms);
}

static void begin(struct cluster *cluster, int machines)
{
    *cluster = (struct cluster){ .now_ms = 1000 };
    assert_int_equal(model_new(&cluster->model, NULL), 0);
    for (int i = 0; i < machines; i++) {
        tell(cluster, "{\"name\":\"n\",\"ttl_ms\":1000,\"memory_bytes\":100}", "members/%032d", i);
        tell(cluster, "{\"nonce\":\"n\",\"ready\":true}", "nodes/%032d/presence", i);
    }
}

/* As the unit is wished now. */
static void assign(struct cluster *cluster, int machine, const char *unit)
{
    autofree char *assignment =
        text_format("{\"blob\":\"b\",\"want\":\"run\",\"unit_revision\":%lld,\"epoch\":1}",
                    (long long)model_unit(cluster->model, unit)->mod);
    tell(cluster, assignment, "nodes/%032d/units/%s", machine, unit);
}

static struct effort step(struct cluster *cluster)
{
    autoptr(plan) plan = NULL;
    const struct plan_clock clock = { cluster->now_ms, &contact_always, cluster->now_ms };
    assert_int_equal(plan_step(cluster->model, &clock, &plan, NULL), 0);
    return cluster->model->effort;
}

/* --- units that replace others --- */

/* On each machine one that nobody may stop, as its text cannot be read. */
static void fill_for_good(struct cluster *cluster, int machines)
{
    for (int i = 0; i < machines; i++) {
        autofree char *name = text_format("old@%d.service", i);
        tell(cluster, "{\"blob\":\"b\",\"desired\":\"launched\",\"problem\":\"unreadable\"}",
             "units/%s", name);
        assign(cluster, i, name);
    }
}

static void want_replacers(struct cluster *cluster, int count)
{
    for (int i = 0; i < count; i++)
        tell(cluster,
             "{\"blob\":\"b\",\"desired\":\"launched\","
             "\"x-fleet\":{\"replaces\":[\"old@*\"],\"memory\":101}}",
             "units/new@%d.service", i);
}

static void what_cannot_be_replaced_is_tried_once_a_group(void **state)
{
    struct cluster cluster;
    (void)state;
    begin(&cluster, SMALL);
    fill_for_good(&cluster, SMALL);
    want_replacers(&cluster, LARGE);
    assert_int_equal(step(&cluster).trials, SMALL);
    model_free(cluster.model);
}

static void who_does_not_wait_any_more_has_no_list_of_machines_to_ask(void **state)
{
    struct cluster cluster;
    (void)state;
    begin(&cluster, SMALL);
    fill_for_good(&cluster, SMALL);
    want_replacers(&cluster, 2);
    (void)step(&cluster);
    assert_int_equal(HASH_COUNT(cluster.model->askers), 1);
    for (int i = 0; i < 2; i++) {
        assert_non_null(cluster.model->askers);
        tell(&cluster,
             "{\"blob\":\"b\",\"desired\":\"inactive\","
             "\"x-fleet\":{\"replaces\":[\"old@*\"],\"memory\":101}}",
             "units/new@%d.service", i);
        (void)step(&cluster);
    }
    assert_null(cluster.model->askers);
    assert_non_null(model_unit(cluster.model, "new@0.service"));
    model_free(cluster.model);
}

static void what_cannot_be_replaced_is_tried_again_where_something_happens(void **state)
{
    struct cluster cluster;
    (void)state;
    begin(&cluster, LARGE);
    fill_for_good(&cluster, LARGE);
    want_replacers(&cluster, SMALL);
    tell(&cluster, "{\"blob\":\"b\",\"desired\":\"launched\"}", "units/one.service");
    assign(&cluster, 7, "one.service");
    assert_int_equal(step(&cluster).trials, LARGE);
    model_drop_assignment(cluster.model, "00000000000000000000000000000007", "one.service");
    model_drop_unit(cluster.model, "one.service");
    assert_int_equal(step(&cluster).trials, 1);
    model_free(cluster.model);
}

/* Writes what it says of units. */
static void step_and_write_verdicts(struct cluster *cluster)
{
    autoptr(plan) plan = NULL;
    const struct plan_clock clock = { cluster->now_ms, &contact_always, cluster->now_ms };
    assert_int_equal(plan_step(cluster->model, &clock, &plan, NULL), 0);
    for (size_t i = 0; i < plan->count; i++) {
        const struct action *action = &plan->actions[i];
        assert_int_equal(action->kind, ACTION_VERDICT);
        autofree char *reason = action_reason(action);
        autofree char *verdict =
            text_format("{\"kind\":\"nowhere\",\"reason\":\"%s\",\"unit_revision\":%lld}", reason,
                        (long long)action->unit_revision);
        tell(cluster, verdict, "verdicts/%s", action->unit);
    }
}

static size_t worded_after_one_leaves(struct cluster *cluster, int machine)
{
    tell(cluster, "{\"blob\":\"b\",\"desired\":\"launched\"}", "units/one.service");
    assign(cluster, machine, "one.service");
    (void)step(cluster);
    assert_int_equal(step(cluster).worded, 0);
    autofree char *id = text_format("%032d", machine);
    model_drop_assignment(cluster->model, id, "one.service");
    model_drop_unit(cluster->model, "one.service");
    assert_true(cluster->model->retry); /* all that wait look again */
    return step(cluster).worded;
}

static void what_waits_is_worded_again_when_it_may_read_otherwise(void **state)
{
    enum { WAITING = 3 };
    struct cluster cluster;
    (void)state;
    begin(&cluster, SMALL);
    fill_for_good(&cluster, SMALL);
    want_replacers(&cluster, WAITING);
    step_and_write_verdicts(&cluster);
    assert_int_equal(step(&cluster).worded, WAITING * REFUSALS_TOLD);
    assert_int_equal(worded_after_one_leaves(&cluster, SMALL - 1), 0);
    assert_int_equal(worded_after_one_leaves(&cluster, 0), WAITING * REFUSALS_TOLD);
    model_free(cluster.model);
}

/* How many units have a turn once something has eased, of which none has any luck. */
static size_t turns_while_waiting(int waiting)
{
    struct cluster cluster;
    begin(&cluster, SMALL);
    fill_for_good(&cluster, SMALL);
    for (int i = 0; i < waiting; i++)
        tell(&cluster,
             "{\"blob\":\"b\",\"desired\":\"launched\","
             "\"x-fleet\":{\"replaces\":[\"old@*\"],\"conflicts\":[\"old@*\"]}}",
             "units/new@%d.service", i);
    step_and_write_verdicts(&cluster);
    assert_int_equal(step(&cluster).turns, SMALL + waiting);
    tell(&cluster, "{\"blob\":\"b\",\"desired\":\"inactive\"}", "units/one.service");
    const size_t turns = step(&cluster).turns;
    model_free(cluster.model);
    return turns;
}

static void of_those_that_wait_alike_one_looks_again(void **state)
{
    (void)state;
    assert_int_equal(turns_while_waiting(SMALL), 2);
    assert_int_equal(turns_while_waiting(LARGE), 2);
}

static void a_trial_makes_nothing_possible_for_others(void **state)
{
    struct cluster cluster;
    (void)state;
    begin(&cluster, SMALL);
    fill_for_good(&cluster, SMALL);
    (void)step(&cluster);
    uint64_t before = cluster.model->index.easings;
    const struct unit *unit = model_unit(cluster.model, "old@0.service");
    struct party_lift lift;
    party_lift_one(cluster.model, unit->placements, &lift);
    assert_int_not_equal(cluster.model->index.easings, before);
    party_set_down(cluster.model, &lift);
    assert_int_equal(cluster.model->index.easings, before);
    party_lift_one(cluster.model, unit->placements, &lift);
    index_ease(cluster.model);
    party_set_down(cluster.model, &lift);
    assert_int_not_equal(cluster.model->index.easings, before);
    model_free(cluster.model);
}

/* --- the budget --- */

static void put_in_zone(struct cluster *cluster, int machine, const char *zone)
{
    autofree char *member =
        text_format("{\"name\":\"n\",\"ttl_ms\":1000,\"metadata\":{\"zone\":\"%s\"}}", zone);
    tell(cluster, member, "members/%032d", machine);
}

/* Its copy there is up. */
static void tell_up(struct cluster *cluster, int machine, const char *unit)
{
    autofree char *id = text_format("%032d", machine);
    const struct placement *p = model_placement(cluster->model, model_machine(cluster->model, id),
                                                model_unit(cluster->model, unit));
    autofree char *state =
        text_format("{\"registration\":%lld,\"assignment_revision\":%lld,\"active\":\"active\"}",
                    (long long)p->key.machine->registration, (long long)p->assignment_mod);
    tell(cluster, state, "states/%s/%s", id, unit);
}

static void start_in_zone(struct cluster *cluster, int machine)
{
    autofree char *name = text_format("web@%d.service", machine);
    put_in_zone(cluster, machine, "z");
    tell(cluster,
         "{\"blob\":\"b\",\"desired\":\"launched\",\"x-fleet\":{\"metadata\":[\"zone=z\"]}}",
         "units/%s", name);
    assign(cluster, machine, name);
    tell_up(cluster, machine, name);
}

/* Three units may not stay where they are. Fewer of them may go at a time, or none, so they are
 * asked about in each step. */
static size_t counted_for_three(int machines)
{
    struct cluster cluster;
    begin(&cluster, machines);
    for (int i = 0; i < machines; i++)
        start_in_zone(&cluster, i);
    (void)step(&cluster);
    for (int i = 0; i < 3; i++)
        put_in_zone(&cluster, i, "elsewhere");
    size_t counted = step(&cluster).counted;
    assert_int_equal(step(&cluster).counted, counted);
    assert_true(cluster.model->moving_count > 0);
    model_free(cluster.model);
    return counted;
}

static void the_budget_counts_what_has_changed(void **state)
{
    (void)state;
    assert_int_equal(counted_for_three(SMALL), counted_for_three(SMALL * 2));
}

/* --- units that run everywhere --- */

/* The effort of a step once one unit has left one machine. */
static struct effort effort_for_one(int machines)
{
    enum { GLOBALS = 3 };
    struct cluster cluster;
    begin(&cluster, machines);
    for (int g = 0; g < GLOBALS; g++) {
        autofree char *name = text_format("everywhere%d.service", g);
        tell(&cluster, "{\"blob\":\"b\",\"desired\":\"launched\",\"x-fleet\":{\"global\":true}}",
             "units/%s", name);
        for (int i = 0; i < machines; i++)
            assign(&cluster, i, name);
    }
    tell(&cluster, "{\"blob\":\"b\",\"desired\":\"launched\"}", "units/one.service");
    assign(&cluster, 7, "one.service");
    assert_int_equal(step(&cluster).asked, GLOBALS * machines);
    (void)step(&cluster);
    model_drop_assignment(cluster.model, "00000000000000000000000000000007", "one.service");
    model_drop_unit(cluster.model, "one.service");
    const struct effort effort = step(&cluster);
    model_free(cluster.model);
    return effort;
}

static void globals_ask_the_machines_that_something_happened_to(void **state)
{
    (void)state;
    assert_int_equal(effort_for_one(SMALL).asked, 3);
    assert_int_equal(effort_for_one(LARGE).asked, 3);
}

static void the_copies_of_globals_are_not_gone_through(void **state)
{
    (void)state;
    assert_true(effort_for_one(SMALL).walked > 0); /* the copy that is gone */
    assert_int_equal(effort_for_one(LARGE).walked, effort_for_one(SMALL).walked);
}

/* --- drains --- */

static void start_pinned(struct cluster *cluster, int machine, const char *name)
{
    tell(cluster,
         "{\"blob\":\"b\",\"desired\":\"launched\",\"x-fleet\":{\"machine_id\":"
         "\"00000000000000000000000000000000\"}}",
         "units/%s", name);
    assign(cluster, machine, name);
    tell_up(cluster, machine, name);
}

static void begin_drain(struct cluster *cluster, int pinned)
{
    autoptr(plan) plan = NULL;
    begin(cluster, LARGE);
    const struct plan_clock clock = { cluster->now_ms, &contact_always, cluster->now_ms };
    for (int i = 0; i < pinned; i++) {
        autofree char *name = text_format("pinned@%d.service", i);
        start_pinned(cluster, 0, name);
    }
    start_in_zone(cluster, LARGE - 1);
    (void)step(cluster);
    tell(cluster, "{}", "cordons/%032d", 0);
    tell(cluster, "{\"since_ms\":1}", "ops/drain/%032d", 0);
    (void)step(cluster);
    assert_int_equal(plan_step(cluster->model, &clock, &plan, NULL), 0);
    assert_int_equal(plan->count, 1);
    autofree char *told =
        text_format("{\"since_ms\":1,\"problem\":\"%s\"}", plan->actions[0].more->drain->problem);
    tell(cluster, told, "ops/drain/%032d", 0);
    assert_int_equal(step(cluster).drained, pinned);
}

static void a_drain_looks_at_those_that_stay_when_something_happens_to_them(void **state)
{
    struct cluster cluster;
    (void)state;
    begin_drain(&cluster, SMALL);
    tell_up(&cluster, LARGE - 1, "web@199.service");
    assert_int_equal(step(&cluster).drained, 0);
    tell_up(&cluster, 0, "pinned@3.service");
    assert_int_equal(step(&cluster).drained, SMALL);
    assert_int_equal(step(&cluster).drained, 0);
    model_look_anew(cluster.model);
    assert_int_equal(step(&cluster).drained, SMALL);
    model_free(cluster.model);
}

/* --- rollouts --- */

static void start_rollout(struct cluster *cluster, const char *name)
{
    autofree char *record = text_format(
        "{\"state\":\"running\",\"blob\":\"b2\",\"previous\":\"b\",\"version\":2,\"parallel\":1,"
        "\"wait_ms\":10000,\"timeout_ms\":300000,\"since_ms\":3,\"since_revision\":%lld,"
        "\"retry_revision\":%lld,\"versions\":["
        "{\"version\":1,\"blob\":\"b\",\"since_ms\":1,\"how\":\"found\",\"good\":true},"
        "{\"version\":2,\"blob\":\"b2\",\"since_ms\":2,\"how\":\"start\",\"good\":false}]}",
        (long long)cluster->revision, (long long)cluster->revision);
    tell(cluster, record, "ops/rollout/%s", name);
}

/* How many are judged or asked in a step that begins one turn, after news of another. */
static size_t judged_after_news(struct cluster *cluster, int machines, const char *name)
{
    assert_true(step(cluster).judged > (size_t)machines);
    tell_up(cluster, machines - 1, name);
    size_t judged = step(cluster).judged;
    model_free(cluster->model);
    return judged;
}

static size_t judged_of_instances(int machines)
{
    struct cluster cluster;
    autofree char *last = text_format("web@%d.service", machines - 1);
    begin(&cluster, machines);
    for (int i = 0; i < machines; i++)
        start_in_zone(&cluster, i);
    (void)step(&cluster);
    start_rollout(&cluster, "web@.service");
    return judged_after_news(&cluster, machines, last);
}

static size_t judged_of_copies(int machines)
{
    struct cluster cluster;
    begin(&cluster, machines);
    tell(&cluster, "{\"blob\":\"b\",\"desired\":\"launched\",\"x-fleet\":{\"global\":true}}",
         "units/web.service");
    for (int i = 0; i < machines; i++) {
        assign(&cluster, i, "web.service");
        tell_up(&cluster, i, "web.service");
    }
    (void)step(&cluster);
    start_rollout(&cluster, "web.service");
    return judged_after_news(&cluster, machines, "web.service");
}

static void a_rollout_judges_those_that_something_happened_to(void **state)
{
    /* One gets its turn, the next does not; what runs everywhere waits for its copies. */
    enum { NEWS = 1, TURNS = 2, LAST = 1 };
    (void)state;
    assert_int_equal(judged_of_instances(SMALL), NEWS + TURNS);
    assert_int_equal(judged_of_instances(LARGE), NEWS + TURNS);
    assert_int_equal(judged_of_copies(SMALL), NEWS + TURNS + LAST);
    assert_int_equal(judged_of_copies(LARGE), NEWS + TURNS + LAST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_be_replaced_is_tried_once_a_group),
        cmocka_unit_test(who_does_not_wait_any_more_has_no_list_of_machines_to_ask),
        cmocka_unit_test(what_cannot_be_replaced_is_tried_again_where_something_happens),
        cmocka_unit_test(what_waits_is_worded_again_when_it_may_read_otherwise),
        cmocka_unit_test(of_those_that_wait_alike_one_looks_again),
        cmocka_unit_test(a_trial_makes_nothing_possible_for_others),
        cmocka_unit_test(the_budget_counts_what_has_changed),
        cmocka_unit_test(globals_ask_the_machines_that_something_happened_to),
        cmocka_unit_test(the_copies_of_globals_are_not_gone_through),
        cmocka_unit_test(a_drain_looks_at_those_that_stay_when_something_happens_to_them),
        cmocka_unit_test(a_rollout_judges_those_that_something_happened_to),
    };
    return cmocka_run_group_tests_name("scheduler/cost", tests, NULL, NULL);
}
