/* SPDX-License-Identifier: Apache-2.0 */
#include "container/id_claims.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "tests/unit/harness.h"
#include "tests/unit/tree.h"

#define autoclaim __attribute__((cleanup(id_claim_done))) struct id_claim

enum { POOL_START = 100000, POOL_COUNT = 6400 };

static struct id_range pool_range = { POOL_START, POOL_COUNT };
static struct id_ranges pool = { &pool_range, 1 };

static int take(const char *directory, const char *unit, int64_t size, struct id_claim *ret,
                struct error *err)
{
    const struct id_wish wish = { .unit = unit, .size = size, .uids = &pool, .gids = &pool };
    return id_claims_take(directory, &wish, ret, err);
}

static void a_unit_keeps_its_range_until_it_is_given_back(void **state)
{
    autoclaim first = { 0 };
    autoclaim again = { 0 };
    autoclaim none = { 0 };
    autoclaim other = { 0 };
    struct error err;
    assert_int_equal(take(*state, "a.service", POOL_COUNT, &first, NULL), 0);
    assert_int_equal(take(*state, "a.service", POOL_COUNT, &again, NULL), 0);
    assert_int_equal(again.uids.items[0].start, first.uids.items[0].start);
    assert_int_equal(take(*state, "b.service", 1, &none, &err), -ENOSPC);
    assert_int_equal(id_claims_give_back(*state, "a.service", NULL), 0);
    assert_int_equal(id_claims_give_back(*state, "a.service", NULL), 0);
    assert_int_equal(take(*state, "b.service", POOL_COUNT, &other, NULL), 0);
}

static void half_a_claim_of_one_who_was_killed_goes_with_the_next_that_is_given_back(void **state)
{
    autoclaim claim = { 0 };
    autofree char *half = text_format("%s/.half", (char *)*state);
    assert_int_equal(take(*state, "h.service", 1, &claim, NULL), 0);
    assert_int_equal(file_write(half, "uid 1", 5, 0600, NULL), 0);
    assert_int_equal(id_claims_give_back(*state, "h.service", NULL), 0);
    assert_int_equal(access(half, F_OK), -1);
}

static void what_was_told_is_not_given_to_another(void **state)
{
    struct id_range told = { POOL_START, POOL_COUNT / 2 };
    const struct id_claim claim = {
        .uids = {&told,  1},
          .gids = { &told, 1}
    };
    autoclaim found = { 0 };
    autoclaim none = { 0 };
    assert_int_equal(id_claims_note(*state, "told.service", &claim, NULL), 0);
    assert_int_equal(take(*state, "a.service", POOL_COUNT / 2, &found, NULL), 0);
    assert_int_equal(found.uids.items[0].start, POOL_START + POOL_COUNT / 2);
    assert_int_equal(take(*state, "b.service", 1, &none, NULL), -ENOSPC);
}

static void a_damaged_note_is_named_and_nothing_given(void **state)
{
    autoclaim none = { 0 };
    autofree char *path = text_format("%s/torn.service", (const char *)*state);
    struct error err;
    assert_int_equal(file_write(path, "uid 5", 5, 0600, NULL), 0);
    assert_int_equal(take(*state, "a.service", 1, &none, &err), -EPROTO);
    assert_true(text_ends_with(err.text, "torn.service: a line of it is no range of ids"));
}

static void take_in_child(const char *directory, int number)
{
    autoclaim claim = { 0 };
    autofree char *unit = text_format("unit%d.service", number);
    _exit(take(directory, unit, POOL_COUNT / 64, &claim, NULL) < 0);
}

/* The pool is just large enough, so two that got the same would leave one of the last without. */
static void sixty_four_at_once_get_one_each(void **state)
{
    pid_t children[64];
    for (int i = 0; i < 64; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0)
            take_in_child(*state, i);
    }
    for (int i = 0; i < 64; i++) {
        int status = 0;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    autoclaim none = { 0 };
    assert_int_equal(take(*state, "late.service", 1, &none, NULL), -ENOSPC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_unit_keeps_its_range_until_it_is_given_back, tree_setup,
                                        tree_teardown),
        cmocka_unit_test_setup_teardown(
            half_a_claim_of_one_who_was_killed_goes_with_the_next_that_is_given_back, tree_setup,
            tree_teardown),
        cmocka_unit_test_setup_teardown(what_was_told_is_not_given_to_another, tree_setup,
                                        tree_teardown),
        cmocka_unit_test_setup_teardown(a_damaged_note_is_named_and_nothing_given, tree_setup,
                                        tree_teardown),
        cmocka_unit_test_setup_teardown(sixty_four_at_once_get_one_each, tree_setup, tree_teardown),
    };
    return cmocka_run_group_tests_name("container/id_claims", tests, NULL, NULL);
}
