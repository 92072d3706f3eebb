/* SPDX-License-Identifier: Apache-2.0 */
#include "container/scope.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "container/cgroup.h"
#include "tests/unit/harness.h"

static void assert_name(const char *unit, const char *expected)
{
    autofree char *name = NULL;
    assert_int_equal(scope_name(unit, &name, NULL), 0);
    assert_string_equal(name, expected);
}

static void a_scope_is_called_as_its_unit_and_has_no_at_sign(void **state)
{
    (void)state;
    assert_name("web.service", "muster-web.scope");
    assert_name("web@1.service", "muster-web\\x401.scope");
}

static void two_units_never_share_a_name(void **state)
{
    (void)state;
    assert_name("web\\x401.service", "muster-web\\x5cx401.scope");
}

static void killing_a_cgroup_that_is_gone_is_success(void **state)
{
    (void)state;
    struct error err = { 0 };
    assert_int_equal(cgroup_kill("/no-such.slice/no-such.scope", &err), 0);
}

static void a_process_that_is_not_there_has_no_cgroup(void **state)
{
    (void)state;
    struct error err = { 0 };
    char *cgroup = NULL;
    assert_int_equal(cgroup_of(INT32_MAX, &cgroup, &err), -ENOENT);
    assert_null(cgroup);
}

static void a_cgroup_that_is_not_there_is_not_ours(void **state)
{
    (void)state;
    assert_false(cgroup_is_ours_alone("/no-such.slice"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_scope_is_called_as_its_unit_and_has_no_at_sign),
        cmocka_unit_test(two_units_never_share_a_name),
        cmocka_unit_test(killing_a_cgroup_that_is_gone_is_success),
        cmocka_unit_test(a_cgroup_that_is_not_there_is_not_ours),
        cmocka_unit_test(a_process_that_is_not_there_has_no_cgroup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
