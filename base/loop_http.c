/* SPDX-License-Identifier: Apache-2.0 */
#include "base/loop_http.h"

#include <assert.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

#include "base/socket.h"
#include "base/text.h"

enum {
    BODY_MAX_BYTES = 64 * 1024 * 1024,
    STREAMS_PER_CONNECTION = 250, /* as many as Go's server takes; libcurl would stop at 100 */
    SEND_BUFFER_BYTES = 4 * 1024 * 1024,
    SHARED_BUFFER_BYTES = 64 * 1024, /* more than libcurl reads at once; and a piece of a body */
    STREAM_BUFFER_BYTES = 4 * 1024,
    SMALL_UPLOAD_BYTES = 16 * 1024, /* the least that libcurl takes */
    SMALL_BODY_BYTES = 8 * 1024,    /* fits in there, with a head and a token */
    SPARE_HANDLES = 32,
    RESTS_MAX = 16, /* sockets of one http that may have something left: HTTP/2 has one or two */
    OPENED_MAX = 8, /* curl tries two families at a time */
    EXPECT_BYTES = 64 * 1024, /* libcurl asks before it sends a body of 1 MiB; well below that */
};

/* A handle of curl, and the address that it was told last: libcurl would parse the same one again
 * for every call. */
struct handle {
    CURL *easy;
    CURLU *parsed; /* NULL: it has the text alone */
    char *url;     /* what was parsed, or NULL */
};

struct http {
    struct loop *loop; /* borrowed */
    CURLM *multi;
    struct loop_timer *timer;
    struct loop_timer *rest;   /* asks curl for what it has kept */
    struct loop_timer *reaper; /* frees calls that were cancelled from inside curl */
    struct http_call *calls;
    struct socket_watch *sockets;
    curl_socket_t opened[OPENED_MAX]; /* the last ones, for HTTP/2 */
    size_t opened_count;
    curl_socket_t shared; /* the one that became a connection, while it is open, or -1. Curl wants
                           * it watched only while a call has it */
    struct handle spares[SPARE_HANDLES]; /* of plain calls that ended well: one is dear to make */
    size_t spare_count;
    bool inside_curl;
    bool got_shared_data; /* in this drive, of a call of HTTP/2 */
};

struct http_call {
    struct http *http; /* borrowed */
    struct handle handle;
    CURL *easy; /* the handle's */
    struct curl_slist *headers;
    char *body;
    size_t body_length;
    struct text answer;
    enum http_connection connection;
    bool ready;  /* HTTP/2: from here on it may have been sent */
    bool broken; /* HTTP/2: libcurl wanted to send it once more */
    bool no_room;
    bool no_socket; /* of our own making */
    bool congested;
    bool too_large;
    bool cancelled;
    bool may_spare; /* its handle */
    bool dropped;   /* its buffer for sending */
    http_ready_fn on_ready;
    http_header_fn on_header;
    http_data_fn on_data;
    http_done_fn on_done;
    void *userdata;
    char reason[CURL_ERROR_SIZE];
    struct http_call *prev;
    struct http_call *next;
};

/* What curl asked us to watch of one of its sockets. */
struct socket_watch {
    struct http *http; /* borrowed */
    struct loop_io *io;
    curl_socket_t fd;
    struct socket_watch *prev;
    struct socket_watch *next;
};

static void handle_forget_url(struct handle *handle)
{
    (void)curl_easy_setopt(handle->easy, CURLOPT_CURLU, NULL);
    curl_url_cleanup(handle->parsed);
    free(handle->url);
    handle->parsed = NULL;
    handle->url = NULL;
}

static void handle_free(struct handle *handle)
{
    CURLU *parsed = take_ptr(handle->parsed);
    curl_easy_cleanup(take_ptr(handle->easy));
    curl_url_cleanup(parsed);
    free(take_ptr(handle->url));
}

/* A handle keeps its options, so each that some call sets is set by every call, or the handle is
 * no spare. */
static void handle_give_back(struct http_call *call)
{
    struct http *http = call->http;
    if (!call->easy)
        return;
    (void)curl_multi_remove_handle(http->multi, call->easy);
    if (!call->may_spare || http->spare_count == SPARE_HANDLES) {
        handle_free(&call->handle);
        return;
    }
    (void)curl_easy_setopt(call->easy, CURLOPT_ERRORBUFFER, NULL);
    (void)curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, NULL);
    (void)curl_easy_setopt(call->easy, CURLOPT_POSTFIELDS, NULL);
    http->spares[http->spare_count++] = call->handle;
}

/* There may be a token among them. */
static void headers_free(struct curl_slist *headers)
{
    for (struct curl_slist *line = headers; line; line = line->next)
        explicit_bzero(line->data, strlen(line->data));
    curl_slist_free_all(headers);
}

static void call_free(struct http_call *call)
{
    struct http *http = call->http;
    DL_DELETE(http->calls, call);
    handle_give_back(call);
    headers_free(call->headers);
    if (call->body)
        explicit_bzero(call->body, call->body_length); /* or a password */
    free(call->body);
    if (call->answer.data)
        explicit_bzero(call->answer.data, call->answer.length); /* or the token itself */
    text_done(&call->answer);
    free(call);
}

/* curl's codes for "no connection came about", where the server cannot have seen anything. */
static bool never_connected(CURLcode code)
{
    switch ((int)code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
        return true;
    default:
        return false;
    }
}

/* What was sent on a kept connection that turned out to be dead libcurl sends again by itself, on a
 * new one. If that one is refused, the server may yet have seen the first sending. (Over HTTP/2 it
 * is not let: see on_curl_ready().) */
static bool was_sent(const struct http_call *call)
{
    long sent_bytes = 0;
    if (call->connection != HTTP_CONNECTION_ANY)
        return call->ready;
    (void)curl_easy_getinfo(call->easy, CURLINFO_REQUEST_SIZE, &sent_bytes);
    return sent_bytes > 0;
}

/* 0 if it was not for TLS that nothing was done. That a server refuses our certificate is not among
 * it: with TLS 1.3 we learn of it when the request is on its way. */
static int tls_code(const struct http_call *call, CURLcode code)
{
    if (was_sent(call))
        return 0;
    if (code == CURLE_PEER_FAILED_VERIFICATION)
        return -EKEYREJECTED;
    return code == CURLE_SSL_CERTPROBLEM || code == CURLE_SSL_CACERT_BADFILE ? -ENOKEY : 0;
}

/* What nobody but this side is to blame for. */
static bool is_our_want(const struct http_call *call, CURLcode code)
{
    bool lacks = call->no_socket || code == CURLE_OUT_OF_MEMORY || code == CURLE_FAILED_INIT;
    return lacks && !was_sent(call);
}

/* More may be counted as uploaded than was sent, but never less. */
static bool was_cut_short(const struct http_call *call, CURLcode code)
{
    curl_off_t uploaded = 0;
    (void)curl_easy_getinfo(call->easy, CURLINFO_SIZE_UPLOAD_T, &uploaded);
    return code == CURLE_HTTP2_STREAM && (size_t)uploaded < call->body_length;
}

static int result_code(const struct http_call *call, CURLcode code)
{
    if (call->too_large)
        return -E2BIG;
    if (code == CURLE_OK)
        return 0;
    if (call->no_room)
        return -ENOTCONN;
    if (call->congested)
        return -ENOBUFS;
    if (is_our_want(call, code))
        return -ENOMEM;
    int r = tls_code(call, code);
    if (r < 0)
        return r;
    if (call->connection != HTTP_CONNECTION_ANY && !call->ready)
        return never_connected(code) || code == CURLE_OPERATION_TIMEDOUT ? -ECONNREFUSED
                                                                         : -ECONNABORTED;
    if (was_cut_short(call, code))
        return -EMSGSIZE;
    long errnum = 0;
    (void)curl_easy_getinfo(call->easy, CURLINFO_OS_ERRNO, &errnum);
    if (never_connected(code) && !was_sent(call))
        return errnum == EACCES ? -EACCES : errnum == ENOENT ? -ENOENT : -ECONNREFUSED;
    return code == CURLE_OPERATION_TIMEDOUT ? -ETIMEDOUT : -EIO;
}

static bool is_want(int errnum)
{
    return errnum == EMFILE || errnum == ENFILE || errnum == ENOBUFS || errnum == ENOMEM;
}

/* A resolver that could open nothing does not say so: whoever tries now finds out. */
static bool resolver_had_no_descriptor(CURLcode code)
{
    if (code != CURLE_COULDNT_RESOLVE_HOST && code != CURLE_COULDNT_RESOLVE_PROXY)
        return false;
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    bool none = fd < 0 && is_want(errno);
    if (fd >= 0)
        (void)close(fd);
    return none;
}

static void finish(struct http_call *call, CURLcode code)
{
    call->no_socket |= resolver_had_no_descriptor(code);
    struct http_result result = { .code = result_code(call, code), .reason = "" };
    (void)curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &result.status);
    if (call->too_large)
        result.reason = "the answer is larger than 64 MiB";
    else if (result.code == -EMSGSIZE)
        result.reason = "the server did not take the whole request";
    else if (call->no_socket && result.code == -ENOMEM)
        result.reason = "there is no room for another socket on this side";
    else if (call->congested)
        result.reason = "what was sent before has not left yet";
    else if (call->broken)
        result.reason = "the connection broke before the answer";
    else if (code != CURLE_OK)
        result.reason = call->reason[0] ? call->reason : curl_easy_strerror(code);
    text_add_bytes(&call->answer, "", 0);
    result.body = call->answer.data ? call->answer.data : "";
    result.body_length = call->answer.length;
    call->may_spare &= result.code == 0;
    if (!call->cancelled)
        call->on_done(call, &result, call->userdata);
    call_free(call);
}

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
        finish(call, code);
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
            call_free(call);
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

static size_t on_curl_data(char *bytes, size_t one, size_t length, void *userdata)
{
    struct http_call *call = userdata;
    (void)one;
    call->http->got_shared_data |= call->connection != HTTP_CONNECTION_ANY;
    if (call->cancelled)
        return 0;
    long status = 0;
    (void)curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    if (call->on_data && status == 200) {
        call->on_data(call, bytes, length, call->userdata);
        return call->cancelled ? 0 : length;
    }
    if (call->answer.length + length > BODY_MAX_BYTES) {
        call->too_large = true;
        return 0;
    }
    text_add_bytes(&call->answer, bytes, length);
    return call->answer.failed ? 0 : length;
}

/* What a stream has sent needs no buffer any more, but libcurl (7.88) would keep it as long as the
 * stream lasts. To name its size frees it. */
static void drop_send_buffer(struct http_call *call)
{
    curl_off_t uploaded = 0;
    if (!call->on_data || call->connection == HTTP_CONNECTION_ANY || call->dropped)
        return;
    (void)curl_easy_getinfo(call->easy, CURLINFO_SIZE_UPLOAD_T, &uploaded);
    call->dropped = (size_t)uploaded >= call->body_length;
    if (call->dropped)
        (void)curl_easy_setopt(call->easy, CURLOPT_UPLOAD_BUFFERSIZE, (long)SMALL_UPLOAD_BYTES);
}

static size_t on_curl_header(char *line, size_t one, size_t length, void *userdata)
{
    struct http_call *call = userdata;
    size_t bytes = one * length;
    drop_send_buffer(call);
    if (!call->on_header || call->cancelled)
        return bytes;
    autofree char *name = strndup(line, bytes);
    if (!name)
        return 0;
    char *colon = strchr(name, ':');
    if (!colon)
        return bytes;
    *colon = '\0';
    call->on_header(call, name, text_trim(colon + 1), call->userdata);
    return bytes;
}

/* Which of those opened has become the connection is told by its port alone. That those which did
 * not are closed libcurl (7.88) does not tell. */
static void note_shared(struct http *http, int port)
{
    size_t count = http->opened_count < OPENED_MAX ? http->opened_count : OPENED_MAX;
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
    http->opened[http->opened_count++ % OPENED_MAX] = fd;
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
        call->no_socket = fd < 0 && is_want(errno);
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
        call_free(http->calls);
    while (http->spare_count)
        handle_free(&http->spares[--http->spare_count]);
    if (http->multi)
        (void)curl_multi_cleanup(http->multi);
    while (http->sockets)
        unwatch(http, http->sockets);
    loop_timer_free(http->timer);
    loop_timer_free(http->rest);
    loop_timer_free(http->reaper);
    free(http);
}

static bool add_header(struct http_call *call, const char *line)
{
    struct curl_slist *longer = curl_slist_append(call->headers, line);
    if (longer)
        call->headers = longer;
    return longer;
}

static bool set_headers(struct http_call *call, const struct http_request *request)
{
    char *const *headers = request->headers;
    bool ok = request->body_length < EXPECT_BYTES || add_header(call, "Expect:");
    for (; ok && headers && *headers; headers++)
        ok = add_header(call, *headers);
    (void)curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, call->headers);
    return ok;
}

static bool set_body(struct http_call *call, const struct http_request *request)
{
    if (!request->body) {
        (void)curl_easy_setopt(call->easy, CURLOPT_HTTPGET, 1L);
        return true;
    }
    call->body = text_copy_bytes(request->body, request->body_length);
    if (!call->body)
        return false;
    call->body_length = request->body_length;
    (void)curl_easy_setopt(call->easy, CURLOPT_POSTFIELDSIZE_LARGE,
                           (curl_off_t)request->body_length);
    (void)curl_easy_setopt(call->easy, CURLOPT_POSTFIELDS, call->body);
    return true;
}

/* Debian's libcurl trusts a directory besides, which a file does not replace. Without one libcurl
 * would keep what the file said for a day. */
static void trust_only(CURL *easy, const char *ca_file)
{
    (void)curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file);
    (void)curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    (void)curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, 0L);
}

/* Verification is curl's default; that it stays so whatever curl was built with is worth two lines.
 */
static void set_tls(CURL *easy, const struct http_tls *tls)
{
    (void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    (void)curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (!tls)
        return;
    if (tls->ca_file)
        trust_only(easy, tls->ca_file);
    if (tls->cert_file)
        (void)curl_easy_setopt(easy, CURLOPT_SSLCERT, tls->cert_file);
    if (tls->key_file)
        (void)curl_easy_setopt(easy, CURLOPT_SSLKEY, tls->key_file);
}

/* What is the same for every call. */
static CURL *handle_new(void)
{
    CURL *easy = curl_easy_init();
    if (!easy)
        return NULL;
    (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_curl_data);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_curl_header);
    return easy;
}

/* A spare one that has been there already if possible. Of a stream it is a new one: libcurl refuses
 * to make a smaller buffer of one that is there. */
static struct handle handle_take(struct http *http, const char *url, bool is_stream)
{
    if (http->spare_count == 0 || is_stream)
        return (struct handle){ .easy = handle_new() };
    size_t at = http->spare_count - 1;
    for (size_t i = 0; i < http->spare_count; i++)
        if (text_equal(http->spares[i].url, url))
            at = i;
    struct handle handle = http->spares[at];
    http->spares[at] = http->spares[--http->spare_count];
    return handle;
}

/* What we cannot parse curl is given as it is: it will say what is wrong. */
static void set_url(struct http_call *call, const char *url)
{
    struct handle *handle = &call->handle;
    if (text_equal(handle->url, url))
        return;
    handle_forget_url(handle);
    (void)curl_easy_setopt(handle->easy, CURLOPT_URL, url);
    if (!call->may_spare)
        return;
    handle->parsed = curl_url();
    handle->url = strdup(url);
    if (handle->parsed && handle->url &&
        curl_url_set(handle->parsed, CURLUPART_URL, url, 0) == CURLUE_OK)
        (void)curl_easy_setopt(handle->easy, CURLOPT_CURLU, handle->parsed);
    else
        handle_forget_url(handle);
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

static void set_connection(struct http_call *call, const struct http_request *request, bool tls)
{
    CURL *easy = call->easy;
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
}

/* A stream may last for ever, so that many are to be cheap. */
static long receive_bytes(const struct http_request *request, bool is_stream)
{
    if (request->connection == HTTP_CONNECTION_ANY)
        return CURL_MAX_WRITE_SIZE;
    return is_stream ? STREAM_BUFFER_BYTES : SHARED_BUFFER_BYTES;
}

/* For many calls at once it adds up. */
static long send_bytes(const struct http_request *request)
{
    return request->body_length <= SMALL_BODY_BYTES ? SMALL_UPLOAD_BYTES : SHARED_BUFFER_BYTES;
}

static void set_options(struct http_call *call, const struct http_request *request)
{
    CURL *easy = call->easy;
    bool tls = text_starts_with(request->url, "https:");
    call->may_spare = !tls && !request->unix_socket && !call->on_data;
    (void)curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
    (void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->reason);
    set_url(call, request->url);
    (void)curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
    (void)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
    (void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)request->connect_timeout_ms);
    (void)curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION,
                           request->keepalive_probes ? on_curl_socket_made : NULL);
    if (request->unix_socket)
        (void)curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, request->unix_socket);
    set_connection(call, request, tls);
    call->on_header = request->on_header;
    (void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
    (void)curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, receive_bytes(request, call->on_data));
    (void)curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, send_bytes(request));
    if (tls)
        set_tls(easy, request->tls);
}

int http_start(struct http *http, const struct http_request *request, http_data_fn on_data,
               http_done_fn on_done, void *userdata, struct http_call **ret, struct error *err)
{
    struct http_call *call = calloc(1, sizeof(*call));
    if (!call)
        return error_oom(err);
    *call = (struct http_call){
        .http = http, .on_data = on_data, .on_done = on_done, .userdata = userdata
    };
    DL_APPEND(http->calls, call);
    call->handle = handle_take(http, request->url, on_data);
    call->easy = call->handle.easy;
    if (!call->easy || !set_headers(call, request) || !set_body(call, request)) {
        call_free(call);
        return error_oom(err);
    }
    set_options(call, request);
    CURLMcode code = curl_multi_add_handle(http->multi, call->easy);
    if (code != CURLM_OK) {
        call_free(call);
        return error_set(err, -ENOMEM, "libcurl: %s", curl_multi_strerror(code));
    }
    *ret = call;
    return 0;
}

void http_cancel(struct http_call *call)
{
    if (!call)
        return;
    call->cancelled = true;
    call->may_spare = false;
    loop_timer_set(call->http->reaper, 0);
}

bool http_is_clear(const struct http *http)
{
    return http->shared < 0 || socket_is_clear(http->shared);
}

char *http_escape(const char *s)
{
    autotext t = { 0 };
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     strchr("-._~", c);
        if (plain)
            text_add_bytes(&t, s, 1);
        else
            text_addf(&t, "%%%02X", c);
    }
    return text_take(&t);
}
