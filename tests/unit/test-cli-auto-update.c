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
    struct program_said said = { .output = (char *)TWO "\n" ONE "\n", .complaints = (char *)"" };
    autostrv digests = NULL;
    (void)state;
    assert_int_equal(registry_read(&said, &digests, NULL), 0);
    assert_int_equal(strv_length(digests), 2);
    assert_string_equal(digests[0], TWO);
    assert_string_equal(digests[1], ONE);
}

/* Once an answer takes a while, muster-container tells on stderr how it gets on. */
static void what_the_registry_lets_us_wait_for_is_still_its_answer(void **state)
{
    static const char script[] = "echo 'image quay.io/a:1: asking its registry: 5 of 60 s' >&2;"
                                 "echo " TWO ";"
                                 "echo 'image quay.io/a:1: asking its registry: 10 of 60 s' >&2;"
                                 "echo " ONE;
    char *const argv[] = { (char *)"sh", (char *)"-c", (char *)script, NULL };
    autosaid said = { 0 };
    autostrv digests = NULL;
    (void)state;
    assert_int_equal(program_hear(argv, NULL, &said, NULL), 0);
    assert_int_equal(registry_read(&said, &digests, NULL), 0);
    assert_int_equal(strv_length(digests), 2);
    assert_string_equal(digests[0], TWO);
    assert_string_equal(digests[1], ONE);
}

/* More than a pipe holds on the one, while the other is still open. */
static void a_program_that_says_much_on_either_side_is_heard_out(void **state)
{
    static const char script[] = "head -c 200000 /dev/zero | tr '\\0' e >&2;"
                                 "head -c 300000 /dev/zero | tr '\\0' o; exit 3";
    char *const argv[] = { (char *)"sh", (char *)"-c", (char *)script, NULL };
    autosaid said = { 0 };
    (void)state;
    assert_int_equal(program_hear(argv, NULL, &said, NULL), 0);
    assert_int_equal(said.status, 3);
    assert_int_equal(strlen(said.complaints), 200000);
    assert_int_equal(strspn(said.complaints, "e"), 200000);
    assert_int_equal(strlen(said.output), 300000);
    assert_int_equal(strspn(said.output, "o"), 300000);
}

static void what_is_no_digest_pins_nothing(void **state)
{
    static const struct {
        const char *output;
        const char *complaints;
        int status;
        int code;
        const char *words;
    } cases[] = {
        {"",                   "image quay.io/a:1: its registry has no such image\n", 1,                     -EIO,
         "image quay.io/a:1: its registry has no such image"                                                                                         },
        { "",                  "a warning\nimage quay.io/a:1: it is gone\n",          1,                     -EIO,
         "image quay.io/a:1: it is gone"                                                                                                             },
        { ONE "\n",            "image quay.io/a:1: it is gone\n",                     1,                     -EIO,    "image quay.io/a:1: it is gone"},
        { "",                  "",                                                    1,                     -EIO,    "it said nothing"              },
        { "",                  "",                                                    PROGRAM_NOT_INSTALLED, -ENOENT, "is not installed"             },
        { "",                  "",                                                    0,                     -EPROTO, "it said nothing"              },
        { ONE "\nsha256:12\n", "",                                                    0,                     -EPROTO, "is no digest"                 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        autostrv digests = NULL;
        struct error err = { 0 };
        const struct program_said said = { (char *)cases[i].output, (char *)cases[i].complaints,
                                           cases[i].status };
        assert_int_equal(registry_read(&said, &digests, &err), cases[i].code);
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
        cmocka_unit_test(what_the_registry_lets_us_wait_for_is_still_its_answer),
        cmocka_unit_test(a_program_that_says_much_on_either_side_is_heard_out),
        cmocka_unit_test(what_is_no_digest_pins_nothing),
        cmocka_unit_test(a_text_that_was_taken_back_is_known_and_no_other),
        cmocka_unit_test(what_came_after_a_text_last_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
