/* SPDX-License-Identifier: Apache-2.0 */
#include "api/waits.h"

#include <errno.h>
#include <string.h>
#include <utlist.h>

#include "api/cache.h"
#include "api/route.h"
#include "api/wait.h"
#include "base/json.h"

enum {
    SILENCE_MS = 5000, /* then the waiter is told what is missing */
};

struct waiter {
    struct waits *waits; /* borrowed */
    struct call *call;   /* borrowed */
    char *unit;
    enum wait_goal goal;
    int64_t revision;
    bool dirty;
    bool silent;
    char *told; /* the last line sent */
    struct loop_timer *timer;
    struct waiter *prev;
    struct waiter *next;
};

struct waits {
    struct api *api; /* borrowed */
    struct waiter *waiters;
};

static void waiter_free(struct waiter *waiter)
{
    loop_timer_free(waiter->timer);
    free(waiter->unit);
    free(waiter->told);
    free(waiter);
}

static void waiter_remove(struct waits *waits, struct waiter *waiter)
{
    DL_DELETE(waits->waiters, waiter);
    waiter_free(waiter);
    cache_release(waits->api->cache);
}

void waits_free(struct waits *waits)
{
    if (!waits)
        return;
    while (waits->waiters)
        waiter_remove(waits, waits->waiters);
    free(waits);
}

void waits_forget(struct waits *waits, const struct call *call)
{
    struct waiter *waiter = NULL;
    struct waiter *next = NULL;
    if (!waits)
        return;
    DL_FOREACH_SAFE(waits->waiters, waiter, next) {
        if (waiter->call == call)
            waiter_remove(waits, waiter);
    }
}

/* --- facts, from the mirror --- */

/* What wait_evaluate() borrows from. */
struct facts {
    struct wait_facts plain;
    struct wait_copy *copies;
    char **labels;
    struct record_assignment *assignments;
    struct record_state *states;
    size_t room;
    struct record_unit unit;
    struct record_verdict verdict;
};

static void facts_done(struct facts *facts)
{
    for (size_t i = 0; i < facts->plain.copy_count; i++) {
        record_assignment_done(&facts->assignments[i]);
        record_state_done(&facts->states[i]);
    }
    record_unit_done(&facts->unit);
    record_verdict_done(&facts->verdict);
    strv_free(facts->labels);
    free(facts->copies);
    free(facts->assignments);
    free(facts->states);
}
#define autofacts __attribute__((cleanup(facts_done))) struct facts

static const struct kv_pair *get(const struct waits *waits, enum store_key_kind kind,
                                 const char *machine, const char *name)
{
    autofree char *key = store_key(waits->api->prefix, kind, machine, name, 0);
    return key ? kv_mirror_get(cache_mirror(waits->api->cache), key) : NULL;
}

static bool grow(struct facts *facts)
{
    if (facts->plain.copy_count < facts->room)
        return true;
    size_t room = facts->room ? 2 * facts->room : 4;
    void *copies = reallocarray(facts->copies, room, sizeof(*facts->copies));
    if (copies)
        facts->copies = copies;
    void *assignments = reallocarray(facts->assignments, room, sizeof(*facts->assignments));
    if (assignments)
        facts->assignments = assignments;
    void *states = reallocarray(facts->states, room, sizeof(*facts->states));
    if (states)
        facts->states = states;
    if (!copies || !assignments || !states)
        return false;
    facts->room = room;
    return true;
}

/* "1315e07d.../10.0.0.1" */
static int add_label(struct facts *facts, const char *machine, const struct kv_pair *member)
{
    autorecord(member) record = { 0 };
    const char *ip = "";
    if (record_member_decode(member->value, member->value_length, &record, NULL) == 0)
        ip = record.public_ip;
    return strv_addf(&facts->labels, NULL, "%.8s...%s%s", machine, *ip ? "/" : "", ip);
}

struct gather {
    const struct waits *waits;
    const char *unit;
    struct facts *facts;
};

/* One machine: what it has of the unit. */
static int gather_machine(const struct kv_pair *member, void *userdata)
{
    const struct gather *gather = userdata;
    const struct waits *waits = gather->waits;
    struct facts *facts = gather->facts;
    struct store_key_parts parts;
    store_key_parse(waits->api->prefix, member->key, &parts);
    if (parts.kind != STORE_KEY_MEMBER)
        return 0;
    const struct kv_pair *assignment =
        get(waits, STORE_KEY_ASSIGNMENT, parts.machine, gather->unit);
    const struct kv_pair *state = get(waits, STORE_KEY_STATE, parts.machine, gather->unit);
    if (!assignment && !state)
        return 0;
    const struct kv_pair *presence = get(waits, STORE_KEY_PRESENCE, parts.machine, "");
    if (!grow(facts) || add_label(facts, parts.machine, member) < 0)
        return -ENOMEM;
    size_t i = facts->plain.copy_count++;
    memset(&facts->copies[i], 0, sizeof(facts->copies[i]));
    memset(&facts->assignments[i], 0, sizeof(facts->assignments[i]));
    memset(&facts->states[i], 0, sizeof(facts->states[i]));
    if (assignment && record_assignment_decode(assignment->value, assignment->value_length,
                                               &facts->assignments[i], NULL) == 0) {
        facts->copies[i].assignment = &facts->assignments[i];
        facts->copies[i].assignment_mod = assignment->mod_revision;
    }
    if (state &&
        record_state_decode(state->value, state->value_length, &facts->states[i], NULL) == 0)
        facts->copies[i].state = &facts->states[i];
    facts->copies[i].registration = presence ? presence->create_revision : 0;
    return 0;
}

/* The arrays have stopped growing: the copies' pointers may be set now. */
static void settle(struct facts *facts)
{
    for (size_t i = 0; i < facts->plain.copy_count; i++) {
        struct wait_copy *copy = &facts->copies[i];
        copy->machine = facts->labels[i];
        copy->assignment = copy->assignment ? &facts->assignments[i] : NULL;
        copy->state = copy->state ? &facts->states[i] : NULL;
    }
    facts->plain.copies = facts->copies;
}

static int gather_facts(const struct waits *waits, const struct waiter *waiter, struct facts *facts)
{
    autofree char *members = text_format("%smembers/", waits->api->prefix);
    struct gather gather = { .waits = waits, .unit = waiter->unit, .facts = facts };
    if (!members)
        return -ENOMEM;
    facts->plain.store_revision = kv_mirror_revision(cache_mirror(waits->api->cache));
    facts->plain.silent = waiter->silent;
    facts->plain.has_leader = get(waits, STORE_KEY_LEADER, "", "");
    const struct kv_pair *unit = get(waits, STORE_KEY_UNIT, "", waiter->unit);
    if (unit && record_unit_decode(unit->value, unit->value_length, &facts->unit, NULL) == 0) {
        facts->plain.unit_mod = unit->mod_revision;
        facts->plain.desired = facts->unit.desired;
    }
    const struct kv_pair *verdict = get(waits, STORE_KEY_VERDICT, "", waiter->unit);
    if (verdict &&
        record_verdict_decode(verdict->value, verdict->value_length, &facts->verdict, NULL) == 0)
        facts->plain.verdict = &facts->verdict;
    int r = kv_mirror_each(cache_mirror(waits->api->cache), members, gather_machine, &gather);
    settle(facts);
    return r;
}

/* --- telling --- */

static void tell(struct waiter *waiter, json_t *line)
{
    autojson owned = line;
    autofree char *text = NULL;
    if (!owned || json_write(owned, &text, NULL) < 0 || text_equal(text, waiter->told))
        return;
    call_stream_write(waiter->call, text);
    free(waiter->told);
    waiter->told = take_ptr(text);
}

static json_t *answer_json(const struct wait_answer *answer)
{
    json_t *line =
        json_pack("{s:s, s:s}", "state", wait_state_name(answer->state), "reason", answer->reason);
    if (line && answer->leaderless)
        (void)json_object_set_new(line, "leaderless", json_true());
    if (line && answer->machine)
        (void)json_object_set_new(line, "machine", json_string(answer->machine));
    if (line && answer->unit) {
        (void)json_object_set_new(line, "active", json_string(answer->unit->active));
        (void)json_object_set_new(line, "sub", json_string(answer->unit->sub));
        (void)json_object_set_new(line, "result", json_string(answer->unit->result));
    }
    return line;
}

/* Unplaceable is told and waited on: the client decides whether it wants to. */
static bool is_final(enum wait_state state)
{
    return state != WAIT_STATE_WAITING && state != WAIT_STATE_UNPLACEABLE;
}

static void end(struct waits *waits, struct waiter *waiter)
{
    call_stream_end(waiter->call);
    waiter_remove(waits, waiter);
}

static void evaluate(struct waits *waits, struct waiter *waiter)
{
    autofacts facts = { 0 };
    struct wait_answer answer;
    /* Until the mirror has reached the change, every revision is worth a look. */
    waiter->dirty = kv_mirror_revision(cache_mirror(waits->api->cache)) < waiter->revision;
    if (gather_facts(waits, waiter, &facts) < 0)
        return; /* no memory: the silence timer tries again */
    wait_evaluate(&facts.plain, waiter->goal, waiter->revision, &answer);
    if (*answer.reason || is_final(answer.state))
        tell(waiter, answer_json(&answer));
    if (is_final(answer.state))
        end(waits, waiter);
}

static void on_silence(struct loop_timer *timer, void *userdata)
{
    struct waiter *waiter = userdata;
    loop_timer_set(timer, SILENCE_MS);
    if (waiter->silent)
        call_stream_write(waiter->call, "");
    waiter->silent = true;
    evaluate(waiter->waits, waiter);
}

static void on_change(const struct kv_pair *old, const struct kv_pair *pair, void *userdata)
{
    const struct waits *waits = userdata;
    struct store_key_parts parts;
    struct waiter *waiter = NULL;
    store_key_parse(waits->api->prefix, pair ? pair->key : old->key, &parts);
    bool concerns_all = parts.kind == STORE_KEY_PRESENCE || parts.kind == STORE_KEY_LEADER;
    DL_FOREACH(waits->waiters, waiter) {
        if (concerns_all || text_equal(waiter->unit, parts.name))
            waiter->dirty = true;
    }
}

static void on_revision(int64_t revision, void *userdata)
{
    struct waits *waits = userdata;
    struct waiter *waiter = NULL;
    struct waiter *next = NULL;
    (void)revision;
    DL_FOREACH_SAFE(waits->waiters, waiter, next) {
        if (waiter->dirty)
            evaluate(waits, waiter);
    }
}

static void on_lost(int code, const char *reason, void *userdata)
{
    struct waits *waits = userdata;
    (void)code;
    while (waits->waiters) {
        struct waiter *waiter = waits->waiters;
        tell(waiter, json_pack("{s:s, s:s+}", "state", "lost", "reason",
                               "the store is not the one it was: ", reason));
        end(waits, waiter);
    }
}

/* --- starting --- */

int waits_new(struct api *api, struct waits **ret, struct error *err)
{
    struct waits *waits = calloc(1, sizeof(*waits));
    if (!waits)
        return error_oom(err);
    waits->api = api;
    const struct cache_listener listener = {
        .on_change = on_change, .on_revision = on_revision, .on_lost = on_lost, .userdata = waits
    };
    cache_listen(api->cache, &listener);
    *ret = waits;
    return 0;
}

static int add_waiter(struct call *call, enum wait_goal goal, int64_t revision, const char *unit,
                      struct waiter **ret, struct error *err)
{
    struct waits *waits = call->api->waits;
    struct waiter *waiter = calloc(1, sizeof(*waiter));
    if (!waiter)
        return error_oom(err);
    *waiter = (struct waiter){ .waits = waits,
                               .call = call,
                               .goal = goal,
                               .revision = revision,
                               .dirty = true,
                               .unit = strdup(unit) };
    int r = waiter->unit ? loop_timer_new(call->api->loop, "api silence", on_silence, waiter,
                                          &waiter->timer, err)
                         : error_oom(err);
    if (r < 0) {
        waiter_free(waiter);
        return r;
    }
    loop_timer_set(waiter->timer, SILENCE_MS);
    DL_APPEND(waits->waiters, waiter);
    *ret = waiter;
    return 0;
}

void waits_start(struct call *call)
{
    const char *unit = call_query(call, "unit");
    const char *revision_text = call_query(call, "revision");
    enum wait_goal goal = wait_goal_from_name(call_query(call, "goal"));
    uint64_t revision = 0;
    struct waiter *waiter = NULL;
    struct error err;
    if (!unit || goal == WAIT_GOAL_INVALID ||
        (revision_text && text_parse_u64(revision_text, INT64_MAX, &revision, NULL) < 0)) {
        call_fail(call, 400,
                  "wanted: ?unit=NAME&goal=launched|loaded|stopped|inactive|gone&revision=N");
        return;
    }
    int r = cache_hold(call->api->cache, &err);
    if (r == 0) {
        r = add_waiter(call, goal, (int64_t)revision, unit, &waiter, &err);
        if (r < 0)
            cache_release(call->api->cache);
    }
    if (r < 0) {
        call_fail_code(call, r, err.text);
        return;
    }
    call_stream_begin(call);
    if (kv_mirror_revision(cache_mirror(call->api->cache)) > 0)
        evaluate(call->api->waits, waiter);
}
