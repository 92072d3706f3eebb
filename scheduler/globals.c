/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/globals.h"

#include <string.h>

#include "scheduler/bits.h"

static void global_free(struct model *model, struct global *global)
{
    HASH_DEL(model->globals, global);
    free(global->to_ask);
    free(global->has);
    free(global);
}

static struct global *global_find(const struct model *model, const struct unit *unit)
{
    struct global *global = NULL;
    if (model->globals)
        HASH_FIND_PTR(model->globals, &unit, global);
    return global;
}

static struct global *global_new(struct model *model, const struct unit *unit)
{
    size_t words = model->index.words;
    struct global *global = calloc(1, sizeof(*global));
    if (!global)
        return NULL;
    global->unit = unit;
    global->asks_all = true;
    global->to_ask = calloc(words, sizeof(*global->to_ask));
    global->has = calloc(words, sizeof(*global->has));
    if (!global->to_ask || !global->has) {
        free(global->to_ask);
        free(global->has);
        free(global);
        return NULL;
    }
    HASH_ADD_PTR(model->globals, unit, global);
    return global;
}

struct global *global_get(struct model *model, const struct unit *unit)
{
    struct global *global = global_find(model, unit);
    return global ? global : global_new(model, unit);
}

void global_forget(struct model *model, const struct unit *unit)
{
    struct global *global = global_find(model, unit);
    if (global)
        global_free(model, global);
}

void globals_forget(struct model *model)
{
    struct global *global = NULL;
    struct global *next = NULL;
    HASH_ITER(hh, model->globals, global, next)
        global_free(model, global);
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
    for (struct global *g = model->globals; g; g = g->hh.next)
        for (size_t i = 0; i < index->words; i++)
            g->to_ask[i] |= index->stirred[i];
    memset(index->stirred, 0, index->words * sizeof(*index->stirred));
    index->is_stirred = false;
}

static size_t collect(struct model *model, const struct global *global)
{
    struct index *index = &model->index;
    const struct machine *m = NULL;
    size_t count = 0;
    DL_FOREACH2(model->kept, m, kept_next)
        bits_set(global->to_ask, m->number);
    for (size_t i = 0; i < index->words; i++)
        for (uint64_t word = global->to_ask[i]; word; word &= word - 1)
            index->asked[count++] = index->by_number[i * BITS_PER_WORD + bits_first(word)];
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): pointers are what is sorted */
    qsort(index->asked, count, sizeof(*index->asked), machine_compare);
    return count;
}

struct machine *const *global_take(struct model *model, struct global *global, size_t *ret_count)
{
    const struct index *index = &model->index;
    const bool all = global->asks_all;
    tell_all(model);
    *ret_count = all ? model->machine_count : collect(model, global);
    memset(global->to_ask, 0, index->words * sizeof(*global->to_ask));
    global->asks_all = false;
    model->effort.asked += *ret_count;
    return all ? model->machines_by_id : index->asked;
}

void global_note(struct global *global, const struct machine *machine, bool has_it)
{
    global->count += (size_t)has_it - bits_test(global->has, machine->number);
    if (has_it)
        bits_set(global->has, machine->number);
    else
        bits_clear(global->has, machine->number);
}
