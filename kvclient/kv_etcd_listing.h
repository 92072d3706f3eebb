/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A listing: a key, or all below a prefix, asked of etcd page by page at one revision. Pure; who
 * sends the requests and reads the answers is kv_etcd_call.c.
 *
 * The first page says at which revision, unless the caller did, and the later ones are asked for at
 * that. When compaction has overtaken it, it begins anew at the newest, a few times.
 */
#ifndef KVCLIENT_KV_ETCD_LISTING_H
#define KVCLIENT_KV_ETCD_LISTING_H

#include "base/error.h"
#include "kvclient/kv_wire.h"

struct kv_etcd_listing {
    char *key;
    bool prefix;
    int restarts;
    int64_t at;       /* the revision that was asked for; 0: the newest */
    int64_t revision; /* of page 1; 0: not known yet */
    size_t page_keys; /* that the next page may have */
    struct kv_pair *pairs;
    size_t pair_count;
};

/* Copies key. -ENOMEM. */
int kv_etcd_listing_init(struct kv_etcd_listing *listing, const char *key, bool prefix, int64_t at,
                         struct error *err);
void kv_etcd_listing_done(struct kv_etcd_listing *listing); /* of a zeroed one as well */

/* The message of the request for the page behind what it has; the caller's. -ENOMEM. */
int kv_etcd_listing_request(const struct kv_etcd_listing *listing, struct kv_wire_bytes *ret,
                            struct error *err);

/* Moves the page's pairs behind those that it has. -ENOMEM leaves them the page's. */
int kv_etcd_listing_add(struct kv_etcd_listing *listing, struct kv_wire_range *page,
                        struct error *err);

/* Drops what it has, to begin anew. False: the caller wants one revision, or it has begun anew
 * often enough. */
bool kv_etcd_listing_restart(struct kv_etcd_listing *listing);

#endif
