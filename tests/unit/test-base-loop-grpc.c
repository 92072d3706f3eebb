/* SPDX-License-Identifier: Apache-2.0 */
#include "base/loop_grpc.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/grpc.h"
#include "tests/unit/harness.h"

enum {
    CONNECTIONS_MAX = 8,
    FRAME_HEAD = 9,
    PREFACE_BYTES = 24,
    DATA = 0,
    HEADERS = 1,
    RST_STREAM = 3,
    SETTINGS = 4,
    PING = 6,
    GOAWAY = 7,
    WINDOW_UPDATE = 8,
    END_STREAM = 1,
    ACK = 1,
    END_HEADERS = 4,
    REFUSED_STREAM = 7,
    NO_ERROR = 0,
    MAX_CONCURRENT_STREAMS = 3,
    INITIAL_WINDOW_SIZE = 4,
    WAIT_MS = 20000,
};

struct server;

struct peer {
    struct server *server;
    int fd;
    struct loop_io *io;
    uint8_t bytes[65536];
    size_t length;
    bool greeted;
    uint32_t last_stream; /* that has begun */
};

/* An HTTP/2 server in the same loop. It reads no header of a request, only which stream it is. */
struct server {
    struct loop *loop;
    struct grpc *grpc;
    int listener;
    struct loop_io *listening;
    char origin[64];
    struct peer peers[CONNECTIONS_MAX];
    int connections;
    int requests;
    int resets;
    uint8_t max_streams; /* 0: not told */
    bool wide;           /* it takes any length of a request without acknowledging it */
    void (*on_request)(struct peer *peer, uint8_t stream);
};

static void put_frame(struct peer *peer, uint8_t type, uint8_t flags, uint8_t stream,
                      const void *payload, size_t length)
{
    uint8_t frame[FRAME_HEAD + 1024] = {
        0, (uint8_t)(length >> 8), (uint8_t)length, type, flags, 0, 0, 0, stream
    };
    assert_true(length <= 1024);
    if (length)
        memcpy(frame + FRAME_HEAD, payload, length);
    assert_int_equal(write(peer->fd, frame, FRAME_HEAD + length), FRAME_HEAD + length);
}

/* Each header as HPACK's "literal, not indexed, new name"; names and values are short. */
static void put_headers(struct peer *peer, uint8_t flags, uint8_t stream, const char *const *lines)
{
    uint8_t block[512];
    size_t length = 0;
    for (; *lines; lines += 2) {
        block[length++] = 0;
        for (int i = 0; i < 2; i++) {
            size_t bytes = strlen(lines[i]);
            block[length++] = (uint8_t)bytes;
            memcpy(block + length, lines[i], bytes);
            length += bytes;
        }
    }
    put_frame(peer, HEADERS, END_HEADERS | flags, stream, block, length);
}

static void put_head(struct peer *peer, uint8_t stream)
{
    static const char *const head[] = { ":status", "200", "content-type", "application/grpc",
                                        NULL };
    put_headers(peer, 0, stream, head);
}

static void put_trailers(struct peer *peer, uint8_t stream, const char *status)
{
    const char *const trailers[] = { "grpc-status", status, NULL };
    put_headers(peer, END_STREAM, stream, trailers);
}

static void put_settings(struct peer *peer)
{
    static const uint8_t wide[6] = { 0, INITIAL_WINDOW_SIZE, 0x7f, 0xff, 0xff, 0xff };
    static const uint8_t wider[4] = { 0x70, 0, 0, 0 };
    uint8_t setting[6] = { 0, MAX_CONCURRENT_STREAMS, 0, 0, 0, peer->server->max_streams };
    if (peer->server->wide) {
        put_frame(peer, SETTINGS, 0, 0, wide, sizeof(wide));
        put_frame(peer, WINDOW_UPDATE, 0, 0, wider, sizeof(wider));
        return;
    }
    put_frame(peer, SETTINGS, 0, 0, setting, peer->server->max_streams ? sizeof(setting) : 0);
}

static void hang_up(struct peer *peer)
{
    loop_io_free(peer->io);
    peer->io = NULL;
    if (peer->fd >= 0)
        (void)close(peer->fd);
    peer->fd = -1;
}

static uint32_t stream_of(const uint8_t *frame)
{
    return (uint32_t)frame[5] << 24 | (uint32_t)frame[6] << 16 | (uint32_t)frame[7] << 8 | frame[8];
}

/* Some servers end the connection for a reset of a stream that never was. */
static void take_frame(struct peer *peer, const uint8_t *frame)
{
    uint8_t type = frame[3];
    uint8_t flags = frame[4];
    if (type == HEADERS)
        peer->last_stream = stream_of(frame);
    if (type == RST_STREAM) {
        assert_true(stream_of(frame) <= peer->last_stream);
        peer->server->resets++;
    }
    if (type == SETTINGS && !(flags & ACK))
        put_frame(peer, SETTINGS, ACK, 0, NULL, 0);
    if ((type != DATA && type != HEADERS) || !(flags & END_STREAM))
        return;
    peer->server->requests++;
    peer->server->on_request(peer, frame[8]);
}

static void take_bytes(struct peer *peer)
{
    size_t at = 0;
    if (!peer->greeted && peer->length >= PREFACE_BYTES) {
        peer->greeted = true;
        at = PREFACE_BYTES;
        put_settings(peer);
    }
    while (peer->fd >= 0 && peer->greeted && peer->length - at >= FRAME_HEAD) {
        const uint8_t *frame = peer->bytes + at;
        size_t whole = FRAME_HEAD + ((size_t)frame[1] << 8 | frame[2]);
        if (peer->length - at < whole)
            break;
        at += whole;
        take_frame(peer, frame);
    }
    peer->length -= at;
    memmove(peer->bytes, peer->bytes + at, peer->length);
}

static void on_peer(struct loop_io *io, int events, void *userdata)
{
    struct peer *peer = userdata;
    (void)io;
    (void)events;
    ssize_t n = read(peer->fd, peer->bytes + peer->length, sizeof(peer->bytes) - peer->length);
    if (n <= 0) {
        hang_up(peer);
        return;
    }
    peer->length += (size_t)n;
    take_bytes(peer);
}

static void on_connection(struct loop_io *io, int events, void *userdata)
{
    struct server *server = userdata;
    assert_true(server->connections < CONNECTIONS_MAX);
    struct peer *peer = &server->peers[server->connections++];
    (void)io;
    (void)events;
    peer->server = server;
    peer->fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(peer->fd >= 0);
    assert_int_equal(
        loop_io_new(server->loop, "peer", peer->fd, LOOP_READ, on_peer, peer, &peer->io, NULL), 0);
}

static void stop_listening(struct server *server)
{
    loop_io_free(server->listening);
    server->listening = NULL;
    if (server->listener >= 0)
        (void)close(server->listener);
    server->listener = -1;
}

/* False if the machine has no such address. */
static bool listen_at(struct server *server, const char *host)
{
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST };
    struct addrinfo *info = NULL;
    assert_int_equal(getaddrinfo(host, "0", &hints, &info), 0);
    server->listener = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool bound = server->listener >= 0 &&
                 bind(server->listener, info->ai_addr, info->ai_addrlen) == 0 &&
                 listen(server->listener, 8) == 0;
    freeaddrinfo(info);
    return bound;
}

static int port_of(const struct server *server)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof(address);
    char port[8];
    assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &length), 0);
    assert_int_equal(getnameinfo((struct sockaddr *)&address, length, NULL, 0, port, sizeof(port),
                                 NI_NUMERICSERV),
                     0);
    return atoi(port);
}

/* name: the origin without its port. */
static void server_start_at(struct server *server, const char *host, const char *name,
                            void (*on_request)(struct peer *peer, uint8_t stream))
{
    *server = (struct server){ .on_request = on_request };
    for (int i = 0; i < CONNECTIONS_MAX; i++)
        server->peers[i].fd = -1;
    if (!listen_at(server, host)) {
        (void)close(server->listener);
        skip();
    }
    assert_int_equal(loop_new(&server->loop, NULL), 0);
    assert_int_equal(grpc_new(server->loop, &server->grpc, NULL), 0);
    (void)snprintf(server->origin, sizeof(server->origin), "%s:%d", name, port_of(server));
    assert_int_equal(loop_io_new(server->loop, "listener", server->listener, LOOP_READ,
                                 on_connection, server, &server->listening, NULL),
                     0);
}

static void server_start(struct server *server,
                         void (*on_request)(struct peer *peer, uint8_t stream))
{
    server_start_at(server, "127.0.0.1", "http://127.0.0.1", on_request);
}

static void server_stop(struct server *server)
{
    grpc_free(server->grpc);
    for (int i = 0; i < CONNECTIONS_MAX; i++)
        hang_up(&server->peers[i]);
    stop_listening(server);
    loop_free(server->loop);
}

struct outcome {
    struct grpc_call *call;
    int done;
    int code;
    int status;
    long http_status;
    char words[64];
    char body[64];
    struct grpc_stream stream;
};

static void on_done(struct grpc_call *call, const struct grpc_result *result, void *userdata)
{
    struct outcome *outcome = userdata;
    assert_ptr_equal(call, outcome->call);
    outcome->done++;
    outcome->code = result->code;
    outcome->status = result->status;
    outcome->http_status = result->http_status;
    (void)snprintf(outcome->words, sizeof(outcome->words), "%s", result->words);
    (void)snprintf(outcome->body, sizeof(outcome->body), "%.*s", (int)result->length,
                   result->data ? (const char *)result->data : "");
    if (result->code < 0)
        assert_true(result->reason[0]);
}

static void on_data(struct grpc_call *call, const char *bytes, size_t length, void *userdata)
{
    struct outcome *outcome = userdata;
    (void)call;
    assert_int_equal(grpc_stream_add(&outcome->stream, bytes, length, NULL), 0);
}

static void start_request(struct server *server, struct grpc_request request, grpc_data_fn data,
                          struct outcome *outcome)
{
    char line[] = "of-the-caller: yes";
    char *const metadata[] = { line, NULL };
    request.origin = server->origin;
    request.method = "/test.Service/Method";
    request.metadata = metadata;
    *outcome = (struct outcome){ 0 };
    assert_int_equal(
        grpc_start(server->grpc, &request, data, on_done, outcome, &outcome->call, NULL), 0);
}

static void start_for(struct server *server, grpc_data_fn data, int timeout_ms,
                      struct outcome *outcome)
{
    const struct grpc_request request = { .message = "question",
                                          .length = 8,
                                          .timeout_ms = timeout_ms };
    start_request(server, request, data, outcome);
}

static void start(struct server *server, struct outcome *outcome)
{
    start_for(server, NULL, WAIT_MS, outcome);
}

static void wait_done(struct server *server, const struct outcome *outcomes, int count)
{
    for (int i = 0; i < count; i++) {
        while (!outcomes[i].done)
            loop_run_once(server->loop, true);
    }
}

static struct outcome ask(struct server *server)
{
    struct outcome outcome;
    start(server, &outcome);
    wait_done(server, &outcome, 1);
    return outcome;
}

static void expect_answer(const struct outcome *outcome, const char *body)
{
    assert_int_equal(outcome->code, 0);
    assert_int_equal(outcome->status, 0);
    assert_string_equal(outcome->body, body);
    assert_int_equal(outcome->done, 1);
}

static void answer_well(struct peer *peer, uint8_t stream)
{
    put_head(peer, stream);
    put_frame(peer, DATA, 0, stream, "\0\0\0\0\4well", 9);
    put_trailers(peer, stream, "0");
}

static void answer_in_pieces(struct peer *peer, uint8_t stream)
{
    put_head(peer, stream);
    put_frame(peer, DATA, 0, stream, "\0\0", 2);
    put_frame(peer, DATA, 0, stream, "\0\0\4we", 5);
    put_frame(peer, DATA, 0, stream, "ll", 2);
    put_trailers(peer, stream, "0");
}

static void answer_by_trailers_only(struct peer *peer, uint8_t stream)
{
    static const char *const lines[] = { ":status",     "200", "content-type", "application/grpc",
                                         "grpc-status", "14",  "grpc-message", "no%20leader%21",
                                         NULL };
    put_headers(peer, END_STREAM, stream, lines);
}

static void answer_as_a_web_server(struct peer *peer, uint8_t stream)
{
    static const char *const lines[] = { ":status", "404", "content-type", "text/plain", NULL };
    put_headers(peer, 0, stream, lines);
    put_frame(peer, DATA, END_STREAM, stream, "not here", 8);
}

static void answer_without_status(struct peer *peer, uint8_t stream)
{
    put_head(peer, stream);
    put_frame(peer, DATA, END_STREAM, stream, "\0\0\0\0\4well", 9);
}

static void answer_half(struct peer *peer, uint8_t stream)
{
    put_head(peer, stream);
    put_frame(peer, DATA, 0, stream, "\0\0\0\0\4we", 7);
    put_trailers(peer, stream, "0");
}

static void answer_twice(struct peer *peer, uint8_t stream)
{
    put_head(peer, stream);
    put_frame(peer, DATA, 0, stream, "\0\0\0\0\1a\0\0\0\0\1b", 12);
    put_trailers(peer, stream, "0");
}

static void answer_nothing(struct peer *peer, uint8_t stream)
{
    put_head(peer, stream);
    put_trailers(peer, stream, "0");
}

static void end_without_a_word(struct peer *peer, uint8_t stream)
{
    static const uint8_t code[4] = { 0, 0, 0, NO_ERROR };
    put_frame(peer, RST_STREAM, 0, stream, code, sizeof(code));
}

static void refuse(struct peer *peer, uint8_t stream)
{
    static const uint8_t code[4] = { 0, 0, 0, REFUSED_STREAM };
    put_frame(peer, RST_STREAM, 0, stream, code, sizeof(code));
}

static void be_silent(struct peer *peer, uint8_t stream)
{
    (void)peer;
    (void)stream;
}

static void break_at_the_third(struct peer *peer, uint8_t stream)
{
    if (peer->server->requests < 3)
        answer_well(peer, stream);
    else
        hang_up(peer);
}

static void answer_the_second_connection(struct peer *peer, uint8_t stream)
{
    if (peer != &peer->server->peers[0])
        answer_well(peer, stream);
}

static void begin_a_stream(struct peer *peer, uint8_t stream)
{
    put_head(peer, stream);
    put_frame(peer, DATA, 0, stream, "\0\0\0\0\3one\0\0\0\0\3t", 14);
    put_frame(peer, DATA, 0, stream, "wo", 2);
}

/* As begin_a_stream() answers. */
static void wait_answer(struct server *server, struct outcome *stream)
{
    while (stream->stream.buffer.length < 16) {
        assert_int_equal(stream->done, 0);
        loop_run_once(server->loop, true);
    }
    grpc_stream_done(&stream->stream);
}

static void an_answer_is_its_message_in_one_piece_or_many(void **state)
{
    struct server server;
    (void)state;
    server_start(&server, answer_well);
    struct outcome outcome = ask(&server);
    expect_answer(&outcome, "well");
    server.on_request = answer_in_pieces;
    outcome = ask(&server);
    expect_answer(&outcome, "well");
    server_stop(&server);
}

static void streams_share_a_connection_from_the_first_on(void **state)
{
    enum { STREAMS = 60 };
    struct server server;
    struct outcome streams[STREAMS];
    (void)state;
    server_start(&server, begin_a_stream);
    for (int i = 0; i < STREAMS; i++)
        start_for(&server, on_data, 0, &streams[i]);
    for (int i = 0; i < STREAMS; i++)
        wait_answer(&server, &streams[i]);
    assert_int_equal(server.connections, 1);
    server_stop(&server);
}

static void other_calls_have_one_each_and_leave_it_to_the_next(void **state)
{
    enum { CALLS = 3 };
    struct server server;
    struct outcome outcomes[CALLS];
    (void)state;
    server_start(&server, answer_well);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < CALLS; i++)
            start(&server, &outcomes[i]);
        wait_done(&server, outcomes, CALLS);
        for (int i = 0; i < CALLS; i++)
            expect_answer(&outcomes[i], "well");
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
    start(again->server, &again->outcome);
    again->begun = true;
}

static void what_an_answer_leads_to_goes_by_its_connection(void **state)
{
    struct server server;
    struct again again = { .server = &server };
    struct grpc_call *call = NULL;
    (void)state;
    server_start(&server, answer_well);
    const struct grpc_request request = { .origin = server.origin,
                                          .method = "/test.Service/Method",
                                          .message = "question",
                                          .length = 8 };
    assert_int_equal(grpc_start(server.grpc, &request, NULL, ask_again, &again, &call, NULL), 0);
    while (!again.begun)
        loop_run_once(server.loop, true);
    wait_done(&server, &again.outcome, 1);
    expect_answer(&again.outcome, "well");
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
    server_start(&server, answer_well);
    for (int i = 0; i < CALLS; i++)
        start(&server, &outcomes[i]);
    wait_done(&server, outcomes, CALLS);
    outcomes[0] = ask(&server);
    assert_int_equal(open_connections(&server), CALLS);
    clock_fake_set(clock_mono_ms() + 61 * 1000);
    outcomes[0] = ask(&server);
    while (open_connections(&server) > 1)
        loop_run_once(server.loop, true);
    outcomes[0] = ask(&server);
    clock_fake_set(-1);
    expect_answer(&outcomes[0], "well");
    assert_int_equal(server.connections, CALLS);
    server_stop(&server);
}

static void a_refusal_has_its_status_and_words(void **state)
{
    struct server server;
    (void)state;
    server_start(&server, answer_by_trailers_only);
    struct outcome outcome = ask(&server);
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
    struct outcome outcome = ask(&server);
    assert_int_equal(outcome.code, 0);
    assert_int_equal(outcome.status, GRPC_NO_STATUS);
    assert_int_equal(outcome.http_status, 404);
    assert_string_equal(outcome.body, "not here");
    start_for(&server, on_data, 0, &outcome);
    wait_done(&server, &outcome, 1);
    assert_int_equal(outcome.status, GRPC_NO_STATUS);
    assert_string_equal(outcome.body, "not here");
    assert_int_equal(outcome.stream.buffer.length, 0);
    server_stop(&server);
}

static void expect_code(void (*on_request)(struct peer *peer, uint8_t stream), int code)
{
    struct server server;
    server_start(&server, on_request);
    assert_int_equal(ask(&server).code, code);
    assert_int_equal(ask(&server).code, code);
    assert_int_equal(server.requests, 2);
    server_stop(&server);
}

static void an_answer_without_status_is_cut_off(void **state)
{
    (void)state;
    expect_code(answer_without_status, -EIO);
    expect_code(end_without_a_word, -EIO);
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
        outcome = ask(&server);
        expect_answer(&outcome, "well");
    }
    outcome = ask(&server);
    assert_int_equal(outcome.code, -EIO);
    assert_int_equal(server.requests, 3);
    assert_int_equal(server.connections, 1);
    server_stop(&server);
}

static void a_connection_that_is_gone_is_made_anew(void **state)
{
    struct server server;
    (void)state;
    server_start(&server, answer_well);
    struct outcome outcome = ask(&server);
    hang_up(&server.peers[0]);
    outcome = ask(&server);
    expect_answer(&outcome, "well");
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
    server_start(&server, begin_a_stream);
    start_for(&server, on_data, 0, &stream);
    while (stream.stream.buffer.length < 16)
        loop_run_once(server.loop, true);
    hang_up(&server.peers[0]);
    stop_listening(&server);
    start_for(&server, on_data, 0, &outcome);
    wait_done(&server, &outcome, 1);
    assert_int_equal(outcome.code, -ECONNREFUSED);
    wait_done(&server, &stream, 1);
    assert_int_equal(stream.code, -EIO);
    grpc_stream_done(&stream.stream);
    server_stop(&server);
}

static void nothing_goes_by_one_that_said_goodbye(void **state)
{
    static const uint8_t goodbye[8] = { 0, 0, 0, 1 };
    struct server server;
    (void)state;
    server_start(&server, answer_well);
    struct outcome outcome = ask(&server);
    expect_answer(&outcome, "well");
    put_frame(&server.peers[0], GOAWAY, 0, 0, goodbye, sizeof(goodbye));
    outcome = ask(&server);
    expect_answer(&outcome, "well");
    assert_int_equal(server.connections, 2);
    server_stop(&server);
}

static void nor_by_one_that_nobody_had_who_said_something_more(void **state)
{
    static const uint8_t ping[8] = { 0 };
    struct server server;
    (void)state;
    server_start(&server, answer_well);
    struct outcome outcome = ask(&server);
    expect_answer(&outcome, "well");
    put_frame(&server.peers[0], PING, 0, 0, ping, sizeof(ping));
    assert_int_equal(shutdown(server.peers[0].fd, SHUT_WR), 0);
    server.on_request = be_silent;
    stop_listening(&server);
    outcome = ask(&server);
    assert_int_equal(outcome.code, -ECONNREFUSED);
    server_stop(&server);
}

/* A member is not to be blamed for it. */
static void our_own_want_of_descriptors_is_told_as_that(void **state)
{
    struct server server;
    struct rlimit limit;
    (void)state;
    server_start(&server, answer_well);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    int first_free = dup(server.listener);
    assert_true(first_free > 0);
    (void)close(first_free);
    const struct rlimit none = { .rlim_cur = (rlim_t)first_free, .rlim_max = limit.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    struct outcome outcome = ask(&server);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(outcome.code, -ENOMEM);
    outcome = ask(&server);
    expect_answer(&outcome, "well");
    server_stop(&server);
}

static void what_waits_for_a_connection_fails_with_it(void **state)
{
    struct server server;
    struct outcome outcomes[3];
    (void)state;
    server_start(&server, answer_well);
    stop_listening(&server);
    for (int i = 0; i < 3; i++)
        start(&server, &outcomes[i]);
    wait_done(&server, outcomes, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(outcomes[i].code, -ECONNREFUSED);
    server_stop(&server);
}

static void another_makes_the_connection_if_the_first_is_cancelled(void **state)
{
    struct server server;
    struct outcome outcomes[3];
    (void)state;
    server_start(&server, answer_well);
    for (int i = 0; i < 3; i++)
        start(&server, &outcomes[i]);
    grpc_cancel(outcomes[0].call);
    wait_done(&server, outcomes + 1, 2);
    expect_answer(&outcomes[1], "well");
    expect_answer(&outcomes[2], "well");
    assert_int_equal(outcomes[0].done, 0);
    server_stop(&server);
}

static void a_connection_that_gives_no_answer_is_given_up(void **state)
{
    struct server server;
    struct outcome outcome;
    (void)state;
    server_start(&server, answer_the_second_connection);
    start_for(&server, NULL, 100, &outcome);
    wait_done(&server, &outcome, 1);
    assert_int_equal(outcome.code, -ETIMEDOUT);
    outcome = ask(&server);
    expect_answer(&outcome, "well");
    assert_int_equal(server.requests, 2);
    server_stop(&server);
}

static void so_is_one_whose_stream_was_cancelled_for_silence(void **state)
{
    struct server server;
    struct outcome stream;
    (void)state;
    server_start(&server, be_silent);
    start_for(&server, on_data, 0, &stream);
    while (server.requests == 0)
        loop_run_once(server.loop, true);
    clock_fake_set(clock_mono_ms() + WAIT_MS);
    grpc_cancel(stream.call);
    clock_fake_set(-1);
    server.on_request = begin_a_stream;
    start_for(&server, on_data, 0, &stream);
    wait_answer(&server, &stream);
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
    server_start(&server, be_silent);
    for (int i = 0; i < UNPROVEN; i++)
        start_for(&server, on_data, 0, &streams[i]);
    while (server.requests < UNPROVEN)
        loop_run_once(server.loop, true);
    server.on_request = begin_a_stream;
    start_for(&server, on_data, 0, &waiting);
    clock_fake_set(clock_mono_ms() + WAIT_MS);
    grpc_cancel(streams[0].call);
    clock_fake_set(-1);
    wait_answer(&server, &waiting);
    assert_int_equal(server.connections, 2);
    server_stop(&server);
}

static void but_not_one_whose_owner_had_not_waited(void **state)
{
    struct server server;
    struct outcome stream;
    (void)state;
    clock_fake_set(clock_mono_ms());
    server_start(&server, be_silent);
    start_for(&server, on_data, 0, &stream);
    while (server.requests == 0)
        loop_run_once(server.loop, true);
    clock_fake_set(clock_mono_ms() + 1);
    grpc_cancel(stream.call);
    server.on_request = begin_a_stream;
    start_for(&server, on_data, 0, &stream);
    wait_answer(&server, &stream);
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
    server_start(&server, begin_a_stream);
    server.max_streams = 2;
    for (int i = 0; i < CALLS; i++) {
        start_for(&server, on_data, 0, &streams[i]);
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
    server_start(&server, begin_a_stream);
    server.max_streams = 2;
    for (int i = 0; i < STREAMS; i++) {
        start_for(&server, on_data, 0, &streams[i]);
        wait_answer(&server, &streams[i]);
    }
    assert_int_equal(server.connections, 2);
    for (int i = 0; i < CANCELLED; i++)
        grpc_cancel(streams[i].call);
    loop_run_once(server.loop, true); /* which is when they go */
    for (int i = 0; i < STREAMS; i++) {
        start_for(&server, on_data, 0, &others[i]);
        wait_answer(&server, &others[i]);
    }
    assert_int_equal(server.resets, CANCELLED);
    assert_int_equal(server.connections, 2);
    server_stop(&server);
}

static void a_stream_gives_what_arrives_and_ends_by_its_status(void **state)
{
    struct server server;
    struct outcome outcome;
    const uint8_t *data = NULL;
    size_t length = 0;
    (void)state;
    server_start(&server, begin_a_stream);
    start_for(&server, on_data, 0, &outcome);
    while (outcome.stream.buffer.length < 16)
        loop_run_once(server.loop, true);
    assert_int_equal(grpc_stream_next(&outcome.stream, &data, &length, NULL), 1);
    assert_memory_equal(data, "one", 3);
    assert_int_equal(grpc_stream_next(&outcome.stream, &data, &length, NULL), 1);
    assert_memory_equal(data, "two", 3);
    assert_int_equal(outcome.done, 0);
    put_trailers(&server.peers[0], 1, "11");
    wait_done(&server, &outcome, 1);
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
        server_start_at(&server, "127.0.0.1", "https://127.0.0.1", be_silent);
        loop_io_set(server.listening, 0);
        start_request(&server, requests[i], NULL, &outcome);
        wait_done(&server, &outcome, 1);
        assert_int_equal(outcome.code, -ECONNREFUSED);
        server_stop(&server);
    }
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
    server_start(&server, begin_a_stream);
    server.wide = true;
    start_for(&server, on_data, 0, &first);
    wait_answer(&server, &first);
    autofree char *message = calloc(1, LARGE);
    assert_non_null(message);
    const struct grpc_request request = { .message = message, .length = LARGE };
    loop_io_set(server.peers[0].io, 0); /* reads no more */
    start_request(&server, request, on_data, &large);
    while (!takes_nothing(other_end(&server.peers[0])))
        loop_run_once(server.loop, true);
    start_for(&server, on_data, 0, &small);
    wait_answer(&server, &small);
    assert_int_equal(server.connections, 2);
    loop_io_set(server.peers[0].io, LOOP_READ);
    wait_answer(&server, &large);
    assert_int_equal(first.done, 0);
    server_stop(&server);
}

static void an_address_may_be_of_ipv6(void **state)
{
    struct server server;
    (void)state;
    server_start_at(&server, "::1", "http://[::1]", answer_well);
    struct outcome outcome = ask(&server);
    expect_answer(&outcome, "well");
    server_stop(&server);
}

static void nobody_waits_longer_than_he_said(void **state)
{
    struct server server;
    struct outcome outcomes[2];
    (void)state;
    server_start(&server, be_silent);
    loop_io_set(server.listening, 0); /* the kernel takes the connection, and nobody answers */
    start_for(&server, NULL, 50, &outcomes[0]);
    start_for(&server, NULL, 100, &outcomes[1]);
    wait_done(&server, outcomes, 2);
    assert_int_equal(outcomes[0].code, -ETIMEDOUT);
    assert_int_equal(outcomes[1].code, -ETIMEDOUT);
    server_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_its_message_in_one_piece_or_many),
        cmocka_unit_test(streams_share_a_connection_from_the_first_on),
        cmocka_unit_test(other_calls_have_one_each_and_leave_it_to_the_next),
        cmocka_unit_test(those_that_a_minute_had_no_use_for_are_closed),
        cmocka_unit_test(what_an_answer_leads_to_goes_by_its_connection),
        cmocka_unit_test(a_refusal_has_its_status_and_words),
        cmocka_unit_test(who_speaks_no_grpc_is_shown_as_he_is),
        cmocka_unit_test(an_answer_without_status_is_cut_off),
        cmocka_unit_test(a_success_is_one_whole_message),
        cmocka_unit_test(what_the_server_refused_is_not_sent_again),
        cmocka_unit_test(nor_is_what_a_broken_connection_had),
        cmocka_unit_test(a_connection_that_is_gone_is_made_anew),
        cmocka_unit_test(nothing_goes_by_one_whose_peer_hung_up),
        cmocka_unit_test(nothing_goes_by_one_that_said_goodbye),
        cmocka_unit_test(nor_by_one_that_nobody_had_who_said_something_more),
        cmocka_unit_test(our_own_want_of_descriptors_is_told_as_that),
        cmocka_unit_test(what_waits_for_a_connection_fails_with_it),
        cmocka_unit_test(another_makes_the_connection_if_the_first_is_cancelled),
        cmocka_unit_test(a_connection_that_gives_no_answer_is_given_up),
        cmocka_unit_test(so_is_one_whose_stream_was_cancelled_for_silence),
        cmocka_unit_test(nor_is_it_used_by_who_had_waited_for_it),
        cmocka_unit_test(but_not_one_whose_owner_had_not_waited),
        cmocka_unit_test(more_than_one_connection_takes_go_by_another),
        cmocka_unit_test(what_cancelled_streams_leave_others_take),
        cmocka_unit_test(a_stream_gives_what_arrives_and_ends_by_its_status),
        cmocka_unit_test(what_never_became_ready_did_not_happen),
        cmocka_unit_test(a_connection_that_takes_nothing_is_passed_by),
        cmocka_unit_test(an_address_may_be_of_ipv6),
        cmocka_unit_test(nobody_waits_longer_than_he_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
