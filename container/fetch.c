/* SPDX-License-Identifier: Apache-2.0 */
#include "container/fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "container/layers.h"
#include "container/lock.h"
#include "container/skopeo.h"
#include "container/store.h"
#include "container/tree.h"

/* The tag in a layout of ours, which holds one image. */
static const char layout_tag[] = "image";

/* A layout on its way, and the lock on it. */
struct half {
    char *layout;
    char *lock_path;
    int lock;
};

void fetch_remote_free(struct fetch_remote *remote)
{
    if (!remote)
        return;
    free(remote->digest);
    json_decref(remote->manifest);
    free(remote);
}

static struct skopeo skopeo_for(const struct fetch *fetch)
{
    return (struct skopeo){
        .environment = fetch->environment,
        .what = fetch->what,
        .answer_ms = fetch->answer_ms,
    };
}

/* --- asking --- */

/* The manifest under the name; wanted (or NULL) is the digest that it must have. */
static int manifest_get(const struct fetch *fetch, const struct reference *reference,
                        const char *wanted, struct fetch_remote *remote, struct error *err)
{
    autofree char *name = reference_for_skopeo(reference, wanted);
    autofree char *text = NULL;
    size_t length = 0;
    char hex[DIGEST_HEX_SIZE];
    const struct skopeo skopeo = skopeo_for(fetch);
    int r = name ? skopeo_manifest(&skopeo, name, &text, &length, err) : error_oom(err);
    if (r < 0)
        return r;
    digest_sha256_hex(text, length, hex);
    if (wanted && strcmp(hex, reference_digest_hex(wanted)) != 0)
        return error_set(err, -EPROTO, "its registry gives something else, sha256:%s", hex);
    autojson manifest = NULL;
    r = json_read(text, length, &manifest, err);
    if (r < 0)
        return error_prefix(err, r, "its manifest");
    autofree char *digest = text_format("sha256:%s", hex);
    if (!digest)
        return error_oom(err);
    free(remote->digest);
    json_decref(remote->manifest);
    remote->digest = take_ptr(digest);
    remote->manifest = take_ptr(manifest);
    return 0;
}

/* Schema 1 has neither; nothing has written it since 2017. */
static int manifest_check(const json_t *manifest, struct error *err)
{
    return json_is_object(json_object_get(manifest, "config")) &&
                   json_is_array(json_object_get(manifest, "layers"))
               ? 0
               : error_set(err, -EPROTO,
                           "its manifest is of a form that is not known (Docker's schema 1?); push "
                           "it anew with a present tool");
}

int fetch_ask(const struct fetch *fetch, const struct reference *reference,
              struct fetch_remote **ret, struct error *err)
{
    autoptr(fetch_remote) remote = calloc(1, sizeof(*remote));
    if (!remote)
        return error_oom(err);
    int r = manifest_get(fetch, reference, reference->digest, remote, err);
    if (r == 0 && image_is_index(remote->manifest)) {
        json_t *descriptor = NULL;
        const char *digest = NULL;
        autojson index = json_incref(remote->manifest);
        r = image_choose_platform(index, fetch->architecture, &descriptor, err);
        if (r == 0)
            r = image_descriptor_digest(descriptor, &digest, err);
        if (r == 0)
            r = manifest_get(fetch, reference, digest, remote, err);
    }
    if (r == 0)
        r = manifest_check(remote->manifest, err);
    if (r == 0)
        *ret = take_ptr(remote);
    return r;
}

static int add_digest(char ***digests, const json_t *descriptor, struct error *err)
{
    const char *digest = NULL;
    int r = image_descriptor_digest(descriptor, &digest, err);
    return r < 0 ? error_prefix(err, r, "its index") : strv_add(digests, digest, err);
}

int fetch_digests(const struct fetch *fetch, const struct reference *reference, char ***ret,
                  struct error *err)
{
    autoptr(fetch_remote) remote = calloc(1, sizeof(*remote));
    autostrv digests = NULL;
    size_t i = 0;
    const json_t *descriptor = NULL;
    if (!remote)
        return error_oom(err);
    int r = manifest_get(fetch, reference, NULL, remote, err);
    if (r == 0)
        r = strv_add(&digests, remote->digest, err);
    if (r == 0 && image_is_index(remote->manifest))
        json_array_foreach(json_object_get(remote->manifest, "manifests"), i, descriptor)
            r = r < 0 ? r : add_digest(&digests, descriptor, err);
    if (r == 0)
        *ret = take_ptr(digests);
    return r;
}

/* --- the store --- */

int fetch_from_layout(const struct fetch *fetch, const struct image *image, struct error *err)
{
    const struct layers_from from = {
        .store = fetch->store,
        .image = image,
        .what = fetch->what,
        .environment = fetch->environment,
    };
    int r = store_pin(fetch->store, fetch->pins, image, err);
    if (r == 0)
        r = layers_unpack(&from, err);
    return r < 0 ? r : store_write_image(fetch->store, image, err);
}

/* --- a layout of our own, on its way --- */

static void half_done(struct half *half)
{
    if (half->lock >= 0)
        (void)close(half->lock);
    free(half->layout);
    free(half->lock_path);
}

static int64_t bytes_fetched(const void *of)
{
    const struct half *half = of;
    int64_t bytes = 0;
    (void)tree_size(half->layout, &bytes, NULL);
    return bytes;
}

/* name: what others that want the same call it. */
static int half_take(const struct fetch *fetch, const char *name, struct progress *progress,
                     struct half *half, struct error *err)
{
    half->layout = text_format("%s/half/image-%s", fetch->store, name);
    half->lock_path = text_format("%s/half/image-%s.lock", fetch->store, name);
    if (!half->layout || !half->lock_path)
        return error_oom(err);
    /* While another fetches it, the bytes that come to him are news for us too. */
    progress_start(progress);
    half->lock = lock_take(half->lock_path, progress, err);
    progress_stop(progress);
    return half->lock < 0 ? half->lock : 0;
}

/* Nothing of it is of use any more. */
static void half_drop(const struct half *half)
{
    (void)tree_remove(half->layout, NULL);
    lock_drop(half->lock_path);
}

/* A full disk is not left full, and damaged bytes are not tried again. */
static void half_fail(const struct half *half, int r)
{
    if (r == -ENOSPC || r == -EPROTO)
        half_drop(half);
}

/* --- what need not be fetched --- */

/* skopeo leaves out blobs that are in the layout. For those whose layers are unpacked already a
 * file that takes no space, but has the size, stands in; nobody reads it, or its bytes turn out to
 * be wrong. */
static int stand_in(const char *path, int64_t size, struct error *err)
{
    autoclose int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno == EEXIST ? 0 : error_errno(err, -errno, "%s", path);
    return ftruncate(fd, size) < 0 ? error_errno(err, -errno, "%s", path) : 0;
}

/* One that was made for a layer which has gone since. */
static void stand_in_remove(const char *path)
{
    autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && layers_is_stand_in(fd))
        (void)unlink(path);
}

/* Gives the bytes that are yet to come. */
static int blob_prepare(const struct fetch *fetch, const char *layout, const json_t *descriptor,
                        int64_t *ret_missing, struct error *err)
{
    const char *digest = NULL;
    int64_t size = 0;
    int r = image_descriptor_digest(descriptor, &digest, err);
    if (r == 0)
        r = json_field_int_or(descriptor, "size", 0, &size, err);
    if (r < 0)
        return r;
    autofree char *path = text_format("%s/blobs/sha256/%s", layout, reference_digest_hex(digest));
    if (!path)
        return error_oom(err);
    stand_in_remove(path);
    if (size > 0 && store_has_blob(fetch->store, digest)) {
        *ret_missing = 0;
        return stand_in(path, size, err);
    }
    *ret_missing = size;
    return 0;
}

static int layout_prepare(const struct fetch *fetch, const char *layout, const json_t *manifest,
                          int64_t *ret_bytes, struct error *err)
{
    const json_t *layers = json_object_get(manifest, "layers");
    autofree char *blobs = text_format("%s/blobs/sha256", layout);
    size_t absent = 0;
    size_t i = 0;
    json_t *descriptor = NULL;
    int r = blobs ? file_make_dirs(blobs, 0700, err) : error_oom(err);
    *ret_bytes = 0;
    json_array_foreach(layers, i, descriptor) {
        int64_t missing = 0;
        if (r == 0)
            r = blob_prepare(fetch, layout, descriptor, &missing, err);
        *ret_bytes += missing;
        absent += missing > 0;
    }
    if (r == 0)
        log_info("%s: pulling %zu of its %zu layers, %.1f MB", fetch->what, absent,
                 json_array_size(layers), (double)*ret_bytes / 1e6);
    return r;
}

/* --- fetching --- */

/* Of an image in Docker's form skopeo makes one in OCI's, with a configuration that is written
 * anew, and has no health check. The image's own is what its manifest vouches for, and that names
 * the layers. */
static int config_check(const struct fetch *fetch, const char *name, const json_t *manifest,
                        struct image *image, struct error *err)
{
    const char *digest = NULL;
    autofree char *text = NULL;
    size_t length = 0;
    int r = image_descriptor_digest(json_object_get(manifest, "config"), &digest, err);
    if (r < 0)
        return error_prefix(err, r, "its manifest");
    if (strcmp(digest, image->config_digest) == 0)
        return 0;
    const struct skopeo skopeo = skopeo_for(fetch);
    r = skopeo_config(&skopeo, name, &text, &length, err);
    return r < 0 ? r : image_replace_config(image, digest, text, length, err);
}

static int layout_fill(const struct fetch *fetch, const char *name, const struct half *half,
                       struct progress *progress, struct error *err)
{
    const struct skopeo skopeo = skopeo_for(fetch);
    progress_start(progress);
    int r = skopeo_copy(&skopeo, name, half->layout, layout_tag, progress, err);
    progress_stop(progress);
    return r;
}

static int unpack_pulled(const struct fetch *fetch, const char *name,
                         const struct fetch_remote *remote, const struct half *half,
                         struct image **ret, struct error *err)
{
    autoptr(image) image = NULL;
    autofree char *digest = strdup(remote->digest);
    int r = digest ? image_resolve(half->layout, layout_tag, fetch->architecture, &image, err)
                   : error_oom(err);
    if (r == 0)
        r = config_check(fetch, name, remote->manifest, image, err);
    if (r < 0)
        return r;
    free(image->digest);
    image->digest = take_ptr(digest);
    r = fetch_from_layout(fetch, image, err);
    if (r == 0)
        *ret = take_ptr(image);
    return r;
}

/* By its digest, in case its tag has moved on since the registry was asked. */
static int pull(const struct fetch *fetch, const struct reference *reference,
                const struct fetch_remote *remote, const struct half *half,
                struct progress *progress, struct image **ret, struct error *err)
{
    int64_t started_ms = clock_mono_ms();
    autofree char *name = reference_for_skopeo(reference, remote->digest);
    int r = name
                ? layout_prepare(fetch, half->layout, remote->manifest, &progress->total_bytes, err)
                : error_oom(err);
    if (r == 0)
        r = layout_fill(fetch, name, half, progress, err);
    if (r == 0)
        r = unpack_pulled(fetch, name, remote, half, ret, err);
    if (r == 0)
        log_info("%s: pulled and unpacked in %.1f s", fetch->what,
                 (double)(clock_mono_ms() - started_ms) / 1000);
    return r;
}

static int find(const struct fetch *fetch, const char *digest, struct image **ret)
{
    return store_find_image(fetch->store, fetch->pins, digest, ret, NULL);
}

/* A layer that was left out because it was there may have been collected meanwhile. */
static int pull_again(const struct fetch *fetch, const struct reference *reference,
                      const struct fetch_remote *remote, const struct half *half,
                      struct progress *progress, struct image **ret, struct error *err)
{
    int r = pull(fetch, reference, remote, half, progress, ret, err);
    return r == -ESTALE ? pull(fetch, reference, remote, half, progress, ret, err) : r;
}

int fetch_from_registry(const struct fetch *fetch, const struct reference *reference,
                        const struct fetch_remote *remote, struct image **ret, struct error *err)
{
    autofree char *what = text_format("%s: pulling", fetch->what);
    __attribute__((cleanup(half_done))) struct half half = { .lock = -1 };
    struct progress progress = { .what = what, .measure = bytes_fetched, .of = &half };
    if (!what)
        return error_oom(err);
    if (find(fetch, remote->digest, ret) == 0)
        return 0;
    int r = half_take(fetch, reference_digest_hex(remote->digest), &progress, &half, err);
    if (r < 0)
        return r;
    /* Somebody may have brought it while we waited for the lock. */
    if (find(fetch, remote->digest, ret) < 0)
        r = pull_again(fetch, reference, remote, &half, &progress, ret, err);
    if (r < 0)
        half_fail(&half, r);
    else
        half_drop(&half);
    return r;
}

/* An index of several platforms is OCI's form, which nothing is made of. */
static int own_config(const struct fetch *fetch, const struct reference *reference,
                      const char *name, struct image *image, struct error *err)
{
    autoptr(fetch_remote) files = calloc(1, sizeof(*files));
    if (!files)
        return error_oom(err);
    int r = manifest_get(fetch, reference, NULL, files, err);
    if (r < 0 || image_is_index(files->manifest))
        return r;
    return config_check(fetch, name, files->manifest, image, err);
}

int fetch_from_files(const struct fetch *fetch, const struct reference *reference,
                     struct image **ret, struct error *err)
{
    autofree char *what = text_format("%s: copying", fetch->what);
    autofree char *name = reference_for_skopeo(reference, NULL);
    __attribute__((cleanup(half_done))) struct half half = { .lock = -1 };
    struct progress progress = { .what = what, .measure = bytes_fetched, .of = &half };
    char hex[DIGEST_HEX_SIZE];
    if (!what || !name)
        return error_oom(err);
    digest_sha256_hex(name, strlen(name), hex);
    int r = half_take(fetch, hex, &progress, &half, err);
    if (r < 0)
        return r;
    r = tree_remove(half.layout, err);
    if (r == 0)
        r = file_make_dirs(half.layout, 0700, err);
    if (r == 0)
        r = layout_fill(fetch, name, &half, &progress, err);
    autoptr(image) image = NULL;
    if (r == 0)
        r = image_resolve(half.layout, layout_tag, fetch->architecture, &image, err);
    if (r == 0)
        r = own_config(fetch, reference, name, image, err);
    if (r == 0)
        r = fetch_from_layout(fetch, image, err);
    half_drop(&half);
    if (r == 0)
        *ret = take_ptr(image);
    return r;
}
