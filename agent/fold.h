/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Folds changes of the store into the scheduler's model: decodes each key's value, and joins units
 * with the texts that they name. A value that cannot be read is reported once and changes nothing.
 */
#ifndef AGENT_FOLD_H
#define AGENT_FOLD_H

#include "agent/unit_guard.h"
#include "kvclient/kv.h"
#include "scheduler/model.h"

struct fold;

struct fold_config {
    const char *prefix;  /* borrowed */
    struct model *model; /* borrowed, as is the next, which is told what it wants to know */
    struct unit_guard *guard;
    /* The text of a blob as the store has it now, or NULL; borrowed until the next change. */
    const struct kv_pair *(*find)(const char *key, void *userdata);
    void (*on_unreadable)(const char *key, const char *reason, void *userdata);
    void *userdata;
};

int fold_new(const struct fold_config *config, struct fold **ret, struct error *err);
void fold_free(struct fold *fold);
DEFINE_AUTOPTR(fold);

/* pair NULL: old was deleted. -ENOMEM only. */
int fold_change(struct fold *fold, const struct kv_pair *old, const struct kv_pair *pair,
                int64_t now_ms, struct error *err);

/* After the changes of one or more whole revisions: units whose text came are joined with it now,
 * and units whose text is not there get a verdict that says so. */
int fold_settle(struct fold *fold, struct error *err);

#endif
