/* SPDX-License-Identifier: Apache-2.0 */
#include "kvclient/kv_pairs.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum { CHUNK_ITEMS = 256 };

struct kv_chunk {
    size_t count;
    struct kv_pair *items[CHUNK_ITEMS];
};

void kv_pair_free(struct kv_pair *pair)
{
    if (!pair)
        return;
    kv_pair_done(pair);
    free(pair);
}

int kv_pair_copy(const struct kv_pair *from, struct kv_pair *ret, struct error *err)
{
    struct kv_pair copy = *from;
    copy.key = strdup(from->key);
    copy.value = text_copy_bytes(from->value, from->value_length);
    if (!copy.key || !copy.value) {
        kv_pair_done(&copy);
        return error_oom(err);
    }
    *ret = copy;
    return 0;
}

struct kv_pair *kv_pair_new(const struct kv_pair *from)
{
    struct kv_pair *pair = calloc(1, sizeof(*pair));
    if (pair && kv_pair_copy(from, pair, NULL) < 0) {
        free(pair);
        return NULL;
    }
    return pair;
}

void kv_pair_array_free(struct kv_pair *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        kv_pair_done(&pairs[i]);
    free(pairs);
}

void kv_pairs_done(struct kv_pairs *pairs)
{
    for (size_t c = 0; c < pairs->chunk_count; c++) {
        for (size_t i = 0; i < pairs->chunks[c]->count; i++)
            kv_pair_free(pairs->chunks[c]->items[i]);
        free(pairs->chunks[c]);
    }
    free(pairs->chunks);
    *pairs = (struct kv_pairs){ 0 };
}

/* The first chunk whose last key is not less than key. */
static size_t seek_chunk(const struct kv_pairs *pairs, const char *key)
{
    size_t low = 0;
    size_t high = pairs->chunk_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct kv_chunk *chunk = pairs->chunks[middle];
        if (strcmp(chunk->items[chunk->count - 1]->key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static size_t seek_item(const struct kv_chunk *chunk, const char *key)
{
    size_t low = 0;
    size_t high = chunk->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(chunk->items[middle]->key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct kv_pairs_at kv_pairs_seek(const struct kv_pairs *pairs, const char *key)
{
    struct kv_pairs_at at = { .chunk = seek_chunk(pairs, key) };
    if (at.chunk < pairs->chunk_count)
        at.index = seek_item(pairs->chunks[at.chunk], key);
    return at;
}

struct kv_pair *kv_pairs_get(const struct kv_pairs *pairs, struct kv_pairs_at at)
{
    return at.chunk < pairs->chunk_count ? pairs->chunks[at.chunk]->items[at.index] : NULL;
}

struct kv_pairs_at kv_pairs_next(const struct kv_pairs *pairs, struct kv_pairs_at at)
{
    if (++at.index == pairs->chunks[at.chunk]->count)
        at = (struct kv_pairs_at){ .chunk = at.chunk + 1 };
    return at;
}

struct kv_pair *kv_pairs_find(const struct kv_pairs *pairs, const char *key)
{
    struct kv_pair *pair = kv_pairs_get(pairs, kv_pairs_seek(pairs, key));
    return pair && strcmp(pair->key, key) == 0 ? pair : NULL;
}

static bool is_place(const struct kv_pairs *pairs, struct kv_pairs_at at)
{
    return at.chunk < pairs->chunk_count && at.index < pairs->chunks[at.chunk]->count;
}

/* As kv_pairs_seek(). What is written in one revision, and what is listed, comes in order as a
 * rule: so it is first looked at what follows the place of the last. */
static struct kv_pairs_at seek_from_last(const struct kv_pairs *pairs, const char *key)
{
    if (!is_place(pairs, pairs->last) || strcmp(kv_pairs_get(pairs, pairs->last)->key, key) >= 0)
        return kv_pairs_seek(pairs, key);
    const struct kv_pairs_at next = kv_pairs_next(pairs, pairs->last);
    const struct kv_pair *follower = kv_pairs_get(pairs, next);
    return !follower || strcmp(follower->key, key) >= 0 ? next : kv_pairs_seek(pairs, key);
}

/* A new empty chunk before that place among the chunks. */
static int insert_chunk(struct kv_pairs *pairs, size_t place, struct error *err)
{
    if (pairs->chunk_count == pairs->chunk_room) {
        size_t room = pairs->chunk_room ? pairs->chunk_room * 2 : 4;
        struct kv_chunk **chunks = realloc(pairs->chunks, room * sizeof(struct kv_chunk *));
        if (!chunks)
            return error_oom(err);
        pairs->chunks = chunks;
        pairs->chunk_room = room;
    }
    struct kv_chunk *chunk = calloc(1, sizeof(*chunk));
    if (!chunk)
        return error_oom(err);
    memmove(pairs->chunks + place + 1, pairs->chunks + place,
            (pairs->chunk_count - place) * sizeof(struct kv_chunk *));
    pairs->chunks[place] = chunk;
    pairs->chunk_count++;
    return 0;
}

static void remove_chunk(struct kv_pairs *pairs, size_t place)
{
    free(pairs->chunks[place]);
    pairs->chunk_count--;
    memmove(pairs->chunks + place, pairs->chunks + place + 1,
            (pairs->chunk_count - place) * sizeof(struct kv_chunk *));
}

/* Moves the items from index on to the end of another chunk that has room for them. */
static void move_items(struct kv_chunk *from, size_t index, struct kv_chunk *to)
{
    size_t count = from->count - index;
    memcpy(to->items + to->count, from->items + index, count * sizeof(struct kv_pair *));
    to->count += count;
    from->count = index;
}

/* Room for one more at that place, which may then be another one. */
static int make_room(struct kv_pairs *pairs, struct kv_pairs_at *at, struct error *err)
{
    /* Behind the last key: into the last chunk while it has room. Keys that come in order, as those
     * of a listing do, fill every chunk. */
    if (at->chunk == pairs->chunk_count) {
        if (pairs->chunk_count && pairs->chunks[at->chunk - 1]->count < CHUNK_ITEMS) {
            at->chunk--;
            at->index = pairs->chunks[at->chunk]->count;
            return 0;
        }
        return insert_chunk(pairs, at->chunk, err);
    }
    if (pairs->chunks[at->chunk]->count < CHUNK_ITEMS)
        return 0;
    int r = insert_chunk(pairs, at->chunk + 1, err);
    if (r < 0)
        return r;
    move_items(pairs->chunks[at->chunk], CHUNK_ITEMS / 2, pairs->chunks[at->chunk + 1]);
    if (at->index > CHUNK_ITEMS / 2)
        *at = (struct kv_pairs_at){ .chunk = at->chunk + 1, .index = at->index - CHUNK_ITEMS / 2 };
    return 0;
}

int kv_pairs_put(struct kv_pairs *pairs, struct kv_pair *pair, struct kv_pair **ret_old,
                 struct error *err)
{
    struct kv_pairs_at at = seek_from_last(pairs, pair->key);
    struct kv_pair *present = kv_pairs_get(pairs, at);
    if (present && strcmp(present->key, pair->key) == 0) {
        *ret_old = present;
        pairs->last = at;
        pairs->chunks[at.chunk]->items[at.index] = pair;
        return 0;
    }
    int r = make_room(pairs, &at, err);
    if (r < 0)
        return r;
    struct kv_chunk *chunk = pairs->chunks[at.chunk];
    memmove(chunk->items + at.index + 1, chunk->items + at.index,
            (chunk->count - at.index) * sizeof(struct kv_pair *));
    chunk->items[at.index] = pair;
    chunk->count++;
    pairs->count++;
    pairs->last = at;
    *ret_old = NULL;
    return 0;
}

/* After a take: no chunk stays empty, and two that have shrunk become one, half full so that the
 * next put does not split it again. */
static void tidy(struct kv_pairs *pairs, size_t place)
{
    if (pairs->chunks[place]->count == 0) {
        remove_chunk(pairs, place);
        return;
    }
    if (place + 1 == pairs->chunk_count)
        return;
    struct kv_chunk *next = pairs->chunks[place + 1];
    if (pairs->chunks[place]->count + next->count > CHUNK_ITEMS / 2)
        return;
    move_items(next, 0, pairs->chunks[place]);
    remove_chunk(pairs, place + 1);
}

struct kv_pair *kv_pairs_take(struct kv_pairs *pairs, const char *key)
{
    struct kv_pairs_at at = kv_pairs_seek(pairs, key);
    struct kv_pair *pair = kv_pairs_get(pairs, at);
    if (!pair || strcmp(pair->key, key) != 0)
        return NULL;
    struct kv_chunk *chunk = pairs->chunks[at.chunk];
    chunk->count--;
    pairs->count--;
    memmove(chunk->items + at.index, chunk->items + at.index + 1,
            (chunk->count - at.index) * sizeof(struct kv_pair *));
    tidy(pairs, at.chunk);
    return pair;
}
