/* SPDX-License-Identifier: Apache-2.0 */
/* One unit on a disk of the test's: what an installation says of itself is what lies there. */
#include "agent/installation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "tests/unit/harness.h"
#include "tests/unit/tree.h"

#define UNIT  "hello.service"
#define IMAGE "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const char text_one[] = "[Service]\nExecStart=/bin/sleep 1\n";
static const char text_two[] = "[Service]\nExecStart=/bin/sleep 2\n";
static const char text_linked[] = "[Service]\nExecStart=/bin/sleep 1\n"
                                  "[Install]\nAlias=hi.service\n";

static const struct unit_host host = {
    .helper = "/helper", .machine = {.host_name = "n1", .id = "0"}
};
static struct unit_dirs dirs;
static struct installation disk;

/* As a musterd that starts; what one before it left is on the disk. */
static void begin(void)
{
    installation_init(&disk, UNIT, &dirs, &host);
}

static void begin_again(void)
{
    installation_done(&disk);
    begin();
    installation_adopt(&disk);
}

static int set_up(void **state)
{
    assert_int_equal(tree_setup(state), 0);
    dirs.run = text_format("%s/run", (const char *)*state);
    dirs.links = text_format("%s/links", (const char *)*state);
    assert_non_null(dirs.run);
    assert_non_null(dirs.links);
    assert_int_equal(unit_files_prepare(&dirs, NULL), 0);
    begin();
    return 0;
}

static int tear_down(void **state)
{
    installation_done(&disk);
    free((char *)dirs.run);
    free((char *)dirs.links);
    return tree_teardown(state);
}

static void translate(const char *text)
{
    assert_int_equal(installation_translate(&disk, text, text, strlen(text), NULL), 0);
}

static void install(const char *text)
{
    translate(text);
    assert_int_equal(installation_install(&disk, NULL), 0);
}

static bool is_linked(const char *name)
{
    autofree char *path = text_format("%s/%s", dirs.links, name);
    assert_non_null(path);
    return access(path, F_OK) == 0;
}

static void unlink_name(const char *name)
{
    autofree char *path = text_format("%s/%s", dirs.links, name);
    assert_non_null(path);
    assert_int_equal(unlink(path), 0);
}

static void put_of_container(const char *name, const char *content)
{
    autofree char *folder = text_format("%s/containers/" UNIT, dirs.run);
    autofree char *path = text_format("%s/%s", folder, name);
    assert_int_equal(file_make_dirs(folder, 0755, NULL), 0);
    assert_int_equal(file_write(path, content, strlen(content), 0644, NULL), 0);
}

static void what_is_installed_is_current_until_it_shall_have_another_text(void **state)
{
    (void)state;
    translate(text_one);
    assert_false(disk.current);
    assert_int_equal(installation_install(&disk, NULL), 0);
    assert_true(disk.installed && disk.current);
    translate(text_two);
    assert_true(disk.installed);
    assert_false(disk.current);
    assert_true(installation_has_text(&disk, text_two));
    assert_false(installation_has_text(&disk, text_one));
    translate(text_one);
    assert_true(disk.current);
    installation_forget_text(&disk);
    assert_false(disk.current);
    assert_false(installation_has_text(&disk, text_one));
}

static void a_text_that_cannot_be_had_here_says_why_and_changes_no_file(void **state)
{
    (void)state;
    struct error err = { 0 };
    static const char bad[] = "[Service]\nExecStart\n";
    install(text_one);
    assert_int_equal(installation_translate(&disk, bad, bad, strlen(bad), &err), -EINVAL);
    assert_true(*err.text);
    assert_false(installation_has_text(&disk, bad));
    translate(text_one);
    assert_true(disk.current);
}

static void who_comes_later_knows_what_was_installed_and_started(void **state)
{
    (void)state;
    install(text_one);
    installation_note_started(&disk, 7);
    begin_again();
    assert_true(disk.installed);
    assert_int_equal(disk.started_revision, 7);
    assert_false(disk.current); /* nobody has told the text yet */
    translate(text_one);
    assert_true(disk.current);
}

static void a_start_in_doubt_counts_as_none(void **state)
{
    (void)state;
    install(text_one);
    installation_note_started(&disk, 7);
    installation_doubt_start(&disk);
    assert_int_equal(disk.started_revision, 0);
}

/* Whoever made them may have been killed before he came so far, or before systemd read them. */
static void links_that_are_missing_are_made_and_are_to_be_read(void **state)
{
    (void)state;
    install(text_linked);
    assert_true(is_linked("hi.service") && disk.links_unread);
    installation_note_read(&disk);
    assert_false(disk.links_unread);
    unlink_name("hi.service");
    begin_again();
    translate(text_linked);
    assert_true(disk.current);
    assert_true(is_linked("hi.service") && disk.links_unread);
    install(text_one);
    assert_false(is_linked("hi.service"));
    begin_again();
    translate(text_one);
    assert_false(disk.links_unread); /* it has none: nothing is reloaded for it */
}

static void of_what_is_removed_nothing_is_left(void **state)
{
    (void)state;
    char **names = NULL;
    install(text_linked);
    installation_note_started(&disk, 7);
    assert_int_equal(installation_remove(&disk, NULL), 0);
    assert_false(disk.installed || disk.current || disk.started_revision);
    assert_false(is_linked(UNIT) || is_linked("hi.service"));
    assert_int_equal(unit_files_list(&dirs, &names, NULL), 0);
    assert_false(names && *names);
    strv_free(names);
    assert_int_equal(unit_files_started(&dirs, UNIT), 0);
}

static void a_name_is_the_hosts_if_its_file_is_not_ours(void **state)
{
    (void)state;
    static const char foreign[] = "/etc/systemd/system/" UNIT;
    autofree char *own = text_format("%s/" UNIT, dirs.links);
    assert_true(installation_is_hosts(&disk, "loaded", foreign));
    assert_true(installation_is_hosts(&disk, "masked", foreign));
    assert_false(installation_is_hosts(&disk, "not-found", foreign));
    assert_false(installation_is_hosts(&disk, "loaded", own));
    install(text_one);
    assert_false(installation_is_hosts(&disk, "loaded", foreign));
}

static void only_what_is_installed_tells_of_its_container(void **state)
{
    (void)state;
    put_of_container("image", IMAGE "\n");
    put_of_container("network.json", "{\"addresses\":[\"10.0.0.2\"],\"ports\":[\"80\",\"443\"]}");
    assert_int_equal(installation_describe(&disk, "first", NULL), 0);
    assert_null(disk.container.image);
    install(text_one);
    assert_int_equal(installation_describe(&disk, "first", NULL), 0);
    assert_string_equal(disk.container.image, IMAGE);
    assert_string_equal(disk.container.addresses, "10.0.0.2");
    assert_string_equal(disk.container.ports, "80 443");
    assert_int_equal(installation_remove(&disk, NULL), 0);
    assert_null(disk.container.image);
}

static void what_a_start_wrote_of_its_container_is_read_once(void **state)
{
    (void)state;
    put_of_container("network.json", "{\"addresses\":[\"10.0.0.2\"],\"ports\":[]}");
    install(text_one);
    assert_int_equal(installation_describe(&disk, "first", NULL), 0);
    put_of_container("network.json", "{\"addresses\":[\"10.0.0.3\"],\"ports\":[]}");
    assert_int_equal(installation_describe(&disk, "first", NULL), 0);
    assert_string_equal(disk.container.addresses, "10.0.0.2");
    assert_int_equal(installation_describe(&disk, "second", NULL), 0);
    assert_string_equal(disk.container.addresses, "10.0.0.3");
}

static void what_could_not_be_read_of_it_is_read_again(void **state)
{
    (void)state;
    put_of_container("image", IMAGE "\n");
    put_of_container("network.json", "{\"addresses\":[\"10.0");
    install(text_one);
    assert_int_equal(installation_describe(&disk, "first", NULL), 0);
    assert_string_equal(disk.container.image, IMAGE);
    assert_string_equal(disk.container.addresses, "");
    put_of_container("network.json", "{\"addresses\":[\"10.0.0.2\"],\"ports\":[]}");
    assert_int_equal(installation_describe(&disk, "first", NULL), 0);
    assert_string_equal(disk.container.addresses, "10.0.0.2");
}

#define ON_A_DISK(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_A_DISK(what_is_installed_is_current_until_it_shall_have_another_text),
        ON_A_DISK(a_text_that_cannot_be_had_here_says_why_and_changes_no_file),
        ON_A_DISK(who_comes_later_knows_what_was_installed_and_started),
        ON_A_DISK(a_start_in_doubt_counts_as_none),
        ON_A_DISK(links_that_are_missing_are_made_and_are_to_be_read),
        ON_A_DISK(of_what_is_removed_nothing_is_left),
        ON_A_DISK(a_name_is_the_hosts_if_its_file_is_not_ours),
        ON_A_DISK(only_what_is_installed_tells_of_its_container),
        ON_A_DISK(what_a_start_wrote_of_its_container_is_read_once),
        ON_A_DISK(what_could_not_be_read_of_it_is_read_again),
    };
    return cmocka_run_group_tests_name("agent/installation", tests, NULL, NULL);
}
