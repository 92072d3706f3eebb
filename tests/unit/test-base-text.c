/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/harness.h"

static void buffer_grows_and_hands_over(void **state)
{
    (void)state;
    autotext t = { 0 };
    for (int i = 0; i < 100; i++)
        text_addf(&t, "%d,", i % 10);
    autofree char *s = text_take(&t);
    assert_int_equal(strlen(s), 200);
    assert_memory_equal(s, "0,1,2,", 6);
    autofree char *empty = text_take(&t);
    assert_string_equal(empty, "");
}

static void what_is_formatted_is_whole_at_any_length(void **state)
{
    (void)state;
    for (int length = 0; length < 200; length++) { /* the buffer's room is 64, 128, … */
        autotext t = { 0 };
        text_add(&t, "begin");
        text_addf(&t, "%*s|", length, "");
        text_addf(&t, "%d", length);
        autofree char *expected = text_format("begin%*s|%d", length, "", length);
        assert_string_equal(t.data, expected);
        assert_int_equal(t.length, strlen(expected));
    }
}

static void numbers_are_added_in_decimal(void **state)
{
    (void)state;
    autotext t = { 0 };
    text_add_number(&t, 0);
    text_add(&t, " ");
    text_add_number(&t, 1024);
    text_add(&t, " ");
    text_add_number(&t, UINT64_MAX);
    assert_string_equal(t.data, "0 1024 18446744073709551615");
}

static void what_is_cut_makes_room_for_what_comes_next(void **state)
{
    (void)state;
    autotext t = { 0 };
    text_cut(&t, 0);
    text_add(&t, "/units/a");
    const char *data = t.data;
    text_cut(&t, 7);
    assert_string_equal(t.data, "/units/");
    text_add(&t, "b");
    assert_string_equal(t.data, "/units/b");
    assert_ptr_equal(t.data, data);
}

static void text_replaces_text(void **state)
{
    (void)state;
    autofree char *text = NULL;
    assert_int_equal(text_replace(&text, "one", NULL), 0);
    assert_string_equal(text, "one");
    assert_int_equal(text_replace(&text, text + 1, NULL), 0); /* also with a part of itself */
    assert_string_equal(text, "ne");
}

static void all_but_unreserved_characters_are_escaped_for_a_url(void **state)
{
    (void)state;
    autofree char *plain = text_escape_url("aZ09-._~");
    autofree char *other = text_escape_url("web@1 /?%\xc3\xbc");
    autofree char *empty = text_escape_url("");
    assert_string_equal(plain, "aZ09-._~");
    assert_string_equal(other, "web%401%20%2F%3F%25%C3%BC");
    assert_string_equal(empty, "");
}

static void copied_bytes_end_with_a_nul(void **state)
{
    (void)state;
    autofree char *copy = text_copy_bytes("a\0bc", 3);
    autofree char *empty = text_copy_bytes(NULL, 0);
    assert_memory_equal(copy, "a\0b", 4);
    assert_string_equal(empty, "");
}

static void only_whole_characters_are_utf8(void **state)
{
    (void)state;
    assert_true(text_is_utf8("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"));
    static const char *const bad[] = { "\x80",         "\xc3",         "\xc0\xaf",
                                       "\xed\xa0\x80", "\xe2\x82",     "\xf4\x90\x80\x80",
                                       "\xf8\x88\x80", "\xe0\x80\xaf", "\xff" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(text_is_utf8(bad[i]));
}

static void expect_made(void (*make)(char *s), const char *from, const char *to)
{
    autofree char *s = strdup(from);
    assert_non_null(s);
    make(s);
    assert_string_equal(s, to);
}

static void what_is_no_character_becomes_question_marks(void **state)
{
    (void)state;
    expect_made(text_make_utf8, "a\n\xc3\xa9 \xc3!\xe2\x82\xac\xff", "a\n\xc3\xa9 ?!\xe2\x82\xac?");
    expect_made(text_make_utf8, "cut \xe2\x82", "cut ??");
    expect_made(text_make_line, "a\r\n\x1b[m\x7f\xc3\xa9\xff", "a???[m?\xc3\xa9?");
    expect_made(text_make_line, "\xc2\x9b\xc2\xa0", "??\xc2\xa0");
    expect_made(text_make_line, "", "");
}

static void an_error_is_utf8_whatever_it_quotes_and_wherever_it_is_cut(void **state)
{
    struct error err = { 0 };
    char long_words[2 * ERROR_TEXT_MAX + 1];
    (void)state;
    for (size_t i = 0; i < sizeof(long_words) - 1; i++)
        long_words[i] = i % 2 ? '\xa9' : '\xc3';
    long_words[sizeof(long_words) - 1] = '\0';
    assert_int_equal(error_set(&err, -EINVAL, "\xff%s", long_words), -EINVAL);
    assert_true(text_is_utf8(err.text));
    assert_int_equal(error_set(&err, -EINVAL, "%s", long_words), -EINVAL);
    assert_true(text_is_utf8(err.text));
    assert_int_equal(error_prefix(&err, -EINVAL, "\xe2\x82"), -EINVAL);
    assert_true(text_is_utf8(err.text));
    assert_int_equal(error_errno(&err, -EINVAL, "/\x80"), -EINVAL);
    assert_true(text_is_utf8(err.text));
    assert_true(text_starts_with(err.text, "/?: "));
}

static void split_leaves_out_empty_pieces(void **state)
{
    (void)state;
    autostrv list = NULL;
    assert_int_equal(strv_split(",a,,b c,", ", ", &list, NULL), 0);
    assert_int_equal(strv_length(list), 3);
    assert_string_equal(list[0], "a");
    assert_string_equal(list[2], "c");
    assert_true(strv_contains(list, "b"));
}

static void numbers_are_whole_and_bounded(void **state)
{
    (void)state;
    uint64_t n = 7;
    struct error err;
    assert_int_equal(text_parse_u64("18446744073709551615", UINT64_MAX, &n, NULL), 0);
    assert_true(n == UINT64_MAX);
    assert_int_equal(text_parse_u64("18446744073709551616", UINT64_MAX, &n, NULL), -EINVAL);
    assert_int_equal(text_parse_u64("11", 10, &n, &err), -EINVAL);
    assert_string_equal(err.text, "11 is more than 10");
    assert_int_equal(text_parse_u64("1x", 10, &n, NULL), -EINVAL);
    assert_int_equal(text_parse_u64("", 10, &n, NULL), -EINVAL);
    assert_true(n == UINT64_MAX);
}

static void durations_are_gos(void **state)
{
    static const struct {
        const char *text;
        int64_t ms; /* -1: refused */
    } cases[] = {
        {"10s",             10000  },
        { "1m30s",          90000  },
        { "250ms",          250    },
        { "1.5h",           5400000},
        { ".5s",            500    },
        { "0s",             0      },
        { "10",             -1     },
        { "",               -1     },
        { "-1s",            -1     },
        { "1d",             -1     },
        { "s",              -1     },
        { "1e3s",           -1     },
        { "infs",           -1     },
        { "0x10s",          -1     },
        { "9999999999999h", -1     },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t ms = -1;
        int r = text_parse_duration_ms(cases[i].text, &ms, NULL);
        assert_int_equal(r, cases[i].ms < 0 ? -EINVAL : 0);
        assert_int_equal(ms, cases[i].ms);
    }
}

static void globs_match_as_in_go(void **state)
{
    (void)state;
    assert_true(text_glob_match("busybox@*.service", "busybox@1.service"));
    assert_true(text_glob_match("[a-c]?.service", "b1.service"));
    assert_false(text_glob_match("*", "a/b"));
    assert_false(text_glob_match("web*", "db.service"));
    assert_true(text_glob_match("web", "web"));
    assert_false(text_glob_match("web", "web.service"));
    assert_false(text_glob_match("web.service", "web"));
    assert_true(text_glob_match("web*", "web"));
    assert_true(text_glob_match("w\\*b", "w*b"));
    assert_false(text_glob_match("w\\*b", "web"));
}

static void nearest_word_is_suggested(void **state)
{
    static const char *const keys[] = { "MachineID", "MachineOf", "MachineMetadata", "Conflicts",
                                        NULL };
    (void)state;
    assert_string_equal(text_nearest("MachineMetdata", keys), "MachineMetadata");
    assert_string_equal(text_nearest("conflict", keys), "Conflicts");
    assert_null(text_nearest("Bogus", keys));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buffer_grows_and_hands_over),
        cmocka_unit_test(what_is_formatted_is_whole_at_any_length),
        cmocka_unit_test(numbers_are_added_in_decimal),
        cmocka_unit_test(what_is_cut_makes_room_for_what_comes_next),
        cmocka_unit_test(text_replaces_text),
        cmocka_unit_test(all_but_unreserved_characters_are_escaped_for_a_url),
        cmocka_unit_test(copied_bytes_end_with_a_nul),
        cmocka_unit_test(only_whole_characters_are_utf8),
        cmocka_unit_test(what_is_no_character_becomes_question_marks),
        cmocka_unit_test(an_error_is_utf8_whatever_it_quotes_and_wherever_it_is_cut),
        cmocka_unit_test(split_leaves_out_empty_pieces),
        cmocka_unit_test(numbers_are_whole_and_bounded),
        cmocka_unit_test(durations_are_gos),
        cmocka_unit_test(globs_match_as_in_go),
        cmocka_unit_test(nearest_word_is_suggested),
    };
    return cmocka_run_group_tests_name("base/text", tests, NULL, NULL);
}
