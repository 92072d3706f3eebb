/* SPDX-License-Identifier: Apache-2.0 */
#include "container/layers.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "container/lock.h"
#include "container/process.h"
#include "container/progress.h"
#include "container/store.h"
#include "container/tree.h"
#include "units/reference.h"

/* One layer on its way. */
struct layer {
    const struct layers_from *from;
    const char *digest; /* of its unpacked bytes */
    const char *blob;   /* of its packed ones */
    char *half;         /* ours while we hold the lock */
    char *files;
    char *target;
    int fd; /* the packed layer */
};

static void layer_done(struct layer *layer)
{
    free(layer->half);
    free(layer->files);
    free(layer->target);
    if (layer->fd >= 0)
        (void)close(layer->fd);
}

bool layers_is_stand_in(int fd)
{
    return lseek(fd, 0, SEEK_DATA) < 0 && errno == ENXIO && lseek(fd, 0, SEEK_END) > 0;
}

static int layer_init(struct layer *layer, struct error *err)
{
    const char *hex = reference_digest_hex(layer->digest);
    layer->half = text_format("%s/half/layer-%s", layer->from->store, hex);
    layer->files = text_format("%s/half/layer-%s/files", layer->from->store, hex);
    layer->target = text_format("%s/layers/%s", layer->from->store, hex);
    autofree char *blob = text_format("%s/blobs/sha256/%s", layer->from->image->layout,
                                      reference_digest_hex(layer->blob));
    if (!layer->half || !layer->files || !layer->target || !blob)
        return error_oom(err);
    layer->fd = open(blob, O_RDONLY | O_CLOEXEC);
    if (layer->fd < 0 && errno == ENOENT)
        return error_set(err, -EPROTO, "blob %s is missing", layer->blob);
    if (layer->fd < 0)
        return error_errno(err, -errno, "%s", blob);
    return layers_is_stand_in(layer->fd)
               ? error_set(err, -ESTALE, "it was here when it was looked for, and no longer is")
               : 0;
}

/* Whoever writes it, we or the one whom we wait for. */
static int64_t bytes_written(const void *of)
{
    const struct layer *layer = of;
    int64_t bytes = 0;
    (void)tree_size(layer->half, &bytes, NULL);
    return bytes;
}

/* muster-unpack of the same build as this. */
static char *unpack_program(void)
{
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (length < 0)
        return NULL;
    self[length] = '\0';
    char *slash = strrchr(self, '/');
    return text_format("%.*s/muster-unpack", (int)(slash - self), self);
}

/* Its words are for us, and it says when the disk is full. */
static int explain(const char *complaint, struct error *err)
{
    int length = (int)strcspn(complaint, "\n");
    if (strstr(complaint, strerror(ENOSPC)))
        return error_set(err, -ENOSPC, "the disk is full (%.*s)", length, complaint);
    return error_set(err, -EPROTO, "%.*s", length, complaint);
}

static int run_unpack(const struct layer *layer, struct progress *progress, struct error *err)
{
    autofree char *program = unpack_program();
    if (!program)
        return error_oom(err);
    const char *const argv[] = { program, layer->files, reference_digest_hex(layer->digest), NULL };
    const struct process unpack = {
        .argv = argv,
        .environment = layer->from->environment,
        .package = "muster",
        .input = &layer->fd,
        .progress = progress,
        .explain = explain,
    };
    return process_run(&unpack, err);
}

/* So that the bound of the store can be kept without looking at every file. */
static int size_write(const struct layer *layer, struct error *err)
{
    autofree char *path = text_format("%s/size", layer->half);
    int64_t bytes = 0;
    int r = path ? tree_size(layer->files, &bytes, err) : error_oom(err);
    if (r < 0)
        return r;
    autofree char *text = text_format("%lld\n", (long long)bytes);
    return text ? file_write(path, text, strlen(text), 0600, err) : error_oom(err);
}

/* The name must not reach the disk before the files do, or a power cut leaves half a layer under
 * it. */
static int publish(const struct layer *layer, struct error *err)
{
    autoclose int fd = open(layer->half, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || syncfs(fd) < 0)
        return error_errno(err, -errno, "%s", layer->half);
    return rename(layer->half, layer->target) < 0 ? error_errno(err, -errno, "%s", layer->target)
                                                  : 0;
}

/* What a killed predecessor left goes first. */
static int layer_write(const struct layer *layer, struct progress *progress, struct error *err)
{
    int r = tree_remove(layer->half, err);
    if (r == 0)
        r = file_make_dirs(layer->half, 0700, err);
    if (r == 0)
        r = file_make_dirs(layer->files, 0755, err);
    if (r == 0)
        r = run_unpack(layer, progress, err);
    if (r == 0)
        r = size_write(layer, err);
    if (r == 0)
        r = publish(layer, err);
    /* Only what was seen to unpack to this layer. */
    if (r == 0)
        r = store_write_blob(layer->from->store, layer->blob, layer->digest, err);
    if (r < 0)
        (void)tree_remove(layer->half, NULL);
    return r;
}

static int locked_write(const struct layer *layer, struct progress *progress, struct error *err)
{
    autofree char *path = text_format("%s.lock", layer->half);
    if (!path)
        return error_oom(err);
    autoclose int lock = lock_take(path, progress, err);
    if (lock < 0)
        return lock;
    int r = 0;
    if (!store_has_layer(layer->from->store, layer->digest))
        r = layer_write(layer, progress, err);
    lock_drop(path);
    return r;
}

static int layer_unpack(struct layer *layer, struct error *err)
{
    autofree char *what = text_format("%s: unpacking", layer->from->what);
    struct progress progress = { .what = what, .measure = bytes_written, .of = layer };
    int r = what ? layer_init(layer, err) : error_oom(err);
    if (r < 0)
        return r;
    progress_start(&progress);
    r = locked_write(layer, &progress, err);
    progress_stop(&progress);
    return r;
}

int layers_unpack(const struct layers_from *from, struct error *err)
{
    for (size_t i = 0; from->image->layers && from->image->layers[i]; i++) {
        __attribute__((cleanup(layer_done))) struct layer layer = {
            .from = from,
            .digest = from->image->layers[i],
            .fd = -1,
        };
        int r = image_descriptor_digest(json_array_get(from->image->blobs, i), &layer.blob, err);
        if (r == 0 && !store_has_layer(from->store, layer.digest))
            r = layer_unpack(&layer, err);
        if (r < 0)
            return error_prefix(err, r, "layer %.19s", layer.digest);
    }
    return 0;
}
