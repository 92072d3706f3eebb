/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images in OCI layouts on disk (opencontainers/image-spec 1.0): which manifest a name means, its
 * configuration, and its unpacked files, which all containers of the image share read-only.
 *
 * Each blob that is read here is checked against its digest; umoci checks the layers.
 */
#ifndef CONTAINER_IMAGE_H
#define CONTAINER_IMAGE_H

#include <jansson.h>

#include "base/cleanup.h"
#include "base/error.h"

struct image {
    char *layout;     /* absolute path of the layout */
    char *digest;     /* "sha256:<64 hex digits>" of the manifest */
    json_t *manifest; /* its descriptor, as index.json has it */
    json_t *config;   /* the "config" object; an empty object where the image has none */
};

/* reference: "oci:PATH[:TAG]". Without a tag "latest" is taken, or the only manifest that there is.
 * Of an index of several platforms the one for architecture (Go's name, as "amd64") is taken.
 * -EINVAL: no such form; -ENOENT: no such layout, tag or platform; -EPROTO: the layout is damaged.
 * Errors begin "image <reference>: ". */
int image_resolve(const char *reference, const char *architecture, struct image **ret,
                  struct error *err);
void image_free(struct image *image);
DEFINE_AUTOPTR(image);

/* Unpacks into <store>/sha256-<hex> unless it is there already, and gives its path (caller frees).
 * Safe against others doing the same at the same time and against being killed at any point: what
 * has the final name is whole. */
int image_unpack(const struct image *image, const char *store, char *const *environment, char **ret,
                 struct error *err);

#endif
