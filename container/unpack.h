/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One layer of an image: a tar stream, packed by gzip, zstd or not at all, becomes a directory that
 * an overlay can have as a lower one. What a layer says of the layers below it (".wh.NAME": NAME is
 * gone; ".wh..wh..opq": all is gone) becomes what an overlay understands: a device 0:0, a
 * directory marked opaque.
 */
#ifndef CONTAINER_UNPACK_H
#define CONTAINER_UNPACK_H

#include <stdbool.h>

#include "base/digest.h"
#include "base/error.h"

enum unpack_mark {
    UNPACK_MARK_NONE = 0, /* a file like others */
    UNPACK_MARK_GONE,     /* what is said after ".wh." is gone */
    UNPACK_MARK_OPAQUE,   /* what is below the directory is gone */
    UNPACK_MARK_NOISE,    /* what aufs kept for itself; left out */
};

/* What an entry of a layer is, by its path. *ret_name points past ".wh." for UNPACK_MARK_GONE. */
enum unpack_mark unpack_mark_of(const char *path, const char **ret_name);

/* Reads the layer from fd to its end and writes its files below the working directory, whatever
 * their paths say: a caller makes that its root first, and then nothing in a layer can reach out
 * of it. Owners, and extended attributes that an overlay would act on, are set if we are root.
 * Gives the digest of the unpacked stream. -EPROTO: it is no such stream; -ENOSPC and others as
 * they come. */
int unpack_layer(int fd, char ret_hex[DIGEST_HEX_SIZE], struct error *err);

#endif
