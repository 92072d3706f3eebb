/* SPDX-License-Identifier: Apache-2.0 */
/* What no store says, what one says of its trouble, and memory that runs out meanwhile. */
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "kvclient/kv_wire.h"
#include "tests/unit/harness.h"
#include "tests/unit/kv-wire-bytes.h"
#include "tests/unit/secret.h"

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

int main(void)
{
    static const struct CMUnitTest tests[] = {
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
    };
    return cmocka_run_group_tests_name("kv-wire-trouble", tests, NULL, NULL);
}
