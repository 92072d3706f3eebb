/* SPDX-License-Identifier: Apache-2.0 */
/* The loop that whole-cluster tests run on. */
#include "base/loop_fake.h"

#include "base/chance.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "tests/unit/harness.h"

static struct text told;

static void on_timer(struct loop_timer *timer, void *userdata)
{
    (void)timer;
    text_addf(&told, "%s ", (const char *)userdata);
}

static void on_again(struct loop_timer *timer, void *userdata)
{
    on_timer(timer, userdata);
    loop_timer_set(timer, 0);
}

static int set_up(void **state)
{
    struct loop *loop = NULL;
    clock_fake_set(1000);
    *state = loop_new(&loop, NULL) == 0 ? loop : NULL;
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    loop_free(*state);
    clock_fake_set(-1);
    text_done(&told);
    return 0;
}

static struct loop_timer *timer_new(struct loop *loop, loop_timer_fn fn, char *name, int64_t delay)
{
    struct loop_timer *timer = NULL;
    assert_int_equal(loop_timer_new(loop, name, fn, name, &timer, NULL), 0);
    loop_timer_set(timer, delay);
    return timer;
}

static void timers_run_in_the_order_in_which_they_are_due(void **state)
{
    char a[] = "a", b[] = "b", c[] = "c";
    autoptr(loop_timer) last = timer_new(*state, on_timer, c, 30);
    autoptr(loop_timer) first = timer_new(*state, on_timer, a, 10);
    autoptr(loop_timer) second = timer_new(*state, on_timer, b, 10);
    assert_int_equal(loop_fake_next_ms(*state), 1010);
    assert_int_equal(loop_fake_run_due(*state), 0);
    clock_fake_set(1010);
    assert_int_equal(loop_fake_run_due(*state), 2);
    assert_string_equal(told.data, "a b ");
    assert_true(loop_timer_is_set(last));
    assert_false(loop_timer_is_set(first));
    loop_timer_cancel(last);
    loop_timer_cancel(second);
    assert_int_equal(loop_fake_next_ms(*state), INT64_MAX);
}

static void a_timer_that_sets_itself_waits_for_the_next_turn(void **state)
{
    char a[] = "a";
    autoptr(loop_timer) timer = timer_new(*state, on_again, a, 0);
    assert_true(loop_timer_is_set(timer));
    assert_int_equal(loop_fake_run_due(*state), 1);
    assert_int_equal(loop_fake_run_due(*state), 1);
    assert_string_equal(told.data, "a a ");
    loop_stop(*state);
    assert_true(loop_fake_is_stopped(*state));
    assert_int_equal(loop_fake_run_due(*state), 0);
}

static void chance_from_a_seed_comes_again(void **state)
{
    char first[33], second[33], other[33];
    (void)state;
    chance_fake_set(7);
    text_random_hex(16, first);
    chance_fake_set(7);
    text_random_hex(16, second);
    chance_fake_set(8);
    text_random_hex(16, other);
    chance_fake_set(0);
    assert_string_equal(first, second);
    assert_string_not_equal(first, other);
}

static void keep_line(const char *line, void *userdata)
{
    text_addf(userdata, "%s|", line);
}

static void lines_go_to_the_sink_while_there_is_one(void **state)
{
    (void)state;
    log_set_sink(keep_line, &told);
    log_info("machine %d starts", 1);
    log_debug("and this is too much");
    log_set_sink(NULL, NULL);
    assert_string_equal(told.data, "machine 1 starts|");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(timers_run_in_the_order_in_which_they_are_due, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_timer_that_sets_itself_waits_for_the_next_turn, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(chance_from_a_seed_comes_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lines_go_to_the_sink_while_there_is_one, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("base/loop_fake", tests, NULL, NULL);
}
