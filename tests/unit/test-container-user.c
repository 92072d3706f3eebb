/* SPDX-License-Identifier: Apache-2.0 */
#include "container/user.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/text.h"
#include "tests/unit/harness.h"
#include "tests/unit/tree.h"

static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n"
                             "broken line\n"
                             "+@admins\n"
                             "-1000\n"
                             "+::::::\n"
                             "web:x:1000:100:Web:/srv/web:/bin/sh\n"
                             "7:x:70:70::/:/bin/sh\n";
static const char group[] = "root:x:0:\nusers:x:100:web\nlogs:x:4:other,web\nssl:x:110:web\n";

static struct user *resolved(const char *said)
{
    struct error err = { 0 };
    struct user *user = NULL;
    if (user_resolve(said, passwd, group, &user, &err) < 0)
        fail_msg("%s", err.text);
    return user;
}

static void nothing_said_is_root(void **state)
{
    (void)state;
    autoptr(user) user = resolved("");
    assert_int_equal(user->oci.uid, 0);
    assert_int_equal(user->oci.gid, 0);
    assert_string_equal(user->oci.home, "/root");
}

static void a_name_brings_group_home_and_supplementary_groups(void **state)
{
    (void)state;
    autoptr(user) user = resolved("web");
    assert_int_equal(user->oci.uid, 1000);
    assert_int_equal(user->oci.gid, 100);
    assert_string_equal(user->oci.home, "/srv/web");
    assert_int_equal(user->oci.group_count, 2);
    assert_int_equal(user->oci.groups[0], 4);
    assert_int_equal(user->oci.groups[1], 110);
}

static void a_group_said_is_the_only_one(void **state)
{
    (void)state;
    autoptr(user) user = resolved("web:ssl");
    assert_int_equal(user->oci.gid, 110);
    assert_int_equal(user->oci.group_count, 0);
    autoptr(user) by_number = resolved("web:5");
    assert_int_equal(by_number->oci.gid, 5);
}

static void numbers_need_no_entry(void **state)
{
    (void)state;
    autoptr(user) user = resolved("4242:17");
    assert_int_equal(user->oci.uid, 4242);
    assert_int_equal(user->oci.gid, 17);
    assert_null(user->oci.home);
    autoptr(user) alone = resolved("4242");
    assert_int_equal(alone->oci.gid, 0);
    autoptr(user) known = resolved("1000");
    assert_int_equal(known->oci.gid, 100);
    /* A name of digits does not hide the number. */
    autoptr(user) digits = resolved("7");
    assert_int_equal(digits->oci.uid, 7);
}

static void what_the_image_does_not_know_is_refused(void **state)
{
    (void)state;
    struct user *user = NULL;
    struct error err = { 0 };
    assert_int_equal(user_resolve("nobody", passwd, group, &user, &err), -EINVAL);
    assert_string_equal(err.text, "User \"nobody\": no user \"nobody\" in the image's /etc/passwd");
    assert_int_equal(user_resolve("web:wheel", passwd, group, &user, &err), -EINVAL);
    assert_string_equal(err.text,
                        "User \"web:wheel\": no group \"wheel\" in the image's /etc/group");
    assert_int_equal(user_resolve("web", "", "", &user, &err), -EINVAL);
    assert_int_equal(user_resolve("4294967295", passwd, group, &user, &err), -EINVAL);
    assert_int_equal(user_resolve("x", "x:x:4294967295:1::/:\n", group, &user, &err), -EINVAL);
    assert_int_equal(user_resolve("web:", passwd, group, &user, &err), -EINVAL);
    assert_null(user);
}

/* A link in the image to the host's file must find the image's. */
static void links_do_not_lead_out_of_the_image(void **state)
{
    const char *root = *state;
    autofree char *etc = text_format("%s/etc", root);
    autofree char *link = text_format("%s/etc/passwd", root);
    autofree char *inside = text_format("%s/passwd-inside", root);
    assert_int_equal(mkdir(etc, 0755), 0);
    assert_int_equal(symlink("/../../../passwd-inside", link), 0);
    assert_int_equal(file_write(inside, passwd, strlen(passwd), 0644, NULL), 0);
    struct error err = { 0 };
    struct user *user = NULL;
    assert_int_equal(user_resolve_in("web", NULL, root, &user, &err), 0);
    assert_int_equal(user->oci.uid, 1000);
    user_free(user);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_said_is_root),
        cmocka_unit_test(a_name_brings_group_home_and_supplementary_groups),
        cmocka_unit_test(a_group_said_is_the_only_one),
        cmocka_unit_test(numbers_need_no_entry),
        cmocka_unit_test(what_the_image_does_not_know_is_refused),
        cmocka_unit_test_setup_teardown(links_do_not_lead_out_of_the_image, tree_setup,
                                        tree_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
