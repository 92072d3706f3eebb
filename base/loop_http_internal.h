/* SPDX-License-Identifier: Apache-2.0 */
/* What loop_http.c (libcurl in the loop), loop_http_call.c (a call), loop_http_connection.c (which
 * connection it goes by), loop_http_handle.c (curl's handles, kept) and loop_http_result.c (what
 * its end means) share. For no one else. */
#ifndef BASE_LOOP_HTTP_INTERNAL_H
#define BASE_LOOP_HTTP_INTERNAL_H

#include <curl/curl.h>

#include "base/loop_http.h"
#include "base/text.h"

enum {
    HTTP_SPARE_HANDLES = 32,
    HTTP_OPENED_MAX = 8, /* curl tries two families at a time */
};

/* A handle of curl, and the address that it was told last: libcurl would parse the same one again
 * for every call. */
struct http_handle {
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
    curl_socket_t opened[HTTP_OPENED_MAX]; /* the last ones, for HTTP/2 */
    size_t opened_count;
    curl_socket_t shared; /* the one that became a connection, while it is open, or -1. Curl wants
                           * it watched only while a call has it */
    /* of plain calls that ended well: one is dear to make */
    struct http_handle spares[HTTP_SPARE_HANDLES];
    size_t spare_count;
    bool inside_curl;
    bool got_shared_data; /* in this drive, of a call of HTTP/2 */
};

struct http_call {
    struct http *http; /* borrowed */
    struct http_handle handle;
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

/* loop_http_call.c */
void http_call_free(struct http_call *call);

/* loop_http_connection.c: tells curl which connection the call is to go by. */
void http_connection_set(struct http_call *call, const struct http_request *request, bool tls);

/* loop_http_handle.c: a spare handle that has been there already if possible, or a new one; its
 * easy is NULL if memory ran out. */
struct http_handle http_handle_take(struct http *http, const char *url, bool is_stream);
/* To be a spare one if it may, or freed. */
void http_handle_give_back(struct http *http, struct http_handle *handle, bool may_spare);
/* One that is to be a spare keeps what was parsed. */
void http_handle_set_url(struct http_handle *handle, const char *url, bool may_spare);
void http_handle_free(struct http_handle *handle);

/* loop_http_result.c: tells the caller how it ended, unless it was cancelled, and frees it. */
void http_call_end(struct http_call *call, CURLcode code);

#endif
