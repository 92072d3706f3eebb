/* SPDX-License-Identifier: Apache-2.0 */
#include "units/reference.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/digest.h"
#include "base/text.h"
#include "units/container_take.h"

enum { NAME_MAX_BYTES = 255, TAG_MAX_BYTES = 128 };

static const char digest_prefix[] = "sha256:";

static const char *const transports_of_files[] = { "oci-archive", "docker-archive", "dir", NULL };

/* skopeo has more; of these it is not obvious why they are no use. */
static const struct {
    const char *transport;
    const char *why;
} refused[] = {
    {"docker-daemon",
     "muster does not ask Docker; push the image to a registry, or docker save it and name "
      "docker-archive:PATH"                                                                    },
    { "containers-storage",
     "muster does not read Podman's storage; push the image to a registry, or podman save "
      "it and name oci-archive:PATH"                                                           },
    { "http",               "a registry's name has no http:// before it; want HOST/PATH[:TAG]" },
    { "https",              "a registry's name has no https:// before it; want HOST/PATH[:TAG]"},
};

static void reference_done(struct reference *reference)
{
    free(reference->name);
    free(reference->path);
    free(reference->tag);
    free(reference->digest);
}

void reference_free(struct reference *reference)
{
    if (reference)
        reference_done(reference);
    free(reference);
}

bool reference_is_digest(const char *digest)
{
    if (!text_starts_with(digest, digest_prefix))
        return false;
    const char *hex = reference_digest_hex(digest);
    return strlen(hex) == DIGEST_HEX_SIZE - 1 &&
           strspn(hex, "0123456789abcdef") == DIGEST_HEX_SIZE - 1;
}

const char *reference_digest_hex(const char *digest)
{
    return digest + strlen(digest_prefix);
}

static int keep(char **ret, const char *start, size_t length, struct error *err)
{
    *ret = strndup(start, length);
    return *ret ? 0 : error_oom(err);
}

/* --- registries --- */

static bool is_host_character(char c)
{
    return isalnum((unsigned char)c) || strchr(".-:[]", c);
}

/* Docker's rule: what has a dot or a port, or is "localhost", is a host; anything else is the first
 * part of a path. */
static bool begins_with_host(const char *name)
{
    size_t length = strcspn(name, "/");
    if (!name[length])
        return false;
    return memchr(name, '.', length) || memchr(name, ':', length) ||
           (length == strlen("localhost") && strncmp(name, "localhost", length) == 0);
}

static int path_check(const char *path, struct error *err)
{
    for (const char *c = path; *c; c++) {
        if (isupper((unsigned char)*c))
            return error_set(err, -EINVAL, "names of images are in lower case");
        if (!islower((unsigned char)*c) && !isdigit((unsigned char)*c) && !strchr("._-/", *c))
            return error_set(err, -EINVAL,
                             "'%c' is none of the lower-case letters, digits, '.', '_', '-' and "
                             "'/' that a name of an image consists of",
                             isprint((unsigned char)*c) ? *c : '?');
        bool first = c == path || c[-1] == '/';
        bool last = !c[1] || c[1] == '/';
        if ((first || last) && strchr("._-/", *c))
            return error_set(err, -EINVAL,
                             "the parts of its name have to begin and end with a letter or digit");
    }
    return *path ? 0 : error_set(err, -EINVAL, "it has no name");
}

static int length_check(const char *name, struct error *err)
{
    return strlen(name) <= NAME_MAX_BYTES
               ? 0
               : error_set(err, -EINVAL, "its name is longer than %d bytes", NAME_MAX_BYTES);
}

static int name_check(const char *name, struct error *err)
{
    const char *path = name;
    int r = length_check(name, err);
    if (r < 0)
        return r;
    if (begins_with_host(name)) {
        for (; *path != '/'; path++)
            if (!is_host_character(*path))
                return error_set(err, -EINVAL, "what is before the first '/' is no host");
        path++;
    }
    return path_check(path, err);
}

static int tag_check(const char *tag, struct error *err)
{
    size_t length = strlen(tag);
    if (length == 0)
        return error_set(err, -EINVAL, "the tag after ':' is empty");
    if (length > TAG_MAX_BYTES)
        return error_set(err, -EINVAL, "its tag is longer than %d bytes", TAG_MAX_BYTES);
    for (const char *c = tag; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '_' && (c == tag || !strchr(".-", *c)))
            return error_set(err, -EINVAL,
                             "a tag consists of letters, digits, '_', '.' and '-', and begins with "
                             "none of the last two");
    return 0;
}

/* Docker's own registry, which nobody writes out, and its directory of what Docker itself made. */
static int name_complete(char **name, struct error *err)
{
    static const char hub[] = "docker.io/";
    bool of_hub = text_starts_with(*name, hub);
    const char *path = of_hub ? *name + strlen(hub) : *name;
    if (!of_hub && begins_with_host(*name))
        return 0;
    autofree char *whole = text_format("%s%s%s", hub, strchr(path, '/') ? "" : "library/", path);
    if (!whole)
        return error_oom(err);
    int r = length_check(whole, err);
    if (r < 0)
        return r;
    free(*name);
    *name = take_ptr(whole);
    return 0;
}

static int name_parse(struct reference *reference, const char *said, bool may_be_short,
                      struct error *err)
{
    const char *at = strchr(said, '@');
    size_t length = at ? (size_t)(at - said) : strlen(said);
    autofree char *tagged = strndup(said, length);
    if (!tagged)
        return error_oom(err);
    char *slash = strrchr(tagged, '/');
    char *colon = strchr(slash ? slash : tagged, ':');
    if (colon)
        *colon++ = '\0';
    if (at && !reference_is_digest(at + 1))
        return error_set(err, -EINVAL, "after '@' want sha256: and 64 lower-case hex digits");
    int r = name_check(tagged, err);
    if (r == 0 && colon)
        r = tag_check(colon, err);
    if (r == 0)
        r = keep(&reference->name, tagged, strlen(tagged), err);
    if (r == 0 && at)
        r = keep(&reference->digest, at + 1, strlen(at + 1), err);
    if (r == 0 && (colon || !at))
        r = keep(&reference->tag, colon ? colon : "latest", strlen(colon ? colon : "latest"), err);
    if (r < 0)
        return r;
    reference->kind =
        begins_with_host(tagged) || !may_be_short ? REFERENCE_REGISTRY : REFERENCE_SHORT;
    return reference->kind == REFERENCE_SHORT ? 0 : name_complete(&reference->name, err);
}

int reference_qualify(struct reference *reference, const char *name, struct error *err)
{
    int r = name_check(name, err);
    if (r == 0 && !begins_with_host(name))
        r = error_set(err, -EINVAL, "it does not begin with a registry's host");
    if (r < 0)
        return error_prefix(err, r, "name %s", name);
    autofree char *copy = strdup(name);
    if (!copy)
        return error_oom(err);
    r = name_complete(&copy, err);
    if (r < 0)
        return r;
    free(reference->name);
    reference->name = take_ptr(copy);
    reference->kind = REFERENCE_REGISTRY;
    return 0;
}

/* --- files --- */

/* What follows the path: of a docker-archive the name of an image in it. */
static int tag_parse(struct reference *reference, const char *tag, struct error *err)
{
    struct reference within = { 0 };
    bool is_name = strcmp(reference->name, "docker-archive") == 0;
    int r = is_name && *tag ? name_parse(&within, tag, true, err) : tag_check(tag, err);
    reference_done(&within);
    return r < 0 ? r : keep(&reference->tag, tag, strlen(tag), err);
}

/* PATH[:TAG]; a colon before the last slash belongs to the path, but for docker-archive's, since in
 * the name that follows there may be slashes. */
static int files_parse(struct reference *reference, const char *transport, const char *rest,
                       struct error *err)
{
    bool has_tag = strcmp(transport, "dir") != 0;
    const char *last = strcmp(transport, "docker-archive") == 0 ? NULL : strrchr(rest, '/');
    const char *colon = has_tag ? strchr(last ? last : rest, ':') : NULL;
    size_t length = colon ? (size_t)(colon - rest) : strlen(rest);
    reference->kind = strcmp(transport, "oci") == 0 ? REFERENCE_LAYOUT : REFERENCE_FILES;
    int r = keep(&reference->name, transport, strlen(transport), err);
    if (r == 0)
        r = keep(&reference->path, rest, length, err);
    if (r == 0 && !take_is_path_below_root(reference->path))
        r = error_set(err, -EINVAL, "want %s:PATH%s with an absolute path without \"..\"",
                      transport, has_tag ? "[:TAG]" : "");
    return r < 0 || !colon ? r : tag_parse(reference, colon + 1, err);
}

/* --- both --- */

static int parse(struct reference *reference, const char *said, struct error *err)
{
    size_t length = strcspn(said, ":/@");
    const char *rest = said[length] == ':' ? said + length + 1 : NULL;
    autofree char *transport = strndup(said, length);
    if (!transport)
        return error_oom(err);
    if (text_ends_with(said, ".image") || text_ends_with(said, ".build"))
        return error_set(err, -EINVAL,
                         "other Quadlet files are not followed; name the image itself");
    if (!rest)
        return name_parse(reference, said, true, err);
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        if (strcmp(transport, refused[i].transport) == 0)
            return error_set(err, -EINVAL, "%s", refused[i].why);
    if (strcmp(transport, "docker") == 0)
        return name_parse(reference, text_starts_with(rest, "//") ? rest + 2 : rest, false, err);
    if (strcmp(transport, "oci") == 0)
        return files_parse(reference, transport, rest, err);
    for (const char *const *known = transports_of_files; *known; known++)
        if (strcmp(transport, *known) == 0)
            return files_parse(reference, transport, rest, err);
    return name_parse(reference, said, true, err);
}

int reference_parse(const char *said, struct reference **ret, struct error *err)
{
    autoptr(reference) reference = calloc(1, sizeof(*reference));
    if (!reference)
        return error_oom(err);
    int r = *said ? parse(reference, said, err) : error_set(err, -EINVAL, "it has no name");
    if (r == 0)
        *ret = take_ptr(reference);
    return r;
}

static char *name_text(const struct reference *reference, bool with_tag, const char *digest)
{
    const char *tag = with_tag ? reference->tag : NULL;
    return text_format("%s%s%s%s%s", reference->name, tag ? ":" : "", tag ? tag : "",
                       digest ? "@" : "", digest ? digest : "");
}

static char *files_text(const struct reference *reference)
{
    const char *tag = reference->tag;
    return text_format("%s:%s%s%s", reference->name, reference->path, tag ? ":" : "",
                       tag ? tag : "");
}

static bool begins_with_transport(const char *name, const char *transport)
{
    return text_starts_with(name, transport) && name[strlen(transport)] == ':';
}

/* A registry's host and port that would be taken for a transport: "oci:5000/web". */
static bool needs_scheme(const char *name)
{
    static const char *const transports[] = { "docker", "oci", NULL };
    for (const char *const *known = transports; *known; known++)
        if (begins_with_transport(name, *known))
            return true;
    for (const char *const *known = transports_of_files; *known; known++)
        if (begins_with_transport(name, *known))
            return true;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        if (begins_with_transport(name, refused[i].transport))
            return true;
    return false;
}

char *reference_text(const struct reference *reference)
{
    if (reference->path)
        return files_text(reference);
    autofree char *name = name_text(reference, true, reference->digest);
    return name && needs_scheme(name) && reference->kind == REFERENCE_REGISTRY
               ? text_format("docker://%s", name)
               : take_ptr(name);
}

char *reference_for_skopeo(const struct reference *reference, const char *digest)
{
    if (reference->path)
        return files_text(reference);
    const char *wanted = digest ? digest : reference->digest;
    autofree char *name = name_text(reference, !wanted, wanted);
    return name ? text_format("docker://%s", name) : NULL;
}
