/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The OCI runtime's config.json of a container. Pure: the image's own configuration (entrypoint,
 * command, environment, working directory, user) comes in as a value. No cgroupsPath and no
 * resources: systemd holds the limits. Locked down by default: docker's default capabilities,
 * masked and read-only paths, the seccomp profile given, namespaces of its own. Format:
 * opencontainers/runtime-spec 1.0.
 */
#ifndef UNITS_OCI_H
#define UNITS_OCI_H

#include <jansson.h>

#include "units/container.h"

struct oci_input {
    const struct container *container;
    const json_t
        *image_config;     /* the "config" object of the image's OCI configuration; NULL: empty */
    const char *root_path; /* the mounted root */
    const json_t *seccomp; /* a linux.seccomp object for this architecture; NULL: none */
    const char *notify_socket; /* path to bind in and name in NOTIFY_SOCKET; NULL: none */
    const char *const *extra_environment; /* or NULL */
};

int oci_config(const struct oci_input *input, json_t **ret, struct error *err);

#endif
