/* SPDX-License-Identifier: Apache-2.0 */
/* Asks the registry of an image, by way of muster-container, which knows skopeo and where this
 * machine has its credentials. */
#ifndef CLI_REGISTRY_H
#define CLI_REGISTRY_H

#include "base/error.h"
#include "cli/program.h"

/* The digests that the name stands for now, the one to pin first; then, where it is an index, those
 * of the manifests in it. Free with strv_free(). -ENOENT: no muster-container on this machine;
 * -EIO: it failed, and the words are its own; -EPROTO: it said what is no digest. */
int registry_ask(const char *image, char ***ret, struct error *err);

/* The same of what muster-container has said; pure. The digests are what it writes to stdout; on
 * stderr it tells how it gets on, and why it failed. */
int registry_read(const struct program_said *said, char ***ret, struct error *err);

#endif
