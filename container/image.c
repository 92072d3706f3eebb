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

enum { JSON_MAX_BYTES = 4 * 1024 * 1024 };

static const char index_type[] = "application/vnd.oci.image.index.v1+json";
static const char list_type[] = "application/vnd.docker.distribution.manifest.list.v2+json";
static const char tag_annotation[] = "org.opencontainers.image.ref.name";

void image_free(struct image *image)
{
    if (!image)
        return;
    free(image->layout);
    free(image->digest);
    json_decref(image->manifest);
    json_decref(image->config);
    free(image);
}

/* The path and the tag of "oci:PATH[:TAG]"; *ret_tag is NULL where none is said. A colon before
 * the last slash belongs to the path. */
static int reference_split(const char *reference, char **ret_path, char **ret_tag,
                           struct error *err)
{
    if (!text_starts_with(reference, "oci:/"))
        return error_set(err, -EINVAL,
                         "want oci:PATH[:TAG] with an absolute path to an OCI layout");
    const char *path = reference + strlen("oci:");
    const char *colon = strchr(strrchr(path, '/'), ':');
    if (colon && !colon[1])
        return error_set(err, -EINVAL, "the tag after ':' is empty");
    autofree char *layout = colon ? strndup(path, (size_t)(colon - path)) : strdup(path);
    autofree char *tag = colon ? strdup(colon + 1) : NULL;
    if (!layout || (colon && !tag))
        return error_oom(err);
    *ret_path = take_ptr(layout);
    *ret_tag = take_ptr(tag);
    return 0;
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

static bool is_sha256(const char *digest)
{
    static const char prefix[] = "sha256:";
    if (!text_starts_with(digest, prefix))
        return false;
    const char *hex = digest + strlen(prefix);
    return strlen(hex) == DIGEST_HEX_SIZE - 1 &&
           strspn(hex, "0123456789abcdef") == DIGEST_HEX_SIZE - 1;
}

static const char *digest_hex(const char *digest)
{
    return strchr(digest, ':') + 1;
}

/* The digest of a descriptor; it becomes part of a path, so its form is checked. Borrowed. */
static int descriptor_digest(const json_t *descriptor, const char **ret, struct error *err)
{
    const char *digest = NULL;
    int r = json_field_string(descriptor, "digest", &digest, err);
    if (r < 0)
        return r;
    if (!is_sha256(digest))
        return error_set(err, -EPROTO, "digest \"%s\" is not sha256 with 64 hex digits", digest);
    *ret = digest;
    return 0;
}

static int blob_read(const char *layout, const json_t *descriptor, json_t **ret, struct error *err)
{
    const char *digest = NULL;
    int r = descriptor_digest(descriptor, &digest, err);
    if (r < 0)
        return r;
    autofree char *path = text_format("%s/blobs/sha256/%s", layout, digest_hex(digest));
    if (!path)
        return error_oom(err);
    autofree char *text = NULL;
    size_t length = 0;
    r = file_read(path, JSON_MAX_BYTES, &text, &length, err);
    if (r < 0)
        return r == -ENOENT ? error_set(err, -EPROTO, "blob %s is missing", digest) : r;
    char found[DIGEST_HEX_SIZE];
    digest_sha256_hex(text, length, found);
    if (strcmp(found, digest_hex(digest)) != 0)
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

static bool is_index(const json_t *descriptor)
{
    const char *type = json_string_value(json_object_get(descriptor, "mediaType"));
    return type && (strcmp(type, index_type) == 0 || strcmp(type, list_type) == 0);
}

static bool is_for_platform(const json_t *descriptor, const char *architecture)
{
    const json_t *platform = json_object_get(descriptor, "platform");
    const char *os = json_string_value(json_object_get(platform, "os"));
    const char *arch = json_string_value(json_object_get(platform, "architecture"));
    return os && arch && strcmp(os, "linux") == 0 && strcmp(arch, architecture) == 0;
}

/* Goes from an index of platforms to this platform's manifest; *descriptor is owned and replaced.
 */
static int choose_platform(const char *layout, const char *architecture, json_t **descriptor,
                           struct error *err)
{
    autojson index = NULL;
    json_t *manifests = NULL;
    int r = blob_read(layout, *descriptor, &index, err);
    if (r == 0)
        r = json_field_array_or_null(index, "manifests", &manifests, err);
    if (r < 0)
        return r;
    size_t i = 0;
    json_t *candidate = NULL;
    json_array_foreach(manifests, i, candidate) {
        if (is_for_platform(candidate, architecture) && !is_index(candidate)) {
            json_decref(*descriptor);
            *descriptor = json_incref(candidate);
            return 0;
        }
    }
    return error_set(err, -ENOENT, "nothing for linux/%s among its platforms", architecture);
}

/* The configuration that the manifest points to. */
static int config_read(const char *layout, const json_t *descriptor, json_t **ret,
                       struct error *err)
{
    autojson manifest = NULL;
    autojson whole = NULL;
    json_t *pointer = NULL;
    json_t *config = NULL;
    int r = blob_read(layout, descriptor, &manifest, err);
    if (r == 0)
        r = json_field_object_or_null(manifest, "config", &pointer, err);
    if (r < 0)
        return r;
    if (!pointer)
        return error_set(err, -EPROTO, "the manifest names no configuration");
    r = blob_read(layout, pointer, &whole, err);
    if (r == 0)
        r = json_field_object_or_null(whole, "config", &config, err);
    if (r < 0)
        return r;
    *ret = config ? json_incref(config) : json_object();
    return *ret ? 0 : error_oom(err);
}

static int resolve_in_layout(struct image *image, const char *tag, const char *architecture,
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
    image->manifest = json_incref(found);
    if (is_index(image->manifest))
        r = choose_platform(image->layout, architecture, &image->manifest, err);
    if (r == 0)
        r = config_read(image->layout, image->manifest, &image->config, err);
    const char *digest = NULL;
    if (r == 0)
        r = descriptor_digest(image->manifest, &digest, err);
    if (r < 0)
        return r;
    image->digest = strdup(digest);
    return image->digest ? 0 : error_oom(err);
}

int image_resolve(const char *reference, const char *architecture, struct image **ret,
                  struct error *err)
{
    autofree char *tag = NULL;
    autoptr(image) image = calloc(1, sizeof(*image));
    if (!image)
        return error_oom(err);
    int r = reference_split(reference, &image->layout, &tag, err);
    if (r == 0)
        r = resolve_in_layout(image, tag, architecture, err);
    if (r < 0)
        return error_prefix(err, r, "image %s", reference);
    *ret = take_ptr(image);
    return 0;
}
