/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The filters that crun has compiled of seccomp profiles, kept for later starts: to compile one
 * takes a third of a start. A filter is what crun itself made of the same profile on this machine,
 * taken from its state before anything of a container has run; nobody else makes one.
 *
 * A file of the directory is named by the digest of all that a filter depends on, and begins with
 * the digest of its name and of what follows: what is damaged, half there or another's is not used.
 * That is no seal: the directory is root's alone. A runtime that is given a filter does not look at
 * the profile, so one that it cannot use must be forgotten.
 */
#ifndef CONTAINER_FILTER_CACHE_H
#define CONTAINER_FILTER_CACHE_H

#include <jansson.h>
#include <sys/utsname.h>

#include "base/digest.h"
#include "base/error.h"
#include "units/container.h"

/* Does the container tell crun of filters itself? Then it has its own, and they are none for
 * others. */
bool filter_cache_is_bypassed(const struct container *container);

/* The name of the filter of this linux.seccomp: of its text, the kernel, the program runtime, which
 * is sought in PATH, and the libraries of the machine. */
int filter_cache_name(const json_t *seccomp, const struct utsname *machine, const char *runtime,
                      char ret[DIGEST_HEX_SIZE], struct error *err);

/* The filter in base64, as crun's annotation has it; the caller's. -ENOENT: there is none, or none
 * that could be trusted. */
int filter_cache_find(const char *directory, const char *name, char **ret, struct error *err);

/* Absent already is success. */
int filter_cache_forget(const char *directory, const char *name, struct error *err);

/* Keeps what is in the file compiled. -ENOENT: there is no such file. -EPROTO: it is no filter. */
int filter_cache_keep(const char *directory, const char *name, const char *compiled,
                      struct error *err);

#endif
