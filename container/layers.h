/* SPDX-License-Identifier: Apache-2.0 */
/* Unpacks the layers of an image into the store (store.h), each once. */
#ifndef CONTAINER_LAYERS_H
#define CONTAINER_LAYERS_H

#include <stdbool.h>

#include "base/error.h"
#include "container/image.h"

struct layers_from {
    const char *store;
    const struct image *image; /* with its layout */
    const char *what;          /* "image docker.io/library/busybox:1", for lines in the journal */
    char *const *environment;  /* of muster-unpack */
};

/* Unpacks those that are not there, by muster-unpack, which lies beside this program, and checks
 * each against its digest. The image is pinned. Safe against others doing the same at the same time
 * and against being killed at any point: what has its final name is whole, and on the disk.
 * -EPROTO: a layer is damaged; -ENOSPC; -ESTALE: a stand-in was left for a layer that is not there.
 */
int layers_unpack(const struct layers_from *from, struct error *err);

/* A packed layer that takes no space, for one that is unpacked already: it has the size, and
 * nothing in it. */
bool layers_is_stand_in(int fd);

#endif
