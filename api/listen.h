/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets to listen on: non-blocking, closed on exec, listening. */
#ifndef API_LISTEN_H
#define API_LISTEN_H

#include "base/error.h"

/* A socket that root and, if there is one, the group muster may use (0660). One left behind by a
 * process that is gone is replaced; -EADDRINUSE if somebody answers on it. */
int listen_unix(const char *path, int *ret_fd, struct error *err);

/* "127.0.0.1:PORT" or "[::1]:PORT". -EINVAL for any address but a loopback one: there is no
 * authentication on TCP. */
int listen_loopback(const char *address, int *ret_fd, struct error *err);

#endif
