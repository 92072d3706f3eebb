/* SPDX-License-Identifier: Apache-2.0 */
/* From what Image= says to an image whose layers are in the store, by way of Pull=. */
#ifndef CONTAINER_IMAGES_H
#define CONTAINER_IMAGES_H

#include <stdint.h>

#include "base/error.h"
#include "container/image.h"
#include "units/container.h"

struct images_request {
    const char *said;  /* reference.h has the forms */
    const char *store; /* store.h */
    const char *pins;  /* where the image is pinned; it stays as long as the pin does */
    const char *architecture;
    char *const *environment;
    enum container_pull pull; /* of a registry's; files are always looked at */
    int64_t retries;          /* negative: none */
    int64_t retry_delay_ms;   /* 0: a second, and each time twice as long */
    int64_t answer_ms;        /* how long a registry may take to answer a question */
};

/* An image that is there costs a few small files to read, and no other program. Otherwise it is
 * fetched, which takes its time: progress goes to the journal and to systemd (progress.h).
 * *ret_fetched (or NULL) says whether it was. Errors begin "image <said>: " and are those of
 * reference_parse(), image_resolve(), fetch.h; -ENOENT where Pull=never and it is not there. */
int images_get(const struct images_request *request, struct image **ret, bool *ret_fetched,
               struct error *err);

/* Asks the registry what the name stands for now (fetch_digests()). Of the request only what is
 * said, the environment and answer_ms count; the machine's store is not looked at. -EINVAL: the
 * image is in no registry. */
int images_digests(const struct images_request *request, char ***ret, struct error *err);

#endif
