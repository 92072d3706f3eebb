/* SPDX-License-Identifier: Apache-2.0 */
/* What of a TCP socket is asked or set by more than one call of the system. */
#ifndef BASE_SOCKET_H
#define BASE_SOCKET_H

#include <stdbool.h>

/* Its own port; -1 if it has none. */
int socket_local_port(int fd);

/* Takes bytes for sending before it is full, or as many as Linux gives to everybody. */
void socket_make_room(int fd, int bytes);

/* A peer that does not answer breaks the connection: after 5 s in which nothing came back, whether
 * something was sent or not. */
void socket_probe(int fd);

/* Whether errnum, why none could be made, says that this side has not what it takes: descriptors or
 * memory. */
bool socket_is_want(int errnum);

/* It takes something now, and the peer has not hung up. */
bool socket_is_clear(int fd);

#endif
