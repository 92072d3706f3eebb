/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store at one revision, decoded: what every answer of the API is made from. Pure.
 *
 * Entries of a kind are sorted by name, then machine, so what belongs to one unit lies together. A
 * value that cannot be decoded is left out and told in problems: one damaged key must not blind the
 * API to the rest.
 */
#ifndef API_VIEW_H
#define API_VIEW_H

#include "base/cleanup.h"
#include "kvclient/kv.h"
#include "scheduler/model.h"
#include "scheduler/records.h"

struct view;

struct view_entry {
    char *machine; /* "" if the kind has none */
    char *name;    /* "" if the kind has none */
    unsigned int index;
    int64_t create;
    int64_t mod;
    char *text; /* of a blob */
    size_t text_length;
    union {
        struct record_member member;
        struct record_presence presence;
        struct record_assignment assignment;
        struct record_state state;
        struct record_leader leader;
        struct record_unit unit;
        struct record_verdict verdict;
        struct record_role role;
        struct record_slot slot;
        struct record_cordon cordon; /* zeroed where the value says nothing */
        struct record_drain drain;
        struct record_brake brake;
        struct record_rollout rollout;
        struct record_rebalance rebalance;
    } record; /* as the list's kind says */
};

/* Copies what it needs of the pairs. */
int view_new(const char *prefix, const struct kv_pair *pairs, size_t count, int64_t revision,
             struct view **ret, struct error *err);
void view_free(struct view *view);
DEFINE_AUTOPTR(view);

int64_t view_revision(const struct view *view);
char *const *view_problems(const struct view *view); /* borrowed; NULL if there are none */

/* All of a kind, borrowed. */
const struct view_entry *view_list(const struct view *view, enum store_key_kind kind,
                                   size_t *ret_count);
/* One of a kind; machine and name "" where the kind has none. NULL if absent. Borrowed. */
const struct view_entry *view_find(const struct view *view, enum store_key_kind kind,
                                   const char *machine, const char *name);

/* What one machine has of a unit: an assignment, a state, or both. Borrowed. */
struct view_copy {
    const char *machine;
    const struct view_entry *assignment; /* or NULL */
    const struct view_entry *state;      /* or NULL */
    bool known; /* the state is of the machine's present registration: it can be believed */
};
/* Sorted by machine; caller frees *ret. */
int view_copies(const struct view *view, const char *unit, struct view_copy **ret,
                size_t *ret_count, struct error *err);

/* The text of a unit, borrowed; NULL if its blob is missing. */
const char *view_unit_text(const struct view *view, const struct view_entry *unit,
                           size_t *ret_length);
/* What a unit asks of the cluster. -ENOENT: its text is missing; -EINVAL: unreadable. */
int view_requirements(const struct view *view, const struct view_entry *unit,
                      struct requirements **ret, struct error *err);
bool view_is_global(const struct view *view, const struct view_entry *unit);
/* Would a unit of this name be global with this text? */
bool view_text_is_global(const char *name, const char *text);

/* The scheduler's model of the same facts, to ask it why and who holds which role. */
int view_model(const struct view *view, struct model **ret, struct error *err);

#endif
