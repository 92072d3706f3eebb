/* SPDX-License-Identifier: Apache-2.0 */
/* What is decided while an image comes: what skopeo's words mean, and when progress is news. */
#include <errno.h>
#include <string.h>

#include "container/progress.h"
#include "container/skopeo.h"
#include "tests/unit/harness.h"

/* As skopeo 1.9 writes. */
#define FATAL(message) "time=\"2026-01-31T10:00:00Z\" level=fatal msg=\"" message "\"\n"
#define PARSING        "Error parsing image name \\\"docker://h:1/a/b:v1\\\": "

static void skopeos_words_become_a_code_and_a_lesson(void **state)
{
    (void)state;
    static const struct {
        const char *complaint;
        int code;
        const char *words;
    } cases[] = {
        {FATAL(PARSING "reading manifest v1 in h:1/a/b: manifest unknown: manifest unknown"),
         -ENOENT,
         "its registry has no such image (skopeo: reading manifest v1 in h:1/a/b: manifest "
          "unknown: manifest unknown)"                                                                                                                                    },
        { FATAL(PARSING "pinging container registry h:1: Get \\\"http://h:1/v2/\\\": dial tcp: "
                        "connect: connection refused"),
         -EAGAIN,                                                                                          "nothing listens where its registry should be (skopeo: pinging"},
        { FATAL(PARSING "reading manifest v1 in h:1/a/b: unauthorized: authentication required"),
         -EACCES,                                                                                          "put them into /etc/muster/auth.json"                          },
        { FATAL("pinging container registry h:1: Get \\\"https://h:1/v2/\\\": x509: certificate "
                "signed by unknown authority"),
         -EPROTO,                                                                                          "/etc/containers/certs.d/HOST[:PORT]/ca.crt"                   },
        { FATAL("writing blob: storing blob to file \\\"/x\\\": write /x: no space left on "
                "device"),
         -ENOSPC,                                                                                          "the disk is full"                                             },
        { "level=warning msg=\"careful\"\n" FATAL("dial tcp: lookup h: no such host"),            -EAGAIN,
         "the name of its registry is not known (skopeo: dial tcp: lookup h: no such host)"                                                                               },
        { FATAL("something new"),                                                                 -EAGAIN, "skopeo: something new"                                        },
        { "panic: it broke\n\ngoroutine 1\n",                                                     -EAGAIN, "skopeo: goroutine 1"                                          },
        { "",                                                                                     -EAGAIN, "skopeo: it failed without a word"                             },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct error err = { 0 };
        assert_int_equal(skopeo_explain(cases[i].complaint, &err), cases[i].code);
        if (!strstr(err.text, cases[i].words))
            assert_string_equal(err.text, cases[i].words);
    }
}

static void time_is_asked_for_only_when_bytes_came(void **state)
{
    (void)state;
    struct progress progress = { .line_at_ms = PROGRESS_LINE_MS };
    assert_true(progress_step(&progress, 1000, 10).extend);
    assert_false(progress_step(&progress, 2000, 10).extend);
    assert_false(progress_step(&progress, 60000, 10).line);
    assert_true(progress_step(&progress, 61000, 11).extend);
}

static void bytes_after_a_setback_are_news_again(void **state)
{
    (void)state;
    struct progress progress = { 0 };
    assert_true(progress_step(&progress, 1000, 100).extend);
    assert_false(progress_step(&progress, 2000, 0).extend);
    assert_true(progress_step(&progress, 3000, 1).extend);
}

static void lines_keep_their_distance(void **state)
{
    (void)state;
    struct progress progress = { .line_at_ms = PROGRESS_LINE_MS };
    int lines = 0;
    for (int64_t now_ms = 0; now_ms < (int64_t)4 * PROGRESS_LINE_MS; now_ms += 1000)
        lines += progress_step(&progress, now_ms, now_ms + 1).line;
    assert_int_equal(lines, 3);
}

static void a_total_is_told_where_there_is_one(void **state)
{
    (void)state;
    char text[PROGRESS_TEXT_MAX];
    struct progress progress = { .bytes = 12345678 };
    progress_text(&progress, 0, text);
    assert_string_equal(text, "12.3 MB");
    progress.total_bytes = 40000000;
    progress_text(&progress, 0, text);
    assert_string_equal(text, "12.3 of 40.0 MB");
}

static void what_ends_by_itself_gets_its_time(void **state)
{
    (void)state;
    char text[PROGRESS_TEXT_MAX];
    struct progress progress = { .bound_ms = 60000, .started_ms = 1000, .line_at_ms = 6000 };
    assert_true(progress_step(&progress, 2000, 0).extend);
    assert_false(progress_step(&progress, 5000, 0).line);
    assert_true(progress_step(&progress, 6000, 0).line);
    progress_text(&progress, 8000, text);
    assert_string_equal(text, "7 of 60 s");
    assert_false(progress_step(&progress, 61000, 0).extend);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(skopeos_words_become_a_code_and_a_lesson),
        cmocka_unit_test(time_is_asked_for_only_when_bytes_came),
        cmocka_unit_test(bytes_after_a_setback_are_news_again),
        cmocka_unit_test(lines_keep_their_distance),
        cmocka_unit_test(a_total_is_told_where_there_is_one),
        cmocka_unit_test(what_ends_by_itself_gets_its_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
