/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images in OCI layouts on disk (opencontainers/image-spec 1.0): which manifest a tag means, its
 * configuration, and its layers. Each blob that is read here is checked against its digest; a layer
 * is checked when it is unpacked (layer.h).
 */
#ifndef CONTAINER_IMAGE_H
#define CONTAINER_IMAGE_H

#include <jansson.h>
#include <stdbool.h>

#include "base/cleanup.h"
#include "base/error.h"

struct image {
    char *digest;   /* "sha256:<64 hex digits>" of the manifest */
    json_t *config; /* the "config" object; an empty object where the image has none */
    char **layers;  /* digests of their unpacked bytes ("diff ids"), the lowest first */
    /* Where the layers are to be had; NULL for an image whose layers are in the store. */
    char *layout;  /* absolute path of the layout */
    json_t *blobs; /* their descriptors, in the same order */
    char *config_digest;
};

/* tag: NULL takes "latest", or the only manifest that there is. Of an index of several platforms
 * the one for architecture (Go's name, as "amd64") is taken. -ENOENT: no such layout, tag or
 * platform; -EPROTO: the layout is damaged. */
int image_resolve(const char *layout, const char *tag, const char *architecture, struct image **ret,
                  struct error *err);
void image_free(struct image *image);

/* Takes another form of the same configuration, whose bytes have to have this digest, and what it
 * says of the layers, which have to be as many. The image is as it was after a failure. */
int image_replace_config(struct image *image, const char *digest, const char *text, size_t length,
                         struct error *err);
DEFINE_AUTOPTR(image);

/* Of an index of platforms the descriptor for architecture; -ENOENT where there is none. */
int image_choose_platform(const json_t *index, const char *architecture, json_t **ret,
                          struct error *err); /* *ret is borrowed from the index */
bool image_is_index(const json_t *manifest);

/* "digest" of a descriptor, checked for its form, for it becomes part of paths. Borrowed. */
int image_descriptor_digest(const json_t *descriptor, const char **ret, struct error *err);

#endif
