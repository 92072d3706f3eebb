/* SPDX-License-Identifier: Apache-2.0 */
/* Facts in, marks on what they touch. */
#include "scheduler/model.h"

#include <string.h>

#include "base/text.h"
#include "scheduler/model_data.h"

enum { PRIORITY_MAX = 255, PRIORITY_DEFAULT = 100 };

/* --- marks --- */

void model_mark_machine(struct model *model, struct machine *machine)
{
    if (machine->marked)
        return;
    machine->marked = true;
    DL_APPEND2(model->marked_machines, machine, mark_prev, mark_next);
}

void model_mark_unit(struct model *model, struct unit *unit)
{
    if (unit->marked)
        return;
    unit->marked = true;
    DL_APPEND2(model->marked_units, unit, mark_prev, mark_next);
}

void model_mark_units_of(struct model *model, const struct machine *machine)
{
    struct placement *p = NULL;
    DL_FOREACH2(machine->placements, p, machine_next)
        model_mark_unit(model, p->key.unit);
}

static void mark_followers(struct model *model, struct unit *unit)
{
    struct follow *f = NULL;
    DL_FOREACH(unit->followers, f)
        model_mark_unit(model, f->follower);
}

/* Its rules changed: it may no longer bear its neighbours, nor they it. */
static void mark_neighbours(struct model *model, const struct unit *unit)
{
    struct placement *p = NULL;
    DL_FOREACH2(unit->placements, p, unit_next)
        model_mark_units_of(model, p->key.machine);
}

void model_set_pending(struct model *model, struct unit *unit, bool pending)
{
    if (unit->pending == pending)
        return;
    unit->pending = pending;
    if (pending)
        DL_APPEND2(model->pending_units, unit, pending_prev, pending_next);
    else
        DL_DELETE2(model->pending_units, unit, pending_prev, pending_next);
}

void model_touch_all(struct model *model)
{
    struct machine *m = NULL;
    struct machine *m_next = NULL;
    struct unit *u = NULL;
    struct unit *u_next = NULL;
    HASH_ITER(hh, model->machines, m, m_next)
        model_mark_machine(model, m);
    HASH_ITER(hh, model->units, u, u_next)
        model_mark_unit(model, u);
    model->retry = true;
    model->roles_marked = true;
}

/* --- machines --- */

struct machine *model_machine(const struct model *model, const char *id)
{
    struct machine *m = NULL;
    HASH_FIND_STR(model->machines, id, m);
    return m;
}

static void machine_free(struct machine *m)
{
    record_member_done(&m->member);
    free(m->priorities);
    free(m->not_ready_reason);
    free(m);
}

static struct machine *machine_get(struct model *model, const char *id, struct error *err)
{
    struct machine *m = model_machine(model, id);
    if (m)
        return m;
    m = calloc(1, sizeof(*m));
    if (!m) {
        (void)error_oom(err);
        return NULL;
    }
    memcpy(m->id, id, strnlen(id, sizeof(m->id) - 1));
    m->absent_since_ms = -1;
    HASH_ADD_STR(model->machines, id, m);
    model->machines_stale = true;
    return m;
}

static int member_copy(const struct record_member *from, struct record_member *to,
                       struct error *err)
{
    autofree char *text = NULL;
    int r = record_member_encode(from, &text, err);
    return r < 0 ? r : record_member_decode(text, strlen(text), to, err);
}

int model_put_member(struct model *model, const char *machine, const struct record_member *member,
                     int64_t now_ms, struct error *err)
{
    struct machine *m = machine_get(model, machine, err);
    if (!m)
        return -ENOMEM;
    autorecord(member) copy = { 0 };
    autofree struct role_number *priorities = NULL;
    size_t priority_count = 0;
    int r = member_copy(member, &copy, err);
    if (r < 0)
        return r;
    /* An agent checks this before it writes it. Should it be nonsense, the machine has the default
     * priority for all roles. */
    r = role_numbers_parse(copy.role_priority, PRIORITY_MAX, true, &priorities, &priority_count,
                           err);
    if (r == -ENOMEM)
        return r;
    record_member_done(&m->member);
    free(m->priorities);
    m->member = copy;
    copy = (struct record_member){ 0 };
    m->priorities = take_ptr(priorities);
    m->priority_count = priority_count;
    m->is_member = true;
    if (m->registration == 0 && m->absent_since_ms < 0)
        m->absent_since_ms = now_ms;
    model_mark_machine(model, m);
    return 0;
}

void model_drop_member(struct model *model, const char *machine, int64_t now_ms)
{
    struct machine *m = model_machine(model, machine);
    if (!m || !m->is_member)
        return;
    m->is_member = false;
    if (m->registration == 0 && m->absent_since_ms < 0)
        m->absent_since_ms = now_ms;
    model_mark_machine(model, m);
}

int model_put_presence(struct model *model, const char *machine, int64_t registration,
                       const struct record_presence *presence, int64_t now_ms, struct error *err)
{
    (void)now_ms;
    struct machine *m = machine_get(model, machine, err);
    if (!m)
        return -ENOMEM;
    char *reason = strdup(presence->not_ready_reason ? presence->not_ready_reason : "");
    if (!reason)
        return error_oom(err);
    free(m->not_ready_reason);
    m->not_ready_reason = reason;
    m->registration = registration;
    m->ready = presence->ready;
    m->absent_since_ms = -1;
    model_mark_machine(model, m);
    return 0;
}

void model_drop_presence(struct model *model, const char *machine, int64_t now_ms)
{
    struct machine *m = model_machine(model, machine);
    if (!m || m->registration == 0)
        return;
    m->registration = 0;
    m->absent_since_ms = now_ms;
    model_mark_machine(model, m);
}

void model_set_cordon(struct model *model, const char *machine, bool cordoned)
{
    struct machine *m =
        cordoned ? machine_get(model, machine, NULL) : model_machine(model, machine);
    if (!m || m->cordoned == cordoned)
        return;
    m->cordoned = cordoned;
    model_mark_machine(model, m);
}

unsigned int machine_role_priority(const struct machine *machine, const char *role)
{
    unsigned int others = PRIORITY_DEFAULT;
    for (size_t i = 0; i < machine->priority_count; i++) {
        const struct role_number *number = &machine->priorities[i];
        if (strcmp(number->name, role) == 0)
            return number->number;
        if (strcmp(number->name, "*") == 0)
            others = number->number;
    }
    return others;
}

static int compare_machines(const void *a, const void *b)
{
    const struct machine *const *left = a;
    const struct machine *const *right = b;
    return strcmp((*left)->id, (*right)->id);
}

int model_sort_machines(struct model *model, struct error *err)
{
    if (!model->machines_stale)
        return 0;
    size_t count = 0;
    struct machine *m = NULL;
    struct machine *next = NULL;
    size_t room = HASH_COUNT(model->machines) + 1;
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): pointers are what is sorted */
    struct machine **sorted = calloc(room, sizeof(struct machine *));
    if (!sorted)
        return error_oom(err);
    HASH_ITER(hh, model->machines, m, next)
        sorted[count++] = m;
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): the same */
    qsort(sorted, count, sizeof(*sorted), compare_machines);
    free(model->machines_by_id);
    model->machines_by_id = sorted;
    model->machine_count = count;
    model->machines_stale = false;
    return 0;
}

/* --- units --- */

struct unit *model_unit(const struct model *model, const char *name)
{
    struct unit *u = NULL;
    HASH_FIND_STR(model->units, name, u);
    return u;
}

static struct unit *unit_get(struct model *model, const char *name, struct error *err)
{
    struct unit *u = model_unit(model, name);
    if (u)
        return u;
    u = calloc(1, sizeof(*u));
    if (u)
        u->name = strdup(name);
    if (!u || !u->name) {
        free(u);
        (void)error_oom(err);
        return NULL;
    }
    HASH_ADD_KEYPTR(hh, model->units, u->name, strlen(u->name), u);
    return u;
}

static void unfollow(struct unit *unit)
{
    for (size_t i = 0; i < unit->follow_count; i++)
        DL_DELETE(unit->follows[i].peer->followers, &unit->follows[i]);
    free(unit->follows);
    unit->follows = NULL;
    unit->follow_count = 0;
}

/* Peers that only this unit spoke of must be swept. */
static void mark_peers(struct model *model, struct unit *unit)
{
    for (size_t i = 0; i < unit->follow_count; i++)
        if (unit->follows[i].peer != unit)
            model_mark_unit(model, unit->follows[i].peer);
}

static void unit_free(struct unit *u)
{
    unfollow(u);
    requirements_free(u->requirements);
    free(u->name);
    free(u->blob);
    free(u->problem);
    free(u->verdict_reason);
    free(u);
}

/* The links to the peers named in requirements; the peers need not exist yet. */
static int follow_peers(struct model *model, struct unit *unit,
                        const struct requirements *requirements, struct error *err)
{
    size_t count = requirements ? strv_length(requirements->machine_of) : 0;
    struct follow *follows = calloc(count + 1, sizeof(*follows));
    if (!follows)
        return error_oom(err);
    for (size_t i = 0; i < count; i++) {
        follows[i].follower = unit;
        follows[i].peer = unit_get(model, requirements->machine_of[i], err);
        if (!follows[i].peer) {
            free(follows);
            return -ENOMEM;
        }
    }
    mark_peers(model, unit);
    unfollow(unit);
    unit->follows = follows;
    unit->follow_count = count;
    for (size_t i = 0; i < count; i++)
        DL_APPEND(follows[i].peer->followers, &follows[i]);
    return 0;
}

static void mark_changed_unit(struct model *model, struct unit *unit)
{
    model_mark_unit(model, unit);
    mark_followers(model, unit);
    mark_neighbours(model, unit);
    model->retry = true;
}

int model_put_unit(struct model *model, const char *name, int64_t create, int64_t mod,
                   const struct record_unit *unit, const struct requirements *requirements,
                   const char *problem, struct error *err)
{
    struct unit *u = unit_get(model, name, err);
    if (!u)
        return -ENOMEM;
    autoptr(requirements) copy = NULL;
    autofree char *blob = strdup(unit->blob);
    autofree char *why = problem ? strdup(problem) : NULL;
    if (!blob || (problem && !why))
        return error_oom(err);
    int r = requirements ? requirements_copy(requirements, &copy, err) : 0;
    if (r == 0)
        r = follow_peers(model, u, requirements, err);
    if (r < 0)
        return r;
    requirements_free(u->requirements);
    free(u->blob);
    free(u->problem);
    u->requirements = take_ptr(copy);
    u->blob = take_ptr(blob);
    u->problem = take_ptr(why);
    u->exists = true;
    u->create = create;
    u->mod = mod;
    u->desired = unit->desired;
    mark_changed_unit(model, u);
    return 0;
}

void model_drop_unit(struct model *model, const char *name)
{
    struct unit *u = model_unit(model, name);
    if (!u || !u->exists)
        return;
    u->exists = false;
    u->mod = 0;
    u->desired = DESIRED_INVALID;
    mark_changed_unit(model, u);
}

/* --- assignments and states --- */

struct placement *model_placement(const struct model *model, struct machine *machine,
                                  struct unit *unit)
{
    const struct placement_key key = { machine, unit };
    struct placement *p = NULL;
    HASH_FIND(hh, model->placements, &key, sizeof(key), p);
    return p;
}

struct placement *model_placement_get(struct model *model, struct machine *machine,
                                      struct unit *unit)
{
    struct placement *p = model_placement(model, machine, unit);
    if (p)
        return p;
    p = calloc(1, sizeof(*p));
    if (!p)
        return NULL;
    p->key = (struct placement_key){ machine, unit };
    HASH_ADD(hh, model->placements, key, sizeof(p->key), p);
    DL_APPEND2(machine->placements, p, machine_prev, machine_next);
    DL_APPEND2(unit->placements, p, unit_prev, unit_next);
    return p;
}

static struct placement *placement_named(struct model *model, const char *machine, const char *name)
{
    struct machine *m = model_machine(model, machine);
    struct unit *u = model_unit(model, name);
    return m && u ? model_placement(model, m, u) : NULL;
}

static struct placement *placement_make(struct model *model, const char *machine, const char *name,
                                        struct error *err)
{
    struct machine *m = machine_get(model, machine, err);
    struct unit *u = m ? unit_get(model, name, err) : NULL;
    struct placement *p = u ? model_placement_get(model, m, u) : NULL;
    if (!p)
        (void)error_oom(err);
    return p;
}

int model_put_assignment(struct model *model, const char *machine, const char *name, int64_t mod,
                         const struct record_assignment *assignment, struct error *err)
{
    struct placement *p = placement_make(model, machine, name, err);
    char *blob = p ? strdup(assignment->blob) : NULL;
    if (!blob)
        return error_oom(err);
    free(p->blob);
    p->blob = blob;
    p->want = assignment->want;
    p->unit_revision = assignment->unit_revision;
    p->failover = assignment->failover;
    if (p->assignment_mod == 0)
        p->key.machine->load++;
    p->assignment_mod = mod;
    model_mark_unit(model, p->key.unit);
    mark_followers(model, p->key.unit);
    return 0;
}

void model_drop_assignment(struct model *model, const char *machine, const char *name)
{
    struct placement *p = placement_named(model, machine, name);
    if (!p || p->assignment_mod == 0)
        return;
    p->assignment_mod = 0;
    p->want = WANT_INVALID;
    p->key.machine->load--;
    model->roles_marked = true; /* a role may have waited for it to end */
    model_mark_unit(model, p->key.unit);
    mark_followers(model, p->key.unit);
    model->retry = true;
}

/* Most states are news of a running unit, which decide nothing: only an acknowledgement does. */
int model_put_state(struct model *model, const char *machine, const char *name, int64_t mod,
                    const struct record_state *state, struct error *err)
{
    struct placement *p = placement_make(model, machine, name, err);
    if (!p)
        return -ENOMEM;
    p->state_mod = mod;
    p->state_registration = state->registration;
    p->released_revision = state->released_revision;
    if (p->want == WANT_RELEASE)
        model_mark_unit(model, p->key.unit);
    return 0;
}

void model_drop_state(struct model *model, const char *machine, const char *name)
{
    struct placement *p = placement_named(model, machine, name);
    if (!p)
        return;
    p->state_mod = 0;
    p->state_registration = 0;
    p->released_revision = 0;
    model_mark_unit(model, p->key.unit);
}

/* --- verdicts --- */

int model_put_verdict(struct model *model, const char *name, int64_t mod,
                      const struct record_verdict *verdict, struct error *err)
{
    struct unit *u = unit_get(model, name, err);
    char *reason = u ? strdup(verdict->reason) : NULL;
    if (!reason)
        return error_oom(err);
    free(u->verdict_reason);
    u->verdict_reason = reason;
    u->verdict_mod = mod;
    u->verdict_unit_revision = verdict->unit_revision;
    model_mark_unit(model, u);
    return 0;
}

void model_drop_verdict(struct model *model, const char *name)
{
    struct unit *u = model_unit(model, name);
    if (!u)
        return;
    u->verdict_mod = 0;
    free(u->verdict_reason);
    u->verdict_reason = NULL;
    model_mark_unit(model, u);
}

/* --- roles --- */

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
    HASH_ADD_STR(model->roles, name, role);
    return role;
}

/* A role that comes or goes changes what every machine is for MachineMetadata=. */
static void mark_all_machines(struct model *model)
{
    struct machine *m = NULL;
    struct machine *next = NULL;
    HASH_ITER(hh, model->machines, m, next)
        model_mark_machine(model, m);
    model->roles_marked = true;
}

int model_put_role(struct model *model, const char *role, int64_t mod,
                   const struct record_role *def, struct error *err)
{
    struct role *r = role_get(model, role, err);
    if (!r)
        return -ENOMEM;
    if (!r->defined)
        mark_all_machines(model);
    r->defined = true;
    r->mod = mod;
    r->def = *def;
    model->roles_marked = true;
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
    r->def = (struct record_role){ 0 };
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

int model_put_slot(struct model *model, const char *role, unsigned int index, int64_t mod,
                   const struct record_slot *slot, struct error *err)
{
    struct role *r = role_get(model, role, err);
    struct machine *m = r ? machine_get(model, slot->machine, err) : NULL;
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
    if (s->machine)
        model_mark_machine(model, s->machine);
    s->machine = m;
    s->mod = mod;
    r->was_held = true;
    model_mark_machine(model, m);
    return 0;
}

void model_drop_slot(struct model *model, const char *role, unsigned int index)
{
    struct role *r = role_find(model, role);
    struct slot *s = r ? slot_find(r, index) : NULL;
    if (!s)
        return;
    model_mark_machine(model, s->machine);
    DL_DELETE(r->slots, s);
    free(s);
}

bool role_is_held_by(const struct role *role, const struct machine *machine)
{
    const struct slot *slot = NULL;
    DL_FOREACH(role->slots, slot)
        if (slot_holder(slot) == machine)
            return true;
    return false;
}

/* --- life and death --- */

int model_new(struct model **ret, struct error *err)
{
    struct model *model = calloc(1, sizeof(*model));
    if (!model)
        return error_oom(err);
    *ret = model;
    return 0;
}

static void placement_free(struct model *model, struct placement *p)
{
    HASH_DEL(model->placements, p);
    DL_DELETE2(p->key.machine->placements, p, machine_prev, machine_next);
    DL_DELETE2(p->key.unit->placements, p, unit_prev, unit_next);
    free(p->blob);
    free(p);
}

static void role_free(struct model *model, struct role *role)
{
    struct slot *slot = NULL;
    struct slot *next = NULL;
    DL_FOREACH_SAFE(role->slots, slot, next)
        free(slot);
    HASH_DEL(model->roles, role);
    free(role);
}

static void free_all_units(struct model *model)
{
    struct unit *u = NULL;
    struct unit *next = NULL;
    HASH_ITER(hh, model->units, u, next)
        unfollow(u); /* before any peer goes */
    HASH_ITER(hh, model->units, u, next) {
        HASH_DEL(model->units, u);
        unit_free(u);
    }
}

void model_free(struct model *model)
{
    if (!model)
        return;
    struct placement *p = NULL;
    struct placement *p_next = NULL;
    struct role *r = NULL;
    struct role *r_next = NULL;
    struct machine *m = NULL;
    struct machine *m_next = NULL;
    HASH_ITER(hh, model->placements, p, p_next)
        placement_free(model, p);
    free_all_units(model);
    HASH_ITER(hh, model->roles, r, r_next)
        role_free(model, r);
    HASH_ITER(hh, model->machines, m, m_next) {
        HASH_DEL(model->machines, m);
        machine_free(m);
    }
    free(model->machines_by_id);
    free(model);
}

/* --- sweeping --- */

static void sweep_placements_of(struct model *model, struct unit *unit)
{
    struct placement *p = NULL;
    struct placement *next = NULL;
    for (p = unit->placements; p; p = next) {
        next = p->unit_next;
        if (p->assignment_mod == 0 && p->state_mod == 0)
            placement_free(model, p);
    }
}

static void sweep_unit(struct model *model, struct unit *u)
{
    sweep_placements_of(model, u);
    if (u->exists || u->placements)
        return;
    /* Deleted and gone from everywhere: it repels and follows nobody any more. */
    requirements_free(take_ptr(u->requirements));
    mark_peers(model, u);
    unfollow(u);
    if (u->followers || u->verdict_mod)
        return;
    model_set_pending(model, u, false);
    HASH_DEL(model->units, u);
    unit_free(u);
}

static bool machine_holds_a_slot(const struct model *model, const struct machine *machine)
{
    for (const struct role *r = model->roles; r; r = r->hh.next) {
        const struct slot *slot = NULL;
        DL_FOREACH(r->slots, slot)
            if (slot->machine == machine)
                return true;
    }
    return false;
}

static void sweep_machine(struct model *model, struct machine *m)
{
    if (m->is_member || m->registration || m->cordoned || m->placements ||
        machine_holds_a_slot(model, m))
        return;
    HASH_DEL(model->machines, m);
    model->machines_stale = true;
    machine_free(m);
}

static void sweep_machines(struct model *model)
{
    struct machine *again = NULL;
    while (model->marked_machines) {
        struct machine *m = model->marked_machines;
        DL_DELETE2(model->marked_machines, m, mark_prev, mark_next);
        m->marked = false;
        if (m->revisit)
            DL_APPEND2(again, m, mark_prev, mark_next);
        else
            sweep_machine(model, m);
    }
    struct machine *m = NULL;
    DL_FOREACH2(again, m, mark_next) {
        m->marked = true;
        m->revisit = false;
    }
    model->marked_machines = again;
}

void model_sweep(struct model *model)
{
    struct role *r = NULL;
    struct role *r_next = NULL;
    while (model->marked_units) {
        struct unit *u = model->marked_units;
        DL_DELETE2(model->marked_units, u, mark_prev, mark_next);
        u->marked = false;
        sweep_unit(model, u);
    }
    sweep_machines(model);
    HASH_ITER(hh, model->roles, r, r_next)
        if (!r->defined && !r->slots)
            role_free(model, r);
    model->retry = false;
    model->roles_marked = model->roles_revisit;
    model->roles_revisit = false;
}
