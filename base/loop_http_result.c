/* SPDX-License-Identifier: Apache-2.0 */
/* What the end of a call means: above all, whether the server may have done what was asked. */
#include "base/loop_http_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/socket.h"

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
 * is not let: see on_curl_ready() of loop_http_connection.c.) */
static bool was_sent(const struct http_call *call)
{
    long sent_bytes = 0;
    if (call->connection != HTTP_CONNECTION_ANY)
        return call->ready;
    (void)curl_easy_getinfo(call->handle.easy, CURLINFO_REQUEST_SIZE, &sent_bytes);
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
    (void)curl_easy_getinfo(call->handle.easy, CURLINFO_SIZE_UPLOAD_T, &uploaded);
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
    (void)curl_easy_getinfo(call->handle.easy, CURLINFO_OS_ERRNO, &errnum);
    if (never_connected(code) && !was_sent(call))
        return errnum == EACCES ? -EACCES : errnum == ENOENT ? -ENOENT : -ECONNREFUSED;
    return code == CURLE_OPERATION_TIMEDOUT ? -ETIMEDOUT : -EIO;
}

/* A resolver that could open nothing does not say so: whoever tries now finds out. */
static bool resolver_had_no_descriptor(CURLcode code)
{
    if (code != CURLE_COULDNT_RESOLVE_HOST && code != CURLE_COULDNT_RESOLVE_PROXY)
        return false;
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    bool none = fd < 0 && socket_is_want(errno);
    if (fd >= 0)
        (void)close(fd);
    return none;
}

void http_call_end(struct http_call *call, CURLcode code)
{
    call->no_socket |= resolver_had_no_descriptor(code);
    struct http_result result = { .code = result_code(call, code), .reason = "" };
    (void)curl_easy_getinfo(call->handle.easy, CURLINFO_RESPONSE_CODE, &result.status);
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
    http_call_free(call);
}
