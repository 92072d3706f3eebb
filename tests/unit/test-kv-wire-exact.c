/* SPDX-License-Identifier: Apache-2.0 */
#include "kvclient/kv_wire_exact.h"

#include <string.h>

#include "kvclient/kv_wire_internal.h"
#include "tests/unit/harness.h"

#define HEADER "{" INNER
#define INNER                                                                                     \
    "\"header\":{\"cluster_id\":\"14841639068965178418\",\"member_id\":\"10276657743932975437\"," \
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
        assert_true(kv_wire_exact_puts(bodies[i], strlen(bodies[i]), &puts));
        assert_int_equal(kv_wire_tree_txn(bodies[i], strlen(bodies[i]), &txn, NULL), 0);
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
        assert_false(kv_wire_exact_puts(others[i], strlen(others[i]), &txn));
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
        assert_false(kv_wire_exact_puts(cut, length, &txn));
        free(cut);
    }
}

#define PAIR                                                                                \
    "{\"key\":\"YWE=\",\"create_revision\":\"2\",\"mod_revision\":\"3\",\"version\":\"2\"," \
    "\"value\":"                                                                            \
    "\"djEA\",\"lease\":\"77\"}"
#define BARE_PAIR "{\"key\":\"YWI=\",\"mod_revision\":\"4\"}"
#define RANGE     HEADER "\"kvs\":[" PAIR "," BARE_PAIR "," PAIR "],\"more\":true,\"count\":\"9\"}"
#define EVENTS                                                                                    \
    "{\"result\":{" INNER "\"fragment\":true,\"events\":[{\"kv\":" PAIR "},{\"type\":\"DELETE\"," \
    "\"kv\":" BARE_PAIR "}]}}"

static void assert_same_pair(const struct kv_pair *one, const struct kv_pair *other)
{
    assert_string_equal(one->key, other->key);
    assert_int_equal(one->value_length, other->value_length);
    assert_memory_equal(one->value, other->value, one->value_length + 1);
    assert_true(one->create_revision == other->create_revision);
    assert_true(one->mod_revision == other->mod_revision);
    assert_true(one->version == other->version);
    assert_true(one->lease == other->lease);
}

static void both_readers_make_the_same_of_a_page(void **state)
{
    static const char *const bodies[] = {
        RANGE,
        HEADER "\"kvs\":[" BARE_PAIR "],\"count\":\"1\"}",
        HEADER "\"kvs\":[" PAIR "]}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        struct kv_wire_range exact = { 0 };
        struct kv_wire_range range = { 0 };
        assert_true(kv_wire_exact_range(bodies[i], strlen(bodies[i]), &exact));
        assert_int_equal(kv_wire_tree_range(bodies[i], strlen(bodies[i]), &range, NULL), 0);
        assert_true(exact.header.cluster_id == range.header.cluster_id);
        assert_true(exact.header.revision == range.header.revision);
        assert_int_equal(exact.more, range.more);
        assert_true(exact.count == range.count);
        assert_int_equal(exact.pair_count, range.pair_count);
        for (size_t n = 0; n < range.pair_count; n++)
            assert_same_pair(&exact.pairs[n], &range.pairs[n]);
        kv_wire_range_done(&exact);
        kv_wire_range_done(&range);
    }
}

static void both_readers_make_the_same_of_events(void **state)
{
    static const char *const lines[] = {
        EVENTS,
        "{\"result\":{" INNER "\"events\":[{\"kv\":" BARE_PAIR "}]}}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct kv_wire_watch exact = { 0 };
        struct kv_wire_watch watch = { 0 };
        assert_true(kv_wire_exact_events(lines[i], strlen(lines[i]), &exact));
        assert_int_equal(kv_wire_tree_watch(lines[i], strlen(lines[i]), &watch, NULL), 0);
        assert_true(exact.header.cluster_id == watch.header.cluster_id);
        assert_true(exact.header.revision == watch.header.revision);
        assert_int_equal(exact.fragment, watch.fragment);
        assert_int_equal(exact.event_count, watch.event_count);
        for (size_t n = 0; n < watch.event_count; n++) {
            assert_int_equal(exact.events[n].deleted, watch.events[n].deleted);
            assert_same_pair(&exact.events[n].pair, &watch.events[n].pair);
        }
        kv_wire_watch_done(&exact);
        kv_wire_watch_done(&watch);
    }
}

static void other_pages_and_messages_are_left_to_the_other_readers(void **state)
{
    static const char *const others[] = {
        HEADER "}",
        HEADER "\"kvs\":[]}",
        HEADER "\"kvs\":[" PAIR ",]}",
        HEADER "\"kvs\":[{\"key\":\"YQ\"}]}",
        HEADER "\"kvs\":[{\"key\":\"YQA=\"}]}", /* a NUL in it */
        HEADER "\"kvs\":[{\"key\":\"\\u0059Q==\"}]}",
        HEADER "\"kvs\":[{\"mod_revision\":\"4\",\"key\":\"YQ==\"}]}",
        HEADER "\"kvs\":[{\"key\":\"YQ==\",\"lease\":\"-1\"}]}",
        RANGE "\n",
        "{\"result\":{" INNER "\"created\":true}}",
        "{\"result\":{" INNER "\"events\":[]}}",
        "{\"result\":{" INNER "\"events\":[{\"type\":\"PUT\",\"kv\":" PAIR "}]}}",
        "{\"result\":{" INNER "\"events\":[{\"kv\":" PAIR ",\"prev_kv\":" PAIR "}]}}",
        EVENTS ",",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        struct kv_wire_range range = { .count = 7 };
        struct kv_wire_watch watch = { .failure = 7 };
        assert_false(kv_wire_exact_range(others[i], strlen(others[i]), &range));
        assert_false(kv_wire_exact_events(others[i], strlen(others[i]), &watch));
        assert_int_equal(range.count, 7);
        assert_int_equal(watch.failure, 7);
    }
}

static void pages_and_messages_that_were_cut_short_are_not_taken(void **state)
{
    (void)state;
    for (size_t length = 0; length < sizeof(RANGE) - 1; length++) {
        struct kv_wire_range range = { 0 };
        autofree char *cut = strndup(RANGE, length);
        assert_non_null(cut);
        assert_false(kv_wire_exact_range(cut, length, &range));
    }
    for (size_t length = 0; length < sizeof(EVENTS) - 1; length++) {
        struct kv_wire_watch watch = { 0 };
        autofree char *cut = strndup(EVENTS, length);
        assert_non_null(cut);
        assert_false(kv_wire_exact_events(cut, length, &watch));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_readers_make_the_same_of_puts),
        cmocka_unit_test(anything_else_is_left_to_the_other_reader),
        cmocka_unit_test(an_answer_that_was_cut_short_is_not_taken),
        cmocka_unit_test(both_readers_make_the_same_of_a_page),
        cmocka_unit_test(both_readers_make_the_same_of_events),
        cmocka_unit_test(other_pages_and_messages_are_left_to_the_other_readers),
        cmocka_unit_test(pages_and_messages_that_were_cut_short_are_not_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
