/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The short way to a place, for units that ask nothing of machines, of their resources or of who is
 * on them: most units of most clusters. It is what place_find() does for all, without the sets that
 * such a unit does not need.
 */
#ifndef SCHEDULER_PLACE_PLAIN_H
#define SCHEDULER_PLACE_PLAIN_H

#include "scheduler/model_data.h"
#include "scheduler/place.h"

/* Nothing of the group, and nothing that others have said, bears on where one of it goes, but load
 * and others of its template; and some machine takes newcomers. */
static inline bool place_is_plain(const struct model *model, const struct group *group)
{
    const struct index *index = &model->index;
    return group->is_plain && group->family->pattern_count == 0 && !index_goes_by_units(index) &&
           model->cleared_count == 0 && index->open_count > 0 && !index->stale;
}

/* Of one that is: the same as place_find(). */
struct place place_find_plain(const struct model *model, const struct group *group);

#endif
