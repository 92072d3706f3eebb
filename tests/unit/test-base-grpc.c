/* SPDX-License-Identifier: Apache-2.0 */
#include "base/grpc.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/harness.h"

static void add(struct grpc_stream *stream, const void *bytes, size_t length)
{
    assert_int_equal(grpc_stream_add(stream, bytes, length, NULL), 0);
}

static void expect_message(struct grpc_stream *stream, const char *message)
{
    const uint8_t *data = NULL;
    size_t length = 0;
    assert_int_equal(grpc_stream_next(stream, &data, &length, NULL), 1);
    assert_int_equal(length, strlen(message));
    assert_memory_equal(data, message, length);
}

static int next_of(struct grpc_stream *stream)
{
    const uint8_t *data = NULL;
    size_t length = 0;
    return grpc_stream_next(stream, &data, &length, NULL);
}

static void a_frame_is_the_message_behind_its_length(void **state)
{
    (void)state;
    autofree uint8_t *frame = grpc_frame("abc", 3);
    assert_memory_equal(frame, "\0\0\0\0\3abc", 8);
    char long_one[300] = { 0 };
    autofree uint8_t *longer = grpc_frame(long_one, sizeof(long_one));
    assert_memory_equal(longer, "\0\0\0\1\x2c", GRPC_PREFIX_BYTES);
    autofree uint8_t *empty = grpc_frame(NULL, 0);
    assert_memory_equal(empty, "\0\0\0\0\0", GRPC_PREFIX_BYTES);
}

static void messages_come_out_whole_wherever_they_were_cut(void **state)
{
    static const char bytes[] = "\0\0\0\0\5first\0\0\0\0\0\0\0\0\0\6second";
    (void)state;
    for (size_t cut = 0; cut < sizeof(bytes); cut++) {
        struct grpc_stream stream = { 0 };
        int seen = 0;
        const uint8_t *data = NULL;
        size_t length = 0;
        size_t total = 0;
        add(&stream, bytes, cut);
        for (; grpc_stream_next(&stream, &data, &length, NULL) == 1; seen++)
            total += length;
        add(&stream, bytes + cut, sizeof(bytes) - 1 - cut);
        for (; grpc_stream_next(&stream, &data, &length, NULL) == 1; seen++)
            total += length;
        assert_int_equal(seen, 3);
        assert_int_equal(total, 11);
        assert_false(grpc_stream_is_inside(&stream));
        grpc_stream_done(&stream);
    }
}

static void several_in_one_piece_come_in_order(void **state)
{
    struct grpc_stream stream = { 0 };
    (void)state;
    add(&stream, "\0\0\0\0\3one\0\0\0\0\3two\0\0", 18);
    expect_message(&stream, "one");
    expect_message(&stream, "two");
    assert_int_equal(next_of(&stream), 0);
    assert_true(grpc_stream_is_inside(&stream));
    grpc_stream_done(&stream);
}

static void what_is_compressed_or_too_long_is_refused_by_its_prefix(void **state)
{
    struct grpc_stream compressed = { 0 };
    struct grpc_stream longer = { 0 };
    (void)state;
    add(&compressed, "\1", 1);
    assert_int_equal(next_of(&compressed), -EPROTO);
    add(&longer, "\0\4\0\0\1", GRPC_PREFIX_BYTES); /* a byte over 64 MiB */
    assert_int_equal(next_of(&longer), -E2BIG);
    grpc_stream_done(&compressed);
    grpc_stream_done(&longer);
}

static void only_a_known_code_is_a_status(void **state)
{
    (void)state;
    assert_int_equal(grpc_read_status("0"), 0);
    assert_int_equal(grpc_read_status("16"), 16);
    assert_int_equal(grpc_read_status("17"), -1);
    assert_int_equal(grpc_read_status(""), -1);
    assert_int_equal(grpc_read_status("-1"), -1);
    assert_int_equal(grpc_read_status("0 OK"), -1);
}

static void expect_words(const char *from, const char *to)
{
    char words[64];
    (void)snprintf(words, sizeof(words), "%s", from);
    grpc_decode_words(words);
    assert_string_equal(words, to);
}

static void words_are_decoded_and_fit_for_a_line(void **state)
{
    (void)state;
    expect_words("etcdserver: no leader", "etcdserver: no leader");
    expect_words("100%25 sure%2c %C3%bc", "100% sure, \xc3\xbc");
    expect_words("a%0Ab\tc", "a?b?c");
    expect_words("%", "%");
    expect_words("%4", "%4");
    expect_words("%zz%00", "%zz?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_is_the_message_behind_its_length),
        cmocka_unit_test(messages_come_out_whole_wherever_they_were_cut),
        cmocka_unit_test(several_in_one_piece_come_in_order),
        cmocka_unit_test(what_is_compressed_or_too_long_is_refused_by_its_prefix),
        cmocka_unit_test(only_a_known_code_is_a_status),
        cmocka_unit_test(words_are_decoded_and_fit_for_a_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
