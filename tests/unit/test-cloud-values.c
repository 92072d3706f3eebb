/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "cloud-config/encoding.h"
#include "cloud-config/fleet.h"
#include "cloud-config/options.h"
#include "cloud-config/paths.h"
#include "cloud-config/roles.h"
#include "cloud-config/substitute.h"
#include "cloud-config/user_data.h"

#include "tests/unit/harness.h"

static void assert_substituted(const char *text, const char *expected)
{
    struct addresses addresses = {
        .values = {"192.0.2.1", "10.0.0.7", NULL, NULL}
    };
    autofree char *result = substitute_text(text, &addresses);
    assert_string_equal(result, expected);
}

static void addresses_replace_their_names(void **state)
{
    (void)state;
    assert_substituted("$private_ipv4", "10.0.0.7");
    assert_substituted("a $public_ipv4,$private_ipv4 b", "a 192.0.2.1,10.0.0.7 b");
    assert_substituted("$private_ipv4x", "10.0.0.7x");
    assert_substituted("$private_ipv4$private_ipv4", "10.0.0.710.0.0.7");
    assert_substituted("[$public_ipv6]", "[]");
}

static void other_dollars_are_left_alone(void **state)
{
    (void)state;
    assert_substituted("${private_ipv4} $PRIVATE_IPV4 $unknown $", "${private_ipv4} $PRIVATE_IPV4 "
                                                                   "$unknown $");
    assert_substituted("", "");
}

static void a_backslash_keeps_the_name(void **state)
{
    (void)state;
    assert_substituted("\\$private_ipv4", "$private_ipv4");
    assert_substituted("\\\\$private_ipv4", "\\$private_ipv4");
    assert_substituted("\\$other \\", "\\$other \\");
}

static void an_address_that_is_missed_is_remembered(void **state)
{
    (void)state;
    struct addresses addresses = {
        .values = {NULL, "10.0.0.7", NULL, NULL}
    };
    autofree char *result = substitute_text("$public_ipv6 \\$private_ipv6", &addresses);
    assert_string_equal(result, " $private_ipv6");
    assert_false(addresses.missed[0]);
    assert_true(addresses.missed[2]);
    assert_false(addresses.missed[3]);
}

static void an_address_cannot_change_the_structure(void **state)
{
    (void)state;
    autoptr(node) root = NULL;
    int line;
    static const char text[] = "hostname: $private_ipv4\n";
    assert_int_equal(document_parse(text, strlen(text), &root, &line, NULL), 0);
    struct addresses addresses = {
        .values = {NULL, "x\nwrite_files: [{path: /evil}]", NULL}
    };
    assert_int_equal(substitute_document(root, &addresses, NULL), 0);
    assert_int_equal(root->count, 1);
    assert_null(node_find(root, "write_files"));
}

static void environment_values_cannot_leave_their_quotes(void **state)
{
    (void)state;
    autotext text = { 0 };
    fleet_add_environment(&text, "A", "x\"y\\z%h\nExecStart=/evil\t'$HOME");
    assert_string_equal(text.data, "Environment=\"A=x\\\"y\\\\z%%h\\nExecStart=/evil\\t'$HOME\"\n");
}

static void base64_is_strict(void **state)
{
    (void)state;
    static const char *const bad[] = { "QQ",    "QQ=",  "Q===", "QQ=A", "QQ==QQ==",
                                       "QQ== ", "_-8=", "=",    "QUJD=" };
    static const struct {
        const char *text, *decoded;
    } good[] = {
        {"",            ""   },
        { "QQ==",       "A"  },
        { "QUI=",       "AB" },
        { "QU\r\nJD\n", "ABC"},
        { "QR==",       "A"  }
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char *decoded = NULL;
        size_t length;
        assert_int_equal(encoding_base64_decode(bad[i], &decoded, &length, NULL), -EINVAL);
        assert_null(decoded);
    }
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        autofree char *decoded = NULL;
        size_t length;
        assert_int_equal(encoding_base64_decode(good[i].text, &decoded, &length, NULL), 0);
        assert_string_equal(decoded, good[i].decoded);
        assert_int_equal(length, strlen(good[i].decoded));
    }
}

static void gzip_is_told_from_what_is_not(void **state)
{
    (void)state;
    char *decoded = NULL;
    size_t length;
    assert_int_equal(encoding_decode("gz+b64", "H4sI", 4, &decoded, &length, NULL), -EOPNOTSUPP);
    assert_int_equal(encoding_decode("gzip", "abc", 3, &decoded, &length, NULL), -EINVAL);
    assert_int_equal(encoding_decode("BASE64", "QQ==", 4, &decoded, &length, NULL), -EINVAL);
}

static void paths_stay_below_the_root(void **state)
{
    (void)state;
    static const struct {
        const char *path, *clean;
    } cases[] = {
        {"/a/b",        "/a/b"  },
        { "a",          "/a"    },
        { "/../../etc", "/etc"  },
        { "/a/../b/.",  "/b"    },
        { "//a///b/",   "/a/b"  },
        { "/a/..",      "/"     },
        { "/...",       "/..."  },
        { "/a/..b",     "/a/..b"},
        { "..",         "/"     },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        autofree char *clean = path_clean(cases[i].path);
        assert_string_equal(clean, cases[i].clean);
    }
    assert_false(path_is_file_name("../a.service"));
    assert_false(path_is_file_name(".."));
    assert_true(path_is_file_name("a@b.service"));
}

static void roles_that_are_wrong_leave_the_others(void **state)
{
    (void)state;
    autoreport report = { 0 };
    autostrv roles = NULL;
    assert_int_equal(roles_read(" db = 3 ,x,lb=2,Up=1,", 4, &report, &roles, NULL), 0);
    assert_int_equal(strv_length(roles), 2);
    assert_string_equal(roles[0], "db=3");
    assert_string_equal(roles[1], "lb=2");
    assert_int_equal(report.count, 2);
    assert_false(report_forbids_apply(&report));
}

static void a_misspelt_role_is_recognised(void **state)
{
    (void)state;
    char db[] = "db=3", cache[] = "cache=1";
    char *roles[] = { db, cache, NULL };
    autoreport report = { 0 };
    autostrv priorities = NULL;
    assert_int_equal(
        roles_read_priorities("bd=1,cahce=2,cache=0,*=9", 7, roles, &report, &priorities, NULL), 0);
    assert_int_equal(strv_length(priorities), 4);
    assert_int_equal(report.count, 2);
    assert_int_equal(report.entries[0].line, 7);
    assert_string_equal(report.entries[0].message,
                        "role_priority names \"bd\", which no role defines (did you mean \"db\"?)");
    assert_non_null(strstr(report.entries[1].message, "did you mean \"cache\""));
}

static void first_line_tells_the_kind(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum user_data_kind kind;
    } cases[] = {
        {"",                              USER_DATA_EMPTY       },
        { "#cloud-config",                USER_DATA_CLOUD_CONFIG},
        { "#cloud-config \r\nx",          USER_DATA_CLOUD_CONFIG},
        { "#cloud-config x\n",            USER_DATA_UNKNOWN     },
        { "#cloud-configs\n",             USER_DATA_UNKNOWN     },
        { " #cloud-config\n",             USER_DATA_UNKNOWN     },
        { "\n#cloud-config\n",            USER_DATA_UNKNOWN     },
        { "#! /bin/sh\n",                 USER_DATA_SCRIPT      },
        { "{\"ignitionVersion\": 1}",     USER_DATA_IGNITION    },
        { "{\"ignitionVersion\": \"1\"}", USER_DATA_UNKNOWN     },
        { "\x1f\x8b",                     USER_DATA_GZIP        },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(user_data_kind(cases[i].text, strlen(cases[i].text)), cases[i].kind);
}

static void flags_have_both_of_gos_forms(void **state)
{
    (void)state;
    char program[] = "p", a[] = "-from-file", b[] = "/a", c[] = "--root=/r",
         d[] = "--validate=false", e[] = "-dry-run";
    char *argv[] = { program, a, b, c, d, e, NULL };
    struct options options;
    assert_int_equal(options_parse(6, argv, &options, NULL), 0);
    assert_string_equal(options.from_file, "/a");
    assert_string_equal(options.root, "/r");
    assert_false(options.validate);
    assert_true(options.dry_run);
}

static void a_wrong_command_line_says_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *argument, *message;
    } cases[] = {
        {"--nope",               "there is no option --nope"                                   },
        { "--from-url=http://x", "--from-url is not supported by this version: use --from-file"},
        { "--from-file",         "--from-file needs a value"                                   },
        { "--validate=maybe",    "--validate is on or off, not \"maybe\""                      },
        { "word",                "unexpected argument \"word\""                                },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        autofree char *argument = strdup(cases[i].argument);
        char program[] = "p";
        char *argv[] = { program, argument, NULL };
        struct options options;
        struct error err = { 0 };
        assert_int_equal(options_parse(2, argv, &options, &err), -EINVAL);
        assert_string_equal(err.text, cases[i].message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_replace_their_names),
        cmocka_unit_test(other_dollars_are_left_alone),
        cmocka_unit_test(a_backslash_keeps_the_name),
        cmocka_unit_test(an_address_that_is_missed_is_remembered),
        cmocka_unit_test(an_address_cannot_change_the_structure),
        cmocka_unit_test(environment_values_cannot_leave_their_quotes),
        cmocka_unit_test(base64_is_strict),
        cmocka_unit_test(gzip_is_told_from_what_is_not),
        cmocka_unit_test(paths_stay_below_the_root),
        cmocka_unit_test(roles_that_are_wrong_leave_the_others),
        cmocka_unit_test(a_misspelt_role_is_recognised),
        cmocka_unit_test(first_line_tells_the_kind),
        cmocka_unit_test(flags_have_both_of_gos_forms),
        cmocka_unit_test(a_wrong_command_line_says_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
