/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AutoUpdate=registry: the unit's image follows a tag of its registry. Which image the tag stood
 * for when the unit last followed it is in the unit's text, as the digest in
 * Image=NAME:TAG@sha256:…: every machine runs the same, also the one that an instance moves to
 * later; a rollout and its history are of texts, so going back is having the text before. Pure;
 * musterctl auto-update asks the registry.
 */
#ifndef UNITS_AUTO_UPDATE_H
#define UNITS_AUTO_UPDATE_H

#include <stdbool.h>

#include "base/error.h"
#include "units/unit_file.h"

struct auto_update {
    char *image;  /* what to ask a registry for: "docker.io/library/web:1" */
    char *digest; /* that the text says; NULL: none so far */
};

void auto_update_done(struct auto_update *update);
#define autoauto_update __attribute__((cleanup(auto_update_done))) struct auto_update

/* Into a zeroed struct. 1: the unit follows a tag; 0: it does not say so. -EINVAL: it says
 * AutoUpdate=registry, and cannot follow a tag; the words say what would do. */
int auto_update_read(const struct unit_file *file, struct auto_update *ret, struct error *err);

/* Whether the unit has the image that its tag stands for: known are the digests that the registry
 * says (images_digests()). A text without a digest is believed if all that runs is one of them:
 * running are digests of manifests. */
bool auto_update_is_current(const struct auto_update *update, char *const *running,
                            char *const *known);

/* The same file with this digest in the image. For units that follow a tag. */
int auto_update_pin(struct unit_file *file, const char *digest, struct error *err);

#endif
