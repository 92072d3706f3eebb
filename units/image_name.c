/* SPDX-License-Identifier: Apache-2.0 */
#include "units/image_name.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "units/container_take.h"

enum { TAG_MAX = 128, DIGEST_HEX = 64, NAME_MAX_BYTES = 255 };

#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

static bool is_tag(const char *tag)
{
    size_t length = strspn(tag, DIGITS LOWER UPPER "_.-");
    return length > 0 && length <= TAG_MAX && !tag[length] && *tag != '.' && *tag != '-';
}

static int tag_check(const char *tag, struct error *err)
{
    if (is_tag(tag))
        return 0;
    return error_set(err, -EINVAL,
                     "\"%s\" is no tag: letters, digits, '_', '.' and '-', at most %d", tag,
                     TAG_MAX);
}

/* --- transports: a path, and for some a tag after a colon --- */

static const struct transport {
    const char *name;
    bool has_tag;
} transports[] = {
    {"oci:",             true },
    { "oci-archive:",    true },
    { "docker-archive:", true },
    { "dir:",            false},
};

static int path_check(const struct transport *transport, const char *rest, struct error *err)
{
    const char *colon = transport->has_tag ? strchr(rest, ':') : NULL;
    autofree char *path = colon ? strndup(rest, (size_t)(colon - rest)) : strdup(rest);
    if (!path)
        return error_oom(err);
    if (!take_is_path_below_root(path))
        return error_set(err, -EINVAL, "its path must be absolute and without \"..\": %s/PATH%s",
                         transport->name, transport->has_tag ? "[:TAG]" : "");
    /* What docker-archive has after the colon is a whole reference, with colons of its own. */
    if (colon && strcmp(transport->name, "docker-archive:") == 0)
        return image_name_check(colon + 1, err);
    return colon ? tag_check(colon + 1, err) : 0;
}

/* --- registries --- */

static int digest_check(const char *digest, struct error *err)
{
    static const char prefix[] = "sha256:";
    const char *hex = digest + strlen(prefix);
    if (text_starts_with(digest, prefix) && strlen(hex) == DIGEST_HEX &&
        strspn(hex, DIGITS "abcdef") == DIGEST_HEX)
        return 0;
    return error_set(err, -EINVAL, "after '@' want sha256: and %d hex digits", DIGEST_HEX);
}

/* Components between slashes: lower-case letters and digits, with separators within. */
static bool is_path(const char *path)
{
    if (!*path || strlen(path) > NAME_MAX_BYTES || path[strspn(path, LOWER DIGITS "._-/")])
        return false;
    for (const char *p = path; p; p = strchr(p, '/')) {
        p += *p == '/';
        size_t length = strcspn(p, "/");
        if (length == 0 || strchr("._-", p[0]) || strchr("._-", p[length - 1]))
            return false;
    }
    return true;
}

/* The first component names a host if it could be no other: a dot, a port, or "localhost". */
static const char *after_host(const char *reference)
{
    size_t length = strcspn(reference, "/");
    bool is_host =
        reference[length] == '/' &&
        (memchr(reference, '.', length) || memchr(reference, ':', length) ||
         (length == strlen("localhost") && strncmp(reference, "localhost", length) == 0));
    if (!is_host || strspn(reference, LOWER UPPER DIGITS ".-:[]") != length)
        return reference;
    return reference + length + 1;
}

static int reference_check(const char *reference, struct error *err)
{
    autofree char *copy = strdup(after_host(reference));
    if (!copy)
        return error_oom(err);
    char *digest = strchr(copy, '@');
    if (digest)
        *digest++ = '\0';
    char *tag = strchr(copy, ':');
    if (tag)
        *tag++ = '\0';
    int r = digest ? digest_check(digest, err) : 0;
    if (r == 0 && tag)
        r = tag_check(tag, err);
    if (r == 0 && !is_path(copy))
        return error_set(err, -EINVAL,
                         "\"%s\" is no name of an image: [REGISTRY/]NAME[:TAG][@sha256:…] in lower "
                         "case, or oci:, oci-archive:, docker-archive:, dir: and an absolute path",
                         reference);
    return r;
}

int image_name_check(const char *name, struct error *err)
{
    static const char docker[] = "docker://";
    for (size_t i = 0; i < sizeof(transports) / sizeof(transports[0]); i++)
        if (text_starts_with(name, transports[i].name))
            return path_check(&transports[i], name + strlen(transports[i].name), err);
    if (text_ends_with(name, ".image") || text_ends_with(name, ".build"))
        return error_set(err, -EINVAL,
                         "other Quadlet files are not followed; name the image itself");
    if (text_starts_with(name, "containers-storage:") || text_starts_with(name, "docker-daemon:"))
        return error_set(err, -EINVAL,
                         "another tool's store is not read; name the image in its registry");
    return reference_check(text_starts_with(name, docker) ? name + strlen(docker) : name, err);
}
