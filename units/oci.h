/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The OCI runtime's config.json of a container. Pure: the image's own configuration (entrypoint,
 * command, environment, working directory, user) and what was found or made on the machine come in
 * as values. No resources: systemd holds the limits. Locked down by default: docker's default
 * capabilities, masked and read-only paths, the seccomp profile given, namespaces of its own.
 * Format: opencontainers/runtime-spec 1.0.
 *
 * What runs: the entrypoint (the unit's, else the image's), then the unit's Exec= or else the
 * image's Cmd; Cmd belongs to the image's entrypoint and falls away with it. Where two say the same
 * variable the later wins: PATH, HOME and HOSTNAME, the image, the service, files, the unit,
 * secrets, extra_environment.
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

/* A mount of the unit, with what the machine had to do for it done. */
struct oci_mount {
    const char *type;   /* "bind", "tmpfs", "ramfs", "devpts" */
    const char *source; /* of a bind: an absolute host path */
    const char *destination;
    char *const *options; /* ends with NULL; NULL: none */
};

struct oci_device {
    const char *path; /* inside */
    char type;        /* 'c' or 'b' */
    int64_t major, minor;
    int64_t mode; /* permission bits */
    int64_t uid, gid;
};

struct oci_input {
    const struct container *container;
    const json_t *image_config;  /* the "config" object of the image's OCI configuration; NULL:
                                    empty */
    const char *root_path;       /* the mounted root */
    const struct oci_user *user; /* NULL: root */
    const json_t *seccomp;       /* a linux.seccomp object for this architecture; NULL: none */
    const char *seccomp_filter;  /* what crun made of it before, in base64; NULL: nothing */
    const char *cgroups_path;    /* for a runtime that wants one; NULL: none */
    /* variables, "K=V" */
    const char *const *host_environment; /* of the service, that are handed on */
    const char *const *file_environment;
    const char *const *secret_environment;
    const char *const *extra_environment; /* the last word */
    /* files of the machine that are bound in; NULL: none */
    const char *notify_socket; /* and named in NOTIFY_SOCKET */
    const char *resolv_conf;
    const char *hosts;
    const char *host_name_file;
    const char *local_time;
    const char *init; /* run as process 1 with the command as its argument */
    const struct oci_mount *mounts;
    size_t mount_count;
    const struct oci_device *devices;
    size_t device_count;
    /* namespaces */
    const char *network_namespace; /* to be joined; NULL: one of its own */
    const char *ipc_namespace;     /* likewise, with the shared memory that goes with it */
    const char *shared_memory;
    const char *uts_namespace;               /* likewise; it has a host name */
    const char *user_namespace;              /* likewise; the maps are its own */
    const struct container_id_map *uid_maps; /* none: no user namespace */
    size_t uid_map_count;
    const struct container_id_map *gid_maps;
    size_t gid_map_count;
};

/* What the runtime calls it: what lies on the machine is bound, the rest is the kernel's own type.
 */
const char *oci_mount_type(enum container_mount_type type);

/* The options of a mount of the unit for the runtime, in order; caller frees with strv_free(). What
 * the runtime is not asked to do (idmap, U, O) has been done by then. */
int oci_mount_options(const struct container_mount *mount, char ***ret, struct error *err);

/* What the container may, as names that end with NULL; caller frees with strv_free(). */
int oci_capabilities(const struct container *container, char ***ret, struct error *err);

/* -EINVAL: there is nothing to run, or the image's configuration is not as OCI has it. */
int oci_config(const struct oci_input *input, json_t **ret, struct error *err);

#endif
