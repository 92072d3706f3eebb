/* SPDX-License-Identifier: Apache-2.0 */
#include "container/tree.h"

#include <errno.h>
#include <fts.h>
#include <stddef.h>
#include <unistd.h>

static int remove_entry(const FTSENT *entry, struct error *err)
{
    switch (entry->fts_info) {
    case FTS_D: /* on the way down; its turn comes as FTS_DP */
        return 0;
    case FTS_DNR:
    case FTS_ERR:
    case FTS_NS:
        return entry->fts_errno == ENOENT
                   ? 0
                   : error_errno(err, -entry->fts_errno, "%s", entry->fts_path);
    case FTS_DP:
        if (rmdir(entry->fts_accpath) < 0 && errno != ENOENT)
            return error_errno(err, -errno, "%s", entry->fts_path);
        return 0;
    default:
        if (unlink(entry->fts_accpath) < 0 && errno != ENOENT)
            return error_errno(err, -errno, "%s", entry->fts_path);
        return 0;
    }
}

int tree_remove(const char *path, struct error *err)
{
    char *const paths[] = { (char *)path, NULL };
    FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_XDEV, NULL);
    if (!tree)
        return error_errno(err, -errno, "%s", path);
    int r = 0;
    for (const FTSENT *entry = NULL; r == 0 && (entry = fts_read(tree));)
        r = remove_entry(entry, err);
    (void)fts_close(tree);
    return r;
}
