/* SPDX-License-Identifier: Apache-2.0 */
/* Which connection a call goes by. Of HTTP/2 one is shared, which libcurl (7.88) would otherwise
 * break, mistake or replace. */
#include "base/loop_http_internal.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/socket.h"

enum {
    SEND_BUFFER_BYTES = 4 * 1024 * 1024,
};

/* Which of those opened has become the connection is told by its port alone. That those which did
 * not are closed libcurl (7.88) does not tell. */
static void note_shared(struct http *http, int port)
{
    size_t count = http->opened_count < HTTP_OPENED_MAX ? http->opened_count : HTTP_OPENED_MAX;
    for (size_t i = 0; i < count; i++)
        if (socket_local_port(http->opened[i]) == port)
            http->shared = http->opened[i];
    http->opened_count = 0;
}

static int on_curl_close_socket(void *userdata, curl_socket_t fd)
{
    struct http *http = userdata;
    if (http->shared == fd)
        http->shared = -1;
    return close(fd);
}

/* Just before the request is sent. A second time means that its connection broke and that libcurl
 * would send it again, which only who asked for it can judge. */
/* NOLINTNEXTLINE(readability-non-const-parameter) */
static int on_curl_ready(void *userdata, char *their_ip, char *our_ip, int their_port, int our_port)
{
    struct http_call *call = userdata;
    (void)their_ip;
    (void)our_ip;
    (void)their_port;
    if (call->ready) {
        call->broken = true;
        return CURL_PREREQFUNC_ABORT;
    }
    /* If the socket took nothing now, libcurl (7.88) would send the request's head once more, and
     * as the body. Who asks before, by http_is_clear(), comes here seldom. */
    call->congested = call->connection == HTTP_CONNECTION_KEPT_2 && !http_is_clear(call->http);
    if (call->congested)
        return CURL_PREREQFUNC_ABORT;
    if (call->connection == HTTP_CONNECTION_NEW_2)
        note_shared(call->http, our_port);
    call->ready = true;
    if (call->on_ready && !call->cancelled)
        call->on_ready(call, call->userdata);
    return CURL_PREREQFUNC_OK;
}

/* With so much room that no request meets a full one: see on_curl_ready(). And where a socket takes
 * the beginning of a piece of a body, but not its end, libcurl (7.88) may send the piece again. It
 * waits for the socket before each, which is then free by a third; so even where we are given no
 * more than Linux gives to everybody (416 KiB), there is twice as much as a piece has. */
static curl_socket_t open_shared(struct http *http, const struct curl_sockaddr *address)
{
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (fd >= 0)
        socket_make_room(fd, SEND_BUFFER_BYTES);
    http->opened[http->opened_count++ % HTTP_OPENED_MAX] = fd;
    return fd;
}

/* Of HTTP/2: libcurl (7.88) breaks a connection of prior knowledge by a second such request, and
 * begins one with HTTP/1.1 for a request without it. So the one kind makes connections and never
 * takes a kept one, and the other never makes one. */
static curl_socket_t on_curl_open_socket(void *userdata, curlsocktype purpose,
                                         struct curl_sockaddr *address)
{
    struct http_call *call = userdata;
    (void)purpose;
    if (!call->ready && call->connection == HTTP_CONNECTION_NEW_2) {
        int fd = open_shared(call->http, address);
        call->no_socket = fd < 0 && socket_is_want(errno);
        return fd;
    }
    call->broken = call->ready;
    call->no_room = !call->ready;
    return CURL_SOCKET_BAD;
}

/* libcurl can set neither the count of keep-alive probes (before 8.9) nor TCP_USER_TIMEOUT. */
static int on_curl_socket_made(void *userdata, curl_socket_t fd, curlsocktype purpose)
{
    (void)userdata;
    (void)purpose;
    socket_probe(fd);
    return CURL_SOCKOPT_OK;
}

static long version_of(enum http_connection connection, bool tls)
{
    if (connection == HTTP_CONNECTION_ANY)
        return CURL_HTTP_VERSION_1_1;
    if (tls)
        return CURL_HTTP_VERSION_2TLS;
    return connection == HTTP_CONNECTION_NEW_2 ? CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE
                                               : CURL_HTTP_VERSION_2_0;
}

void http_connection_set(struct http_call *call, const struct http_request *request, bool tls)
{
    CURL *easy = call->handle.easy;
    bool any = request->connection == HTTP_CONNECTION_ANY;
    call->connection = request->connection;
    call->on_ready = request->on_ready;
    (void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, version_of(request->connection, tls));
    (void)curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT,
                           request->connection == HTTP_CONNECTION_NEW_2 ? 1L : 0L);
    (void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, any ? NULL : on_curl_open_socket);
    (void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, call);
    (void)curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, any ? NULL : on_curl_close_socket);
    (void)curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, call->http);
    (void)curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, any ? NULL : on_curl_ready);
    (void)curl_easy_setopt(easy, CURLOPT_PREREQDATA, call);
    (void)curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION,
                           request->keepalive_probes ? on_curl_socket_made : NULL);
}

bool http_is_clear(const struct http *http)
{
    return http->shared < 0 || socket_is_clear(http->shared);
}
