/* SPDX-License-Identifier: Apache-2.0 */
#include "units/health_check.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "tests/unit/harness.h"

static json_t *config(const char *text)
{
    json_t *json = NULL;
    assert_int_equal(json_read(text, strlen(text), &json, NULL), 0);
    return json;
}

static char path_of_check[] = "/bin/check";
static char verbose[] = "-v";
static char *unit_command[] = { path_of_check, verbose, NULL };

static void the_image_s_check_holds_where_the_unit_says_none(void **state)
{
    struct container container = { 0 };
    autoptr(health_check) check = NULL;
    autojson image = config("{\"Healthcheck\":{\"Test\":[\"CMD\",\"/bin/ok\",\"a b\"],"
                            "\"Interval\":1500000001,\"Retries\":7,\"StartPeriod\":2000000000}}");
    (void)state;
    assert_int_equal(health_check_make(&container, image, &check, NULL), 0);
    assert_string_equal(check->health.command[1], "a b");
    assert_null(check->health.command[2]);
    assert_int_equal(check->health.interval_ms, 1501);
    assert_int_equal(check->health.timeout_ms, HEALTH_CHECK_TIMEOUT_MS);
    assert_int_equal(check->health.start_period_ms, 2000);
    assert_int_equal(check->health.retries, 7);
}

static void a_shell_test_runs_in_the_image_s_shell(void **state)
{
    struct container container = { 0 };
    autoptr(health_check) plain = NULL;
    autoptr(health_check) own = NULL;
    autojson image = config("{\"Healthcheck\":{\"Test\":[\"CMD-SHELL\",\"a | b\"]}}");
    (void)state;
    assert_int_equal(health_check_make(&container, image, &plain, NULL), 0);
    assert_string_equal(plain->health.command[0], "/bin/sh");
    assert_string_equal(plain->health.command[1], "-c");
    assert_string_equal(plain->health.command[2], "a | b");
    (void)json_object_set_new(image, "Shell", json_pack("[s,s]", "/bin/ash", "-ec"));
    assert_int_equal(health_check_make(&container, image, &own, NULL), 0);
    assert_string_equal(own->health.command[0], "/bin/ash");
    assert_string_equal(own->health.command[1], "-ec");
}

static void what_the_unit_says_wins_word_by_word(void **state)
{
    struct container container = {
        .health = {.interval_ms = 5000, .on_failure = CONTAINER_ON_FAILURE_STOP}
    };
    autoptr(health_check) numbers = NULL;
    autoptr(health_check) command = NULL;
    autojson image = config("{\"Healthcheck\":{\"Test\":[\"CMD\",\"/bin/ok\"],"
                            "\"Interval\":1000000000,\"Timeout\":2000000000}}");
    (void)state;
    assert_int_equal(health_check_make(&container, image, &numbers, NULL), 0);
    assert_string_equal(numbers->health.command[0], "/bin/ok");
    assert_int_equal(numbers->health.interval_ms, 5000);
    assert_int_equal(numbers->health.timeout_ms, 2000);
    assert_int_equal(numbers->health.on_failure, CONTAINER_ON_FAILURE_STOP);
    container.health.command = unit_command;
    assert_int_equal(health_check_make(&container, image, &command, NULL), 0);
    assert_string_equal(command->health.command[0], "/bin/check");
}

static void there_is_none_where_nobody_or_NONE_says_so(void **state)
{
    struct container container = { 0 };
    autoptr(health_check) check = NULL;
    autojson none = config("{\"Healthcheck\":{\"Test\":[\"NONE\"]}}");
    autojson inherit = config("{\"Healthcheck\":{\"Test\":[]}}");
    autojson some = config("{\"Healthcheck\":{\"Test\":[\"CMD\",\"/bin/ok\"]}}");
    (void)state;
    assert_int_equal(health_check_make(&container, NULL, &check, NULL), 0);
    assert_int_equal(health_check_make(&container, none, &check, NULL), 0);
    assert_int_equal(health_check_make(&container, inherit, &check, NULL), 0);
    container.health.disabled = true;
    assert_int_equal(health_check_make(&container, some, &check, NULL), 0);
    container.health.command = unit_command;
    assert_int_equal(health_check_make(&container, some, &check, NULL), 0);
    assert_null(check);
}

static void a_start_that_would_wait_for_ever_is_refused(void **state)
{
    struct container container = { .notify = CONTAINER_NOTIFY_HEALTHY };
    autoptr(health_check) check = NULL;
    struct error err = { 0 };
    (void)state;
    assert_int_equal(health_check_make(&container, NULL, &check, &err), -EINVAL);
    assert_non_null(strstr(err.text, "HealthCmd="));
    container.health.command = unit_command;
    assert_int_equal(health_check_make(&container, NULL, &check, NULL), 0);
    assert_true(check->awaited);
}

static void a_damaged_check_of_the_image_is_refused_with_its_name(void **state)
{
    static const char *const bad[] = {
        "{\"Healthcheck\":{\"Test\":[\"RUN\",\"x\"]}}", "{\"Healthcheck\":{\"Test\":[\"CMD\"]}}",
        "{\"Healthcheck\":{\"Test\":\"CMD\"}}", "{\"Healthcheck\":7}",
        "{\"Healthcheck\":{\"Test\":[\"CMD\",\"x\"],\"Interval\":\"1s\"}}"
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct container container = { 0 };
        struct error err = { 0 };
        autoptr(health_check) check = NULL;
        autojson image = config(bad[i]);
        assert_int_equal(health_check_make(&container, image, &check, &err), -EINVAL);
        assert_non_null(strstr(err.text, "Healthcheck of the image: "));
    }
}

static void what_is_written_is_read_again(void **state)
{
    struct container container = {
        .notify = CONTAINER_NOTIFY_HEALTHY,
        .health = {.command = unit_command,
                   .startup_command = unit_command,
                   .startup_retries = 4,
                   .interval_ms = 1,
                   .on_failure = CONTAINER_ON_FAILURE_RESTART}
    };
    autoptr(health_check) made = NULL;
    autoptr(health_check) read = NULL;
    autofree char *text = NULL;
    autofree char *again = NULL;
    (void)state;
    assert_int_equal(health_check_make(&container, NULL, &made, NULL), 0);
    assert_int_equal(made->health.interval_ms, HEALTH_CHECK_INTERVAL_MIN_MS);
    made->pid = 4711;
    assert_int_equal(health_check_write(made, &text, NULL), 0);
    assert_int_equal(health_check_parse(text, strlen(text), &read, NULL), 0);
    assert_int_equal(health_check_write(read, &again, NULL), 0);
    assert_string_equal(text, again);
    assert_int_equal(read->pid, 4711);
    assert_int_equal(read->health.on_failure, CONTAINER_ON_FAILURE_RESTART);
}

static void half_a_check_is_not_read(void **state)
{
    static const char *const bad[] = { "", "[]", "{}", "{\"pid\":1}",
                                       "{\"pid\":1,\"command\":[\"x\"]}" };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        autoptr(health_check) check = NULL;
        assert_int_equal(health_check_parse(bad[i], strlen(bad[i]), &check, NULL), -EPROTO);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_image_s_check_holds_where_the_unit_says_none),
        cmocka_unit_test(a_shell_test_runs_in_the_image_s_shell),
        cmocka_unit_test(what_the_unit_says_wins_word_by_word),
        cmocka_unit_test(there_is_none_where_nobody_or_NONE_says_so),
        cmocka_unit_test(a_start_that_would_wait_for_ever_is_refused),
        cmocka_unit_test(a_damaged_check_of_the_image_is_refused_with_its_name),
        cmocka_unit_test(what_is_written_is_read_again),
        cmocka_unit_test(half_a_check_is_not_read),
    };
    return cmocka_run_group_tests_name("units/health_check", tests, NULL, NULL);
}
