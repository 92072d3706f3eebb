/* SPDX-License-Identifier: Apache-2.0 */
#include "kvclient/kv_pairs.h"

#include <stdlib.h>
#include <string.h>

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
    copy.value = malloc(from->value_length + 1);
    if (!copy.key || !copy.value) {
        kv_pair_done(&copy);
        return error_oom(err);
    }
    if (from->value_length)
        memcpy(copy.value, from->value, from->value_length);
    copy.value[from->value_length] = '\0';
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
    for (size_t i = 0; i < pairs->count; i++)
        kv_pair_free(pairs->items[i]);
    free(pairs->items);
    *pairs = (struct kv_pairs){ 0 };
}

size_t kv_pairs_seek(const struct kv_pairs *pairs, const char *key)
{
    size_t low = 0;
    size_t high = pairs->count;
    /* A listing arrives in order: look at the end first. */
    if (high && strcmp(pairs->items[high - 1]->key, key) < 0)
        return high;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(pairs->items[middle]->key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_at(const struct kv_pairs *pairs, size_t i, const char *key)
{
    return i < pairs->count && strcmp(pairs->items[i]->key, key) == 0;
}

struct kv_pair *kv_pairs_find(const struct kv_pairs *pairs, const char *key)
{
    size_t i = kv_pairs_seek(pairs, key);
    return is_at(pairs, i, key) ? pairs->items[i] : NULL;
}

static int make_room(struct kv_pairs *pairs, struct error *err)
{
    if (pairs->count < pairs->room)
        return 0;
    size_t room = pairs->room ? pairs->room * 2 : 16;
    struct kv_pair **items = realloc(pairs->items, room * sizeof(struct kv_pair *));
    if (!items)
        return error_oom(err);
    pairs->items = items;
    pairs->room = room;
    return 0;
}

int kv_pairs_put(struct kv_pairs *pairs, struct kv_pair *pair, struct kv_pair **ret_old,
                 struct error *err)
{
    size_t i = kv_pairs_seek(pairs, pair->key);
    if (is_at(pairs, i, pair->key)) {
        *ret_old = pairs->items[i];
        pairs->items[i] = pair;
        return 0;
    }
    int r = make_room(pairs, err);
    if (r < 0)
        return r;
    memmove(pairs->items + i + 1, pairs->items + i, (pairs->count - i) * sizeof(struct kv_pair *));
    pairs->items[i] = pair;
    pairs->count++;
    *ret_old = NULL;
    return 0;
}

struct kv_pair *kv_pairs_take(struct kv_pairs *pairs, const char *key)
{
    size_t i = kv_pairs_seek(pairs, key);
    if (!is_at(pairs, i, key))
        return NULL;
    struct kv_pair *pair = pairs->items[i];
    pairs->count--;
    memmove(pairs->items + i, pairs->items + i + 1, (pairs->count - i) * sizeof(struct kv_pair *));
    return pair;
}
