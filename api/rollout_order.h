/* SPDX-License-Identifier: Apache-2.0 */
/* What an order about a rollout comes to: the record that is to be in the store. Pure planning from
 * a view; whoever writes it guards by the mod that the view has, and plans again if that fails. */
#ifndef API_ROLLOUT_ORDER_H
#define API_ROLLOUT_ORDER_H

#include "api/view.h"

enum rollout_order_kind {
    ROLLOUT_ORDER_INVALID = 0,
    ROLLOUT_ORDER_START,   /* with another text */
    ROLLOUT_ORDER_RESTART, /* every instance anew, with the text that it has */
    ROLLOUT_ORDER_UNDO,    /* with a text of its history */
    ROLLOUT_ORDER_PAUSE,
    ROLLOUT_ORDER_RESUME, /* what has failed is tried again */
};
enum rollout_order_kind rollout_order_from_name(const char *name);

struct rollout_order {
    enum rollout_order_kind kind;
    const char *name; /* of the template, or of a unit that is no instance; all borrowed */
    const char *text; /* START */
    int64_t to;       /* UNDO: a version; 0: the last one that was good */
    int64_t parallel; /* 0: percent says; both 0: one at a time */
    int64_t percent;
    int64_t wait_ms; /* -1: as by default, as the next */
    int64_t timeout_ms;
    bool roll_back;
    int64_t wall_ms;
};

/* *ret is whole, for record_rollout_done(). -EINVAL: the order makes no sense; -ENOENT: there is no
 * such unit, rollout or version; -EEXIST: one is under way. */
int rollout_order_plan(const struct view *view, const struct rollout_order *order,
                       struct record_rollout *ret, struct error *err);

/* Does the unit take part in the rollout of this name? */
bool rollout_has_unit(const char *rollout, const char *unit);
/* -EEXIST, and what to do, while a rollout runs that the unit takes part in. */
int rollout_refuse_text(const struct view *view, const char *unit, struct error *err);

#endif
