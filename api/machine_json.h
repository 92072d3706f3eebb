/* SPDX-License-Identifier: Apache-2.0 */
/* One machine, for those who name it and those who are told of it. Pure. */
#ifndef API_MACHINE_JSON_H
#define API_MACHINE_JSON_H

#include <jansson.h>

#include "api/view.h"

/* The member that is meant: by its id, the beginning of it (four digits or more) or its name.
 * Borrowed. -ENOENT: none; -EEXIST: several. */
int machine_find(const struct view *view, const char *word, const struct view_entry **ret,
                 struct error *err);

/* As /v1/machines lists it. model: of the same view. */
json_t *machine_json(const struct view *view, const struct model *model,
                     const struct view_entry *member);

/* Its metadata as scheduling sees it: an object. */
json_t *machine_metadata_json(const struct model *model, const struct view_entry *member);

#endif
