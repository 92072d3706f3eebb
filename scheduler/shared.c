/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/shared.h"

#include <stdlib.h>
#include <string.h>

struct shared_text {
    size_t users;
    struct shared_text *idle_next;
    bool is_idle; /* is on that list */
    uint64_t hash;
    char text[];
};

static uint64_t hash_of(const void *item)
{
    return ((const struct shared_text *)item)->hash;
}

static bool is(const void *item, const void *key)
{
    return strcmp(((const struct shared_text *)item)->text, key) == 0;
}

static const struct table_kind kind = { hash_of, is };

static struct shared_text *entry_of(const char *text)
{
    return (struct shared_text *)(void *)(text - offsetof(struct shared_text, text));
}

void shared_done(struct shared *shared)
{
    for (size_t i = 0; i < shared->table.room; i++)
        free(shared->table.slots[i]);
    table_done(&shared->table);
    shared->idle = NULL;
}

const char *shared_get(struct shared *shared, const char *text)
{
    uint64_t hash = table_hash_text(text);
    size_t length = strlen(text);
    struct shared_text *entry = table_find(&shared->table, &kind, hash, text);
    if (!entry) {
        entry = calloc(1, sizeof(*entry) + length + 1);
        if (!entry)
            return NULL;
        entry->hash = hash;
        memcpy(entry->text, text, length);
        if (!table_add(&shared->table, &kind, entry)) {
            free(entry);
            return NULL;
        }
    }
    entry->users++;
    return entry->text;
}

void shared_put(struct shared *shared, const char *text)
{
    struct shared_text *entry = text ? entry_of(text) : NULL;
    if (!entry || --entry->users > 0 || entry->is_idle)
        return;
    entry->is_idle = true;
    entry->idle_next = shared->idle;
    shared->idle = entry;
}

void shared_sweep(struct shared *shared)
{
    while (shared->idle) {
        struct shared_text *entry = shared->idle;
        shared->idle = entry->idle_next;
        entry->is_idle = false;
        if (entry->users == 0) {
            table_remove(&shared->table, &kind, entry);
            free(entry);
        }
    }
}
