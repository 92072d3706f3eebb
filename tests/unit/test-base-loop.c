/* SPDX-License-Identifier: Apache-2.0 */
#include "base/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/loop_http.h"
#include "tests/unit/harness.h"
#include "tests/unit/loopback.h"

static void count(struct loop_timer *timer, void *userdata)
{
    (void)timer;
    (*(int *)userdata)++;
}

static void past_deadline_means_now(void **state)
{
    (void)state;
    autoptr(loop) loop = NULL;
    autoptr(loop_timer) timer = NULL;
    int fired = 0;
    assert_int_equal(loop_new(&loop, NULL), 0);
    assert_int_equal(loop_timer_new(loop, "test", count, &fired, &timer, NULL), 0);
    loop_timer_set(timer, -5000);
    loop_run_once(loop, true);
    assert_int_equal(fired, 1);
    assert_false(loop_timer_is_set(timer));
}

struct seen {
    struct loop *loop;
    struct http_call *call;
    int code;
    int done;
    long status;
    char body[64];
};

static void on_done(struct http_call *call, const struct http_result *result, void *userdata)
{
    struct seen *seen = userdata;
    assert_ptr_equal(call, seen->call);
    seen->done++;
    seen->code = result->code;
    seen->status = result->status;
    (void)snprintf(seen->body, sizeof(seen->body), "%s", result->body);
}

/* A server that answers one connection from inside the same loop. */
struct server {
    struct loop_io *io;
    int fd;
};

static void on_connect(struct loop_io *io, int events, void *userdata)
{
    struct server *server = userdata;
    static const char answer[] = "HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n"
                                 "Connection: close\r\n\r\nnope\n";
    char request[4096];
    (void)io;
    (void)events;
    autoclose int fd = accept(server->fd, NULL, NULL);
    assert_true(fd >= 0);
    assert_true(read(fd, request, sizeof(request)) > 0);
    assert_int_equal(write(fd, answer, sizeof(answer) - 1), sizeof(answer) - 1);
}

static void start_get(struct http *http, struct seen *seen, int port)
{
    char url[64];
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/x", port);
    struct http_request request = { .method = "GET", .url = url, .timeout_ms = 5000 };
    assert_int_equal(http_start(http, &request, NULL, on_done, seen, &seen->call, NULL), 0);
}

static void an_answer_of_any_status_is_delivered_once(void **state)
{
    (void)state;
    autoptr(loop) loop = NULL;
    autoptr(http) http = NULL;
    autoptr(loop_io) io = NULL;
    int port = 0;
    autoclose int fd = loopback_bind(&port);
    struct server server = { .fd = fd };
    struct seen seen = { 0 };
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(loop_new(&loop, NULL), 0);
    assert_int_equal(http_new(loop, &http, NULL), 0);
    assert_int_equal(loop_io_new(loop, "server", fd, LOOP_READ, on_connect, &server, &io, NULL), 0);
    start_get(http, &seen, port);
    while (!seen.done)
        loop_run_once(loop, true);
    assert_int_equal(seen.code, 0);
    assert_int_equal(seen.status, 404);
    assert_string_equal(seen.body, "nope\n");
}

static void refused_connection_is_told_apart_from_unknown_outcome(void **state)
{
    (void)state;
    autoptr(loop) loop = NULL;
    autoptr(http) http = NULL;
    int port = 0;
    autoclose int fd = loopback_bind(&port); /* bound, never listening: refused */
    struct seen seen = { 0 };
    assert_int_equal(loop_new(&loop, NULL), 0);
    assert_int_equal(http_new(loop, &http, NULL), 0);
    start_get(http, &seen, port);
    while (!seen.done)
        loop_run_once(loop, true);
    assert_int_equal(seen.code, -ECONNREFUSED);
}

static void cancelled_call_never_calls_back(void **state)
{
    (void)state;
    autoptr(loop) loop = NULL;
    autoptr(http) http = NULL;
    int port = 0;
    autoclose int fd = loopback_bind(&port);
    struct seen cancelled = { 0 };
    struct seen other = { 0 };
    assert_int_equal(loop_new(&loop, NULL), 0);
    assert_int_equal(http_new(loop, &http, NULL), 0);
    start_get(http, &cancelled, port);
    start_get(http, &other, port);
    http_cancel(cancelled.call);
    while (!other.done)
        loop_run_once(loop, true);
    assert_int_equal(cancelled.done, 0);
}

struct ends {
    int seen;
    int status;
};

static void on_end(struct loop_child *child, int status, void *userdata)
{
    struct ends *ends = userdata;
    (void)child;
    ends->seen++;
    ends->status = status;
}

static pid_t fork_exiting(int code)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(code);
    assert_true(pid > 0);
    return pid;
}

static void each_child_s_end_is_told_once_with_its_own_status(void **state)
{
    (void)state;
    autoptr(loop) loop = NULL;
    autoptr(loop_child) first = NULL;
    autoptr(loop_child) second = NULL;
    struct ends ends[2] = { 0 };
    assert_int_equal(loop_new(&loop, NULL), 0);
    pid_t pid = fork_exiting(3);
    assert_int_equal(loop_child_new(loop, "first", pid, on_end, &ends[0], &first, NULL), 0);
    assert_int_equal(loop_child_pid(first), pid);
    pid = fork_exiting(4);
    assert_int_equal(loop_child_new(loop, "second", pid, on_end, &ends[1], &second, NULL), 0);
    while (!ends[0].seen || !ends[1].seen)
        loop_run_once(loop, true);
    loop_run_once(loop, false);
    assert_int_equal(ends[0].seen + ends[1].seen, 2);
    assert_true(WIFEXITED(ends[0].status) && WEXITSTATUS(ends[0].status) == 3);
    assert_true(WIFEXITED(ends[1].status) && WEXITSTATUS(ends[1].status) == 4);
}

static void a_child_that_nobody_watches_any_more_is_reaped_all_the_same(void **state)
{
    (void)state;
    autoptr(loop) loop = NULL;
    autoptr(loop_child) other = NULL;
    struct loop_child *forgotten = NULL;
    struct ends ends[2] = { 0 };
    assert_int_equal(loop_new(&loop, NULL), 0);
    pid_t pid = fork_exiting(0);
    assert_int_equal(loop_child_new(loop, "gone", pid, on_end, &ends[0], &forgotten, NULL), 0);
    loop_child_free(forgotten);
    pid_t later = fork_exiting(0);
    assert_int_equal(loop_child_new(loop, "other", later, on_end, &ends[1], &other, NULL), 0);
    while (!ends[1].seen || kill(pid, 0) == 0)
        loop_run_once(loop, true);
    assert_int_equal(ends[0].seen, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(past_deadline_means_now),
        cmocka_unit_test(an_answer_of_any_status_is_delivered_once),
        cmocka_unit_test(refused_connection_is_told_apart_from_unknown_outcome),
        cmocka_unit_test(cancelled_call_never_calls_back),
        cmocka_unit_test(each_child_s_end_is_told_once_with_its_own_status),
        cmocka_unit_test(a_child_that_nobody_watches_any_more_is_reaped_all_the_same),
    };
    return cmocka_run_group_tests_name("base/loop", tests, NULL, NULL);
}
