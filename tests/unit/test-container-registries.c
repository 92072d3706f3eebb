/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "container/registries.h"
#include "tests/unit/harness.h"

static const char one_file[] = "# comment\n"
                               "unqualified-search-registries = [\n  \"quay.io\", # first\n"
                               "  'docker.io',\n]\n"
                               "short-name-mode=\"enforcing\"\n"
                               "[[registry]]\nlocation = \"x\"\n"
                               "unqualified-search-registries = [\"wrong.example\"]\n"
                               "[aliases]\n"
                               "  # \"no\" = \"no.example/no\"\n"
                               "  \"fedora\"=\"registry.fedoraproject.org/fedora\"\n"
                               "bare-key = 'quay.io/bare'\n"
                               "[other]\n\"app\" = \"wrong.example/app\"\n";

static void found(const struct registries *registries, const char *name, const char *full)
{
    autofree char *is = NULL;
    struct error err = { 0 };
    if (registries_find(registries, name, &is, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(is, full);
}

static void not_found(const struct registries *registries, const char *name, const char *why)
{
    struct error err = { 0 };
    char *is = NULL;
    assert_int_equal(registries_find(registries, name, &is, &err), -EINVAL);
    assert_non_null(strstr(err.text, why));
}

static void aliases_come_before_registries_to_search(void **state)
{
    (void)state;
    autoptr(registries) registries = calloc(1, sizeof(*registries));
    not_found(registries, "app", "write docker.io/library/app or the like");
    assert_int_equal(registries_take(registries, one_file, NULL), 0);
    found(registries, "fedora", "registry.fedoraproject.org/fedora");
    found(registries, "bare-key", "quay.io/bare");
    not_found(registries, "no", "write which one, as quay.io/no");
    not_found(registries, "app", "has 2 registries to search");
}

static void a_later_file_wins(void **state)
{
    (void)state;
    autoptr(registries) registries = calloc(1, sizeof(*registries));
    assert_int_equal(registries_take(registries, one_file, NULL), 0);
    assert_int_equal(registries_take(registries,
                                     "unqualified-search-registries = [\"only.example/mirror\"]\n"
                                     "[aliases]\n\"fedora\" = \"only.example/f\"",
                                     NULL),
                     0);
    found(registries, "fedora", "only.example/f");
    found(registries, "app", "only.example/mirror/app");
}

static void a_file_may_end_anywhere(void **state)
{
    (void)state;
    for (size_t length = 0; length <= strlen(one_file); length++) {
        autoptr(registries) registries = calloc(1, sizeof(*registries));
        autofree char *part = strndup(one_file, length);
        assert_int_equal(registries_take(registries, part, NULL), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(aliases_come_before_registries_to_search),
        cmocka_unit_test(a_later_file_wins),
        cmocka_unit_test(a_file_may_end_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
