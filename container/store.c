/* SPDX-License-Identifier: Apache-2.0 */
#include "container/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "container/lock.h"
#include "container/tree.h"
#include "units/reference.h"

enum { RECORD_MAX_BYTES = 4 * 1024 * 1024 };

int store_prepare(const char *store, struct error *err)
{
    static const char *const directories[] = { "layers", "blobs", "images", "names", "half" };
    int r = file_make_dirs(store, 0755, err);
    if (r == 0 && chmod(store, 0700) < 0)
        r = error_errno(err, -errno, "%s", store);
    for (size_t i = 0; r == 0 && i < sizeof(directories) / sizeof(directories[0]); i++) {
        autofree char *path = text_format("%s/%s", store, directories[i]);
        r = path ? file_make_dirs(path, 0755, err) : error_oom(err);
    }
    return r;
}

static int record_read(const char *path, json_t **ret, struct error *err)
{
    autofree char *text = NULL;
    size_t length = 0;
    int r = file_read(path, RECORD_MAX_BYTES, &text, &length, err);
    if (r < 0)
        return r;
    r = json_read(text, length, ret, err);
    return r < 0 ? error_prefix(err, r, "%s", path) : 0;
}

static int record_write(const char *path, const json_t *record, struct error *err)
{
    autofree char *text = NULL;
    int r = record ? json_write(record, &text, err) : error_oom(err);
    return r < 0 ? r : file_write(path, text, strlen(text), 0600, err);
}

/* --- names --- */

static char *name_path(const char *store, const char *reference)
{
    char hex[DIGEST_HEX_SIZE];
    digest_sha256_hex(reference, strlen(reference), hex);
    return text_format("%s/names/%s.json", store, hex);
}

int store_find_name(const char *store, const char *reference, const char *identity, char **ret,
                    struct error *err)
{
    autofree char *path = name_path(store, reference);
    autojson record = NULL;
    const char *known = NULL;
    const char *digest = NULL;
    int r = path ? record_read(path, &record, err) : error_oom(err);
    if (r == 0)
        r = json_field_string(record, "identity", &known, err);
    if (r == 0)
        r = json_field_string(record, "digest", &digest, err);
    if (r < 0)
        return r;
    if (strcmp(known, identity) != 0 || !reference_is_digest(digest))
        return error_set(err, -ENOENT, "%s is another than was known", reference);
    *ret = strdup(digest);
    return *ret ? 0 : error_oom(err);
}

int store_write_name(const char *store, const char *reference, const char *identity,
                     const char *digest, struct error *err)
{
    autofree char *path = name_path(store, reference);
    autojson record = json_pack("{s:s, s:s, s:s}", "reference", reference, "identity", identity,
                                "digest", digest);
    return path ? record_write(path, record, err) : error_oom(err);
}

/* --- images --- */

static char *image_path(const char *store, const char *digest)
{
    return text_format("%s/images/%s.json", store, reference_digest_hex(digest));
}

static int image_from_record(const char *digest, const json_t *record, struct image **ret,
                             struct error *err)
{
    autoptr(image) image = calloc(1, sizeof(*image));
    json_t *config = NULL;
    if (!image)
        return error_oom(err);
    int r = json_field_object_or_null(record, "config", &config, err);
    if (r == 0)
        r = json_field_strv(record, "layers", &image->layers, err);
    if (r < 0)
        return r;
    for (char **layer = image->layers; layer && *layer; layer++)
        if (!reference_is_digest(*layer))
            return error_set(err, -EPROTO, "\"%s\" is no layer", *layer);
    image->config = config ? json_incref(config) : json_object();
    image->digest = strdup(digest);
    if (!image->config || !image->digest)
        return error_oom(err);
    *ret = take_ptr(image);
    return 0;
}

int store_read_image(const char *store, const char *digest, struct image **ret, struct error *err)
{
    autofree char *path = image_path(store, digest);
    autojson record = NULL;
    int r = path ? record_read(path, &record, err) : error_oom(err);
    if (r == 0)
        r = image_from_record(digest, record, ret, err);
    return r;
}

static json_t *image_to_record(const struct image *image)
{
    json_t *layers = json_from_strv(image->layers);
    return layers ? json_pack("{s:O, s:o}", "config", image->config, "layers", layers) : NULL;
}

int store_write_image(const char *store, const struct image *image, struct error *err)
{
    autofree char *path = image_path(store, image->digest);
    autojson record = image_to_record(image);
    return path ? record_write(path, record, err) : error_oom(err);
}

/* --- layers --- */

char *store_layer_path(const char *store, const char *layer)
{
    return text_format("%s/layers/%s/files", store, reference_digest_hex(layer));
}

bool store_has_layer(const char *store, const char *layer)
{
    autofree char *path = store_layer_path(store, layer);
    return path && access(path, F_OK) == 0;
}

bool store_has_layers(const char *store, const struct image *image)
{
    for (char **layer = image->layers; layer && *layer; layer++)
        if (!store_has_layer(store, *layer))
            return false;
    return true;
}

static char *blob_path(const char *store, const char *digest)
{
    return text_format("%s/blobs/%s", store, reference_digest_hex(digest));
}

bool store_has_blob(const char *store, const char *digest)
{
    autofree char *path = blob_path(store, digest);
    return path && access(path, F_OK) == 0;
}

int store_write_blob(const char *store, const char *digest, const char *layer, struct error *err)
{
    autofree char *path = blob_path(store, digest);
    autofree char *target = text_format("../layers/%s", reference_digest_hex(layer));
    if (!path || !target)
        return error_oom(err);
    if (symlink(target, path) < 0 && errno != EEXIST)
        return error_errno(err, -errno, "%s", path);
    return 0;
}

/* --- pins --- */

static void touch_image(const char *store, const char *digest)
{
    autofree char *path = image_path(store, digest);
    if (path)
        (void)utimensat(AT_FDCWD, path, NULL, 0);
}

/* Whoever removes layers has the lock alone while he reads the pins and takes away what has none.
 */
int store_pin(const char *store, const char *pins, const struct image *image, struct error *err)
{
    autofree char *lock_path = text_format("%s/lock", store);
    autofree char *path = text_format("%s/%s.json", pins, reference_digest_hex(image->digest));
    autojson layers = json_from_strv(image->layers);
    autojson record = json_pack("{s:s, s:O}", "digest", image->digest, "layers", layers);
    int r = path ? file_make_dirs(pins, 0700, err) : error_oom(err);
    if (r < 0)
        return r;
    autoclose int lock = lock_path ? lock_share(lock_path, err) : error_oom(err);
    if (lock < 0)
        return lock;
    r = record_write(path, record, err);
    if (r == 0)
        touch_image(store, image->digest);
    return r;
}

int store_find_image(const char *store, const char *pins, const char *digest, struct image **ret,
                     struct error *err)
{
    autoptr(image) image = NULL;
    int r = store_read_image(store, digest, &image, err);
    if (r == 0)
        r = store_pin(store, pins, image, err);
    if (r < 0)
        return r;
    if (!store_has_layers(store, image))
        return error_set(err, -ENOENT, "layers of %s are missing", digest);
    *ret = take_ptr(image);
    return 0;
}

int store_unpin(const char *store, const char *pins, struct error *err)
{
    DIR *directory = opendir(pins);
    if (!directory)
        return errno == ENOENT ? 0 : error_errno(err, -errno, "%s", pins);
    const struct dirent *entry = NULL;
    while ((entry = readdir(directory))) {
        autofree char *digest =
            text_format("sha256:%.*s", (int)strcspn(entry->d_name, "."), entry->d_name);
        if (digest && reference_is_digest(digest))
            touch_image(store, digest);
    }
    (void)closedir(directory);
    return tree_remove(pins, err);
}
