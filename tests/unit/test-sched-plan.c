/* SPDX-License-Identifier: Apache-2.0 */
/* What golden cases do not show: comparisons in isolation, and that an idle model costs nothing. */
#include "scheduler/plan.h"

#include <string.h>

#include "base/text.h"
#include "scheduler/party.h"
#include "scheduler/records.h"
#include "scheduler/role_choice.h"
#include "tests/unit/contact.h"
#include "tests/unit/harness.h"
#include "tests/unit/sched_feed.h"

static void tell(struct model *model, const char *key, int64_t mod, const char *json)
{
    autojson value = NULL;
    assert_int_equal(json_read(json, strlen(json), &value, NULL), 0);
    feed(model, key, mod, mod, value, 1000);
}

static size_t step(struct model *model, int64_t now_ms, int64_t *ret_wake_ms)
{
    autoptr(plan) plan = NULL;
    const struct plan_clock clock = { now_ms, &contact_always, now_ms };
    assert_int_equal(plan_step(model, &clock, &plan, NULL), 0);
    if (ret_wake_ms)
        *ret_wake_ms = plan->wake_ms;
    return plan->count;
}

static void spare_is_chosen_by_spread_then_priority_then_roles_then_age_then_id(void **state)
{
    (void)state;
    const struct role_candidate base = { NULL, "b", 0, 100, 0, 10, 0 };
    const struct role_candidate higher = { NULL, "z", 0, 200, 5, 99, 0 };
    const struct role_candidate crowded = { NULL, "a", 1, 255, 0, 1, 0 };
    const struct role_candidate busier = { NULL, "a", 0, 100, 1, 1, 0 };
    const struct role_candidate younger = { NULL, "a", 0, 100, 0, 11, 0 };
    const struct role_candidate twin = { NULL, "c", 0, 100, 0, 10, 0 };
    assert_true(role_candidate_compare(&base, &crowded) < 0);
    assert_true(role_candidate_compare(&higher, &base) < 0);
    assert_true(role_candidate_compare(&base, &busier) < 0);
    assert_true(role_candidate_compare(&base, &younger) < 0);
    assert_true(role_candidate_compare(&base, &twin) < 0);
    assert_true(role_candidate_compare(&twin, &base) > 0);
}

static void only_spread_and_priority_are_worth_a_change_of_hands(void **state)
{
    (void)state;
    const struct role_candidate holder = { NULL, "b", 1, 100, 3, 99, 9 };
    const struct role_candidate alone = { NULL, "a", 0, 50, 0, 1, 0 };
    const struct role_candidate higher = { NULL, "a", 1, 101, 0, 1, 0 };
    const struct role_candidate older = { NULL, "a", 1, 100, 0, 1, 0 };
    assert_true(role_candidate_is_better(&alone, &holder));
    assert_true(role_candidate_is_better(&higher, &holder));
    assert_false(role_candidate_is_better(&older, &holder));
    assert_false(role_candidate_is_better(&holder, &alone));
}

static void surplus_goes_by_spread_then_priority_then_tenure_then_id(void **state)
{
    (void)state;
    const struct role_candidate base = { NULL, "b", 0, 100, 0, 0, 10 };
    const struct role_candidate lower = { NULL, "a", 0, 50, 0, 0, 1 };
    const struct role_candidate crowded = { NULL, "a", 1, 200, 0, 0, 1 };
    const struct role_candidate younger = { NULL, "a", 0, 100, 0, 0, 11 };
    const struct role_candidate twin = { NULL, "c", 0, 100, 0, 0, 10 };
    assert_true(role_surplus_compare(&crowded, &lower) < 0);
    assert_true(role_surplus_compare(&lower, &base) < 0);
    assert_true(role_surplus_compare(&younger, &base) < 0);
    assert_true(role_surplus_compare(&twin, &base) < 0);
    assert_true(role_surplus_compare(&base, &twin) > 0);
}

static void empty_model_wants_nothing(void **state)
{
    (void)state;
    autoptr(model) model = NULL;
    int64_t wake_ms = 0;
    assert_int_equal(model_new(&model, NULL), 0);
    assert_int_equal(step(model, 0, &wake_ms), 0);
    assert_int_equal(wake_ms, -1);
}

static void drops_of_unknown_things_do_nothing(void **state)
{
    (void)state;
    autoptr(model) model = NULL;
    const char *id = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    assert_int_equal(model_new(&model, NULL), 0);
    model_drop_member(model, id, 0);
    model_drop_presence(model, id, 0);
    model_set_cordon(model, id, false);
    model_drop_unit(model, "u.service");
    model_drop_assignment(model, id, "u.service");
    model_drop_state(model, id, "u.service");
    model_drop_verdict(model, "u.service");
    model_drop_role(model, "db");
    model_drop_slot(model, "db", 0);
    assert_int_equal(step(model, 0, NULL), 0);
}

static void questions_about_unknown_things_say_so(void **state)
{
    (void)state;
    autoptr(model) model = NULL;
    struct model_answer *answers = NULL;
    struct metadata_rule *rules = NULL;
    struct error err = { 0 };
    size_t count = 0;
    assert_int_equal(model_new(&model, NULL), 0);
    assert_int_equal(model_why(model, "u.service", &answers, &count, &err), -ENOENT);
    assert_string_equal(err.text, "there is no unit u.service");
    assert_int_equal(model_effective_metadata(model, "x", &rules, &count, &err), -ENOENT);
}

static void state_of_a_running_unit_marks_nothing(void **state)
{
    (void)state;
    autoptr(model) model = NULL;
    assert_int_equal(model_new(&model, NULL), 0);
    tell(model, "members/a", 1, "{\"name\":\"n\",\"ttl_ms\":1000}");
    tell(model, "nodes/a/presence", 2, "{\"nonce\":\"n\",\"ready\":true}");
    tell(model, "units/u.service", 3, "{\"blob\":\"b\",\"desired\":\"launched\"}");
    assert_int_equal(step(model, 1000, NULL), 1);
    tell(model, "nodes/a/units/u.service", 4,
         "{\"blob\":\"b\",\"want\":\"run\",\"unit_revision\":3,\"epoch\":1}");
    tell(model, "states/a/u.service", 5, "{\"registration\":2,\"assignment_revision\":4}");
    assert_int_equal(step(model, 1001, NULL), 0);
    tell(model, "states/a/u.service", 6, "{\"registration\":2,\"assignment_revision\":4}");
    assert_int_equal(step(model, 1002, NULL), 0);
}

/* Chains and cycles of MachineOf= are measured once each, however they branch. */
static void many_peers_of_each_other_are_no_trap(void **state)
{
    (void)state;
    enum { UNITS = 40 };
    autoptr(model) model = NULL;
    autotext peers = { 0 };
    assert_int_equal(model_new(&model, NULL), 0);
    for (int i = 0; i < UNITS; i++)
        text_addf(&peers, "%s\"u%d.service\"", i ? "," : "", i);
    for (int i = 0; i < UNITS; i++) {
        autofree char *key = text_format("units/u%d.service", i);
        autofree char *value = text_format(
            "{\"blob\":\"b\",\"desired\":\"launched\",\"x-fleet\":{\"machine_of\":[%s]}}",
            peers.data);
        tell(model, key, i + 1, value);
    }
    assert_int_equal(step(model, 1000, NULL), UNITS); /* a verdict each */
    tell(model, "members/a", 100, "{\"name\":\"n\",\"ttl_ms\":1000}");
    tell(model, "nodes/a/presence", 101, "{\"nonce\":\"n\",\"ready\":true}");
    assert_int_equal(step(model, 1000, NULL), UNITS); /* an assignment each */
    for (int i = 0; i < UNITS; i++) {
        autofree char *name = text_format("u%d.service", i);
        model_drop_unit(model, name);
    }
    assert_int_equal(step(model, 1001, NULL), 0);
}

static char *only_words(struct model *model, size_t ret_count[static 1])
{
    autoptr(plan) plan = NULL;
    const struct plan_clock clock = { 1000, 0, 1000 };
    assert_int_equal(plan_step(model, &clock, &plan, NULL), 0);
    *ret_count = plan->count;
    char *words = action_reason(&plan->actions[0]);
    for (size_t i = 1; i < plan->count; i++) {
        autofree char *others = action_reason(&plan->actions[i]);
        assert_string_equal(others, words);
    }
    return words;
}

static void more_than_one_transaction_takes_are_no_group(void **state)
{
    (void)state;
    autoptr(model) model = NULL;
    size_t count = 0;
    assert_int_equal(model_new(&model, NULL), 0);
    tell(model, "members/a", 1, "{\"name\":\"n\",\"ttl_ms\":1000}");
    tell(model, "nodes/a/presence", 2, "{\"nonce\":\"n\",\"ready\":true}");
    tell(model, "units/p.service", 3, "{\"blob\":\"b\",\"desired\":\"launched\"}");
    for (int i = 0; i < PARTY_MAX; i++) {
        autofree char *key = text_format("units/q%d.service", i);
        tell(model, key, i + 4,
             "{\"blob\":\"b\",\"desired\":\"launched\","
             "\"x-fleet\":{\"machine_of\":[\"p.service\"]}}");
    }
    autofree char *words = only_words(model, &count);
    assert_int_equal(count, PARTY_MAX + 1);
    assert_string_equal(words, "no machine may run it: MachineOf= ties it to more than 39 others, "
                               "and they would be placed as one");
    model_drop_unit(model, "q7.service");
    autofree char *others = only_words(model, &count);
    assert_int_equal(count, PARTY_MAX);
    assert_string_equal(others, "as a group of 40, p.service first, the only eligible machine (0 "
                                "units)");
}

static void every_kind_and_status_has_a_name(void **state)
{
    (void)state;
    for (enum action_kind kind = ACTION_ASSIGN; kind <= ACTION_CLEAR_SLOT; kind++)
        assert_non_null(action_kind_name(kind));
    for (enum role_status status = ROLE_STATUS_OK; status <= ROLE_STATUS_OFF; status++)
        assert_non_null(role_status_name(status));
    assert_null(action_kind_name(ACTION_INVALID));
    assert_null(role_status_name(ROLE_STATUS_INVALID));
}

/* A copy on each of many machines, and a rollout that may change all of them at once. */
static void tell_of_copies(struct model *model, int machines)
{
    tell(model, "units/g.service", 3,
         "{\"blob\":\"b1\",\"desired\":\"launched\",\"x-fleet\":{\"global\":true}}");
    for (int i = 0; i < machines; i++) {
        autofree char *member = text_format("members/%032d", i);
        autofree char *presence = text_format("nodes/%032d/presence", i);
        autofree char *assignment = text_format("nodes/%032d/units/g.service", i);
        autofree char *state = text_format("states/%032d/g.service", i);
        tell(model, member, 1, "{\"name\":\"n\",\"ttl_ms\":1000}");
        tell(model, presence, 2, "{\"nonce\":\"n\",\"ready\":true}");
        tell(model, assignment, 4,
             "{\"blob\":\"b1\",\"want\":\"run\",\"unit_revision\":3,\"epoch\":1}");
        tell(model, state, 5,
             "{\"registration\":2,\"assignment_revision\":4,\"active\":\"active\"}");
    }
    tell(model, "ops/rollout/g.service", 6,
         "{\"state\":\"running\",\"blob\":\"b2\",\"previous\":\"b1\",\"version\":2,"
         "\"percent\":100,\"wait_ms\":10000,\"timeout_ms\":300000,\"since_ms\":3,"
         "\"since_revision\":5,\"retry_revision\":5,\"versions\":["
         "{\"version\":1,\"blob\":\"b1\",\"since_ms\":1,\"how\":\"found\",\"good\":true},"
         "{\"version\":2,\"blob\":\"b2\",\"since_ms\":2,\"how\":\"start\",\"good\":false}]}");
}

/* Not more at once than one transaction takes with the record. */
static void turns_are_joined_to_the_record_that_lists_them(void **state)
{
    (void)state;
    enum { MACHINES = 60, TURNS = 40 };
    autoptr(model) model = NULL;
    autoptr(plan) plan = NULL;
    autorecord(rollout) record = { 0 };
    const struct plan_clock clock = { 1000, &contact_always, 1000 };
    assert_int_equal(model_new(&model, NULL), 0);
    tell_of_copies(model, MACHINES);
    assert_int_equal(plan_step(model, &clock, &plan, NULL), 0);
    assert_int_equal(plan->count, TURNS + 1);
    for (size_t i = 0; i < plan->count; i++)
        assert_int_equal(plan->actions[i].is_joined, i > 0);
    const struct action *last = &plan->actions[TURNS];
    assert_int_equal(last->kind, ACTION_ROLLOUT);
    const char *text = action_more(last)->record;
    assert_int_equal(record_rollout_decode(text, strlen(text), &record, NULL), 0);
    assert_int_equal(strv_length(record.changing), TURNS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spare_is_chosen_by_spread_then_priority_then_roles_then_age_then_id),
        cmocka_unit_test(only_spread_and_priority_are_worth_a_change_of_hands),
        cmocka_unit_test(surplus_goes_by_spread_then_priority_then_tenure_then_id),
        cmocka_unit_test(empty_model_wants_nothing),
        cmocka_unit_test(drops_of_unknown_things_do_nothing),
        cmocka_unit_test(questions_about_unknown_things_say_so),
        cmocka_unit_test(state_of_a_running_unit_marks_nothing),
        cmocka_unit_test(many_peers_of_each_other_are_no_trap),
        cmocka_unit_test(more_than_one_transaction_takes_are_no_group),
        cmocka_unit_test(turns_are_joined_to_the_record_that_lists_them),
        cmocka_unit_test(every_kind_and_status_has_a_name),
    };
    return cmocka_run_group_tests_name("scheduler/plan", tests, NULL, NULL);
}
