/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A set of pointers, found by what they point at: one word a slot, where the handles of uthash
 * would double the size of a unit. Its order means nothing: never decide anything by it.
 */
#ifndef SCHEDULER_TABLE_H
#define SCHEDULER_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is in it: how an item is hashed, and whether it is the one that a key names. */
struct table_kind {
    uint64_t (*hash_of)(const void *item);
    bool (*is)(const void *item, const void *key);
};

/* Zero-initialise. Iterate over slots[0] to slots[room - 1], those that are not NULL. */
struct table {
    void **slots;
    size_t room; /* 0 or a power of two */
    size_t count;
};

void table_done(struct table *table);
void *table_find(const struct table *table, const struct table_kind *kind, uint64_t hash,
                 const void *key);
/* The item must not be in it. False if memory ran out. */
bool table_add(struct table *table, const struct table_kind *kind, void *item);
/* The item must be in it. */
void table_remove(struct table *table, const struct table_kind *kind, const void *item);

uint64_t table_hash_text(const char *text);

#endif
