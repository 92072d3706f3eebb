/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/askers.h"

#include <string.h>

#include "scheduler/bits.h"

static void asker_free(struct model *model, struct asker *asker)
{
    HASH_DEL(model->askers, asker);
    free(asker->to_ask);
    free(asker->has);
    free(asker);
}

static struct asker *asker_find(const struct model *model, const void *who)
{
    struct asker *asker = NULL;
    if (model->askers)
        HASH_FIND_PTR(model->askers, &who, asker);
    return asker;
}

static struct asker *asker_new(struct model *model, const void *who)
{
    size_t words = model->index.words;
    struct asker *asker = calloc(1, sizeof(*asker));
    if (!asker)
        return NULL;
    asker->who = who;
    asker->asks_all = true;
    asker->to_ask = calloc(words, sizeof(*asker->to_ask));
    asker->has = calloc(words, sizeof(*asker->has));
    if (!asker->to_ask || !asker->has) {
        free(asker->to_ask);
        free(asker->has);
        free(asker);
        return NULL;
    }
    HASH_ADD_PTR(model->askers, who, asker);
    return asker;
}

struct asker *asker_get(struct model *model, const void *who)
{
    struct asker *asker = asker_find(model, who);
    return asker ? asker : asker_new(model, who);
}

void asker_forget(struct model *model, const void *who)
{
    struct asker *asker = asker_find(model, who);
    if (asker)
        asker_free(model, asker);
}

void askers_forget(struct model *model)
{
    struct asker *asker = NULL;
    struct asker *next = NULL;
    HASH_ITER(hh, model->askers, asker, next)
        asker_free(model, asker);
    model->index.is_stirred = false;
    if (model->index.stirred)
        memset(model->index.stirred, 0, model->index.words * sizeof(*model->index.stirred));
}

/* --- asking --- */

static void tell_all(struct model *model)
{
    struct index *index = &model->index;
    if (!index->is_stirred)
        return;
    for (struct asker *g = model->askers; g; g = g->hh.next)
        for (size_t i = 0; i < index->words; i++)
            g->to_ask[i] |= index->stirred[i];
    memset(index->stirred, 0, index->words * sizeof(*index->stirred));
    index->is_stirred = false;
}

static size_t collect(struct model *model, const struct asker *asker)
{
    struct index *index = &model->index;
    const struct machine *m = NULL;
    size_t count = 0;
    DL_FOREACH2(model->kept, m, kept_next)
        bits_set(asker->to_ask, m->number);
    for (size_t i = 0; i < index->words; i++)
        for (uint64_t word = asker->to_ask[i]; word; word &= word - 1)
            index->asked[count++] = index->by_number[i * BITS_PER_WORD + bits_first(word)];
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): pointers are what is sorted */
    qsort(index->asked, count, sizeof(*index->asked), machine_compare);
    return count;
}

struct machine *const *asker_take(struct model *model, struct asker *asker, size_t *ret_count)
{
    const struct index *index = &model->index;
    const bool all = asker->asks_all;
    tell_all(model);
    *ret_count = all ? model->machine_count : collect(model, asker);
    memset(asker->to_ask, 0, index->words * sizeof(*asker->to_ask));
    asker->asks_all = false;
    model->effort.asked += *ret_count;
    return all ? model->machines_by_id : index->asked;
}

void asker_note(struct asker *asker, const struct machine *machine, bool has_it)
{
    asker->count += (size_t)has_it - bits_test(asker->has, machine->number);
    if (has_it)
        bits_set(asker->has, machine->number);
    else
        bits_clear(asker->has, machine->number);
}
