/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Brings an image into the store: what its layout or its registry has, and the store has not. The
 * chain of digests is checked from the reference to the files: manifest, configuration, layers.
 */
#ifndef CONTAINER_FETCH_H
#define CONTAINER_FETCH_H

#include <stdint.h>

#include "base/error.h"
#include "container/image.h"
#include "units/reference.h"

struct fetch {
    const char *what;         /* "image docker.io/library/busybox:1", for lines in the journal */
    const char *store;        /* store.h */
    const char *pins;         /* where the image is pinned as soon as its layers are known */
    const char *architecture; /* Go's name of it */
    char *const *environment; /* of the programs that it takes */
    int64_t answer_ms;        /* how long a registry may take to answer a question */
};

/* What a name in a registry stands for now. */
struct fetch_remote {
    char *digest; /* of the manifest for this architecture */
    json_t *manifest;
};

void fetch_remote_free(struct fetch_remote *remote);
DEFINE_AUTOPTR(fetch_remote);

/* Asks the registry. Errors are skopeo's (skopeo.h), and -EPROTO for what does not have the digest
 * that the reference says. */
int fetch_ask(const struct fetch *fetch, const struct reference *reference,
              struct fetch_remote **ret, struct error *err);

/* The digests that the name stands for now: of the manifest, or of an index and then of each
 * manifest in it. Nothing is fetched; store and pins may be NULL. Free with strv_free(). */
int fetch_digests(const struct fetch *fetch, const struct reference *reference, char ***ret,
                  struct error *err);

/* Fetches that image, unless the store has it by now. What was fetched of it before a failure is
 * kept for the next try, but where the disk is full. */
int fetch_from_registry(const struct fetch *fetch, const struct reference *reference,
                        const struct fetch_remote *remote, struct image **ret, struct error *err);

/* Out of an archive or a directory. */
int fetch_from_files(const struct fetch *fetch, const struct reference *reference,
                     struct image **ret, struct error *err);

/* Unpacks the layers of a layout, which is left as it is. */
int fetch_from_layout(const struct fetch *fetch, const struct image *image, struct error *err);

#endif
