/* SPDX-License-Identifier: Apache-2.0 */
#include "container/volumes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/shape.h"
#include "base/text.h"
#include "container/process.h"
#include "container/rootfs.h"

struct work {
    const struct place *place;
    struct container *container;
    const struct images_request *images;
};

/* Replaces an owned string. */
static int set_source(struct container_mount *mount, char *source, struct error *err)
{
    if (!source)
        return error_oom(err);
    free(mount->source);
    mount->source = source;
    mount->type = CONTAINER_MOUNT_BIND;
    return 0;
}

/* --- named and anonymous volumes --- */

static bool is_empty(const char *path)
{
    DIR *directory = opendir(path);
    const struct dirent *entry = NULL;
    bool empty = directory;
    while (empty && (entry = readdir(directory)))
        empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    if (directory)
        (void)closedir(directory);
    return empty;
}

/* The directory as the container would see it: no link of the image leads out of it. -ENOENT where
 * there is none. */
static int open_inside(const char *root, const char *path)
{
    const struct open_how how = { .flags = O_RDONLY | O_DIRECTORY, .resolve = RESOLVE_IN_ROOT };
    autoclose int top = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (top < 0)
        return -errno;
    int fd = (int)syscall(SYS_openat2, top, path, &how, sizeof(how));
    return fd < 0 ? -errno : fd;
}

/* With owners, modes and attributes. The descriptor is not closed on exec: cp reads through it. */
static int copy_tree(int from, const char *to, char *const *environment, struct error *err)
{
    autofree char *source = text_format("/proc/self/fd/%d/.", from);
    autofree char *self = text_format("/proc/self/fd/%d", from);
    struct stat st;
    if (!source || !self)
        return error_oom(err);
    const char *const argv[] = { "cp", "--archive", "--one-file-system", "--", source, to, NULL };
    const struct process cp = { .argv = argv, .environment = environment, .package = "coreutils" };
    int r = process_run(&cp, err);
    if (r == 0 && fstat(from, &st) == 0 &&
        (chown(to, st.st_uid, st.st_gid) < 0 || chmod(to, st.st_mode & 07777) < 0))
        r = error_errno(err, -errno, "%s", to);
    return r;
}

/* Once, while nothing is in it: what the image has there is where a volume begins. */
static int fill(const struct work *work, const struct container_mount *mount, const char *path,
                struct error *err)
{
    if (mount->no_copy || !is_empty(path))
        return 0;
    autoclose int from = open_inside(work->place->root, mount->destination);
    if (from == -ENOENT || from == -ENOTDIR)
        return 0;
    if (from < 0)
        return error_errno(err, from, "%s of the image", mount->destination);
    return copy_tree(from, path, work->images->environment, err);
}

static int prepare_volume(const struct work *work, struct container_mount *mount, size_t number,
                          struct error *err)
{
    autofree char *path = mount->source
                              ? text_format(PLACE_VOLUMES "/%s", mount->source)
                              : text_format("%s/volumes/%zu", work->place->fallback, number);
    if (!path)
        return error_oom(err);
    /* 0711: a container may go through, the machine's users may not look. */
    int r = file_make_dirs(mount->source ? PLACE_VOLUMES : work->place->fallback, 0711, err);
    if (r == 0)
        r = file_make_dirs(path, 0755, err);
    if (r == 0)
        r = fill(work, mount, path, err);
    if (r == 0 && mount->subpath) {
        char *below = text_format("%s/%s", path, mount->subpath);
        free(path);
        path = below;
    }
    return r < 0 ? r : set_source(mount, take_ptr(path), err);
}

/* --- images --- */

static int prepare_image(const struct work *work, struct container_mount *mount, size_t number,
                         struct error *err)
{
    autoptr(image) image = NULL;
    struct rootfs rootfs = { 0 };
    struct images_request request = *work->images;
    request.said = mount->source;
    autofree char *target = text_format("%s/image-%zu", work->place->stage, number);
    autofree char *layer = text_format("%s/overlays/%zu", work->place->fallback, number);
    if (!target || !layer)
        return error_oom(err);
    int r = images_get(&request, &image, NULL, err);
    if (r == 0)
        r = rootfs_of_image(image, request.store, &rootfs, err);
    if (r == 0)
        r = file_make_dirs(target, 0700, err);
    if (r == 0)
        r = rootfs_overlay(layer, &rootfs, target, err);
    rootfs_done(&rootfs);
    if (r < 0)
        return r;
    char *source = mount->subpath ? text_format("%s/%s", target, mount->subpath) : take_ptr(target);
    return set_source(mount, source, err);
}

/* --- overlays --- */

/* What is written goes to a layer of the container's own, and with it. */
static int prepare_overlay(const struct work *work, struct container_mount *mount, size_t number,
                           struct error *err)
{
    struct rootfs rootfs = { 0 };
    autofree char *target = text_format("%s/overlay-%zu", work->place->stage, number);
    autofree char *layer = text_format("%s/overlays/%zu", work->place->fallback, number);
    if (!target || !layer)
        return error_oom(err);
    int r = strv_add(&rootfs.lowers, mount->source, err);
    if (r == 0)
        r = file_make_dirs(target, 0700, err);
    if (r == 0)
        r = rootfs_overlay(layer, &rootfs, target, err);
    rootfs_done(&rootfs);
    return r < 0 ? r : set_source(mount, take_ptr(target), err);
}

/* --- globs --- */

static int add_match(struct container *container, size_t number, const char *path,
                     struct error *err)
{
    struct container_mount *mount =
        shape_list_add(&container->mounts, &container->mount_count, sizeof(*mount));
    if (!mount)
        return error_oom(err);
    const struct container_mount *of = &container->mounts[number];
    bool at_own_path = strcmp(of->destination, of->source) == 0;
    mount->type = CONTAINER_MOUNT_BIND;
    mount->read_only = of->read_only;
    mount->source = strdup(path);
    mount->destination =
        at_own_path ? strdup(path) : text_format("%s%s", of->destination, strrchr(path, '/'));
    int r = mount->source && mount->destination ? 0 : error_oom(err);
    for (char **word = of->options; r == 0 && word && *word; word++)
        r = strv_add(&mount->options, *word, err);
    return r;
}

/* Each file that the pattern finds is a mount of its own at the end of the list. */
static int expand_glob(struct container *container, size_t number, struct error *err)
{
    glob_t found = { 0 };
    int r = glob(container->mounts[number].source, 0, NULL, &found);
    if (r == GLOB_NOSPACE) {
        r = error_oom(err);
    } else if (r != 0) {
        r = error_set(err, -ENOENT, "nothing on this machine is called %s",
                      container->mounts[number].source);
    }
    for (size_t i = 0; r == 0 && i < found.gl_pathc; i++)
        r = add_match(container, number, found.gl_pathv[i], err);
    globfree(&found);
    return r;
}

static void drop_globs(struct container *container)
{
    size_t kept = 0;
    for (size_t i = 0; i < container->mount_count; i++) {
        struct container_mount *mount = &container->mounts[i];
        if (mount->type != CONTAINER_MOUNT_GLOB) {
            container->mounts[kept++] = *mount;
            continue;
        }
        free(mount->source);
        free(mount->destination);
        free(mount->subpath);
        strv_free(mount->options);
    }
    container->mount_count = kept;
}

/* --- all --- */

static int prepare(const struct work *work, size_t number, struct error *err)
{
    struct container_mount *mount = &work->container->mounts[number];
    struct stat st;
    int r = 0;
    if (mount->type == CONTAINER_MOUNT_VOLUME)
        r = prepare_volume(work, mount, number, err);
    else if (mount->type == CONTAINER_MOUNT_IMAGE)
        r = prepare_image(work, mount, number, err);
    /* Not access(2), which asks the device rules of the service about a device. */
    if (r == 0 && mount->type == CONTAINER_MOUNT_BIND && stat(mount->source, &st) < 0)
        r = error_set(err, -ENOENT, "there is no %s on this machine", mount->source);
    if (r == 0 && mount->overlay)
        r = prepare_overlay(work, mount, number, err);
    return r;
}

int volumes_prepare(const struct place *place, struct container *container,
                    const struct images_request *images, struct error *err)
{
    const struct work work = { place, container, images };
    size_t said = container->mount_count;
    for (size_t i = 0; i < said; i++) {
        int r = container->mounts[i].type == CONTAINER_MOUNT_GLOB ? expand_glob(container, i, err)
                                                                  : prepare(&work, i, err);
        if (r < 0)
            return error_prefix(err, r, "mount on %s", container->mounts[i].destination);
    }
    drop_globs(container);
    return 0;
}

void volumes_done(struct volumes *volumes)
{
    for (size_t i = 0; i < volumes->count; i++)
        strv_free((char **)volumes->list[i].options);
    free(volumes->list);
}

int volumes_list(const struct container *container, struct volumes *ret, struct error *err)
{
    struct volumes volumes = { 0 };
    int r = 0;
    for (size_t i = 0; r == 0 && i < container->mount_count; i++) {
        const struct container_mount *mount = &container->mounts[i];
        char **options = NULL;
        r = oci_mount_options(mount, &options, err);
        struct oci_mount *item =
            r < 0 ? NULL : shape_list_add(&volumes.list, &volumes.count, sizeof(*item));
        if (!item) {
            strv_free(options);
            r = r < 0 ? r : error_oom(err);
            break;
        }
        *item = (struct oci_mount){ .type = oci_mount_type(mount->type),
                                    .source = mount->source,
                                    .destination = mount->destination,
                                    .options = options };
    }
    if (r < 0) {
        volumes_done(&volumes);
        return r;
    }
    *ret = volumes;
    return 0;
}
