/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP requests inside the loop, over libcurl's multi interface. Connections are kept.
 *
 * HTTP/2 is for who says by which connection each request shall go (base/loop_grpc does). One http
 * for each such connection makes that it can be given up: http_free().
 *
 * A server's certificate is always checked, its name too; there is no way to turn that off.
 *
 * Every call ends with exactly one on_done, never from inside http_start(), unless it is cancelled
 * first.
 */
#ifndef BASE_LOOP_HTTP_H
#define BASE_LOOP_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/loop.h"

struct http;
struct http_call;

struct http_tls {
    const char *ca_file;   /* the only ones that are trusted; NULL: the system's */
    const char *cert_file; /* client certificate and key, both or neither */
    const char *key_file;
};

enum http_connection {
    HTTP_CONNECTION_ANY = 0, /* HTTP/1.1: a kept one, or a new one */
    HTTP_CONNECTION_NEW_2,   /* a new one, with HTTP/2 from its first byte, or over TLS as agreed */
    HTTP_CONNECTION_KEPT_2,  /* with others on one that such a request made, or not at all */
};

/* The connection stands, and the request is about to be sent on it, once: HTTP/2 only. Inside of
 * libcurl: no request may be begun or cancelled. */
typedef void (*http_ready_fn)(struct http_call *call, void *userdata);
/* A line of the answer's head or of its trailers. Inside of libcurl. */
typedef void (*http_header_fn)(struct http_call *call, const char *name, const char *value,
                               void *userdata);

struct http_request {
    const char *method;      /* "GET", "PUT", … */
    const char *url;         /* with a unix socket the host part is only a name */
    const char *unix_socket; /* path, or NULL */
    char *const *headers;    /* "Name: value" list, or NULL */
    const void *body;        /* copied; NULL for none */
    size_t body_length;
    int timeout_ms;             /* for the whole call; 0: none */
    int connect_timeout_ms;     /* 0: curl's default */
    bool keepalive_probes;      /* a dead peer is noticed in about 5 s (TCP_USER_TIMEOUT, KEEP*) */
    const struct http_tls *tls; /* for https; NULL: the system's trust. Copied */
    enum http_connection connection;
    http_ready_fn on_ready;   /* NULL, or called for each that gets so far */
    http_header_fn on_header; /* NULL: nobody wants to know */
};

struct http_result {
    int code; /* 0: an answer came, of whatever status; -ECONNREFUSED: never connected (HTTP/2: TLS
               * is part of it), and HTTP/1.1 may say -ENOENT or -EACCES instead; -ECONNABORTED: it
               * broke before the request was sent (HTTP/2); -ENOTCONN: no kept connection has room;
               * -EKEYREJECTED: the server's certificate is not trusted; -ENOKEY: a file of our
               * own for TLS cannot be used; -EMSGSIZE: the server ended it before it had the
               * whole request (HTTP/2); -ENOBUFS: the kept connection takes nothing at present;
               * -ENOMEM: this side has not what it takes, be it memory or sockets.
               * Nothing was done there in any of these;
               * -ETIMEDOUT or -EIO: may have been done; -E2BIG: answer too large */
    long status;      /* HTTP status, if an answer began */
    const char *body; /* what no on_data took; NUL-terminated; valid during the callback */
    size_t body_length;
    const char *reason; /* in words if code is not 0 */
};

/* A piece of a successful answer's body as it arrives. */
typedef void (*http_data_fn)(struct http_call *call, const char *bytes, size_t length,
                             void *userdata);
/* The call is freed when this returns. */
typedef void (*http_done_fn)(struct http_call *call, const struct http_result *result,
                             void *userdata);

int http_new(struct loop *loop, struct http **ret, struct error *err);
void http_free(struct http *http); /* cancels what runs */
DEFINE_AUTOPTR(http);

/* on_data may be NULL: the body is then collected (up to 64 MiB) and given to on_done; with on_data
 * a body of status 200 goes there and any other to on_done. *ret is borrowed, valid until on_done
 * or http_cancel(). */
int http_start(struct http *http, const struct http_request *request, http_data_fn on_data,
               http_done_fn on_done, void *userdata, struct http_call **ret, struct error *err);

/* No callback of this call comes after it; may be called from any callback, its own included. It
 * takes effect in the next turn of the loop, so a request may yet be sent. NULL is fine. */
void http_cancel(struct http_call *call);

/* Whether its connection of HTTP/2 (the last one made) takes a request now: it is not full at
 * present, and was not closed by its peer, which the loop may not have come to yet. Else a request
 * ends with -ENOBUFS. True if there is none. */
bool http_is_clear(const struct http *http);

#endif
