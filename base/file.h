/* SPDX-License-Identifier: Apache-2.0 */
/* Whole files: read with a bound, replaced so that a reader sees the old or the new, never a half.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"

/* The file's bytes and a NUL after them, owned by the caller. -EFBIG over max_bytes. ret_length may
 * be NULL. The error names the path. */
int file_read(const char *path, size_t max_bytes, char **ret, size_t *ret_length,
              struct error *err);

/* Writes beside the target and renames over it. A failure leaves the target as it was. */
int file_write(const char *path, const void *data, size_t length, mode_t mode, struct error *err);

/* Is this the name of what file_write() makes beside its target? It is left when that is killed. */
bool file_is_unfinished(const char *name);

/* In place, for files that somebody has bound; never shorter than they will be, for somebody may be
 * reading. path may not be a symbolic link. */
int file_rewrite(const char *path, const char *text, struct error *err);

/* As mkdir -p; directories made get this mode. */
int file_make_dirs(const char *path, mode_t mode, struct error *err);

/* Removes a file; that it is absent already is success. */
int file_remove(const char *path, struct error *err);

/* Does the symbolic link lead to this very target, word for word? */
bool file_links_to(const char *path, const char *target);
/* Removes the link if it does, and gives 1; 0: it is absent, or another's. */
int file_remove_link(const char *path, const char *target, struct error *err);

#endif
