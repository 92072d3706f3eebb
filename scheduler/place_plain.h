/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The short way to a place, for units that ask nothing of machines, of their resources or of who is
 * on them: most units of most clusters. It is what place_find() does for all, without the sets that
 * such a unit does not need.
 */
#ifndef SCHEDULER_PLACE_PLAIN_H
#define SCHEDULER_PLACE_PLAIN_H

#include "scheduler/place.h"

/* Nothing of the group, and nothing that others have said, bears on where one of it goes, but load
 * and others of its template; and some machine takes newcomers. */
bool place_is_plain(const struct model *model, const struct group *group);
/* Of one that is: the same as place_find(). */
struct place place_find_plain(const struct model *model, const struct group *group);

#endif
