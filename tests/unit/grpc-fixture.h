/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of base/loop_grpc: a server that says whatever a test wants it to, in the loop of the
 * client that asks it, and what came of each question. Whatever fails in here fails the test. */
#ifndef TESTS_UNIT_GRPC_FIXTURE_H
#define TESTS_UNIT_GRPC_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/grpc.h"
#include "base/loop_grpc.h"

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
    void (*on_head)(struct peer *peer, uint8_t stream); /* NULL, or for each that has a body */
};

/* name: the origin without its port. The test is skipped if the machine has no such address. */
void server_start_at(struct server *server, const char *host, const char *name,
                     void (*on_request)(struct peer *peer, uint8_t stream));
void server_start(struct server *server, void (*on_request)(struct peer *peer, uint8_t stream));
void server_stop(struct server *server);
void server_stop_listening(struct server *server);

/* What the server says; payloads, names and values are short. */
void peer_put_frame(struct peer *peer, uint8_t type, uint8_t flags, uint8_t stream,
                    const void *payload, size_t length);
void peer_put_headers(struct peer *peer, uint8_t flags, uint8_t stream, const char *const *lines);
void peer_put_head(struct peer *peer, uint8_t stream);
void peer_put_trailers(struct peer *peer, uint8_t stream, const char *status);
void peer_hang_up(struct peer *peer);

/* Ways to take a request: with the message "well", with a stream that begins with the messages
 * "one" and "two", not at all; by the stream's end without a word, by the connection's. */
void peer_answer_well(struct peer *peer, uint8_t stream);
void peer_begin_a_stream(struct peer *peer, uint8_t stream);
void peer_be_silent(struct peer *peer, uint8_t stream);
void peer_end_stream(struct peer *peer, uint8_t stream);
void peer_break_off(struct peer *peer, uint8_t stream);

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

/* A question, for a stream of data if there is somebody to take it. */
void outcome_start_request(struct server *server, struct grpc_request request, grpc_data_fn data,
                           struct outcome *outcome);
void outcome_start_for(struct server *server, grpc_data_fn data, int timeout_ms,
                       struct outcome *outcome);
void outcome_start(struct server *server, struct outcome *outcome);
void outcome_on_data(struct grpc_call *call, const char *bytes, size_t length, void *userdata);
void outcome_wait(struct server *server, const struct outcome *outcomes, int count);
/* Until the stream has brought what peer_begin_a_stream() answers, which is forgotten then. */
void outcome_wait_begun(struct server *server, struct outcome *stream);

/* A question and its end. */
struct outcome outcome_ask(struct server *server);
void outcome_expect(const struct outcome *outcome, const char *body);

#endif
