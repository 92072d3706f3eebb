/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/reconcile.h"

#include "tests/unit/harness.h"

static struct unit_facts installed(enum wanted wanted, enum activity activity)
{
    return (struct unit_facts){ .wanted = wanted,
                                .have_text = true,
                                .installed = true,
                                .current = true,
                                .activity = activity,
                                .assignment_revision = 7,
                                .started_revision = 7 };
}

#define assert_step(facts, step) \
    assert_string_equal(unit_step_name(reconcile_step(&(facts))), unit_step_name(step))

static void a_new_assignment_is_fetched_installed_and_started(void **state)
{
    (void)state;
    struct unit_facts facts = { .wanted = WANTED_RUN,
                                .activity = ACTIVITY_UNKNOWN,
                                .assignment_revision = 7 };
    assert_step(facts, UNIT_STEP_NOTHING);
    facts.activity = ACTIVITY_INACTIVE;
    assert_step(facts, UNIT_STEP_FETCH);
    facts.have_text = true;
    assert_step(facts, UNIT_STEP_INSTALL);
    facts.installed = facts.current = true;
    assert_step(facts, UNIT_STEP_START);
    facts.started_revision = 7;
    assert_step(facts, UNIT_STEP_NOTHING);
}

static void what_was_started_is_left_to_systemd(void **state)
{
    static const enum activity all[] = { ACTIVITY_INACTIVE, ACTIVITY_FAILED, ACTIVITY_CHANGING,
                                         ACTIVITY_ACTIVE };
    (void)state;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        struct unit_facts facts = installed(WANTED_RUN, all[i]);
        assert_step(facts, UNIT_STEP_NOTHING);
    }
}

static void a_newer_assignment_of_a_running_unit_restarts_nothing(void **state)
{
    (void)state;
    struct unit_facts facts = installed(WANTED_RUN, ACTIVITY_ACTIVE);
    facts.assignment_revision = 9;
    assert_step(facts, UNIT_STEP_NOTE_STARTED);
    facts.activity = ACTIVITY_FAILED;
    assert_step(facts, UNIT_STEP_RESET);
    facts.activity = ACTIVITY_INACTIVE;
    assert_step(facts, UNIT_STEP_START);
}

static void what_is_to_be_started_anew_is_stopped_once(void **state)
{
    (void)state;
    struct unit_facts facts = installed(WANTED_RUN, ACTIVITY_ACTIVE);
    facts.assignment_revision = 9;
    facts.restart_revision = 8;
    assert_step(facts, UNIT_STEP_STOP);
    facts.activity = ACTIVITY_INACTIVE;
    assert_step(facts, UNIT_STEP_START);
    facts.started_revision = 9;
    facts.activity = ACTIVITY_ACTIVE;
    assert_step(facts, UNIT_STEP_NOTHING);
    facts.assignment_revision = 11; /* another order, and the old wish is still written there */
    assert_step(facts, UNIT_STEP_NOTE_STARTED);
}

static void what_is_to_be_started_anew_and_lies_still_is_started(void **state)
{
    (void)state;
    struct unit_facts facts = installed(WANTED_RUN, ACTIVITY_FAILED);
    facts.assignment_revision = 9;
    facts.restart_revision = 8;
    assert_step(facts, UNIT_STEP_RESET);
    facts.activity = ACTIVITY_INACTIVE;
    assert_step(facts, UNIT_STEP_START);
}

static void a_changed_text_stops_before_it_is_replaced(void **state)
{
    (void)state;
    struct unit_facts facts = installed(WANTED_RUN, ACTIVITY_ACTIVE);
    facts.current = false;
    facts.assignment_revision = 9;
    assert_step(facts, UNIT_STEP_STOP);
    facts.activity = ACTIVITY_FAILED;
    assert_step(facts, UNIT_STEP_RESET);
    facts.activity = ACTIVITY_INACTIVE;
    assert_step(facts, UNIT_STEP_INSTALL);
    facts.current = true;
    facts.need_reload = true;
    assert_step(facts, UNIT_STEP_RELOAD);
    facts.need_reload = false;
    assert_step(facts, UNIT_STEP_START);
}

static void a_release_is_acknowledged_only_when_nothing_is_left(void **state)
{
    (void)state;
    struct unit_facts facts = installed(WANTED_RELEASE, ACTIVITY_UNKNOWN);
    assert_step(facts, UNIT_STEP_NOTHING);
    facts.activity = ACTIVITY_ACTIVE;
    assert_step(facts, UNIT_STEP_STOP);
    facts.activity = ACTIVITY_CHANGING;
    assert_step(facts, UNIT_STEP_STOP);
    facts.activity = ACTIVITY_INACTIVE;
    assert_step(facts, UNIT_STEP_REMOVE);
    facts.installed = false;
    assert_step(facts, UNIT_STEP_RELEASED);
}

static void what_is_unlisted_in_a_doubtful_store_is_left_alone(void **state)
{
    (void)state;
    struct unit_facts facts = installed(WANTED_LEAVE, ACTIVITY_ACTIVE);
    assert_step(facts, UNIT_STEP_NOTHING);
    facts.wanted = WANTED_ABSENT;
    assert_step(facts, UNIT_STEP_STOP);
}

static void of_what_is_unlisted_and_not_installed_nothing_is_kept(void **state)
{
    (void)state;
    struct unit_facts facts = installed(WANTED_LEAVE, ACTIVITY_ACTIVE);
    facts.installed = false;
    assert_step(facts, UNIT_STEP_FORGET);
}

static void loaded_means_installed_and_stopped_once(void **state)
{
    (void)state;
    struct unit_facts facts = installed(WANTED_LOADED, ACTIVITY_ACTIVE);
    facts.started_revision = facts.assignment_revision - 1;
    assert_step(facts, UNIT_STEP_STOP);
    facts.activity = ACTIVITY_FAILED;
    assert_step(facts, UNIT_STEP_RESET);
    facts.activity = ACTIVITY_INACTIVE;
    assert_step(facts, UNIT_STEP_NOTE_STARTED);
    facts.installed = facts.current = false;
    assert_step(facts, UNIT_STEP_INSTALL);
}

static void what_systemd_runs_of_a_loaded_unit_is_left_alone(void **state)
{
    static const enum activity activities[] = { ACTIVITY_ACTIVE, ACTIVITY_CHANGING, ACTIVITY_FAILED,
                                                ACTIVITY_INACTIVE };
    (void)state;
    struct unit_facts facts = installed(WANTED_LOADED, ACTIVITY_ACTIVE);
    facts.started_revision = facts.assignment_revision;
    for (size_t i = 0; i < sizeof(activities) / sizeof(activities[0]); i++) {
        facts.activity = activities[i];
        assert_step(facts, UNIT_STEP_NOTHING);
    }
    facts.activity = ACTIVITY_ACTIVE;
    facts.have_text = facts.current = false; /* a musterd that has just begun */
    assert_step(facts, UNIT_STEP_FETCH);
    facts.have_text = true; /* another text is another matter */
    assert_step(facts, UNIT_STEP_STOP);
}

static void nothing_is_begun_while_a_step_is_under_way(void **state)
{
    (void)state;
    struct unit_facts facts = installed(WANTED_ABSENT, ACTIVITY_ACTIVE);
    facts.busy = true;
    assert_step(facts, UNIT_STEP_NOTHING);
}

static void a_refused_text_is_never_started(void **state)
{
    (void)state;
    struct unit_facts facts = { .wanted = WANTED_RUN,
                                .refused = true,
                                .activity = ACTIVITY_INACTIVE,
                                .assignment_revision = 7 };
    assert_step(facts, UNIT_STEP_NOTHING);
    facts.wanted = WANTED_RELEASE;
    assert_step(facts, UNIT_STEP_RELEASED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_assignment_is_fetched_installed_and_started),
        cmocka_unit_test(what_was_started_is_left_to_systemd),
        cmocka_unit_test(a_newer_assignment_of_a_running_unit_restarts_nothing),
        cmocka_unit_test(what_is_to_be_started_anew_is_stopped_once),
        cmocka_unit_test(what_is_to_be_started_anew_and_lies_still_is_started),
        cmocka_unit_test(a_changed_text_stops_before_it_is_replaced),
        cmocka_unit_test(a_release_is_acknowledged_only_when_nothing_is_left),
        cmocka_unit_test(what_is_unlisted_in_a_doubtful_store_is_left_alone),
        cmocka_unit_test(of_what_is_unlisted_and_not_installed_nothing_is_kept),
        cmocka_unit_test(loaded_means_installed_and_stopped_once),
        cmocka_unit_test(what_systemd_runs_of_a_loaded_unit_is_left_alone),
        cmocka_unit_test(nothing_is_begun_while_a_step_is_under_way),
        cmocka_unit_test(a_refused_text_is_never_started),
    };
    return cmocka_run_group_tests_name("agent/reconcile", tests, NULL, NULL);
}
