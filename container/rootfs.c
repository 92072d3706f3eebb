/* SPDX-License-Identifier: Apache-2.0 */
#include "container/rootfs.h"

#include <errno.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "container/tree.h"

int rootfs_isolate(struct error *err)
{
    if (unshare(CLONE_NEWNS) < 0)
        return error_errno(err, -errno, "a mount namespace of our own");
    if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
        return error_errno(err, -errno, "making / a slave mount");
    return 0;
}

/* The overlay's root looks as its upper directory does, so that has to look like the image's. */
static int copy_looks(const char *from, const char *to, struct error *err)
{
    struct stat st;
    if (stat(from, &st) < 0)
        return error_errno(err, -errno, "%s", from);
    if (chown(to, st.st_uid, st.st_gid) < 0 || chmod(to, st.st_mode & 07777) < 0)
        return error_errno(err, -errno, "%s", to);
    return 0;
}

/* 0700 around it: what the container makes set-user-ID is not for the users of this machine. */
static int layer_prepare(const char *layer, const char *image, struct error *err)
{
    autofree char *upper = text_format("%s/upper", layer);
    autofree char *work = text_format("%s/work", layer);
    if (!upper || !work)
        return error_oom(err);
    int r = tree_remove(layer, err);
    if (r == 0)
        r = file_make_dirs(layer, 0700, err);
    if (r == 0)
        r = file_make_dirs(upper, 0755, err);
    if (r == 0)
        r = file_make_dirs(work, 0700, err);
    return r < 0 ? r : copy_looks(image, upper, err);
}

/* From within the layer, with relative paths: a unit's name may hold what the options of an overlay
 * would have to escape. */
static int overlay_mount(const char *layer, const char *image, const char *target,
                         struct error *err)
{
    autofree char *options = text_format("lowerdir=%s,upperdir=upper,workdir=work", image);
    int r = options ? layer_prepare(layer, image, err) : error_oom(err);
    if (r < 0)
        return r;
    if (chdir(layer) < 0)
        return error_errno(err, -errno, "%s", layer);
    if (mount("overlay", target, "overlay", 0, options) < 0)
        r = error_errno(err, -errno, "overlay of %s with %s", image, layer);
    (void)!chdir("/");
    return r;
}

int rootfs_mount(const struct place *place, const char *image, struct error *err)
{
    int r = file_make_dirs(place->root, 0700, err);
    if (r < 0)
        return r;
    r = overlay_mount(place->layer, image, place->root, err);
    /* Not every file system can be written to under an overlay: an overlay cannot, nor one without
     * extended attributes. */
    if (r == -EINVAL || r == -EOPNOTSUPP)
        r = overlay_mount(place->fallback_layer, image, place->root, err);
    return r;
}
