/* SPDX-License-Identifier: Apache-2.0 */
#include "kvclient/kv_wire.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/harness.h"

static void requests_read_as_etcd_wants_them(void **state)
{
    autofree char *range = NULL;
    autofree char *page = NULL;
    autofree char *watch = NULL;
    struct kv_wire_page first = { .key = "a", .prefix = true, .limit = 2 };
    struct kv_wire_page second = { .key = "a", .prefix = true, .after = "a/1", .revision = 7 };
    (void)state;
    assert_int_equal(kv_wire_write_range(&first, &range, NULL), 0);
    assert_string_equal(range, "{\"key\":\"YQ==\",\"range_end\":\"Yg==\",\"limit\":\"2\"}");
    assert_int_equal(kv_wire_write_range(&second, &page, NULL), 0);
    assert_string_equal(page, "{\"key\":\"YS8xAA==\",\"range_end\":\"Yg==\",\"revision\":\"7\"}");
    assert_int_equal(kv_wire_write_watch("", true, 3, &watch, NULL), 0);
    assert_non_null(
        strstr(watch, "{\"key\":\"AA==\",\"range_end\":\"AA==\",\"start_revision\":\"3\""));
}

static void a_transaction_is_written_with_its_guards(void **state)
{
    autofree char *body = NULL;
    struct kv_compare compares[] = { kv_if_exists("k"), kv_if_mod("k", 5) };
    struct kv_op put = kv_op_put_leased("k", "v", 9);
    struct kv_op drop = { .kind = KV_OP_DELETE, .key = "\xff", .prefix = true };
    struct kv_txn txn = { .compares = compares,
                          .compare_count = 2,
                          .success = &put,
                          .success_count = 1,
                          .failure = &drop,
                          .failure_count = 1 };
    (void)state;
    assert_int_equal(kv_wire_write_txn(&txn, &body, NULL), 0);
    assert_string_equal(
        body,
        "{\"compare\":[{\"target\":\"VERSION\",\"result\":\"GREATER\",\"key\":\"aw==\",\"version\":"
        "\"0\"},{\"target\":\"MOD\",\"key\":\"aw==\",\"mod_revision\":\"5\"}],"
        "\"success\":[{\"request_put\":{\"key\":\"aw==\",\"value\":\"dg==\",\"lease\":\"9\"}}],"
        "\"failure\":[{\"request_delete_range\":{\"key\":\"/w==\",\"range_end\":\"AA==\"}}]}");
    assert_false(kv_wire_txn_is_read(&txn));
}

static void a_lost_txn_without_succeeded_is_the_failure_branch(void **state)
{
    static const char body[] =
        "{\"header\":{\"cluster_id\":\"14841639068965178418\",\"revision\":\"9\"},\"responses\":[{"
        "\"response_range\":{\"kvs\":[{\"key\":\"aw==\",\"create_revision\":\"2\",\"mod_revision\":"
        "\"4\",\"version\":\"2\",\"lease\":\"77\"}],\"count\":\"1\"}},{\"response_put\":{}}]}";
    struct kv_wire_txn txn = { 0 };
    (void)state;
    assert_int_equal(kv_wire_read_txn(body, sizeof(body) - 1, &txn, NULL), 0);
    assert_false(txn.succeeded);
    assert_true(txn.header.cluster_id == 14841639068965178418U);
    assert_int_equal(txn.result_count, 2);
    assert_string_equal(txn.results[0].pairs[0].value, ""); /* an empty value is left out */
    assert_int_equal(txn.results[0].pairs[0].lease, 77);
    kv_wire_txn_done(&txn);
}

static void nonsense_is_refused_and_not_guessed(void **state)
{
    static const char *const wrong[] = {
        "",
        "[]",
        "{\"kvs\":{}}",
        "{\"kvs\":[1]}",
        "{\"kvs\":[{\"key\":\"!\"}]}",
        "{\"kvs\":[{\"key\":\"AGE=\"}]}",
        "{\"count\":\"many\"}",
        "{\"more\":true}",
        "{\"header\":{\"cluster_id\":\"x\"}}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct kv_wire_range range = { 0 };
        struct error err = { 0 };
        assert_int_equal(kv_wire_read_range(wrong[i], strlen(wrong[i]), &range, &err), -EPROTO);
        assert_true(*err.text);
    }
}

static void failures_mean_what_was_measured(void **state)
{
    static const struct {
        long status;
        const char *body;
        int code;
    } cases[] = {
        {503,  "{\"error\":\"etcdserver: request timed out\",\"code\":14}",                          -ETIMEDOUT  },
        { 500, "{\"error\":\"context deadline exceeded\",\"code\":2}",                               -ETIMEDOUT  },
        { 504, "{\"message\":\"context deadline exceeded\",\"code\":4}",                             -ETIMEDOUT  },
        { 503, "{\"message\":\"etcdserver: no leader\",\"code\":14}",                                -EAGAIN     },
        { 503, "{\"error\":{\"grpc_code\":14,\"message\":\"etcdserver: no leader\"}}",               -EAGAIN     },
        { 503, "{\"error\":{\"grpc_code\":14,\"message\":\"transport is closing\"}}",                -ETIMEDOUT  },
        { 404, "{\"error\":\"etcdserver: requested lease not found\",\"code\":5}",                   -ENOENT     },
        { 412, "{\"error\":\"etcdserver: lease already exists\",\"code\":9}",                        -EEXIST     },
        { 400, "{\"error\":\"etcdserver: mvcc: required revision has been compacted\",\"code\":11}",
         -ERANGE                                                                                                 },
        { 400,
         "{\"error\":\"etcdserver: mvcc: required revision is a future revision\",\"code\":11}",     -ESTALE     },
        { 400, "{\"error\":\"etcdserver: too large lease TTL\",\"code\":11}",                        -EINVAL     },
        { 400, "{\"error\":\"etcdserver: too many operations in txn request\",\"code\":3}",
         -E2BIG                                                                                                  },
        { 400, "{\"error\":\"etcdserver: duplicate key given in txn request\",\"code\":3}",
         -EINVAL                                                                                                 },
        { 400, "{\"error\":\"etcdserver: user name is empty\",\"code\":3}",                          -EKEYEXPIRED},
        { 401, "{\"error\":\"etcdserver: invalid auth token\",\"code\":16}",                         -EKEYEXPIRED},
        { 400, "{\"error\":\"etcdserver: revision of auth store is old\",\"code\":3}",
         -EKEYEXPIRED                                                                                            },
        { 400, "{\"error\":\"etcdserver: authentication is not enabled\",\"code\":9}",
         -EOPNOTSUPP                                                                                             },
        { 400,
         "{\"error\":\"etcdserver: authentication failed, invalid user ID or "
          "password\",\"code\":3}",                                                                  -EACCES     },
        { 429, "{\"error\":\"etcdserver: mvcc: database space exceeded\",\"code\":8}",               -ENOSPC     },
        { 429, "{\"error\":\"grpc: received message larger than max (9 vs. 2)\",\"code\":8}",
         -E2BIG                                                                                                  },
        { 429, "{\"error\":\"etcdserver: too many requests\",\"code\":8}",                           -EAGAIN     },
        { 403, "{\"error\":\"etcdserver: permission denied\",\"code\":7}",                           -EACCES     },
        { 400, "CommonName of client sending a request against gateway will be ignored",             -EACCES     },
        { 404, "404 page not found\n",                                                               -EPROTO     },
        { 502, "<html>proxy</html>",                                                                 -ETIMEDOUT  },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct error err = { 0 };
        int code =
            kv_wire_read_failure(cases[i].status, cases[i].body, strlen(cases[i].body), &err);
        if (code != cases[i].code)
            fail_msg("%s: %d instead of %d", cases[i].body, code, cases[i].code);
        assert_int_equal(err.code, code);
    }
}

static void messages_of_a_watch_are_told_apart(void **state)
{
    static const struct {
        const char *line;
        int failure;
        size_t events;
    } cases[] = {
        {"{\"result\":{\"header\":{\"revision\":\"4\"},\"created\":true}}",                        0,            0},
        { "{\"result\":{\"canceled\":true,\"compact_revision\":\"145\"}}",                         -ERANGE,      0},
        { "{\"result\":{\"created\":true,\"canceled\":true,\"cancel_reason\":\"rpc error: code = "
          "PermissionDenied desc = etcdserver: permission denied\"}}",                    -EACCES,      0},
        { "{\"result\":{\"created\":true,\"canceled\":true,\"cancel_reason\":\"rpc error: code = "
          "Unauthenticated desc = etcdserver: invalid auth token\"}}",                    -EKEYEXPIRED, 0},
        { "{\"result\":{\"canceled\":true,\"cancel_reason\":\"tired\"}}",                          -EAGAIN,      0},
        { "{\"error\":{\"grpc_code\":14,\"http_code\":503,\"message\":\"transport is closing\"}}",
         -ETIMEDOUT,                                                                                             0},
        { "{\"result\":{\"events\":[{\"kv\":{\"key\":\"YQ==\"}},{\"type\":\"DELETE\",\"kv\":{"
          "\"key\":"
          "\"YQ==\"}}],\"fragment\":true}}",                                              0,            2},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct kv_wire_watch message = { 0 };
        const char *line = cases[i].line;
        assert_int_equal(kv_wire_read_watch(line, strlen(line), &message, NULL), 0);
        assert_int_equal(message.failure, cases[i].failure);
        assert_int_equal(message.event_count, cases[i].events);
        assert_int_equal(message.fragment, cases[i].events == 2);
        kv_wire_watch_done(&message);
    }
}

static void a_token_is_one_word_fit_for_a_header(void **state)
{
    static const char good[] = "{\"token\":\"abc.12\"}";
    static const char *const wrong[] = { "{}", "{\"token\":\"\"}", "{\"token\":\"a\\r\\nX: y\"}",
                                         "{\"token\":7}" };
    autofree char *token = NULL;
    (void)state;
    assert_int_equal(kv_wire_read_token(good, strlen(good), &token, NULL), 0);
    assert_string_equal(token, "abc.12");
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char *none = NULL;
        assert_int_equal(kv_wire_read_token(wrong[i], strlen(wrong[i]), &none, NULL), -EPROTO);
    }
}

static void a_login_is_escaped(void **state)
{
    autofree char *body = NULL;
    struct error err = { 0 };
    (void)state;
    assert_int_equal(kv_wire_write_login("u\"", "p\\\"", &body, NULL), 0);
    assert_string_equal(body, "{\"name\":\"u\\\"\",\"password\":\"p\\\\\\\"\"}");
    assert_int_equal(kv_wire_write_login("u", "hunter2\xff", &body, &err), -EINVAL);
    assert_null(strstr(err.text, "hunter2"));
}

static void alarms_are_read_from_the_status(void **state)
{
    static const char body[] =
        "{\"header\":{\"revision\":\"5\",\"member_id\":\"17000000000000000000\"},"
        "\"dbSize\":\"9\",\"version\":\"3.4.23\",\"errors\":[\"memberID:1 "
        "alarm:NOSPACE \",\"etcdserver: no leader\"]}";
    struct kv_wire_status status = { 0 };
    (void)state;
    assert_int_equal(kv_wire_read_status(body, strlen(body), &status, NULL), 0);
    assert_true(status.status.no_space);
    assert_false(status.status.corrupt);
    assert_true(status.status.member == 17000000000000000000U);
    assert_true(status.status.leader == 0);
    assert_int_equal(status.status.size_bytes, 9);
    kv_wire_status_done(&status);
}

static void add_lines(struct kv_wire_stream *stream, const char *bytes, size_t length,
                      struct text *lines)
{
    const char *line = NULL;
    size_t line_length = 0;
    assert_int_equal(kv_wire_stream_add(stream, bytes, length, NULL), 0);
    while (kv_wire_stream_next(stream, &line, &line_length))
        text_addf(lines, "[%.*s]", (int)line_length, line);
}

static void a_stream_cut_anywhere_gives_the_same_lines(void **state)
{
    static const char text[] = "first\n\nthird line\nunfinished";
    const size_t whole = sizeof(text) - 1;
    (void)state;
    for (size_t cut = 0; cut <= whole; cut++) {
        struct kv_wire_stream stream = { 0 };
        autotext lines = { 0 };
        add_lines(&stream, text, cut, &lines);
        add_lines(&stream, text + cut, whole - cut, &lines);
        assert_string_equal(lines.data, "[first][][third line]");
        kv_wire_stream_done(&stream);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_read_as_etcd_wants_them),
        cmocka_unit_test(a_transaction_is_written_with_its_guards),
        cmocka_unit_test(a_lost_txn_without_succeeded_is_the_failure_branch),
        cmocka_unit_test(nonsense_is_refused_and_not_guessed),
        cmocka_unit_test(failures_mean_what_was_measured),
        cmocka_unit_test(messages_of_a_watch_are_told_apart),
        cmocka_unit_test(a_token_is_one_word_fit_for_a_header),
        cmocka_unit_test(a_login_is_escaped),
        cmocka_unit_test(alarms_are_read_from_the_status),
        cmocka_unit_test(a_stream_cut_anywhere_gives_the_same_lines),
    };
    return cmocka_run_group_tests_name("kv-wire", tests, NULL, NULL);
}
