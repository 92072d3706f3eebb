/* SPDX-License-Identifier: Apache-2.0 */
/* Curl's handles, which are kept and lent again. */
#include "base/loop_http_internal.h"

#include <stdlib.h>
#include <string.h>

static void handle_forget_url(struct http_handle *handle)
{
    (void)curl_easy_setopt(handle->easy, CURLOPT_CURLU, NULL);
    curl_url_cleanup(handle->parsed);
    free(handle->url);
    handle->parsed = NULL;
    handle->url = NULL;
}

void http_handle_free(struct http_handle *handle)
{
    CURLU *parsed = take_ptr(handle->parsed);
    curl_easy_cleanup(take_ptr(handle->easy));
    curl_url_cleanup(parsed);
    free(take_ptr(handle->url));
}

/* A handle keeps its options, so each that some call sets is set by every call, or the handle is
 * no spare. */
void http_handle_give_back(struct http *http, struct http_handle *handle, bool may_spare)
{
    if (!handle->easy)
        return;
    (void)curl_multi_remove_handle(http->multi, handle->easy);
    if (!may_spare || http->spare_count == HTTP_SPARE_HANDLES) {
        http_handle_free(handle);
        return;
    }
    (void)curl_easy_setopt(handle->easy, CURLOPT_ERRORBUFFER, NULL);
    (void)curl_easy_setopt(handle->easy, CURLOPT_HTTPHEADER, NULL);
    (void)curl_easy_setopt(handle->easy, CURLOPT_POSTFIELDS, NULL);
    http->spares[http->spare_count++] = *handle;
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
    return easy;
}

/* A spare one that has been there already if possible. Of a stream it is a new one: libcurl refuses
 * to make a smaller buffer of one that is there. */
struct http_handle http_handle_take(struct http *http, const char *url, bool is_stream)
{
    if (http->spare_count == 0 || is_stream)
        return (struct http_handle){ .easy = handle_new() };
    size_t at = http->spare_count - 1;
    for (size_t i = 0; i < http->spare_count; i++)
        if (text_equal(http->spares[i].url, url))
            at = i;
    struct http_handle handle = http->spares[at];
    http->spares[at] = http->spares[--http->spare_count];
    return handle;
}

/* What we cannot parse curl is given as it is: it will say what is wrong. */
void http_handle_set_url(struct http_handle *handle, const char *url, bool may_spare)
{
    if (text_equal(handle->url, url))
        return;
    handle_forget_url(handle);
    (void)curl_easy_setopt(handle->easy, CURLOPT_URL, url);
    if (!may_spare)
        return;
    handle->parsed = curl_url();
    handle->url = strdup(url);
    if (handle->parsed && handle->url &&
        curl_url_set(handle->parsed, CURLUPART_URL, url, 0) == CURLUE_OK)
        (void)curl_easy_setopt(handle->easy, CURLOPT_CURLU, handle->parsed);
    else
        handle_forget_url(handle);
}
