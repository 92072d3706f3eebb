/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a request to change units comes to: pure planning from a view. Each change becomes one or
 * two puts (or a delete) with the guard it was derived under; the caller commits them and plans
 * again when a guard failed.
 */
#ifndef API_CHANGE_H
#define API_CHANGE_H

#include "api/view.h"

enum change_kind {
    CHANGE_INVALID = 0,
    CHANGE_SUBMIT,  /* text given: create, or replace if allowed */
    CHANGE_DESIRED, /* another desired state; an instance of a stored template is created */
    CHANGE_DESTROY,
};

/* What one unit's change came to. */
enum change_action {
    CHANGE_ACTION_INVALID = 0,
    CHANGE_ACTION_UNCHANGED, /* nothing to write; revision is the unit's */
    CHANGE_ACTION_CREATED,
    CHANGE_ACTION_REPLACED, /* another text */
    CHANGE_ACTION_CHANGED,  /* another desired state, or the same put again to start it again */
    CHANGE_ACTION_DESTROYED,
};
const char *change_action_name(enum change_action action);

struct change {
    enum change_kind kind;
    char *name;
    char *text;           /* SUBMIT: what was given. CREATED from a template: the template's */
    enum desired desired; /* SUBMIT: DESIRED_INVALID keeps what is, or inactive for a new one */
    bool replace;         /* SUBMIT: another text is welcome */

    /* Filled by change_plan(); revision by the caller once it is written. */
    enum change_action action;
    int64_t guard_mod;    /* mod_revision of the unit that must still be; 0: absent */
    char *template_name;  /* CREATED from a template: */
    int64_t template_mod; /* must still be */
    char blob[65];
    enum desired new_desired;
    int64_t restart_revision; /* kept as it is */
    bool global;
    bool written;
    int64_t revision;
};

/* Plans one change anew. -EINVAL the unit or the wish is wrong, -ENOENT there is no such unit,
 * -EEXIST its text differs and replace was not asked for (both hashes are named). */
int change_plan(const struct view *view, struct change *change, struct error *err);
bool change_writes(const struct change *change);
void change_done(struct change *change);

#endif
