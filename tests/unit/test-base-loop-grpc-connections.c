/* SPDX-License-Identifier: Apache-2.0 */
/* Which calls go by which connection, and when one is given up. */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "tests/unit/grpc-fixture.h"
#include "tests/unit/harness.h"

static void answer_the_second_connection(struct peer *peer, uint8_t stream)
{
    if (peer != &peer->server->peers[0])
        peer_answer_well(peer, stream);
}

static void streams_share_a_connection_from_the_first_on(void **state)
{
    enum { STREAMS = 60 };
    struct server server;
    struct outcome streams[STREAMS];
    (void)state;
    server_start(&server, peer_begin_a_stream);
    for (int i = 0; i < STREAMS; i++)
        outcome_start_for(&server, outcome_on_data, 0, &streams[i]);
    for (int i = 0; i < STREAMS; i++)
        outcome_wait_begun(&server, &streams[i]);
    assert_int_equal(server.connections, 1);
    server_stop(&server);
}

static void other_calls_have_one_each_and_leave_it_to_the_next(void **state)
{
    enum { CALLS = 3 };
    struct server server;
    struct outcome outcomes[CALLS];
    (void)state;
    server_start(&server, peer_answer_well);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < CALLS; i++)
            outcome_start(&server, &outcomes[i]);
        outcome_wait(&server, outcomes, CALLS);
        for (int i = 0; i < CALLS; i++)
            outcome_expect(&outcomes[i], "well");
    }
    assert_int_equal(server.connections, CALLS);
    server_stop(&server);
}

struct again {
    struct server *server;
    struct outcome outcome;
    bool begun;
};

static void ask_again(struct grpc_call *call, const struct grpc_result *result, void *userdata)
{
    struct again *again = userdata;
    (void)call;
    (void)result;
    outcome_start(again->server, &again->outcome);
    again->begun = true;
}

static void what_an_answer_leads_to_goes_by_its_connection(void **state)
{
    struct server server;
    struct again again = { .server = &server };
    struct grpc_call *call = NULL;
    (void)state;
    server_start(&server, peer_answer_well);
    const struct grpc_request request = { .origin = server.origin,
                                          .method = "/test.Service/Method",
                                          .message = "question",
                                          .length = 8 };
    assert_int_equal(grpc_start(server.grpc, &request, NULL, ask_again, &again, &call, NULL), 0);
    while (!again.begun)
        loop_run_once(server.loop, true);
    outcome_wait(&server, &again.outcome, 1);
    outcome_expect(&again.outcome, "well");
    assert_int_equal(server.connections, 1);
    server_stop(&server);
}

static int open_connections(const struct server *server)
{
    int count = 0;
    for (int i = 0; i < server->connections; i++)
        count += server->peers[i].fd >= 0;
    return count;
}

static void those_that_a_minute_had_no_use_for_are_closed(void **state)
{
    enum { CALLS = 3 };
    struct server server;
    struct outcome outcomes[CALLS];
    (void)state;
    server_start(&server, peer_answer_well);
    for (int i = 0; i < CALLS; i++)
        outcome_start(&server, &outcomes[i]);
    outcome_wait(&server, outcomes, CALLS);
    outcomes[0] = outcome_ask(&server);
    assert_int_equal(open_connections(&server), CALLS);
    clock_fake_set(clock_mono_ms() + 61 * 1000);
    outcomes[0] = outcome_ask(&server);
    while (open_connections(&server) > 1)
        loop_run_once(server.loop, true);
    outcomes[0] = outcome_ask(&server);
    clock_fake_set(-1);
    outcome_expect(&outcomes[0], "well");
    assert_int_equal(server.connections, CALLS);
    server_stop(&server);
}

static void a_connection_that_is_gone_is_made_anew(void **state)
{
    struct server server;
    (void)state;
    server_start(&server, peer_answer_well);
    struct outcome outcome = outcome_ask(&server);
    peer_hang_up(&server.peers[0]);
    outcome = outcome_ask(&server);
    outcome_expect(&outcome, "well");
    assert_int_equal(server.connections, 2);
    server_stop(&server);
}

/* Whoever has a stream on it has not been told yet. */
static void nothing_goes_by_one_whose_peer_hung_up(void **state)
{
    struct server server;
    struct outcome stream;
    struct outcome outcome;
    (void)state;
    server_start(&server, peer_begin_a_stream);
    outcome_start_for(&server, outcome_on_data, 0, &stream);
    while (stream.stream.buffer.length < 16)
        loop_run_once(server.loop, true);
    peer_hang_up(&server.peers[0]);
    server_stop_listening(&server);
    outcome_start_for(&server, outcome_on_data, 0, &outcome);
    outcome_wait(&server, &outcome, 1);
    assert_int_equal(outcome.code, -ECONNREFUSED);
    outcome_wait(&server, &stream, 1);
    assert_int_equal(stream.code, -EIO);
    grpc_stream_done(&stream.stream);
    server_stop(&server);
}

static void nothing_goes_by_one_that_said_goodbye(void **state)
{
    static const uint8_t goodbye[8] = { 0, 0, 0, 1 };
    struct server server;
    (void)state;
    server_start(&server, peer_answer_well);
    struct outcome outcome = outcome_ask(&server);
    outcome_expect(&outcome, "well");
    peer_put_frame(&server.peers[0], GOAWAY, 0, 0, goodbye, sizeof(goodbye));
    outcome = outcome_ask(&server);
    outcome_expect(&outcome, "well");
    assert_int_equal(server.connections, 2);
    server_stop(&server);
}

static void nor_by_one_that_nobody_had_who_said_something_more(void **state)
{
    static const uint8_t ping[8] = { 0 };
    struct server server;
    (void)state;
    server_start(&server, peer_answer_well);
    struct outcome outcome = outcome_ask(&server);
    outcome_expect(&outcome, "well");
    peer_put_frame(&server.peers[0], PING, 0, 0, ping, sizeof(ping));
    assert_int_equal(shutdown(server.peers[0].fd, SHUT_WR), 0);
    server.on_request = peer_be_silent;
    server_stop_listening(&server);
    outcome = outcome_ask(&server);
    assert_int_equal(outcome.code, -ECONNREFUSED);
    server_stop(&server);
}

static void what_waits_for_a_connection_fails_with_it(void **state)
{
    struct server server;
    struct outcome outcomes[3];
    (void)state;
    server_start(&server, peer_answer_well);
    server_stop_listening(&server);
    for (int i = 0; i < 3; i++)
        outcome_start(&server, &outcomes[i]);
    outcome_wait(&server, outcomes, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(outcomes[i].code, -ECONNREFUSED);
    server_stop(&server);
}

static void another_makes_the_connection_if_the_first_is_cancelled(void **state)
{
    struct server server;
    struct outcome outcomes[3];
    (void)state;
    server_start(&server, peer_answer_well);
    for (int i = 0; i < 3; i++)
        outcome_start(&server, &outcomes[i]);
    grpc_cancel(outcomes[0].call);
    outcome_wait(&server, outcomes + 1, 2);
    outcome_expect(&outcomes[1], "well");
    outcome_expect(&outcomes[2], "well");
    assert_int_equal(outcomes[0].done, 0);
    server_stop(&server);
}

static void a_connection_that_gives_no_answer_is_given_up(void **state)
{
    struct server server;
    struct outcome outcome;
    (void)state;
    server_start(&server, answer_the_second_connection);
    outcome_start_for(&server, NULL, 100, &outcome);
    outcome_wait(&server, &outcome, 1);
    assert_int_equal(outcome.code, -ETIMEDOUT);
    outcome = outcome_ask(&server);
    outcome_expect(&outcome, "well");
    assert_int_equal(server.requests, 2);
    server_stop(&server);
}

static void so_is_one_whose_stream_was_cancelled_for_silence(void **state)
{
    struct server server;
    struct outcome stream;
    (void)state;
    server_start(&server, peer_be_silent);
    outcome_start_for(&server, outcome_on_data, 0, &stream);
    while (server.requests == 0)
        loop_run_once(server.loop, true);
    clock_fake_set(clock_mono_ms() + WAIT_MS);
    grpc_cancel(stream.call);
    clock_fake_set(-1);
    server.on_request = peer_begin_a_stream;
    outcome_start_for(&server, outcome_on_data, 0, &stream);
    outcome_wait_begun(&server, &stream);
    assert_int_equal(server.connections, 2);
    server_stop(&server);
}

/* Who waits is one more than go by a connection that nothing has come back on. */
static void nor_is_it_used_by_who_had_waited_for_it(void **state)
{
    enum { UNPROVEN = 90 };
    struct server server;
    struct outcome streams[UNPROVEN];
    struct outcome waiting;
    (void)state;
    server_start(&server, peer_be_silent);
    for (int i = 0; i < UNPROVEN; i++)
        outcome_start_for(&server, outcome_on_data, 0, &streams[i]);
    while (server.requests < UNPROVEN)
        loop_run_once(server.loop, true);
    server.on_request = peer_begin_a_stream;
    outcome_start_for(&server, outcome_on_data, 0, &waiting);
    clock_fake_set(clock_mono_ms() + WAIT_MS);
    grpc_cancel(streams[0].call);
    clock_fake_set(-1);
    outcome_wait_begun(&server, &waiting);
    assert_int_equal(server.connections, 2);
    server_stop(&server);
}

static void but_not_one_whose_owner_had_not_waited(void **state)
{
    struct server server;
    struct outcome stream;
    (void)state;
    clock_fake_set(clock_mono_ms());
    server_start(&server, peer_be_silent);
    outcome_start_for(&server, outcome_on_data, 0, &stream);
    while (server.requests == 0)
        loop_run_once(server.loop, true);
    clock_fake_set(clock_mono_ms() + 1);
    grpc_cancel(stream.call);
    server.on_request = peer_begin_a_stream;
    outcome_start_for(&server, outcome_on_data, 0, &stream);
    outcome_wait_begun(&server, &stream);
    clock_fake_set(-1);
    assert_int_equal(server.connections, 1);
    server_stop(&server);
}

static void more_than_one_connection_takes_go_by_another(void **state)
{
    enum { CALLS = 5 };
    struct server server;
    struct outcome streams[CALLS];
    (void)state;
    server_start(&server, peer_begin_a_stream);
    server.max_streams = 2;
    for (int i = 0; i < CALLS; i++) {
        outcome_start_for(&server, outcome_on_data, 0, &streams[i]);
        while (streams[i].stream.buffer.length < 16)
            loop_run_once(server.loop, true);
    }
    assert_int_equal(server.connections, 3);
    for (int i = 0; i < CALLS; i++) {
        assert_int_equal(streams[i].done, 0);
        grpc_stream_done(&streams[i].stream);
    }
    server_stop(&server);
}

static void what_cancelled_streams_leave_others_take(void **state)
{
    enum { STREAMS = 3, CANCELLED = 2 };
    struct server server;
    struct outcome streams[STREAMS];
    struct outcome others[STREAMS];
    (void)state;
    server_start(&server, peer_begin_a_stream);
    server.max_streams = 2;
    for (int i = 0; i < STREAMS; i++) {
        outcome_start_for(&server, outcome_on_data, 0, &streams[i]);
        outcome_wait_begun(&server, &streams[i]);
    }
    assert_int_equal(server.connections, 2);
    for (int i = 0; i < CANCELLED; i++)
        grpc_cancel(streams[i].call);
    loop_run_once(server.loop, true); /* which is when they go */
    for (int i = 0; i < STREAMS; i++) {
        outcome_start_for(&server, outcome_on_data, 0, &others[i]);
        outcome_wait_begun(&server, &others[i]);
    }
    assert_int_equal(server.resets, CANCELLED);
    assert_int_equal(server.connections, 2);
    server_stop(&server);
}

static in_port_t local_port(int fd)
{
    struct sockaddr_in address = { 0 };
    socklen_t length = sizeof(address);
    int r = getsockname(fd, (struct sockaddr *)&address, &length);
    return r == 0 && address.sin_family == AF_INET ? address.sin_port : 0;
}

/* The client's end of that connection, which is in this process too. */
static int other_end(const struct peer *peer)
{
    enum { FDS = 256 };
    struct sockaddr_in address = { 0 };
    socklen_t length = sizeof(address);
    assert_int_equal(getpeername(peer->fd, (struct sockaddr *)&address, &length), 0);
    for (int fd = 0; fd < FDS; fd++)
        if (local_port(fd) == address.sin_port)
            return fd;
    return -1;
}

static bool takes_nothing(int fd)
{
    struct pollfd poller = { .fd = fd, .events = POLLOUT };
    return poll(&poller, 1, 0) == 0;
}

/* Nor does it cost those their connection who have it. */
static void a_connection_that_takes_nothing_is_passed_by(void **state)
{
    enum { LARGE = 24 * 1024 * 1024 }; /* more than the kernel keeps of it */
    struct server server;
    struct outcome first;
    struct outcome large;
    struct outcome small;
    (void)state;
    server_start(&server, peer_begin_a_stream);
    server.wide = true;
    outcome_start_for(&server, outcome_on_data, 0, &first);
    outcome_wait_begun(&server, &first);
    autofree char *message = calloc(1, LARGE);
    assert_non_null(message);
    const struct grpc_request request = { .message = message, .length = LARGE };
    loop_io_set(server.peers[0].io, 0); /* reads no more */
    outcome_start_request(&server, request, outcome_on_data, &large);
    while (!takes_nothing(other_end(&server.peers[0])))
        loop_run_once(server.loop, true);
    outcome_start_for(&server, outcome_on_data, 0, &small);
    outcome_wait_begun(&server, &small);
    assert_int_equal(server.connections, 2);
    loop_io_set(server.peers[0].io, LOOP_READ);
    outcome_wait_begun(&server, &large);
    assert_int_equal(first.done, 0);
    server_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_share_a_connection_from_the_first_on),
        cmocka_unit_test(other_calls_have_one_each_and_leave_it_to_the_next),
        cmocka_unit_test(those_that_a_minute_had_no_use_for_are_closed),
        cmocka_unit_test(what_an_answer_leads_to_goes_by_its_connection),
        cmocka_unit_test(a_connection_that_is_gone_is_made_anew),
        cmocka_unit_test(nothing_goes_by_one_whose_peer_hung_up),
        cmocka_unit_test(nothing_goes_by_one_that_said_goodbye),
        cmocka_unit_test(nor_by_one_that_nobody_had_who_said_something_more),
        cmocka_unit_test(what_waits_for_a_connection_fails_with_it),
        cmocka_unit_test(another_makes_the_connection_if_the_first_is_cancelled),
        cmocka_unit_test(a_connection_that_gives_no_answer_is_given_up),
        cmocka_unit_test(so_is_one_whose_stream_was_cancelled_for_silence),
        cmocka_unit_test(nor_is_it_used_by_who_had_waited_for_it),
        cmocka_unit_test(but_not_one_whose_owner_had_not_waited),
        cmocka_unit_test(more_than_one_connection_takes_go_by_another),
        cmocka_unit_test(what_cancelled_streams_leave_others_take),
        cmocka_unit_test(a_connection_that_takes_nothing_is_passed_by),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
