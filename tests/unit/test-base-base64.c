/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base64.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/harness.h"

static void base64_of_every_length_comes_back(void **state)
{
    static const char bytes[] = "\x00\xff\x10 any \x80 bytes\n";
    (void)state;
    for (size_t length = 0; length < sizeof(bytes); length++) {
        autotext t = { 0 };
        autofree char *back = NULL;
        size_t back_length = 0;
        base64_add(&t, bytes, length);
        text_add(&t, "");
        assert_int_equal(t.length, (length + 2) / 3 * 4);
        assert_int_equal(base64_read(t.data, t.length, &back, &back_length, NULL), 0);
        assert_int_equal(back_length, length);
        assert_memory_equal(back, bytes, length);
    }
}

static void what_is_not_base64_is_refused(void **state)
{
    static const char *const wrong[] = {
        "A", "AAA", "A===", "====", "AA=A", "AA*A", "=AAA", "AA\nA"
    };
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char *back = NULL;
        size_t length = 0;
        assert_int_equal(base64_read(wrong[i], strlen(wrong[i]), &back, &length, NULL), -EPROTO);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_of_every_length_comes_back),
        cmocka_unit_test(what_is_not_base64_is_refused),
    };
    return cmocka_run_group_tests_name("base/base64", tests, NULL, NULL);
}
