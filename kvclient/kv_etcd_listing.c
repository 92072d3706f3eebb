/* SPDX-License-Identifier: Apache-2.0 */
#include "kvclient/kv_etcd_listing.h"

#include <stdlib.h>
#include <string.h>

#include "kvclient/kv_pairs.h"

enum {
    PAGE_KEYS_FIRST = 200,
    PAGE_KEYS_MAX = 16000,
    PAGE_BYTES = 4 << 20, /* that a page should not have many more of */
    PAGE_GROWTH = 8,
    RESTARTS_MAX = 3,
};

int kv_etcd_listing_init(struct kv_etcd_listing *listing, const char *key, bool prefix, int64_t at,
                         struct error *err)
{
    *listing = (struct kv_etcd_listing){
        .key = strdup(key), .prefix = prefix, .at = at, .page_keys = PAGE_KEYS_FIRST
    };
    return listing->key ? 0 : error_oom(err);
}

static void drop_pairs(struct kv_etcd_listing *listing)
{
    kv_pair_array_free(listing->pairs, listing->pair_count);
    listing->pairs = NULL;
    listing->pair_count = 0;
}

void kv_etcd_listing_done(struct kv_etcd_listing *listing)
{
    drop_pairs(listing);
    free(listing->key);
    *listing = (struct kv_etcd_listing){ 0 };
}

int kv_etcd_listing_request(const struct kv_etcd_listing *listing, struct kv_wire_bytes *ret,
                            struct error *err)
{
    struct kv_wire_page page = { .key = listing->key,
                                 .prefix = listing->prefix,
                                 .revision = listing->revision ? listing->revision : listing->at,
                                 .limit = listing->prefix ? listing->page_keys : 0 };
    if (listing->pair_count)
        page.after = listing->pairs[listing->pair_count - 1].key;
    return kv_wire_write_range(&page, ret, err);
}

/* For each page etcd looks up all keys that are left, so there should be few pages; what one has is
 * held in memory, so that it may be large only of small pairs. */
static void size_next_page(struct kv_etcd_listing *listing, const struct kv_wire_range *page)
{
    size_t bytes = 1;
    for (size_t i = 0; i < page->pair_count; i++)
        bytes += strlen(page->pairs[i].key) + page->pairs[i].value_length;
    size_t most = listing->page_keys * PAGE_GROWTH;
    size_t fit = page->pair_count * PAGE_BYTES / bytes + 1;
    if (most > PAGE_KEYS_MAX)
        most = PAGE_KEYS_MAX;
    listing->page_keys = fit < most ? fit : most;
}

static int add_pairs(struct kv_etcd_listing *listing, struct kv_wire_range *page, struct error *err)
{
    if (page->pair_count == 0)
        return 0;
    size_t count = listing->pair_count + page->pair_count;
    struct kv_pair *pairs = realloc(listing->pairs, count * sizeof(*pairs));
    if (!pairs)
        return error_oom(err);
    memcpy(pairs + listing->pair_count, page->pairs, page->pair_count * sizeof(*pairs));
    free(page->pairs);
    page->pairs = NULL;
    page->pair_count = 0;
    listing->pairs = pairs;
    listing->pair_count = count;
    return 0;
}

int kv_etcd_listing_add(struct kv_etcd_listing *listing, struct kv_wire_range *page,
                        struct error *err)
{
    size_next_page(listing, page);
    int r = add_pairs(listing, page, err);
    /* Later pages show page 1's revision, though their headers tell the newest. */
    if (r == 0 && listing->revision == 0)
        listing->revision = listing->at ? listing->at : page->header.revision;
    return r;
}

bool kv_etcd_listing_restart(struct kv_etcd_listing *listing)
{
    if (listing->at || listing->restarts >= RESTARTS_MAX)
        return false;
    drop_pairs(listing);
    listing->revision = 0;
    listing->restarts++;
    return true;
}
