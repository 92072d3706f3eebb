/* SPDX-License-Identifier: Apache-2.0 */
#include "api/view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/view_internal.h"
#include "base/memory.h"
#include "base/text.h"

/* --- life --- */

int view_begin(const char *prefix, struct view **ret, struct error *err)
{
    autoptr(view) view = calloc(1, sizeof(*view));
    if (!view)
        return error_oom(err);
    view->prefix = strdup(prefix);
    view->known = calloc(1, sizeof(*view->known));
    if (!view->prefix || !view->known)
        return error_oom(err);
    *ret = take_ptr(view);
    return 0;
}

static void free_list(enum store_key_kind kind, struct view_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        view_entry_free(kind, list->items[i]);
    free(list->items);
}

void view_free(struct view *view)
{
    if (!view)
        return;
    for (size_t kind = 0; kind < VIEW_KINDS; kind++)
        free_list((enum store_key_kind)kind, &view->lists[kind]);
    if (view->known) {
        model_free(view->known->model);
        view_text_done(view->known);
    }
    free(view->known);
    strv_free(view->problems);
    free(view->prefix);
    free(view);
}

static int list_grow(struct view_list *list, struct error *err)
{
    struct view_entry **items = memory_grow_pointers(list->items, list->count, &list->room);
    if (!items)
        return error_oom(err);
    list->items = items;
    return 0;
}

/* The entry, or NULL where the value makes no sense, which is noted. */
static int read_pair(struct view *view, const struct store_key_parts *parts,
                     const struct kv_pair *pair, struct view_entry **ret, struct error *err)
{
    struct error why;
    int r = view_entry_new(parts, pair, ret, &why);
    if (r == -ENOMEM)
        return error_oom(err);
    return r < 0 ? strv_addf(&view->problems, err, "%s: %s", pair->key, why.text) : 0;
}

int view_add(struct view *view, const struct kv_pair *pair, struct error *err)
{
    struct store_key_parts parts;
    struct view_entry *entry = NULL;
    store_key_parse(view->prefix, pair->key, &parts);
    if (parts.kind == STORE_KEY_INVALID)
        return 0;
    struct view_list *list = &view->lists[parts.kind];
    int r = list_grow(list, err);
    if (r == 0)
        r = read_pair(view, &parts, pair, &entry, err);
    if (r < 0 || !entry)
        return r;
    list->items[list->count++] = entry;
    list->is_mixed = true;
    view->known->unread += parts.kind == STORE_KEY_UNIT;
    return 0;
}

static int compare(const struct view_entry *x, const char *name, const char *machine,
                   unsigned int index)
{
    int order = strcmp(x->name, name);
    if (order == 0)
        order = strcmp(x->machine, machine);
    return order ? order : (x->index > index) - (x->index < index);
}

static int compare_entries(const void *a, const void *b)
{
    const struct view_entry *x = *(const struct view_entry *const *)a;
    const struct view_entry *y = *(const struct view_entry *const *)b;
    return compare(x, y->name, y->machine, y->index);
}

void view_stand(struct view *view, int64_t revision)
{
    view->revision = revision;
    for (size_t kind = 0; kind < VIEW_KINDS; kind++) {
        struct view_list *list = &view->lists[kind];
        if (list->is_mixed)
            qsort(list->items, list->count, sizeof(struct view_entry *), compare_entries);
        list->is_mixed = false;
    }
    if (view->known->model)
        model_sweep(view->known->model);
}

int view_new(const char *prefix, const struct kv_pair *pairs, size_t count, int64_t revision,
             struct view **ret, struct error *err)
{
    autoptr(view) view = NULL;
    int r = view_begin(prefix, &view, err);
    for (size_t i = 0; r == 0 && i < count; i++)
        r = view_add(view, &pairs[i], err);
    if (r < 0)
        return r;
    view_stand(view, revision);
    *ret = take_ptr(view);
    return 0;
}

/* --- looking up --- */

int64_t view_revision(const struct view *view)
{
    return view->revision;
}

char *const *view_problems(const struct view *view)
{
    return view->problems;
}

struct view_entry *const *view_list(const struct view *view, enum store_key_kind kind,
                                    size_t *ret_count)
{
    *ret_count = view->lists[kind].count;
    return view->lists[kind].items;
}

/* The first entry that is not before these. */
static size_t lower_bound(const struct view_list *list, const char *name, const char *machine,
                          unsigned int index)
{
    size_t low = 0;
    size_t high = list->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(list->items[middle], name, machine, index) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct view_entry *view_find(const struct view *view, enum store_key_kind kind,
                                   const char *machine, const char *name)
{
    const struct view_list *list = &view->lists[kind];
    size_t i = lower_bound(list, name, machine, 0);
    if (i == list->count || !text_equal(list->items[i]->name, name) ||
        !text_equal(list->items[i]->machine, machine))
        return NULL;
    return list->items[i];
}

/* The entries of a kind that belong to one unit. */
static struct view_list slice_of(const struct view *view, enum store_key_kind kind,
                                 const char *unit)
{
    const struct view_list *list = &view->lists[kind];
    size_t first = lower_bound(list, unit, "", 0);
    size_t end = first;
    while (end < list->count && text_equal(list->items[end]->name, unit))
        end++;
    return (struct view_list){ .items = list->items + first, .count = end - first };
}

static bool is_known(const struct view *view, const struct view_entry *state)
{
    if (!state)
        return false;
    const struct view_entry *presence = view_find(view, STORE_KEY_PRESENCE, state->machine, "");
    return presence && presence->create == state->record.state.registration;
}

int view_copies(const struct view *view, const char *unit, struct view_copy **ret,
                size_t *ret_count, struct error *err)
{
    struct view_list assignments = slice_of(view, STORE_KEY_ASSIGNMENT, unit);
    struct view_list states = slice_of(view, STORE_KEY_STATE, unit);
    struct view_copy *copies = calloc(assignments.count + states.count + 1, sizeof(*copies));
    if (!copies)
        return error_oom(err);
    size_t count = 0;
    size_t a = 0;
    size_t s = 0;
    while (a < assignments.count || s < states.count) {
        int order = a == assignments.count ? 1
                    : s == states.count
                        ? -1
                        : strcmp(assignments.items[a]->machine, states.items[s]->machine);
        struct view_copy *copy = &copies[count++];
        if (order <= 0)
            copy->assignment = assignments.items[a++];
        if (order >= 0)
            copy->state = states.items[s++];
        copy->machine = copy->assignment ? copy->assignment->machine : copy->state->machine;
        copy->known = is_known(view, copy->state);
    }
    *ret = copies;
    *ret_count = count;
    return 0;
}

/* --- changes --- */

static void forget_problem(struct view *view, const char *key)
{
    size_t length = strlen(key);
    for (size_t i = 0; view->problems && view->problems[i]; i++) {
        char *problem = view->problems[i];
        if (!text_starts_with(problem, key) || !text_starts_with(problem + length, ": "))
            continue;
        size_t left = strv_length(view->problems) - i; /* with the NULL */
        free(problem);
        memmove(&view->problems[i], &view->problems[i + 1], left * sizeof(*view->problems));
        break;
    }
    if (view->problems && !view->problems[0])
        strv_free(take_ptr(view->problems));
}

static struct view_entry *take_out(struct view_list *list, size_t at)
{
    struct view_entry *entry = list->items[at];
    list->count--;
    memmove(&list->items[at], &list->items[at + 1],
            (list->count - at) * sizeof(struct view_entry *));
    return entry;
}

static void put_in(struct view_list *list, size_t at, struct view_entry *entry)
{
    memmove(&list->items[at + 1], &list->items[at],
            (list->count - at) * sizeof(struct view_entry *));
    list->items[at] = entry;
    list->count++;
}

static int put_unit_again(struct view *view, const struct view_entry *unit, struct error *err)
{
    return view_model_put(view, STORE_KEY_UNIT, unit, err);
}

/* old has left its list, entry is in it; one of them may be NULL. Units that have read a text, or
 * missed one, look again. */
static int follow_blob(struct view *view, const struct view_entry *old, struct view_entry *entry,
                       struct error *err)
{
    bool concerns = old ? old->readers > 0 : view->known->textless > 0;
    if (old && entry && !view_text_blob_replaced(old, entry))
        return 0;
    if (old && text_equal(view->known->parsed_blob, old->name))
        view_text_done(view->known);
    return concerns ? view_text_forget(view, (old ? old : entry)->name, put_unit_again, err) : 0;
}

/* The same for the rest of what is known. */
static int follow(struct view *view, const struct store_key_parts *parts, struct view_entry *old,
                  struct view_entry *entry, struct error *err)
{
    if (parts->kind == STORE_KEY_BLOB)
        return follow_blob(view, old, entry, err);
    if (parts->kind == STORE_KEY_UNIT && old)
        view_text_unit_goes(view, old, entry);
    if (parts->kind == STORE_KEY_UNIT && entry)
        view_text_unit_came(view, entry);
    if (entry)
        return view_model_put(view, parts->kind, entry, err);
    view_model_drop(view, parts);
    return 0;
}

int view_change(struct view *view, const char *key, const struct kv_pair *pair, struct error *err)
{
    struct store_key_parts parts;
    struct view_entry *entry = NULL;
    struct view_entry *old = NULL;
    store_key_parse(view->prefix, key, &parts);
    if (parts.kind == STORE_KEY_INVALID)
        return 0;
    struct view_list *list = &view->lists[parts.kind];
    forget_problem(view, key);
    int r = list_grow(list, err);
    if (r == 0 && pair)
        r = read_pair(view, &parts, pair, &entry, err);
    if (r < 0)
        return r;
    size_t at = lower_bound(list, parts.name, parts.machine, parts.index);
    if (at < list->count && compare(list->items[at], parts.name, parts.machine, parts.index) == 0)
        old = take_out(list, at);
    if (entry)
        put_in(list, at, entry);
    r = follow(view, &parts, old, entry, err);
    view_entry_free(parts.kind, old);
    return r;
}
