/* SPDX-License-Identifier: Apache-2.0 */
#include "api/wait.h"

#include <string.h>

#include "tests/unit/harness.h"

enum { R = 10, ASSIGNED = 12, REGISTRATION = 5 };

/* A cluster in which the unit was started at R, placed at 12 and reported active. */
struct scene {
    struct record_assignment assignment;
    struct record_state state;
    struct record_verdict verdict;
    struct wait_copy copy;
    struct wait_facts facts;
};

static char empty[] = "";
static char active[] = "active";
static char inactive[] = "inactive";
static char failed[] = "failed";
static char success[] = "success";
static char exit_code[] = "exit-code";
static char invocation[] = "4f2a";
static char reason[] = "n1: wants disk=ssd";
static char problem[] = "the image is not there";

static void set_scene(struct scene *scene)
{
    memset(scene, 0, sizeof(*scene));
    scene->assignment.want = WANT_RUN;
    scene->assignment.unit_revision = R;
    scene->state.registration = REGISTRATION;
    scene->state.assignment_revision = ASSIGNED;
    scene->state.load = scene->state.sub = scene->state.problem = scene->state.invocation = empty;
    scene->state.active = active;
    scene->state.result = success;
    scene->verdict.unit_revision = R;
    scene->verdict.reason = reason;
    scene->copy.machine = "m";
    scene->copy.assignment_mod = ASSIGNED;
    scene->copy.registration = REGISTRATION;
    scene->facts.store_revision = 20;
    scene->facts.unit_mod = R;
    scene->facts.desired = DESIRED_LAUNCHED;
    scene->facts.has_leader = true;
    scene->facts.copy_count = 1;
    scene->copy.assignment = &scene->assignment;
    scene->copy.state = &scene->state;
    scene->facts.copies = &scene->copy;
}

static enum wait_state ask(const struct scene *scene, enum wait_goal goal)
{
    struct wait_answer answer;
    wait_evaluate(&scene->facts, goal, R, &answer);
    return answer.state;
}

static void active_under_the_right_revisions_is_done(void **state)
{
    struct scene scene;
    (void)state;
    set_scene(&scene);
    assert_int_equal(ask(&scene, WAIT_GOAL_LAUNCHED), WAIT_STATE_DONE);
}

static void nothing_older_than_the_change_counts(void **state)
{
    struct scene scene;
    (void)state;
    set_scene(&scene);
    scene.facts.store_revision = R - 1;
    assert_int_equal(ask(&scene, WAIT_GOAL_LAUNCHED), WAIT_STATE_WAITING);
    set_scene(&scene);
    scene.assignment.unit_revision = R - 1;
    assert_int_equal(ask(&scene, WAIT_GOAL_LAUNCHED), WAIT_STATE_WAITING);
    set_scene(&scene);
    scene.state.assignment_revision = ASSIGNED - 1;
    assert_int_equal(ask(&scene, WAIT_GOAL_LAUNCHED), WAIT_STATE_WAITING);
    set_scene(&scene);
    scene.state.registration = REGISTRATION - 1;
    assert_int_equal(ask(&scene, WAIT_GOAL_LAUNCHED), WAIT_STATE_WAITING);
    set_scene(&scene);
    scene.copy.assignment = NULL;
    scene.verdict.unit_revision = R - 1;
    scene.facts.verdict = &scene.verdict;
    assert_int_equal(ask(&scene, WAIT_GOAL_LAUNCHED), WAIT_STATE_WAITING);
}

static void failing_is_told_with_its_result(void **state)
{
    struct scene scene;
    struct wait_answer answer;
    (void)state;
    set_scene(&scene);
    scene.state.active = failed;
    scene.state.result = exit_code;
    wait_evaluate(&scene.facts, WAIT_GOAL_LAUNCHED, R, &answer);
    assert_int_equal(answer.state, WAIT_STATE_FAILED);
    assert_non_null(strstr(answer.reason, "exit-code"));
    scene.state.problem = problem;
    wait_evaluate(&scene.facts, WAIT_GOAL_LAUNCHED, R, &answer);
    assert_string_equal(answer.reason, problem);
}

static void a_oneshot_that_ran_is_done_one_that_has_not_run_is_not(void **state)
{
    struct scene scene;
    (void)state;
    set_scene(&scene);
    scene.state.active = inactive;
    assert_int_equal(ask(&scene, WAIT_GOAL_LAUNCHED), WAIT_STATE_WAITING);
    scene.state.invocation = invocation;
    assert_int_equal(ask(&scene, WAIT_GOAL_LAUNCHED), WAIT_STATE_DONE);
}

static void a_verdict_is_told_and_for_a_stop_means_stopped(void **state)
{
    struct scene scene;
    struct wait_answer answer;
    (void)state;
    set_scene(&scene);
    scene.facts.copy_count = 0;
    scene.facts.verdict = &scene.verdict;
    wait_evaluate(&scene.facts, WAIT_GOAL_LAUNCHED, R, &answer);
    assert_int_equal(answer.state, WAIT_STATE_UNPLACEABLE);
    assert_string_equal(answer.reason, reason);
    scene.facts.desired = DESIRED_LOADED;
    assert_int_equal(ask(&scene, WAIT_GOAL_STOPPED), WAIT_STATE_DONE);
}

static void a_stop_under_way_is_told_only_when_it_takes_long(void **state)
{
    static char deactivating[] = "deactivating";
    struct scene scene;
    struct wait_answer answer;
    (void)state;
    set_scene(&scene);
    scene.assignment.want = WANT_LOADED;
    scene.facts.desired = DESIRED_LOADED;
    scene.state.active = deactivating;
    wait_evaluate(&scene.facts, WAIT_GOAL_STOPPED, R, &answer);
    assert_int_equal(answer.state, WAIT_STATE_WAITING);
    assert_string_equal(answer.reason, "");
    scene.facts.silent = true;
    wait_evaluate(&scene.facts, WAIT_GOAL_STOPPED, R, &answer);
    assert_int_equal(answer.state, WAIT_STATE_WAITING);
    assert_string_equal(answer.reason, "deactivating on m");
}

static void silence_says_whether_a_leader_is_there(void **state)
{
    struct scene scene;
    struct wait_answer answer;
    (void)state;
    set_scene(&scene);
    scene.facts.copy_count = 0;
    wait_evaluate(&scene.facts, WAIT_GOAL_LAUNCHED, R, &answer);
    assert_string_equal(answer.reason, "");
    scene.facts.silent = true;
    wait_evaluate(&scene.facts, WAIT_GOAL_LAUNCHED, R, &answer);
    assert_string_equal(answer.reason, "waiting for the leader to choose a machine");
    assert_false(answer.leaderless);
    scene.facts.has_leader = false;
    wait_evaluate(&scene.facts, WAIT_GOAL_LAUNCHED, R, &answer);
    assert_true(answer.leaderless);
    assert_non_null(strstr(answer.reason, "no leader"));
}

static void a_stop_on_an_absent_machine_is_only_recorded(void **state)
{
    struct scene scene;
    (void)state;
    set_scene(&scene);
    scene.copy.registration = 0;
    assert_int_equal(ask(&scene, WAIT_GOAL_LAUNCHED), WAIT_STATE_WAITING);
    scene.facts.desired = DESIRED_INACTIVE;
    assert_int_equal(ask(&scene, WAIT_GOAL_INACTIVE), WAIT_STATE_ABSENT);
    scene.facts.desired = DESIRED_LOADED;
    scene.assignment.want = WANT_LOADED;
    assert_int_equal(ask(&scene, WAIT_GOAL_STOPPED), WAIT_STATE_ABSENT);
}

static void gone_means_no_unit_no_assignment_and_no_state(void **state)
{
    struct scene scene;
    (void)state;
    set_scene(&scene);
    assert_int_equal(ask(&scene, WAIT_GOAL_GONE), WAIT_STATE_OVERTAKEN);
    scene.facts.unit_mod = 0;
    assert_int_equal(ask(&scene, WAIT_GOAL_GONE), WAIT_STATE_WAITING);
    scene.copy.assignment = NULL;
    assert_int_equal(ask(&scene, WAIT_GOAL_GONE), WAIT_STATE_WAITING);
    scene.copy.state = NULL;
    assert_int_equal(ask(&scene, WAIT_GOAL_GONE), WAIT_STATE_DONE);
}

static void a_problem_counts_for_a_leave_once_the_leave_was_tried(void **state)
{
    struct scene scene;
    struct wait_answer answer;
    (void)state;
    set_scene(&scene);
    scene.facts.unit_mod = 0;
    scene.state.problem = problem;
    wait_evaluate(&scene.facts, WAIT_GOAL_GONE, R, &answer);
    assert_string_equal(answer.reason, "");
    scene.assignment.want = WANT_RELEASE;
    wait_evaluate(&scene.facts, WAIT_GOAL_GONE, R, &answer);
    assert_int_equal(answer.state, WAIT_STATE_WAITING);
    assert_non_null(strstr(answer.reason, problem));
}

static void whoever_is_overtaken_is_told(void **state)
{
    struct scene scene;
    (void)state;
    set_scene(&scene);
    scene.facts.desired = DESIRED_INACTIVE;
    assert_int_equal(ask(&scene, WAIT_GOAL_LAUNCHED), WAIT_STATE_OVERTAKEN);
    scene.facts.unit_mod = 0;
    assert_int_equal(ask(&scene, WAIT_GOAL_LAUNCHED), WAIT_STATE_OVERTAKEN);
}

static void a_successor_that_fails_leaves_the_copy_that_it_was_to_follow(void **state)
{
    struct scene scene;
    struct wait_answer answer;
    struct wait_copy copies[2];
    struct record_assignment assignment = { .want = WANT_RUN, .unit_revision = R - 1 };
    struct record_state old = { .registration = REGISTRATION, .active = active };
    (void)state;
    set_scene(&scene);
    scene.assignment.moves_from = reason; /* of whatever name */
    scene.state.active = failed;
    scene.state.result = exit_code;
    copies[0] = (struct wait_copy){
        .machine = "old", .assignment = &assignment, .state = &old, .registration = REGISTRATION
    };
    copies[1] = scene.copy;
    scene.facts.copies = copies;
    scene.facts.copy_count = 2;
    wait_evaluate(&scene.facts, WAIT_GOAL_LAUNCHED, R, &answer);
    assert_int_equal(answer.state, WAIT_STATE_FAILED);
    assert_string_equal(answer.machine, "m");
    assert_string_equal(answer.reason,
                        "the copy on old, which it was to follow, runs on; failed (), result: "
                        "exit-code; its journal there says why");
    copies[0].registration++;
    wait_evaluate(&scene.facts, WAIT_GOAL_LAUNCHED, R, &answer);
    assert_string_equal(answer.reason, "failed (), result: exit-code; its journal there says why");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(active_under_the_right_revisions_is_done),
        cmocka_unit_test(nothing_older_than_the_change_counts),
        cmocka_unit_test(failing_is_told_with_its_result),
        cmocka_unit_test(a_oneshot_that_ran_is_done_one_that_has_not_run_is_not),
        cmocka_unit_test(a_verdict_is_told_and_for_a_stop_means_stopped),
        cmocka_unit_test(a_stop_under_way_is_told_only_when_it_takes_long),
        cmocka_unit_test(silence_says_whether_a_leader_is_there),
        cmocka_unit_test(a_stop_on_an_absent_machine_is_only_recorded),
        cmocka_unit_test(gone_means_no_unit_no_assignment_and_no_state),
        cmocka_unit_test(a_problem_counts_for_a_leave_once_the_leave_was_tried),
        cmocka_unit_test(whoever_is_overtaken_is_told),
        cmocka_unit_test(a_successor_that_fails_leaves_the_copy_that_it_was_to_follow),
    };
    return cmocka_run_group_tests_name("api/wait", tests, NULL, NULL);
}
