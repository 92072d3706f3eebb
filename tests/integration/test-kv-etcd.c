/* SPDX-License-Identifier: Apache-2.0 */
#include "kvclient/kv_etcd.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/loop_http.h"
#include "kvclient/election.h"
#include "kvclient/kv_mirror.h"
#include "tests/integration/kv-etcd-fixture.h"

static struct etcd_fixture fixture;

static void wait_for(const int *done)
{
    fixture.contract.wait(&fixture.contract, done);
}

static void pass(int64_t ms)
{
    fixture.contract.pass_ms(&fixture.contract, ms);
}

static void wait_up(void)
{
    etcd_fixture_wait_up(&fixture.contract);
}

static int connect_to(const char *url, struct kv **ret)
{
    char endpoint[80];
    (void)snprintf(endpoint, sizeof(endpoint), "%s/", url);
    char *endpoints[] = { endpoint, NULL };
    struct kv_etcd_config config = etcd_fixture_config(endpoints);
    return kv_etcd_new(fixture.loop, &config, ret, NULL);
}

static int setup(void **state)
{
    etcd_fixture_init(&fixture);
    etcd_server_start(&fixture.server);
    assert_int_equal(connect_to(fixture.server.client_url, &fixture.contract.kv), 0);
    wait_up();
    /* What answers is this test's: an empty store. */
    assert_int_equal(contract_range(&fixture.contract, "", true).revision, 1);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    etcd_fixture_done(&fixture);
    return 0;
}

/* A mirror's changes of one key, whose values count up: any loss or repetition shows. */
struct follower {
    struct kv_mirror *mirror;
    int last;
    int wanted;
    int reached;
    int losses; /* of the stream */
    int lost;
    int up;
};

static void on_change(const struct kv_pair *old, const struct kv_pair *pair, void *userdata)
{
    struct follower *follower = userdata;
    assert_true(old || follower->last == 0);
    assert_non_null(pair);
    assert_int_equal(strtol(pair->value, NULL, 10), follower->last + 1);
    follower->last++;
    follower->reached = follower->last >= follower->wanted;
}

static void on_revision(int64_t revision, void *userdata)
{
    const struct follower *follower = userdata;
    assert_int_equal(kv_mirror_revision(follower->mirror), revision);
}

static void on_lost(int code, const char *reason, void *userdata)
{
    (void)code;
    (void)reason;
    ((struct follower *)userdata)->lost++;
}

static void on_state(bool connected, void *userdata)
{
    struct follower *follower = userdata;
    follower->up = connected;
    follower->losses += !connected;
}

static const struct kv_mirror_callbacks mirror_callbacks = {
    .on_change = on_change, .on_revision = on_revision, .on_lost = on_lost, .on_state = on_state
};

static void follow(struct follower *follower)
{
    assert_int_equal(kv_mirror_new(fixture.loop, fixture.contract.kv, "count", &mirror_callbacks,
                                   follower, &follower->mirror, NULL),
                     0);
    wait_for(&follower->up);
}

/* Put until it is done: guarded by the value before, so that a second try is harmless. */
static void count_to(int number)
{
    char value[16];
    struct contract_answer present = contract_range(&fixture.contract, "count", false);
    struct kv_compare guard =
        kv_if_mod("count", present.pair_count ? present.first.mod_revision : 0);
    (void)snprintf(value, sizeof(value), "%d", number);
    struct kv_op put = kv_op_put("count", value);
    struct kv_txn txn = {
        .compares = &guard, .compare_count = 1, .success = &put, .success_count = 1
    };
    assert_int_equal(contract_txn(&fixture.contract, &txn).code, 0);
}

static void expect(struct follower *follower, int number)
{
    follower->wanted = number;
    follower->reached = follower->last >= number;
    wait_for(&follower->reached);
    assert_int_equal(follower->last, number);
    assert_int_equal(follower->lost, 0);
}

/* On a store that does not answer. */
static void sent_once_is_sent_once(void)
{
    const struct kv_op put = kv_op_put("frozen", "2");
    const struct kv_txn txn = { .success = &put, .success_count = 1, .once = true };
    struct kv_etcd_view before = { 0 };
    struct kv_etcd_view after = { 0 };
    kv_etcd_get_view(fixture.contract.kv, &before);
    assert_int_equal(contract_txn(&fixture.contract, &txn).code, -ETIMEDOUT);
    kv_etcd_get_view(fixture.contract.kv, &after);
    assert_int_equal(after.counts[KV_ETCD_COUNT_RETRY], before.counts[KV_ETCD_COUNT_RETRY]);
}

static void a_frozen_etcd_costs_no_event_and_its_streams_are_dropped(void **state)
{
    (void)state;
    struct follower follower = { 0 };
    follow(&follower);
    count_to(1);
    expect(&follower, 1);
    etcd_server_signal(&fixture.server, SIGSTOP);
    struct contract_answer put = contract_op(&fixture.contract, kv_op_put("frozen", "1"));
    assert_int_equal(put.code, -ETIMEDOUT);
    assert_int_equal(follower.losses, 1);
    sent_once_is_sent_once();
    assert_int_equal(contract_range(&fixture.contract, "x", false).code, -EAGAIN);
    etcd_server_signal(&fixture.server, SIGCONT);
    wait_for(&follower.up);
    wait_up();
    count_to(2);
    expect(&follower, 2);
    kv_mirror_free(follower.mirror);
    (void)contract_op(&fixture.contract, kv_op_delete("count"));
}

static void a_killed_etcd_costs_no_event_and_repeats_none(void **state)
{
    (void)state;
    struct follower follower = { 0 };
    follow(&follower);
    count_to(1);
    expect(&follower, 1);
    for (int i = 2; i < 6; i += 2) {
        etcd_server_kill(&fixture.server);
        assert_int_equal(contract_op(&fixture.contract, kv_op_put("dead", "1")).code, -EAGAIN);
        etcd_server_launch(&fixture.server);
        wait_up();
        count_to(i);
        count_to(i + 1);
        expect(&follower, i + 1);
    }
    assert_true(follower.losses >= 2);
    kv_mirror_free(follower.mirror);
    (void)contract_op(&fixture.contract, kv_op_delete("count"));
}

static void nor_does_one_that_is_killed_while_its_watch_is_paused(void **state)
{
    (void)state;
    struct follower follower = { 0 };
    follow(&follower);
    count_to(1);
    expect(&follower, 1);
    kv_mirror_pause(follower.mirror, true);
    count_to(2);
    etcd_server_kill(&fixture.server);
    etcd_server_launch(&fixture.server);
    wait_up();
    count_to(3);
    assert_int_equal(follower.last, 1);
    kv_mirror_pause(follower.mirror, false);
    expect(&follower, 3);
    kv_mirror_free(follower.mirror);
    (void)contract_op(&fixture.contract, kv_op_delete("count"));
}

struct runner {
    struct election *election;
    int elected;
    int64_t epoch;
};

static void on_elected(int64_t epoch, void *userdata)
{
    struct runner *runner = userdata;
    assert_true(epoch > runner->epoch);
    runner->epoch = epoch;
    runner->elected = 1;
}

static void on_deposed(int code, const char *reason, void *userdata)
{
    (void)userdata;
    fail_msg("deposed: %d %s", code, reason);
}

static void run_for_leader(struct runner *runner, const char *value)
{
    static const struct election_callbacks callbacks = { .on_elected = on_elected,
                                                         .on_lost = on_deposed };
    assert_int_equal(election_new(fixture.loop, fixture.contract.kv, "leader", value, 5, &callbacks,
                                  runner, &runner->election, NULL),
                     0);
    election_set_delay(runner->election, 20);
    election_set_candidate(runner->election, true);
}

static void leadership_passes_on_when_the_leader_resigns(void **state)
{
    struct runner first = { 0 };
    struct runner second = { 0 };
    (void)state;
    run_for_leader(&first, "{\"machine\":\"a\",\"nonce\":\"1\"}");
    wait_for(&first.elected);
    run_for_leader(&second, "{\"machine\":\"b\",\"nonce\":\"1\"}");
    first.elected = 0;
    election_renew_epoch(first.election);
    wait_for(&first.elected);
    pass(100);
    assert_int_equal(second.elected, 0);
    int64_t resigned_ms = clock_mono_ms();
    assert_true(election_resign(first.election, NULL));
    wait_for(&second.elected);
    assert_true(clock_mono_ms() - resigned_ms < 2500); /* not by the lease's end, which is 5 s */
    assert_true(second.epoch > first.epoch);
    election_free(first.election);
    election_free(second.election);
}

/* The first endpoint is a port that nobody listens on. */
static void a_dead_endpoint_is_passed_over_by_requests_and_watches(void **state)
{
    char dead[] = "http://127.0.0.1:1";
    char *endpoints[] = { dead, fixture.server.client_url, NULL };
    struct kv_etcd_config config = { .endpoints = endpoints, .max_backoff_ms = 300 };
    struct contract two = fixture.contract;
    struct kv_etcd_view view = { 0 };
    struct follower follower = { 0 };
    (void)state;
    assert_int_equal(kv_etcd_new(fixture.loop, &config, &two.kv, NULL), 0);
    assert_int_equal(kv_mirror_new(fixture.loop, two.kv, "count", &mirror_callbacks, &follower,
                                   &follower.mirror, NULL),
                     0);
    wait_for(&follower.up);
    assert_int_equal(contract_range(&two, "x", false).code, 0);
    kv_etcd_get_view(two.kv, &view);
    assert_string_equal(view.endpoint, fixture.server.client_url);
    kv_mirror_free(follower.mirror);
    kv_free(two.kv);
}

struct metrics {
    int done;
    double started; /* requests, over all of the server's methods */
};

static void on_metrics(struct http_call *call, const struct http_result *result, void *userdata)
{
    static const char name[] = "grpc_server_started_total{";
    struct metrics *metrics = userdata;
    (void)call;
    assert_int_equal(result->code, 0);
    for (const char *line = strstr(result->body, name); line; line = strstr(line, name)) {
        line = strstr(line, "} ");
        metrics->started += strtod(line + 1, NULL);
    }
    metrics->done = 1;
}

static double requests_started(struct http *http)
{
    char url[80];
    struct http_call *call = NULL;
    struct metrics metrics = { 0 };
    (void)snprintf(url, sizeof(url), "%s/metrics", fixture.server.client_url);
    struct http_request request = { .method = "GET", .url = url, .timeout_ms = FIXTURE_WAIT_MS };
    assert_int_equal(http_start(http, &request, NULL, on_metrics, &metrics, &call, NULL), 0);
    wait_for(&metrics.done);
    assert_true(metrics.started > 0);
    return metrics.started;
}

static void the_view_tells_what_was_done_and_how_far_behind_it_is(void **state)
{
    struct kv_etcd_view before = { 0 };
    struct kv_etcd_view view = { 0 };
    struct follower follower = { 0 };
    (void)state;
    follow(&follower);
    kv_etcd_get_view(fixture.contract.kv, &before);
    count_to(1);
    expect(&follower, 1);
    int64_t revision = contract_op(&fixture.contract, kv_op_put("beside", "1")).revision;
    kv_etcd_get_view(fixture.contract.kv, &view);
    assert_int_equal(view.counts[KV_ETCD_COUNT_TXN] - before.counts[KV_ETCD_COUNT_TXN], 2);
    assert_int_equal(view.counts[KV_ETCD_COUNT_RANGE] - before.counts[KV_ETCD_COUNT_RANGE], 1);
    assert_string_equal(view.endpoint, fixture.server.client_url);
    assert_int_equal(view.watches, 1);
    assert_int_equal(view.in_flight, 0);
    assert_int_equal(view.revision, revision);
    assert_int_equal(view.lag, 1); /* what was put beside the watched key */
    assert_true(view.cluster_id != 0);
    kv_mirror_free(follower.mirror);
    (void)contract_op(&fixture.contract, kv_op_delete("count"));
}

static void an_idle_mirror_asks_for_nothing(void **state)
{
    autoptr(http) http = NULL;
    struct follower follower = { 0 };
    (void)state;
    assert_int_equal(http_new(fixture.loop, &http, NULL), 0);
    follow(&follower);
    double before = requests_started(http);
    pass(1500);
    assert_true(requests_started(http) == before);
    assert_int_equal(follower.losses, 0);
    kv_mirror_free(follower.mirror);
}

static void another_store_behind_the_endpoint_is_refused(void **state)
{
    (void)state;
    struct etcd_server first = fixture.server;
    struct follower follower = { 0 };
    follow(&follower);
    etcd_server_kill(&first);
    char url[64];
    (void)strcpy(url, first.client_url);
    (void)strcpy(fixture.server.directory, "/tmp/muster-kv-etcd-XXXXXX");
    assert_non_null(mkdtemp(fixture.server.directory));
    etcd_server_launch(&fixture.server);
    wait_for(&follower.lost);
    struct contract_answer put = contract_op(&fixture.contract, kv_op_put("x", "1"));
    assert_int_equal(put.code, -ESTALE);
    kv_mirror_free(follower.mirror);
    first.pid = 0;
    etcd_server_done(&first);
}

/* A time-out is no answer: on a busy disk etcd may take longer than a second for so much. A put may
 * be sent again. */
static struct contract_answer put_of_size(struct contract *contract, size_t size)
{
    enum { TRIES = 60 };
    autofree char *value = malloc(size + 1);
    assert_non_null(value);
    memset(value, 'x', size);
    value[size] = '\0';
    struct contract_answer answer = contract_op(contract, kv_op_put("big", value));
    for (int i = 1; i < TRIES && answer.code == -ETIMEDOUT; i++)
        answer = contract_op(contract, kv_op_put("big", value));
    return answer;
}

static void expect_words(const char *text, const char *words)
{
    if (!strstr(text, words))
        fail_msg("\"%s\" does not say \"%s\"", text, words);
}

/* Another etcd with arguments of its own, and a connection to it. */
static void begin_with(struct etcd_fixture *other, const char *const *arguments)
{
    char *endpoints[] = { other->server.client_url, NULL };
    *other = (struct etcd_fixture){ .contract = fixture.contract, .loop = fixture.loop };
    other->server.extra = arguments;
    etcd_server_start(&other->server);
    struct kv_etcd_config config = etcd_fixture_config(endpoints);
    assert_int_equal(kv_etcd_new(other->loop, &config, &other->contract.kv, NULL), 0);
    etcd_fixture_wait_up(&other->contract);
}

static void end_with(struct etcd_fixture *other)
{
    kv_free(other->contract.kv);
    etcd_server_done(&other->server);
}

/* etcd refuses in two ways: by its own limit, and above 2 MiB by that of its transport. */
static void a_value_over_the_limit_is_refused_with_the_limits_name(void **state)
{
    static const size_t sizes[] = { 1600 * 1024, 3 * 1024 * 1024 };
    (void)state;
    assert_int_equal(put_of_size(&fixture.contract, 1400 * 1024).code, 0);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct contract_answer answer = put_of_size(&fixture.contract, sizes[i]);
        assert_int_equal(answer.code, -E2BIG);
        expect_words(answer.reason, "--max-request-bytes");
    }
    (void)contract_op(&fixture.contract, kv_op_delete("big"));
}

/* etcd's transport takes half a MiB more than etcd. */
static void a_limit_below_etcds_own_is_told_as_one(void **state)
{
    static const char *const little[] = { "--max-request-bytes", "1024", NULL };
    struct etcd_fixture other = { 0 };
    (void)state;
    begin_with(&other, little);
    struct contract_answer answer = put_of_size(&other.contract, 1000 * 1024);
    assert_int_equal(answer.code, -E2BIG);
    expect_words(answer.reason, "--max-request-bytes");
    end_with(&other);
}

/* More than libcurl reads of a connection at once. */
static void a_large_answer_and_its_events_come_without_waiting_for_more(void **state)
{
    enum { VALUES = 8 };
    struct follower follower = { 0 };
    (void)state;
    follow(&follower);
    autofree char *value = malloc(100 * 1024);
    assert_non_null(value);
    memset(value, 'x', 100 * 1024);
    struct kv_op puts[VALUES];
    char keys[VALUES][16];
    for (int i = 0; i < VALUES; i++) {
        (void)snprintf(keys[i], sizeof(keys[i]), "large/%d", i);
        puts[i] = kv_op_put_bytes(keys[i], value, 100 * 1024);
    }
    struct kv_txn txn = { .success = puts, .success_count = VALUES };
    assert_int_equal(contract_txn(&fixture.contract, &txn).code, 0);
    struct contract_answer answer = contract_range(&fixture.contract, "large/", true);
    assert_int_equal(answer.code, 0);
    assert_int_equal(answer.pair_count, VALUES);
    count_to(1);
    expect(&follower, 1);
    kv_mirror_free(follower.mirror);
    (void)contract_op(&fixture.contract, kv_op_delete("count"));
    (void)contract_op(&fixture.contract, kv_op_delete_prefix("large/"));
}

static void on_full(const struct kv_status_result *result, void *userdata)
{
    assert_int_equal(result->code, 0);
    assert_true(result->no_space);
    *(int *)userdata = 1;
}

static void a_full_store_says_how_to_mend_it_and_takes_deletes(void **state)
{
    static const char *const quota[] = { "--quota-backend-bytes", "1000000", NULL };
    struct etcd_fixture small = { 0 };
    int told = 0;
    (void)state;
    begin_with(&small, quota);
    struct contract_answer answer = { 0 };
    int64_t until_ms = clock_mono_ms() + FIXTURE_WAIT_MS;
    while (answer.code == 0 && clock_mono_ms() < until_ms) /* etcd counts ten times a second */
        answer = put_of_size(&small.contract, 400 * 1024);
    assert_int_equal(answer.code, -ENOSPC);
    expect_words(answer.reason, "compact");
    expect_words(answer.reason, "defrag");
    expect_words(answer.reason, "alarm disarm");
    assert_int_equal(contract_grant(&small.contract, 7, 5).code, -ENOSPC);
    assert_int_equal(contract_op(&small.contract, kv_op_delete("big")).code, 0);
    assert_int_equal(kv_status(small.contract.kv, on_full, &told, NULL), 0);
    small.contract.wait(&small.contract, &told);
    end_with(&small);
}

int main(void)
{
    static struct CMUnitTest tests[64];
    static const struct CMUnitTest own[] = {
        cmocka_unit_test(a_frozen_etcd_costs_no_event_and_its_streams_are_dropped),
        cmocka_unit_test(a_killed_etcd_costs_no_event_and_repeats_none),
        cmocka_unit_test(nor_does_one_that_is_killed_while_its_watch_is_paused),
        cmocka_unit_test(a_dead_endpoint_is_passed_over_by_requests_and_watches),
        cmocka_unit_test(a_value_over_the_limit_is_refused_with_the_limits_name),
        cmocka_unit_test(a_limit_below_etcds_own_is_told_as_one),
        cmocka_unit_test(a_large_answer_and_its_events_come_without_waiting_for_more),
        cmocka_unit_test(a_full_store_says_how_to_mend_it_and_takes_deletes),
        cmocka_unit_test(the_view_tells_what_was_done_and_how_far_behind_it_is),
        cmocka_unit_test(an_idle_mirror_asks_for_nothing),
        cmocka_unit_test(leadership_passes_on_when_the_leader_resigns),
        cmocka_unit_test(another_store_behind_the_endpoint_is_refused),
    };
    size_t count = 0;
    for (size_t i = 0; i < contract_test_count; i++)
        tests[count++] = contract_tests[i];
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        tests[count++] = own[i];
    return _cmocka_run_group_tests("kv-etcd", tests, count, setup, teardown);
}
