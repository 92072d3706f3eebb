/* SPDX-License-Identifier: Apache-2.0 */
#include "kvclient/kv_pairs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/harness.h"

enum { MANY = 100000 };

static void put(struct kv_pairs *pairs, unsigned int number, int64_t version)
{
    char key[16];
    char value[] = "";
    (void)snprintf(key, sizeof(key), "k/%06u", number);
    struct kv_pair pair = { .key = key, .value = value, .version = version };
    autoptr(kv_pair) old = NULL;
    struct kv_pair *copy = kv_pair_new(&pair);
    assert_non_null(copy);
    assert_int_equal(kv_pairs_put(pairs, copy, &old, NULL), 0);
    assert_int_equal(old ? old->version : 0, version - 1);
}

static bool take(struct kv_pairs *pairs, unsigned int number)
{
    char key[16];
    (void)snprintf(key, sizeof(key), "k/%06u", number);
    autoptr(kv_pair) old = kv_pairs_take(pairs, key);
    return old;
}

/* All are there once, in order. */
static void expect_count(const struct kv_pairs *pairs, size_t count)
{
    struct kv_pairs_at at = { 0 };
    const char *last = "";
    size_t seen = 0;
    for (const struct kv_pair *pair = kv_pairs_get(pairs, at); pair;
         at = kv_pairs_next(pairs, at), pair = kv_pairs_get(pairs, at)) {
        assert_true(strcmp(last, pair->key) < 0);
        last = pair->key;
        seen++;
    }
    assert_int_equal(seen, count);
    assert_int_equal(pairs->count, count);
}

/* Each number below MANY once, in an order that looks like none: 7919 and MANY have no common
 * divisor. */
static unsigned int shuffled(unsigned int i)
{
    return (unsigned int)((uint64_t)i * 7919 % MANY);
}

static void a_hundred_thousand_come_and_go_in_any_order(void **state)
{
    struct kv_pairs pairs = { 0 };
    (void)state;
    for (unsigned int i = 0; i < MANY; i++)
        put(&pairs, shuffled(i), 1);
    expect_count(&pairs, MANY);
    for (unsigned int i = 0; i < MANY; i += 2)
        assert_true(take(&pairs, shuffled(i)));
    expect_count(&pairs, MANY / 2);
    for (unsigned int i = 0; i < MANY; i++)
        assert_int_equal(take(&pairs, i), shuffled(1) % 2 == i % 2);
    expect_count(&pairs, 0);
    assert_int_equal(pairs.chunk_count, 0);
    kv_pairs_done(&pairs);
}

static void keys_in_order_fill_the_memory_that_they_take(void **state)
{
    struct kv_pairs pairs = { 0 };
    (void)state;
    for (unsigned int i = 0; i < MANY; i++)
        put(&pairs, i, 1);
    expect_count(&pairs, MANY);
    assert_in_range(pairs.chunk_count, 1, MANY / 256 + 1);
    kv_pairs_done(&pairs);
}

static void few_that_are_left_take_little(void **state)
{
    struct kv_pairs pairs = { 0 };
    (void)state;
    for (unsigned int i = 0; i < MANY; i++)
        put(&pairs, i, 1);
    for (unsigned int i = MANY; i-- > 0;)
        if (i % 1000)
            assert_true(take(&pairs, i));
    expect_count(&pairs, MANY / 1000);
    assert_in_range(pairs.chunk_count, 1, 3);
    kv_pairs_done(&pairs);
}

static void seeking_finds_the_first_that_is_not_less(void **state)
{
    struct kv_pairs pairs = { 0 };
    (void)state;
    assert_null(kv_pairs_get(&pairs, kv_pairs_seek(&pairs, "")));
    for (unsigned int i = 0; i < 2000; i += 2)
        put(&pairs, i, 1);
    for (unsigned int i = 0; i < 1998; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "k/%06u", i);
        const struct kv_pair *pair = kv_pairs_get(&pairs, kv_pairs_seek(&pairs, key));
        assert_int_equal(strtoul(pair->key + 2, NULL, 10), i + i % 2);
        assert_true(!kv_pairs_find(&pairs, key) == (i % 2 == 1));
    }
    assert_null(kv_pairs_get(&pairs, kv_pairs_seek(&pairs, "k/001999")));
    put(&pairs, 4, 2); /* replaces */
    expect_count(&pairs, 1000);
    kv_pairs_done(&pairs);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hundred_thousand_come_and_go_in_any_order),
        cmocka_unit_test(keys_in_order_fill_the_memory_that_they_take),
        cmocka_unit_test(few_that_are_left_take_little),
        cmocka_unit_test(seeking_finds_the_first_that_is_not_less),
    };
    return cmocka_run_group_tests_name("kv-pairs", tests, NULL, NULL);
}
