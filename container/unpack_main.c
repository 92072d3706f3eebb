/* SPDX-License-Identifier: Apache-2.0 */
/* muster-unpack: unpacks one layer of an image from stdin. A program of its own, for it makes the
 * layer's directory its root, and because muster-container, which runs at each start of a
 * container, need not load what unpacks. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container/unpack.h"

static int run(const char *directory, const char *digest, struct error *err)
{
    char hex[DIGEST_HEX_SIZE];
    if (chroot(directory) < 0 || chdir("/") < 0)
        return error_errno(err, -errno, "%s", directory);
    (void)umask(022); /* of directories that a layer does not name */
    int r = unpack_layer(STDIN_FILENO, hex, err);
    if (r < 0)
        return r;
    if (strcmp(hex, digest) != 0)
        return error_set(err, -EPROTO, "its bytes give sha256:%s", hex);
    return 0;
}

int main(int argc, char **argv)
{
    enum { EXIT_USAGE = 2 };
    struct error err = { 0 };
    if (argc != 3) {
        (void)fputs("usage: muster-unpack DIRECTORY HEX <LAYER\n"
                    "muster-container runs this. HEX is the sha256 of the unpacked layer.\n",
                    stderr);
        return EXIT_USAGE;
    }
    if (run(argv[1], argv[2], &err) < 0) {
        (void)fprintf(stderr, "%s\n", err.text);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
