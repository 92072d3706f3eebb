/* SPDX-License-Identifier: Apache-2.0 */
/* What a store that ends a request early does so for. A server of a test's own plays the store. */
#include "kvclient/kv_etcd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "tests/unit/grpc-fixture.h"
#include "tests/unit/harness.h"

enum {
    LONG = 512 * 1024, /* longer than a server takes unasked */
    TIMEOUT_MS = 50,
};

struct put {
    int code; /* 1: not done yet */
    char reason[256];
};

/* Which request is about to be ended. */
static struct peer *ended_peer;
static uint8_t ended_stream;

static void on_put(const struct kv_txn_result *result, void *userdata)
{
    struct put *put = userdata;
    put->code = result->code;
    (void)snprintf(put->reason, sizeof(put->reason), "%s", result->reason ? result->reason : "");
}

static struct put put_at_length(void (*on_head)(struct peer *peer, uint8_t stream))
{
    struct server server;
    struct put put = { .code = 1 };
    struct kv *store = NULL;
    autofree char *value = calloc(1, LONG);
    assert_non_null(value);
    server_start(&server, peer_be_silent);
    server.on_head = on_head;
    char *endpoints[] = { server.origin, NULL };
    const struct kv_etcd_config config = { .endpoints = endpoints,
                                           .request_timeout_ms = TIMEOUT_MS };
    assert_int_equal(kv_etcd_new(server.loop, &config, &store, NULL), 0);
    const struct kv_op op = kv_op_put_bytes("key", value, LONG);
    const struct kv_txn txn = { .success = &op, .success_count = 1 };
    assert_int_equal(kv_txn(store, &txn, on_put, &put, NULL), 0);
    while (put.code == 1)
        loop_run_once(server.loop, true);
    kv_free(store);
    server_stop(&server);
    return put;
}

static void on_time_over(struct loop_timer *timer, void *userdata)
{
    (void)userdata;
    loop_timer_free(timer);
    peer_end_stream(ended_peer, ended_stream);
}

static void end_it_when_its_time_is_over(struct peer *peer, uint8_t stream)
{
    struct loop_timer *timer = NULL;
    ended_peer = peer;
    ended_stream = stream;
    assert_int_equal(
        loop_timer_new(peer->server->loop, "time over", on_time_over, NULL, &timer, NULL), 0);
    loop_timer_set(timer, TIMEOUT_MS + 1);
}

static void expect_words(const struct put *put, const char *words)
{
    if (!strstr(put->reason, words))
        fail_msg("\"%s\" does not say \"%s\"", put->reason, words);
}

static void what_is_not_taken_twice_is_too_large(void **state)
{
    (void)state;
    struct put put = put_at_length(peer_end_stream);
    assert_int_equal(put.code, -E2BIG);
    expect_words(&put, "--max-request-bytes");
}

static void but_not_what_did_not_arrive_in_time(void **state)
{
    (void)state;
    struct put put = put_at_length(end_it_when_its_time_is_over);
    assert_int_equal(put.code, -EAGAIN);
    expect_words(&put, "in 50 ms");
}

static void nor_what_broke_with_its_connection(void **state)
{
    (void)state;
    struct put put = put_at_length(peer_break_off);
    assert_int_equal(put.code, -ETIMEDOUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_taken_twice_is_too_large),
        cmocka_unit_test(but_not_what_did_not_arrive_in_time),
        cmocka_unit_test(nor_what_broke_with_its_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
