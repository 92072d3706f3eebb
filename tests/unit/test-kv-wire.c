/* SPDX-License-Identifier: Apache-2.0 */
#include "kvclient/kv_wire.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "tests/unit/harness.h"
#include "tests/unit/kv-wire-bytes.h"

static void assert_bytes(struct kv_wire_bytes *bytes, const uint8_t *expected, size_t length)
{
    assert_int_equal(bytes->length, length);
    assert_non_null(bytes->data);
    if (length)
        assert_memory_equal(bytes->data, expected, length);
    kv_wire_bytes_done(bytes);
    assert_null(bytes->data);
}

/* --- requests --- */

static void pages_are_asked_for_from_behind_the_last_key(void **state)
{
    struct kv_wire_bytes bytes = { 0 };
    struct kv_wire_page one = { .key = "k" };
    struct kv_wire_page first = { .key = "a", .prefix = true, .limit = 1000 };
    struct kv_wire_page second = { .key = "a", .prefix = true, .after = "a/1", .revision = 7 };
    (void)state;
    assert_int_equal(kv_wire_write_range(&one, &bytes, NULL), 0);
    assert_bytes(&bytes, BYTES("\x0a\x01k"));
    assert_int_equal(kv_wire_write_range(&first, &bytes, NULL), 0);
    assert_bytes(&bytes, BYTES("\x0a\x01"
                               "a\x12\x01"
                               "b\x18\xe8\x07"));
    assert_int_equal(kv_wire_write_range(&second, &bytes, NULL), 0);
    assert_bytes(&bytes, BYTES("\x0a\x04"
                               "a/1\0\x12\x01"
                               "b\x20\x07"));
}

static void a_prefix_ends_before_the_next_that_is_none(void **state)
{
    struct kv_wire_bytes bytes = { 0 };
    struct kv_wire_page all = { .key = "", .prefix = true };
    struct kv_wire_page last = { .key = "\xff\xff", .prefix = true };
    struct kv_wire_page carry = { .key = "a\xff", .prefix = true };
    (void)state;
    assert_int_equal(kv_wire_write_range(&all, &bytes, NULL), 0);
    assert_bytes(&bytes, BYTES("\x0a\x01\0\x12\x01\0"));
    assert_int_equal(kv_wire_write_range(&last, &bytes, NULL), 0);
    assert_bytes(&bytes, BYTES("\x0a\x02\xff\xff\x12\x01\0"));
    assert_int_equal(kv_wire_write_range(&carry, &bytes, NULL), 0);
    assert_bytes(&bytes, BYTES("\x0a\x02"
                               "a\xff\x12\x01"
                               "b"));
}

static void compares_have_the_operand_of_their_target(void **state)
{
    const struct kv_compare compares[] = {
        kv_if_exists("k"),
        kv_if_absent("k"),
        kv_if_mod("k", 5),
        kv_if_create("k", 300),
        kv_if_lease("k", 9),
        kv_if_value("k", "v"),
        {.target = KV_TARGET_VERSION, .relation = KV_LESS,      .key = "k", .number = 6},
        { .target = KV_TARGET_VALUE,  .relation = KV_NOT_EQUAL, .key = "k", .value = ""},
    };
    static const char expected[] = "\x0a\x07\x08\x01\x1a\x01k\x20\x00"
                                   "\x0a\x05\x1a\x01k\x20\x00"
                                   "\x0a\x07\x10\x02\x1a\x01k\x30\x05"
                                   "\x0a\x08\x10\x01\x1a\x01k\x28\xac\x02"
                                   "\x0a\x07\x10\x04\x1a\x01k\x40\x09"
                                   "\x0a\x08\x10\x03\x1a\x01k\x3a\x01v"
                                   "\x0a\x07\x08\x02\x1a\x01k\x20\x06"
                                   "\x0a\x09\x08\x03\x10\x03\x1a\x01k\x3a\x00";
    struct kv_txn txn = { .compares = compares,
                          .compare_count = sizeof(compares) / sizeof(compares[0]) };
    struct kv_wire_bytes bytes = { 0 };
    (void)state;
    assert_int_equal(kv_wire_write_txn(&txn, &bytes, NULL), 0);
    assert_bytes(&bytes, BYTES(expected));
}

static void operations_are_in_their_branch(void **state)
{
    const struct kv_op success[] = {
        kv_op_put_leased("k", "v", 9),
        {.kind = KV_OP_PUT, .key = "k", .value = "", .lease = 9, .keep_lease = true},
        kv_op_put_bytes("k", "a\0b", 3),
    };
    const struct kv_op failure[] = {
        {.kind = KV_OP_DELETE, .key = "\xff", .prefix = true  },
        kv_op_delete("k"),
        { .kind = KV_OP_RANGE, .key = "k",    .prefix = true,   .keys_only = true },
        { .kind = KV_OP_RANGE,                   .key = "k",             .count_only = true},
    };
    static const char expected[] = "\x12\x0a\x12\x08\x0a\x01k\x12\x01v\x18\x09"
                                   "\x12\x07\x12\x05\x0a\x01k\x30\x01"
                                   "\x12\x0a\x12\x08\x0a\x01k\x12\x03"
                                   "a\0b"
                                   "\x1a\x08\x1a\x06\x0a\x01\xff\x12\x01\0"
                                   "\x1a\x05\x1a\x03\x0a\x01k"
                                   "\x1a\x0a\x0a\x08\x0a\x01k\x12\x01l\x40\x01"
                                   "\x1a\x07\x0a\x05\x0a\x01k\x48\x01";
    struct kv_txn txn = {
        .success = success, .success_count = 3, .failure = failure, .failure_count = 4
    };
    struct kv_wire_bytes bytes = { 0 };
    (void)state;
    assert_int_equal(kv_wire_write_txn(&txn, &bytes, NULL), 0);
    assert_bytes(&bytes, BYTES(expected));
    assert_false(kv_wire_txn_is_read(&txn));
    txn = (struct kv_txn){ .success = &failure[2], .success_count = 2 };
    assert_true(kv_wire_txn_is_read(&txn));
}

static void small_requests_are_a_few_bytes(void **state)
{
    struct kv_wire_bytes bytes = { 0 };
    (void)state;
    assert_int_equal(kv_wire_write_lease_grant(300, 10, &bytes, NULL), 0);
    assert_bytes(&bytes, BYTES("\x08\x0a\x10\xac\x02"));
    assert_int_equal(kv_wire_write_lease_id(INT64_MAX, &bytes, NULL), 0);
    assert_bytes(&bytes, BYTES("\x08\xff\xff\xff\xff\xff\xff\xff\xff\x7f"));
    assert_int_equal(kv_wire_write_compact(145, &bytes, NULL), 0);
    assert_bytes(&bytes, BYTES("\x08\x91\x01"));
    assert_int_equal(kv_wire_write_nothing(&bytes, NULL), 0);
    assert_bytes(&bytes, BYTES(""));
    assert_int_equal(kv_wire_write_watch("", true, 3, &bytes, NULL), 0);
    assert_bytes(&bytes, BYTES("\x0a\x0c\x0a\x01\0\x12\x01\0\x18\x03\x20\x01\x40\x01"));
}

static void a_login_is_utf8_and_keeps_its_secret(void **state)
{
    struct kv_wire_bytes bytes = { 0 };
    struct error err = { 0 };
    (void)state;
    assert_int_equal(kv_wire_write_login("u\"", "p\xc3\xa9", &bytes, NULL), 0);
    assert_bytes(&bytes, BYTES("\x0a\x02u\"\x12\x03p\xc3\xa9"));
    assert_int_equal(kv_wire_write_login("u", "hunter2\xff", &bytes, &err), -EINVAL);
    assert_null(strstr(err.text, "hunter2"));
    assert_null(bytes.data);
}

/* --- answers --- */

static void a_page_has_its_pairs(void **state)
{
    static const char answer[] =
        HEADER "\x12\x0e" PAIR_K "\x12\x09" PAIR_L "\x18\x01\x20\x05"; /* more, of 5 */
    struct kv_wire_range range = { 0 };
    (void)state;
    assert_int_equal(kv_wire_read_range(BYTES(answer), &range, NULL), 0);
    assert_int_equal(range.header.cluster_id, 300);
    assert_int_equal(range.header.revision, 9);
    assert_true(range.more);
    assert_int_equal(range.count, 5);
    assert_int_equal(range.pair_count, 2);
    const struct kv_pair *k = &range.pairs[0];
    assert_string_equal(k->key, "k");
    assert_string_equal(k->value, "v");
    assert_int_equal(k->value_length, 1);
    assert_int_equal(k->create_revision, 2);
    assert_int_equal(k->mod_revision, 4);
    assert_int_equal(k->version, 2);
    assert_int_equal(k->lease, 77);
    assert_string_equal(range.pairs[1].value, ""); /* an empty value is left out */
    assert_int_equal(range.pairs[1].lease, 0);
    kv_wire_range_done(&range);
}

static void pairs_of_a_page_may_be_moved_out(void **state)
{
    static const char answer[] = HEADER "\x12\x0e" PAIR_K "\x20\x01";
    struct kv_wire_range range = { 0 };
    (void)state;
    assert_int_equal(kv_wire_read_range(BYTES(answer), &range, NULL), 0);
    char *key = take_ptr(range.pairs[0].key);
    char *value = take_ptr(range.pairs[0].value);
    kv_wire_range_done(&range);
    assert_string_equal(key, "k");
    assert_string_equal(value, "v");
    free(key);
    free(value);
}

static void ids_use_all_64_bits(void **state)
{
    static const char answer[] =
        "\x0a\x0f\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x10\x01\x18\x09";
    struct kv_wire_header header = { 0 };
    (void)state;
    assert_int_equal(kv_wire_read_header(BYTES(answer), &header, NULL), 0);
    assert_true(header.cluster_id == UINT64_MAX);
    assert_int_equal(header.revision, 9);
}

static void a_txn_tells_what_each_operation_of_its_branch_gave(void **state)
{
    struct kv_wire_bytes request = { 0 };
    struct kv_wire_txn txn = { 0 };
    (void)state;
    write_example_txn(&request);
    assert_int_equal(kv_wire_read_txn(&request, BYTES(WON), &txn, NULL), 0);
    assert_true(txn.succeeded);
    assert_int_equal(txn.result_count, 2);
    assert_int_equal(txn.results[0].count, 0);
    assert_int_equal(txn.results[1].count, 2);
    kv_wire_txn_done(&txn);
    assert_int_equal(kv_wire_read_txn(&request, BYTES(LOST), &txn, NULL), 0);
    assert_false(txn.succeeded); /* what is false is left out */
    assert_int_equal(txn.header.revision, 9);
    assert_int_equal(txn.result_count, 2);
    assert_int_equal(txn.results[0].count, 1);
    assert_string_equal(txn.results[0].pairs[0].key, "k");
    assert_string_equal(txn.results[0].pairs[0].value, "v");
    assert_int_equal(txn.results[0].pairs[0].lease, 77);
    assert_int_equal(txn.results[1].pair_count, 0);
    kv_wire_txn_done(&txn);
    kv_wire_bytes_done(&request);
}

static void a_txn_of_nothing_is_answered_by_nothing(void **state)
{
    const struct kv_txn nothing = { 0 };
    struct kv_wire_bytes request = { 0 };
    struct kv_wire_txn txn = { 0 };
    (void)state;
    assert_int_equal(kv_wire_write_txn(&nothing, &request, NULL), 0);
    assert_int_equal(kv_wire_read_txn(&request, BYTES(HEADER SUCCEEDED), &txn, NULL), 0);
    assert_int_equal(txn.result_count, 0);
    kv_wire_txn_done(&txn);
    kv_wire_bytes_done(&request);
}

static void results_that_are_not_the_operations_are_refused(void **state)
{
    static const struct {
        const uint8_t *bytes;
        size_t length;
    } answers[] = {
        { BYTES(HEADER SUCCEEDED) },
        { BYTES(HEADER SUCCEEDED PUT_RESULT) },
        { BYTES(HEADER SUCCEEDED PUT_RESULT PUT_RESULT) },
        { BYTES(HEADER SUCCEEDED DELETED_RESULT PUT_RESULT) },
        { BYTES(WON PUT_RESULT) },
        { BYTES(HEADER PUT_RESULT DELETED_RESULT) }, /* of the other branch */
        { BYTES(HEADER SUCCEEDED PUT_RESULT "\x1a\x00") },
    };
    struct kv_wire_bytes request = { 0 };
    (void)state;
    write_example_txn(&request);
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        struct kv_wire_txn txn = { 0 };
        struct error err = { 0 };
        int r = kv_wire_read_txn(&request, answers[i].bytes, answers[i].length, &txn, &err);
        if (r != -EPROTO || !*err.text)
            fail_msg("answer %zu: %d (%s)", i, r, err.text);
    }
    kv_wire_bytes_done(&request);
}

static void leases_that_are_gone_have_no_time(void **state)
{
    struct kv_wire_lease lease = { 0 };
    (void)state;
    assert_int_equal(kv_wire_read_lease_grant(BYTES(HEADER "\x10\xac\x02\x18\x0a"), &lease, NULL),
                     0);
    assert_int_equal(lease.id, 300);
    assert_int_equal(lease.ttl_s, 10);
    assert_int_equal(lease.header.cluster_id, 300);
    assert_int_equal(kv_wire_read_lease_grant(BYTES(HEADER "\x10\x07"), &lease, NULL), -EPROTO);
    assert_int_equal(kv_wire_read_lease_keep_alive(BYTES(HEADER "\x10\x07"), &lease, NULL), 0);
    assert_int_equal(lease.ttl_s, 0);
    static const char gone[] = HEADER "\x10\x07\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
    assert_int_equal(kv_wire_read_lease_time_to_live(BYTES(gone), &lease, NULL), 0);
    assert_int_equal(lease.ttl_s, -1);
    assert_int_equal(kv_wire_read_lease_keep_alive(BYTES(gone), &lease, NULL), -EPROTO);
    static const char long_gone[] = HEADER "\x10\x07\x18\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01";
    assert_int_equal(kv_wire_read_lease_time_to_live(BYTES(long_gone), &lease, NULL), 0);
    assert_true(lease.ttl_s < 0);
    static const char left[] = HEADER "\x10\x07\x18\x03\x20\x0a";
    assert_int_equal(kv_wire_read_lease_time_to_live(BYTES(left), &lease, NULL), 0);
    assert_int_equal(lease.ttl_s, 3);
    assert_int_equal(lease.granted_ttl_s, 10);
}

static void members_have_their_addresses(void **state)
{
    struct kv_wire_members answer = { 0 };
    (void)state;
    assert_int_equal(kv_wire_read_members(BYTES(MEMBERS), &answer, NULL), 0);
    assert_int_equal(answer.member_count, 2);
    assert_int_equal(answer.members[0].id, 1);
    assert_string_equal(answer.members[0].name, "n");
    assert_string_equal(answer.members[0].client_urls[1], "b");
    assert_null(answer.members[0].client_urls[2]);
    assert_string_equal(answer.members[0].peer_urls[0], "p");
    assert_int_equal(answer.members[1].id, 300);
    assert_string_equal(answer.members[1].name, "");
    assert_true(answer.members[1].learner);
    kv_wire_members_done(&answer);
}

static void alarms_are_read_from_the_status(void **state)
{
    struct kv_wire_status answer = { 0 };
    (void)state;
    assert_int_equal(kv_wire_read_status(BYTES(STATUS), &answer, NULL), 0);
    assert_true(answer.status.no_space);
    assert_false(answer.status.corrupt);
    assert_int_equal(answer.status.member, 1);
    assert_int_equal(answer.status.leader, 300);
    assert_int_equal(answer.status.size_bytes, 9);
    assert_int_equal(answer.status.in_use_bytes, 5);
    assert_int_equal(answer.status.revision, 9);
    assert_string_equal(answer.status.version, "3.4.23");
    kv_wire_status_done(&answer);
}

static void a_token_is_one_word_fit_for_a_header(void **state)
{
    static const struct {
        const uint8_t *bytes;
        size_t length;
    } wrong[] = {
        { BYTES("") },
        { BYTES(HEADER) },
        { BYTES("\x12\x07"
                "a\r\nX: y") },
        { BYTES("\x12\x03"
                "a\0b") },
        { BYTES("\x10\x07") }, /* a number */
    };
    autofree char *token = NULL;
    (void)state;
    assert_int_equal(kv_wire_read_token(BYTES(HEADER "\x12\x06"
                                                     "abc.12"),
                                        &token, NULL),
                     0);
    assert_string_equal(token, "abc.12");
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char *none = NULL;
        assert_int_equal(kv_wire_read_token(wrong[i].bytes, wrong[i].length, &none, NULL), -EPROTO);
        assert_null(none);
    }
}

static void what_is_unknown_is_passed_over(void **state)
{
    /* a field 2000 of each kind that there is, and one of etcd's that we do not read */
    static const char answer[] = HEADER "\x80\x7d\x01\x81\x7d"
                                        "12345678\x82\x7d\x02zz\x85\x7d"
                                        "1234\x12\x00";
    struct kv_wire_header header = { 0 };
    (void)state;
    assert_int_equal(kv_wire_read_header(BYTES(answer), &header, NULL), 0);
    assert_int_equal(header.revision, 9);
}

/* --- watches --- */

static void messages_of_a_watch_are_told_apart(void **state)
{
    static const struct {
        const uint8_t *bytes;
        size_t length;
        int failure;
        size_t events;
        bool created;
        bool fragment;
    } cases[] = {
        {BYTES(HEADER "\x18\x01"),                                                                          0,       0, true,  false},
        { BYTES(HEADER),                                                                                    0,       0, false, false}, /* progress */
        { BYTES(HEADER "\x20\x01\x28\x91\x01"),                                                             -ERANGE, 0, false, false},
        { BYTES("\x0a\x02\x08\x01\x28\x91\x01"),                                                            -ERANGE, 0, false, false},
        { BYTES(HEADER "\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x18\x01\x20\x01\x32\x47"
                       "rpc error: code = PermissionDenied desc = etcdserver: permission denied"),
         -EACCES,                                                                                                    0, true,  false},
        { BYTES(HEADER "\x18\x01\x20\x01\x32\x47"
                       "rpc error: code = Unauthenticated desc = etcdserver: invalid auth token"),
         -EKEYEXPIRED,                                                                                               0, true,  false},
        { BYTES(HEADER "\x20\x01\x32\x05tired"),                                                            -EAGAIN, 0, false, false},
        { BYTES(EVENTS),                                                                                    0,       2, false, false},
        { BYTES(HEADER "\x38\x01\x5a\x10\x12\x0e" PAIR_K),                                                  0,       1, false, true },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct kv_wire_watch message = { 0 };
        struct error err = { 0 };
        if (kv_wire_read_watch(cases[i].bytes, cases[i].length, &message, &err) < 0)
            fail_msg("case %zu: %s", i, err.text);
        assert_int_equal(message.failure, cases[i].failure);
        assert_int_equal(message.event_count, cases[i].events);
        assert_int_equal(message.created, cases[i].created);
        assert_int_equal(message.fragment, cases[i].fragment);
        kv_wire_watch_done(&message);
    }
}

static void events_say_what_became_of_a_key(void **state)
{
    struct kv_wire_watch message = { 0 };
    (void)state;
    assert_int_equal(kv_wire_read_watch(BYTES(EVENTS), &message, NULL), 0);
    assert_int_equal(message.header.revision, 9);
    assert_false(message.events[0].deleted);
    assert_string_equal(message.events[0].pair.key, "k");
    assert_string_equal(message.events[0].pair.value, "");
    assert_int_equal(message.events[0].pair.mod_revision, 4);
    assert_true(message.events[1].deleted);
    assert_string_equal(message.events[1].pair.key, "k");
    assert_string_equal(message.events[1].pair.value, "");
    assert_int_equal(message.events[1].pair.mod_revision, 5);
    kv_wire_watch_done(&message);
}

/* One event of the revision, whose key is the letter. */
static void add_fragment(struct kv_wire_watch *whole, uint8_t revision, char letter, int64_t first)
{
    uint8_t bytes[] = HEADER "\x5a\x0b\x12\x09\x0a\x01?\x10\x01\x18?\x20\x01";
    struct kv_wire_watch message = { 0 };
    bytes[sizeof(HEADER) - 1 + 6] = (uint8_t)letter;
    bytes[sizeof(HEADER) - 1 + 10] = revision;
    assert_int_equal(kv_wire_read_watch(bytes, sizeof(bytes) - 1, &message, NULL), 0);
    assert_int_equal(kv_wire_watch_append(whole, &message, first, NULL), 0);
    kv_wire_watch_done(&message);
}

static void fragments_are_joined_in_order(void **state)
{
    enum { FRAGMENTS = 20 };
    struct kv_wire_watch whole = { 0 };
    (void)state;
    add_fragment(&whole, 4, '!', 5);
    assert_int_equal(whole.event_count, 0); /* it was told before */
    for (int i = 0; i < FRAGMENTS; i++) {
        add_fragment(&whole, 5, (char)('a' + i), 5);
        add_fragment(&whole, 3, '!', 5);
    }
    assert_int_equal(whole.event_count, FRAGMENTS);
    for (int i = 0; i < FRAGMENTS; i++) {
        assert_int_equal(whole.events[i].pair.key[0], 'a' + i);
        assert_int_equal(whole.events[i].pair.mod_revision, 5);
    }
    kv_wire_watch_done(&whole);
}

static void a_fragment_that_goes_back_is_refused(void **state)
{
    struct kv_wire_watch whole = { 0 };
    struct kv_wire_watch message = { 0 };
    struct error err = { 0 };
    (void)state;
    add_fragment(&whole, 5, 'a', 0);
    assert_int_equal(kv_wire_read_watch(BYTES(EVENTS), &message, NULL), 0); /* from 4 on */
    assert_int_equal(kv_wire_watch_append(&whole, &message, 0, &err), -EPROTO);
    assert_non_null(strstr(err.text, "revision 4"));
    assert_int_equal(whole.event_count, 1);
    assert_int_equal(message.event_count, 2);
    assert_int_equal(kv_wire_watch_append(&whole, &message, 5, NULL), 0); /* but for what is told */
    assert_int_equal(whole.event_count, 2);
    kv_wire_watch_done(&message);
    kv_wire_watch_done(&whole);
}

static void only_the_events_that_were_told_are_left_out(void **state)
{
    struct kv_wire_watch whole = { 0 };
    struct kv_wire_watch message = { 0 };
    (void)state;
    assert_int_equal(kv_wire_read_watch(BYTES(EVENTS), &message, NULL), 0);
    assert_int_equal(kv_wire_watch_append(&whole, &message, 5, NULL), 0);
    kv_wire_watch_done(&message);
    assert_int_equal(whole.event_count, 1);
    assert_true(whole.events[0].deleted);
    add_fragment(&whole, 6, 'z', 5); /* there is room where the first was */
    assert_int_equal(whole.event_count, 2);
    assert_string_equal(whole.events[0].pair.key, "k");
    assert_string_equal(whole.events[1].pair.key, "z");
    kv_wire_watch_done(&whole);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_are_asked_for_from_behind_the_last_key),
        cmocka_unit_test(a_prefix_ends_before_the_next_that_is_none),
        cmocka_unit_test(compares_have_the_operand_of_their_target),
        cmocka_unit_test(operations_are_in_their_branch),
        cmocka_unit_test(small_requests_are_a_few_bytes),
        cmocka_unit_test(a_login_is_utf8_and_keeps_its_secret),
        cmocka_unit_test(a_page_has_its_pairs),
        cmocka_unit_test(pairs_of_a_page_may_be_moved_out),
        cmocka_unit_test(ids_use_all_64_bits),
        cmocka_unit_test(a_txn_tells_what_each_operation_of_its_branch_gave),
        cmocka_unit_test(a_txn_of_nothing_is_answered_by_nothing),
        cmocka_unit_test(results_that_are_not_the_operations_are_refused),
        cmocka_unit_test(leases_that_are_gone_have_no_time),
        cmocka_unit_test(members_have_their_addresses),
        cmocka_unit_test(alarms_are_read_from_the_status),
        cmocka_unit_test(a_token_is_one_word_fit_for_a_header),
        cmocka_unit_test(what_is_unknown_is_passed_over),
        cmocka_unit_test(messages_of_a_watch_are_told_apart),
        cmocka_unit_test(events_say_what_became_of_a_key),
        cmocka_unit_test(fragments_are_joined_in_order),
        cmocka_unit_test(a_fragment_that_goes_back_is_refused),
        cmocka_unit_test(only_the_events_that_were_told_are_left_out),
    };
    return cmocka_run_group_tests_name("kv-wire", tests, NULL, NULL);
}
