/* SPDX-License-Identifier: Apache-2.0 */
/* What every store promises, as tests that run against any of them. */
#ifndef TESTS_INTEGRATION_KV_CONTRACT_H
#define TESTS_INTEGRATION_KV_CONTRACT_H

#include "kvclient/kv.h"
#include "tests/unit/harness.h"

/* The cmocka state of each test points to one. */
struct contract {
    struct kv *kv;
    /* Lets the store work until *done is not 0; fails the test if it takes too long. */
    void (*wait)(struct contract *contract, const int *done);
    /* Lets so much time pass for the leases, and the store notice it. */
    void (*pass_ms)(struct contract *contract, int64_t ms);
    void *userdata;
};

/* As cmocka_unit_test() entries. */
extern const struct CMUnitTest contract_tests[];
extern const size_t contract_test_count;

/* Requests that wait for their answer. Copies live until the next one. */
struct contract_answer {
    int done;
    int code;
    char reason[ERROR_TEXT_MAX];
    bool succeeded;
    int64_t revision;
    int64_t ttl_s;
    int64_t left_s;
    uint64_t id;
    int64_t count;
    size_t pair_count;
    struct kv_pair first;
    char key[64];
    char value[64];
};
struct contract_answer contract_txn(struct contract *contract, const struct kv_txn *txn);
struct contract_answer contract_op(struct contract *contract, struct kv_op op);
struct contract_answer contract_range(struct contract *contract, const char *key, bool prefix);
struct contract_answer contract_grant(struct contract *contract, int64_t id, int64_t ttl_s);
struct contract_answer contract_keep_alive(struct contract *contract, int64_t id);
struct contract_answer contract_revoke(struct contract *contract, int64_t id);

#endif
