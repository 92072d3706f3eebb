/* SPDX-License-Identifier: Apache-2.0 */
#include "base/loop_http.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/text.h"
#include "tests/unit/harness.h"
#include "tests/unit/loopback.h"

/* A server for one connection inside the same loop, which answers as often as it is told, and then
 * dies with the request read: connection and listener are closed. */
struct server {
    struct loop *loop;
    int listener;
    int connection;
    struct loop_io *listening;
    struct loop_io *reading;
    char url[64];
    int answers;        /* that are still given */
    int requests;       /* that were read */
    char request[1024]; /* the last of them */
};

static void close_watched(struct loop_io **io, int *fd)
{
    loop_io_free(*io);
    *io = NULL;
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

static void die(struct server *server)
{
    close_watched(&server->listening, &server->listener);
    close_watched(&server->reading, &server->connection);
}

static void on_request(struct loop_io *io, int events, void *userdata)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    struct server *server = userdata;
    (void)io;
    (void)events;
    ssize_t length = read(server->connection, server->request, sizeof(server->request) - 1);
    if (length <= 0)
        return;
    server->request[length] = '\0';
    server->requests++;
    if (server->answers-- > 0)
        assert_int_equal(write(server->connection, answer, strlen(answer)), strlen(answer));
    else
        die(server);
}

static void on_connection(struct loop_io *io, int events, void *userdata)
{
    struct server *server = userdata;
    (void)io;
    (void)events;
    server->connection = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(server->connection >= 0);
    assert_int_equal(loop_io_new(server->loop, "connection", server->connection, LOOP_READ,
                                 on_request, server, &server->reading, NULL),
                     0);
}

static void start_server(struct server *server)
{
    int port = 0;
    server->listener = loopback_bind(&port);
    assert_int_equal(listen(server->listener, 1), 0);
    (void)snprintf(server->url, sizeof(server->url), "http://127.0.0.1:%d/", port);
    assert_int_equal(loop_io_new(server->loop, "listener", server->listener, LOOP_READ,
                                 on_connection, server, &server->listening, NULL),
                     0);
}

struct outcome {
    int done;
    int code;
};

static void on_done(struct http_call *call, const struct http_result *result, void *userdata)
{
    struct outcome *outcome = userdata;
    (void)call;
    outcome->done = 1;
    outcome->code = result->code;
}

static int call_of(struct server *server, struct http *http, const struct http_request *request)
{
    struct outcome outcome = { 0 };
    struct http_call *call = NULL;
    assert_int_equal(http_start(http, request, NULL, on_done, &outcome, &call, NULL), 0);
    while (!outcome.done)
        loop_run_once(server->loop, true);
    return outcome.code;
}

static int post(struct server *server, struct http *http)
{
    struct http_request request = {
        .method = "POST", .url = server->url, .body = "x", .body_length = 1, .timeout_ms = 5000
    };
    return call_of(server, http, &request);
}

static void with_server(int answers, int posts, int last_code, int requests)
{
    struct server server = { .listener = -1, .connection = -1, .answers = answers };
    struct http *http = NULL;
    assert_int_equal(loop_new(&server.loop, NULL), 0);
    assert_int_equal(http_new(server.loop, &http, NULL), 0);
    start_server(&server);
    if (answers < 0)
        die(&server);
    for (int i = 1; i < posts; i++)
        assert_int_equal(post(&server, http), 0);
    assert_int_equal(post(&server, http), last_code);
    assert_int_equal(server.requests, requests);
    http_free(http);
    die(&server);
    loop_free(server.loop);
}

static void a_server_that_is_not_there_has_done_nothing(void **state)
{
    (void)state;
    with_server(-1, 1, -ECONNREFUSED, 0);
}

static void a_server_that_dies_with_the_request_may_have_done_it(void **state)
{
    (void)state;
    with_server(0, 1, -EIO, 1);
}

/* libcurl sends anew, by itself, what it had sent on a connection that turned out to be dead; that
 * nobody listens any more then says nothing about the first sending. */
static void nor_does_a_refused_second_sending_say_that_the_first_was_in_vain(void **state)
{
    (void)state;
    with_server(1, 2, -EIO, 2);
}

/* What curl counted of the call before, on the same handle, says nothing of this one. */
static void that_a_call_was_sent_does_not_say_that_the_next_was(void **state)
{
    struct server server = { .listener = -1, .connection = -1, .answers = 1 };
    struct http *http = NULL;
    (void)state;
    assert_int_equal(loop_new(&server.loop, NULL), 0);
    assert_int_equal(http_new(server.loop, &http, NULL), 0);
    start_server(&server);
    assert_int_equal(post(&server, http), 0);
    die(&server);
    assert_int_equal(post(&server, http), -ECONNREFUSED);
    http_free(http);
    loop_free(server.loop);
}

static void nothing_of_a_call_is_left_in_the_next(void **state)
{
    char header[] = "Of-The-First: yes";
    char *const headers[] = { header, NULL };
    struct server server = { .listener = -1, .connection = -1, .answers = 3 };
    struct http *http = NULL;
    (void)state;
    assert_int_equal(loop_new(&server.loop, NULL), 0);
    assert_int_equal(http_new(server.loop, &http, NULL), 0);
    start_server(&server);
    struct http_request first = { .method = "PUT",
                                  .url = server.url,
                                  .headers = headers,
                                  .body = "the first's",
                                  .body_length = 11 };
    assert_int_equal(call_of(&server, http, &first), 0);
    assert_non_null(strstr(server.request, "PUT / HTTP/1.1\r\n"));
    assert_non_null(strstr(server.request, "\r\nOf-The-First: yes\r\n"));
    assert_non_null(strstr(server.request, "\r\n\r\nthe first's"));
    autofree char *url = text_format("%sother?a=b", server.url);
    struct http_request second = { .method = "GET", .url = url };
    assert_int_equal(call_of(&server, http, &second), 0);
    assert_non_null(strstr(server.request, "GET /other?a=b HTTP/1.1\r\n"));
    assert_null(strstr(server.request, "Of-The-First"));
    assert_null(strstr(server.request, "Content-"));
    assert_true(text_ends_with(server.request, "\r\n\r\n"));
    assert_int_equal(post(&server, http), 0);
    assert_non_null(strstr(server.request, "POST / HTTP/1.1\r\n"));
    assert_true(text_ends_with(server.request, "\r\n\r\nx"));
    http_free(http);
    die(&server);
    loop_free(server.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_that_is_not_there_has_done_nothing),
        cmocka_unit_test(a_server_that_dies_with_the_request_may_have_done_it),
        cmocka_unit_test(nor_does_a_refused_second_sending_say_that_the_first_was_in_vain),
        cmocka_unit_test(that_a_call_was_sent_does_not_say_that_the_next_was),
        cmocka_unit_test(nothing_of_a_call_is_left_in_the_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
