/* SPDX-License-Identifier: Apache-2.0 */
/* How large a listing's pages are: few of many small pairs, none of more than fits into memory. */
#include "kvclient/kv_etcd_listing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/harness.h"

/* As etcd answers, of so many keys that are left: as many as were asked for. */
static size_t add_page(struct kv_etcd_listing *listing, size_t left, size_t value_length)
{
    struct kv_wire_range page = { .header = { .revision = 1 },
                                  .pair_count =
                                      left < listing->page_keys ? left : listing->page_keys };
    size_t count = page.pair_count;
    page.pairs = calloc(count + 1, sizeof(*page.pairs));
    assert_non_null(page.pairs);
    for (size_t i = 0; i < count; i++)
        page.pairs[i] = (struct kv_pair){ .key = strdup("/muster/v1/units/some@1234.service"),
                                          .value = calloc(1, value_length + 1),
                                          .value_length = value_length };
    assert_int_equal(kv_etcd_listing_add(listing, &page, NULL), 0);
    kv_wire_range_done(&page);
    return count;
}

static unsigned int pages_of(size_t keys, size_t value_length, size_t *ret_largest)
{
    struct kv_etcd_listing listing = { 0 };
    unsigned int pages = 0;
    *ret_largest = 0;
    assert_int_equal(kv_etcd_listing_init(&listing, "/", true, 0, NULL), 0);
    for (size_t left = keys; left > 0; pages++) {
        size_t count = add_page(&listing, left, value_length);
        *ret_largest = count > *ret_largest ? count : *ret_largest;
        left -= count;
    }
    assert_int_equal(listing.pair_count, keys);
    kv_etcd_listing_done(&listing);
    return pages;
}

static void many_small_pairs_come_in_few_pages(void **state)
{
    size_t largest = 0;
    (void)state;
    assert_in_range(pages_of(60000, 200, &largest), 2, 8);
    assert_in_range(largest * 234, 1 << 20, 8 << 20);
}

static void of_large_pairs_a_page_has_few(void **state)
{
    size_t largest = 0;
    (void)state;
    assert_in_range(pages_of(1000, 100000, &largest), 10, 30);
    assert_int_equal(largest, 200); /* the first, which nothing is known before */
}

/* The size follows what comes, both ways. */
static void pages_shrink_and_grow(void **state)
{
    struct kv_etcd_listing listing = { 0 };
    (void)state;
    assert_int_equal(kv_etcd_listing_init(&listing, "/", true, 0, NULL), 0);
    (void)add_page(&listing, SIZE_MAX, 1 << 20);
    assert_in_range(listing.page_keys, 1, 5);
    for (int i = 0; i < 5; i++)
        (void)add_page(&listing, SIZE_MAX, 10);
    assert_in_range(listing.page_keys, 4096, 16000);
    kv_etcd_listing_done(&listing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_small_pairs_come_in_few_pages),
        cmocka_unit_test(of_large_pairs_a_page_has_few),
        cmocka_unit_test(pages_shrink_and_grow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
