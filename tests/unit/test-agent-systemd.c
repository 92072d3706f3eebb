/* SPDX-License-Identifier: Apache-2.0 */
/* systemd over D-Bus against a real dbus-daemon, with a PID 1 of the mind behind it that lets calls
 * pile up before it answers them. */
#include "agent/systemd.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/loop_bus.h"
#include "base/text.h"
#include "tests/unit/harness.h"

enum { UNITS = 300, PILE = 200, PATIENCE_MS = 20000 };

#define MANAGER "org.freedesktop.systemd1.Manager"

static const char bus_config[] =
    "<busconfig><type>system</type><listen>unix:path=%s/bus</listen><auth>EXTERNAL</auth>"
    "<policy context=\"default\"><allow user=\"*\"/><allow own=\"*\"/>"
    "<allow send_destination=\"*\"/><allow receive_type=\"method_call\"/>"
    "<allow receive_type=\"method_return\"/><allow receive_type=\"error\"/>"
    "<allow receive_type=\"signal\"/></policy></busconfig>";

struct world {
    struct loop *loop;
    struct systemd *systemd;
    char dir[64];
    pid_t daemon;
    sd_bus *pid1;
    struct loop_bus *bridge;
    sd_bus_message *pile[PILE];
    size_t piled;
    unsigned int job;
    int64_t piled_until_ms;
    bool connected;
    size_t running;
    size_t started;
    size_t failed;
};

static void answer(struct world *world, sd_bus_message *m)
{
    char path[64];
    if (sd_bus_message_is_method_call(m, NULL, "GetAll")) {
        assert_true(sd_bus_reply_method_return(m, "a{sv}", 3, "LoadState", "s", "loaded",
                                               "ActiveState", "s", "active", "SubState", "s",
                                               "running") >= 0);
    } else if (sd_bus_message_is_method_call(m, MANAGER, "StartUnit")) {
        unsigned int id = ++world->job;
        const char *unit = NULL;
        (void)snprintf(path, sizeof(path), "/org/freedesktop/systemd1/job/%u", id);
        assert_true(sd_bus_message_read_basic(m, 's', &unit) >= 0);
        assert_true(sd_bus_reply_method_return(m, "o", path) >= 0);
        assert_true(sd_bus_emit_signal(world->pid1, "/org/freedesktop/systemd1", MANAGER,
                                       "JobRemoved", "uoss", id, path, unit, "done") >= 0);
    } else {
        assert_true(sd_bus_reply_method_return(m, "") >= 0);
    }
    sd_bus_message_unref(m);
}

static void answer_pile(struct world *world)
{
    while (world->piled)
        answer(world, world->pile[--world->piled]);
}

static int on_call(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    struct world *world = userdata;
    (void)error;
    if (!sd_bus_message_is_method_call(m, NULL, NULL))
        return 0;
    world->pile[world->piled++] = sd_bus_message_ref(m);
    world->piled_until_ms = clock_boot_ms() + 50;
    if (world->piled == PILE)
        answer_pile(world);
    return 1;
}

static void on_bridge_lost(struct loop_bus *bridge, int code, void *userdata)
{
    (void)bridge;
    (void)code;
    (void)userdata;
}

static void on_status(const char *unit, const struct systemd_status *status, void *userdata)
{
    struct world *world = userdata;
    (void)unit;
    world->running += strcmp(status->active, "active") == 0;
    world->failed += strcmp(status->active, "active") != 0;
}

static void on_connected(bool connected, void *userdata)
{
    ((struct world *)userdata)->connected = connected;
}

static void on_started(const char *unit, int code, const char *reason, void *userdata)
{
    struct world *world = userdata;
    (void)unit;
    (void)reason;
    world->started += code == 0;
    world->failed += code != 0;
}

static void run_until(struct world *world, const size_t *count, size_t wanted)
{
    int64_t end_ms = clock_boot_ms() + PATIENCE_MS;
    while (*count + world->failed < wanted && clock_boot_ms() < end_ms) {
        loop_run_once(world->loop, false);
        if (world->piled && clock_boot_ms() >= world->piled_until_ms)
            answer_pile(world);
        (void)usleep(100);
    }
}

static void connect_pid1(struct world *world, const char *address)
{
    int r = -1;
    for (int i = 0; i < 500 && r < 0; i++) {
        (void)usleep(10000);
        world->pid1 = sd_bus_unref(world->pid1);
        assert_true(sd_bus_new(&world->pid1) >= 0);
        assert_true(sd_bus_set_address(world->pid1, address) >= 0);
        assert_true(sd_bus_set_bus_client(world->pid1, 1) >= 0);
        r = sd_bus_start(world->pid1);
        if (r >= 0)
            r = sd_bus_request_name(world->pid1, "org.freedesktop.systemd1", 0);
    }
    assert_true(r >= 0);
    assert_true(sd_bus_add_filter(world->pid1, NULL, on_call, world) >= 0);
    assert_int_equal(
        loop_bus_new(world->loop, world->pid1, on_bridge_lost, world, &world->bridge, NULL), 0);
}

static int set_up(void **state)
{
    static const struct systemd_callbacks callbacks = { on_status, on_connected };
    struct world *world = calloc(1, sizeof(*world));
    assert_non_null(world);
    *state = world;
    (void)snprintf(world->dir, sizeof(world->dir), "/tmp/muster-bus-XXXXXX");
    assert_non_null(mkdtemp(world->dir));
    autofree char *config = text_format(bus_config, world->dir);
    autofree char *path = text_format("%s/config", world->dir);
    autofree char *argument = text_format("--config-file=%s", path);
    autofree char *address = text_format("unix:path=%s/bus", world->dir);
    assert_int_equal(file_write(path, config, strlen(config), 0644, NULL), 0);
    world->daemon = fork();
    if (world->daemon == 0) {
        (void)freopen("/dev/null", "w", stderr);
        (void)execlp("dbus-daemon", "dbus-daemon", argument, "--nofork", "--nopidfile", NULL);
        _exit(127);
    }
    assert_int_equal(loop_new(&world->loop, NULL), 0);
    connect_pid1(world, address);
    assert_int_equal(setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1), 0);
    assert_int_equal(systemd_bus_new(world->loop, &callbacks, world, &world->systemd, NULL), 0);
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    systemd_free(world->systemd);
    loop_bus_free(world->bridge);
    while (world->piled)
        sd_bus_message_unref(world->pile[--world->piled]);
    sd_bus_flush_close_unref(world->pid1);
    loop_free(world->loop);
    (void)kill(world->daemon, SIGTERM);
    (void)waitpid(world->daemon, NULL, 0);
    autofree char *config = text_format("%s/config", world->dir);
    autofree char *bus = text_format("%s/bus", world->dir);
    (void)unlink(config);
    (void)unlink(bus);
    (void)rmdir(world->dir);
    free(world);
    return 0;
}

static void more_units_than_the_bus_takes_calls_for_are_all_heard_and_started(void **state)
{
    struct world *world = *state;
    char unit[64];
    for (int i = 0; i < UNITS; i++) {
        (void)snprintf(unit, sizeof(unit), "many-%d.service", i);
        assert_int_equal(systemd_watch(world->systemd, unit, NULL), 0);
    }
    run_until(world, &world->running, UNITS);
    assert_int_equal(world->failed, 0);
    assert_int_equal(world->running, UNITS);
    for (int i = 0; i < UNITS; i++) {
        (void)snprintf(unit, sizeof(unit), "many-%d.service", i);
        assert_int_equal(systemd_start(world->systemd, unit, on_started, world, NULL), 0);
    }
    run_until(world, &world->started, UNITS);
    assert_int_equal(world->failed, 0);
    assert_int_equal(world->started, UNITS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            more_units_than_the_bus_takes_calls_for_are_all_heard_and_started, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("agent/systemd", tests, NULL, NULL);
}
