/* SPDX-License-Identifier: Apache-2.0 */
/*
 * skopeo, which knows registries and the forms in which images are stored. Passwords never are on
 * its command line: it reads the file that REGISTRY_AUTH_FILE names, or else the first of these
 * that is there: the credential "auth.json" of the service (LoadCredential=),
 * /etc/muster/auth.json, and the places where skopeo itself looks.
 */
#ifndef CONTAINER_SKOPEO_H
#define CONTAINER_SKOPEO_H

#include <stddef.h>

#include <stdint.h>

#include "base/error.h"
#include "container/progress.h"

struct skopeo {
    char *const *environment; /* borrowed */
    const char *what;         /* borrowed: "image docker.io/library/busybox:1" */
    int64_t answer_ms;        /* how long a registry may take to answer a question; a file may take
                                 what it takes */
};

/* What the functions below fail with:
 *   -ENOENT  no such image, or no skopeo
 *   -EACCES  the registry wants other credentials
 *   -EPROTO  no TLS that can be trusted, or damaged contents
 *   -ENOSPC  the disk is full
 *   -EINVAL  a configuration on this machine is wrong
 *   -EAGAIN  anything else: the network, a registry that is unwell
 * and in words what to do about it. */

/* The bytes of the manifest, or of the configuration, as the registry has them; caller frees. While
 * the registry takes its time, systemd is asked for more; -EAGAIN when answer_ms is over. */
int skopeo_manifest(const struct skopeo *skopeo, const char *name, char **ret, size_t *ret_length,
                    struct error *err);
int skopeo_config(const struct skopeo *skopeo, const char *name, char **ret, size_t *ret_length,
                  struct error *err);

/* Copies one image into the layout under a tag. Blobs that are in the layout already are not
 * fetched. */
int skopeo_copy(const struct skopeo *skopeo, const char *name, const char *layout, const char *tag,
                struct progress *progress, struct error *err);

/* Makes an error of what skopeo wrote; pure. */
int skopeo_explain(const char *complaint, struct error *err);

#endif
