/* SPDX-License-Identifier: Apache-2.0 */
/* Directory trees. */
#ifndef CONTAINER_TREE_H
#define CONTAINER_TREE_H

#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

/* As rm -rf --one-file-system: follows no link, enters no mount; that nothing is there is
 * success. -EBUSY: something is mounted there or below. */
int tree_remove(const char *path, struct error *err);

/* As du: bytes that the tree takes on the disk. */
int tree_size(const char *path, int64_t *ret, struct error *err);
/* As chown -R -h, in one file system. */
int tree_give(const char *path, uid_t uid, gid_t gid, struct error *err);

#endif
