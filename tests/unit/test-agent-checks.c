/* SPDX-License-Identifier: Apache-2.0 */
/* The checks of containers that are not there, by a helper that does as a file says. */
#include "agent/checks.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/systemd_fake.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "tests/unit/harness.h"
#include "tests/unit/tree.h"

#define UNIT "web.service"

enum { PID = 4711, PATIENCE_MS = 30000 };

/* Notes that it was called, and by which name; then it is what "behaviour" holds. */
static const char helper_text[] = "#!/bin/sh\n"
                                  "dir=${0%/*}\n"
                                  "echo \"$$ $*\" >>$dir/calls\n"
                                  ". $dir/behaviour\n";

struct world {
    struct loop *loop;
    struct systemd *systemd;
    struct checks *checks;
    char dir[64];
    char helper[96];
    int changes;
    struct loop_timer *again; /* what a helper does is no event of the loop */
};

static void on_status(const char *unit, const struct systemd_status *status, void *userdata)
{
    struct world *world = userdata;
    checks_on_status(world->checks, unit, status);
}

static void on_again(struct loop_timer *timer, void *userdata)
{
    (void)timer;
    (void)userdata;
}

static void on_connected(bool connected, void *userdata)
{
    (void)connected;
    (void)userdata;
}

static void on_change(const char *unit, void *userdata)
{
    struct world *world = userdata;
    assert_non_null(unit);
    world->changes++;
}

static void write_file(const struct world *world, const char *name, const char *text)
{
    autofree char *path = text_format("%s/%s", world->dir, name);
    assert_int_equal(file_write(path, text, strlen(text), 0755, NULL), 0);
}

static void make_dir(const struct world *world, const char *name)
{
    autofree char *path = text_format("%s/%s", world->dir, name);
    assert_int_equal(file_make_dirs(path, 0755, NULL), 0);
}

static void behave(const struct world *world, const char *text)
{
    write_file(world, "behaviour", text);
}

static size_t count_calls(const struct world *world)
{
    autofree char *path = text_format("%s/calls", world->dir);
    autofree char *text = NULL;
    size_t count = 0;
    if (file_read(path, 1 << 20, &text, NULL, NULL) < 0)
        return 0;
    for (const char *c = text; *c; c++)
        count += *c == '\n';
    return count;
}

static void start_musterd(struct world *world)
{
    const struct checks_config config = { .loop = world->loop,
                                          .helper = world->helper,
                                          .run = world->dir,
                                          .on_change = on_change,
                                          .userdata = world };
    assert_int_equal(checks_new(&config, &world->checks, NULL), 0);
    checks_set_systemd(world->checks, world->systemd);
    assert_int_equal(systemd_watch(world->systemd, UNIT, NULL), 0);
    (void)systemd_fake_deliver(world->systemd);
}

static int set_up(void **state)
{
    static const struct systemd_callbacks callbacks = { on_status, on_connected };
    struct world *world = calloc(1, sizeof(*world));
    assert_non_null(world);
    (void)strcpy(world->dir, "/tmp/muster-checks.XXXXXX");
    assert_non_null(mkdtemp(world->dir));
    (void)snprintf(world->helper, sizeof(world->helper), "%s/helper", world->dir);
    write_file(world, "helper", helper_text);
    make_dir(world, "containers/" UNIT);
    assert_int_equal(loop_new(&world->loop, NULL), 0);
    assert_int_equal(loop_timer_new(world->loop, "again", on_again, world, &world->again, NULL), 0);
    assert_int_equal(systemd_fake_new(&callbacks, world, &world->systemd, NULL), 0);
    start_musterd(world);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    checks_free(world->checks);
    systemd_free(world->systemd);
    loop_timer_free(world->again);
    loop_free(world->loop);
    tree_forget(world->dir);
    free(world);
    return 0;
}

static void settle(const struct world *world)
{
    while (systemd_fake_deliver(world->systemd))
        ;
    loop_run_once(world->loop, false);
}

#define wait_until(world, condition)                         \
    do {                                                     \
        int64_t patience_ms = clock_mono_ms() + PATIENCE_MS; \
        while (!(condition)) {                               \
            assert_true(clock_mono_ms() < patience_ms);      \
            loop_timer_set((world)->again, 10);              \
            (void)systemd_fake_deliver((world)->systemd);    \
            loop_run_once((world)->loop, true);              \
        }                                                    \
    } while (0)

static enum health_state health(const struct world *world)
{
    const char *reason = NULL;
    return checks_health(world->checks, UNIT, &reason);
}

static const char *reason(const struct world *world)
{
    const char *text = NULL;
    (void)checks_health(world->checks, UNIT, &text);
    return text;
}

/* more: further fields of the JSON, each after a comma. */
static void leave_rules(const struct world *world, const char *more)
{
    autofree char *text = text_format(
        "{\"pid\":%d,\"command\":[\"x\"],\"intervalMs\":100,\"timeoutMs\":5000,\"retries\":2,"
        "\"startupIntervalMs\":100,\"startupTimeoutMs\":5000,\"startupSuccesses\":1%s}",
        PID, more);
    write_file(world, "containers/" UNIT "/health.json", text);
}

static void come_up(const struct world *world, const char *active)
{
    systemd_fake_set_main_pid(world->systemd, UNIT, PID);
    systemd_fake_set(world->systemd, UNIT, active, "running");
    settle(world);
}

static void go_down(const struct world *world)
{
    systemd_fake_set_main_pid(world->systemd, UNIT, 0);
    systemd_fake_set(world->systemd, UNIT, "inactive", "dead");
    settle(world);
}

static void a_container_is_starting_then_healthy_and_that_is_all_that_is_told(void **state)
{
    struct world *world = *state;
    behave(world, "exit 0");
    leave_rules(world, "");
    come_up(world, "active");
    assert_int_equal(health(world), HEALTH_STARTING);
    wait_until(world, health(world) == HEALTH_HEALTHY);
    wait_until(world, count_calls(world) >= 4);
    assert_int_equal(world->changes, 2);
    assert_string_equal(reason(world), "");
}

static void what_left_no_check_is_not_checked(void **state)
{
    struct world *world = *state;
    behave(world, "exit 1");
    come_up(world, "active");
    assert_int_equal(health(world), HEALTH_NONE);
    go_down(world);
    leave_rules(world, ""); /* of another container than the one that runs */
    systemd_fake_set_main_pid(world->systemd, UNIT, PID + 1);
    systemd_fake_set(world->systemd, UNIT, "active", "running");
    settle(world);
    assert_int_equal(health(world), HEALTH_NONE);
}

static void the_last_line_is_the_reason_in_one_line_that_json_can_hold(void **state)
{
    struct world *world = *state;
    behave(world, "printf 'no\\001 \\377 luck\\n'; exit 3");
    leave_rules(world, "");
    come_up(world, "active");
    wait_until(world, health(world) == HEALTH_UNHEALTHY);
    assert_string_equal(reason(world), "no  ? luck");
    behave(world, "exit 0");
    wait_until(world, health(world) == HEALTH_HEALTHY);
    assert_string_equal(reason(world), "");
}

static void what_follows_is_ordered_of_systemd(void **state)
{
    static const char *const words[] = { "kill", "restart", "stop" };
    struct world *world = *state;
    behave(world, "exit 1");
    for (size_t i = 0; i < 3; i++) {
        autofree char *more = text_format(",\"onFailure\":\"%s\"", words[i]);
        leave_rules(world, more);
        come_up(world, "active");
        wait_until(world, systemd_fake_kills(world->systemd, UNIT) +
                                  systemd_fake_restarts(world->systemd, UNIT) +
                                  systemd_fake_stops(world->systemd, UNIT) ==
                              i + 1);
        go_down(world);
    }
    assert_int_equal(systemd_fake_kills(world->systemd, UNIT), 1);
    assert_int_equal(systemd_fake_restarts(world->systemd, UNIT), 1);
    assert_int_equal(systemd_fake_stops(world->systemd, UNIT), 1);
}

static void without_a_word_nothing_follows(void **state)
{
    struct world *world = *state;
    behave(world, "exit 1");
    leave_rules(world, "");
    come_up(world, "active");
    wait_until(world, count_calls(world) >= 6);
    assert_int_equal(health(world), HEALTH_UNHEALTHY);
    assert_int_equal(world->changes, 3); /* starting, not yet, unhealthy */
    assert_int_equal(systemd_fake_kills(world->systemd, UNIT), 0);
    assert_int_equal(systemd_fake_restarts(world->systemd, UNIT), 0);
    assert_int_equal(systemd_fake_stops(world->systemd, UNIT), 0);
}

static void a_check_that_hangs_is_ended_and_its_time_is_the_reason(void **state)
{
    struct world *world = *state;
    behave(world, "trap 'echo ended >>$dir/ends; exit 1' TERM; sleep 60 & wait");
    leave_rules(world, "");
    write_file(world, "containers/" UNIT "/health.json",
               "{\"pid\":4711,\"command\":[\"x\"],\"intervalMs\":100,\"timeoutMs\":300,"
               "\"retries\":1,\"startupIntervalMs\":1,\"startupTimeoutMs\":1,"
               "\"startupSuccesses\":1}");
    come_up(world, "active");
    wait_until(world, health(world) == HEALTH_UNHEALTHY);
    assert_string_equal(reason(world), "it did not end within 300 ms");
    autofree char *ends = text_format("%s/ends", world->dir);
    wait_until(world, access(ends, F_OK) == 0);
}

static void too_early_and_cut_short_are_no_failures(void **state)
{
    struct world *world = *state;
    behave(world, "exit 75");
    leave_rules(world, "");
    come_up(world, "active");
    wait_until(world, count_calls(world) >= 4);
    assert_int_equal(health(world), HEALTH_STARTING);
    behave(world, "kill -KILL $$");
    size_t calls = count_calls(world);
    wait_until(world, count_calls(world) >= calls + 2);
    assert_int_equal(health(world), HEALTH_STARTING);
    assert_int_equal(world->changes, 1);
}

static void the_check_of_the_start_is_another(void **state)
{
    struct world *world = *state;
    behave(world, "[ \"$2\" = --startup ] && [ \"$3\" = " UNIT " ] && exit 0; echo second; exit 1");
    leave_rules(world, ",\"startupCommand\":[\"y\"]");
    come_up(world, "active");
    wait_until(world, health(world) == HEALTH_UNHEALTHY);
    assert_string_equal(reason(world), "second");
    assert_int_equal(count_calls(world), 3);
}

static void no_check_runs_of_what_is_down_or_forgotten(void **state)
{
    struct world *world = *state;
    behave(world, "exec sleep 60");
    leave_rules(world, "");
    come_up(world, "active");
    wait_until(world, count_calls(world) == 1);
    autofree char *path = text_format("%s/calls", world->dir);
    autofree char *calls = NULL;
    assert_int_equal(file_read(path, 4096, &calls, NULL, NULL), 0);
    pid_t pid = (pid_t)strtol(calls, NULL, 10);
    assert_int_equal(kill(pid, 0), 0);
    go_down(world);
    wait_until(world, kill(pid, 0) < 0);
    assert_int_equal(health(world), HEALTH_NONE);
    behave(world, "exit 0");
    come_up(world, "active");
    wait_until(world, health(world) == HEALTH_HEALTHY);
    checks_forget(world->checks, UNIT);
    assert_int_equal(health(world), HEALTH_NONE);
}

static void a_restarted_musterd_knows_what_was_unhealthy(void **state)
{
    struct world *world = *state;
    behave(world, "echo broken; exit 1");
    leave_rules(world, "");
    come_up(world, "active");
    wait_until(world, health(world) == HEALTH_UNHEALTHY);
    behave(world, "exec sleep 60");
    checks_free(take_ptr(world->checks));
    start_musterd(world);
    assert_int_equal(health(world), HEALTH_UNHEALTHY);
    assert_string_equal(reason(world), "broken");
    go_down(world);
    checks_free(take_ptr(world->checks));
    start_musterd(world);
    assert_int_equal(health(world), HEALTH_UNHEALTHY);
    assert_string_equal(reason(world), "broken");
    come_up(world, "active");
    assert_int_equal(health(world), HEALTH_STARTING);
}

/* --- readiness --- */

static int listen_as_systemd(const struct world *world)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", world->dir);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(setenv("NOTIFY_SOCKET", address.sun_path, 1), 0);
    return fd;
}

static bool hears_ready(int fd)
{
    char text[64] = "";
    ssize_t length = recv(fd, text, sizeof(text) - 1, 0);
    return length > 0 && strcmp(text, "READY=1") == 0;
}

static void a_start_that_waits_for_health_is_told_when_the_first_check_passes(void **state)
{
    struct world *world = *state;
    autoclose int fd = listen_as_systemd(world);
    behave(world, "exit 1");
    leave_rules(world, ",\"awaited\":true");
    come_up(world, "activating");
    wait_until(world, health(world) == HEALTH_UNHEALTHY);
    assert_false(hears_ready(fd));
    behave(world, "exit 0");
    wait_until(world, hears_ready(fd));
    wait_until(world, hears_ready(fd)); /* again, as long as it may have been lost */
    systemd_fake_set(world->systemd, UNIT, "active", "running");
    settle(world);
    while (hears_ready(fd))
        ;
    size_t calls = count_calls(world);
    wait_until(world, count_calls(world) >= calls + 3);
    assert_false(hears_ready(fd));
    assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
}

static void others_are_not_told_to_be_ready(void **state)
{
    struct world *world = *state;
    autoclose int fd = listen_as_systemd(world);
    behave(world, "exit 0");
    leave_rules(world, "");
    come_up(world, "activating");
    wait_until(world, health(world) == HEALTH_HEALTHY);
    assert_false(hears_ready(fd));
    assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
}

/* --- many --- */

static void many_at_once_wait_for_their_turn_and_all_get_it(void **state)
{
    enum { COUNT = CHECKS_AT_ONCE + 20 };
    struct world *world = *state;
    struct systemd_status status = { .active = "active", .main_pid = PID };
    behave(world, "while [ ! -e $dir/go ]; do sleep 0.05; done");
    for (int i = 0; i < COUNT; i++) {
        char directory[64];
        char file[80];
        (void)snprintf(directory, sizeof(directory), "containers/u%d.service", i);
        (void)snprintf(file, sizeof(file), "%s/health.json", directory);
        make_dir(world, directory);
        write_file(world, file,
                   "{\"pid\":4711,\"command\":[\"x\"],\"intervalMs\":60000,\"timeoutMs\":60000,"
                   "\"retries\":1,\"startupIntervalMs\":1,\"startupTimeoutMs\":1,"
                   "\"startupSuccesses\":1}");
        checks_on_status(world->checks, directory + strlen("containers/"), &status);
    }
    wait_until(world, count_calls(world) == CHECKS_AT_ONCE);
    loop_run_once(world->loop, false);
    loop_run_once(world->loop, false);
    assert_int_equal(count_calls(world), CHECKS_AT_ONCE);
    write_file(world, "go", "");
    wait_until(world, count_calls(world) == COUNT);
    wait_until(world, world->changes == 2 * COUNT); /* starting, healthy */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_container_is_starting_then_healthy_and_that_is_all_that_is_told),
        TEST(what_left_no_check_is_not_checked),
        TEST(the_last_line_is_the_reason_in_one_line_that_json_can_hold),
        TEST(what_follows_is_ordered_of_systemd),
        TEST(without_a_word_nothing_follows),
        TEST(a_check_that_hangs_is_ended_and_its_time_is_the_reason),
        TEST(too_early_and_cut_short_are_no_failures),
        TEST(the_check_of_the_start_is_another),
        TEST(no_check_runs_of_what_is_down_or_forgotten),
        TEST(a_restarted_musterd_knows_what_was_unhealthy),
        TEST(a_start_that_waits_for_health_is_told_when_the_first_check_passes),
        TEST(others_are_not_told_to_be_ready),
        TEST(many_at_once_wait_for_their_turn_and_all_get_it),
    };
    return cmocka_run_group_tests_name("agent/checks", tests, NULL, NULL);
}
