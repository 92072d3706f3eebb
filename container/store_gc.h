/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps the store (store.h) within a bound: images that nobody uses go, the one that was used
 * longest ago first, and with each the layers that no other image has. What a container has pinned
 * stays, whatever the bound says, and so does what was used within the last minute: its container
 * may be between two starts.
 */
#ifndef CONTAINER_STORE_GC_H
#define CONTAINER_STORE_GC_H

#include <stdint.h>

#include "base/error.h"

enum { STORE_GC_GRACE_SECONDS = 60 };

struct store_gc {
    const char *store;
    const char *containers; /* the directory of run directories of containers, where the pins are */
    int64_t max_bytes;
    int64_t now_s; /* wall time, as the times of files are */
};

struct store_gc_result {
    int64_t bytes; /* that layers take now */
    int64_t freed_bytes;
    unsigned int images; /* that went */
};

/* Safe against starts and others of the same kind at the same time: layers are renamed away while
 * nobody can pin any, and removed after. */
int store_gc(const struct store_gc *gc, struct store_gc_result *ret, struct error *err);

#endif
