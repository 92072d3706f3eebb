/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/failures.h"

#include <string.h>

/* Placements change their address, so it is known by the pair. */
struct failure {
    struct placement_key key;
    char words[];
};

static uint64_t hash_of_pair(const struct placement_key *key)
{
    uint64_t machine = (uintptr_t)key->machine;
    return machine * UINT64_C(1099511628211) + (uintptr_t)key->unit;
}

static uint64_t hash_of(const void *item)
{
    return hash_of_pair(&((const struct failure *)item)->key);
}

static bool is(const void *item, const void *key)
{
    const struct failure *failure = item;
    const struct placement_key *pair = key;
    return failure->key.machine == pair->machine && failure->key.unit == pair->unit;
}

static const struct table_kind failure_kind = { hash_of, is };

static struct failure *find(const struct model *model, const struct placement *p)
{
    return table_find(&model->failures, &failure_kind, hash_of_pair(&p->key), &p->key);
}

bool failure_note(struct model *model, const struct placement *p, const char *words)
{
    size_t length = strlen(words);
    const struct failure *known = find(model, p);
    if (known && strcmp(known->words, words) == 0)
        return true;
    failure_forget(model, p);
    struct failure *failure = calloc(1, sizeof(*failure) + length + 1);
    if (!failure)
        return false;
    failure->key = p->key;
    memcpy(failure->words, words, length);
    struct trouble *trouble = model_trouble_get(p->key.unit);
    if (!trouble || !table_add(&model->failures, &failure_kind, failure)) {
        free(failure);
        return false;
    }
    trouble->failures++;
    return true;
}

void failure_forget(struct model *model, const struct placement *p)
{
    const struct trouble *trouble = p->key.unit->trouble;
    struct failure *failure = trouble && trouble->failures > 0 ? find(model, p) : NULL;
    if (!failure)
        return;
    table_remove(&model->failures, &failure_kind, failure);
    p->key.unit->trouble->failures--;
    free(failure);
}

const char *failure_of(const struct model *model, const struct placement *p)
{
    const struct failure *failure = find(model, p);
    return failure ? failure->words : "unknown";
}

void failures_done(struct model *model)
{
    for (size_t i = 0; i < model->failures.room; i++)
        free(model->failures.slots[i]);
    table_done(&model->failures);
}
