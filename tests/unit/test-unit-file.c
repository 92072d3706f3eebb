/* SPDX-License-Identifier: Apache-2.0 */
#include "units/unit_file.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "tests/unit/harness.h"

static struct unit_file *parse(const char *text)
{
    struct unit_file *file = NULL;
    struct error err = { 0 };
    if (unit_file_parse(text, strlen(text), &file, &err) < 0)
        fail_msg("%s: %s", text, err.text);
    return file;
}

static void assert_option(const struct unit_file *file, size_t index, const char *section,
                          const char *key, const char *value, unsigned int line)
{
    assert_true(index < file->count);
    const struct unit_option *option = &file->options[index];
    assert_string_equal(option->section, section);
    assert_string_equal(option->key, key);
    assert_string_equal(option->value, value);
    assert_int_equal(option->line, line);
}

static void options_keep_order_repeats_and_lines(void **state)
{
    (void)state;
    autoptr(unit_file) file = parse("# comment\n"
                                    "[Unit]\n"
                                    "After = a.service \n"
                                    "; another\n"
                                    "After=\n"
                                    "[Service]\n"
                                    "ExecStart=/bin/sh -c \"a=b;c#d\"\n"
                                    "[Unit]\n"
                                    "After=b.service");
    assert_int_equal(file->count, 4);
    assert_option(file, 0, "Unit", "After", "a.service", 3);
    assert_option(file, 1, "Unit", "After", "", 5);
    assert_option(file, 2, "Service", "ExecStart", "/bin/sh -c \"a=b;c#d\"", 7);
    assert_option(file, 3, "Unit", "After", "b.service", 9);
    assert_int_equal(file->section_count, 3);
    assert_string_equal(unit_file_get(file, "Unit", "After"), "b.service");
    assert_null(unit_file_get(file, "Service", "After"));
}

static void continuation_joins_with_a_space_over_comments(void **state)
{
    (void)state;
    autoptr(unit_file) file = parse("[S]\n"
                                    "A=one\\\n"
                                    "   two \\\n"
                                    "# not part of it \\\n"
                                    "  ; nor this\n"
                                    "\tthree\n"
                                    "B=x\\\n"
                                    "\n"
                                    "C=even\\\\\n"
                                    "D=odd\\\\\\\n"
                                    "E=joined\n"
                                    "F=open\\");
    assert_int_equal(file->count, 5);
    assert_option(file, 0, "S", "A", "one    two  \tthree", 2);
    assert_option(file, 1, "S", "B", "x", 7);
    assert_option(file, 2, "S", "C", "even\\\\", 9);
    assert_option(file, 3, "S", "D", "odd\\\\ E=joined", 10);
    assert_option(file, 4, "S", "F", "open", 12);
}

static void every_line_end_counts_once(void **state)
{
    (void)state;
    autoptr(unit_file) file = parse("\xef\xbb\xbf[S]\r\nA=1\r\n\r\nB=a\\\r\nb\nC=3\rD=4\n\rE=5");
    assert_int_equal(file->count, 5);
    assert_option(file, 0, "S", "A", "1", 2);
    assert_option(file, 1, "S", "B", "a b", 4);
    assert_option(file, 2, "S", "C", "3", 6);
    assert_option(file, 3, "S", "D", "4", 7);
    assert_option(file, 4, "S", "E", "5", 8);
}

static void one_byte_order_mark_is_dropped_wherever_a_line_begins(void **state)
{
    (void)state;
    autoptr(unit_file) file = parse("[S]\n\xef\xbb\xbf# comment\nA=1\n");
    assert_option(file, 0, "S", "A", "1", 3);
    struct unit_file *none = NULL;
    const char *twice = "\xef\xbb\xbf[S]\n \xef\xbb\xbfK=1\n";
    assert_int_equal(unit_file_parse(twice, strlen(twice), &none, NULL), -EINVAL);
}

static char *written(const struct unit_file *file)
{
    char *text = NULL;
    assert_int_equal(unit_file_write(file, &text, NULL), 0);
    return text;
}

static void writing_gives_back_every_byte(void **state)
{
    static const char *const texts[] = {
        "",
        "\n",
        "# only a comment",
        "\xef\xbb\xbf# mark\r\n[S]\r\n  A = 1\\\r\n # between\r\n\t2 \r\n\r\n;end",
        "[S]\n\n\n  [T]  \n A=\\\n\\\n\n\n#x\nB=y",
        "[S]\rA=1\n\r\rB=open\\",
        "[S]\nA=open\\\n# c\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        autoptr(unit_file) file = parse(texts[i]);
        autofree char *text = written(file);
        assert_string_equal(text, texts[i]);
    }
}

static void pieces_lie_edge_to_edge(void **state)
{
    static const char text[] = "# a\n\n[S]\n# b\nA=1\\\n# in\n 2\n\n# c\nB=2\n";
    static const enum unit_piece_kind kinds[] = { UNIT_PIECE_TEXT, UNIT_PIECE_SECTION,
                                                  UNIT_PIECE_TEXT, UNIT_PIECE_OPTION,
                                                  UNIT_PIECE_TEXT, UNIT_PIECE_OPTION };
    (void)state;
    autoptr(unit_file) file = parse(text);
    size_t offset = 0;
    assert_int_equal(file->piece_count, sizeof(kinds) / sizeof(kinds[0]));
    for (size_t i = 0; i < file->piece_count; i++) {
        assert_int_equal(file->pieces[i].kind, kinds[i]);
        assert_int_equal(file->pieces[i].offset, offset);
        offset += file->pieces[i].length;
    }
    assert_int_equal(offset, strlen(text));
}

static void a_changed_option_is_written_anew_and_alone(void **state)
{
    (void)state;
    autoptr(unit_file) file = parse("# a\n[S]\n A = 1\\\n2\n# b\nA=3\n");
    assert_int_equal(unit_option_set(&file->options[0], "x\\", NULL), 0);
    autofree char *text = written(file);
    assert_string_equal(text, "# a\n[S]\nA=x\\ \n# b\nA=3\n");
    autoptr(unit_file) again = parse(text);
    assert_option(again, 0, "S", "A", "x\\", 3);
}

static void empty_sections_are_seen(void **state)
{
    (void)state;
    autoptr(unit_file) file = parse("[Container]\n");
    assert_int_equal(file->count, 0);
    assert_true(unit_file_has_section(file, "Container"));
    assert_false(unit_file_has_section(file, "container"));
}

static void an_empty_assignment_clears_a_list(void **state)
{
    (void)state;
    autoptr(unit_file) file = parse("[S]\nA=1\nA=\nB=1\nB=\nB=2\n");
    assert_false(unit_file_has_value(file, "S", "A"));
    assert_true(unit_file_has_value(file, "S", "B"));
    assert_false(unit_file_has_value(file, "S", "C"));
}

static void a_failed_parse_leaves_the_result_alone(void **state)
{
    (void)state;
    struct unit_file *file = (struct unit_file *)state;
    struct error err = { 0 };
    assert_int_equal(unit_file_parse("[S]\nA=1\n[T", 10, &file, &err), -EINVAL);
    assert_ptr_equal(file, state);
    assert_string_equal(err.text,
                        "line 3: \"[T\": a section's line ends in ']' and nothing follows it");
}

static void size_is_bounded(void **state)
{
    (void)state;
    size_t length = UNIT_FILE_MAX_BYTES + 1;
    autofree char *text = malloc(length);
    assert_non_null(text);
    memset(text, 'x', length);
    memcpy(text, "[S]\nA=", 6);
    autoptr(unit_file) file = NULL;
    struct error err = { 0 };
    assert_int_equal(unit_file_parse(text, length, &file, &err), -EINVAL);
    assert_string_equal(err.text, "a unit file of 1048577 bytes is too long; 1048576 are allowed");
    assert_int_equal(unit_file_parse(text, length - 1, &file, NULL), 0);
    assert_int_equal(strlen(file->options[0].value), UNIT_FILE_MAX_BYTES - 6);
}

/* The pieces between '|' of a case are the words. */
static void words_follow_systemds_quoting(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"",                            ""                          },
        { "  a  b\tc ",                 "a|b|c"                     },
        { "\"a b\" 'c \"d'",            "a b|c \"d"                 },
        { "a\"b c\"d",                  "ab cd"                     },
        { "\\x41\\101\\u00e9\\s\\t.",   "AA\xc3\xa9 \t."            },
        { "\\U0001f600",                "\xf0\x9f\x98\x80"          },
        { "a\\ b",                      "a\\ b"                     },
        { "'a\\'b'",                    "a'b"                       },
        { "\\q \\x4 \\8 \\000 \\ud800", "\\q|\\x4|\\8|\\000|\\ud800"},
        { "a\\",                        "a\\"                       },
        { "\\777",                      "\\777"                     },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        autostrv words = NULL;
        autostrv wanted = NULL;
        assert_int_equal(unit_words_split(cases[i][0], &words, NULL), 0);
        assert_int_equal(strv_split(cases[i][1], "|", &wanted, NULL), 0);
        assert_int_equal(strv_length(words), strv_length(wanted));
        for (size_t w = 0; wanted && wanted[w]; w++)
            assert_string_equal(words[w], wanted[w]);
    }
    autostrv empty = NULL;
    assert_int_equal(unit_words_split("'' \"\"", &empty, NULL), 0);
    assert_int_equal(strv_length(empty), 2);
    struct error err = { 0 };
    assert_int_equal(unit_words_split("a 'b", &empty, &err), -EINVAL);
    assert_string_equal(err.text, "a quote ' is not closed");
}

static void words_are_bounded(void **state)
{
    (void)state;
    autotext t = { 0 };
    for (int i = 0; i < UNIT_LIST_MAX; i++)
        text_add(&t, "a ");
    autostrv words = NULL;
    assert_int_equal(unit_words_split(t.data, &words, NULL), 0);
    assert_int_equal(strv_length(words), UNIT_LIST_MAX);
    text_add(&t, "b");
    struct error err = { 0 };
    assert_int_equal(unit_words_split(t.data, &words, &err), -EINVAL);
    assert_string_equal(err.text, "more than 4096 words");
}

static void booleans_are_systemds(void **state)
{
    (void)state;
    bool value = false;
    assert_int_equal(unit_boolean_parse("Yes", &value, NULL), 0);
    assert_true(value);
    assert_int_equal(unit_boolean_parse("maybe", &value, NULL), -EINVAL);
    assert_true(value);
    assert_int_equal(unit_boolean_parse("off", &value, NULL), 0);
    assert_false(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_keep_order_repeats_and_lines),
        cmocka_unit_test(continuation_joins_with_a_space_over_comments),
        cmocka_unit_test(every_line_end_counts_once),
        cmocka_unit_test(one_byte_order_mark_is_dropped_wherever_a_line_begins),
        cmocka_unit_test(writing_gives_back_every_byte),
        cmocka_unit_test(pieces_lie_edge_to_edge),
        cmocka_unit_test(a_changed_option_is_written_anew_and_alone),
        cmocka_unit_test(empty_sections_are_seen),
        cmocka_unit_test(an_empty_assignment_clears_a_list),
        cmocka_unit_test(a_failed_parse_leaves_the_result_alone),
        cmocka_unit_test(size_is_bounded),
        cmocka_unit_test(words_follow_systemds_quoting),
        cmocka_unit_test(words_are_bounded),
        cmocka_unit_test(booleans_are_systemds),
    };
    return cmocka_run_group_tests_name("units/unit_file", tests, NULL, NULL);
}
