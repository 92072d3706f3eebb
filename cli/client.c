/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/client.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/json.h"
#include "base/loop.h"
#include "base/loop_http.h"
#include "base/text.h"

enum { CALL_TIMEOUT_MS = 30000 };

struct client {
    char *endpoint;
    char *socket; /* path, or NULL */
    char *base;   /* URL that paths are added to */
    struct loop *loop;
    struct http *http;
    struct loop_timer *deadline;

    /* The request under way. */
    struct http_call *call; /* borrowed */
    bool done;
    bool late;
    int code;
    long status;
    struct text answer; /* whole, or the line that is not complete yet */
    char reason[ERROR_TEXT_MAX];
    client_line_fn on_line;
    void *userdata;
};

static void on_deadline(struct loop_timer *timer, void *userdata)
{
    struct client *client = userdata;
    (void)timer;
    client->late = true;
    client->done = true;
}

/* HOST, HOST:PORT or [ADDRESS]:PORT, before any path. libcurl says no more than "malformed". */
static int check_authority(const char *endpoint, struct error *err)
{
    const char *host = strstr(endpoint, "://") + strlen("://");
    autofree char *authority = strndup(host, strcspn(host, "/"));
    uint64_t port = 0;
    if (!authority)
        return error_oom(err);
    const char *bracket = strrchr(authority, ']');
    const char *colon = strchr(bracket ? bracket : authority, ':');
    if (!*authority || colon == authority)
        return error_set(err, -EINVAL, "endpoint \"%s\" names no host; want http://HOST:PORT",
                         endpoint);
    if (colon && (text_parse_u64(colon + 1, UINT16_MAX, &port, NULL) < 0 || port == 0))
        return error_set(err, -EINVAL, "endpoint \"%s\": port \"%s\" is not a number from 1 to %d",
                         endpoint, colon + 1, UINT16_MAX);
    return 0;
}

static int parse_endpoint(struct client *client, const char *endpoint, struct error *err)
{
    client->endpoint = strdup(endpoint);
    if (text_starts_with(endpoint, "unix:///")) {
        client->socket = strdup(endpoint + strlen("unix://"));
        client->base = strdup("http://musterd");
    } else if (text_starts_with(endpoint, "http://") || text_starts_with(endpoint, "https://")) {
        client->base = strdup(endpoint);
        size_t length = client->base ? strlen(client->base) : 0;
        if (length && client->base[length - 1] == '/')
            client->base[length - 1] = '\0';
        int r = check_authority(endpoint, err);
        if (r < 0)
            return r;
    } else {
        return error_set(err, -EINVAL,
                         "endpoint \"%s\" is neither unix:///PATH nor http://HOST:PORT", endpoint);
    }
    return client->endpoint && client->base ? 0 : error_oom(err);
}

int client_new(const char *endpoint, struct client **ret, struct error *err)
{
    autoptr(client) client = calloc(1, sizeof(*client));
    if (!client)
        return error_oom(err);
    int r = parse_endpoint(client, endpoint, err);
    if (r == 0)
        r = loop_new(&client->loop, err);
    if (r == 0)
        r = http_new(client->loop, &client->http, err);
    if (r == 0)
        r = loop_timer_new(client->loop, "deadline", on_deadline, client, &client->deadline, err);
    if (r < 0)
        return r;
    *ret = take_ptr(client);
    return 0;
}

void client_free(struct client *client)
{
    if (!client)
        return;
    http_free(client->http);
    loop_timer_free(client->deadline);
    loop_free(client->loop);
    text_done(&client->answer);
    free(client->endpoint);
    free(client->socket);
    free(client->base);
    free(client);
}

/* --- what went wrong --- */

static int no_socket(const struct client *client, int code, struct error *err)
{
    const char *path = client->socket;
    struct stat st;
    bool hidden = stat(path, &st) < 0 && errno == EACCES;
    if (code == -EACCES || hidden || (access(path, F_OK) == 0 && access(path, R_OK | W_OK) < 0))
        return error_set(err, -EHOSTDOWN,
                         "%s: no permission; you must be root or in the group muster", path);
    return error_set(err, -EHOSTDOWN,
                     "%s: musterd is not running here (systemctl start musterd), or name another "
                     "machine with --endpoint",
                     path);
}

static int no_answer(const struct client *client, struct error *err)
{
    bool never_connected = client->code == -ECONNREFUSED || client->code == -ENOENT ||
                           client->code == -EACCES || client->code == -EKEYREJECTED ||
                           client->code == -ENOKEY;
    if (never_connected && client->socket)
        return no_socket(client, client->code, err);
    if (never_connected)
        return error_set(err, -EHOSTDOWN, "%s: nobody answers there: %s", client->endpoint,
                         client->reason);
    return error_set(err, client->code, "%s: %s", client->endpoint, client->reason);
}

static int code_of_status(long status)
{
    switch (status) {
    case 400:
        return -EINVAL;
    case 404:
        return -ENOENT;
    case 409:
        return -EEXIST;
    case 503:
        return -EAGAIN;
    default:
        return -EPROTO;
    }
}

/* The server's own sentence where there is one. */
static int refused(const struct client *client, struct error *err)
{
    autojson body = NULL;
    json_t *error = NULL;
    const char *message = NULL;
    const char *text = client->answer.data ? client->answer.data : "";
    if (json_read(text, client->answer.length, &body, NULL) == 0 &&
        json_field_object_or_null(body, "error", &error, NULL) == 0 && error &&
        json_field_string(error, "message", &message, NULL) == 0)
        return error_set(err, code_of_status(client->status), "%s", message);
    return error_set(err, -EPROTO, "%s answers HTTP %ld; is that a musterd?", client->endpoint,
                     client->status);
}

/* --- requests --- */

static void on_done(struct http_call *call, const struct http_result *result, void *userdata)
{
    struct client *client = userdata;
    (void)call;
    client->call = NULL;
    client->done = true;
    client->code = result->code;
    client->status = result->status;
    (void)snprintf(client->reason, sizeof(client->reason), "%s", result->reason);
    if (result->body_length)
        text_add_bytes(&client->answer, result->body, result->body_length);
}

/* Starts a request and turns the loop until it has ended or its deadline has passed. */
static int perform(struct client *client, const struct http_request *plain, const char *path,
                   http_data_fn on_data, struct error *err)
{
    autofree char *url = text_format("%s%s", client->base, path);
    struct http_request request = *plain;
    if (!url)
        return error_oom(err);
    request.url = url;
    request.unix_socket = client->socket;
    text_done(&client->answer);
    client->done = client->late = false;
    int r = http_start(client->http, &request, on_data, on_done, client, &client->call, err);
    if (r < 0)
        return r;
    while (!client->done)
        loop_run_once(client->loop, true);
    loop_timer_cancel(client->deadline);
    http_cancel(take_ptr(client->call));
    return 0;
}

int client_call(struct client *client, const char *method, const char *path, const json_t *body,
                json_t **ret, struct error *err)
{
    autofree char *text = NULL;
    static char json_type[] = "Content-Type: application/json";
    static char *headers[] = { json_type, NULL };
    int r = body ? json_write(body, &text, err) : 0;
    if (r < 0)
        return r;
    const struct http_request request = {
        .method = method,
        .headers = headers,
        .body = text,
        .body_length = text ? strlen(text) : 0,
        .timeout_ms = CALL_TIMEOUT_MS,
    };
    r = perform(client, &request, path, NULL, err);
    if (r < 0)
        return r;
    if (client->code < 0)
        return no_answer(client, err);
    if (client->status < 200 || client->status > 299)
        return refused(client, err);
    *ret = NULL;
    if (client->answer.length == 0)
        return 0;
    r = json_read(client->answer.data, client->answer.length, ret, err);
    return r < 0 ? error_prefix(err, r, "answer of %s", client->endpoint) : 0;
}

/* Hands over a whole line; false: enough. */
static bool take_line(struct client *client, const char *line, size_t length)
{
    autojson json = NULL;
    if (length == 0) /* only to see whether we are still here */
        return true;
    if (json_read(line, length, &json, NULL) < 0)
        return true;
    return client->on_line(client, json, client->userdata);
}

static void on_data(struct http_call *call, const char *bytes, size_t length, void *userdata)
{
    struct client *client = userdata;
    (void)call;
    text_add_bytes(&client->answer, bytes, length);
    const char *start = client->answer.data;
    const char *newline = NULL;
    while (!client->done && start && (newline = strchr(start, '\n'))) {
        client->done = !take_line(client, start, (size_t)(newline - start));
        start = newline + 1;
    }
    if (!start || start == client->answer.data)
        return;
    struct text rest = { 0 };
    text_add(&rest, start);
    text_done(&client->answer);
    client->answer = rest;
}

void client_set_deadline(struct client *client, int64_t deadline_ms)
{
    if (deadline_ms > 0)
        loop_timer_set(client->deadline, deadline_ms);
    else
        loop_timer_cancel(client->deadline);
}

int client_stream(struct client *client, const char *path, int64_t deadline_ms,
                  client_line_fn on_line, void *userdata, struct error *err)
{
    const struct http_request request = { .method = "GET" };
    client->on_line = on_line;
    client->userdata = userdata;
    client->code = 0;
    client->status = 200;
    client_set_deadline(client, deadline_ms);
    int r = perform(client, &request, path, on_data, err);
    if (r < 0)
        return r;
    if (client->late)
        return error_set(err, -ETIMEDOUT, "timed out");
    if (client->code < 0)
        return no_answer(client, err);
    return client->status == 200 ? 0 : refused(client, err);
}
