/* SPDX-License-Identifier: Apache-2.0 */
/* A loop, an etcd of the test's own and a connection to it, as the contract's tests want them. */
#ifndef TESTS_INTEGRATION_KV_ETCD_FIXTURE_H
#define TESTS_INTEGRATION_KV_ETCD_FIXTURE_H

#include "base/loop.h"
#include "kvclient/kv_etcd.h"
#include "tests/integration/kv-contract.h"
#include "tests/integration/kv-etcd-server.h"

enum { FIXTURE_WAIT_MS = 8000 };

struct etcd_fixture {
    struct contract contract; /* first: the contract's functions find the rest by it */
    struct etcd_server server;
    struct loop *loop;
};

/* Makes the loop and the contract's functions; the server and contract.kv are the test's to add. */
void etcd_fixture_init(struct etcd_fixture *fixture);
void etcd_fixture_done(struct etcd_fixture *fixture); /* all that is there */

/* The tests' configuration: short times. endpoints is borrowed. */
struct kv_etcd_config etcd_fixture_config(char *const *endpoints);

/* Runs the loop until *done, or ms have passed; says which. */
bool etcd_fixture_run_until(struct etcd_fixture *fixture, const int *done, int64_t ms);

/* Asks through this connection until the first answer comes. */
void etcd_fixture_wait_up(struct contract *contract);

#endif
