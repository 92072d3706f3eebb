/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Locks between processes: a file that is locked as long as its descriptor is open anywhere. A
 * child inherits it, so what a killed parent left running still holds it.
 *
 * The file of a lock may be removed by whoever holds it (lock_drop()), so none are left lying
 * about; those who waited for it notice and take the one that is there now.
 */
#ifndef CONTAINER_LOCK_H
#define CONTAINER_LOCK_H

#include "base/error.h"
#include "container/progress.h"

/* Waits, and gives the descriptor, which a child inherits. progress (or NULL) is ticked while it
 * waits. */
int lock_take(const char *path, struct progress *progress, struct error *err);

/* -EAGAIN at once where somebody has it. */
int lock_try(const char *path, struct error *err);

/* Shared with others of the same kind, against those who take it alone; for a file that is never
 * dropped. The descriptor is not inherited. */
int lock_share(const char *path, struct error *err);

/* Removes the file of a lock that we hold. The descriptor stays open, and holds nothing. */
void lock_drop(const char *path);

#endif
