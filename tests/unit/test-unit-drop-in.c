/* SPDX-License-Identifier: Apache-2.0 */
#include "units/drop_in.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "tests/unit/harness.h"
#include "units/unit_file.h"

/* What systemd 252 was seen to read, in the order in which one folder's file hides another's. */
static void folders_are_those_of_systemd(void **state)
{
    static const char *const cases[][2] = {
        {"web.service",        "web.service.d service.d"                                                 },
        { "foo-bar-x.service", "foo-bar-x.service.d foo-bar-.service.d foo-.service.d service.d"         },
        { "foo-bar@1.service", "foo-bar@1.service.d foo-bar@.service.d foo-.service.d "
                               "foo-@1.service.d foo-@.service.d service.d"},
        { "a-b-c-@1.service",
         "a-b-c-@1.service.d a-b-c-@.service.d a-b-.service.d a-.service.d a-b-@1.service.d "
          "a-b-@.service.d a-@1.service.d a-@.service.d service.d"                                       },
        { "foo-bar@.service",  "foo-bar@.service.d foo-.service.d service.d"                             },
        { "a--b.service",      "a--b.service.d a--.service.d a-.service.d service.d"                     },
        { "-a-b.service",      "-a-b.service.d -a-.service.d service.d"                                  },
        { "a---.socket",       "a---.socket.d a--.socket.d a-.socket.d socket.d"                         },
        { "a.b-c@x-y.timer",   "a.b-c@x-y.timer.d a.b-c@.timer.d a.b-.timer.d a.b-@x-y.timer.d "
                             "a.b-@.timer.d timer.d"                         },
        { "web@1.container",   "web@1.container.d web@.container.d container.d"                          },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        autostrv folders = NULL;
        autotext t = { 0 };
        assert_int_equal(drop_in_folders(cases[i][0], &folders, NULL), 0);
        for (size_t f = 0; folders[f]; f++)
            text_addf(&t, "%s%s", f ? " " : "", folders[f]);
        assert_string_equal(t.data, cases[i][1]);
    }
}

static void only_visible_files_in_conf_count(void **state)
{
    (void)state;
    assert_true(drop_in_is_file_name("10-a.conf"));
    assert_false(drop_in_is_file_name(".conf"));
    assert_false(drop_in_is_file_name(".10-a.conf"));
    assert_false(drop_in_is_file_name("10-a.conf~"));
    assert_false(drop_in_is_file_name("README"));
}

#define auto_drop_ins __attribute__((cleanup(drop_ins_done))) struct drop_ins

static void add(struct drop_ins *drop_ins, const char *folder, const char *file, const char *text)
{
    assert_int_equal(drop_ins_add(drop_ins, folder, file, text, NULL), 0);
}

static void assert_assembled(const struct drop_ins *drop_ins, const char *main_text,
                             const char *wanted)
{
    autofree char *text = NULL;
    struct error err = { 0 };
    if (drop_ins_assemble(drop_ins, main_text, &text, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(text, wanted);
}

static void names_order_and_the_first_folder_hides_the_others(void **state)
{
    (void)state;
    auto_drop_ins drop_ins = { 0 };
    add(&drop_ins, "a@1.service.d", "50-x.conf", "[S]\nA=special\n");
    add(&drop_ins, "a@1.service.d", "90-none.conf", "");
    add(&drop_ins, "a@.service.d", "50-x.conf", "[S]\nA=hidden\n");
    add(&drop_ins, "a@.service.d", "10-y.conf", "[S]\nA=first\n");
    add(&drop_ins, "a@.service.d", "90-none.conf", "[S]\nA=masked\n");
    assert_assembled(&drop_ins, "[S]\nA=main\n",
                     "[S]\nA=main\n\n# a@.service.d/10-y.conf\n[S]\nA=first\n\n"
                     "# a@1.service.d/50-x.conf\n[S]\nA=special\n");
}

static void without_drop_ins_nothing_changes(void **state)
{
    (void)state;
    auto_drop_ins drop_ins = { 0 };
    assert_assembled(&drop_ins, "[S]\nA=1\\", "[S]\nA=1\\");
    assert_assembled(&drop_ins, "", "");
}

/* The last value of A= in [S] and that of B= must be what each file says by itself. */
static void assert_apart(const char *main_text, const char *a, const char *text)
{
    auto_drop_ins drop_ins = { 0 };
    autofree char *whole = NULL;
    autoptr(unit_file) file = NULL;
    add(&drop_ins, "u.service.d", "1.conf", text);
    assert_int_equal(drop_ins_assemble(&drop_ins, main_text, &whole, NULL), 0);
    assert_int_equal(unit_file_parse(whole, strlen(whole), &file, NULL), 0);
    assert_string_equal(unit_file_get(file, "S", "A"), a);
    assert_string_equal(unit_file_get(file, "T", "B"), "2");
}

static void a_main_text_with_a_loose_end_does_not_swallow_the_drop_in(void **state)
{
    (void)state;
    assert_apart("[S]\nA=1", "1", "[T]\nB=2");
    assert_apart("[S]\nA=1\\", "1", "[T]\nB=2");
    assert_apart("[S]\nA=1\\\n", "1", "[T]\nB=2\\");
    assert_apart("[S]\nA=1\\\r", "1", "[T]\rB=2");
    assert_apart("[S]\r\nA=1\\\r\n# c", "1", "\xef\xbb\xbf[T]\r\nB=2\r\n");
    assert_apart("\xef\xbb\xbf[S]\nA=1\n", "1", "\xef\xbb\xbf\n[T]\nB=2");
}

static void what_would_change_its_meaning_is_refused(void **state)
{
    (void)state;
    auto_drop_ins drop_ins = { 0 };
    autofree char *text = NULL;
    struct error err = { 0 };
    add(&drop_ins, "u.service.d", "1.conf", "# no section\nA=1\n");
    assert_int_equal(drop_ins_assemble(&drop_ins, "[S]\n", &text, &err), -EINVAL);
    assert_string_equal(err.text,
                        "u.service.d/1.conf: line 2: \"A=1\": it stands before any [Section]");
}

static void a_text_that_holds_the_drop_in_already_is_refused(void **state)
{
    (void)state;
    auto_drop_ins drop_ins = { 0 };
    autofree char *once = NULL;
    autofree char *twice = NULL;
    struct error err = { 0 };
    add(&drop_ins, "u.service.d", "1.conf", "[S]\nA=1\n");
    assert_int_equal(drop_ins_assemble(&drop_ins, "# about u.service.d/1.conf\n", &once, NULL), 0);
    assert_int_equal(drop_ins_assemble(&drop_ins, once, &twice, &err), -EINVAL);
    assert_string_equal(err.text, "u.service.d/1.conf is in the unit's text already, as "
                                  "\"musterctl cat\" prints it: remove the one or the other");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_are_those_of_systemd),
        cmocka_unit_test(only_visible_files_in_conf_count),
        cmocka_unit_test(names_order_and_the_first_folder_hides_the_others),
        cmocka_unit_test(without_drop_ins_nothing_changes),
        cmocka_unit_test(a_main_text_with_a_loose_end_does_not_swallow_the_drop_in),
        cmocka_unit_test(what_would_change_its_meaning_is_refused),
        cmocka_unit_test(a_text_that_holds_the_drop_in_already_is_refused),
    };
    return cmocka_run_group_tests_name("units/drop_in", tests, NULL, NULL);
}
