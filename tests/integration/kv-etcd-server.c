/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/integration/kv-etcd-server.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/harness.h"
#include "tests/unit/loopback.h"
#include "tests/unit/tree.h"

enum { ARGUMENTS_MAX = 64 };

static const char etcd_program[] = "/usr/bin/etcd";

static int free_port(void)
{
    int port = 0;
    (void)close(loopback_bind(&port));
    return port;
}

/* In the child. It dies with the test, however that ends. */
static void become_etcd(const struct etcd_server *server, pid_t parent)
{
    char cluster[sizeof(server->peer_url) + 16];
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    (void)snprintf(cluster, sizeof(cluster), "kv-test=%s", server->peer_url);
    char log[96];
    (void)snprintf(log, sizeof(log), "%s/log", server->directory);
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
        _exit(1);
    const char *arguments[ARGUMENTS_MAX] = { etcd_program,
                                             "--name",
                                             "kv-test",
                                             "--data-dir",
                                             server->directory,
                                             "--listen-client-urls",
                                             server->client_url,
                                             "--advertise-client-urls",
                                             server->client_url,
                                             "--listen-peer-urls",
                                             server->peer_url,
                                             "--initial-advertise-peer-urls",
                                             server->peer_url,
                                             "--initial-cluster",
                                             cluster,
                                             "--heartbeat-interval",
                                             "50",
                                             "--election-timeout",
                                             "500",
                                             "--initial-cluster-token",
                                             server->directory };
    size_t count = 0;
    while (arguments[count])
        count++;
    for (const char *const *extra = server->extra; extra && *extra; extra++)
        arguments[count++] = *extra;
    union {
        const char **borrowed;
        char **plain;
    } argv = { .borrowed = arguments };
    (void)execv(etcd_program, argv.plain);
    _exit(127);
}

void etcd_server_launch(struct etcd_server *server)
{
    pid_t parent = getpid();
    server->pid = fork();
    assert_true(server->pid >= 0);
    if (server->pid == 0)
        become_etcd(server, parent);
}

void etcd_server_start(struct etcd_server *server)
{
    if (access(etcd_program, X_OK) < 0)
        fail_msg("%s is not there: install etcd-server, these tests need the real one",
                 etcd_program);
    (void)strcpy(server->directory, "/tmp/muster-kv-etcd-XXXXXX");
    assert_non_null(mkdtemp(server->directory));
    (void)snprintf(server->client_url, sizeof(server->client_url), "%s://127.0.0.1:%d",
                   server->scheme ? server->scheme : "http", free_port());
    (void)snprintf(server->peer_url, sizeof(server->peer_url), "http://127.0.0.1:%d", free_port());
    etcd_server_launch(server);
}

void etcd_server_signal(const struct etcd_server *server, int signo)
{
    assert_int_equal(kill(server->pid, signo), 0);
    /* It may run on for a while on another processor. */
    if (signo == SIGSTOP)
        assert_int_equal(waitid(P_PID, (id_t)server->pid, &(siginfo_t){ 0 }, WSTOPPED), 0);
}

void etcd_server_kill(struct etcd_server *server)
{
    if (server->pid <= 0)
        return;
    (void)kill(server->pid, SIGKILL);
    (void)waitpid(server->pid, NULL, 0);
    server->pid = 0;
}

void etcd_server_done(struct etcd_server *server)
{
    etcd_server_kill(server);
    if (*server->directory)
        tree_forget(server->directory);
}
