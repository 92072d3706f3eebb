/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/grpc-fixture.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/unit/harness.h"

void peer_put_frame(struct peer *peer, uint8_t type, uint8_t flags, uint8_t stream,
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
void peer_put_headers(struct peer *peer, uint8_t flags, uint8_t stream, const char *const *lines)
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
    peer_put_frame(peer, HEADERS, END_HEADERS | flags, stream, block, length);
}

void peer_put_head(struct peer *peer, uint8_t stream)
{
    static const char *const head[] = { ":status", "200", "content-type", "application/grpc",
                                        NULL };
    peer_put_headers(peer, 0, stream, head);
}

void peer_put_trailers(struct peer *peer, uint8_t stream, const char *status)
{
    const char *const trailers[] = { "grpc-status", status, NULL };
    peer_put_headers(peer, END_STREAM, stream, trailers);
}

static void put_settings(struct peer *peer)
{
    static const uint8_t wide[6] = { 0, INITIAL_WINDOW_SIZE, 0x7f, 0xff, 0xff, 0xff };
    static const uint8_t wider[4] = { 0x70, 0, 0, 0 };
    uint8_t setting[6] = { 0, MAX_CONCURRENT_STREAMS, 0, 0, 0, peer->server->max_streams };
    if (peer->server->wide) {
        peer_put_frame(peer, SETTINGS, 0, 0, wide, sizeof(wide));
        peer_put_frame(peer, WINDOW_UPDATE, 0, 0, wider, sizeof(wider));
        return;
    }
    peer_put_frame(peer, SETTINGS, 0, 0, setting, peer->server->max_streams ? sizeof(setting) : 0);
}

void peer_hang_up(struct peer *peer)
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
        peer_put_frame(peer, SETTINGS, ACK, 0, NULL, 0);
    if (type == HEADERS && !(flags & END_STREAM) && peer->server->on_head)
        peer->server->on_head(peer, frame[8]);
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
        peer_hang_up(peer);
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

void server_stop_listening(struct server *server)
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
void server_start_at(struct server *server, const char *host, const char *name,
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

void server_start(struct server *server, void (*on_request)(struct peer *peer, uint8_t stream))
{
    server_start_at(server, "127.0.0.1", "http://127.0.0.1", on_request);
}

void server_stop(struct server *server)
{
    grpc_free(server->grpc);
    for (int i = 0; i < CONNECTIONS_MAX; i++)
        peer_hang_up(&server->peers[i]);
    server_stop_listening(server);
    loop_free(server->loop);
}

void peer_answer_well(struct peer *peer, uint8_t stream)
{
    peer_put_head(peer, stream);
    peer_put_frame(peer, DATA, 0, stream, "\0\0\0\0\4well", 9);
    peer_put_trailers(peer, stream, "0");
}

void peer_begin_a_stream(struct peer *peer, uint8_t stream)
{
    peer_put_head(peer, stream);
    peer_put_frame(peer, DATA, 0, stream, "\0\0\0\0\3one\0\0\0\0\3t", 14);
    peer_put_frame(peer, DATA, 0, stream, "wo", 2);
}

void peer_be_silent(struct peer *peer, uint8_t stream)
{
    (void)peer;
    (void)stream;
}

void peer_end_stream(struct peer *peer, uint8_t stream)
{
    static const uint8_t code[4] = { 0, 0, 0, NO_ERROR };
    peer_put_frame(peer, RST_STREAM, 0, stream, code, sizeof(code));
}

void peer_break_off(struct peer *peer, uint8_t stream)
{
    (void)stream;
    peer_hang_up(peer);
}

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

void outcome_on_data(struct grpc_call *call, const char *bytes, size_t length, void *userdata)
{
    struct outcome *outcome = userdata;
    (void)call;
    assert_int_equal(grpc_stream_add(&outcome->stream, bytes, length, NULL), 0);
}

void outcome_start_request(struct server *server, struct grpc_request request, grpc_data_fn data,
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

void outcome_start_for(struct server *server, grpc_data_fn data, int timeout_ms,
                       struct outcome *outcome)
{
    const struct grpc_request request = { .message = "question",
                                          .length = 8,
                                          .timeout_ms = timeout_ms };
    outcome_start_request(server, request, data, outcome);
}

void outcome_start(struct server *server, struct outcome *outcome)
{
    outcome_start_for(server, NULL, WAIT_MS, outcome);
}

void outcome_wait(struct server *server, const struct outcome *outcomes, int count)
{
    for (int i = 0; i < count; i++) {
        while (!outcomes[i].done)
            loop_run_once(server->loop, true);
    }
}

struct outcome outcome_ask(struct server *server)
{
    struct outcome outcome;
    outcome_start(server, &outcome);
    outcome_wait(server, &outcome, 1);
    return outcome;
}

void outcome_expect(const struct outcome *outcome, const char *body)
{
    assert_int_equal(outcome->code, 0);
    assert_int_equal(outcome->status, 0);
    assert_string_equal(outcome->body, body);
    assert_int_equal(outcome->done, 1);
}

/* As peer_begin_a_stream() answers. */
void outcome_wait_begun(struct server *server, struct outcome *stream)
{
    while (stream->stream.buffer.length < 16) {
        assert_int_equal(stream->done, 0);
        loop_run_once(server->loop, true);
    }
    grpc_stream_done(&stream->stream);
}
