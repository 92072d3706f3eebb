/* SPDX-License-Identifier: Apache-2.0 */
#include "kvclient/kv_wire_puts.h"

#include <string.h>

#include "tests/unit/harness.h"

#define HEADER                                                                                     \
    "{\"header\":{\"cluster_id\":\"14841639068965178418\",\"member_id\":\"10276657743932975437\"," \
    "\"revision\":\"9223372036854775807\",\"raft_term\":\"2\"},"
#define PUT      "{\"response_put\":{\"header\":{\"revision\":\"12\"}}}"
#define TWO_PUTS HEADER "\"succeeded\":true,\"responses\":[" PUT "," PUT "]}"

static void both_readers_make_the_same_of_puts(void **state)
{
    static const char *const bodies[] = {
        TWO_PUTS, HEADER "\"succeeded\":true,\"responses\":[" PUT "]}",
        HEADER "\"responses\":[" PUT "]}", /* of the failure branch */
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        struct kv_wire_txn puts = { 0 };
        struct kv_wire_txn txn = { 0 };
        assert_true(kv_wire_read_puts(bodies[i], strlen(bodies[i]), &puts));
        assert_int_equal(kv_wire_read_txn(bodies[i], strlen(bodies[i]), &txn, NULL), 0);
        assert_true(puts.header.cluster_id == 14841639068965178418U);
        assert_true(puts.header.cluster_id == txn.header.cluster_id);
        assert_true(puts.header.revision == INT64_MAX);
        assert_true(puts.header.revision == txn.header.revision);
        assert_int_equal(puts.succeeded, txn.succeeded);
        assert_int_equal(puts.result_count, txn.result_count);
        for (size_t n = 0; n < puts.result_count; n++)
            assert_memory_equal(&puts.results[n], &txn.results[n], sizeof(*puts.results));
        kv_wire_txn_done(&puts);
        kv_wire_txn_done(&txn);
    }
}

static void anything_else_is_left_to_the_other_reader(void **state)
{
    static const char *const others[] = {
        "",
        "{}",
        HEADER "\"succeeded\":true}",
        HEADER "\"succeeded\":true,\"responses\":[]}",
        HEADER "\"succeeded\":false,\"responses\":[" PUT "]}",
        HEADER "\"succeeded\":true,\"responses\":[" PUT ",]}",
        HEADER "\"succeeded\":true,\"responses\":[" PUT PUT "]}",
        HEADER "\"succeeded\":true, \"responses\":[" PUT "]}",
        HEADER
        "\"succeeded\":true,\"responses\":[" PUT
        ",{\"response_delete_range\":{\"header\":{\"revision\":\"12\"},\"deleted\":\"1\"}}]}",
        TWO_PUTS "\n",
        "{\"header\":{\"cluster_id\":\"18446744073709551616\",\"member_id\":\"1\",\"revision\":"
        "\"1\",\"raft_term\":\"2\"},\"responses\":[" PUT "]}",
        "{\"header\":{\"cluster_id\":\"1\",\"member_id\":\"1\",\"revision\":"
        "\"9223372036854775808\",\"raft_term\":\"2\"},\"responses\":[" PUT "]}",
        "{\"header\":{\"cluster_id\":\"1\",\"member_id\":\"1\",\"revision\":"
        "\"01\",\"raft_term\":\"2\"},\"responses\":[" PUT "]}",
        "{\"header\":{\"cluster_id\":\"1\",\"member_id\":\"1\",\"revision\":"
        "\"\",\"raft_term\":\"2\"},\"responses\":[" PUT "]}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        struct kv_wire_txn txn = { .result_count = 7 };
        assert_false(kv_wire_read_puts(others[i], strlen(others[i]), &txn));
        assert_int_equal(txn.result_count, 7);
    }
}

static void an_answer_that_was_cut_short_is_not_taken(void **state)
{
    (void)state;
    for (size_t length = 0; length < sizeof(TWO_PUTS) - 1; length++) {
        struct kv_wire_txn txn = { 0 };
        char *cut = strndup(TWO_PUTS, length); /* so that a read beyond it is noticed */
        assert_non_null(cut);
        assert_false(kv_wire_read_puts(cut, length, &txn));
        free(cut);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_readers_make_the_same_of_puts),
        cmocka_unit_test(anything_else_is_left_to_the_other_reader),
        cmocka_unit_test(an_answer_that_was_cut_short_is_not_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
