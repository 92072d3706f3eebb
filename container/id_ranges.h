/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ranges of user or group ids: which a name may use (/etc/subuid, /etc/subgid), which containers
 * have, and where a free one is. Pure.
 */
#ifndef CONTAINER_ID_RANGES_H
#define CONTAINER_ID_RANGES_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct id_range {
    int64_t start, count; /* start + count is at most 2^32 - 1, the id that means none */
};

struct id_ranges {
    struct id_range *items; /* owned */
    size_t count;
};

/* Where no entry names an owner for containers: ids that no distribution gives to people, services
 * or systemd's own containers. 4093 ranges of 65536. */
extern const struct id_range id_range_builtin;

/* -EINVAL: it is empty or leaves the numbers that ids can have. */
int id_ranges_add(struct id_ranges *ranges, struct id_range range, struct error *err);
void id_ranges_done(struct id_ranges *ranges);

/* Adds the ranges of owner in the text of subuid(5) or subgid(5), in order; lines of others are not
 * judged. None is success. -EINVAL with the line's number. */
int id_ranges_of_owner(const char *text, const char *owner, struct id_ranges *ranges,
                       struct error *err);

/* The start of a range of size ids within one of pool that overlaps none of taken. Equal wishes
 * find equal places as long as they are free, so that a container mostly has the ids it had.
 * -ENOSPC: there is none. */
int id_ranges_place(const struct id_ranges *pool, const struct id_ranges *taken, int64_t size,
                    uint64_t wish, int64_t *ret_start, struct error *err);

#endif
