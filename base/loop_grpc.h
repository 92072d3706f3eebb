/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gRPC calls inside the loop: one message there; one message back, or a stream of them.
 *
 * Streams to one origin share a connection (HTTP/2, over TLS or not), and get another one when it
 * has no room for more. Streams that come while it is being made wait for it, and fail with it.
 * Other calls have a connection each while they last, which is kept for the next: where calls share
 * one, libcurl (7.88) loses the status of an answer that ends while another's buffer is full. For a
 * stream that is one reason more to be begun anew. A connection on which a call found no answer in
 * time is given up; so is one of a single call that failed or was cancelled. One that has no room,
 * or takes nothing at present, is passed by.
 *
 * No call is ever sent twice: where its connection breaks, its outcome is unknown.
 *
 * Every call ends with exactly one on_done, never from inside grpc_start(), unless it is cancelled
 * first.
 */
#ifndef BASE_LOOP_GRPC_H
#define BASE_LOOP_GRPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/loop.h"
#include "base/loop_http.h"

struct grpc;
struct grpc_call;

struct grpc_request {
    const char *origin;  /* "http://10.0.0.1:2379" */
    const char *method;  /* "/etcdserverpb.KV/Range" */
    const void *message; /* without prefix; copied */
    size_t length;
    char *const *metadata;      /* "name: value" list, or NULL; copied */
    int timeout_ms;             /* for the whole call, waiting included; 0: none */
    int connect_timeout_ms;     /* 0: libcurl's default */
    const struct http_tls *tls; /* for https; borrowed until the call has ended */
};

enum { GRPC_NO_STATUS = -1 };

struct grpc_result {
    int code;          /* 0: an answer came. Else as in struct http_result, where -EIO is also that
                        * of an answer which was cut off */
    int status;        /* grpc-status; GRPC_NO_STATUS: not a gRPC server answered */
    const char *words; /* grpc-message, "" if there is none */
    long http_status;  /* if an answer began */
    const uint8_t *data; /* status 0: the message, or what no stream has; GRPC_NO_STATUS: a body */
    size_t length;
    const char *reason; /* in words if code is not 0 */
};

/* Bytes of a stream as they arrive, for grpc_stream_add(). Inside of libcurl: no call may be begun
 * there. */
typedef void (*grpc_data_fn)(struct grpc_call *call, const char *bytes, size_t length,
                             void *userdata);
/* The call is freed when this returns. */
typedef void (*grpc_done_fn)(struct grpc_call *call, const struct grpc_result *result,
                             void *userdata);

int grpc_new(struct loop *loop, struct grpc **ret, struct error *err);
void grpc_free(struct grpc *grpc); /* cancels what runs; not from a callback of a call */
DEFINE_AUTOPTR(grpc);

/* on_data NULL: one message is awaited. *ret is borrowed, valid until on_done or grpc_cancel().
 * Where it fails nothing was sent. */
int grpc_start(struct grpc *grpc, const struct grpc_request *request, grpc_data_fn on_data,
               grpc_done_fn on_done, void *userdata, struct grpc_call **ret, struct error *err);

/* No callback of this call comes after it; may be called from any callback, its own included. NULL
 * is fine. */
void grpc_cancel(struct grpc_call *call);

#endif
