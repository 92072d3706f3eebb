/* SPDX-License-Identifier: Apache-2.0 */
#include "base/loop_grpc.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "tests/unit/grpc-fixture.h"
#include "tests/unit/harness.h"
#include "tests/unit/secret.h"

static void answer_in_pieces(struct peer *peer, uint8_t stream)
{
    peer_put_head(peer, stream);
    peer_put_frame(peer, DATA, 0, stream, "\0\0", 2);
    peer_put_frame(peer, DATA, 0, stream, "\0\0\4we", 5);
    peer_put_frame(peer, DATA, 0, stream, "ll", 2);
    peer_put_trailers(peer, stream, "0");
}

static void answer_by_trailers_only(struct peer *peer, uint8_t stream)
{
    static const char *const lines[] = { ":status",     "200", "content-type", "application/grpc",
                                         "grpc-status", "14",  "grpc-message", "no%20leader%21",
                                         NULL };
    peer_put_headers(peer, END_STREAM, stream, lines);
}

static void answer_as_a_web_server(struct peer *peer, uint8_t stream)
{
    static const char *const lines[] = { ":status", "404", "content-type", "text/plain", NULL };
    peer_put_headers(peer, 0, stream, lines);
    peer_put_frame(peer, DATA, END_STREAM, stream, "not here", 8);
}

static void answer_without_status(struct peer *peer, uint8_t stream)
{
    peer_put_head(peer, stream);
    peer_put_frame(peer, DATA, END_STREAM, stream, "\0\0\0\0\4well", 9);
}

static void answer_half(struct peer *peer, uint8_t stream)
{
    peer_put_head(peer, stream);
    peer_put_frame(peer, DATA, 0, stream, "\0\0\0\0\4we", 7);
    peer_put_trailers(peer, stream, "0");
}

static void answer_twice(struct peer *peer, uint8_t stream)
{
    peer_put_head(peer, stream);
    peer_put_frame(peer, DATA, 0, stream, "\0\0\0\0\1a\0\0\0\0\1b", 12);
    peer_put_trailers(peer, stream, "0");
}

static void answer_nothing(struct peer *peer, uint8_t stream)
{
    peer_put_head(peer, stream);
    peer_put_trailers(peer, stream, "0");
}

static void refuse(struct peer *peer, uint8_t stream)
{
    static const uint8_t code[4] = { 0, 0, 0, REFUSED_STREAM };
    peer_put_frame(peer, RST_STREAM, 0, stream, code, sizeof(code));
}

static void break_at_the_third(struct peer *peer, uint8_t stream)
{
    if (peer->server->requests < 3)
        peer_answer_well(peer, stream);
    else
        peer_hang_up(peer);
}

static void an_answer_is_its_message_in_one_piece_or_many(void **state)
{
    struct server server;
    (void)state;
    server_start(&server, peer_answer_well);
    struct outcome outcome = outcome_ask(&server);
    outcome_expect(&outcome, "well");
    server.on_request = answer_in_pieces;
    outcome = outcome_ask(&server);
    outcome_expect(&outcome, "well");
    server_stop(&server);
}

static void a_refusal_has_its_status_and_words(void **state)
{
    struct server server;
    (void)state;
    server_start(&server, answer_by_trailers_only);
    struct outcome outcome = outcome_ask(&server);
    assert_int_equal(outcome.code, 0);
    assert_int_equal(outcome.status, 14);
    assert_string_equal(outcome.words, "no leader!");
    server_stop(&server);
}

static void who_speaks_no_grpc_is_shown_as_he_is(void **state)
{
    struct server server;
    (void)state;
    server_start(&server, answer_as_a_web_server);
    struct outcome outcome = outcome_ask(&server);
    assert_int_equal(outcome.code, 0);
    assert_int_equal(outcome.status, GRPC_NO_STATUS);
    assert_int_equal(outcome.http_status, 404);
    assert_string_equal(outcome.body, "not here");
    outcome_start_for(&server, outcome_on_data, 0, &outcome);
    outcome_wait(&server, &outcome, 1);
    assert_int_equal(outcome.status, GRPC_NO_STATUS);
    assert_string_equal(outcome.body, "not here");
    assert_int_equal(outcome.stream.buffer.length, 0);
    server_stop(&server);
}

static void expect_code(void (*on_request)(struct peer *peer, uint8_t stream), int code)
{
    struct server server;
    server_start(&server, on_request);
    assert_int_equal(outcome_ask(&server).code, code);
    assert_int_equal(outcome_ask(&server).code, code);
    assert_int_equal(server.requests, 2);
    server_stop(&server);
}

static void an_answer_without_status_is_cut_off(void **state)
{
    (void)state;
    expect_code(answer_without_status, -EIO);
    expect_code(peer_end_stream, -EIO);
}

static void a_success_is_one_whole_message(void **state)
{
    (void)state;
    expect_code(answer_half, -EPROTO);
    expect_code(answer_twice, -EPROTO);
    expect_code(answer_nothing, -EPROTO);
}

/* As the server says, it has done nothing with it; but libcurl does not hand that on. */
static void what_the_server_refused_is_not_sent_again(void **state)
{
    (void)state;
    expect_code(refuse, -EIO);
}

static void nor_is_what_a_broken_connection_had(void **state)
{
    struct server server;
    struct outcome outcome;
    (void)state;
    server_start(&server, break_at_the_third);
    for (int i = 0; i < 2; i++) {
        outcome = outcome_ask(&server);
        outcome_expect(&outcome, "well");
    }
    outcome = outcome_ask(&server);
    assert_int_equal(outcome.code, -EIO);
    assert_int_equal(server.requests, 3);
    assert_int_equal(server.connections, 1);
    server_stop(&server);
}

static struct outcome ask_without_descriptors(struct server *server)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    int first_free = dup(server->listener);
    assert_true(first_free > 0);
    (void)close(first_free);
    const struct rlimit none = { .rlim_cur = (rlim_t)first_free, .rlim_max = limit.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    struct outcome outcome = outcome_ask(server);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    return outcome;
}

/* A member is not to be blamed for it. */
/* Of a request that is longer than the server takes unasked, before it has the whole of it. */
static struct outcome ask_at_length(void (*on_head)(struct peer *peer, uint8_t stream))
{
    enum { LONG = 1024 * 1024 };
    struct server server;
    struct outcome outcome;
    autofree char *message = calloc(1, LONG);
    assert_non_null(message);
    server_start(&server, peer_answer_well);
    server.on_head = on_head;
    const struct grpc_request request = { .message = message,
                                          .length = LONG,
                                          .timeout_ms = WAIT_MS };
    outcome_start_request(&server, request, NULL, &outcome);
    outcome_wait(&server, &outcome, 1);
    server_stop(&server);
    return outcome;
}

/* As a server does that finds it too long. */
static void what_the_server_did_not_take_whole_is_told_as_that(void **state)
{
    (void)state;
    assert_int_equal(ask_at_length(peer_end_stream).code, -EMSGSIZE);
}

static void but_not_what_broke_with_its_connection(void **state)
{
    (void)state;
    assert_int_equal(ask_at_length(peer_break_off).code, -EIO);
}

static void our_own_want_of_descriptors_is_told_as_that(void **state)
{
    struct server server;
    (void)state;
    server_start(&server, peer_answer_well);
    struct outcome outcome = ask_without_descriptors(&server);
    assert_int_equal(outcome.code, -ENOMEM);
    outcome = outcome_ask(&server);
    outcome_expect(&outcome, "well");
    server_stop(&server);
}

static void so_it_is_where_a_name_could_not_be_looked_up_for_it(void **state)
{
    struct server server;
    (void)state;
    server_start_at(&server, "127.0.0.1", "http://somewhere.invalid", peer_answer_well);
    assert_int_equal(ask_without_descriptors(&server).code, -ENOMEM);
    server_stop(&server);
}

/* It may be a token. */
static void an_answer_stays_in_no_memory(void **state)
{
    struct server server;
    (void)state;
    server_start(&server, peer_answer_well);
    secret = "well";
    secret_was_left = false;
    struct outcome outcome = outcome_ask(&server);
    secret = NULL;
    outcome_expect(&outcome, "well");
    assert_false(secret_was_left);
    server_stop(&server);
}

static void a_stream_gives_what_arrives_and_ends_by_its_status(void **state)
{
    struct server server;
    struct outcome outcome;
    const uint8_t *data = NULL;
    size_t length = 0;
    (void)state;
    server_start(&server, peer_begin_a_stream);
    outcome_start_for(&server, outcome_on_data, 0, &outcome);
    while (outcome.stream.buffer.length < 16)
        loop_run_once(server.loop, true);
    assert_int_equal(grpc_stream_next(&outcome.stream, &data, &length, NULL), 1);
    assert_memory_equal(data, "one", 3);
    assert_int_equal(grpc_stream_next(&outcome.stream, &data, &length, NULL), 1);
    assert_memory_equal(data, "two", 3);
    assert_int_equal(outcome.done, 0);
    peer_put_trailers(&server.peers[0], 1, "11");
    outcome_wait(&server, &outcome, 1);
    assert_int_equal(outcome.code, 0);
    assert_int_equal(outcome.status, 11);
    grpc_stream_done(&outcome.stream);
    server_stop(&server);
}

/* TLS is never agreed on, whatever ends the waiting. */
static void what_never_became_ready_did_not_happen(void **state)
{
    const struct grpc_request requests[] = {
        {.message = "question", .length = 8,           .timeout_ms = 50        },
        { .message = "question",          .length = 8, .timeout_ms = WAIT_MS, .connect_timeout_ms = 50 },
    };
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct server server;
        struct outcome outcome;
        server_start_at(&server, "127.0.0.1", "https://127.0.0.1", peer_be_silent);
        loop_io_set(server.listening, 0);
        outcome_start_request(&server, requests[i], NULL, &outcome);
        outcome_wait(&server, &outcome, 1);
        assert_int_equal(outcome.code, -ECONNREFUSED);
        server_stop(&server);
    }
}

static void an_address_may_be_of_ipv6(void **state)
{
    struct server server;
    (void)state;
    server_start_at(&server, "::1", "http://[::1]", peer_answer_well);
    struct outcome outcome = outcome_ask(&server);
    outcome_expect(&outcome, "well");
    server_stop(&server);
}

static void nobody_waits_longer_than_he_said(void **state)
{
    struct server server;
    struct outcome outcomes[2];
    (void)state;
    server_start(&server, peer_be_silent);
    loop_io_set(server.listening, 0); /* the kernel takes the connection, and nobody answers */
    outcome_start_for(&server, NULL, 50, &outcomes[0]);
    outcome_start_for(&server, NULL, 100, &outcomes[1]);
    outcome_wait(&server, outcomes, 2);
    assert_int_equal(outcomes[0].code, -ETIMEDOUT);
    assert_int_equal(outcomes[1].code, -ETIMEDOUT);
    server_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_its_message_in_one_piece_or_many),
        cmocka_unit_test(a_refusal_has_its_status_and_words),
        cmocka_unit_test(who_speaks_no_grpc_is_shown_as_he_is),
        cmocka_unit_test(an_answer_without_status_is_cut_off),
        cmocka_unit_test(a_success_is_one_whole_message),
        cmocka_unit_test(what_the_server_refused_is_not_sent_again),
        cmocka_unit_test(nor_is_what_a_broken_connection_had),
        cmocka_unit_test(what_the_server_did_not_take_whole_is_told_as_that),
        cmocka_unit_test(but_not_what_broke_with_its_connection),
        cmocka_unit_test(our_own_want_of_descriptors_is_told_as_that),
        cmocka_unit_test(so_it_is_where_a_name_could_not_be_looked_up_for_it),
        cmocka_unit_test(an_answer_stays_in_no_memory),
        cmocka_unit_test(a_stream_gives_what_arrives_and_ends_by_its_status),
        cmocka_unit_test(what_never_became_ready_did_not_happen),
        cmocka_unit_test(an_address_may_be_of_ipv6),
        cmocka_unit_test(nobody_waits_longer_than_he_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
