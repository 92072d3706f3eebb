/* SPDX-License-Identifier: Apache-2.0 */
/* A whole small cluster on a real etcd: ten hollow machines, a leader, and so many units that it
 * tells how long it wrote, each in its own process but for the units. What must hold at each step,
 * muster-hollow finds out itself. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "tests/integration/kv-etcd-server.h"
#include "tests/unit/harness.h"

enum { OUTPUT_MAX = 16384 };

static int start_etcd(void **state)
{
    static struct etcd_server server;
    etcd_server_start(&server);
    *state = &server;
    return 0;
}

static int end_etcd(void **state)
{
    etcd_server_done(*state);
    return 0;
}

/* Each machine needs a folder; they are below etcd's, and go with it. */
static char *play(const struct etcd_server *server)
{
    autofree char *command =
        text_format("mkdir %s/hollow && exec ./muster-hollow drive %s %s/hollow 10 600 10 2",
                    server->directory, server->client_url, server->directory);
    char *output = calloc(1, OUTPUT_MAX);
    assert_non_null(command);
    assert_non_null(output);
    FILE *pipe = popen(command, "re"); /* NOLINT(cert-env33-c) */
    assert_non_null(pipe);
    (void)fread(output, 1, OUTPUT_MAX - 1, pipe);
    assert_int_equal(pclose(pipe), 0);
    return output;
}

static bool has_figure(const char *output, const char *line)
{
    return strstr(output, line);
}

static void every_unit_runs_once_and_a_cluster_at_rest_writes_nothing(void **state)
{
    autofree char *output = play(*state);
    /* Of all that was told, the steps that come last; nothing is told after what is not right. */
    assert_true(has_figure(output, "hollow.commit.ratio "));
    assert_true(has_figure(output, "hollow.commit.heard_ratio "));
    assert_true(has_figure(output, "hollow.submit.running "));
    assert_true(has_figure(output, "hollow.idle.store_writes 0.000 writes\n"));
    assert_true(has_figure(output, "hollow.lose.running "));
    assert_true(has_figure(output, "hollow.leader_rss "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_unit_runs_once_and_a_cluster_at_rest_writes_nothing,
                                        start_etcd, end_etcd),
    };
    return cmocka_run_group_tests_name("hollow", tests, NULL, NULL);
}
