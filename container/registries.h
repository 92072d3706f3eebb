/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which registry a short name ("busybox") means: containers-registries.conf(5), its aliases and its
 * unqualified-search-registries. Of several registries to search none is taken: which of them has
 * the name might differ from one machine or day to the next.
 */
#ifndef CONTAINER_REGISTRIES_H
#define CONTAINER_REGISTRIES_H

#include "base/cleanup.h"
#include "base/error.h"

struct registries {
    char **aliases; /* short name, what it means, short name … */
    char **search;  /* hosts, perhaps with a path */
};

void registries_free(struct registries *registries);
DEFINE_AUTOPTR(registries);

/* Takes from the text of one file what concerns short names; what is there already gives way. The
 * rest, and what is no TOML, is skopeo's to judge. Pure. */
int registries_take(struct registries *registries, const char *text, struct error *err);

/* <directory>/registries.conf, then registries.conf.d/ *.conf by name. Absent files say nothing. */
int registries_read(const char *directory, struct registries **ret, struct error *err);

/* The full name; -EINVAL with what to write instead where the files do not say one. Caller frees.
 */
int registries_find(const struct registries *registries, const char *name, char **ret,
                    struct error *err);

#endif
