/* SPDX-License-Identifier: Apache-2.0 */
/* Directory trees. */
#ifndef CONTAINER_TREE_H
#define CONTAINER_TREE_H

#include "base/error.h"

/* As rm -rf --one-file-system: follows no link, enters no mount; that nothing is there is
 * success. */
int tree_remove(const char *path, struct error *err);

#endif
