/* SPDX-License-Identifier: Apache-2.0 */
/* An etcd of the test's own: on loopback, on ports that were free, with data that go with it. */
#ifndef TESTS_INTEGRATION_KV_ETCD_SERVER_H
#define TESTS_INTEGRATION_KV_ETCD_SERVER_H

#include <sys/types.h>

struct etcd_server {
    pid_t pid;
    const char *scheme;       /* of client_url; NULL: "http" */
    const char *const *extra; /* more of etcd's arguments; NULL: none */
    char directory[64];
    char client_url[64];
    char peer_url[64];
};

/* Each fails the test that runs if it cannot. */
void etcd_server_start(struct etcd_server *server);
void etcd_server_launch(struct etcd_server *server); /* again, after a kill, with the same data */
void etcd_server_signal(const struct etcd_server *server, int signo);
void etcd_server_kill(struct etcd_server *server); /* SIGKILL, and waits for its end */
void etcd_server_done(struct etcd_server *server); /* and removes its data */

#endif
