/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The OCI runtime's config.json of a container. Pure: the image's own configuration (entrypoint,
 * command, environment, working directory, user) comes in as a value. No cgroupsPath and no
 * resources: systemd holds the limits. Locked down by default: docker's default capabilities,
 * masked and read-only paths, the seccomp profile given, namespaces of its own. Format:
 * opencontainers/runtime-spec 1.0.
 *
 * What runs: the image's Entrypoint, then the unit's Exec= or else the image's Cmd. Where two say
 * the same variable the later wins: PATH and HOME, the image, the unit, extra_environment.
 */
#ifndef UNITS_OCI_H
#define UNITS_OCI_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "units/container.h"

/* Who runs inside; found in the image's own passwd and group by the caller. */
struct oci_user {
    uint32_t uid;
    uint32_t gid;
    const uint32_t *groups; /* supplementary */
    size_t group_count;
    const char *home; /* HOME unless the image or the unit says otherwise; NULL: "/" */
};

struct oci_input {
    const struct container *container;
    const json_t
        *image_config;     /* the "config" object of the image's OCI configuration; NULL: empty */
    const char *root_path; /* the mounted root */
    const struct oci_user *user; /* NULL: root */
    const json_t *seccomp;       /* a linux.seccomp object for this architecture; NULL: none */
    const char *notify_socket;   /* path to bind in and name in NOTIFY_SOCKET; NULL: none */
    const char *resolv_conf;     /* bound in where the network is the host's; NULL: none */
    const char *const *extra_environment; /* "K=V", the last word; NULL: none */
};

/* What every container may do: docker's default, as a list that ends with NULL. */
extern const char *const oci_default_capabilities[];

/* -EINVAL: there is nothing to run, or the image's configuration is not as OCI has it. */
int oci_config(const struct oci_input *input, json_t **ret, struct error *err);

#endif
