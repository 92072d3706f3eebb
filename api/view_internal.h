/* SPDX-License-Identifier: Apache-2.0 */
/* The view from inside, for view*.c alone. */
#ifndef API_VIEW_INTERNAL_H
#define API_VIEW_INTERNAL_H

#include "api/view.h"

struct unit_file;

enum { VIEW_KINDS = STORE_KEY_LAST + 1 };

struct view_list {
    struct view_entry **items; /* owned */
    size_t count;
    size_t room;
    bool is_mixed; /* not in order yet */
};

/* What the text of a unit says, once it is read. */
struct view_text {
    bool is_read;
    bool is_missing;                   /* there was no text to read */
    int code;                          /* as view_requirements() has it */
    struct requirements *requirements; /* NULL if that is not 0 */
    char *problem;                     /* in words, if that is not 0 */
    char *description;
};

/* What is found out when it is asked for, and kept. */
struct view_known {
    struct model *model;      /* NULL: nobody has asked for it */
    struct unit_file *parsed; /* the last one: the instances of a template follow each other */
    char *parsed_blob;
    size_t parsed_count;
    size_t unread;   /* units whose text nobody has asked about */
    size_t textless; /* units whose text was missing when it was asked about */
    size_t read_to;  /* in the list of units, by view_read_text() */
};

struct view {
    char *prefix;
    int64_t revision;
    struct view_list lists[VIEW_KINDS];
    char **problems;
    struct view_known *known;
};

/* One key. -EPROTO: the value makes no sense. */
int view_entry_new(const struct store_key_parts *parts, const struct kv_pair *pair,
                   struct view_entry **ret, struct error *err);
void view_entry_free(enum store_key_kind kind, struct view_entry *entry);

/* --- texts --- */

void view_text_free(struct view_text *said);
/* A unit is in the list, or about to leave it; successor: the entry that takes its place, or NULL:
 * what is known of the same text stays known. */
void view_text_unit_came(const struct view *view, const struct view_entry *unit);
void view_text_unit_goes(const struct view *view, struct view_entry *unit,
                         struct view_entry *successor);
/* The entry takes the place of another under the same digest. True: it says something else. */
bool view_text_blob_replaced(const struct view_entry *old, struct view_entry *blob);
/* A text is there that was missing, or not any more: units forget what they know of it, and fn
 * hears of each. */
typedef int (*view_text_fn)(struct view *view, const struct view_entry *unit, struct error *err);
int view_text_forget(struct view *view, const char *blob, view_text_fn fn, struct error *err);
void view_text_done(struct view_known *known);

/* --- the model, if there is one --- */

/* The entry was put. */
int view_model_put(struct view *view, enum store_key_kind kind, const struct view_entry *entry,
                   struct error *err);
void view_model_drop(struct view *view, const struct store_key_parts *parts);

#endif
