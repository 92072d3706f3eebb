/* SPDX-License-Identifier: Apache-2.0 */
#include "container/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

/* Another device is what fts sees by itself; a bind mount of the same one it would walk into, and
 * what is there is not ours. */
static bool is_mount(const FTSENT *entry)
{
    struct statx st;
    return statx(AT_FDCWD, entry->fts_accpath, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, 0, &st) ==
               0 &&
           (st.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

/* In one file system, along no link; the first failure ends it. */
typedef int (*visit_fn)(const FTSENT *entry, void *context, struct error *err);

static int walk(const char *path, visit_fn visit, void *context, struct error *err)
{
    char *const paths[] = { (char *)path, NULL };
    FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_XDEV, NULL);
    if (!tree)
        return error_errno(err, -errno, "%s", path);
    int r = 0;
    for (const FTSENT *entry = NULL; r == 0 && (entry = fts_read(tree));)
        r = visit(entry, context, err);
    (void)fts_close(tree);
    return r;
}

static int remove_entry(const FTSENT *entry, void *context, struct error *err)
{
    (void)context;
    switch (entry->fts_info) {
    case FTS_D: /* on the way down; its turn comes as FTS_DP */
        return is_mount(entry)
                   ? error_set(err, -EBUSY, "%s: something is mounted on it", entry->fts_path)
                   : 0;
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
    return walk(path, remove_entry, NULL, err);
}

static int measure_entry(const FTSENT *entry, void *context, struct error *err)
{
    enum { BLOCK_BYTES = 512 };
    int64_t *bytes = context;
    (void)err;
    if (entry->fts_info != FTS_DP && entry->fts_statp)
        *bytes += (int64_t)entry->fts_statp->st_blocks * BLOCK_BYTES;
    return 0;
}

int tree_size(const char *path, int64_t *ret, struct error *err)
{
    int64_t bytes = 0;
    int r = walk(path, measure_entry, &bytes, err);
    if (r == 0)
        *ret = bytes;
    return r;
}

struct owner {
    uid_t uid;
    gid_t gid;
};

static int give_entry(const FTSENT *entry, void *context, struct error *err)
{
    const struct owner *owner = context;
    if (entry->fts_info == FTS_DP || entry->fts_errno == ENOENT)
        return 0;
    if (entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR || entry->fts_info == FTS_NS)
        return error_errno(err, -entry->fts_errno, "%s", entry->fts_path);
    if (entry->fts_statp->st_uid == owner->uid && entry->fts_statp->st_gid == owner->gid)
        return 0;
    return lchown(entry->fts_accpath, owner->uid, owner->gid) < 0 && errno != ENOENT
               ? error_errno(err, -errno, "giving %s to user %u", entry->fts_path, owner->uid)
               : 0;
}

int tree_give(const char *path, uid_t uid, gid_t gid, struct error *err)
{
    struct owner owner = { uid, gid };
    return walk(path, give_entry, &owner, err);
}
