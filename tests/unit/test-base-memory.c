/* SPDX-License-Identifier: Apache-2.0 */
#include "base/memory.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "tests/unit/harness.h"

enum { MIB = 1 << 20 };

static bool is_resident(const char *memory)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    unsigned char resident = 0;
    assert_int_equal(mincore((void *)((uintptr_t)memory & ~(page - 1)), page, &resident), 0);
    return resident & 1;
}

static void what_is_sure_begins_on_a_large_page(void **state)
{
    (void)state;
    for (size_t sure = MIB / 2; sure <= (size_t)5 * MIB; sure += MIB / 2) {
        autofree char *memory = memory_reserve(sure + 100, sure);
        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % MEMORY_LARGE_PAGE, 0);
        memset(memory, 1, sure + 100);
    }
}

static void what_is_not_sure_costs_nothing(void **state)
{
    (void)state;
    for (size_t sure = 0; sure <= (size_t)5 * MIB; sure += MIB / 2) {
        autofree char *memory = memory_reserve((size_t)32 * MIB, sure);
        assert_non_null(memory);
        memory_provide(memory, sure);
        assert_true(sure == 0 || is_resident(memory + sure - MIB / 4));
        for (size_t at = 8; at < 32; at++)
            assert_false(is_resident(memory + at * MIB - MIB / 2));
    }
}

static void pointers_stay_when_more_are_expected(void **state)
{
    enum { STEPS = 6 };
    static const size_t counts[STEPS] = { 1, 63, 2, 1000, 100000, 300000 };
    static char things[STEPS];
    autofree void **array = NULL;
    size_t room = 0;
    size_t count = 0;
    (void)state;
    for (size_t i = 0; i < STEPS; i++) {
        array = memory_expect_pointers(array, count, counts[i], &room);
        assert_non_null(array);
        assert_true(room >= count + counts[i]);
        for (size_t end = count + counts[i]; count < end; count++)
            array[count] = &things[i];
    }
    for (size_t i = 0, at = 0; i < STEPS; i++)
        for (size_t end = at + counts[i]; at < end; at++)
            assert_ptr_equal(array[at], &things[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sure_begins_on_a_large_page),
        cmocka_unit_test(what_is_not_sure_costs_nothing),
        cmocka_unit_test(pointers_stay_when_more_are_expected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
