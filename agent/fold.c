/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/fold.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/text.h"
#include "units/requirements.h"
#include "units/unit_file.h"

/* A unit whose text must be looked up (again) before the model may know it. */
struct unsettled {
    char *name;
    int64_t create;
    int64_t mod;
    struct record_unit unit;
    UT_hash_handle hh;
};

struct fold {
    struct fold_config config;
    struct unsettled *unsettled;
};

int fold_new(const struct fold_config *config, struct fold **ret, struct error *err)
{
    struct fold *fold = calloc(1, sizeof(*fold));
    if (!fold)
        return error_oom(err);
    fold->config = *config;
    *ret = fold;
    return 0;
}

static void unsettled_free(struct fold *fold, struct unsettled *unit)
{
    HASH_DEL(fold->unsettled, unit);
    free(unit->name);
    record_unit_done(&unit->unit);
    free(unit);
}

void fold_free(struct fold *fold)
{
    if (!fold)
        return;
    while (fold->unsettled)
        unsettled_free(fold, fold->unsettled);
    free(fold);
}

static void forget_unsettled(struct fold *fold, const char *name)
{
    struct unsettled *unit = NULL;
    HASH_FIND_STR(fold->unsettled, name, unit);
    if (unit)
        unsettled_free(fold, unit);
}

/* Takes *record. */
static int add_unsettled(struct fold *fold, const char *name, const struct kv_pair *pair,
                         struct record_unit *record, struct error *err)
{
    forget_unsettled(fold, name);
    struct unsettled *unit = calloc(1, sizeof(*unit));
    if (!unit || !(unit->name = strdup(name))) {
        free(unit);
        record_unit_done(record);
        return error_oom(err);
    }
    unit->create = pair->create_revision;
    unit->mod = pair->mod_revision;
    unit->unit = *record;
    *record = (struct record_unit){ 0 };
    HASH_ADD_KEYPTR(hh, fold->unsettled, unit->name, strlen(unit->name), unit);
    return 0;
}

static int read_requirements(const struct kv_pair *blob, const char *name,
                             struct requirements **ret, struct error *err)
{
    autoptr(unit_file) file = NULL;
    int r = unit_file_parse(blob->value, blob->value_length, &file, err);
    return r < 0 ? r : requirements_read(file, name, ret, err);
}

static int settle(struct fold *fold, const struct unsettled *unit, struct error *err)
{
    autoptr(requirements) requirements = NULL;
    struct error why = { .text = "its text is not in the store" };
    autofree char *key = store_key(fold->config.prefix, STORE_KEY_BLOB, NULL, unit->unit.blob, 0);
    if (!key)
        return error_oom(err);
    const struct kv_pair *blob = fold->config.find(key, fold->config.userdata);
    if (blob)
        (void)read_requirements(blob, unit->name, &requirements, &why);
    return model_put_unit(fold->config.model, unit->name, unit->create, unit->mod, &unit->unit,
                          requirements, requirements ? NULL : why.text, err);
}

int fold_settle(struct fold *fold, struct error *err)
{
    while (fold->unsettled) {
        int r = settle(fold, fold->unsettled, err);
        if (r < 0)
            return r;
        unsettled_free(fold, fold->unsettled);
    }
    if (fold->config.guard)
        unit_guard_settle(fold->config.guard);
    return 0;
}

static bool marks_units(const struct kv_pair *member)
{
    autorecord(member) record = { 0 };
    return record_member_decode(member->value, member->value_length, &record, NULL) == 0 &&
           record.marks_units;
}

static void tell_guard(const struct fold *fold, enum store_key_kind kind, const struct kv_pair *old,
                       const struct kv_pair *pair)
{
    struct unit_guard *guard = fold->config.guard;
    if (kind == STORE_KEY_UNITS_MARK)
        unit_guard_see_mark(guard, pair ? pair->mod_revision : 0);
    if (kind == STORE_KEY_UNIT && pair)
        unit_guard_see_unit(guard, pair->mod_revision);
    if (kind == STORE_KEY_MEMBER && old)
        unit_guard_forget_member(guard, marks_units(old));
    if (kind == STORE_KEY_MEMBER && pair)
        unit_guard_see_member(guard, marks_units(pair));
}

static void unreadable(const struct fold *fold, const struct kv_pair *pair, const struct error *err)
{
    struct store_key_parts parts;
    store_key_parse(fold->config.prefix, pair->key, &parts);
    if (parts.kind == STORE_KEY_UNIT)
        unit_guard_see_unreadable_unit(fold->config.guard);
    fold->config.on_unreadable(pair->key, err->text, fold->config.userdata);
}

/* One case of fold_put: decode into a record of this type, hand it to the model, or report it. */
#define FOLD(type, put)                                                                   \
    do {                                                                                  \
        autorecord(type) record = { 0 };                                                  \
        struct error why = { 0 };                                                         \
        if (record_##type##_decode(pair->value, pair->value_length, &record, &why) < 0) { \
            unreadable(fold, pair, &why);                                                 \
            return 0;                                                                     \
        }                                                                                 \
        return put;                                                                       \
    } while (0)

static int fold_put(struct fold *fold, const struct store_key_parts *parts,
                    const struct kv_pair *pair, int64_t now_ms, struct error *err)
{
    struct model *model = fold->config.model;
    const char *machine = parts->machine;
    const char *name = parts->name;
    int64_t mod = pair->mod_revision;
    switch (parts->kind) {
    case STORE_KEY_MEMBER:
        FOLD(member, model_put_member(model, machine, &record, now_ms, err));
    case STORE_KEY_PRESENCE:
        FOLD(presence,
             model_put_presence(model, machine, pair->create_revision, &record, now_ms, err));
    case STORE_KEY_ASSIGNMENT:
        FOLD(assignment, model_put_assignment(model, machine, name, mod, &record, err));
    case STORE_KEY_STATE:
        FOLD(state, model_put_state(model, machine, name, mod, &record, err));
    case STORE_KEY_UNIT:
        FOLD(unit, add_unsettled(fold, name, pair, &record, err));
    case STORE_KEY_VERDICT:
        FOLD(verdict, model_put_verdict(model, name, mod, &record, err));
    case STORE_KEY_ROLE:
        FOLD(role, model_put_role(model, name, mod, &record, err));
    case STORE_KEY_SLOT:
        FOLD(slot, model_put_slot(model, name, parts->index, mod, &record, err));
    case STORE_KEY_CORDON:
        model_set_cordon(model, machine, true);
        return 0;
    case STORE_KEY_DRAIN:
        FOLD(drain, model_put_drain(model, machine, mod, &record, err));
    case STORE_KEY_BRAKE:
        FOLD(brake, (model_put_brake(model, mod, &record), 0));
    case STORE_KEY_ROLLOUT:
        FOLD(rollout, model_put_rollout(model, name, mod, &record, err));
    case STORE_KEY_REBALANCE:
        FOLD(rebalance, (model_put_rebalance(model, &record), 0));
    case STORE_KEY_CLUSTER:
    case STORE_KEY_LEADER:
    case STORE_KEY_UNITS_MARK:
    case STORE_KEY_BLOB: /* looked up when a unit names it: a unit and its text come in one revision
                          */
    case STORE_KEY_INVALID:
        break;
    }
    return 0;
}

int fold_change(struct fold *fold, const struct kv_pair *old, const struct kv_pair *pair,
                int64_t now_ms, struct error *err)
{
    struct store_key_parts parts;
    store_key_parse(fold->config.prefix, pair ? pair->key : old->key, &parts);
    tell_guard(fold, parts.kind, old, pair);
    if (pair)
        return fold_put(fold, &parts, pair, now_ms, err);
    if (parts.kind == STORE_KEY_UNIT)
        forget_unsettled(fold, parts.name);
    (void)model_drop_key(fold->config.model, &parts, now_ms);
    return 0;
}
