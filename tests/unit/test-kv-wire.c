/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes here are written by hand, after the rules of protobuf (a field is its number and kind
 * in one tag, then a varint, or a length and bytes) and etcd's numbers; no encoder had a part in
 * them.
 */
#include "kvclient/kv_wire.h"

#include <errno.h>
#include <malloc.h>
#include <string.h>

#include "base/text.h"
#include "tests/unit/harness.h"

/* A literal as bytes and their number, without the NUL at its end. */
#define BYTES(literal) (const uint8_t *)(literal), sizeof(literal) - 1

/* header: cluster 300, member 1, revision 9, term 2 */
#define HEADER "\x0a\x09\x08\xac\x02\x10\x01\x18\x09\x20\x02"
/* k: created at 2, changed at 4, its second version, "v", lease 77 */
#define PAIR_K "\x0a\x01k\x10\x02\x18\x04\x20\x02\x2a\x01v\x30\x4d"
/* l: created at 3 and not changed since, empty, no lease */
#define PAIR_L "\x0a\x01l\x10\x03\x18\x03\x20\x01"

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

static void write_example_txn(struct kv_wire_bytes *ret)
{
    const struct kv_op success[] = { kv_op_put("k", "v"), kv_op_delete("l") };
    const struct kv_op failure[] = { kv_op_range("k"), kv_op_put("l", "") };
    const struct kv_txn txn = {
        .success = success, .success_count = 2, .failure = failure, .failure_count = 2
    };
    assert_int_equal(kv_wire_write_txn(&txn, ret, NULL), 0);
}

#define SUCCEEDED "\x10\x01"
/* Results: each has a header with the revision alone. */
#define PUT_RESULT     "\x1a\x06\x12\x04\x0a\x02\x18\x09"
#define DELETED_RESULT "\x1a\x08\x1a\x06\x0a\x02\x18\x09\x10\x02"
#define RANGE_RESULT   "\x1a\x18\x0a\x16\x0a\x02\x18\x09\x12\x0e" PAIR_K "\x20\x01"
#define WON            HEADER SUCCEEDED PUT_RESULT DELETED_RESULT
#define LOST           HEADER RANGE_RESULT PUT_RESULT

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

/* one: named, two URLs for clients, one for peers; two: not started, a learner */
#define MEMBERS                                         \
    HEADER "\x12\x0e\x08\x01\x12\x01n\x1a\x01p\x22\x01" \
           "a\x22\x01"                                  \
           "b"                                          \
           "\x12\x07\x08\xac\x02\x1a\x00\x28\x01"

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

/* 3.4.23, 9 bytes, leader 300, two alarms, 5 bytes in use */
#define STATUS                          \
    HEADER "\x12\x06"                   \
           "3.4.23\x18\x09\x20\xac\x02" \
           "\x42\x1a"                   \
           "memberID:1 alarm:NOSPACE  " \
           "\x42\x15"                   \
           "etcdserver: no leader\x48\x05"

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

/* --- what no store says --- */

static int read_page(const uint8_t *data, size_t length, struct error *err)
{
    struct kv_wire_range range = { 0 };
    int r = kv_wire_read_range(data, length, &range, err);
    if (r == 0)
        kv_wire_range_done(&range);
    return r;
}

static int read_won(const uint8_t *data, size_t length, struct error *err)
{
    struct kv_wire_bytes request = { 0 };
    struct kv_wire_txn txn = { 0 };
    write_example_txn(&request);
    int r = kv_wire_read_txn(&request, data, length, &txn, err);
    if (r == 0)
        kv_wire_txn_done(&txn);
    kv_wire_bytes_done(&request);
    return r;
}

static int read_grant(const uint8_t *data, size_t length, struct error *err)
{
    struct kv_wire_lease lease = { 0 };
    return kv_wire_read_lease_grant(data, length, &lease, err);
}

static int read_time_to_live(const uint8_t *data, size_t length, struct error *err)
{
    struct kv_wire_lease lease = { 0 };
    return kv_wire_read_lease_time_to_live(data, length, &lease, err);
}

static int read_header(const uint8_t *data, size_t length, struct error *err)
{
    struct kv_wire_header header = { 0 };
    return kv_wire_read_header(data, length, &header, err);
}

static int read_members(const uint8_t *data, size_t length, struct error *err)
{
    struct kv_wire_members members = { 0 };
    int r = kv_wire_read_members(data, length, &members, err);
    if (r == 0)
        kv_wire_members_done(&members);
    return r;
}

static int read_status(const uint8_t *data, size_t length, struct error *err)
{
    struct kv_wire_status status = { 0 };
    int r = kv_wire_read_status(data, length, &status, err);
    if (r == 0)
        kv_wire_status_done(&status);
    return r;
}

static int read_watch(const uint8_t *data, size_t length, struct error *err)
{
    struct kv_wire_watch message = { 0 };
    int r = kv_wire_read_watch(data, length, &message, err);
    if (r == 0)
        kv_wire_watch_done(&message);
    return r;
}

typedef int (*read_fn)(const uint8_t *data, size_t length, struct error *err);

static void nonsense_is_refused_and_not_guessed(void **state)
{
    static const struct {
        read_fn read;
        const uint8_t *bytes;
        size_t length;
        const char *words;
    } cases[] = {
        {read_page,     BYTES(""),                                                             "names no cluster"    },
        { read_page,    BYTES("\x0a\x00"),                                                     "names no cluster"    },
        { read_page,    BYTES("\x0a\x02\x18\x09"),                                             "names no cluster"    },
        { read_page,    BYTES("\x0a\x02\x08\x01"),                                             "revision 0"          },
        { read_page,    BYTES("\x0a\x0d\x08\x01\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
         "revision -1"                                                                                               },
        { read_page,    BYTES("{\"header\":{}}"),                                              "no message"          },
        { read_page,    BYTES(HEADER "\x18\x01"),                                              "empty page"          },
        { read_page,    BYTES(HEADER "\x20\x01"),                                              "last page"           },
        { read_page,    BYTES(HEADER "\x12\x0e" PAIR_K),                                       "1 pairs of 0"        },
        { read_page,    BYTES(HEADER "\x20\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
         "0 pairs of -1"                                                                                             },
        { read_page,    BYTES(HEADER "\x12\x00\x20\x01"),                                      "without a key"       },
        { read_page,    BYTES(HEADER "\x12\x08\x0a\x02k\0\x10\x01\x18\x01\x20\x01"),           "NUL"                 },
        { read_page,    BYTES(HEADER "\x12\x03\x0a\x01k\x20\x01"),                             "changed at 0"        },
        { read_page,    BYTES(HEADER "\x12\x05\x0a\x01k\x18\x01\x20\x01"),                     "never created"       },
        { read_page,    BYTES(HEADER "\x12\x09" PAIR_L "\x12\x0e" PAIR_K "\x20\x02"),          "comes after"         },
        { read_page,    BYTES(HEADER "\x12\x09" PAIR_L "\x12\x09" PAIR_L "\x20\x02"),          "comes after"         },
        { read_won,
         BYTES(HEADER SUCCEEDED PUT_RESULT
                "\x1a\x0d\x1a\x0b\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
         "said to be deleted"                                                                                        },
        { read_won,     BYTES(HEADER "\x1a\x04\x0a\x02\x18\x01" PUT_RESULT),                   "left out"            },
        { read_grant,   BYTES(HEADER "\x18\x0a"),                                              "lease 0"             },
        { read_members, BYTES(HEADER),                                                         "without members"     },
        { read_members, BYTES(HEADER "\x12\x00"),                                              "without an id"       },
        { read_members, BYTES(HEADER "\x12\x05\x08\x01\x12\x01\0"),                            "NUL"                 },
        { read_members, BYTES(HEADER "\x12\x05\x08\x01\x12\x01\xff"),                          "name is not UTF-8"   },
        { read_members, BYTES(HEADER "\x12\x05\x08\x01\x1a\x01\xff"),                          "URL is not UTF-8"    },
        { read_members, BYTES(HEADER "\x12\x05\x08\x01\x22\x01\xff"),                          "URL is not UTF-8"    },
        { read_status,  BYTES(HEADER "\x12\x01\xff"),                                          "version is not UTF-8"},
        { read_status,  BYTES("\x0a\x02\x08\x01"),                                             "without an id"       },
        { read_watch,   BYTES(""),                                                             "names no cluster"    },
        { read_watch,   BYTES("\x0a\x02\x08\x01"),                                             "revision 0"          },
        { read_watch,   BYTES(HEADER "\x10\x01\x18\x01"),                                      "not ours"            },
        { read_watch,   BYTES(HEADER "\x38\x01"),                                              "without events"      },
        { read_watch,   BYTES(HEADER "\x5a\x00"),                                              "without a key"       },
        { read_watch,   BYTES(HEADER "\x5a\x12\x08\x02\x12\x0e" PAIR_K),                       "type 2"              },
        { read_watch,   BYTES(HEADER "\x18\x01\x5a\x10\x12\x0e" PAIR_K),                       "begins with events"  },
        { read_watch,   BYTES(HEADER "\x5a\x10\x12\x0e" PAIR_K "\x5a\x0b\x12\x09" PAIR_L),
         "after one of 4"                                                                                            },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct error err = { 0 };
        int r = cases[i].read(cases[i].bytes, cases[i].length, &err);
        if (r != -EPROTO || !strstr(err.text, cases[i].words))
            fail_msg("case %zu: %d, \"%s\" has no \"%s\"", i, r, err.text, cases[i].words);
    }
}

#define EVENTS                                                         \
    HEADER "\x5a\x0d\x12\x0b\x0a\x01k\x10\x02\x18\x04\x20\x02\x2a\x00" \
           "\x5a\x09\x08\x01\x12\x05\x0a\x01k\x18\x05"

/* A message may be cut between two fields and be one that a store says, which is why gRPC tells how
 * long it is: those lengths are named. */
static void every_answer_cut_short_is_refused(void **state)
{
    enum { AT_HEADER = sizeof(HEADER) - 1, WHOLES_MAX = 8 };
    static const struct {
        read_fn read;
        const uint8_t *bytes;
        size_t length;
        size_t wholes[WHOLES_MAX]; /* lengths that make an answer, too */
    } cases[] = {
        {read_page,          BYTES(HEADER "\x12\x0e" PAIR_K "\x12\x09" PAIR_L "\x20\x02"), { AT_HEADER }                },
        { read_won,          BYTES(WON),                                                   { 0 }                        },
        { read_won,          BYTES(LOST),                                                  { 0 }                        },
        { read_grant,        BYTES(HEADER "\x10\xac\x02\x18\x0a"),                         { 0 }                        },
        { read_time_to_live,
         BYTES(HEADER "\x10\x07\x18\x03\x20\x0a"),
         { AT_HEADER + 2, AT_HEADER + 4 }                                                                               },
        { read_header,       BYTES(HEADER),                                                { 0 }                        },
        { read_members,      BYTES(MEMBERS),                                               { AT_HEADER + 16 }           },
        { read_status,
         BYTES(STATUS),
         { AT_HEADER, AT_HEADER + 8, AT_HEADER + 10, AT_HEADER + 13, AT_HEADER + 41,
            AT_HEADER + 64 }                                                                                            },
        { read_watch,        BYTES(EVENTS),                                                { AT_HEADER, AT_HEADER + 15 }},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(cases[i].read(cases[i].bytes, cases[i].length, NULL), 0);
        for (size_t length = 1; length < cases[i].length; length++) {
            struct error err = { 0 };
            bool is_whole = false;
            for (size_t n = 0; n < WHOLES_MAX; n++)
                is_whole |= cases[i].wholes[n] == length;
            uint8_t *cut = malloc(length); /* of its own, so that a read beyond it is noticed */
            assert_non_null(cut);
            memcpy(cut, cases[i].bytes, length);
            int r = cases[i].read(cut, length, &err);
            free(cut);
            if (r != (is_whole ? 0 : -EPROTO) || (r < 0 && !*err.text))
                fail_msg("case %zu cut at %zu: %d, \"%s\"", i, length, r, err.text);
        }
    }
}

static void a_message_of_empty_messages_takes_no_memory_to_speak_of(void **state)
{
    enum { EVENTS_SAID = 1000000 };
    size_t length = sizeof(HEADER) - 1 + 2 * EVENTS_SAID;
    autofree uint8_t *data = malloc(length);
    struct kv_wire_watch message = { 0 };
    struct error err = { 0 };
    (void)state;
    assert_non_null(data);
    memcpy(data, HEADER, sizeof(HEADER) - 1);
    for (size_t i = sizeof(HEADER) - 1; i < length; i += 2) {
        data[i] = 0x5a;
        data[i + 1] = 0;
    }
    assert_int_equal(kv_wire_read_watch(data, length, &message, &err), -EPROTO);
    assert_non_null(strstr(err.text, "next to nothing"));
}

/* Nothing that etcd says is smaller for what it becomes than a deletion of a short key. */
static void say_small_events(struct text *data, int count)
{
    text_add_bytes(data, HEADER, sizeof(HEADER) - 1);
    for (int i = 0; i < count; i++)
        text_add_bytes(data, BYTES("\x5a\x09\x08\x01\x12\x05\x0a\x01k\x18\x05"));
    assert_false(data->failed);
}

static void many_small_events_are_within_bounds(void **state)
{
    enum { EVENTS_SAID = 20000 };
    autotext data = { 0 };
    struct kv_wire_watch message = { 0 };
    (void)state;
    say_small_events(&data, EVENTS_SAID);
    assert_int_equal(kv_wire_read_watch((const uint8_t *)data.data, data.length, &message, NULL),
                     0);
    assert_int_equal(message.event_count, EVENTS_SAID);
    assert_string_equal(message.events[EVENTS_SAID - 1].pair.key, "k");
    kv_wire_watch_done(&message);
}

/* --- failures --- */

/* Linked in place of malloc(): the one that is so many calls away has no memory. */
static int calls_until_none;
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
    return calls_until_none && --calls_until_none == 0 ? NULL : calloc(1, size);
}

/* And in place of free(): whether a secret is given away with the memory. */
static const char *secret;
static bool secret_was_left;
void __real_free(void *memory);
void __wrap_free(void *memory);
void __wrap_free(void *memory)
{
    if (secret && memory)
        secret_was_left |=
            memmem(memory, malloc_usable_size(memory), secret, strlen(secret)) != NULL;
    __real_free(memory);
}

static void a_token_stays_in_no_other_memory(void **state)
{
    autofree char *token = NULL;
    (void)state;
    secret = "abc.12";
    secret_was_left = false;
    int r = kv_wire_read_token(BYTES(HEADER "\x12\x06"
                                            "abc.12"),
                               &token, NULL);
    secret = NULL;
    assert_int_equal(r, 0);
    assert_string_equal(token, "abc.12");
    assert_false(secret_was_left);
}

static void memory_that_ran_out_is_no_fault_of_the_store(void **state)
{
    autotext data = { 0 };
    int failures = 0;
    (void)state;
    say_small_events(&data, 1000);
    for (int r = -ENOMEM; r < 0; failures++) {
        struct kv_wire_watch message = { 0 };
        struct error err = { 0 };
        calls_until_none = failures + 1;
        r = kv_wire_read_watch((const uint8_t *)data.data, data.length, &message, &err);
        calls_until_none = 0;
        if (r < 0 && r != -ENOMEM)
            fail_msg("call %d of malloc(): %d, \"%s\"", failures + 1, r, err.text);
        kv_wire_watch_done(&message);
    }
    assert_true(failures > 2); /* the arena grew */
}

static void failures_mean_what_was_measured(void **state)
{
    static const struct {
        int status;
        const char *message;
        int code;
    } cases[] = {
        {14,  "etcdserver: request timed out",                                  -ETIMEDOUT  },
        { 2,  "context deadline exceeded",                                      -ETIMEDOUT  },
        { 4,  "context deadline exceeded",                                      -ETIMEDOUT  },
        { 14, "etcdserver: no leader",                                          -EAGAIN     },
        { 14, "transport is closing",                                           -ETIMEDOUT  },
        { 5,  "etcdserver: requested lease not found",                          -ENOENT     },
        { 9,  "etcdserver: lease already exists",                               -EEXIST     },
        { 11, "etcdserver: mvcc: required revision has been compacted",         -ERANGE     },
        { 11, "etcdserver: mvcc: required revision is a future revision",       -EREMCHG    },
        { 11, "etcdserver: too large lease TTL",                                -EINVAL     },
        { 3,  "etcdserver: too many operations in txn request",                 -E2BIG      },
        { 3,  "etcdserver: request is too large",                               -E2BIG      },
        { 3,  "etcdserver: duplicate key given in txn request",                 -EINVAL     },
        { 3,  "etcdserver: user name is empty",                                 -EKEYEXPIRED},
        { 16, "etcdserver: invalid auth token",                                 -EKEYEXPIRED},
        { 3,  "etcdserver: revision of auth store is old",                      -EKEYEXPIRED},
        { 9,  "etcdserver: authentication is not enabled",                      -EOPNOTSUPP },
        { 3,  "etcdserver: authentication failed, invalid user ID or password", -EACCES     },
        { 8,  "etcdserver: mvcc: database space exceeded",                      -ENOSPC     },
        { 8,  "grpc: received message larger than max (9 vs. 2)",               -E2BIG      },
        { 8,  "etcdserver: too many requests",                                  -EAGAIN     },
        { 7,  "etcdserver: permission denied",                                  -EACCES     },
        { 12, "unknown service etcdserverpb.KV",                                -EPROTO     },
        { 12, "",                                                               -EPROTO     },
        { 99, "",                                                               -ETIMEDOUT  },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct error err = { 0 };
        int code = kv_wire_read_failure(cases[i].status, cases[i].message, &err);
        if (code != cases[i].code)
            fail_msg("%s: %d instead of %d", cases[i].message, code, cases[i].code);
        assert_int_equal(err.code, code);
        assert_non_null(strstr(err.text, cases[i].message));
    }
}

static void an_answer_of_somebody_else_is_quoted(void **state)
{
    struct error err = { 0 };
    (void)state;
    assert_int_equal(kv_wire_read_foreign(404, "404 page not found\n", 19, &err), -EPROTO);
    assert_non_null(strstr(err.text, "(HTTP 404): 404 page not found"));
    assert_int_equal(kv_wire_read_foreign(502, "<html>proxy</html>", 6, &err), -ETIMEDOUT);
    assert_non_null(strstr(err.text, "<html>"));
    assert_null(strstr(err.text, "proxy"));
}

/* Ends of line, an escape, bytes that are no character, and an umlaut that may stay. */
static void words_of_a_store_are_one_line_of_utf8(void **state)
{
    static const char words[] = "a\nb\x1b[m\xff\xc3\xbc";
    static const char line[] = "a?b?[m?\xc3\xbc";
    struct error err = { 0 };
    char body[300];
    struct kv_wire_watch message = { 0 };
    (void)state;
    assert_int_equal(kv_wire_read_failure(3, words, &err), -EINVAL);
    assert_non_null(strstr(err.text, line));
    assert_int_equal(kv_wire_read_foreign(404, words, sizeof(words) - 1, &err), -EPROTO);
    assert_non_null(strstr(err.text, line));
    memset(body, 'x', sizeof(body));
    memcpy(body + 199, "\xe2\x82\xac", 3);
    assert_int_equal(kv_wire_read_foreign(404, body, sizeof(body), &err), -EPROTO);
    assert_true(text_is_utf8(err.text));
    assert_int_equal(kv_wire_read_watch(BYTES(HEADER "\x20\x01\x32\x09"
                                                     "a\nb\x1b[m\xff\xc3\xbc"),
                                        &message, NULL),
                     0);
    assert_int_equal(message.failure, -EAGAIN);
    assert_non_null(strstr(message.reason, line));
    kv_wire_watch_done(&message);
}

static void who_did_not_refuse_may_have_handed_a_request_on(void **state)
{
    static const long unknown[] = { 0, 200, 204, 408, 499, 500, 504 };
    static const long refused[] = { 301, 400, 403, 404, 415 };
    (void)state;
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
        assert_int_equal(kv_wire_read_foreign(unknown[i], NULL, 0, NULL), -ETIMEDOUT);
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        assert_int_equal(kv_wire_read_foreign(refused[i], NULL, 0, NULL), -EPROTO);
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
        cmocka_unit_test(nonsense_is_refused_and_not_guessed),
        cmocka_unit_test(every_answer_cut_short_is_refused),
        cmocka_unit_test(a_message_of_empty_messages_takes_no_memory_to_speak_of),
        cmocka_unit_test(many_small_events_are_within_bounds),
        cmocka_unit_test(a_token_stays_in_no_other_memory),
        cmocka_unit_test(memory_that_ran_out_is_no_fault_of_the_store),
        cmocka_unit_test(failures_mean_what_was_measured),
        cmocka_unit_test(an_answer_of_somebody_else_is_quoted),
        cmocka_unit_test(words_of_a_store_are_one_line_of_utf8),
        cmocka_unit_test(who_did_not_refuse_may_have_handed_a_request_on),
        cmocka_unit_test(messages_of_a_watch_are_told_apart),
        cmocka_unit_test(events_say_what_became_of_a_key),
        cmocka_unit_test(fragments_are_joined_in_order),
        cmocka_unit_test(a_fragment_that_goes_back_is_refused),
        cmocka_unit_test(only_the_events_that_were_told_are_left_out),
    };
    return cmocka_run_group_tests_name("kv-wire", tests, NULL, NULL);
}
