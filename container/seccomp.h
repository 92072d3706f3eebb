/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system calls that containers may make: the profile that the container tools of a
 * distribution share (/usr/share/containers/seccomp.json), translated into the linux.seccomp of an
 * OCI configuration for one machine. The profile says of a rule for which architectures, kernels
 * and capabilities it is; the result holds those that apply and nothing but what OCI knows.
 */
#ifndef CONTAINER_SECCOMP_H
#define CONTAINER_SECCOMP_H

#include <jansson.h>

#include "base/error.h"

struct seccomp_machine {
    const char *architecture;        /* Go's name, as the profile has them: "amd64" */
    const char *kernel;              /* its release, as "6.1.0-13-amd64" */
    const char *const *capabilities; /* what the container has; ends with NULL */
};

/* Go's name of what uname(2) calls machine, and libseccomp's ("SCMP_ARCH_X86_64"); NULL: unknown.
 */
const char *seccomp_go_architecture(const char *machine);
const char *seccomp_architecture(const char *go_architecture);

/* Pure. -EINVAL: the profile is not as it should be, or is for no such architecture. */
int seccomp_translate(const json_t *profile, const struct seccomp_machine *machine, json_t **ret,
                      struct error *err);

/* Reads the profile and translates it. path "unconfined" gives NULL in *ret. -ENOENT names the
 * package that brings the default profile. */
int seccomp_load(const char *path, const struct seccomp_machine *machine, json_t **ret,
                 struct error *err);

/* Of a translated profile, takes away what makes namespaces, mounts or uses keyrings, unless the
 * container has CAP_SYS_ADMIN; NULL is left alone. Pure. */
int seccomp_tighten(json_t *seccomp, const struct seccomp_machine *machine, struct error *err);

#endif
