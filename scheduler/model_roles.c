/* SPDX-License-Identifier: Apache-2.0 */
/* Roles and their slots: facts in, marks on what they touch. */
#include <errno.h>
#include <string.h>

#include "scheduler/model.h"
#include "scheduler/model_data.h"

static struct role *role_find(const struct model *model, const char *name)
{
    struct role *r = NULL;
    HASH_FIND_STR(model->roles, name, r);
    return r;
}

static struct role *role_get(struct model *model, const char *name, struct error *err)
{
    struct role *role = role_find(model, name);
    if (role)
        return role;
    role = calloc(1, sizeof(*role));
    if (!role) {
        (void)error_oom(err);
        return NULL;
    }
    memcpy(role->name, name, strnlen(name, sizeof(role->name) - 1));
    role->candidates_since_ms = -1;
    role->promoted_ms = -1;
    HASH_ADD_STR(model->roles, name, role);
    return role;
}

/* A role that comes, changes or goes changes what every machine is for MachineMetadata=. */
static void mark_all_machines(struct model *model)
{
    struct machine *m = NULL;
    struct machine *next = NULL;
    HASH_ITER(hh, model->machines, m, next) {
        index_reclass(model, m, true);
        model_mark_machine(model, m);
    }
    model->roles_marked = true;
}

int model_put_role(struct model *model, const char *role, int64_t mod,
                   const struct record_role *def, struct error *err)
{
    autorecord(role) copy = { 0 };
    int failed = record_role_copy(def, &copy, err);
    struct role *r = failed < 0 ? NULL : role_get(model, role, err);
    if (!r)
        return failed < 0 ? failed : -ENOMEM;
    record_role_done(&r->def);
    r->defined = true;
    r->mod = mod;
    r->def = copy;
    copy = (struct record_role){ 0 };
    mark_all_machines(model);
    return 0;
}

void model_drop_role(struct model *model, const char *role)
{
    struct role *r = role_find(model, role);
    if (!r || !r->defined)
        return;
    r->defined = false;
    r->was_held = false;
    r->mod = 0;
    record_role_done(&r->def);
    mark_all_machines(model);
}

static int compare_slots(const struct slot *a, const struct slot *b)
{
    return (a->index > b->index) - (a->index < b->index);
}

static struct slot *slot_find(const struct role *role, unsigned int index)
{
    struct slot *slot = NULL;
    DL_FOREACH(role->slots, slot)
        if (slot->index == index)
            return slot;
    return NULL;
}

/* A slot that comes or goes changes its metadata. */
static void mark_holder(struct model *model, struct machine *machine)
{
    index_reclass(model, machine, true);
    model_mark_machine(model, machine);
}

int model_put_slot(struct model *model, const char *role, unsigned int index, int64_t mod,
                   const struct record_slot *slot, struct error *err)
{
    struct role *r = role_get(model, role, err);
    struct machine *m = r ? model_machine_get(model, slot->machine, err) : NULL;
    if (!m)
        return -ENOMEM;
    struct slot *s = slot_find(r, index);
    if (!s) {
        s = calloc(1, sizeof(*s));
        if (!s)
            return error_oom(err);
        s->index = index;
        DL_INSERT_INORDER(r->slots, s, compare_slots);
    }
    struct machine *before = s->machine;
    s->machine = m;
    s->mod = mod;
    r->was_held = true;
    if (before)
        mark_holder(model, before);
    mark_holder(model, m);
    return 0;
}

void model_drop_slot(struct model *model, const char *role, unsigned int index)
{
    struct role *r = role_find(model, role);
    struct slot *s = r ? slot_find(r, index) : NULL;
    if (!s)
        return;
    struct machine *before = s->machine;
    DL_DELETE(r->slots, s);
    free(s);
    mark_holder(model, before);
}

bool role_is_held_by(const struct role *role, const struct machine *machine)
{
    const struct slot *slot = NULL;
    DL_FOREACH(role->slots, slot)
        if (slot_holder(slot) == machine)
            return true;
    return false;
}
