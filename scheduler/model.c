/* SPDX-License-Identifier: Apache-2.0 */
/* Machines, units, assignments and states: facts in, marks on what they touch. */
#include "scheduler/model.h"

#include <string.h>

#include "base/text.h"
#include "scheduler/askers.h"
#include "scheduler/budget.h"
#include "scheduler/failures.h"
#include "scheduler/model_data.h"
#include "scheduler/rollout_list.h"

enum { PRIORITY_MAX = 255, PRIORITY_DEFAULT = 100 };

/* --- machines --- */

/* Without what the machine keeps for itself, at the rate at which it may be promised. */
static int64_t capacity_of(int64_t total, int64_t reserve, int64_t percent)
{
    if (total <= 0)
        return 0;
    int64_t left = total > reserve ? total - reserve : 0;
    int64_t promised = left / 100 * percent + left % 100 * percent / 100;
    return promised > 0 ? promised : 1; /* declared, and there is no room */
}

static void set_capacity(struct machine *machine)
{
    const struct record_member *m = &machine->member;
    machine->capacity[RESOURCE_CPU] =
        capacity_of(m->cpu_milli, m->reserve_cpu_milli, m->overcommit_cpu);
    machine->capacity[RESOURCE_MEMORY] =
        capacity_of(m->memory_bytes, m->reserve_memory_bytes, m->overcommit_memory);
    machine->capacity[RESOURCE_TASKS] = capacity_of(m->tasks, m->reserve_tasks, 100);
    machine->is_bounded = false;
    for (size_t i = 0; i < RESOURCES; i++)
        machine->is_bounded = machine->is_bounded || machine->capacity[i] > 0;
}

/* It may have come, gone, or begun or ceased to take newcomers. */
static void note_presence(struct model *model, struct machine *m)
{
    bool counts = m->is_member && !m->cordoned;
    bool is_absent = counts && m->registration == 0;
    model->brake_members += (size_t)counts - m->is_counted;
    model->brake_absent += (size_t)is_absent - m->is_counted_absent;
    m->is_counted = counts;
    m->is_counted_absent = is_absent;
    index_reopen(model, m);
    model->told.is_stale = model->told.is_stale || m->was_known != machine_is_known(m);
    m->was_known = machine_is_known(m);
}

/* Joining is quick, however many do. */
static void note_ttl(struct model *model, int64_t old_ms, int64_t new_ms)
{
    if (new_ms > 0 && (model->shortest_ttl_ms == 0 || new_ms < model->shortest_ttl_ms))
        model->shortest_ttl_ms = new_ms;
    else if (old_ms != new_ms && old_ms == model->shortest_ttl_ms)
        model->shortest_ttl_stale = true;
}

int64_t model_shortest_ttl_ms(struct model *model)
{
    if (!model->shortest_ttl_stale)
        return model->shortest_ttl_ms;
    model->shortest_ttl_stale = false;
    model->shortest_ttl_ms = 0;
    for (const struct machine *m = model->machines; m; m = m->hh.next)
        note_ttl(model, 0, m->member.ttl_ms);
    return model->shortest_ttl_ms;
}

int model_put_member(struct model *model, const char *machine, const struct record_member *member,
                     int64_t now_ms, struct error *err)
{
    struct machine *m = model_machine_get(model, machine, err);
    if (!m)
        return -ENOMEM;
    autorecord(member) copy = { 0 };
    autofree struct role_number *priorities = NULL;
    size_t priority_count = 0;
    int r = record_member_copy(member, &copy, err);
    if (r < 0)
        return r;
    /* An agent checks this before it writes it. Should it be nonsense, the machine has the default
     * priority for all roles. */
    r = role_numbers_parse(copy.role_priority, PRIORITY_MAX, true, &priorities, &priority_count,
                           err);
    if (r == -ENOMEM)
        return r;
    note_ttl(model, m->member.ttl_ms, copy.ttl_ms);
    record_member_done(&m->member);
    free(m->priorities);
    m->member = copy;
    copy = (struct record_member){ 0 };
    m->priorities = take_ptr(priorities);
    m->priority_count = priority_count;
    m->is_member = true;
    if (m->registration == 0 && m->absent_since_ms < 0)
        m->absent_since_ms = now_ms;
    set_capacity(m);
    index_reclass(model, m, false);
    note_presence(model, m);
    model_mark_machine(model, m);
    return 0;
}

/* All but its TTL, which is worth waiting for: a leader that never read the record knows no more.
 */
static void forget_record(struct model *model, struct machine *m)
{
    const int64_t ttl_ms = m->member.ttl_ms;
    record_member_done(&m->member);
    free(take_ptr(m->priorities));
    m->member = (struct record_member){ .ttl_ms = ttl_ms };
    m->priority_count = 0;
    m->is_member = false;
    set_capacity(m);
    index_reclass(model, m, false);
}

void model_drop_member(struct model *model, const char *machine, int64_t now_ms)
{
    struct machine *m = model_machine(model, machine);
    if (!m || !m->is_member)
        return;
    forget_record(model, m);
    if (m->registration == 0 && m->absent_since_ms < 0)
        m->absent_since_ms = now_ms;
    note_presence(model, m);
    model_mark_machine(model, m);
}

int model_put_presence(struct model *model, const char *machine, int64_t registration,
                       const struct record_presence *presence, int64_t now_ms, struct error *err)
{
    (void)now_ms;
    struct machine *m = model_machine_get(model, machine, err);
    if (!m)
        return -ENOMEM;
    int r = text_replace(&m->not_ready_reason,
                         presence->not_ready_reason ? presence->not_ready_reason : "", err);
    if (r < 0)
        return r;
    if (m->took_token)
        brake_give_back(&model->brake);
    m->took_token = false;
    m->let_go = false;
    m->registration = registration;
    m->ready = presence->ready;
    m->absent_since_ms = -1;
    budget_note_machine(model, m);
    rollout_note_machine(model, m);
    note_presence(model, m);
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
    budget_note_machine(model, m);
    rollout_note_machine(model, m);
    note_presence(model, m);
    model_mark_machine(model, m);
}

void model_set_cordon(struct model *model, const char *machine, bool cordoned)
{
    struct machine *m =
        cordoned ? model_machine_get(model, machine, NULL) : model_machine(model, machine);
    if (!m || m->cordoned == cordoned)
        return;
    m->cordoned = cordoned;
    note_presence(model, m);
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

/* --- units --- */

/* The links to the peers named in requirements; the peers need not exist yet. NULL for none. */
static int make_follows(struct model *model, struct unit *unit,
                        const struct requirements *requirements, struct follow_set **ret,
                        struct error *err)
{
    size_t count = requirements ? strv_length(requirements->machine_of) : 0;
    if (count == 0) {
        *ret = NULL;
        return 0;
    }
    autofree struct follow_set *set = calloc(1, sizeof(*set) + count * sizeof(set->links[0]));
    if (!set)
        return error_oom(err);
    for (; set->count < count; set->count++) {
        struct follow *link = &set->links[set->count];
        link->follower = unit;
        link->peer = model_unit_get(model, requirements->machine_of[set->count], err);
        if (!link->peer)
            return -ENOMEM;
    }
    *ret = take_ptr(set);
    return 0;
}

static void follow(struct model *model, struct unit *unit, struct follow_set *set)
{
    model_mark_peers(model, unit);
    model_unfollow(model, unit);
    unit->follows = set;
    model->tie_count += unit_follow_count(unit);
    for (size_t i = 0; i < unit_follow_count(unit); i++)
        DL_APPEND(set->links[i].peer->followers, &set->links[i]);
}

/* Its rules changed: it may no longer bear its neighbours, nor they it. */
static void mark_neighbours(struct model *model, const struct unit *unit)
{
    const struct placement *p = NULL;
    LL_FOREACH2(unit->placements, p, unit_next)
        model_mark_units_of(model, p->key.machine);
}

static void mark_changed_unit(struct model *model, struct unit *unit)
{
    model_mark_unit(model, unit);
    model_mark_followers(model, unit);
    mark_neighbours(model, unit);
    asker_forget(model, unit);
    rollout_note_unit(model, unit);
    model->retry = true;
    index_ease(model);
}

/* Where it is, the index must forget what it was, or learn what it is. */
static void index_unit(struct model *model, const struct unit *unit,
                       void (*change)(struct model *, const struct placement *))
{
    const struct placement *p = NULL;
    LL_FOREACH2(unit->placements, p, unit_next)
        if (placement_occupies(p))
            change(model, p);
}

static int set_trouble(struct unit *unit, const char *problem, int64_t restart_revision,
                       struct error *err)
{
    char *copy = problem ? strdup(problem) : NULL;
    bool wanted = copy || restart_revision > 0;
    struct trouble *trouble = wanted ? model_trouble_get(unit) : unit->trouble;
    if ((problem && !copy) || (wanted && !trouble)) {
        free(copy);
        return error_oom(err);
    }
    if (!trouble)
        return 0;
    free(trouble->problem);
    trouble->problem = copy;
    trouble->restart_revision = restart_revision;
    trouble->told_mod = 0;
    model_trouble_trim(unit);
    return 0;
}

/* What a new text brings: all of it is made before anything is given up. */
struct unit_parts {
    struct group *group;
    const char *blob;
    struct follow_set *follows;
};

static void unit_parts_drop(struct model *model, struct unit_parts *parts)
{
    index_group_put(model, parts->group);
    shared_put(&model->blobs, parts->blob);
    free(parts->follows);
}

static int unit_parts_make(struct model *model, struct unit *unit, const char *blob,
                           const struct requirements *requirements, struct unit_parts *ret,
                           struct error *err)
{
    struct unit_parts parts = { .group = index_group_get(model, unit->name, requirements),
                                .blob = shared_get(&model->blobs, blob) };
    int r = parts.group && parts.blob ? 0 : error_oom(err);
    if (r == 0)
        r = make_follows(model, unit, requirements, &parts.follows, err);
    if (r < 0) {
        unit_parts_drop(model, &parts);
        return r;
    }
    *ret = parts;
    return 0;
}

int model_put_unit(struct model *model, const char *name, int64_t create, int64_t mod,
                   const struct record_unit *unit, const struct requirements *requirements,
                   const char *problem, struct error *err)
{
    struct unit_parts parts = { 0 };
    struct unit *u = model_unit_get(model, name, err);
    if (!u)
        return -ENOMEM;
    int r = unit_parts_make(model, u, unit->blob, requirements, &parts, err);
    if (r < 0)
        return r;
    r = set_trouble(u, problem, unit->restart_revision, err);
    if (r < 0) {
        unit_parts_drop(model, &parts);
        return r;
    }
    index_unit(model, u, index_vacate);
    budget_forget_unit(model, u);
    model_change_group(model, u, parts.group);
    shared_put(&model->blobs, u->blob);
    follow(model, u, parts.follows);
    u->blob = parts.blob;
    if (!u->exists)
        rollout_join(model, u);
    u->exists = true;
    u->create = create;
    u->mod = mod;
    u->desired = unit->desired;
    budget_note_unit(model, u);
    index_unit(model, u, index_occupy);
    mark_changed_unit(model, u);
    return 0;
}

void model_drop_unit(struct model *model, const char *name)
{
    struct unit *u = model_unit(model, name);
    if (!u || !u->exists)
        return;
    index_unit(model, u, index_vacate);
    budget_forget_unit(model, u);
    rollout_leave(model, u);
    u->exists = false;
    u->create = 0; /* as for a leader that has never read it */
    u->mod = 0;
    u->desired = DESIRED_INVALID;
    budget_note_unit(model, u);
    index_unit(model, u, index_occupy);
    mark_changed_unit(model, u);
}

/* --- assignments and states --- */

/* It has changed. */
static void note_copy(struct model *model, struct placement *p)
{
    budget_note_copy(model, p);
    rollout_note_copy(model, p);
    p->key.machine->drain_rests = false;
}

/* No key may speak of it any more: it is swept then. */
static void note_idle(const struct placement *p)
{
    if (p->assignment_mod == 0 && p->state_mod == 0)
        p->key.unit->has_idle_copy = true;
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
    struct machine *m = model_machine_get(model, machine, err);
    struct unit *u = m ? model_unit_get(model, name, err) : NULL;
    struct placement *p = u ? model_placement_get(model, m, u) : NULL;
    if (!p)
        (void)error_oom(err);
    return p;
}

/* The store says so: the successor, which is up, is about to be all of the unit. */
static bool has_moved(const struct placement *next, const struct record_assignment *assignment)
{
    bool succeeds = assignment->moves_from && *assignment->moves_from;
    return next->succeeds && !succeeds && assignment->want == WANT_RUN && next->health == COPY_UP &&
           placement_has_answered(next);
}

int model_put_assignment(struct model *model, const char *machine, const char *name, int64_t mod,
                         const struct record_assignment *assignment, struct error *err)
{
    struct placement *p = placement_make(model, machine, name, err);
    const char *blob = p ? shared_get(&model->blobs, assignment->blob) : NULL;
    if (!blob && p)
        note_idle(p);
    if (!blob)
        return error_oom(err);
    shared_put(&model->blobs, p->blob);
    p->blob = blob;
    if (p->want == WANT_RELEASE && assignment->want != WANT_RELEASE && p->key.machine->kept_for)
        model_mark_unit(model, p->key.machine->kept_for); /* it may have counted on the room */
    if (p->cause == MOVE_CAUSE_REBALANCE && has_moved(p, assignment))
        rebalance_note_success(model, p->key.unit);
    p->want = assignment->want;
    p->cause = move_cause_from_name(assignment->cause);
    p->unit_revision = assignment->unit_revision;
    p->failover = assignment->failover;
    p->succeeds = assignment->moves_from && *assignment->moves_from;
    bool is_new = p->assignment_mod == 0;
    p->assignment_mod = mod;
    if (is_new) {
        p->key.machine->load++;
        index_occupy(model, p);
        if (p->key.unit->group->replace_count > 0) /* somebody may have to go */
            model_mark_units_of(model, p->key.machine);
    }
    note_copy(model, p);
    index_stir(model, p->key.machine);
    model_mark_unit(model, p->key.unit);
    model_mark_followers(model, p->key.unit);
    return 0;
}

void model_drop_assignment(struct model *model, const char *machine, const char *name)
{
    struct placement *p = placement_named(model, machine, name);
    if (!p || p->assignment_mod == 0)
        return;
    p->assignment_mod = 0;
    note_idle(p);
    p->want = WANT_INVALID;
    p->cause = MOVE_CAUSE_NONE;
    p->succeeds = false;
    p->key.machine->load--;
    index_vacate(model, p);
    note_copy(model, p);
    model->roles_marked = true; /* a role may have waited for it to end */
    model_mark_unit(model, p->key.unit);
    model_mark_followers(model, p->key.unit);
    model->retry = true;
}

static enum copy_health health_of(const struct record_state *state)
{
    bool ended = text_equal(state->active, "inactive") && text_equal(state->result, "success") &&
                 state->invocation && *state->invocation;
    if ((state->problem && *state->problem) || text_equal(state->active, "failed"))
        return COPY_FAILED;
    if (ended || text_equal(state->active, "active") || text_equal(state->active, "reloading"))
        return COPY_UP;
    return COPY_UNKNOWN;
}

static enum check_health check_of(const struct record_state *state)
{
    static const char *const words[] = {
        [CHECK_STARTING] = "starting",
        [CHECK_HEALTHY] = "healthy",
        [CHECK_UNHEALTHY] = "unhealthy",
    };
    for (enum check_health i = CHECK_STARTING; i <= CHECK_UNHEALTHY; i++)
        if (text_equal(state->health, words[i]))
            return i;
    return CHECK_NONE;
}

static bool note_failure(struct model *model, const struct placement *p,
                         const struct record_state *state)
{
    if (state->problem && *state->problem)
        return failure_note(model, p, state->problem);
    bool has_result = state->result && *state->result;
    autofree char *words = text_format("result %s", has_result ? state->result : "unknown");
    return words && failure_note(model, p, words);
}

/* Keeps what the failure was while it lasts. */
static int set_health(struct model *model, struct placement *p, const struct record_state *state)
{
    enum copy_health health = health_of(state);
    struct trouble *trouble = p->key.unit->trouble;
    if (health != p->health && trouble)
        trouble->asked_since_ms = 0;
    if (health != p->health && health == COPY_UP)
        rebalance_note(model, p->key.machine); /* it may go now */
    p->health = health;
    if (health == COPY_FAILED)
        return note_failure(model, p, state) ? 0 : -ENOMEM;
    failure_forget(model, p);
    return 0;
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
    p->answered_revision = state->assignment_revision;
    p->check = check_of(state);
    p->run = (uint16_t)table_hash_text(state->invocation ? state->invocation : "");
    int r = set_health(model, p, state);
    note_copy(model, p);
    if (unit_is_global(p->key.unit))
        index_stir(model, p->key.machine);
    if (r < 0)
        return error_oom(err);
    if (p->key.unit->trouble && p->want != WANT_INVALID)
        model_mark_unit(model, p->key.unit);
    if (p->want == WANT_RELEASE || p->succeeds)
        model_mark_unit(model, p->key.unit);
    return 0;
}

void model_drop_state(struct model *model, const char *machine, const char *name)
{
    struct placement *p = placement_named(model, machine, name);
    if (!p)
        return;
    p->state_mod = 0;
    note_idle(p);
    p->state_registration = 0;
    p->released_revision = 0;
    p->health = COPY_UNKNOWN;
    p->check = CHECK_NONE;
    failure_forget(model, p);
    note_copy(model, p);
    index_stir(model, p->key.machine);
    model_mark_unit(model, p->key.unit);
}

/* --- keys --- */

bool model_drop_key(struct model *model, const struct store_key_parts *parts, int64_t now_ms)
{
    switch (parts->kind) {
    case STORE_KEY_MEMBER:
        model_drop_member(model, parts->machine, now_ms);
        return true;
    case STORE_KEY_PRESENCE:
        model_drop_presence(model, parts->machine, now_ms);
        return true;
    case STORE_KEY_CORDON:
        model_set_cordon(model, parts->machine, false);
        return true;
    case STORE_KEY_DRAIN:
        model_drop_drain(model, parts->machine);
        return true;
    case STORE_KEY_BRAKE:
        model_drop_brake(model);
        return true;
    case STORE_KEY_ROLLOUT:
        model_drop_rollout(model, parts->name);
        return true;
    case STORE_KEY_REBALANCE:
        model_drop_rebalance(model);
        return true;
    case STORE_KEY_UNIT:
        model_drop_unit(model, parts->name);
        return true;
    case STORE_KEY_ASSIGNMENT:
        model_drop_assignment(model, parts->machine, parts->name);
        return true;
    case STORE_KEY_STATE:
        model_drop_state(model, parts->machine, parts->name);
        return true;
    case STORE_KEY_VERDICT:
        model_drop_verdict(model, parts->name);
        return true;
    case STORE_KEY_ROLE:
        model_drop_role(model, parts->name);
        return true;
    case STORE_KEY_SLOT:
        model_drop_slot(model, parts->name, parts->index);
        return true;
    case STORE_KEY_INVALID:
    case STORE_KEY_CLUSTER:
    case STORE_KEY_LEADER:
    case STORE_KEY_BLOB:
    case STORE_KEY_UNITS_MARK:
        break;
    }
    return false;
}
