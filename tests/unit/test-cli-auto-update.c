/* SPDX-License-Identifier: Apache-2.0 */
/* What auto-update makes of the answers that it gets: a registry's, and a rollout's history. */
#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "cli/program.h"
#include "cli/registry.h"
#include "cli/rollouts.h"
#include "tests/unit/harness.h"

#define ONE "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define TWO "sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"

static void digests_come_in_the_order_of_the_registry(void **state)
{
    autostrv digests = NULL;
    (void)state;
    assert_int_equal(registry_read(TWO "\n" ONE "\n", 0, &digests, NULL), 0);
    assert_int_equal(strv_length(digests), 2);
    assert_string_equal(digests[0], TWO);
    assert_string_equal(digests[1], ONE);
}

static void what_is_no_digest_pins_nothing(void **state)
{
    static const struct {
        const char *output;
        int status;
        int code;
        const char *words;
    } cases[] = {
        {"image quay.io/a:1: its registry has no such image\n", 1,                     -EIO,
         "image quay.io/a:1: its registry has no such image"                                                                   },
        { "a warning\nimage quay.io/a:1: it is gone\n",         1,                     -EIO,    "image quay.io/a:1: it is gone"},
        { "",                                                   1,                     -EIO,    "it said nothing"              },
        { "",                                                   PROGRAM_NOT_INSTALLED, -ENOENT, "is not installed"             },
        { "",                                                   0,                     -EPROTO, "it said nothing"              },
        { ONE "\nsha256:12\n",                                  0,                     -EPROTO, "is no digest"                 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        autostrv digests = NULL;
        struct error err = { 0 };
        assert_int_equal(registry_read(cases[i].output, cases[i].status, &digests, &err),
                         cases[i].code);
        if (!strstr(err.text, cases[i].words))
            assert_string_equal(err.text, cases[i].words);
        assert_null(digests);
    }
}

static bool took_back(const char *history, const char *hash)
{
    autojson list = NULL;
    assert_int_equal(json_read(history, strlen(history), &list, NULL), 0);
    autojson rollout = json_pack("{s:O}", "history", list);
    return rollouts_took_back(rollout, hash);
}

static void a_text_that_was_taken_back_is_known_and_no_other(void **state)
{
    static const char failed[] = "[{\"hash\":\"a\",\"how\":\"found\"},"
                                 "{\"hash\":\"b\",\"how\":\"start\"},"
                                 "{\"hash\":\"a\",\"how\":\"rollback of 2\"}]";
    static const char undone[] = "[{\"hash\":\"a\",\"how\":\"found\"},"
                                 "{\"hash\":\"b\",\"how\":\"start\"},"
                                 "{\"hash\":\"a\",\"how\":\"undo to 1\"}]";
    (void)state;
    assert_true(took_back(failed, "b"));
    assert_true(took_back(undone, "b"));
    assert_false(took_back(failed, "a"));
    assert_false(took_back(failed, "c"));
    assert_false(rollouts_took_back(NULL, "a"));
}

/* The tag itself went back, or somebody rolled it out once more. */
static void what_came_after_a_text_last_counts(void **state)
{
    static const char moved_on[] = "[{\"hash\":\"a\",\"how\":\"found\"},"
                                   "{\"hash\":\"b\",\"how\":\"start\"}]";
    static const char again[] = "[{\"hash\":\"b\",\"how\":\"start\"},"
                                "{\"hash\":\"a\",\"how\":\"rollback of 1\"},"
                                "{\"hash\":\"b\",\"how\":\"start\"},"
                                "{\"hash\":\"c\",\"how\":\"start\"}]";
    (void)state;
    assert_false(took_back(moved_on, "a"));
    assert_false(took_back(again, "b"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests_come_in_the_order_of_the_registry),
        cmocka_unit_test(what_is_no_digest_pins_nothing),
        cmocka_unit_test(a_text_that_was_taken_back_is_known_and_no_other),
        cmocka_unit_test(what_came_after_a_text_last_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
