/* SPDX-License-Identifier: Apache-2.0 */
/* One key of the store, decoded. */
#include "api/view_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

void view_entry_free(enum store_key_kind kind, struct view_entry *entry)
{
    if (!entry)
        return;
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
    case STORE_KEY_UNITS_MARK:
        break;
    }
    free(entry->machine);
    free(entry->name);
    free(entry->text);
    view_text_free(entry->said);
    free(entry);
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
    case STORE_KEY_UNITS_MARK:
        return 0;
    }
    return 0;
}

int view_entry_new(const struct store_key_parts *parts, const struct kv_pair *pair,
                   struct view_entry **ret, struct error *err)
{
    struct view_entry *entry = calloc(1, sizeof(*entry));
    if (!entry)
        return error_oom(err);
    int r = decode(parts->kind, pair, entry, err);
    if (r < 0) {
        free(entry);
        return r;
    }
    entry->machine = strdup(parts->machine);
    entry->name = strdup(parts->name);
    entry->index = parts->index;
    entry->create = pair->create_revision;
    entry->mod = pair->mod_revision;
    if (parts->kind == STORE_KEY_UNIT)
        entry->said = calloc(1, sizeof(*entry->said));
    if (!entry->machine || !entry->name || (parts->kind == STORE_KEY_UNIT && !entry->said)) {
        view_entry_free(parts->kind, entry);
        return error_oom(err);
    }
    *ret = entry;
    return 0;
}
