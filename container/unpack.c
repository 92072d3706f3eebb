/* SPDX-License-Identifier: Apache-2.0 */
/* The unpacking half of image.h. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "container/image.h"
#include "container/process.h"
#include "container/tree.h"

/* Taken before anything is written, and inherited by umoci: if we are killed while it still runs,
 * nobody else starts over in its directory. The lock goes when the last holder ends. */
static int lock_take(const char *path, struct error *err)
{
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    if (fd < 0)
        return error_errno(err, -errno, "%s", path);
    while (flock(fd, LOCK_EX) < 0) {
        if (errno == EINTR)
            continue;
        int r = error_errno(err, -errno, "%s", path);
        (void)close(fd);
        return r;
    }
    return fd;
}

/* umoci knows images by tag only. A layout of our own that has the one manifest under a tag of our
 * own, and the blobs by a link, pins what was resolved (a tag may move meanwhile) and serves images
 * that have no tag. */
static int pin_layout(const struct image *image, const char *pin, struct error *err)
{
    static const char marker[] = "{\"imageLayoutVersion\":\"1.0.0\"}";
    autofree char *marker_path = text_format("%s/oci-layout", pin);
    autofree char *index_path = text_format("%s/index.json", pin);
    autofree char *link_path = text_format("%s/blobs", pin);
    autofree char *blobs = text_format("%s/blobs", image->layout);
    autojson descriptor = json_copy(image->manifest);
    if (!marker_path || !index_path || !link_path || !blobs || !descriptor)
        return error_oom(err);
    json_t *annotations = json_pack("{s:s}", "org.opencontainers.image.ref.name", "pinned");
    if (json_object_set_new(descriptor, "annotations", annotations) < 0)
        return error_oom(err);
    autojson index = json_pack("{s:i, s:[O]}", "schemaVersion", 2, "manifests", descriptor);
    autofree char *text = NULL;
    if (!index)
        return error_oom(err);
    int r = json_write(index, &text, err);
    if (r == 0)
        r = file_make_dirs(pin, 0700, err);
    if (r == 0)
        r = file_write(index_path, text, strlen(text), 0600, err);
    if (r == 0)
        r = file_write(marker_path, marker, strlen(marker), 0600, err);
    if (r == 0 && symlink(blobs, link_path) < 0)
        r = error_errno(err, -errno, "%s", link_path);
    return r;
}

/* The name must not reach the disk before the files do, or a power cut leaves half an image under
 * it. */
static int publish(const char *half, const char *target, struct error *err)
{
    autoclose int fd = open(half, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || syncfs(fd) < 0)
        return error_errno(err, -errno, "%s", half);
    return rename(half, target) < 0 ? error_errno(err, -errno, "%s", target) : 0;
}

/* half: a directory for what is not finished, ours while we hold the lock; what a killed
 * predecessor left in it goes first. */
static int unpack_anew(const struct image *image, const char *half, const char *target,
                       char *const *environment, struct error *err)
{
    autofree char *pin = text_format("%s/layout", half);
    autofree char *pinned = text_format("%s/layout:pinned", half);
    autofree char *root = text_format("%s/root", half);
    if (!pin || !pinned || !root)
        return error_oom(err);
    const char *const argv[] = { "umoci", "raw", "unpack", "--image", pinned, root, NULL };
    const struct process umoci = { .argv = argv, .environment = environment, .package = "umoci" };
    int r = tree_remove(half, err);
    if (r == 0)
        r = pin_layout(image, pin, err);
    if (r == 0)
        r = process_run(&umoci, err);
    if (r == 0)
        r = publish(root, target, err);
    if (r < 0) {
        (void)tree_remove(half, NULL);
        return error_prefix(err, r, "unpacking %s", image->layout);
    }
    return tree_remove(half, err);
}

int image_unpack(const struct image *image, const char *store, char *const *environment, char **ret,
                 struct error *err)
{
    const char *hex = strchr(image->digest, ':') + 1;
    autofree char *target = text_format("%s/sha256-%s", store, hex);
    autofree char *half = text_format("%s/half-%s", store, hex);
    autofree char *lock_path = text_format("%s/lock-%s", store, hex);
    if (!target || !half || !lock_path)
        return error_oom(err);
    /* 0700: what is set-user-ID in an image is not for the users of this machine. */
    int r = file_make_dirs(store, 0755, err);
    if (r == 0 && chmod(store, 0700) < 0)
        r = error_errno(err, -errno, "%s", store);
    if (r < 0)
        return r;
    if (access(target, F_OK) < 0) {
        autoclose int lock = lock_take(lock_path, err);
        if (lock < 0)
            return lock;
        if (access(target, F_OK) < 0)
            r = unpack_anew(image, half, target, environment, err);
        if (r < 0)
            return r;
    }
    *ret = take_ptr(target);
    return 0;
}
