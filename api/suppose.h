/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What would the leader do if these units were submitted and started now? Pure: the model that
 * plans for the leader is made of the view, and its plans are carried out in it (foresee.h).
 */
#ifndef API_SUPPOSE_H
#define API_SUPPOSE_H

#include <jansson.h>

#include "api/view.h"

/* units: [{"name", "text"}]; without a text, as the store has it; with another than there, as if
 * that were replaced. A template is rolled out to its instances, whose wishes stay. What the leader
 * does anyway comes first, and is not told.
 *
 * *ret: {"changes": as foresight_json() has them, "settled": false if more would follow, or
 * what is done anyway is too much to foresee}. What
 * start would refuse is refused, by the same code. */
int suppose(const struct view *view, const json_t *units, json_t **ret, struct error *err);

#endif
