/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/integration/kv-etcd-fixture.h"

#include <errno.h>

#include "base/clock.h"

static void set_flag(struct loop_timer *timer, void *userdata)
{
    (void)timer;
    *(int *)userdata = 1;
}

bool etcd_fixture_run_until(struct etcd_fixture *fixture, const int *done, int64_t ms)
{
    autoptr(loop_timer) timer = NULL;
    int late = 0;
    assert_int_equal(loop_timer_new(fixture->loop, "test", set_flag, &late, &timer, NULL), 0);
    loop_timer_set(timer, ms);
    while (!*done && !late)
        loop_run_once(fixture->loop, true);
    return *done;
}

static void wait_etcd(struct contract *contract, const int *done)
{
    if (!etcd_fixture_run_until(contract->userdata, done, FIXTURE_WAIT_MS))
        fail_msg("nothing came for %d ms", FIXTURE_WAIT_MS);
}

static void pass_etcd(struct contract *contract, int64_t ms)
{
    static const int never = 0;
    (void)etcd_fixture_run_until(contract->userdata, &never, ms);
}

void etcd_fixture_init(struct etcd_fixture *fixture)
{
    fixture->contract =
        (struct contract){ .wait = wait_etcd, .pass_ms = pass_etcd, .userdata = fixture };
    assert_int_equal(loop_new(&fixture->loop, NULL), 0);
}

void etcd_fixture_done(struct etcd_fixture *fixture)
{
    kv_free(fixture->contract.kv);
    loop_free(fixture->loop);
    etcd_server_done(&fixture->server);
}

struct kv_etcd_config etcd_fixture_config(char *const *endpoints)
{
    return (struct kv_etcd_config){
        .endpoints = endpoints, .request_timeout_ms = 500, .attempts = 2, .max_backoff_ms = 300
    };
}

/* The first answer says that etcd is up. */
void etcd_fixture_wait_up(struct contract *contract)
{
    int64_t until_ms = clock_mono_ms() + FIXTURE_WAIT_MS;
    struct contract_answer answer = { .code = -EAGAIN };
    while (answer.code < 0 && clock_mono_ms() < until_ms)
        answer = contract_range(contract, "", true);
    if (answer.code < 0)
        fail_msg("the store does not come up: %s", answer.reason);
}
