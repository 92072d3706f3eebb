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

enum {
    OUTPUT_MAX = 16384,
    PATIENCE_S = 500, /* less than muster-hollow's own */
};

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

/* What was said until it ended so. Each machine needs a folder; they are in the one that is named,
 * below etcd's, and go with it. More may be named below that. */
static char *play(const struct etcd_server *server, const char *folder, int exit_status)
{
    autofree char *command =
        text_format("mkdir -p %s/%s && exec timeout --signal=KILL %d "
                    "./muster-hollow drive %s %s/hollow 10 600 20 2 2 2>&1",
                    server->directory, folder, PATIENCE_S, server->client_url, server->directory);
    char *output = calloc(1, OUTPUT_MAX);
    assert_non_null(command);
    assert_non_null(output);
    FILE *pipe = popen(command, "re"); /* NOLINT(cert-env33-c) */
    assert_non_null(pipe);
    (void)fread(output, 1, OUTPUT_MAX - 1, pipe);
    int status = pclose(pipe);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != exit_status)
        fail_msg("it ended with %d: %s", status, output);
    return output;
}

static bool has_figure(const char *output, const char *line)
{
    return strstr(output, line);
}

static void every_unit_runs_once_and_a_cluster_at_rest_writes_nothing(void **state)
{
    autofree char *output = play(*state, "hollow", 0);
    /* Of all that was told, the steps that come last; nothing is told after what is not right. */
    assert_true(has_figure(output, "hollow.commit.ratio "));
    assert_true(has_figure(output, "hollow.commit.heard_ratio "));
    assert_true(has_figure(output, "hollow.submit.running "));
    assert_true(has_figure(output, "hollow.idle.store_writes 0.000 writes\n"));
    assert_true(has_figure(output, "hollow.lose.running "));
    assert_true(has_figure(output, "hollow.leader_rss "));
}

/* With a folder where its log should be, one ends as soon as it has begun. */
static void a_process_that_ends_by_itself_ends_all_at_once(void **state)
{
    autofree char *output = play(*state, "hollow/log.hear", 1);
    assert_non_null(strstr(output, "(hear) has ended by itself; "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_unit_runs_once_and_a_cluster_at_rest_writes_nothing,
                                        start_etcd, end_etcd),
        cmocka_unit_test_setup_teardown(a_process_that_ends_by_itself_ends_all_at_once, start_etcd,
                                        end_etcd),
    };
    return cmocka_run_group_tests_name("hollow", tests, NULL, NULL);
}
