/* SPDX-License-Identifier: Apache-2.0 */
#include "container/image.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "units/reference.h"

enum { JSON_MAX_BYTES = 4 * 1024 * 1024 };

static const char index_type[] = "application/vnd.oci.image.index.v1+json";
static const char list_type[] = "application/vnd.docker.distribution.manifest.list.v2+json";
static const char tag_annotation[] = "org.opencontainers.image.ref.name";

void image_free(struct image *image)
{
    if (!image)
        return;
    free(image->digest);
    json_decref(image->config);
    strv_free(image->layers);
    free(image->layout);
    json_decref(image->blobs);
    free(image->config_digest);
    free(image);
}

static int layout_check(const char *layout, struct error *err)
{
    autofree char *marker = text_format("%s/oci-layout", layout);
    autofree char *index = text_format("%s/index.json", layout);
    if (!marker || !index)
        return error_oom(err);
    if (access(layout, F_OK) < 0)
        return error_set(err, -ENOENT, "no such layout");
    if (access(marker, R_OK) < 0 || access(index, R_OK) < 0)
        return error_set(err, -EPROTO, "%s is no OCI layout: oci-layout or index.json is missing",
                         layout);
    return 0;
}

static int file_read_json(const char *path, json_t **ret, struct error *err)
{
    autofree char *text = NULL;
    size_t length = 0;
    int r = file_read(path, JSON_MAX_BYTES, &text, &length, err);
    if (r < 0)
        return r;
    r = json_read(text, length, ret, err);
    return r < 0 ? error_prefix(err, r, "%s", path) : 0;
}

int image_descriptor_digest(const json_t *descriptor, const char **ret, struct error *err)
{
    const char *digest = NULL;
    int r = json_field_string(descriptor, "digest", &digest, err);
    if (r < 0)
        return r;
    if (!reference_is_digest(digest))
        return error_set(err, -EPROTO, "digest \"%s\" is not sha256 with 64 hex digits", digest);
    *ret = digest;
    return 0;
}

static int blob_read(const char *layout, const json_t *descriptor, json_t **ret, struct error *err)
{
    const char *digest = NULL;
    int r = image_descriptor_digest(descriptor, &digest, err);
    if (r < 0)
        return r;
    autofree char *path = text_format("%s/blobs/sha256/%s", layout, reference_digest_hex(digest));
    if (!path)
        return error_oom(err);
    autofree char *text = NULL;
    size_t length = 0;
    r = file_read(path, JSON_MAX_BYTES, &text, &length, err);
    if (r < 0)
        return r == -ENOENT ? error_set(err, -EPROTO, "blob %s is missing", digest) : r;
    char found[DIGEST_HEX_SIZE];
    digest_sha256_hex(text, length, found);
    if (strcmp(found, reference_digest_hex(digest)) != 0)
        return error_set(err, -EPROTO, "blob %s is damaged: its bytes give sha256:%s", digest,
                         found);
    r = json_read(text, length, ret, err);
    return r < 0 ? error_prefix(err, r, "blob %s", digest) : 0;
}

static bool has_tag(const json_t *descriptor, const char *tag)
{
    const json_t *annotations = json_object_get(descriptor, "annotations");
    const char *name = json_string_value(json_object_get(annotations, tag_annotation));
    return name && strcmp(name, tag) == 0;
}

static json_t *find_tag(const json_t *manifests, const char *tag)
{
    size_t i = 0;
    json_t *descriptor = NULL;
    json_array_foreach(manifests, i, descriptor)
        if (has_tag(descriptor, tag))
            return descriptor;
    return NULL;
}

/* The descriptor that the tag names; borrowed from the index. */
static int index_find(const json_t *index, const char *tag, json_t **ret, struct error *err)
{
    json_t *manifests = NULL;
    int r = json_field_array_or_null(index, "manifests", &manifests, err);
    if (r < 0)
        return error_prefix(err, r, "index.json");
    json_t *found = find_tag(manifests, tag ? tag : "latest");
    if (!found && !tag && json_array_size(manifests) == 1)
        found = json_array_get(manifests, 0);
    if (!found && !json_array_size(manifests))
        return error_set(err, -ENOENT, "the layout is empty");
    if (!found && !tag)
        return error_set(err, -ENOENT, "no tag \"latest\" among its %zu manifests; say which one",
                         json_array_size(manifests));
    if (!found)
        return error_set(err, -ENOENT, "no tag \"%s\"", tag);
    *ret = found;
    return 0;
}

bool image_is_index(const json_t *manifest)
{
    const char *type = json_string_value(json_object_get(manifest, "mediaType"));
    if (type)
        return strcmp(type, index_type) == 0 || strcmp(type, list_type) == 0;
    return json_object_get(manifest, "manifests") != NULL;
}

static bool is_for_platform(const json_t *descriptor, const char *architecture)
{
    const json_t *platform = json_object_get(descriptor, "platform");
    const char *os = json_string_value(json_object_get(platform, "os"));
    const char *arch = json_string_value(json_object_get(platform, "architecture"));
    return os && arch && strcmp(os, "linux") == 0 && strcmp(arch, architecture) == 0;
}

int image_choose_platform(const json_t *index, const char *architecture, json_t **ret,
                          struct error *err)
{
    json_t *manifests = NULL;
    int r = json_field_array_or_null(index, "manifests", &manifests, err);
    if (r < 0)
        return r;
    size_t i = 0;
    json_t *candidate = NULL;
    json_array_foreach(manifests, i, candidate) {
        if (is_for_platform(candidate, architecture) && !image_is_index(candidate)) {
            *ret = candidate;
            return 0;
        }
    }
    return error_set(err, -ENOENT, "nothing for linux/%s among its platforms", architecture);
}

/* Goes from an index of platforms to this platform's manifest; *descriptor is owned and replaced.
 */
static int descend(const char *layout, const char *architecture, json_t **descriptor,
                   struct error *err)
{
    autojson index = NULL;
    json_t *chosen = NULL;
    int r = blob_read(layout, *descriptor, &index, err);
    if (r == 0)
        r = image_choose_platform(index, architecture, &chosen, err);
    if (r < 0)
        return r;
    json_decref(*descriptor);
    *descriptor = json_incref(chosen);
    return 0;
}

/* What the configuration calls the layers; as many as the manifest has. */
static int layers_read(const json_t *whole, size_t count, char ***ret, struct error *err)
{
    json_t *rootfs = NULL;
    autostrv layers = NULL;
    int r = json_field_object_or_null(whole, "rootfs", &rootfs, err);
    if (r == 0 && rootfs)
        r = json_field_strv(rootfs, "diff_ids", &layers, err);
    if (r < 0)
        return r;
    if (strv_length(layers) != count)
        return error_set(err, -EPROTO, "the manifest has %zu layers and its configuration %zu",
                         count, strv_length(layers));
    for (char **layer = layers; layer && *layer; layer++)
        if (!reference_is_digest(*layer))
            return error_set(err, -EPROTO, "layer \"%s\" is not sha256 with 64 hex digits", *layer);
    *ret = take_ptr(layers);
    return 0;
}

static int config_take(struct image *image, const char *digest, const json_t *whole,
                       struct error *err)
{
    autostrv layers = NULL;
    json_t *config = NULL;
    int r = json_field_object_or_null(whole, "config", &config, err);
    if (r == 0)
        r = layers_read(whole, json_array_size(image->blobs), &layers, err);
    if (r < 0)
        return r;
    autofree char *copy = strdup(digest);
    autojson taken = config ? json_incref(config) : json_object();
    if (!copy || !taken)
        return error_oom(err);
    json_decref(image->config);
    strv_free(image->layers);
    free(image->config_digest);
    image->config = take_ptr(taken);
    image->layers = take_ptr(layers);
    image->config_digest = take_ptr(copy);
    return 0;
}

int image_replace_config(struct image *image, const char *digest, const char *text, size_t length,
                         struct error *err)
{
    autojson whole = NULL;
    char found[DIGEST_HEX_SIZE];
    digest_sha256_hex(text, length, found);
    if (strcmp(found, reference_digest_hex(digest)) != 0)
        return error_set(err, -EPROTO, "its configuration is sha256:%s, the manifest says %s",
                         found, digest);
    int r = json_read(text, length, &whole, err);
    return r < 0 ? error_prefix(err, r, "its configuration")
                 : config_take(image, digest, whole, err);
}

static int config_read(struct image *image, const json_t *pointer, struct error *err)
{
    autojson whole = NULL;
    const char *digest = NULL;
    int r = image_descriptor_digest(pointer, &digest, err);
    if (r == 0)
        r = blob_read(image->layout, pointer, &whole, err);
    return r < 0 ? r : config_take(image, digest, whole, err);
}

static int manifest_read(struct image *image, const json_t *descriptor, struct error *err)
{
    autojson manifest = NULL;
    json_t *pointer = NULL;
    json_t *blobs = NULL;
    int r = blob_read(image->layout, descriptor, &manifest, err);
    if (r == 0)
        r = json_field_object_or_null(manifest, "config", &pointer, err);
    if (r == 0)
        r = json_field_array_or_null(manifest, "layers", &blobs, err);
    if (r < 0)
        return r;
    if (!pointer)
        return error_set(err, -EPROTO, "the manifest names no configuration");
    image->blobs = blobs ? json_incref(blobs) : json_array();
    return image->blobs ? config_read(image, pointer, err) : error_oom(err);
}

static int resolve(struct image *image, const char *tag, const char *architecture,
                   struct error *err)
{
    autofree char *path = text_format("%s/index.json", image->layout);
    autojson index = NULL;
    json_t *found = NULL;
    if (!path)
        return error_oom(err);
    int r = layout_check(image->layout, err);
    if (r == 0)
        r = file_read_json(path, &index, err);
    if (r == 0)
        r = index_find(index, tag, &found, err);
    if (r < 0)
        return r;
    autojson descriptor = json_incref(found);
    if (image_is_index(descriptor))
        r = descend(image->layout, architecture, &descriptor, err);
    if (r == 0)
        r = manifest_read(image, descriptor, err);
    const char *digest = NULL;
    if (r == 0)
        r = image_descriptor_digest(descriptor, &digest, err);
    if (r < 0)
        return r;
    image->digest = strdup(digest);
    return image->digest ? 0 : error_oom(err);
}

int image_resolve(const char *layout, const char *tag, const char *architecture, struct image **ret,
                  struct error *err)
{
    autoptr(image) image = calloc(1, sizeof(*image));
    if (!image)
        return error_oom(err);
    image->layout = strdup(layout);
    if (!image->layout)
        return error_oom(err);
    int r = resolve(image, tag, architecture, err);
    if (r < 0)
        return r;
    *ret = take_ptr(image);
    return 0;
}
