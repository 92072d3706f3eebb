/* SPDX-License-Identifier: Apache-2.0 */
#include "api/view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "units/unit_file.h"

enum { KINDS = STORE_KEY_LAST + 1 };

struct list {
    struct view_entry *items;
    size_t count;
    size_t room;
};

struct view {
    int64_t revision;
    struct list lists[KINDS];
    char **problems;
};

static void entry_done(enum store_key_kind kind, struct view_entry *entry)
{
    switch (kind) {
    case STORE_KEY_MEMBER:
        record_member_done(&entry->record.member);
        break;
    case STORE_KEY_PRESENCE:
        record_presence_done(&entry->record.presence);
        break;
    case STORE_KEY_ASSIGNMENT:
        record_assignment_done(&entry->record.assignment);
        break;
    case STORE_KEY_STATE:
        record_state_done(&entry->record.state);
        break;
    case STORE_KEY_LEADER:
        record_leader_done(&entry->record.leader);
        break;
    case STORE_KEY_UNIT:
        record_unit_done(&entry->record.unit);
        break;
    case STORE_KEY_VERDICT:
        record_verdict_done(&entry->record.verdict);
        break;
    case STORE_KEY_ROLE:
        record_role_done(&entry->record.role);
        break;
    case STORE_KEY_SLOT:
        record_slot_done(&entry->record.slot);
        break;
    case STORE_KEY_CORDON:
        record_cordon_done(&entry->record.cordon);
        break;
    case STORE_KEY_DRAIN:
        record_drain_done(&entry->record.drain);
        break;
    case STORE_KEY_BRAKE:
        record_brake_done(&entry->record.brake);
        break;
    case STORE_KEY_ROLLOUT:
        record_rollout_done(&entry->record.rollout);
        break;
    case STORE_KEY_REBALANCE:
        record_rebalance_done(&entry->record.rebalance);
        break;
    case STORE_KEY_INVALID:
    case STORE_KEY_CLUSTER:
    case STORE_KEY_BLOB:
        break;
    }
    free(entry->machine);
    free(entry->name);
    free(entry->text);
}

/* -EPROTO: the value makes no sense. */
static int decode(enum store_key_kind kind, const struct kv_pair *pair, struct view_entry *entry,
                  struct error *err)
{
    const char *text = pair->value;
    size_t length = pair->value_length;
    int r = 0;
    switch (kind) {
    case STORE_KEY_MEMBER:
        return record_member_decode(text, length, &entry->record.member, err);
    case STORE_KEY_PRESENCE:
        return record_presence_decode(text, length, &entry->record.presence, err);
    case STORE_KEY_ASSIGNMENT:
        return record_assignment_decode(text, length, &entry->record.assignment, err);
    case STORE_KEY_STATE:
        return record_state_decode(text, length, &entry->record.state, err);
    case STORE_KEY_LEADER:
        return record_leader_decode(text, length, &entry->record.leader, err);
    case STORE_KEY_UNIT:
        return record_unit_decode(text, length, &entry->record.unit, err);
    case STORE_KEY_VERDICT:
        return record_verdict_decode(text, length, &entry->record.verdict, err);
    case STORE_KEY_ROLE:
        return record_role_decode(text, length, &entry->record.role, err);
    case STORE_KEY_SLOT:
        return record_slot_decode(text, length, &entry->record.slot, err);
    case STORE_KEY_CORDON: /* whatever its value: that it is there is what counts */
        r = record_cordon_decode(text, length, &entry->record.cordon, err);
        return r == -ENOMEM ? r : 0;
    case STORE_KEY_DRAIN:
        return record_drain_decode(text, length, &entry->record.drain, err);
    case STORE_KEY_BRAKE:
        return record_brake_decode(text, length, &entry->record.brake, err);
    case STORE_KEY_ROLLOUT:
        return record_rollout_decode(text, length, &entry->record.rollout, err);
    case STORE_KEY_REBALANCE:
        return record_rebalance_decode(text, length, &entry->record.rebalance, err);
    case STORE_KEY_BLOB:
        entry->text = text_copy_bytes(text, length);
        if (!entry->text)
            return error_oom(err);
        entry->text_length = length;
        return 0;
    case STORE_KEY_INVALID:
    case STORE_KEY_CLUSTER:
        return 0;
    }
    return 0;
}

static struct view_entry *list_grow(struct list *list)
{
    if (list->count == list->room) {
        size_t room = list->room ? 2 * list->room : 16;
        struct view_entry *items = reallocarray(list->items, room, sizeof(*items));
        if (!items)
            return NULL;
        list->items = items;
        list->room = room;
    }
    struct view_entry *entry = &list->items[list->count];
    memset(entry, 0, sizeof(*entry));
    return entry;
}

static int add_pair(struct view *view, const char *prefix, const struct kv_pair *pair,
                    struct error *err)
{
    struct store_key_parts parts;
    store_key_parse(prefix, pair->key, &parts);
    if (parts.kind == STORE_KEY_INVALID)
        return 0;
    struct list *list = &view->lists[parts.kind];
    struct view_entry *entry = list_grow(list);
    if (!entry)
        return error_oom(err);
    struct error why;
    int r = decode(parts.kind, pair, entry, &why);
    if (r == -ENOMEM)
        return error_oom(err);
    if (r < 0)
        return strv_addf(&view->problems, err, "%s: %s", pair->key, why.text);
    list->count++;
    entry->machine = strdup(parts.machine);
    entry->name = strdup(parts.name);
    entry->index = parts.index;
    entry->create = pair->create_revision;
    entry->mod = pair->mod_revision;
    return entry->machine && entry->name ? 0 : error_oom(err);
}

static int compare_entries(const void *a, const void *b)
{
    const struct view_entry *x = a;
    const struct view_entry *y = b;
    int order = strcmp(x->name, y->name);
    if (order == 0)
        order = strcmp(x->machine, y->machine);
    return order ? order : (x->index > y->index) - (x->index < y->index);
}

int view_new(const char *prefix, const struct kv_pair *pairs, size_t count, int64_t revision,
             struct view **ret, struct error *err)
{
    autoptr(view) view = calloc(1, sizeof(*view));
    if (!view)
        return error_oom(err);
    view->revision = revision;
    for (size_t i = 0; i < count; i++) {
        int r = add_pair(view, prefix, &pairs[i], err);
        if (r < 0)
            return r;
    }
    for (size_t kind = 0; kind < KINDS; kind++) {
        if (view->lists[kind].count)
            qsort(view->lists[kind].items, view->lists[kind].count, sizeof(struct view_entry),
                  compare_entries);
    }
    *ret = take_ptr(view);
    return 0;
}

void view_free(struct view *view)
{
    if (!view)
        return;
    for (size_t kind = 0; kind < KINDS; kind++) {
        struct list *list = &view->lists[kind];
        for (size_t i = 0; i < list->count; i++)
            entry_done((enum store_key_kind)kind, &list->items[i]);
        free(list->items);
    }
    strv_free(view->problems);
    free(view);
}

int64_t view_revision(const struct view *view)
{
    return view->revision;
}

char *const *view_problems(const struct view *view)
{
    return view->problems;
}

const struct view_entry *view_list(const struct view *view, enum store_key_kind kind,
                                   size_t *ret_count)
{
    *ret_count = view->lists[kind].count;
    return view->lists[kind].items;
}

/* The first entry that is not before (name, machine). */
static size_t lower_bound(const struct list *list, const char *name, const char *machine)
{
    size_t low = 0;
    size_t high = list->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct view_entry *entry = &list->items[middle];
        int order = strcmp(entry->name, name);
        if (order == 0)
            order = strcmp(entry->machine, machine);
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct view_entry *view_find(const struct view *view, enum store_key_kind kind,
                                   const char *machine, const char *name)
{
    const struct list *list = &view->lists[kind];
    size_t i = lower_bound(list, name, machine);
    if (i == list->count || !text_equal(list->items[i].name, name) ||
        !text_equal(list->items[i].machine, machine))
        return NULL;
    return &list->items[i];
}

/* The entries of a kind that belong to one unit. */
static struct list slice_of(const struct view *view, enum store_key_kind kind, const char *unit)
{
    const struct list *list = &view->lists[kind];
    size_t first = lower_bound(list, unit, "");
    size_t end = first;
    while (end < list->count && text_equal(list->items[end].name, unit))
        end++;
    return (struct list){ .items = list->items + first, .count = end - first };
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
    struct list assignments = slice_of(view, STORE_KEY_ASSIGNMENT, unit);
    struct list states = slice_of(view, STORE_KEY_STATE, unit);
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
                        : strcmp(assignments.items[a].machine, states.items[s].machine);
        struct view_copy *copy = &copies[count++];
        if (order <= 0)
            copy->assignment = &assignments.items[a++];
        if (order >= 0)
            copy->state = &states.items[s++];
        copy->machine = copy->assignment ? copy->assignment->machine : copy->state->machine;
        copy->known = is_known(view, copy->state);
    }
    *ret = copies;
    *ret_count = count;
    return 0;
}

const char *view_unit_text(const struct view *view, const struct view_entry *unit,
                           size_t *ret_length)
{
    const struct view_entry *blob = view_find(view, STORE_KEY_BLOB, "", unit->record.unit.blob);
    if (!blob)
        return NULL;
    *ret_length = blob->text_length;
    return blob->text;
}

int view_requirements(const struct view *view, const struct view_entry *unit,
                      struct requirements **ret, struct error *err)
{
    size_t length = 0;
    const char *text = view_unit_text(view, unit, &length);
    if (!text)
        return error_set(err, -ENOENT, "the text of %s (blob %.12s…) is not in the store",
                         unit->name, unit->record.unit.blob);
    autoptr(unit_file) file = NULL;
    int r = unit_file_parse(text, length, &file, err);
    if (r < 0)
        return r;
    return requirements_read(file, unit->name, ret, err);
}

bool view_is_global(const struct view *view, const struct view_entry *unit)
{
    autoptr(requirements) requirements = NULL;
    return view_requirements(view, unit, &requirements, NULL) == 0 && requirements->global;
}

bool view_text_is_global(const char *name, const char *text)
{
    autoptr(unit_file) file = NULL;
    autoptr(requirements) requirements = NULL;
    return unit_file_parse(text, strlen(text), &file, NULL) == 0 &&
           requirements_read(file, name, &requirements, NULL) == 0 && requirements->global;
}

/* --- the model --- */

static int put_unit(const struct view *view, struct model *model, const struct view_entry *unit,
                    struct error *err)
{
    autoptr(requirements) requirements = NULL;
    struct error why;
    int r = view_requirements(view, unit, &requirements, &why);
    if (r == -ENOMEM)
        return error_oom(err);
    return model_put_unit(model, unit->name, unit->create, unit->mod, &unit->record.unit,
                          requirements, r < 0 ? why.text : NULL, err);
}

static int put_entry(const struct view *view, struct model *model, enum store_key_kind kind,
                     const struct view_entry *entry, struct error *err)
{
    switch (kind) {
    case STORE_KEY_MEMBER:
        return model_put_member(model, entry->machine, &entry->record.member, 0, err);
    case STORE_KEY_PRESENCE:
        return model_put_presence(model, entry->machine, entry->create, &entry->record.presence, 0,
                                  err);
    case STORE_KEY_CORDON:
        model_set_cordon(model, entry->machine, true);
        return 0;
    case STORE_KEY_DRAIN:
        return model_put_drain(model, entry->machine, entry->mod, &entry->record.drain, err);
    case STORE_KEY_BRAKE:
        model_put_brake(model, entry->mod, &entry->record.brake);
        return 0;
    case STORE_KEY_ROLLOUT:
        return model_put_rollout(model, entry->name, entry->mod, &entry->record.rollout, err);
    case STORE_KEY_REBALANCE:
        model_put_rebalance(model, &entry->record.rebalance);
        return 0;
    case STORE_KEY_UNIT:
        return put_unit(view, model, entry, err);
    case STORE_KEY_ASSIGNMENT:
        return model_put_assignment(model, entry->machine, entry->name, entry->mod,
                                    &entry->record.assignment, err);
    case STORE_KEY_STATE:
        return model_put_state(model, entry->machine, entry->name, entry->mod, &entry->record.state,
                               err);
    case STORE_KEY_VERDICT:
        return model_put_verdict(model, entry->name, entry->mod, &entry->record.verdict, err);
    case STORE_KEY_ROLE:
        return model_put_role(model, entry->name, entry->mod, &entry->record.role, err);
    case STORE_KEY_SLOT:
        return model_put_slot(model, entry->name, entry->index, entry->mod, &entry->record.slot,
                              err);
    case STORE_KEY_INVALID:
    case STORE_KEY_CLUSTER:
    case STORE_KEY_LEADER:
    case STORE_KEY_BLOB:
        return 0;
    }
    return 0;
}

int view_model(const struct view *view, struct model **ret, struct error *err)
{
    autoptr(model) model = NULL;
    int r = model_new(&model, err);
    for (size_t kind = 0; r == 0 && kind < KINDS; kind++) {
        const struct list *list = &view->lists[kind];
        for (size_t i = 0; r == 0 && i < list->count; i++)
            r = put_entry(view, model, (enum store_key_kind)kind, &list->items[i], err);
    }
    if (r < 0)
        return r;
    *ret = take_ptr(model);
    return 0;
}
