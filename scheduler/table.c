/* SPDX-License-Identifier: Apache-2.0 */
/* Open addressing; a gap that a removal leaves is closed at once, so that there are no tombstones.
 */
#include "scheduler/table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM_MIN = 16 };

void table_done(struct table *table)
{
    free(table->slots);
    *table = (struct table){ 0 };
}

/* Where the search for it begins. The multiplication spreads hashes that are close together. */
static size_t home_of(const struct table *table, uint64_t hash)
{
    return (size_t)((hash * UINT64_C(0x9e3779b97f4a7c15)) >> 20) & (table->room - 1);
}

static size_t next_of(const struct table *table, size_t i)
{
    return (i + 1) & (table->room - 1);
}

void *table_find(const struct table *table, const struct table_kind *kind, uint64_t hash,
                 const void *key)
{
    if (table->room == 0)
        return NULL;
    for (size_t i = home_of(table, hash); table->slots[i]; i = next_of(table, i))
        if (kind->is(table->slots[i], key))
            return table->slots[i];
    return NULL;
}

static void place(struct table *table, const struct table_kind *kind, void *item)
{
    size_t i = home_of(table, kind->hash_of(item));
    while (table->slots[i])
        i = next_of(table, i);
    table->slots[i] = item;
}

/* At most four of five slots are taken. */
static bool make_room(struct table *table, const struct table_kind *kind)
{
    if ((table->count + 1) * 5 <= table->room * 4)
        return true;
    struct table grown = { .room = table->room ? table->room * 2 : ROOM_MIN };
    grown.slots = calloc(grown.room, sizeof(*grown.slots));
    if (!grown.slots)
        return false;
    for (size_t i = 0; i < table->room; i++)
        if (table->slots[i])
            place(&grown, kind, table->slots[i]);
    grown.count = table->count;
    free(table->slots);
    *table = grown;
    return true;
}

bool table_add(struct table *table, const struct table_kind *kind, void *item)
{
    if (!make_room(table, kind))
        return false;
    place(table, kind, item);
    table->count++;
    return true;
}

/* Would the item at `at` still be found if it stood in the gap? Only if its home does not lie
 * between the two. */
static bool may_fill(const struct table *table, size_t gap, size_t at, size_t home)
{
    size_t mask = table->room - 1;
    return ((at - home) & mask) >= ((at - gap) & mask);
}

void table_remove(struct table *table, const struct table_kind *kind, const void *item)
{
    size_t gap = home_of(table, kind->hash_of(item));
    while (table->slots[gap] != item) {
        assert(table->slots[gap]);
        gap = next_of(table, gap);
    }
    for (size_t i = next_of(table, gap); table->slots[i]; i = next_of(table, i))
        if (may_fill(table, gap, i, home_of(table, kind->hash_of(table->slots[i])))) {
            table->slots[gap] = table->slots[i];
            gap = i;
        }
    table->slots[gap] = NULL;
    table->count--;
}

/* Takes in what a word says: each of its bits changes many of the hash. */
static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9fb21c651e98df25);
    return hash ^ hash >> 32;
}

/* Eight bytes at a time; what is left at the end is filled up with zeros, and the length tells it
 * from a longer text. */
uint64_t table_hash_text(const char *text)
{
    size_t left = strlen(text);
    uint64_t hash = left;
    uint64_t word = 0;
    for (; left >= sizeof(word); left -= sizeof(word), text += sizeof(word)) {
        memcpy(&word, text, sizeof(word));
        hash = mix(hash, word);
    }
    word = 0;
    memcpy(&word, text, left);
    return mix(hash, word);
}
