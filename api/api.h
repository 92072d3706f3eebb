/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP API of musterd: fleet's v1 under /fleet/v1 and muster's own under /v1, over a unix
 * socket (and, for tests, a loopback address).
 *
 * It answers from the store, never from the daemon's own beliefs: each answer is one linearizable
 * read, each change one guarded transaction of all that belongs together. It runs in the loop and
 * never blocks: a connection is suspended while the store is asked.
 */
#ifndef API_API_H
#define API_API_H

#include <jansson.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/loop.h"
#include "kvclient/kv.h"

struct api;

struct api_config {
    struct kv *kv;           /* borrowed; must outlive the api */
    const char *prefix;      /* of the store, ends in '/' */
    const char *machine_id;  /* this machine's */
    const char *socket_path; /* mode 0660, group muster if there is one; NULL: no socket */
    const char *listen;      /* "127.0.0.1:PORT" for tests, PORT 0 picks one; NULL: none */
    const char *version;
    /* What the daemon says of itself in /v1/status: a new object, or NULL. May be NULL. */
    json_t *(*daemon_status)(void *userdata);
    void *userdata; /* for daemon_status */
};

/* Copies the strings; listens from now on. -EADDRINUSE: another musterd answers on the socket (a
 * stale one is replaced). -EINVAL: the address is not a loopback one. */
int api_new(struct loop *loop, const struct api_config *config, struct api **ret,
            struct error *err);
/* Requests that wait end with 503; the socket is removed. */
void api_free(struct api *api);
DEFINE_AUTOPTR(api);

#endif
