/* SPDX-License-Identifier: Apache-2.0 */
#include "container/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "container/store.h"
#include "container/tree.h"

/* The namespace that we were started in; what we have mounted since is not there. */
static int first_namespace = -1;

static int go_back(struct error *err)
{
    if (first_namespace < 0)
        first_namespace = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
    else if (setns(first_namespace, CLONE_NEWNS) < 0)
        return error_errno(err, -errno, "back to the first mount namespace");
    return first_namespace < 0 ? error_errno(err, -errno, "/proc/self/ns/mnt") : 0;
}

int rootfs_isolate(struct error *err)
{
    int r = go_back(err);
    if (r < 0)
        return r;
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
static int layer_prepare(const char *layer, const char *lower, struct error *err)
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
    return r < 0 ? r : copy_looks(lower, upper, err);
}

/* Directories of an overlay by numbers of descriptors: paths may hold what its options would have
 * to escape, and together be longer than the page that the options may take. */
struct descriptors {
    int *fds;
    size_t count;
};

static void descriptors_done(struct descriptors *descriptors)
{
    for (size_t i = 0; i < descriptors->count; i++)
        (void)close(descriptors->fds[i]);
    free(descriptors->fds);
}

static int descriptors_add(struct descriptors *descriptors, const char *path, struct error *err)
{
    int *grown = reallocarray(descriptors->fds, descriptors->count + 1, sizeof(*grown));
    if (!grown)
        return error_oom(err);
    descriptors->fds = grown;
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, -errno, "%s", path);
    descriptors->fds[descriptors->count++] = fd;
    return 0;
}

/* The layer is the last of the descriptors. */
static char *overlay_options(const struct descriptors *descriptors)
{
    autotext options = { 0 };
    int layer = descriptors->fds[descriptors->count - 1];
    text_add(&options, "lowerdir=");
    for (size_t i = 0; i + 1 < descriptors->count; i++)
        text_addf(&options, "%s%d", i ? ":" : "", descriptors->fds[i]);
    text_addf(&options, ",upperdir=%d/upper,workdir=%d/work", layer, layer);
    return text_take(&options);
}

int rootfs_overlay(const char *layer, const struct rootfs *rootfs, const char *target,
                   struct error *err)
{
    __attribute__((cleanup(descriptors_done))) struct descriptors descriptors = { 0 };
    int r = layer_prepare(layer, rootfs->lowers[0], err);
    for (char **lower = rootfs->lowers; r == 0 && *lower; lower++)
        r = descriptors_add(&descriptors, *lower, err);
    if (r == 0)
        r = descriptors_add(&descriptors, layer, err);
    if (r < 0)
        return r;
    autofree char *options = overlay_options(&descriptors);
    if (!options)
        return error_oom(err);
    if (chdir("/proc/self/fd") < 0)
        return error_errno(err, -errno, "/proc/self/fd");
    if (mount("overlay", target, "overlay", 0, options) < 0)
        r = error_errno(err, -errno, "overlay of %zu directories with %s", descriptors.count - 1,
                        layer);
    (void)!chdir("/");
    return r;
}

/* A mount of its own even so: the runtime makes it the root of all. */
static int direct_mount(const char *path, const char *target, struct error *err)
{
    return mount(path, target, NULL, MS_BIND | MS_REC, NULL) < 0
               ? error_errno(err, -errno, "binding %s to %s", path, target)
               : 0;
}

int rootfs_mount(const struct place *place, const struct rootfs *rootfs, struct error *err)
{
    int r = file_make_dirs(place->root, 0700, err);
    if (r < 0)
        return r;
    if (rootfs->direct)
        return direct_mount(rootfs->lowers[0], place->root, err);
    r = rootfs_overlay(place->layer, rootfs, place->root, err);
    /* Not every file system can be written to under an overlay: an overlay cannot, nor one without
     * extended attributes. */
    if (r == -EINVAL || r == -EOPNOTSUPP)
        r = rootfs_overlay(place->fallback_layer, rootfs, place->root, err);
    return r;
}

/* The image has the lowest first. */
int rootfs_of_image(const struct image *image, const char *store, struct rootfs *ret,
                    struct error *err)
{
    autostrv lowers = NULL;
    size_t count = strv_length(image->layers);
    int r = count ? 0 : error_set(err, -EPROTO, "image %s has no files", image->digest);
    while (r == 0 && count > 0) {
        autofree char *path = store_layer_path(store, image->layers[--count]);
        r = path ? strv_add(&lowers, path, err) : error_oom(err);
    }
    if (r == 0)
        *ret = (struct rootfs){ .lowers = take_ptr(lowers) };
    return r;
}

int rootfs_of_directory(const char *path, bool overlay, struct rootfs *ret, struct error *err)
{
    autostrv lowers = NULL;
    struct stat st;
    if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
        return error_set(err, -EINVAL, "Rootfs=%s: no such directory on this machine", path);
    int r = strv_add(&lowers, path, err);
    if (r == 0)
        *ret = (struct rootfs){ .lowers = take_ptr(lowers), .direct = !overlay };
    return r;
}

void rootfs_done(struct rootfs *rootfs)
{
    strv_free(rootfs->lowers);
}
