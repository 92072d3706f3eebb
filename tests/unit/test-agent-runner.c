/* SPDX-License-Identifier: Apache-2.0 */
/* The runner and its reports against a store in memory and a systemd of the mind. */
#include "agent/runner.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/systemd_fake.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "kvclient/kv_memory.h"
#include "tests/unit/harness.h"
#include "tests/unit/tree.h"

#define PREFIX   "/t/"
#define MACHINE  "0123456789abcdef0123456789abcdef"
#define IMAGE    "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define UNIT     "hello.service"
#define PRESENCE PREFIX "nodes/" MACHINE "/presence"
#define STATE    PREFIX "states/" MACHINE "/" UNIT

static const char text_one[] = "[Service]\nExecStart=/bin/sleep 1\n";
static const char text_two[] = "[Service]\nExecStart=/bin/sleep 2\n";

struct world {
    struct loop *loop;
    struct kv_memory *store;
    struct kv *kv;
    struct reports *reports;
    struct runner *runner;
    struct systemd *systemd;
    char dir[64];
    char run[96];
    char links[96];
    int64_t registration;
    int refused; /* times that a registration was said to be gone */
};

static void on_status(const char *unit, const struct systemd_status *status, void *userdata)
{
    struct world *world = userdata;
    runner_on_status(world->runner, unit, status);
}

static void on_connected(bool connected, void *userdata)
{
    struct world *world = userdata;
    runner_on_connected(world->runner, connected);
}

static void on_refused(void *userdata)
{
    struct world *world = userdata;
    world->refused++;
}

static void on_put(const struct kv_txn_result *result, void *userdata)
{
    assert_int_equal(result->code, 0);
    assert_true(result->succeeded);
    *(int64_t *)userdata = result->revision;
}

static int64_t put(struct world *world, const char *key, const char *value)
{
    struct kv_op op = kv_op_put(key, value);
    struct kv_txn txn = { .success = &op, .success_count = 1 };
    int64_t revision = 0;
    assert_int_equal(kv_txn(world->kv, &txn, on_put, &revision, NULL), 0);
    (void)kv_memory_deliver(world->store);
    return revision;
}

/* Runs everything that is due until nothing is. */
static void settle(struct world *world)
{
    for (int quiet = 0; quiet < 3;) {
        size_t done = kv_memory_deliver(world->store);
        done += systemd_fake_deliver(world->systemd);
        loop_run_once(world->loop, false);
        quiet = done ? 0 : quiet + 1;
    }
}

static void start_musterd(struct world *world)
{
    static const struct systemd_callbacks callbacks = { on_status, on_connected };
    const struct reports_config reports = { .loop = world->loop,
                                            .kv = world->kv,
                                            .prefix = PREFIX,
                                            .machine = MACHINE,
                                            .on_refused = on_refused,
                                            .userdata = world };
    assert_int_equal(reports_new(&reports, &world->reports, NULL), 0);
    const struct runner_config runner = {
        .loop = world->loop,
        .kv = world->kv,
        .prefix = PREFIX,
        .host = {.helper = "/helper", .machine = { .host_name = "n1", .id = "0" }},
        .dirs = { .run = world->run,  .links = world->links                      },
        .reports = world->reports
    };
    assert_int_equal(runner_new(&runner, &world->runner, NULL), 0);
    if (!world->systemd)
        assert_int_equal(systemd_fake_new(&callbacks, world, &world->systemd, NULL), 0);
    runner_set_systemd(world->runner, world->systemd);
    runner_on_connected(world->runner, true);
    reports_set_registration(world->reports, world->registration);
}

static void stop_musterd(struct world *world)
{
    runner_free(take_ptr(world->runner));
    reports_free(take_ptr(world->reports));
}

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    assert_non_null(world);
    (void)snprintf(world->dir, sizeof(world->dir), "/tmp/muster-runner-XXXXXX");
    assert_non_null(mkdtemp(world->dir));
    (void)snprintf(world->run, sizeof(world->run), "%s/run", world->dir);
    (void)snprintf(world->links, sizeof(world->links), "%s/links", world->dir);
    assert_int_equal(loop_new(&world->loop, NULL), 0);
    assert_int_equal(kv_memory_new(&world->store, NULL), 0);
    assert_int_equal(kv_memory_connect(world->store, &world->kv, NULL), 0);
    world->registration = put(world, PRESENCE, "{}");
    start_musterd(world);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    stop_musterd(world);
    systemd_free(world->systemd);
    kv_free(world->kv);
    kv_memory_free(world->store);
    loop_free(world->loop);
    tree_forget(world->dir);
    free(world);
    return 0;
}

static void put_blob(struct world *world, const char *text, char digest[DIGEST_HEX_SIZE])
{
    digest_sha256_hex(text, strlen(text), digest);
    autofree char *key = text_format(PREFIX "blobs/%s", digest);
    (void)put(world, key, text);
}

/* As the leader writes it and the mirror tells it; returns the assignment's revision. */
static int64_t assign(struct world *world, const char *text, enum want want)
{
    char digest[DIGEST_HEX_SIZE];
    autofree char *value = NULL;
    put_blob(world, text, digest);
    struct record_assignment record = { .blob = digest,
                                        .want = want,
                                        .unit_revision = 1,
                                        .failover = FAILOVER_AT_LEAST_ONCE,
                                        .epoch = 1,
                                        .reason = (char *)"test" };
    assert_int_equal(record_assignment_encode(&record, &value, NULL), 0);
    int64_t mod = put(world, PREFIX "nodes/" MACHINE "/units/" UNIT, value);
    assert_int_equal(runner_assign(world->runner, UNIT, mod, &record, NULL), 0);
    settle(world);
    return mod;
}

static void read_state(struct world *world, struct record_state *ret)
{
    const struct kv_pair *pair = kv_memory_peek(world->store, STATE);
    assert_non_null(pair);
    assert_int_equal(record_state_decode(pair->value, pair->value_length, ret, NULL), 0);
}

static void an_assigned_unit_is_started_once_and_reported(void **state)
{
    struct world *world = *state;
    autorecord(state) reported = { 0 };
    int64_t mod = assign(world, text_one, WANT_RUN);
    assert_int_equal(systemd_fake_starts(world->systemd, UNIT), 1);
    read_state(world, &reported);
    assert_string_equal(reported.active, "active");
    assert_string_equal(reported.problem, "");
    assert_int_equal(reported.assignment_revision, mod);
    assert_int_equal(reported.registration, world->registration);
}

static void what_a_container_is_made_of_and_reached_by_is_reported(void **state)
{
    static const char network[] = "{\"addresses\":[\"10.86.0.2\",\"fd00::2\"],"
                                  "\"namespace\":\"4:9\",\"ports\":[\"8080:80/tcp\"]}";
    struct world *world = *state;
    autorecord(state) reported = { 0 };
    autofree char *directory = text_format("%s/containers/" UNIT, world->run);
    autofree char *path = text_format("%s/network.json", directory);
    autofree char *image_path = text_format("%s/image", directory);
    assert_int_equal(file_make_dirs(directory, 0755, NULL), 0);
    assert_int_equal(file_write(path, network, strlen(network), 0644, NULL), 0);
    assert_int_equal(file_write(image_path, IMAGE "\n", strlen(IMAGE "\n"), 0644, NULL), 0);
    (void)assign(world, text_one, WANT_RUN);
    read_state(world, &reported);
    assert_string_equal(reported.image, IMAGE);
    assert_string_equal(reported.addresses, "10.86.0.2 fd00::2");
    assert_string_equal(reported.ports, "8080:80/tcp");
}

static void a_restarted_musterd_starts_nothing_twice(void **state)
{
    struct world *world = *state;
    char digest[DIGEST_HEX_SIZE];
    int64_t mod = assign(world, text_one, WANT_RUN);
    stop_musterd(world);
    start_musterd(world);
    settle(world);
    put_blob(world, text_one, digest);
    struct record_assignment record = { .blob = digest,
                                        .want = WANT_RUN,
                                        .failover = FAILOVER_AT_LEAST_ONCE,
                                        .reason = (char *)"test" };
    assert_int_equal(runner_assign(world->runner, UNIT, mod, &record, NULL), 0);
    settle(world);
    assert_int_equal(systemd_fake_starts(world->systemd, UNIT), 1);
    assert_int_equal(systemd_fake_stops(world->systemd, UNIT), 0);
    /* also when it had ended meanwhile: that is systemd's to restart */
    systemd_fake_set(world->systemd, UNIT, "failed", "failed");
    settle(world);
    assert_int_equal(systemd_fake_starts(world->systemd, UNIT), 1);
}

static void a_changed_text_restarts_the_unit(void **state)
{
    struct world *world = *state;
    (void)assign(world, text_one, WANT_RUN);
    (void)assign(world, text_two, WANT_RUN);
    assert_int_equal(systemd_fake_stops(world->systemd, UNIT), 1);
    assert_int_equal(systemd_fake_starts(world->systemd, UNIT), 2);
}

static void a_new_order_starts_a_failed_unit_again(void **state)
{
    struct world *world = *state;
    autorecord(state) reported = { 0 };
    systemd_fake_fail_start(world->systemd, UNIT);
    (void)assign(world, text_one, WANT_RUN);
    read_state(world, &reported);
    assert_string_equal(reported.active, "failed");
    (void)assign(world, text_one, WANT_RUN);
    assert_int_equal(systemd_fake_starts(world->systemd, UNIT), 2);
    assert_string_equal(systemd_fake_active(world->systemd, UNIT), "active");
}

static void a_start_that_takes_long_is_stopped_by_a_release(void **state)
{
    struct world *world = *state;
    autorecord(state) reported = { 0 };
    systemd_fake_hold_start(world->systemd, UNIT);
    (void)assign(world, text_one, WANT_RUN);
    assert_string_equal(systemd_fake_active(world->systemd, UNIT), "activating");
    int64_t release = assign(world, text_one, WANT_RELEASE);
    assert_int_equal(systemd_fake_stops(world->systemd, UNIT), 1);
    assert_string_equal(systemd_fake_active(world->systemd, UNIT), "inactive");
    read_state(world, &reported);
    assert_int_equal(reported.released_revision, release);
    runner_unassign(world->runner, UNIT);
    runner_confirm_absence(world->runner, NULL);
    settle(world);
    assert_false(runner_has_unconfirmed(world->runner));
}

static void a_start_that_takes_long_is_stopped_for_a_new_text(void **state)
{
    struct world *world = *state;
    systemd_fake_hold_start(world->systemd, UNIT);
    (void)assign(world, text_one, WANT_RUN);
    (void)assign(world, text_two, WANT_RUN);
    assert_int_equal(systemd_fake_stops(world->systemd, UNIT), 1);
    assert_int_equal(systemd_fake_starts(world->systemd, UNIT), 2);
}

static void a_start_that_takes_long_serves_a_new_order_for_the_same(void **state)
{
    struct world *world = *state;
    autorecord(state) reported = { 0 };
    systemd_fake_hold_start(world->systemd, UNIT);
    (void)assign(world, text_one, WANT_RUN);
    runner_unassign(world->runner, UNIT);
    int64_t mod = assign(world, text_one, WANT_RUN);
    systemd_fake_let_go(world->systemd, UNIT);
    settle(world);
    assert_int_equal(systemd_fake_starts(world->systemd, UNIT), 1);
    assert_int_equal(systemd_fake_stops(world->systemd, UNIT), 0);
    read_state(world, &reported);
    assert_string_equal(reported.active, "active");
    assert_int_equal(reported.assignment_revision, mod);
}

static void assert_not_started_is_told(struct world *world, int code, const char *words)
{
    autorecord(state) reported = { 0 };
    autorecord(state) later = { 0 };
    systemd_fake_ignore_start(world->systemd, UNIT, code);
    (void)assign(world, text_one, WANT_RUN);
    read_state(world, &reported);
    assert_string_equal(reported.active, "inactive");
    assert_non_null(strstr(reported.problem, words));
    (void)assign(world, text_one, WANT_RUN);
    read_state(world, &later);
    assert_string_equal(later.active, "active");
    assert_string_equal(later.problem, "");
    (void)assign(world, text_one, WANT_LOADED);
}

static void a_start_that_came_to_nothing_is_told_with_its_reason(void **state)
{
    struct world *world = *state;
    assert_not_started_is_told(world, -EIO, "systemd did not start it: failed");
    assert_not_started_is_told(world, 0, "condition");
}

static void a_unit_that_runs_after_all_has_no_problem(void **state)
{
    struct world *world = *state;
    autorecord(state) reported = { 0 };
    systemd_fake_ignore_start(world->systemd, UNIT, 0);
    (void)assign(world, text_one, WANT_RUN);
    systemd_fake_set(world->systemd, UNIT, "active", "running");
    settle(world);
    read_state(world, &reported);
    assert_string_equal(reported.active, "active");
    assert_string_equal(reported.problem, "");
}

static void what_muster_container_said_is_the_problem_and_nobody_elses_word_is(void **state)
{
    struct world *world = *state;
    autorecord(state) failed = { 0 };
    autorecord(state) running = { 0 };
    systemd_fake_fail_start(world->systemd, UNIT);
    systemd_fake_set_text(world->systemd, UNIT, "muster-container: image oci:/x: no such layout");
    (void)assign(world, text_one, WANT_RUN);
    read_state(world, &failed);
    assert_string_equal(failed.problem, "muster-container: image oci:/x: no such layout");
    systemd_fake_set_text(world->systemd, UNIT, "serving 12 clients");
    (void)assign(world, text_one, WANT_RUN);
    read_state(world, &running);
    assert_string_equal(running.problem, "");
}

static void how_far_a_start_is_is_no_problem(void **state)
{
    struct world *world = *state;
    autorecord(state) starting = { 0 };
    systemd_fake_hold_start(world->systemd, UNIT);
    systemd_fake_set_text(world->systemd, UNIT, "muster-container: image oci:/x: unpacking: 2 MB");
    (void)assign(world, text_one, WANT_RUN);
    /* States in passing are held back for a moment. */
    while (!kv_memory_peek(world->store, STATE)) {
        loop_run_once(world->loop, true);
        settle(world);
    }
    read_state(world, &starting);
    assert_string_equal(starting.active, "activating");
    assert_string_equal(starting.problem, "");
}

static void a_release_is_acknowledged_by_its_revision(void **state)
{
    struct world *world = *state;
    autorecord(state) reported = { 0 };
    (void)assign(world, text_one, WANT_RUN);
    int64_t release = assign(world, text_one, WANT_RELEASE);
    read_state(world, &reported);
    assert_int_equal(reported.released_revision, release);
    assert_string_equal(systemd_fake_active(world->systemd, UNIT), "inactive");
    autofree char *file = text_format("%s/units/" UNIT, world->run);
    assert_int_equal(access(file, F_OK), -1);
}

static void an_absent_assignment_alone_stops_nothing(void **state)
{
    struct world *world = *state;
    (void)assign(world, text_one, WANT_RUN);
    runner_unassign(world->runner, UNIT);
    settle(world);
    assert_string_equal(systemd_fake_active(world->systemd, UNIT), "active");
    assert_true(runner_has_unconfirmed(world->runner));
    char *listed[] = { (char *)UNIT, NULL };
    runner_confirm_absence(world->runner, listed);
    settle(world);
    assert_string_equal(systemd_fake_active(world->systemd, UNIT), "active");
    runner_confirm_absence(world->runner, NULL);
    settle(world);
    assert_string_equal(systemd_fake_active(world->systemd, UNIT), "inactive");
    assert_false(runner_has_unconfirmed(world->runner));
}

static void what_was_released_is_forgotten_without_a_question(void **state)
{
    struct world *world = *state;
    (void)assign(world, text_one, WANT_RUN);
    (void)assign(world, text_one, WANT_RELEASE);
    runner_unassign(world->runner, UNIT);
    settle(world);
    assert_false(runner_has_unconfirmed(world->runner));
    (void)assign(world, text_one, WANT_RUN); /* and is a newcomer if it comes back */
    assert_int_equal(systemd_fake_starts(world->systemd, UNIT), 2);
}

static void of_a_release_only_the_end_is_written(void **state)
{
    struct world *world = *state;
    autorecord(state) reported = { 0 };
    (void)assign(world, text_one, WANT_RUN);
    int64_t before = kv_memory_peek(world->store, STATE)->version;
    int64_t release = assign(world, text_one, WANT_RELEASE);
    read_state(world, &reported);
    assert_int_equal(reported.released_revision, release);
    assert_int_equal(kv_memory_peek(world->store, STATE)->version, before + 1);
}

static void a_unit_that_was_there_before_its_file_is_loaded_from_it(void **state)
{
    struct world *world = *state;
    systemd_fake_make_up(world->systemd, UNIT);
    (void)assign(world, text_one, WANT_RUN);
    assert_int_equal(systemd_fake_reloads(world->systemd), 1);
    assert_string_equal(systemd_fake_active(world->systemd, UNIT), "active");
    assert_int_equal(systemd_fake_starts(world->systemd, UNIT), 0);
}

static bool links_to_unit(const struct world *world, const char *link)
{
    char found[160] = "";
    autofree char *path = text_format("%s/%s", world->links, link);
    autofree char *target = text_format("%s/" UNIT, world->links);
    return readlink(path, found, sizeof(found) - 1) > 0 && strcmp(found, target) == 0;
}

static void links_of_install_are_there_and_read_while_the_unit_is(void **state)
{
    struct world *world = *state;
    static const char linked[] = "[Service]\nExecStart=/bin/sleep 1\n[Install]\n"
                                 "WantedBy=other.service multi-user.target\nAlias=hi.service\n";
    (void)assign(world, linked, WANT_LOADED);
    assert_true(links_to_unit(world, "other.service.wants/" UNIT));
    assert_true(links_to_unit(world, "hi.service"));
    assert_false(links_to_unit(world, "multi-user.target.wants/" UNIT));
    assert_int_equal(systemd_fake_reloads(world->systemd), 1);
    stop_musterd(world);
    autofree char *alias = text_format("%s/hi.service", world->links);
    assert_int_equal(unlink(alias), 0);
    start_musterd(world);
    (void)assign(world, linked, WANT_LOADED);
    assert_true(links_to_unit(world, "hi.service"));
    assert_int_equal(systemd_fake_reloads(world->systemd), 2); /* it may not have come so far */
    (void)assign(world, text_one, WANT_LOADED);
    assert_false(links_to_unit(world, "other.service.wants/" UNIT));
    assert_false(links_to_unit(world, "hi.service"));
}

static void look_for_taken(const char *line, void *userdata)
{
    if (strstr(line, "another unit of this machine has hi.service, so this one does without"))
        (*(int *)userdata)++;
}

static void what_is_not_ours_is_no_link_of_ours_and_that_is_told_once(void **state)
{
    struct world *world = *state;
    int told = 0;
    static const char linked[] = "[Service]\nExecStart=/bin/sleep 1\n[Install]\n"
                                 "WantedBy=other.service\nAlias=hi.service\n";
    autofree char *path = text_format("%s/hi.service", world->links);
    assert_int_equal(file_write(path, "somebody's", 10, 0644, NULL), 0);
    log_set_sink(look_for_taken, &told);
    (void)assign(world, linked, WANT_RUN);
    settle(world);
    log_set_sink(NULL, NULL);
    assert_int_equal(told, 1);
    assert_string_equal(systemd_fake_active(world->systemd, UNIT), "active");
    assert_true(links_to_unit(world, "other.service.wants/" UNIT));
    runner_unassign(world->runner, UNIT);
    runner_confirm_absence(world->runner, NULL);
    settle(world);
    assert_int_equal(access(path, F_OK), 0);
    assert_false(links_to_unit(world, "other.service.wants/" UNIT));
}

static void a_unit_of_the_hosts_own_is_never_shadowed(void **state)
{
    struct world *world = *state;
    autorecord(state) reported = { 0 };
    systemd_fake_set_fragment(world->systemd, UNIT, "/etc/systemd/system/" UNIT);
    (void)assign(world, text_one, WANT_RUN);
    assert_int_equal(systemd_fake_starts(world->systemd, UNIT), 0);
    read_state(world, &reported);
    assert_non_null(strstr(reported.problem, "/etc/systemd/system/" UNIT));
}

static void a_new_registration_gets_every_state_again_and_restarts_nothing(void **state)
{
    struct world *world = *state;
    autorecord(state) reported = { 0 };
    (void)assign(world, text_one, WANT_RUN);
    reports_set_registration(world->reports, 0);
    struct kv_op op = kv_op_delete(PRESENCE);
    struct kv_txn txn = { .success = &op, .success_count = 1 };
    int64_t revision = 0;
    assert_int_equal(kv_txn(world->kv, &txn, on_put, &revision, NULL), 0);
    settle(world);
    world->registration = put(world, PRESENCE, "{}");
    reports_set_registration(world->reports, world->registration);
    settle(world);
    read_state(world, &reported);
    assert_int_equal(reported.registration, world->registration);
    assert_int_equal(systemd_fake_starts(world->systemd, UNIT), 1);
}

static void a_state_never_outlives_its_assignment(void **state)
{
    struct world *world = *state;
    (void)assign(world, text_one, WANT_RUN);
    struct kv_op ops[] = { kv_op_delete(PREFIX "nodes/" MACHINE "/units/" UNIT),
                           kv_op_delete(STATE) };
    struct kv_txn move = { .success = ops, .success_count = 2 };
    int64_t revision = 0;
    assert_int_equal(kv_txn(world->kv, &move, on_put, &revision, NULL), 0);
    systemd_fake_set(world->systemd, UNIT, "failed", "failed");
    settle(world);
    assert_null(kv_memory_peek(world->store, STATE));
    runner_unassign(world->runner, UNIT);
    settle(world);
    assert_null(kv_memory_peek(world->store, STATE));
}

static void report_of(struct world *world, const char *unit, const struct record_state *like,
                      const char *active)
{
    autofree char *copy = strdup(active);
    struct record_state state = *like;
    state.active = copy;
    assert_int_equal(reports_put(world->reports, unit, &state, false, NULL), 0);
}

static void report(struct world *world, const struct record_state *like, const char *active)
{
    report_of(world, UNIT, like, active);
}

static void what_changes_while_a_report_is_under_way_is_written_too(void **state)
{
    struct world *world = *state;
    autorecord(state) first = { 0 };
    autorecord(state) under_way = { 0 };
    autorecord(state) last = { 0 };
    (void)assign(world, text_one, WANT_RUN);
    read_state(world, &first);
    report(world, &first, "failed");
    loop_run_once(world->loop, false); /* sent, not answered */
    read_state(world, &under_way);
    assert_string_equal(under_way.active, "failed");
    report(world, &first, "active");
    settle(world);
    read_state(world, &last);
    assert_string_equal(last.active, "active");
}

static void a_report_that_was_lost_on_the_way_is_written_again(void **state)
{
    struct world *world = *state;
    autorecord(state) first = { 0 };
    autorecord(state) last = { 0 };
    (void)assign(world, text_one, WANT_RUN);
    read_state(world, &first);
    kv_memory_lose_answers(world->kv, 1, false);
    report(world, &first, "failed");
    settle(world);
    int64_t before = kv_memory_revision(world->store);
    for (int turns = 0; turns < 10 && kv_memory_revision(world->store) == before; turns++) {
        loop_run_once(world->loop, true);
        settle(world);
    }
    read_state(world, &last);
    assert_string_equal(last.active, "failed");
    assert_int_equal(world->refused, 0);
}

static void a_report_that_lands_late_does_not_replace_a_newer_one(void **state)
{
    struct world *world = *state;
    autorecord(state) first = { 0 };
    autorecord(state) last = { 0 };
    (void)assign(world, text_one, WANT_RUN);
    read_state(world, &first);
    kv_memory_land_late(world->kv, 1, 3600 * 1000);
    report(world, &first, "failed");
    settle(world);
    report(world, &first, "reloading");
    int64_t before = kv_memory_revision(world->store);
    for (int turns = 0; turns < 10 && kv_memory_revision(world->store) == before; turns++) {
        loop_run_once(world->loop, true);
        settle(world);
    }
    clock_fake_set(clock_boot_ms() + 7200 * 1000);
    kv_memory_expire(world->store);
    clock_fake_set(-1);
    settle(world);
    read_state(world, &last);
    assert_string_equal(last.active, "reloading");
}

static void a_registration_that_is_gone_is_told_once(void **state)
{
    struct world *world = *state;
    autorecord(state) first = { 0 };
    (void)assign(world, text_one, WANT_RUN);
    read_state(world, &first);
    (void)put(world, PREFIX "nodes/" MACHINE "/units/other.service", "{}");
    struct kv_op op = kv_op_delete(PRESENCE);
    struct kv_txn txn = { .success = &op, .success_count = 1 };
    int64_t revision = 0;
    assert_int_equal(kv_txn(world->kv, &txn, on_put, &revision, NULL), 0);
    report(world, &first, "failed");
    report_of(world, "other.service", &first, "failed");
    settle(world);
    assert_int_equal(world->refused, 1);
    assert_int_equal(kv_memory_revision(world->store), revision);
}

static bool is_never_assigned(const char *unit, void *userdata)
{
    (void)unit;
    (void)userdata;
    return false;
}

static void a_stored_state_without_assignment_is_deleted(void **state)
{
    struct world *world = *state;
    struct record_state old = { .registration = world->registration,
                                .assignment_revision = 1,
                                .load = (char *)"loaded",
                                .active = (char *)"active",
                                .sub = (char *)"running",
                                .result = (char *)"",
                                .problem = (char *)"",
                                .invocation = (char *)"" };
    autofree char *value = NULL;
    assert_int_equal(record_state_encode(&old, &value, NULL), 0);
    int64_t mod = put(world, STATE, value);
    assert_int_equal(reports_note_stored(world->reports, UNIT, mod, &old, NULL), 0);
    reports_delete_strangers(world->reports, is_never_assigned, NULL);
    settle(world);
    assert_null(kv_memory_peek(world->store, STATE));
}

static void an_idle_unit_writes_nothing(void **state)
{
    struct world *world = *state;
    (void)assign(world, text_one, WANT_RUN);
    int64_t before = kv_memory_revision(world->store);
    systemd_fake_set(world->systemd, UNIT, "active", "running");
    settle(world);
    assert_int_equal(kv_memory_revision(world->store), before);
}

static void a_lost_bus_stops_nothing_and_goes_on_after(void **state)
{
    struct world *world = *state;
    (void)assign(world, text_one, WANT_RUN);
    systemd_fake_connect(world->systemd, false);
    (void)assign(world, text_one, WANT_LOADED);
    assert_string_equal(systemd_fake_active(world->systemd, UNIT), "active");
    systemd_fake_connect(world->systemd, true);
    systemd_fake_set(world->systemd, UNIT, "active", "running");
    settle(world);
    assert_string_equal(systemd_fake_active(world->systemd, UNIT), "inactive");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_assigned_unit_is_started_once_and_reported, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_a_container_is_made_of_and_reached_by_is_reported,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_restarted_musterd_starts_nothing_twice, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_changed_text_restarts_the_unit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_new_order_starts_a_failed_unit_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_start_that_takes_long_is_stopped_by_a_release, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_start_that_takes_long_is_stopped_for_a_new_text, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_start_that_takes_long_serves_a_new_order_for_the_same,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_start_that_came_to_nothing_is_told_with_its_reason,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_unit_that_runs_after_all_has_no_problem, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            what_muster_container_said_is_the_problem_and_nobody_elses_word_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(how_far_a_start_is_is_no_problem, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_release_is_acknowledged_by_its_revision, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_was_released_is_forgotten_without_a_question, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(of_a_release_only_the_end_is_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_absent_assignment_alone_stops_nothing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_unit_that_was_there_before_its_file_is_loaded_from_it,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(links_of_install_are_there_and_read_while_the_unit_is,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_not_ours_is_no_link_of_ours_and_that_is_told_once,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_unit_of_the_hosts_own_is_never_shadowed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            a_new_registration_gets_every_state_again_and_restarts_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_report_that_was_lost_on_the_way_is_written_again, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_report_that_lands_late_does_not_replace_a_newer_one,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_registration_that_is_gone_is_told_once, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_changes_while_a_report_is_under_way_is_written_too,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_state_never_outlives_its_assignment, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stored_state_without_assignment_is_deleted, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_idle_unit_writes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_lost_bus_stops_nothing_and_goes_on_after, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests_name("agent/runner", tests, NULL, NULL);
}
