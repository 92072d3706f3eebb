/* SPDX-License-Identifier: Apache-2.0 */
/* A call: what curl is told of it, and what comes of its answer. */
#include "base/loop_http_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum {
    BODY_MAX_BYTES = 64 * 1024 * 1024,
    SHARED_BUFFER_BYTES = 64 * 1024, /* more than libcurl reads at once; and a piece of a body */
    STREAM_BUFFER_BYTES = 4 * 1024,
    SMALL_UPLOAD_BYTES = 16 * 1024, /* the least that libcurl takes */
    SMALL_BODY_BYTES = 8 * 1024,    /* fits in there, with a head and a token */
    EXPECT_BYTES = 64 * 1024, /* libcurl asks before it sends a body of 1 MiB; well below that */
};

/* There may be a token among them. */
static void headers_free(struct curl_slist *headers)
{
    for (struct curl_slist *line = headers; line; line = line->next)
        explicit_bzero(line->data, strlen(line->data));
    curl_slist_free_all(headers);
}

void http_call_free(struct http_call *call)
{
    struct http *http = call->http;
    DL_DELETE(http->calls, call);
    http_handle_give_back(http, &call->handle, call->may_spare);
    headers_free(call->headers);
    if (call->body)
        explicit_bzero(call->body, call->body_length); /* or a password */
    free(call->body);
    if (call->answer.data)
        explicit_bzero(call->answer.data, call->answer.length); /* or the token itself */
    text_done(&call->answer);
    free(call);
}

static size_t on_curl_data(char *bytes, size_t one, size_t length, void *userdata)
{
    struct http_call *call = userdata;
    (void)one;
    call->http->got_shared_data |= call->connection != HTTP_CONNECTION_ANY;
    if (call->cancelled)
        return 0;
    long status = 0;
    (void)curl_easy_getinfo(call->handle.easy, CURLINFO_RESPONSE_CODE, &status);
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
    (void)curl_easy_getinfo(call->handle.easy, CURLINFO_SIZE_UPLOAD_T, &uploaded);
    call->dropped = (size_t)uploaded >= call->body_length;
    if (call->dropped)
        (void)curl_easy_setopt(call->handle.easy, CURLOPT_UPLOAD_BUFFERSIZE,
                               (long)SMALL_UPLOAD_BYTES);
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
    (void)curl_easy_setopt(call->handle.easy, CURLOPT_HTTPHEADER, call->headers);
    return ok;
}

static bool set_body(struct http_call *call, const struct http_request *request)
{
    if (!request->body) {
        (void)curl_easy_setopt(call->handle.easy, CURLOPT_HTTPGET, 1L);
        return true;
    }
    call->body = text_copy_bytes(request->body, request->body_length);
    if (!call->body)
        return false;
    call->body_length = request->body_length;
    (void)curl_easy_setopt(call->handle.easy, CURLOPT_POSTFIELDSIZE_LARGE,
                           (curl_off_t)request->body_length);
    (void)curl_easy_setopt(call->handle.easy, CURLOPT_POSTFIELDS, call->body);
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
    CURL *easy = call->handle.easy;
    bool tls = text_starts_with(request->url, "https:");
    call->may_spare = !tls && !request->unix_socket && !call->on_data;
    (void)curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
    (void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->reason);
    http_handle_set_url(&call->handle, request->url, call->may_spare);
    (void)curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_curl_data);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
    (void)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
    (void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)request->connect_timeout_ms);
    if (request->unix_socket)
        (void)curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, request->unix_socket);
    http_connection_set(call, request, tls);
    call->on_header = request->on_header;
    (void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_curl_header);
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
    call->handle = http_handle_take(http, request->url, on_data);
    if (!call->handle.easy || !set_headers(call, request) || !set_body(call, request)) {
        http_call_free(call);
        return error_oom(err);
    }
    set_options(call, request);
    CURLMcode code = curl_multi_add_handle(http->multi, call->handle.easy);
    if (code != CURLM_OK) {
        http_call_free(call);
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
