/* SPDX-License-Identifier: Apache-2.0 */
/* The server: libmicrohttpd with its epoll descriptor inside our loop. */
#include "api/api.h"

#include <assert.h>
#include <errno.h>
#include <microhttpd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <utlist.h>

#include "api/cache.h"
#include "api/call.h"
#include "api/listen.h"
#include "api/route.h"
#include "api/view.h"
#include "api/waits.h"
#include "base/json.h"

enum {
    BODY_MAX_BYTES = 8 * 1024 * 1024,
    IDLE_TIMEOUT_S = 75,
    STREAM_BLOCK_BYTES = 4096,
};

struct listener {
    struct api *api; /* borrowed */
    struct MHD_Daemon *daemon;
    struct loop_io *io;
    struct loop_timer *timer;
    struct loop_prepare *prepare;
    bool
        woken; /* a connection was resumed: MHD must run, and tells neither epoll nor its timeout */
    struct listener *next;
};

/* --- calls --- */

static void call_free(struct call *call)
{
    struct api *api = call->api;
    kv_forget(api->kv, call);
    waits_forget(api->waits, call);
    cache_forget(api->cache, call);
    if (call->work_free)
        call->work_free(call->work);
    DL_DELETE(api->calls, call);
    free(call->method);
    free(call->path);
    free(call->name);
    text_done(&call->body);
    text_done(&call->answer);
    free(call);
}

static struct call *call_new(struct listener *listener, struct MHD_Connection *connection,
                             const char *method, const char *path)
{
    struct call *call = calloc(1, sizeof(*call));
    if (!call)
        return NULL;
    call->api = listener->api;
    call->listener = listener;
    call->connection = connection;
    DL_APPEND(listener->api->calls, call);
    call->method = strdup(method);
    call->path = strdup(path);
    if (call->method && call->path)
        return call;
    call_free(call);
    return NULL;
}

static void sleep_until_woken(struct call *call)
{
    call->suspended = true;
    MHD_suspend_connection(call->connection);
}

static void wake(struct call *call)
{
    if (!call->suspended)
        return;
    call->suspended = false;
    MHD_resume_connection(call->connection);
    call->listener->woken = true;
}

static void finish(struct call *call, unsigned int status)
{
    assert(!call->answered);
    call->status = status;
    call->answered = true;
    wake(call);
}

void call_reply(struct call *call, unsigned int status, json_t *body)
{
    autojson owned = body;
    autofree char *text = NULL;
    /* An answer that was to be there and could not be made: no memory, or bytes that no JSON can
     * hold. */
    if (owned ? json_write(owned, &text, NULL) < 0 : status == MHD_HTTP_OK)
        status = MHD_HTTP_INTERNAL_SERVER_ERROR;
    if (text) {
        text_add(&call->answer, text);
        text_add(&call->answer, "\n");
    }
    finish(call, call->answer.failed ? MHD_HTTP_INTERNAL_SERVER_ERROR : status);
}

void call_fail(struct call *call, unsigned int status, const char *format, ...)
{
    char message[ERROR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    text_make_utf8(message); /* it may be cut anywhere */
    call_reply(call, status,
               json_pack("{s:{s:i,s:s}}", "error", "code", (int)status, "message", message));
}

void call_fail_code(struct call *call, int code, const char *reason)
{
    switch (code) {
    case -EINVAL:
    case -E2BIG:
        call_fail(call, MHD_HTTP_BAD_REQUEST, "%s", reason);
        break;
    case -ENOENT:
        call_fail(call, MHD_HTTP_NOT_FOUND, "%s", reason);
        break;
    case -EEXIST:
        call_fail(call, MHD_HTTP_CONFLICT, "%s", reason);
        break;
    case -EAGAIN:
        call_fail(call, MHD_HTTP_SERVICE_UNAVAILABLE, "the store (etcd) does not answer: %s",
                  reason);
        break;
    case -ETIMEDOUT:
        call_fail(call, MHD_HTTP_SERVICE_UNAVAILABLE,
                  "the store (etcd) did not answer in time, and the change may have been made or "
                  "not: %s",
                  reason);
        break;
    case -ENOSPC:
        call_fail(call, MHD_HTTP_SERVICE_UNAVAILABLE,
                  "the store (etcd) is full and takes no writes: %s", reason);
        break;
    default:
        call_fail(call, MHD_HTTP_INTERNAL_SERVER_ERROR, "%s", reason);
        break;
    }
}

void call_fail_input(struct call *call, int code, const char *reason)
{
    call_fail_code(call, code == -EPROTO ? -EINVAL : code, reason);
}

void call_stream_begin(struct call *call)
{
    call->streaming = true;
    finish(call, MHD_HTTP_OK);
}

void call_stream_write(struct call *call, const char *line)
{
    text_add(&call->answer, line);
    text_add(&call->answer, "\n");
    wake(call);
}

void call_stream_end(struct call *call)
{
    call->ended = true;
    wake(call);
}

const char *call_query(const struct call *call, const char *name)
{
    return MHD_lookup_connection_value(call->connection, MHD_GET_ARGUMENT_KIND, name);
}

int call_input(struct call *call, json_t **ret)
{
    struct error err;
    autojson value = NULL;
    int r = json_read(call->body.data ? call->body.data : "", call->body.length, &value, &err);
    if (r == 0 && !json_is_object(value))
        r = error_set(&err, -EINVAL, "not an object");
    if (r < 0) {
        call_fail(call, MHD_HTTP_BAD_REQUEST, "unable to decode body: %s", err.text);
        return -EINVAL;
    }
    *ret = take_ptr(value);
    return 0;
}

void call_with_view(struct call *call, void (*fn)(struct call *call, const struct view *view))
{
    call->on_view = fn;
    cache_read(call->api->cache, call);
}

void call_with_texts(struct call *call, void (*fn)(struct call *call, const struct view *view))
{
    call->asks_texts = true;
    call_with_view(call, fn);
}

/* --- libmicrohttpd --- */

static ssize_t on_stream_wanted(void *userdata, uint64_t position, char *buffer, size_t room)
{
    struct call *call = userdata;
    (void)position;
    size_t left = call->answer.length - call->sent;
    if (call->answer.failed)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (left) {
        size_t n = left < room ? left : room;
        memcpy(buffer, call->answer.data + call->sent, n);
        call->sent += n;
        return (ssize_t)n;
    }
    if (call->ended)
        return MHD_CONTENT_READER_END_OF_STREAM;
    sleep_until_woken(call);
    return 0;
}

static struct MHD_Response *make_response(struct call *call)
{
    if (call->streaming)
        return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK_BYTES,
                                                 on_stream_wanted, call, NULL);
    return MHD_create_response_from_buffer(call->answer.length,
                                           call->answer.data ? call->answer.data : (void *)"",
                                           MHD_RESPMEM_MUST_COPY);
}

static enum MHD_Result send_answer(struct call *call)
{
    struct MHD_Response *response = make_response(call);
    if (!response)
        return MHD_NO;
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                                  call->streaming ? "application/x-ndjson" : "application/json");
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_SERVER, call->api->version);
    enum MHD_Result r = MHD_queue_response(call->connection, call->status, response);
    MHD_destroy_response(response);
    return r;
}

static void dispatch(struct call *call)
{
    call->dispatched = true;
    if (call->body.failed || call->body.length > BODY_MAX_BYTES)
        call_fail(call, MHD_HTTP_CONTENT_TOO_LARGE, "the request is larger than %d bytes",
                  BODY_MAX_BYTES);
    else
        route_call(call);
    if (!call->answered)
        sleep_until_woken(call);
}

/* Called once for the headers, once per piece of the body, once at its end, and again after each
 * wake(). */
static enum MHD_Result on_request(void *userdata, struct MHD_Connection *connection,
                                  const char *path, const char *method, const char *version,
                                  const char *upload, size_t *upload_length, void **ret_call)
{
    struct listener *listener = userdata;
    struct call *call = *ret_call;
    (void)version;
    if (!call) {
        *ret_call = call_new(listener, connection, method, path);
        return *ret_call ? MHD_YES : MHD_NO;
    }
    if (*upload_length) {
        if (call->body.length <= BODY_MAX_BYTES)
            text_add_bytes(&call->body, upload, *upload_length);
        *upload_length = 0;
        return MHD_YES;
    }
    if (!call->dispatched)
        dispatch(call);
    return call->answered ? send_answer(call) : MHD_YES;
}

static void on_completed(void *userdata, struct MHD_Connection *connection, void **ret_call,
                         enum MHD_RequestTerminationCode why)
{
    (void)userdata;
    (void)connection;
    (void)why;
    if (*ret_call)
        call_free(*ret_call);
    *ret_call = NULL;
}

static void on_ready(struct loop_io *io, int events, void *userdata)
{
    struct listener *listener = userdata;
    (void)io;
    (void)events;
    (void)MHD_run(listener->daemon);
}

static void on_due(struct loop_timer *timer, void *userdata)
{
    struct listener *listener = userdata;
    (void)timer;
    listener->woken = false;
    (void)MHD_run(listener->daemon);
}

static void before_wait(struct loop_prepare *prepare, void *userdata)
{
    struct listener *listener = userdata;
    MHD_UNSIGNED_LONG_LONG timeout_ms = 0;
    (void)prepare;
    if (listener->woken)
        loop_timer_set(listener->timer, 0);
    else if (MHD_get_timeout(listener->daemon, &timeout_ms) == MHD_YES)
        loop_timer_set(listener->timer, (int64_t)timeout_ms);
    else
        loop_timer_cancel(listener->timer);
}

static void listener_free(struct listener *listener)
{
    loop_prepare_free(listener->prepare);
    loop_timer_free(listener->timer);
    loop_io_free(listener->io);
    if (listener->daemon)
        MHD_stop_daemon(listener->daemon);
    free(listener);
}

static int start_daemon(struct listener *listener, int fd, struct error *err)
{
    listener->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, listener,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)IDLE_TIMEOUT_S, MHD_OPTION_END);
    if (!listener->daemon)
        return error_set(err, -EIO, "the HTTP server does not start");
    return 0;
}

static int watch_daemon(struct listener *listener, struct loop *loop, struct error *err)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(listener->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (!info)
        return error_set(err, -EIO, "the HTTP server has no epoll descriptor");
    int r =
        loop_io_new(loop, "api", info->epoll_fd, LOOP_READ, on_ready, listener, &listener->io, err);
    if (r < 0)
        return r;
    r = loop_timer_new(loop, "api timeout", on_due, listener, &listener->timer, err);
    if (r < 0)
        return r;
    return loop_prepare_new(loop, "api", before_wait, listener, &listener->prepare, err);
}

/* Takes fd, also if it fails. */
static int add_listener(struct api *api, int fd, struct error *err)
{
    autoclose int owned = fd;
    struct listener *listener = calloc(1, sizeof(*listener));
    if (!listener)
        return error_oom(err);
    listener->api = api;
    LL_PREPEND(api->listeners, listener);
    int r = start_daemon(listener, owned, err);
    if (r < 0)
        return r;
    (void)take_fd(owned); /* the daemon's now */
    return watch_daemon(listener, api->loop, err);
}

/* --- the whole --- */

static int copy_config(struct api *api, const struct api_config *config, struct error *err)
{
    api->kv = config->kv;
    api->daemon_status = config->daemon_status;
    api->userdata = config->userdata;
    api->prefix = strdup(config->prefix);
    api->machine_id = strdup(config->machine_id);
    api->version = text_format("musterd/%s", config->version);
    return api->prefix && api->machine_id && api->version ? 0 : error_oom(err);
}

static int open_socket(struct api *api, const char *path, struct error *err)
{
    int fd = -1;
    int r = listen_unix(path, &fd, err);
    if (r < 0)
        return r;
    api->socket_path = strdup(path);
    return add_listener(api, fd, err);
}

int api_new(struct loop *loop, const struct api_config *config, struct api **ret, struct error *err)
{
    autoptr(api) api = calloc(1, sizeof(*api));
    if (!api)
        return error_oom(err);
    api->loop = loop;
    int r = copy_config(api, config, err);
    if (r == 0)
        r = cache_new(api, &api->cache, err);
    if (r == 0)
        r = waits_new(api, &api->waits, err);
    if (r < 0)
        return r;
    if (config->socket_path) {
        r = open_socket(api, config->socket_path, err);
        if (r < 0)
            return r;
    }
    if (config->listen) {
        int fd = -1;
        r = listen_loopback(config->listen, &fd, err);
        if (r < 0)
            return r;
        r = add_listener(api, fd, err);
        if (r < 0)
            return r;
    }
    *ret = take_ptr(api);
    return 0;
}

/* A daemon must not be stopped while connections of it sleep. */
static void end_calls(struct api *api)
{
    struct call *call = NULL;
    DL_FOREACH(api->calls, call) {
        kv_forget(api->kv, call);
        waits_forget(api->waits, call);
        cache_forget(api->cache, call);
        if (call->dispatched && !call->answered)
            call_fail(call, MHD_HTTP_SERVICE_UNAVAILABLE, "musterd is stopping");
        if (call->streaming)
            call_stream_end(call);
    }
}

void api_free(struct api *api)
{
    if (!api)
        return;
    end_calls(api);
    struct listener *listener = NULL;
    LL_FOREACH(api->listeners, listener) {
        if (listener->daemon)
            (void)MHD_run(listener->daemon);
    }
    while ((listener = api->listeners)) {
        LL_DELETE(api->listeners, listener);
        listener_free(listener);
    }
    waits_free(api->waits);
    cache_free(api->cache);
    if (api->socket_path)
        (void)unlink(api->socket_path);
    free(api->socket_path);
    free(api->prefix);
    free(api->machine_id);
    free(api->version);
    free(api);
}
