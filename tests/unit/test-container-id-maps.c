/* SPDX-License-Identifier: Apache-2.0 */
#include "container/id_maps.h"

#include <errno.h>
#include <stdlib.h>

#include "tests/unit/harness.h"

static void the_kernels_columns_are_read(void **state)
{
    autoptr(id_maps) maps = calloc(1, sizeof(*maps));
    (void)state;
    assert_non_null(maps);
    assert_int_equal(id_maps_parse("         0     100000       1000\n      1000          0"
                                   "          1\n",
                                   &maps->uids, &maps->uid_count, NULL),
                     0);
    assert_int_equal(maps->uid_count, 2);
    assert_int_equal(maps->uids[0].inside, 0);
    assert_int_equal(maps->uids[0].host, 100000);
    assert_int_equal(maps->uids[0].count, 1000);
    assert_int_equal(id_maps_outside(maps->uids, maps->uid_count, 999), 100999);
    assert_int_equal(id_maps_outside(maps->uids, maps->uid_count, 1000), 0);
    assert_int_equal(id_maps_outside(maps->uids, maps->uid_count, 1001), -1);
}

static void what_the_kernel_does_not_write_is_refused(void **state)
{
    static const char *const bad[] = { "0 1", "0 1 2 3", "0 x 1", "-1 0 1", "0 0 4294967296" };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        autoptr(id_maps) maps = calloc(1, sizeof(*maps));
        assert_non_null(maps);
        assert_int_equal(id_maps_parse(bad[i], &maps->gids, &maps->gid_count, NULL), -EPROTO);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_kernels_columns_are_read),
        cmocka_unit_test(what_the_kernel_does_not_write_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
