/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "tests/unit/harness.h"

static json_t *parsed(const char *text)
{
    json_t *value = NULL;
    assert_int_equal(json_read(text, strlen(text), &value, NULL), 0);
    return value;
}

static void wrong_types_are_refused_by_name(void **state)
{
    (void)state;
    struct error err = { 0 };
    const char *s = NULL;
    int64_t n = 0;
    autojson o = parsed("{\"a\":1,\"b\":\"x\",\"c\":null}");
    assert_int_equal(json_field_string(o, "a", &s, &err), -EPROTO);
    assert_string_equal(err.text, "field \"a\" is not a string");
    assert_int_equal(json_field_int(o, "b", &n, &err), -EPROTO);
    assert_int_equal(json_field_string(o, "c", &s, &err), -EPROTO);
    assert_string_equal(err.text, "field \"c\" is missing");
    assert_int_equal(json_field_string_or(o, "c", "default", &s, &err), 0);
    assert_string_equal(s, "default");
}

static void same_value_gives_same_bytes(void **state)
{
    (void)state;
    autojson a = parsed("{\"b\":1,\"a\":[\"x\"]}");
    autojson b = parsed("{\"a\":[\"x\"],\"b\":1}");
    autofree char *left = NULL;
    autofree char *right = NULL;
    assert_int_equal(json_write(a, &left, NULL), 0);
    assert_int_equal(json_write(b, &right, NULL), 0);
    assert_string_equal(left, right);
    assert_string_equal(left, "{\"a\":[\"x\"],\"b\":1}");
}

static void string_lists_are_read_whole(void **state)
{
    (void)state;
    autostrv list = NULL;
    autojson o = parsed("{\"a\":[\"x\",\"y\"],\"b\":[1]}");
    assert_int_equal(json_field_strv(o, "b", &list, NULL), -EPROTO);
    assert_null(list);
    assert_int_equal(json_field_strv(o, "a", &list, NULL), 0);
    assert_int_equal(strv_length(list), 2);
}

static void broken_text_says_where(void **state)
{
    (void)state;
    struct error err = { 0 };
    json_t *value = NULL;
    assert_int_equal(json_read("{\"a\":\n1,}", 9, &value, &err), -EPROTO);
    assert_non_null(strstr(err.text, "line 2"));
    assert_int_equal(json_read("{\"a\":1,\"a\":2}", 13, &value, &err), -EPROTO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_types_are_refused_by_name),
        cmocka_unit_test(same_value_gives_same_bytes),
        cmocka_unit_test(string_lists_are_read_whole),
        cmocka_unit_test(broken_text_says_where),
    };
    return cmocka_run_group_tests_name("base/json", tests, NULL, NULL);
}
