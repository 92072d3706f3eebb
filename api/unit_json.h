/* SPDX-License-Identifier: Apache-2.0 */
/* Units as the two APIs show them. Each returns a new value, NULL if memory ran out. */
#ifndef API_UNIT_JSON_H
#define API_UNIT_JSON_H

#include <jansson.h>

#include "api/view.h"

/* muster's: {name, desired, state, hash, revision, global, description, verdict, copies: […]}. A
 * copy whose words are unknown (see unit_copy_words()) has last_heard: {active, sub}. */
json_t *unit_json(const struct view *view, const struct view_entry *unit);
/* The same with the text. */
json_t *unit_json_whole(const struct view *view, const struct view_entry *unit);

/* fleet's Unit entity. */
json_t *unit_json_fleet(const struct view *view, const struct view_entry *unit);
/* fleet's UnitState entity of one copy. */
json_t *unit_json_fleet_state(const struct view *view, const struct view_entry *unit,
                              const struct view_copy *copy);

/* fleet's current state, derived: launched and loaded mean that the machine has answered the
 * assignment. */
const char *unit_current_state(const struct view_copy *copies, size_t count);

/* systemd's three words of a copy; "unknown" where its machine's registration is not the present
 * one, "-" where the machine has not said anything yet. */
struct unit_words {
    const char *load;
    const char *active;
    const char *sub;
};
struct unit_words unit_copy_words(const struct view_copy *copy);

#endif
