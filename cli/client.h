/* SPDX-License-Identifier: Apache-2.0 */
/* One musterd, asked over HTTP, one request at a time: the command line may block. */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"

#define CLIENT_ENDPOINT_DEFAULT "unix:///run/muster/muster.sock"

struct client;

/* endpoint: "unix:///PATH", "http://HOST:PORT". -EINVAL: neither. Nothing is connected yet. */
int client_new(const char *endpoint, struct client **ret, struct error *err);
void client_free(struct client *client);
DEFINE_AUTOPTR(client);

/* Sends body (borrowed; NULL for none). *ret: the answer's JSON, NULL if it is empty; owned by the
 * caller. The server's own error line comes as it is, with -EINVAL (400), -ENOENT (404), -EEXIST
 * (409), -EAGAIN (503) or -EPROTO. No server: -ECONNREFUSED, -ENOENT or -EACCES become -EHOSTDOWN
 * with what to do about it. */
int client_call(struct client *client, const char *method, const char *path, const json_t *body,
                json_t **ret, struct error *err);

/* Reads lines of JSON until on_line returns false, the server ends the stream, or deadline_ms have
 * passed (-ETIMEDOUT; 0: none). on_line may move the deadline by client_set_deadline(). */
typedef bool (*client_line_fn)(struct client *client, const json_t *line, void *userdata);
int client_stream(struct client *client, const char *path, int64_t deadline_ms,
                  client_line_fn on_line, void *userdata, struct error *err);
/* From now; 0: none. */
void client_set_deadline(struct client *client, int64_t deadline_ms);

#endif
