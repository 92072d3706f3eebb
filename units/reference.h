/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Image= says: a name in a registry, or files on this machine. Pure.
 *
 *   [docker://|docker:]HOST/PATH[:TAG][@sha256:HEX]   a registry's
 *   NAME[:TAG][@sha256:HEX]                           a short name: containers' registries.conf
 *                                                     says which registry's (registries.h)
 *   oci:PATH[:TAG]                                    an OCI layout
 *   oci-archive:PATH[:TAG], docker-archive:PATH[:NAME], dir:PATH
 */
#ifndef UNITS_REFERENCE_H
#define UNITS_REFERENCE_H

#include <stdbool.h>

#include "base/cleanup.h"
#include "base/error.h"

enum reference_kind {
    REFERENCE_INVALID = 0,
    REFERENCE_REGISTRY,
    REFERENCE_SHORT,  /* of a registry that has yet to be found: reference_qualify() */
    REFERENCE_LAYOUT, /* read in place */
    REFERENCE_FILES,  /* read by skopeo */
};

struct reference {
    enum reference_kind kind;
    char *name;   /* registry, short: without tag and digest; files: the transport, "dir" … */
    char *path;   /* layout, files: absolute; else NULL */
    char *tag;    /* NULL: none said. docker-archive: what follows the path */
    char *digest; /* "sha256:…", or NULL */
};

/* -EINVAL with what would be right. A name in a registry without tag and digest has the tag
 * "latest". */
int reference_parse(const char *said, struct reference **ret, struct error *err);
void reference_free(struct reference *reference);
DEFINE_AUTOPTR(reference);

/* A short name becomes this one, which a registry's host begins. */
int reference_qualify(struct reference *reference, const char *name, struct error *err);

/* As people write it; one text for all ways to write the same: "docker.io/library/busybox:latest",
 * "dir:/srv/image". Caller frees; NULL if memory ran out. */
char *reference_text(const struct reference *reference);

/* As skopeo wants it: with a digest there is no tag, for it refuses both. digest (or NULL) takes
 * the place of the reference's own. Caller frees; NULL if memory ran out. */
char *reference_for_skopeo(const struct reference *reference, const char *digest);

/* "sha256:" and 64 lower-case hex digits. */
bool reference_is_digest(const char *digest);

/* Past "sha256:". */
const char *reference_digest_hex(const char *digest);

#endif
