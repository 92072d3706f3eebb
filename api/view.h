/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store at one revision, decoded: what every answer of the API is made from. Pure. It can be
 * made at once, or key by key, and follow the store from there: then a change costs what it
 * touches, and who asks pays for the answer alone.
 *
 * Entries of a kind are sorted by name, then machine, so what belongs to one unit lies together. A
 * value that cannot be decoded is left out and told in problems: one damaged key must not blind the
 * API to the rest.
 *
 * The text of a unit is read when somebody asks what it says, and once: what it says is kept with
 * the unit, as long as that has this text.
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
    size_t readers;         /* of a blob: units that keep what it says */
    struct view_text *said; /* of a unit: what its text says; see view_text.c */
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

/* The same in pieces: an empty one; each key once, in any order; and then it stands. Nothing else
 * may be asked of it before. */
int view_begin(const char *prefix, struct view **ret, struct error *err);
int view_add(struct view *view, const struct kv_pair *pair, struct error *err);
void view_stand(struct view *view, int64_t revision);
/* From then on: a key was put, or deleted (pair NULL). All that was borrowed of it is void. After
 * the changes of one or more whole revisions view_stand() again. On -ENOMEM it is of no use. */
int view_change(struct view *view, const char *key, const struct kv_pair *pair, struct error *err);

int64_t view_revision(const struct view *view);
char *const *view_problems(const struct view *view); /* borrowed; NULL if there are none */

/* All of a kind, borrowed. */
struct view_entry *const *view_list(const struct view *view, enum store_key_kind kind,
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
/* What a unit asks of the cluster, borrowed. -ENOENT: its text is missing; -EINVAL: unreadable. */
int view_requirements(const struct view *view, const struct view_entry *unit,
                      const struct requirements **ret, struct error *err);
bool view_is_global(const struct view *view, const struct view_entry *unit);
/* As systemd will show it; "" if the text has none or is unreadable. Borrowed. */
const char *view_description(const struct view *view, const struct view_entry *unit);
/* Units whose text nobody has asked about, and reading the next of them: who has thousands to ask
 * about has them read beforehand, a few at a time. */
size_t view_unread_texts(const struct view *view);
int view_read_text(struct view *view, struct error *err);
/* How many texts have been parsed for it. */
size_t view_parsed_texts(const struct view *view);
/* Would a unit of this name be global with this text? */
bool view_text_is_global(const char *name, const char *text);

/* The scheduler's model of the same facts, to ask it why and who holds which role. It is made when
 * it is first asked for, and follows the view. Borrowed. */
int view_model(const struct view *view, struct model **ret, struct error *err);
/* One that may be spoiled: the caller's. */
int view_model_new(const struct view *view, struct model **ret, struct error *err);

#endif
