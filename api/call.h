/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request and its answer, as the handlers see it.
 *
 * A handler is called once, with the whole body read. It ends the call, now or from a later
 * callback, with exactly one call_reply(), call_fail…() or call_stream_begin(); until then the
 * connection sleeps. Whoever asks the store for a call passes the call as userdata: when the client
 * is gone the call is freed, and kv_forget() of it drops what is under way.
 */
#ifndef API_CALL_H
#define API_CALL_H

#include <jansson.h>
#include <stdbool.h>

#include "api/api.h"
#include "base/text.h"

struct MHD_Connection;
struct cache;
struct listener;
struct view;
struct waits;

struct api {
    struct loop *loop; /* borrowed */
    struct kv *kv;     /* borrowed */
    char *prefix;
    char *machine_id;
    char *version;
    char *socket_path;
    json_t *(*daemon_status)(void *userdata);
    void *userdata;
    struct listener *listeners;
    struct call *calls;
    struct cache *cache;
    struct waits *waits;
};

struct call {
    struct api *api;           /* borrowed */
    struct listener *listener; /* borrowed */
    struct MHD_Connection *connection;
    char *method;
    char *path;
    char *name; /* what stands for {name} in the route, or NULL */
    struct text body;

    /* The answer. */
    unsigned int status;
    struct text answer;
    size_t sent; /* of a stream */
    bool dispatched;
    bool answered;
    bool streaming;
    bool ended;
    bool suspended;

    /* What the handler keeps between its callbacks. */
    void (*on_view)(struct call *call, const struct view *view);
    /* Where there is something to say without the store; NULL: the call fails with the reason. */
    void (*on_no_view)(struct call *call, const char *reason);
    bool asks_texts; /* of many units: they are read before on_view is called */
    void *work;
    void (*work_free)(void *work);

    struct call *prev;
    struct call *next;
};

/* Takes body, which may be NULL for an empty one (204, 201). */
void call_reply(struct call *call, unsigned int status, json_t *body);
/* {"error":{"code":…,"message":…}}, fleet's form, for both APIs. */
void call_fail(struct call *call, unsigned int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for what a callee reported: -EINVAL 400, -ENOENT 404, -EEXIST 409, the store's codes
 * 503, else 500. */
void call_fail_code(struct call *call, int code, const char *reason);
/* The same while the body is read: -EPROTO, a field that lacks or is wrong, is the client's 400. */
void call_fail_input(struct call *call, int code, const char *reason);

/* Newline-delimited JSON from now on; each write is sent at once. */
void call_stream_begin(struct call *call);
void call_stream_write(struct call *call, const char *line);
void call_stream_end(struct call *call);

/* An argument of the query (…?name=value), borrowed; NULL if absent. */
const char *call_query(const struct call *call, const char *name);

/* The body as a JSON object; answers 400 and returns -EINVAL if it is none. */
int call_input(struct call *call, json_t **ret);

/* One linearizable read of the whole prefix; fn gets it, borrowed. If the store does not answer the
 * call ends with 503 and fn is not called. */
void call_with_view(struct call *call, void (*fn)(struct call *call, const struct view *view));
/* The same for who asks what the texts of most units say, be it through the model: that they are
 * read stops nobody else. */
void call_with_texts(struct call *call, void (*fn)(struct call *call, const struct view *view));

#endif
