/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud-config/document.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cloud-config/scalar.h"

#include "tests/unit/harness.h"

static struct node *parse(const char *text)
{
    struct node *root = NULL;
    int line;
    assert_int_equal(document_parse(text, strlen(text), &root, &line, NULL), 0);
    return root;
}

static void plain_words_have_the_types_of_yaml_1_1(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum node_kind kind;
    } cases[] = {
        {"",            NODE_NULL  },
        { "~",          NODE_NULL  },
        { "Null",       NODE_NULL  },
        { "nULL",       NODE_STRING},
        { "yes",        NODE_BOOL  },
        { "Off",        NODE_BOOL  },
        { "oFF",        NODE_STRING},
        { "y",          NODE_BOOL  },
        { "0",          NODE_INT   },
        { "-10",        NODE_INT   },
        { "0644",       NODE_INT   },
        { "0o644",      NODE_INT   },
        { "0x1F",       NODE_INT   },
        { "0b101",      NODE_INT   },
        { "1_000",      NODE_INT   },
        { "_1",         NODE_STRING},
        { "08",         NODE_FLOAT },
        { "2.5",        NODE_FLOAT },
        { "1e3",        NODE_FLOAT },
        { ".5",         NODE_FLOAT },
        { "5.",         NODE_FLOAT },
        { "-.inf",      NODE_FLOAT },
        { ".",          NODE_STRING},
        { "1e",         NODE_STRING},
        { "14:00",      NODE_STRING},
        { "0xg",        NODE_STRING},
        { "2001-01-01", NODE_STRING},
        { "+",          NODE_STRING},
        { "10.0.0.7",   NODE_STRING},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (scalar_kind(cases[i].text) != cases[i].kind)
            fail_msg("\"%s\" is taken for kind %d", cases[i].text, scalar_kind(cases[i].text));
}

static void integers_are_read_in_their_base(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t value;
    } cases[] = {
        {"0",                     0        },
        { "-10",                  -10      },
        { "+7",                   7        },
        { "0644",                 420      },
        { "0o17",                 15       },
        { "0x1f",                 31       },
        { "-0b11",                -3       },
        { "1_000",                1000     },
        { "-9223372036854775808", INT64_MIN},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t value = -1;
        assert_true(scalar_parse_int(cases[i].text, &value));
        assert_true(value == cases[i].value);
    }
    int64_t untouched = 5;
    assert_false(scalar_parse_int("9223372036854775808", &untouched));
    assert_int_equal(untouched, 5);
}

static void floats_print_as_go_prints_them(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0,                 "0"                 },
        { 3,                "3"                 },
        { 2.5,              "2.5"               },
        { -0.25,            "-0.25"             },
        { 0.1,              "0.1"               },
        { 1.0 / 3,          "0.3333333333333333"},
        { 100,              "100"               },
        { 123456,           "123456"            },
        { 999999.5,         "999999.5"          },
        { 1e6,              "1e+06"             },
        { 12345678.5,       "1.23456785e+07"    },
        { 0.0001,           "0.0001"            },
        { 0.00012,          "0.00012"           },
        { 0.00001,          "1e-05"             },
        { 1e-6,             "1e-06"             },
        { 1e100,            "1e+100"            },
        { 5e-324,           "5e-324"            },
        { (double)INFINITY, "+Inf"              },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char printed[SCALAR_FLOAT_ROOM];
        scalar_print_float(cases[i].value, printed);
        assert_string_equal(printed, cases[i].text);
    }
}

static void values_know_their_lines(void **state)
{
    (void)state;
    autoptr(node) root = parse("a: 1\nb:\n  - x\n\n  - c: |\n      a: 1\n\"d\": {e: 2}\n");
    assert_int_equal(node_find_entry(root, "a")->line, 1);
    const struct node *list = node_find(root, "b");
    assert_int_equal(list->count, 2);
    assert_int_equal(list->entries[1].line, 5);
    assert_int_equal(node_find_entry(root, "d")->line, 7);
    assert_int_equal(node_find_entry(node_find(root, "d"), "e")->line, 7);
}

static void dashes_in_keys_are_underscores(void **state)
{
    (void)state;
    autoptr(node) root = parse("reboot-strategy: off\n");
    assert_string_equal(node_text(node_find(root, "reboot_strategy")), "off");
    assert_null(node_find(root, "reboot-strategy"));
}

static void booleans_are_true_only_unquoted(void **state)
{
    (void)state;
    autoptr(node) root = parse("a: y\nb: On\nc: 'true'\nd: off\ne: n\nf: TRUE\ng: oN\n");
    assert_true(node_bool(node_find(root, "a")));
    assert_true(node_bool(node_find(root, "b")));
    assert_false(node_bool(node_find(root, "c")));
    assert_false(node_bool(node_find(root, "d")));
    assert_false(node_bool(node_find(root, "e")));
    assert_true(node_bool(node_find(root, "f")));
    assert_false(node_bool(node_find(root, "g")));
    assert_false(node_bool(NULL));
}

static void repeated_keys_merge_and_are_remembered(void **state)
{
    (void)state;
    autoptr(node) root = parse("a: 1\nl: [x]\nm: {p: 1}\na: 2\nl: [y, z]\nm: {q: 2, p: 3}\n");
    assert_string_equal(node_text(node_find(root, "a")), "2");
    assert_int_equal(node_find_entry(root, "a")->repeats_line, 1);
    assert_int_equal(node_find(root, "l")->count, 3);
    assert_string_equal(node_text(node_find(node_find(root, "m"), "p")), "3");
    assert_string_equal(node_text(node_find(node_find(root, "m"), "q")), "2");
}

static void merge_key_gives_defaults_wherever_it_stands(void **state)
{
    (void)state;
    autoptr(node) root =
        parse("x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz:\n  <<: [*x, *y]\n  a: 3\n");
    const struct node *z = node_find(root, "z");
    assert_int_equal(z->count, 3);
    assert_string_equal(node_text(node_find(z, "a")), "3");
    assert_string_equal(node_text(node_find(z, "b")), "1");
    assert_string_equal(node_text(node_find(z, "c")), "2");
}

static void only_the_first_document_is_read(void **state)
{
    (void)state;
    autoptr(node) root = parse("a: 1\n---\nb: 2\n");
    assert_int_equal(root->count, 1);
    autoptr(node) empty = parse("# nothing\n");
    assert_int_equal(empty->kind, NODE_NULL);
}

static void a_mapping_with_too_many_keys_is_refused(void **state)
{
    (void)state;
    autotext text = { 0 };
    for (int i = 0; i <= DOCUMENT_MAX_KEYS; i++)
        text_addf(&text, "k%d: 1\n", i);
    struct node *root = NULL;
    int line = 0;
    assert_int_equal(document_parse(text.data, text.length, &root, &line, NULL), -E2BIG);
    assert_int_equal(line, DOCUMENT_MAX_KEYS + 1);
    assert_null(root);
}

/* Without a bound this takes minutes, and the test program with it. */
static void nesting_is_refused_before_it_costs_time(void **state)
{
    (void)state;
    enum { LENGTH = 200000 };
    autofree char *text = malloc(LENGTH);
    assert_non_null(text);
    memset(text, '[', LENGTH);
    struct node *root = NULL;
    int line = 0;
    assert_int_equal(document_parse(text, LENGTH, &root, &line, NULL), -E2BIG);
    assert_int_equal(line, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_words_have_the_types_of_yaml_1_1),
        cmocka_unit_test(integers_are_read_in_their_base),
        cmocka_unit_test(floats_print_as_go_prints_them),
        cmocka_unit_test(values_know_their_lines),
        cmocka_unit_test(dashes_in_keys_are_underscores),
        cmocka_unit_test(booleans_are_true_only_unquoted),
        cmocka_unit_test(repeated_keys_merge_and_are_remembered),
        cmocka_unit_test(merge_key_gives_defaults_wherever_it_stands),
        cmocka_unit_test(only_the_first_document_is_read),
        cmocka_unit_test(nesting_is_refused_before_it_costs_time),
        cmocka_unit_test(a_mapping_with_too_many_keys_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
