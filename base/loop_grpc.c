/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls, and the connections that they share.
 *
 *   a link:  closed --first call--> opening --"ready"--> open --gone, no answer--> given up
 *                ^                     |                         (ends with its last call)
 *                +-- fails, with all --+
 *                    that wait
 */
#include "base/loop_grpc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/grpc.h"
#include "base/text.h"

enum {
    /* So many go by a link before anything has come back on it: until the server has said how many
     * it takes libcurl holds it for 100, and the rest would go by links of their own. */
    UNPROVEN_CALLS = 90,
    SILENCE_MS = 500,        /* of a connection, before a stream's end makes it suspect */
    IDLE_LINKS_MAX = 32,     /* to an origin, kept for calls to come */
    IDLE_MS = 60 * 1000,     /* and no longer, but for one */
    FOREIGN_BODY_MAX = 4096, /* of an answer that is none of gRPC; to show what it is */
    REASON_MAX = 256,
};

/* One connection to one origin, made or to be made. */
struct grpc_link {
    struct grpc *grpc; /* borrowed */
    char *origin;
    struct http *http;        /* of its own, so that it can be given up */
    bool is_shared;           /* by streams; else it has one call at a time */
    struct grpc_call *opener; /* the call that makes the connection, or NULL; borrowed */
    bool open;
    bool proven; /* something has come back */
    bool full;   /* it took no more, when asked last */
    bool given_up;
    size_t calls; /* that are its own, waiting ones too */
    size_t sent;  /* of those, that libcurl has */
    int64_t heard_mono_ms;
    int64_t idle_mono_ms; /* when its last call left */
    struct grpc_link *prev;
    struct grpc_link *next;
};

struct grpc {
    struct loop *loop; /* borrowed */
    struct grpc_link *links;
    struct grpc_call *calls;
    struct loop_timer *turn; /* starts what may go on, and clears away */
    struct loop_timer *idle; /* clears away what nobody has come for */
};

struct grpc_call {
    struct grpc *grpc;       /* borrowed */
    struct grpc_link *link;  /* borrowed; NULL: it has left */
    struct http_call *http;  /* borrowed; NULL: it waits */
    struct loop_timer *wait; /* ends the waiting; or NULL */
    bool doomed;             /* what it waited for has failed */
    bool ended;              /* its on_done runs, and it is freed afterwards */
    char *url;
    uint8_t *frame;
    size_t frame_length;
    char **headers;
    const struct http_tls *tls; /* borrowed */
    int connect_timeout_ms;
    int64_t end_mono_ms; /* 0: no end */
    int64_t sent_mono_ms;
    bool is_grpc; /* the answer says so */
    int status;
    char *words;
    struct text foreign;
    grpc_data_fn on_data;
    grpc_done_fn on_done;
    void *userdata;
    struct grpc_call *prev;
    struct grpc_call *next;
};

/* Not from a callback of its http: that happens in a turn of our own. */
static void link_free(struct grpc_link *link)
{
    DL_DELETE(link->grpc->links, link);
    http_free(link->http);
    free(link->origin);
    free(link);
}

static int link_new(struct grpc *grpc, const char *origin, bool is_shared, struct grpc_link **ret,
                    struct error *err)
{
    struct grpc_link *link = calloc(1, sizeof(*link));
    if (!link)
        return error_oom(err);
    link->grpc = grpc;
    link->is_shared = is_shared;
    DL_APPEND(grpc->links, link);
    link->origin = strdup(origin);
    int r = link->origin ? http_new(grpc->loop, &link->http, err) : error_oom(err);
    if (r < 0)
        link_free(link);
    else
        *ret = link;
    return r;
}

/* A request that goes to a peer who has hung up would be one whose outcome nobody knows. */
static bool is_sound(const struct grpc_link *link)
{
    return !link->given_up && (!link->open || http_is_clear(link->http));
}

/* One that may have room, or NULL. */
static struct grpc_link *link_find(const struct grpc *grpc, const char *origin, bool is_shared)
{
    struct grpc_link *link = NULL;
    DL_FOREACH(grpc->links, link) {
        bool is_free = is_shared ? !link->full : link->calls == 0;
        if (link->is_shared == is_shared && is_free && text_equal(link->origin, origin) &&
            is_sound(link))
            return link;
    }
    return NULL;
}

static int call_join_link(struct grpc_call *call, const char *origin, struct error *err)
{
    bool is_stream = call->on_data;
    struct grpc_link *link = link_find(call->grpc, origin, is_stream);
    int r = link ? 0 : link_new(call->grpc, origin, is_stream, &link, err);
    if (r < 0)
        return r;
    call->link = link;
    link->calls++;
    return 0;
}

/* Of a connection that a call has alone, half of a request may be in it. Where it had one with
 * others, and waited in vain, it may be that nothing comes by it any more; they will find out by
 * themselves. */
static bool is_spoiled_by(const struct grpc_link *link, const struct grpc_call *call)
{
    bool in_vain = link->open && link->heard_mono_ms < call->sent_mono_ms;
    return !link->is_shared || (in_vain && clock_mono_ms() - call->sent_mono_ms >= SILENCE_MS);
}

static void call_leave_link(struct grpc_call *call)
{
    struct grpc_link *link = call->link;
    if (!link)
        return;
    if (call->http) {
        http_cancel(take_ptr(call->http));
        link->sent--;
        link->given_up |= is_spoiled_by(link, call);
    }
    if (link->opener == call)
        link->opener = NULL;
    link->calls--;
    link->full = false;
    link->idle_mono_ms = clock_mono_ms();
    call->link = NULL;
    loop_timer_set(link->grpc->turn, 0);
}

/* There may be a token among them. */
static void headers_free(char **headers)
{
    for (char **line = headers; line && *line; line++)
        explicit_bzero(*line, strlen(*line));
    strv_free(headers);
}

static void call_free(struct grpc_call *call)
{
    DL_DELETE(call->grpc->calls, call);
    call_leave_link(call);
    loop_timer_free(call->wait);
    free(call->url);
    if (call->frame)
        explicit_bzero(call->frame, call->frame_length); /* there may be a password */
    free(call->frame);
    headers_free(call->headers);
    free(call->words);
    text_done(&call->foreign);
    free(call);
}

/* It leaves first, so that what its owner asks for next may go by its connection. */
static void finish(struct grpc_call *call, const struct grpc_result *result)
{
    call->ended = true;
    call_leave_link(call);
    call->on_done(call, result, call->userdata);
    call_free(call);
}

static void fail(struct grpc_call *call, int code, const char *reason)
{
    const struct grpc_result result = {
        .code = code, .status = GRPC_NO_STATUS, .words = "", .reason = reason
    };
    finish(call, &result);
}

/* It could not be sent: for want of a connection in time, else for a want of our own. */
static void fail_unsent(struct grpc_call *call, int code, const struct error *err)
{
    fail(call, code == -ECONNREFUSED ? code : -ENOMEM, err->text);
}

/* Whether something that a call may wait for has come about: run in a turn of its own. */
static void look_again(const struct grpc_link *link)
{
    loop_timer_set(link->grpc->turn, 0);
}

static void on_ready(struct http_call *http, void *userdata)
{
    struct grpc_call *call = userdata;
    struct grpc_link *link = call->link;
    (void)http;
    if (link->opener != call)
        return;
    link->opener = NULL;
    link->open = true;
    look_again(link);
}

static void note_heard(struct grpc_link *link)
{
    link->heard_mono_ms = clock_mono_ms();
    if (!link->proven)
        look_again(link);
    link->proven = true;
}

static void on_header(struct http_call *http, const char *name, const char *value, void *userdata)
{
    struct grpc_call *call = userdata;
    (void)http;
    note_heard(call->link);
    if (strcasecmp(name, "content-type") == 0) {
        call->is_grpc = text_starts_with(value, "application/grpc");
    } else if (strcasecmp(name, "grpc-status") == 0) {
        call->status = grpc_read_status(value);
    } else if (strcasecmp(name, "grpc-message") == 0) {
        free(call->words);
        call->words = strdup(value);
        if (call->words)
            grpc_decode_words(call->words);
    }
}

static void on_http_data(struct http_call *http, const char *bytes, size_t length, void *userdata)
{
    struct grpc_call *call = userdata;
    (void)http;
    note_heard(call->link);
    if (call->is_grpc)
        call->on_data(call, bytes, length, call->userdata);
    else if (call->foreign.length + length <= FOREIGN_BODY_MAX)
        text_add_bytes(&call->foreign, bytes, length);
}

/* The one message that there should be. */
static int read_message(const struct http_result *from, struct grpc_result *result)
{
    struct grpc_stream stream = {
        .buffer = {.data = (char *)from->body, .length = from->body_length}
    };
    const uint8_t *message = NULL;
    size_t length = 0;
    int r = from->body_length == 0 ? 0 : grpc_stream_next(&stream, &message, &length, NULL);
    if (r <= 0 || grpc_stream_is_inside(&stream))
        return -EPROTO;
    result->data = message;
    result->length = length;
    return 0;
}

static void read_answer(const struct grpc_call *call, const struct http_result *from,
                        struct grpc_result *result)
{
    if (call->status == GRPC_NO_STATUS && (call->is_grpc || from->status == 0)) {
        result->code = -EIO;
        result->reason = "the answer was cut off";
    } else if (call->status == GRPC_NO_STATUS) {
        result->data = (const uint8_t *)(call->foreign.data ? call->foreign.data : from->body);
        result->length = call->foreign.data ? call->foreign.length : from->body_length;
    } else if (call->status == 0 && !call->on_data && read_message(from, result) < 0) {
        result->code = -EPROTO;
        result->reason = "a success that is not one whole message";
    }
}

/* All that wait for this link wait for what has failed. Those that come later try anew. */
static void doom_waiting(const struct grpc_link *link)
{
    struct grpc_call *call = NULL;
    DL_FOREACH(link->grpc->calls, call) {
        call->doomed |= call->link == link && !call->http && !call->ended;
    }
}

/* They were not sent, whatever became of the one that was to make the connection. */
static void fail_doomed(struct grpc *grpc, int code, const char *words)
{
    struct grpc_call *call = NULL;
    char reason[REASON_MAX];
    (void)snprintf(reason, sizeof(reason), "%s", words);
    for (;;) { /* anew after each, since its owner may take others with it */
        DL_SEARCH_SCALAR(grpc->calls, call, doomed, true);
        if (!call)
            return;
        call->doomed = false;
        fail(call, code, reason);
    }
}

static int call_go(struct grpc_call *call, struct error *err);

/* The link takes no more: it is gone, or it is full, or it is congested, which those that are still
 * on it may come through. */
static int go_elsewhere(struct grpc_call *call, struct error *err)
{
    struct grpc_link *link = call->link;
    link->given_up |= link->sent == 0;
    call_leave_link(call);
    link->full = true;
    int r = call_join_link(call, link->origin, err);
    return r < 0 ? r : call_go(call, err);
}

static void on_http_done(struct http_call *http, const struct http_result *from, void *userdata)
{
    struct grpc_call *call = userdata;
    struct grpc_link *link = call->link;
    struct grpc *grpc = call->grpc;
    bool never_ready = link->opener == call;
    struct grpc_result result = { .code = from->code,
                                  .status = call->status,
                                  .words = call->words ? call->words : "",
                                  .http_status = from->status,
                                  .reason = from->reason };
    (void)http;
    call->http = NULL;
    link->sent--;
    if (from->code == -ENOTCONN || from->code == -ENOBUFS) {
        struct error err = { 0 };
        int r = go_elsewhere(call, &err);
        if (r < 0)
            fail_unsent(call, r, &err);
        return;
    }
    if (never_ready) {
        link->opener = NULL;
        doom_waiting(link);
    }
    /* Where it was the only one, the rest of what it sent may still be in the way. */
    if (from->code < 0 && !link->is_shared)
        link->given_up = true;
    if (from->code == -ETIMEDOUT && link->heard_mono_ms < call->sent_mono_ms)
        link->given_up = true;
    if (from->code == 0)
        read_answer(call, from, &result);
    finish(call, &result);
    if (never_ready)
        fail_doomed(grpc, from->code, from->reason);
}

static int call_send(struct grpc_call *call, enum http_connection connection, struct error *err)
{
    struct grpc_link *link = call->link;
    int64_t now = clock_mono_ms();
    int64_t left_ms = call->end_mono_ms - now;
    if (call->end_mono_ms && left_ms <= 0)
        return error_set(err, -ECONNREFUSED, "no connection in time");
    struct http_request request = {
        .method = "POST",
        .url = call->url,
        .headers = call->headers,
        .body = call->frame,
        .body_length = call->frame_length,
        .timeout_ms = call->end_mono_ms ? (int)left_ms : 0,
        .connect_timeout_ms = call->connect_timeout_ms,
        .keepalive_probes = true,
        .tls = call->tls,
        .connection = connection,
        .on_ready = on_ready,
        .on_header = on_header,
    };
    loop_timer_free(take_ptr(call->wait));
    int r = http_start(link->http, &request, call->on_data ? on_http_data : NULL, on_http_done,
                       call, &call->http, err);
    if (r < 0)
        return r;
    call->sent_mono_ms = now;
    link->sent++;
    return 0;
}

static void on_waited(struct loop_timer *timer, void *userdata)
{
    (void)timer;
    fail(userdata, -ECONNREFUSED, "no connection in time");
}

static int call_wait(struct grpc_call *call, struct error *err)
{
    if (call->wait || call->end_mono_ms == 0)
        return 0;
    int r = loop_timer_new(call->grpc->loop, "grpc wait", on_waited, call, &call->wait, err);
    if (r == 0)
        loop_timer_set(call->wait, call->end_mono_ms - clock_mono_ms());
    return r;
}

static bool must_wait(const struct grpc_link *link)
{
    return link->open ? !link->proven && link->sent >= UNPROVEN_CALLS : link->opener != NULL;
}

static int call_go(struct grpc_call *call, struct error *err)
{
    struct grpc_link *link = call->link;
    if (must_wait(link))
        return call_wait(call, err);
    if (link->open && !is_sound(link)) /* it has waited, and what for is of no use any more */
        return go_elsewhere(call, err);
    if (link->open)
        return call_send(call, HTTP_CONNECTION_KEPT_2, err);
    link->proven = false;
    int r = call_send(call, HTTP_CONNECTION_NEW_2, err);
    if (r == 0)
        link->opener = call;
    return r;
}

/* The first that waits and need not any more. */
static struct grpc_call *find_ready(const struct grpc *grpc)
{
    struct grpc_call *call = NULL;
    DL_FOREACH(grpc->calls, call) {
        if (!call->http && !must_wait(call->link))
            return call;
    }
    return NULL;
}

/* How many links like this one are idle too, and come before it. */
static size_t count_idle_before(const struct grpc_link *link)
{
    const struct grpc_link *other = NULL;
    size_t count = 0;
    for (other = link->grpc->links; other != link; other = other->next)
        count += other->calls == 0 && other->is_shared == link->is_shared &&
                 text_equal(other->origin, link->origin);
    return count;
}

static bool is_of_use(const struct grpc_link *link, size_t idle_before)
{
    if (!is_sound(link) || idle_before >= (link->is_shared ? 1 : IDLE_LINKS_MAX))
        return false;
    return idle_before == 0 || clock_mono_ms() - link->idle_mono_ms < IDLE_MS;
}

/* Links without calls stay for those that come: one for good, which is the one that the next call
 * takes; as many more as were in use at once in the last minute, since each costs 100 kB, but to
 * make it anew costs the server a handshake. */
static void clear_away(struct grpc *grpc)
{
    struct grpc_link *link = NULL;
    struct grpc_link *next = NULL;
    bool look_again_later = false;
    DL_FOREACH_SAFE(grpc->links, link, next) {
        size_t before = link->calls == 0 ? count_idle_before(link) : 0;
        if (link->calls == 0 && !is_of_use(link, before))
            link_free(link);
        else
            look_again_later |= before > 0;
    }
    if (look_again_later)
        loop_timer_set(grpc->idle, IDLE_MS);
}

static void on_idle(struct loop_timer *timer, void *userdata)
{
    (void)timer;
    clear_away(userdata);
}

static void on_turn(struct loop_timer *timer, void *userdata)
{
    struct grpc *grpc = userdata;
    struct grpc_call *call = NULL;
    (void)timer;
    while ((call = find_ready(grpc))) {
        struct error err = { 0 };
        int r = call_go(call, &err);
        if (r < 0)
            fail_unsent(call, r, &err);
    }
    clear_away(grpc);
}

int grpc_new(struct loop *loop, struct grpc **ret, struct error *err)
{
    struct grpc *grpc = calloc(1, sizeof(*grpc));
    if (!grpc)
        return error_oom(err);
    grpc->loop = loop;
    int r = loop_timer_new(loop, "grpc turn", on_turn, grpc, &grpc->turn, err);
    if (r == 0)
        r = loop_timer_new(loop, "grpc idle", on_idle, grpc, &grpc->idle, err);
    if (r < 0)
        grpc_free(grpc);
    else
        *ret = grpc;
    return r;
}

void grpc_free(struct grpc *grpc)
{
    if (!grpc)
        return;
    while (grpc->calls)
        call_free(grpc->calls);
    while (grpc->links)
        link_free(grpc->links);
    loop_timer_free(grpc->turn);
    loop_timer_free(grpc->idle);
    free(grpc);
}

static int copy_headers(struct grpc_call *call, char *const *metadata, struct error *err)
{
    int r = strv_add(&call->headers, "content-type: application/grpc", err);
    if (r == 0)
        r = strv_add(&call->headers, "te: trailers", err);
    for (; r == 0 && metadata && *metadata; metadata++)
        r = strv_add(&call->headers, *metadata, err);
    return r;
}

static int call_fill(struct grpc_call *call, const struct grpc_request *request, struct error *err)
{
    call->tls = request->tls;
    call->connect_timeout_ms = request->connect_timeout_ms;
    if (request->timeout_ms)
        call->end_mono_ms = clock_mono_ms() + request->timeout_ms;
    call->url = text_format("%s%s", request->origin, request->method);
    call->frame = grpc_frame(request->message, request->length);
    call->frame_length = GRPC_PREFIX_BYTES + request->length;
    if (!call->url || !call->frame)
        return error_oom(err);
    return copy_headers(call, request->metadata, err);
}

int grpc_start(struct grpc *grpc, const struct grpc_request *request, grpc_data_fn on_data,
               grpc_done_fn on_done, void *userdata, struct grpc_call **ret, struct error *err)
{
    struct grpc_call *call = calloc(1, sizeof(*call));
    if (!call)
        return error_oom(err);
    *call = (struct grpc_call){
        .grpc = grpc,
        .status = GRPC_NO_STATUS,
        .on_data = on_data,
        .on_done = on_done,
        .userdata = userdata,
    };
    DL_APPEND(grpc->calls, call);
    int r = call_fill(call, request, err);
    if (r == 0)
        r = call_join_link(call, request->origin, err);
    if (r == 0)
        r = call_go(call, err);
    if (r < 0)
        call_free(call);
    else
        *ret = call;
    return r;
}

void grpc_cancel(struct grpc_call *call)
{
    if (call && !call->ended)
        call_free(call);
}
