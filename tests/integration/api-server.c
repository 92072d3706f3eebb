/* SPDX-License-Identifier: Apache-2.0 */
/* The API alone, over a real etcd: what musterctl is driven against in api.sh.
 * Usage: api-server ETCD_URL SOCKET. Says "ready" on stdout once it listens; ends on SIGTERM. */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "api/api.h"
#include "base/loop.h"
#include "kvclient/kv_etcd.h"
#include "scheduler/records.h"

static void on_signal(struct loop_signal *watcher, void *userdata)
{
    (void)watcher;
    loop_stop(userdata);
}

static int serve(struct loop *loop, char *etcd, const char *socket, struct error *err)
{
    char *endpoints[] = { etcd, NULL };
    const struct kv_etcd_config etcd_config = { .endpoints = endpoints };
    autoptr(kv) kv = NULL;
    autoptr(api) api = NULL;
    autoptr(loop_signal) watcher = NULL;
    int r = kv_etcd_new(loop, &etcd_config, &kv, err);
    if (r < 0)
        return r;
    const struct api_config config = {
        .kv = kv,
        .prefix = STORE_PREFIX_DEFAULT,
        .machine_id = "00000000000000000000000000000001",
        .socket_path = socket,
        .version = PACKAGE_VERSION,
    };
    r = api_new(loop, &config, &api, err);
    if (r < 0)
        return r;
    r = loop_signal_new(loop, SIGTERM, on_signal, loop, &watcher, err);
    if (r < 0)
        return r;
    (void)puts("ready");
    (void)fflush(stdout);
    loop_run(loop);
    return 0;
}

int main(int argc, char **argv)
{
    struct error err;
    autoptr(loop) loop = NULL;
    if (argc != 3) {
        (void)fprintf(stderr, "usage: api-server ETCD_URL SOCKET\n");
        return 2;
    }
    if (loop_new(&loop, &err) == 0 && serve(loop, argv[1], argv[2], &err) == 0)
        return 0;
    (void)fprintf(stderr, "api-server: %s\n", err.text);
    return 1;
}
