/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/health.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/harness.h"

enum { BORN_MS = 1000 };

static char startup_word[] = "true";
static char *startup[] = { startup_word, NULL };

static struct container_health rules(void)
{
    return (struct container_health){
        .interval_ms = 1000,
        .timeout_ms = 300,
        .retries = 3,
        .on_failure = CONTAINER_ON_FAILURE_KILL,
        .startup_interval_ms = 200,
        .startup_timeout_ms = 100,
        .startup_successes = 1,
    };
}

static struct health_actions step(struct health *health, const struct container_health *r,
                                  enum health_event_kind kind, int64_t now_ms)
{
    const struct health_event event = { .kind = kind,
                                        .known = HEALTH_STARTING,
                                        .since_ms = now_ms,
                                        .delay_ms = kind == HEALTH_EVENT_NOT_YET ? 50 : 0 };
    return health_step(health, r, &event, now_ms);
}

static struct health up(const struct container_health *r)
{
    struct health health;
    health_init(&health);
    struct health_actions actions = step(&health, r, HEALTH_EVENT_UP, BORN_MS);
    assert_true(actions.tell && !actions.run);
    assert_int_equal(health.state, HEALTH_STARTING);
    return health;
}

/* One check as soon as it is due, with this outcome; *now_ms moves to its end. */
static struct health_actions check(struct health *health, const struct container_health *r,
                                   enum health_event_kind outcome, int64_t *now_ms)
{
    *now_ms = health->due_ms;
    assert_true(step(health, r, HEALTH_EVENT_TICK, *now_ms).run);
    *now_ms += 5;
    return step(health, r, outcome, *now_ms);
}

static void the_first_check_is_due_at_once_and_the_next_an_interval_after_its_end(void **state)
{
    struct container_health r = rules();
    struct health health = up(&r);
    int64_t now_ms = 0;
    (void)state;
    struct health_actions actions = check(&health, &r, HEALTH_EVENT_PASSED, &now_ms);
    assert_int_equal(now_ms, BORN_MS + 5);
    assert_int_equal(actions.wake_ms, BORN_MS + 5 + 1000);
    assert_false(step(&health, &r, HEALTH_EVENT_TICK, BORN_MS + 5 + 999).run);
}

static void a_pass_makes_it_healthy_and_ready_and_is_told_once(void **state)
{
    struct container_health r = rules();
    struct health health = up(&r);
    int64_t now_ms = 0;
    (void)state;
    struct health_actions actions = check(&health, &r, HEALTH_EVENT_PASSED, &now_ms);
    assert_true(actions.tell && actions.ready);
    assert_int_equal(health.state, HEALTH_HEALTHY);
    actions = check(&health, &r, HEALTH_EVENT_PASSED, &now_ms);
    assert_true(!actions.tell && actions.ready);
}

static void only_failures_in_a_row_make_it_unhealthy(void **state)
{
    struct container_health r = rules();
    struct health health = up(&r);
    int64_t now_ms = 0;
    (void)state;
    (void)check(&health, &r, HEALTH_EVENT_PASSED, &now_ms);
    for (int i = 0; i < 10; i++) {
        (void)check(&health, &r, HEALTH_EVENT_FAILED, &now_ms);
        (void)check(&health, &r, HEALTH_EVENT_FAILED, &now_ms);
        (void)check(&health, &r, HEALTH_EVENT_PASSED, &now_ms);
        assert_int_equal(health.state, HEALTH_HEALTHY);
    }
    (void)check(&health, &r, HEALTH_EVENT_FAILED, &now_ms);
    (void)check(&health, &r, HEALTH_EVENT_FAILED, &now_ms);
    struct health_actions actions = check(&health, &r, HEALTH_EVENT_FAILED, &now_ms);
    assert_int_equal(health.state, HEALTH_UNHEALTHY);
    assert_true(actions.tell);
    assert_int_equal(actions.on_failure, CONTAINER_ON_FAILURE_KILL);
}

static void what_should_follow_a_failure_is_asked_for_until_it_comes_to_pass(void **state)
{
    struct container_health r = rules();
    struct health health = up(&r);
    int64_t now_ms = 0;
    (void)state;
    for (int i = 0; i < 3; i++)
        (void)check(&health, &r, HEALTH_EVENT_FAILED, &now_ms);
    struct health_actions actions = check(&health, &r, HEALTH_EVENT_FAILED, &now_ms);
    assert_int_equal(actions.on_failure, CONTAINER_ON_FAILURE_KILL);
    assert_false(actions.tell);
    actions = check(&health, &r, HEALTH_EVENT_PASSED, &now_ms);
    assert_int_equal(actions.on_failure, CONTAINER_ON_FAILURE_NONE);
    assert_int_equal(health.state, HEALTH_HEALTHY);
}

static void failures_within_the_start_period_are_told_but_not_counted(void **state)
{
    struct container_health r = rules();
    r.start_period_ms = 10000;
    struct health health = up(&r);
    int64_t now_ms = 0;
    (void)state;
    assert_true(check(&health, &r, HEALTH_EVENT_FAILED, &now_ms).tell);
    while (health.due_ms < BORN_MS + 9000)
        assert_false(check(&health, &r, HEALTH_EVENT_FAILED, &now_ms).tell);
    assert_int_equal(health.state, HEALTH_STARTING);
    while (now_ms < BORN_MS + 10000)
        (void)check(&health, &r, HEALTH_EVENT_FAILED, &now_ms);
    (void)check(&health, &r, HEALTH_EVENT_FAILED, &now_ms);
    assert_int_equal(health.state, HEALTH_STARTING);
    (void)check(&health, &r, HEALTH_EVENT_FAILED, &now_ms);
    assert_int_equal(health.state, HEALTH_UNHEALTHY);
}

static void a_pass_ends_the_start_period(void **state)
{
    struct container_health r = rules();
    r.start_period_ms = 100000;
    struct health health = up(&r);
    int64_t now_ms = 0;
    (void)state;
    (void)check(&health, &r, HEALTH_EVENT_PASSED, &now_ms);
    for (int i = 0; i < 3; i++)
        (void)check(&health, &r, HEALTH_EVENT_FAILED, &now_ms);
    assert_int_equal(health.state, HEALTH_UNHEALTHY);
}

static void a_check_beyond_its_time_is_ended_and_has_failed(void **state)
{
    struct container_health r = rules();
    r.retries = 1;
    struct health health = up(&r);
    (void)state;
    struct health_actions actions = step(&health, &r, HEALTH_EVENT_TICK, BORN_MS);
    assert_int_equal(actions.wake_ms, BORN_MS + 300);
    assert_false(step(&health, &r, HEALTH_EVENT_TICK, BORN_MS + 299).end);
    actions = step(&health, &r, HEALTH_EVENT_TICK, BORN_MS + 300);
    assert_true(actions.end && actions.tell);
    assert_int_equal(actions.on_failure, CONTAINER_ON_FAILURE_KILL);
    assert_int_equal(actions.wake_ms, -1); /* no other begins before it is gone */
    assert_false(step(&health, &r, HEALTH_EVENT_TICK, BORN_MS + 5000).run);
    actions = step(&health, &r, HEALTH_EVENT_PASSED, BORN_MS + 5000);
    assert_true(!actions.ready && !actions.tell);
    assert_int_equal(health.state, HEALTH_UNHEALTHY);
    assert_true(step(&health, &r, HEALTH_EVENT_TICK, BORN_MS + 5000).run);
}

static void too_early_is_no_failure(void **state)
{
    struct container_health r = rules();
    r.retries = 1;
    struct health health = up(&r);
    int64_t now_ms = 0;
    (void)state;
    for (int i = 0; i < 5; i++) {
        struct health_actions actions = check(&health, &r, HEALTH_EVENT_NOT_YET, &now_ms);
        assert_true(!actions.tell && actions.wake_ms > now_ms);
        assert_true(actions.wake_ms < now_ms + r.interval_ms);
    }
    assert_int_equal(health.state, HEALTH_STARTING);
}

static void the_check_proper_waits_for_the_startup_check(void **state)
{
    struct container_health r = rules();
    r.startup_command = startup;
    r.startup_successes = 2;
    struct health health = up(&r);
    int64_t now_ms = 0;
    (void)state;
    assert_true(health.startup);
    assert_false(check(&health, &r, HEALTH_EVENT_PASSED, &now_ms).ready);
    (void)check(&health, &r, HEALTH_EVENT_FAILED, &now_ms); /* not in a row */
    (void)check(&health, &r, HEALTH_EVENT_PASSED, &now_ms);
    assert_true(health.startup);
    struct health_actions actions = check(&health, &r, HEALTH_EVENT_PASSED, &now_ms);
    assert_true(!health.startup && !actions.ready);
    assert_int_equal(actions.wake_ms, now_ms);
    assert_true(check(&health, &r, HEALTH_EVENT_PASSED, &now_ms).ready);
    assert_int_equal(health.state, HEALTH_HEALTHY);
}

static void startup_failures_restart_it_whatever_the_check_proper_says(void **state)
{
    struct container_health r = rules();
    r.startup_command = startup;
    r.on_failure = CONTAINER_ON_FAILURE_NONE;
    r.startup_retries = 4;
    r.startup_successes = 3;
    struct health health = up(&r);
    int64_t now_ms = 0;
    (void)state;
    for (int i = 0; i < 3; i++) {
        (void)check(&health, &r, HEALTH_EVENT_FAILED, &now_ms);
        (void)check(&health, &r, HEALTH_EVENT_PASSED, &now_ms);
    }
    assert_int_equal(health.state, HEALTH_STARTING);
    struct health_actions actions = check(&health, &r, HEALTH_EVENT_FAILED, &now_ms);
    assert_int_equal(actions.on_failure, CONTAINER_ON_FAILURE_RESTART);
    assert_int_equal(health.state, HEALTH_UNHEALTHY);
}

static void without_retries_the_startup_check_may_fail_for_ever(void **state)
{
    struct container_health r = rules();
    r.startup_command = startup;
    struct health health = up(&r);
    int64_t now_ms = 0;
    (void)state;
    for (int i = 0; i < 1000; i++)
        assert_int_equal(check(&health, &r, HEALTH_EVENT_FAILED, &now_ms).on_failure,
                         CONTAINER_ON_FAILURE_NONE);
    assert_int_equal(health.state, HEALTH_STARTING);
}

static void unhealthy_stays_after_the_end_until_the_next_begin(void **state)
{
    struct container_health r = rules();
    r.retries = 1;
    struct health health = up(&r);
    int64_t now_ms = 0;
    (void)state;
    (void)check(&health, &r, HEALTH_EVENT_FAILED, &now_ms);
    assert_int_equal(step(&health, &r, HEALTH_EVENT_DOWN, now_ms).wake_ms, -1);
    assert_int_equal(health.state, HEALTH_UNHEALTHY);
    (void)step(&health, &r, HEALTH_EVENT_UP, now_ms);
    (void)check(&health, &r, HEALTH_EVENT_PASSED, &now_ms);
    (void)step(&health, &r, HEALTH_EVENT_DOWN, now_ms);
    assert_int_equal(health.state, HEALTH_NONE);
}

static void a_container_that_goes_takes_its_check_along(void **state)
{
    struct container_health r = rules();
    struct health health = up(&r);
    (void)state;
    (void)step(&health, &r, HEALTH_EVENT_TICK, BORN_MS);
    assert_true(step(&health, &r, HEALTH_EVENT_DOWN, BORN_MS + 10).end);
    (void)step(&health, &r, HEALTH_EVENT_UP, BORN_MS + 20);
    assert_false(step(&health, &r, HEALTH_EVENT_TICK, BORN_MS + 20).run); /* it still ends */
    (void)step(&health, &r, HEALTH_EVENT_FAILED, BORN_MS + 30);
    assert_int_equal(health.failures, 0);
    assert_true(step(&health, &r, HEALTH_EVENT_TICK, BORN_MS + 30).run);
}

static void what_an_earlier_musterd_found_holds_until_a_check_says_otherwise(void **state)
{
    struct container_health r = rules();
    r.startup_command = startup;
    struct health health;
    const struct health_event resumed = {
        .kind = HEALTH_EVENT_UP, .known = HEALTH_UNHEALTHY, .since_ms = 10, .delay_ms = 700
    };
    int64_t now_ms = 0;
    (void)state;
    health_init(&health);
    assert_int_equal(health_step(&health, &r, &resumed, BORN_MS).wake_ms, BORN_MS + 700);
    assert_int_equal(health.state, HEALTH_UNHEALTHY);
    assert_false(health.startup);
    struct health_actions actions = check(&health, &r, HEALTH_EVENT_FAILED, &now_ms);
    assert_int_equal(actions.on_failure, CONTAINER_ON_FAILURE_KILL);
    assert_false(actions.tell);
    (void)check(&health, &r, HEALTH_EVENT_PASSED, &now_ms);
    assert_int_equal(health.state, HEALTH_HEALTHY);
}

/* --- any events, in any order --- */

struct shell {
    struct health health;
    struct container_health rules;
    int64_t now_ms;
    bool running;      /* a check's process is there */
    bool told_to_end;  /* and knows that it shall go */
    int64_t run_until; /* the latest that a check may last */
    int64_t failures;  /* of the check proper, that can be a reason */
};

static struct container_health random_rules(unsigned int *seed)
{
    struct container_health r = rules();
    r.retries = 1 + rand_r(seed) % 4;
    r.start_period_ms = rand_r(seed) % 3 ? 0 : rand_r(seed) % 5000;
    r.startup_command = rand_r(seed) % 2 ? startup : NULL;
    r.startup_retries = rand_r(seed) % 4;
    r.startup_successes = 1 + rand_r(seed) % 3;
    return r;
}

static enum health_event_kind random_event(const struct shell *shell, unsigned int *seed)
{
    int dice = rand_r(seed) % 20;
    if (dice == 0)
        return HEALTH_EVENT_DOWN;
    if (dice == 1 || !shell->health.up)
        return HEALTH_EVENT_UP;
    if (shell->running && dice < 11)
        return dice < 6 ? HEALTH_EVENT_FAILED
                        : (dice < 10 ? HEALTH_EVENT_PASSED : HEALTH_EVENT_NOT_YET);
    return HEALTH_EVENT_TICK;
}

/* What the machine said, held against what the world would be like. */
static void obey(struct shell *shell, enum health_event_kind kind, struct health_actions actions,
                 enum health_state before)
{
    const struct health *health = &shell->health;
    if (actions.end) {
        assert_true(shell->running && !shell->told_to_end);
        shell->told_to_end = true;
    }
    if (actions.run) {
        assert_true(!shell->running && health->up && kind == HEALTH_EVENT_TICK);
        shell->running = true;
        shell->told_to_end = false;
    }
    assert_true(!actions.ready || kind == HEALTH_EVENT_PASSED);
    assert_true(before == health->state || actions.tell);
    assert_true(actions.on_failure == CONTAINER_ON_FAILURE_NONE ||
                (health->up && health->state == HEALTH_UNHEALTHY));
    assert_true(health->up || health->state == HEALTH_NONE || health->state == HEALTH_UNHEALTHY);
    assert_int_equal(shell->running && !shell->told_to_end, health->phase == HEALTH_PHASE_RUN);
    assert_int_equal(shell->running && shell->told_to_end, health->phase == HEALTH_PHASE_END);
    if (health->phase == HEALTH_PHASE_RUN || health->phase == HEALTH_PHASE_WAIT)
        assert_int_equal(actions.wake_ms, health->due_ms); /* nobody sleeps for ever */
    if (health->phase == HEALTH_PHASE_RUN)
        assert_true(health->due_ms <= shell->now_ms + shell->rules.timeout_ms);
    if (before == HEALTH_HEALTHY && health->state == HEALTH_UNHEALTHY && kind != HEALTH_EVENT_UP)
        assert_true(shell->failures >= shell->rules.retries);
}

static void one_random_step(struct shell *shell, unsigned int *seed)
{
    enum health_event_kind kind = random_event(shell, seed);
    enum health_state before = shell->health.state;
    bool counts = shell->running && !shell->told_to_end;
    const struct health_event event = { .kind = kind,
                                        .known = HEALTH_STARTING + rand_r(seed) % 3,
                                        .since_ms = shell->now_ms,
                                        .delay_ms = rand_r(seed) % 100 };
    shell->now_ms += rand_r(seed) % 400;
    bool over = kind >= HEALTH_EVENT_PASSED;
    bool late = kind == HEALTH_EVENT_TICK && shell->now_ms >= shell->health.due_ms;
    if (kind == HEALTH_EVENT_PASSED && counts)
        shell->failures = 0;
    if ((kind == HEALTH_EVENT_FAILED || late) && counts)
        shell->failures++;
    if (kind == HEALTH_EVENT_UP)
        shell->failures = 0;
    if (over)
        shell->running = false;
    struct health_actions actions =
        health_step(&shell->health, &shell->rules, &event, shell->now_ms);
    obey(shell, kind, actions, before);
}

static void whatever_happens_one_check_runs_at_a_time_and_none_for_ever(void **state)
{
    const char *wish = getenv("SEEDS");
    long seeds = wish ? strtol(wish, NULL, 10) : 500;
    (void)state;
    for (long n = 1; n <= seeds; n++) {
        unsigned int seed = (unsigned int)n;
        struct shell shell = { .rules = random_rules(&seed), .now_ms = BORN_MS };
        health_init(&shell.health);
        for (int i = 0; i < 400; i++)
            one_random_step(&shell, &seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_check_is_due_at_once_and_the_next_an_interval_after_its_end),
        cmocka_unit_test(a_pass_makes_it_healthy_and_ready_and_is_told_once),
        cmocka_unit_test(only_failures_in_a_row_make_it_unhealthy),
        cmocka_unit_test(what_should_follow_a_failure_is_asked_for_until_it_comes_to_pass),
        cmocka_unit_test(failures_within_the_start_period_are_told_but_not_counted),
        cmocka_unit_test(a_pass_ends_the_start_period),
        cmocka_unit_test(a_check_beyond_its_time_is_ended_and_has_failed),
        cmocka_unit_test(too_early_is_no_failure),
        cmocka_unit_test(the_check_proper_waits_for_the_startup_check),
        cmocka_unit_test(startup_failures_restart_it_whatever_the_check_proper_says),
        cmocka_unit_test(without_retries_the_startup_check_may_fail_for_ever),
        cmocka_unit_test(unhealthy_stays_after_the_end_until_the_next_begin),
        cmocka_unit_test(a_container_that_goes_takes_its_check_along),
        cmocka_unit_test(what_an_earlier_musterd_found_holds_until_a_check_says_otherwise),
        cmocka_unit_test(whatever_happens_one_check_runs_at_a_time_and_none_for_ever),
    };
    return cmocka_run_group_tests_name("agent/health", tests, NULL, NULL);
}
