/* SPDX-License-Identifier: Apache-2.0 */
#include "units/auto_update.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "tests/unit/harness.h"
#include "units/translate.h"

#define OLD   "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define NEW   "sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
#define OTHER "sha256:00000000000000000000000000000000000000000000000000000000000000aa"

static struct unit_file *parsed(const char *text)
{
    struct unit_file *file = NULL;
    assert_int_equal(unit_file_parse(text, strlen(text), &file, NULL), 0);
    return file;
}

static void becomes(const char *text, const char *after)
{
    struct error err = { 0 };
    autofree char *pinned = NULL;
    autoptr(unit_file) file = parsed(text);
    if (auto_update_pin(file, NEW, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(unit_file_write(file, &pinned, NULL), 0);
    assert_string_equal(pinned, after);
}

static void the_first_digest_comes_behind_the_tag(void **state)
{
    autoauto_update update = { 0 };
    static const char text[] = "# mine\n[Container]\nAutoUpdate=registry\n"
                               "Image=quay.io/team/web:1\n\n[Service]\nRestart=always\n";
    autoptr(unit_file) file = parsed(text);
    (void)state;
    assert_int_equal(auto_update_read(file, &update, NULL), 1);
    assert_string_equal(update.image, "quay.io/team/web:1");
    assert_null(update.digest);
    becomes(text, "# mine\n[Container]\nAutoUpdate=registry\n"
                  "Image=quay.io/team/web:1@" NEW "\n\n[Service]\nRestart=always\n");
}

static void another_digest_takes_the_place_of_the_one_before(void **state)
{
    autoauto_update update = { 0 };
    static const char text[] = "[Container]\nImage=busybox\nImage=docker.io/busybox:1@" OLD "\n"
                               "AutoUpdate=registry\n";
    autoptr(unit_file) file = parsed(text);
    (void)state;
    assert_int_equal(auto_update_read(file, &update, NULL), 1);
    assert_string_equal(update.image, "docker.io/library/busybox:1");
    assert_string_equal(update.digest, OLD);
    becomes(text, "[Container]\nImage=busybox\nImage=docker.io/library/busybox:1@" NEW "\n"
                  "AutoUpdate=registry\n");
}

/* Or it would have none next time. */
static void a_tag_that_goes_without_saying_is_said(void **state)
{
    (void)state;
    becomes("[Container]\nImage=docker://quay.io/a\nAutoUpdate=registry\n",
            "[Container]\nImage=quay.io/a:latest@" NEW "\nAutoUpdate=registry\n");
}

static void who_does_not_ask_for_it_is_left_alone(void **state)
{
    static const char *const texts[] = {
        "[Service]\nExecStart=/bin/true\n",
        "[Container]\nImage=quay.io/a:1\n",
        "[Container]\nImage=quay.io/a:1\nAutoUpdate=registry\nAutoUpdate=no\n",
        "[Container]\nImage=oci:/srv/a\nAutoUpdate=local\n",
        "[Container]\nRootfs=/srv/a\nAutoUpdate=registry\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        autoauto_update update = { 0 };
        autoptr(unit_file) file = parsed(texts[i]);
        assert_int_equal(auto_update_read(file, &update, NULL), 0);
        assert_int_equal(auto_update_pin(file, NEW, NULL), -EINVAL);
    }
}

static void what_has_no_tag_to_follow_is_told(void **state)
{
    static const struct {
        const char *lines;
        const char *why;
    } cases[] = {
        {"Image=busybox:1",                                          "write docker.io/library/busybox:1 or the like"},
        { "Image=team/web",                                          "write docker.io/team/web or the like"         },
        { "Image=quay.io/a@" OLD,                                    "has a digest and no tag"                      },
        { "Image=oci:/srv/a:1",                                      "is in no registry"                            },
        { "Image=quay.io/a:%i",                                      "is another image in each instance"            },
        { "Image=quay.io/A:1",                                       "names of images are in lower case"            },
        { "Image=quay.io/a:1\nPull=never",                           "Pull=never"                                   },
        { "Image=quay.io/a:1\n[Service]\nType=oneshot\n[Container]",
         "Type=oneshot none goes on running"                                                                        },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        autoauto_update update = { 0 };
        struct error err = { 0 };
        autofree char *text = text_format("[Container]\n%s\nAutoUpdate=registry\n", cases[i].lines);
        autoptr(unit_file) file = parsed(text);
        assert_int_equal(auto_update_read(file, &update, &err), -EINVAL);
        if (!strstr(err.text, cases[i].why))
            assert_string_equal(err.text, cases[i].why);
        assert_null(update.image);
    }
}

static void whoever_submits_it_is_told_too(void **state)
{
    autostrv warnings = NULL;
    static const char text[] = "[Container]\nImage=busybox\nAutoUpdate=registry\n";
    (void)state;
    assert_int_equal(unit_warnings("a@.service", text, strlen(text), &warnings, NULL), 0);
    assert_int_equal(strv_length(warnings), 1);
    assert_non_null(strstr(warnings[0], "AutoUpdate=registry: busybox is a short name"));
}

static void a_text_with_a_digest_is_current_if_the_registry_says_that(void **state)
{
    const struct auto_update update = { .image = (char *)"quay.io/a:1", .digest = (char *)OLD };
    char *old[] = { (char *)OLD, NULL };
    char *moved[] = { (char *)NEW, NULL };
    char *index[] = { (char *)NEW, (char *)OTHER, (char *)OLD, NULL };
    (void)state;
    assert_true(auto_update_is_current(&update, moved, old));
    assert_false(auto_update_is_current(&update, old, moved));
    assert_true(auto_update_is_current(&update, NULL, index));
}

static void a_text_without_is_current_if_all_that_runs_is_what_the_registry_has(void **state)
{
    const struct auto_update update = { .image = (char *)"quay.io/a:1" };
    char *known[] = { (char *)NEW, (char *)OTHER, NULL };
    char *both[] = { (char *)OTHER, (char *)NEW, NULL };
    char *one_is_old[] = { (char *)NEW, (char *)OLD, NULL };
    (void)state;
    assert_true(auto_update_is_current(&update, both, known));
    assert_false(auto_update_is_current(&update, one_is_old, known));
    assert_true(auto_update_is_current(&update, NULL, known));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_digest_comes_behind_the_tag),
        cmocka_unit_test(another_digest_takes_the_place_of_the_one_before),
        cmocka_unit_test(a_tag_that_goes_without_saying_is_said),
        cmocka_unit_test(who_does_not_ask_for_it_is_left_alone),
        cmocka_unit_test(what_has_no_tag_to_follow_is_told),
        cmocka_unit_test(whoever_submits_it_is_told_too),
        cmocka_unit_test(a_text_with_a_digest_is_current_if_the_registry_says_that),
        cmocka_unit_test(a_text_without_is_current_if_all_that_runs_is_what_the_registry_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
