/* SPDX-License-Identifier: Apache-2.0 */
/* The scheduler's model of a view. */
#include "api/view_internal.h"

#include <errno.h>

static int put_unit(const struct view *view, struct model *model, const struct view_entry *unit,
                    struct error *err)
{
    const struct requirements *requirements = NULL;
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
    case STORE_KEY_UNITS_MARK:
        return 0;
    }
    return 0;
}

int view_model_put(struct view *view, enum store_key_kind kind, const struct view_entry *entry,
                   struct error *err)
{
    return view->known->model ? put_entry(view, view->known->model, kind, entry, err) : 0;
}

void view_model_drop(struct view *view, const struct store_key_parts *parts)
{
    if (view->known->model)
        (void)model_drop_key(view->known->model, parts, 0);
}

static int put_list(const struct view *view, struct model *model, enum store_key_kind kind,
                    struct error *err)
{
    const struct view_list *list = &view->lists[kind];
    int r = 0;
    for (size_t i = 0; r == 0 && i < list->count; i++)
        r = put_entry(view, model, kind, list->items[i], err);
    return r;
}

/* Units come first: a unit that changes where it is already has its neighbours looked at. */
int view_model_new(const struct view *view, struct model **ret, struct error *err)
{
    autoptr(model) model = NULL;
    int r = model_new(&model, err);
    if (r == 0)
        r = put_list(view, model, STORE_KEY_UNIT, err);
    for (size_t kind = 0; r == 0 && kind < VIEW_KINDS; kind++)
        if (kind != STORE_KEY_UNIT)
            r = put_list(view, model, (enum store_key_kind)kind, err);
    if (r < 0)
        return r;
    *ret = take_ptr(model);
    return 0;
}

int view_model(const struct view *view, struct model **ret, struct error *err)
{
    struct view_known *known = view->known;
    if (!known->model) {
        int r = view_model_new(view, &known->model, err);
        if (r < 0)
            return r;
        model_sweep(known->model);
    }
    *ret = known->model;
    return 0;
}
