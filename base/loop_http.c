/* SPDX-License-Identifier: Apache-2.0 */
/* libcurl in the loop: its sockets, its timer, and what it has finished. */
#include "base/loop_http_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <utlist.h>

enum {
    STREAMS_PER_CONNECTION = 250, /* as many as Go's server takes; libcurl would stop at 100 */
    RESTS_MAX = 16, /* sockets of one http that may have something left: HTTP/2 has one or two */
};

/* What curl asked us to watch of one of its sockets. */
struct socket_watch {
    struct http *http; /* borrowed */
    struct loop_io *io;
    curl_socket_t fd;
    struct socket_watch *prev;
    struct socket_watch *next;
};

/* Ends the calls that curl has finished. */
static void collect_finished(struct http *http)
{
    CURLMsg *message = NULL;
    int left = 0;
    while ((message = curl_multi_info_read(http->multi, &left))) {
        struct http_call *call = NULL;
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode code = message->data.result;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call);
        http_call_end(call, code);
    }
}

/* libcurl (7.88) may keep what it has read of an HTTP/2 connection, and wait for more to come on
 * it; so it is asked to go on until it has nothing to tell. */
static void drive(struct http *http, curl_socket_t fd, int mask)
{
    int running = 0;
    http->inside_curl = true;
    http->got_shared_data = false;
    (void)curl_multi_socket_action(http->multi, fd, mask, &running);
    http->inside_curl = false;
    if (http->got_shared_data)
        loop_timer_set(http->rest, 0);
    collect_finished(http);
}

static void on_rest(struct loop_timer *timer, void *userdata)
{
    struct http *http = userdata;
    const struct socket_watch *watch = NULL;
    curl_socket_t fds[RESTS_MAX];
    size_t count = 0;
    (void)timer;
    DL_FOREACH(http->sockets, watch) {
        if (count < RESTS_MAX)
            fds[count++] = watch->fd;
    }
    for (size_t i = 0; i < count; i++)
        drive(http, fds[i], CURL_CSELECT_IN);
}

static void on_socket_ready(struct loop_io *io, int events, void *userdata)
{
    const struct socket_watch *watch = userdata;
    int mask =
        (events & LOOP_READ ? CURL_CSELECT_IN : 0) | (events & LOOP_WRITE ? CURL_CSELECT_OUT : 0);
    (void)io;
    drive(watch->http, watch->fd, mask);
}

static void on_timeout(struct loop_timer *timer, void *userdata)
{
    (void)timer;
    drive(userdata, CURL_SOCKET_TIMEOUT, 0);
}

static void on_reap(struct loop_timer *timer, void *userdata)
{
    struct http *http = userdata;
    struct http_call *call = NULL;
    struct http_call *next = NULL;
    (void)timer;
    DL_FOREACH_SAFE(http->calls, call, next) {
        if (call->cancelled)
            http_call_free(call);
    }
}

static void unwatch(struct http *http, struct socket_watch *watch)
{
    DL_DELETE(http->sockets, watch);
    loop_io_free(watch->io);
    free(watch);
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *userdata, void *socket_data)
{
    struct http *http = userdata;
    struct socket_watch *watch = socket_data;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (watch)
            unwatch(http, watch);
        return 0;
    }
    int events = (what & CURL_POLL_IN ? LOOP_READ : 0) | (what & CURL_POLL_OUT ? LOOP_WRITE : 0);
    if (watch) {
        loop_io_set(watch->io, events);
        return 0;
    }
    watch = calloc(1, sizeof(*watch));
    if (!watch)
        return -1;
    *watch = (struct socket_watch){ .http = http, .fd = fd };
    if (loop_io_new(http->loop, "http", fd, events, on_socket_ready, watch, &watch->io, NULL) < 0) {
        free(watch);
        return -1;
    }
    DL_APPEND(http->sockets, watch);
    (void)curl_multi_assign(http->multi, fd, watch);
    return 0;
}

static int on_curl_timer(CURLM *multi, long timeout_ms, void *userdata)
{
    struct http *http = userdata;
    (void)multi;
    if (timeout_ms < 0)
        loop_timer_cancel(http->timer);
    else
        loop_timer_set(http->timer, timeout_ms);
    return 0;
}

int http_new(struct loop *loop, struct http **ret, struct error *err)
{
    static bool initialised;
    if (!initialised && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return error_set(err, -EIO, "libcurl does not start");
    initialised = true;
    autoptr(http) http = calloc(1, sizeof(*http));
    if (!http)
        return error_oom(err);
    http->loop = loop;
    http->shared = -1;
    int r = loop_timer_new(loop, "http timeout", on_timeout, http, &http->timer, err);
    if (r < 0)
        return r;
    r = loop_timer_new(loop, "http rest", on_rest, http, &http->rest, err);
    if (r < 0)
        return r;
    r = loop_timer_new(loop, "http reaper", on_reap, http, &http->reaper, err);
    if (r < 0)
        return r;
    http->multi = curl_multi_init();
    if (!http->multi)
        return error_oom(err);
    (void)curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
    (void)curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
    (void)curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
    (void)curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
    (void)curl_multi_setopt(http->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
    (void)curl_multi_setopt(http->multi, CURLMOPT_MAX_CONCURRENT_STREAMS,
                            (long)STREAMS_PER_CONNECTION);
    *ret = take_ptr(http);
    return 0;
}

void http_free(struct http *http)
{
    if (!http)
        return;
    assert(!http->inside_curl);
    while (http->calls)
        http_call_free(http->calls);
    while (http->spare_count)
        http_handle_free(&http->spares[--http->spare_count]);
    if (http->multi)
        (void)curl_multi_cleanup(http->multi);
    while (http->sockets)
        unwatch(http, http->sockets);
    loop_timer_free(http->timer);
    loop_timer_free(http->rest);
    loop_timer_free(http->reaper);
    free(http);
}
