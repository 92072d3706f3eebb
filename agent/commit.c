/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/commit.h"

#include <errno.h>
#include <string.h>

/* Takes the text that was made into the transaction's care, which is ready for the next one; NULL
 * if memory ran out. */
static const char *keep(struct commit *commit)
{
    const size_t length = commit->text.length;
    char *kept = commit->text.failed ? NULL : arena_take(&commit->strings, length);
    if (kept && length)
        memcpy(kept, commit->text.data, length);
    commit->extent.bytes += length;
    text_cut(&commit->text, 0);
    return kept;
}

static const char *key_of(const struct commit_context *context, struct commit *commit,
                          enum store_key_kind kind, const char *machine, const char *name,
                          unsigned int index)
{
    store_key_add(context->prefix, kind, machine, name, index, &commit->text);
    return keep(commit);
}

static void guard(struct commit *commit, enum kv_target target, const char *key, int64_t number)
{
    if (number >= 0)
        commit->compares[commit->extent.compare_count++] =
            (struct kv_compare){ .target = target, .key = key, .number = number };
}

/* The newest are looked at first: actions come in the order of machines as a rule. */
static bool is_guarded(const struct commit *commit, const char *key)
{
    for (size_t i = commit->extent.compare_count; i > 0; i--)
        if (strcmp(commit->compares[i - 1].key, key) == 0)
            return true;
    return false;
}

/* All actions of a plan know the same registration of a machine. */
static bool guard_presence(const struct commit_context *context, struct commit *commit,
                           const char *machine, int64_t registration)
{
    if (registration < 0 || text_equal(machine, commit->extent.machine))
        return true;
    const char *key = key_of(context, commit, STORE_KEY_PRESENCE, machine, NULL, 0);
    if (!key)
        return false;
    commit->extent.machine = machine;
    if (!is_guarded(commit, key))
        guard(commit, KV_TARGET_CREATE, key, registration);
    return true;
}

/* A second unit turns the compare of the first into one of what stands for all. */
static bool guard_unit(const struct commit_context *context, struct commit *commit,
                       const struct action *action)
{
    if (action_unit_mod(action) < 0 || commit->extent.has_mark)
        return true;
    const bool is_second = commit->extent.unit_compare > 0 && context->units_mark > 0;
    const char *key = is_second ? key_of(context, commit, STORE_KEY_UNITS_MARK, NULL, NULL, 0)
                                : key_of(context, commit, STORE_KEY_UNIT, NULL, action->unit, 0);
    if (!key)
        return false;
    if (is_second) {
        commit->compares[commit->extent.unit_compare] = kv_if_mod(key, context->units_mark);
        commit->extent.has_mark = true;
        return true;
    }
    commit->extent.unit_compare = commit->extent.compare_count;
    guard(commit, KV_TARGET_MOD, key, action_unit_mod(action));
    return true;
}

int commit_begin(const struct commit_context *context, struct commit *commit, struct error *err)
{
    *commit = (struct commit){ 0 };
    const char *leader = key_of(context, commit, STORE_KEY_LEADER, NULL, NULL, 0);
    if (!leader)
        return error_oom(err);
    guard(commit, KV_TARGET_MOD, leader, context->epoch);
    return 0;
}

/* Whoever tells of the action need not make it again. */
static const char *keep_reason(struct commit *commit, const struct action *action)
{
    const size_t bytes = commit->extent.bytes;
    action_add_reason(action, &commit->text);
    const char *reason = keep(commit);
    commit->extent.bytes = bytes; /* it is in the value */
    commit->reasons[commit->extent.action_count] = reason;
    return reason;
}

static const char *assignment_value(const struct commit_context *context, struct commit *commit,
                                    const struct action *action)
{
    const char *reason = keep_reason(commit, action);
    const struct record_assignment record = {
        .blob = (char *)action->blob,
        .want = action->want,
        .unit_revision = action->unit_revision,
        .failover = action->failover,
        .epoch = context->epoch,
        .reason = (char *)reason,
        .cause = (char *)move_cause_name(action->cause),
        .moves_from = (char *)action_more(action)->moves_from,
        .restart_revision = action_more(action)->restart_revision,
    };
    return reason && record_assignment_add(&record, &commit->text, NULL) == 0 ? keep(commit) : NULL;
}

static bool guard_rollout(const struct commit_context *context, struct commit *commit,
                          const struct action *action)
{
    const char *key =
        key_of(context, commit, STORE_KEY_ROLLOUT, NULL, action_more(action)->rollout, 0);
    if (key && !is_guarded(commit, key))
        guard(commit, KV_TARGET_MOD, key, action_more(action)->op_mod);
    return key;
}

/* A copy is released since another is up: that is as it was seen. */
static bool guard_successor(const struct commit_context *context, struct commit *commit,
                            const struct action *action)
{
    const struct action_more *more = action_more(action);
    const char *state = key_of(context, commit, STORE_KEY_STATE, more->successor, action->unit, 0);
    if (!state || !guard_presence(context, commit, more->successor, more->successor_registration))
        return false;
    guard(commit, KV_TARGET_MOD, state, more->successor_state_mod);
    return true;
}

static bool add_assign(const struct commit_context *context, struct commit *commit,
                       const struct action *action)
{
    const char *assignment =
        key_of(context, commit, STORE_KEY_ASSIGNMENT, action->machine, action->unit, 0);
    const char *value = assignment_value(context, commit, action);
    if (!assignment || !value ||
        !guard_presence(context, commit, action->machine, action->registration) ||
        !guard_unit(context, commit, action))
        return false;
    if (action_more(action)->rollout && !guard_rollout(context, commit, action))
        return false;
    if (action_more(action)->successor && !guard_successor(context, commit, action))
        return false;
    if (action_assignment_mod(action) > 0 || !commit->extent.is_once)
        guard(commit, KV_TARGET_MOD, assignment, action_assignment_mod(action));
    commit->extent.is_once = true;
    commit->ops[commit->extent.op_count++] = kv_op_put(assignment, value);
    return true;
}

/* Deletes assignment and state of a unit on a machine, as they were seen. */
static bool add_removal(const struct commit_context *context, struct commit *commit,
                        const char *machine, const struct action *action, int64_t assignment_mod,
                        int64_t state_mod, int64_t registration)
{
    const char *assignment =
        key_of(context, commit, STORE_KEY_ASSIGNMENT, machine, action->unit, 0);
    const char *state = key_of(context, commit, STORE_KEY_STATE, machine, action->unit, 0);
    if (!assignment || !state || !guard_presence(context, commit, machine, registration))
        return false;
    guard(commit, KV_TARGET_MOD, assignment, assignment_mod);
    guard(commit, KV_TARGET_MOD, state, state_mod);
    commit->ops[commit->extent.op_count++] = kv_op_delete(assignment);
    commit->ops[commit->extent.op_count++] = kv_op_delete(state);
    return true;
}

/* A verdict is about a text; of a unit that has another by now, or is gone, it says nothing. */
static bool add_verdict(const struct commit_context *context, struct commit *commit,
                        const struct action *action)
{
    const char *reason = keep_reason(commit, action);
    const struct record_verdict record = { .unit_revision = action->unit_revision,
                                           .reason = (char *)reason,
                                           .kind = (char *)verdict_kind_name(action->verdict),
                                           .attempts = action_more(action)->attempts,
                                           .tried = action_more(action)->tried,
                                           .reserved = (char *)action->machine,
                                           .since_ms = context->wall_ms };
    const char *key = key_of(context, commit, STORE_KEY_VERDICT, NULL, action->unit, 0);
    const char *value = record_verdict_add(&record, &commit->text, NULL) < 0 ? NULL : keep(commit);
    if (!key || !reason || !value || !guard_unit(context, commit, action))
        return false;
    guard(commit, KV_TARGET_MOD, key, action_more(action)->verdict_mod);
    commit->ops[commit->extent.op_count++] = kv_op_put(key, value);
    return true;
}

static bool add_clear_verdict(const struct commit_context *context, struct commit *commit,
                              const struct action *action)
{
    const char *key = key_of(context, commit, STORE_KEY_VERDICT, NULL, action->unit, 0);
    if (!key)
        return false;
    guard(commit, KV_TARGET_MOD, key, action_more(action)->verdict_mod);
    commit->ops[commit->extent.op_count++] = kv_op_delete(key);
    return true;
}

static bool add_slot(const struct commit_context *context, struct commit *commit,
                     const struct action *action)
{
    const struct record_slot record = { .machine = (char *)action->machine,
                                        .since_ms = context->wall_ms };
    const char *key = key_of(context, commit, STORE_KEY_SLOT, NULL, action_more(action)->role,
                             action_more(action)->index);
    const char *value = record_slot_add(&record, &commit->text, NULL) < 0 ? NULL : keep(commit);
    if (!key || !value || !guard_presence(context, commit, action->machine, action->registration))
        return false;
    guard(commit, KV_TARGET_MOD, key, action_more(action)->slot_mod);
    commit->ops[commit->extent.op_count++] = kv_op_put(key, value);
    return true;
}

static bool add_clear_slot(const struct commit_context *context, struct commit *commit,
                           const struct action *action)
{
    const char *key = key_of(context, commit, STORE_KEY_SLOT, NULL, action_more(action)->role,
                             action_more(action)->index);
    if (!key)
        return false;
    guard(commit, KV_TARGET_MOD, key, action_more(action)->slot_mod);
    commit->ops[commit->extent.op_count++] = kv_op_delete(key);
    return true;
}

static bool add_drain(const struct commit_context *context, struct commit *commit,
                      const struct action *action)
{
    const char *key = key_of(context, commit, STORE_KEY_DRAIN, action->machine, NULL, 0);
    const char *value =
        record_drain_add(action_more(action)->drain, &commit->text, NULL) < 0 ? NULL : keep(commit);
    if (!key || !value)
        return false;
    guard(commit, KV_TARGET_MOD, key, action_more(action)->op_mod);
    commit->ops[commit->extent.op_count++] = kv_op_put(key, value);
    return true;
}

static bool add_clear_brake(const struct commit_context *context, struct commit *commit,
                            const struct action *action)
{
    const char *key = key_of(context, commit, STORE_KEY_BRAKE, NULL, NULL, 0);
    if (!key)
        return false;
    guard(commit, KV_TARGET_MOD, key, action_more(action)->op_mod);
    commit->ops[commit->extent.op_count++] = kv_op_delete(key);
    return true;
}

static bool add_cordon(const struct commit_context *context, struct commit *commit,
                       const struct action *action)
{
    const char *reason = keep_reason(commit, action);
    const struct record_cordon record = { .reason = (char *)reason, .since_ms = context->wall_ms };
    const char *key = key_of(context, commit, STORE_KEY_CORDON, action->machine, NULL, 0);
    const char *value = record_cordon_add(&record, &commit->text, NULL) < 0 ? NULL : keep(commit);
    if (!key || !reason || !value)
        return false;
    guard(commit, KV_TARGET_MOD, key, action_more(action)->op_mod);
    commit->ops[commit->extent.op_count++] = kv_op_put(key, value);
    return true;
}

/* Who writes units says so, once in a transaction. */
static bool mark_units(const struct commit_context *context, struct commit *commit)
{
    if (commit->extent.marks_units)
        return true;
    const char *key = key_of(context, commit, STORE_KEY_UNITS_MARK, NULL, NULL, 0);
    if (!key)
        return false;
    commit->extent.marks_units = true;
    commit->ops[commit->extent.op_count++] = kv_op_put(key, STORE_UNITS_MARK_VALUE);
    return true;
}

static bool add_update(const struct commit_context *context, struct commit *commit,
                       const struct action *action)
{
    const struct record_unit record = { .blob = (char *)action->blob,
                                        .desired = action->desired,
                                        .restart_revision = action_more(action)->restart_revision };
    const char *unit = key_of(context, commit, STORE_KEY_UNIT, NULL, action->unit, 0);
    const char *value = record_unit_add(&record, &commit->text, NULL) < 0 ? NULL : keep(commit);
    if (!unit || !value || !guard_rollout(context, commit, action) || !mark_units(context, commit))
        return false;
    guard(commit, KV_TARGET_MOD, unit, action_unit_mod(action));
    commit->ops[commit->extent.op_count++] = kv_op_put(unit, value);
    return true;
}

static bool add_rollout(const struct commit_context *context, struct commit *commit,
                        const struct action *action)
{
    const char *key =
        key_of(context, commit, STORE_KEY_ROLLOUT, NULL, action_more(action)->rollout, 0);
    text_add(&commit->text, action_more(action)->record);
    const char *value = keep(commit);
    if (!key || !value)
        return false;
    guard(commit, KV_TARGET_MOD, key, action_more(action)->op_mod);
    commit->ops[commit->extent.op_count++] = kv_op_put(key, value);
    return true;
}

static bool add(const struct commit_context *context, struct commit *commit,
                const struct action *action)
{
    switch (action->kind) {
    case ACTION_ASSIGN:
        return add_assign(context, commit, action);
    case ACTION_MOVE:
        return add_removal(context, commit, action_more(action)->from_machine, action,
                           action_more(action)->from_assignment_mod,
                           action_more(action)->from_state_mod,
                           action_more(action)->from_registration) &&
               add_assign(context, commit, action);
    case ACTION_DROP:
        return add_removal(context, commit, action->machine, action, action_assignment_mod(action),
                           action_more(action)->state_mod, action->registration);
    case ACTION_VERDICT:
        return add_verdict(context, commit, action);
    case ACTION_CLEAR_VERDICT:
        return add_clear_verdict(context, commit, action);
    case ACTION_SLOT:
        return add_slot(context, commit, action);
    case ACTION_CLEAR_SLOT:
        return add_clear_slot(context, commit, action);
    case ACTION_DRAIN:
        return add_drain(context, commit, action);
    case ACTION_CLEAR_BRAKE:
        return add_clear_brake(context, commit, action);
    case ACTION_CORDON:
        return add_cordon(context, commit, action);
    case ACTION_UPDATE:
        return add_update(context, commit, action);
    case ACTION_ROLLOUT:
        return add_rollout(context, commit, action);
    case ACTION_INVALID:
        break;
    }
    return false;
}

static bool is_too_big(const struct commit *commit)
{
    return commit->extent.compare_count > KV_TXN_OPS_MAX ||
           commit->extent.op_count > KV_TXN_OPS_MAX || commit->extent.bytes > COMMIT_BYTES_MAX;
}

static int add_all(const struct commit_context *context, struct commit *commit,
                   const struct action *actions, size_t count, struct error *err)
{
    const bool was_empty = commit->extent.op_count == 0;
    for (size_t i = 0; i < count; i++) {
        const struct action *action = &actions[i];
        commit->reasons[commit->extent.action_count] = NULL;
        if (!add(context, commit, action))
            return error_set(err, -EINVAL, "action %s for %s cannot be written",
                             action_kind_name(action->kind), action_subject(action));
        commit->extent.action_count++;
        if (is_too_big(commit) && (i > 0 || !was_empty))
            return 1;
    }
    return 0;
}

/* What is for another transaction is taken back, but for its strings, which stay until the end. */
int commit_add(const struct commit_context *context, struct commit *commit,
               const struct action *actions, size_t count, struct error *err)
{
    const struct commit_extent before = commit->extent;
    const struct kv_compare of_unit = commit->compares[before.unit_compare];
    int r = add_all(context, commit, actions, count, err);
    if (r == 1) {
        commit->extent = before;
        commit->compares[before.unit_compare] = of_unit;
    }
    return r;
}

void commit_done(struct commit *commit)
{
    arena_done(&commit->strings);
    text_done(&commit->text);
    *commit = (struct commit){ 0 };
}
