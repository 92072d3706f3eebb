/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which system calls a container may make: the profile of its unit, of the machine or of the
 * distribution (seccomp.h), for its capabilities, and the filter that crun made of the same profile
 * before (filter_cache.h).
 */
#ifndef CONTAINER_SYSTEM_CALLS_H
#define CONTAINER_SYSTEM_CALLS_H

#include <jansson.h>
#include <sys/utsname.h>

#include "base/digest.h"
#include "base/error.h"
#include "container/place.h"
#include "units/container.h"

struct system_calls {
    json_t *profile;            /* owned; NULL: unconfined */
    char *filter;               /* owned; base64; NULL: the runtime has to compile it */
    char name[DIGEST_HEX_SIZE]; /* of the filter in the cache; "": it is not to be kept */
};

/* place: whose runtime is known. Errors as seccomp_load() has them. */
int system_calls_find(const struct place *place, const struct container *container,
                      const struct utsname *machine, struct system_calls *ret, struct error *err);

/* Keeps what the runtime has just compiled; to be called before anything of the container runs.
 * Nothing to keep is success; the container can do without. */
int system_calls_keep(const struct system_calls *calls, const struct place *place,
                      struct error *err);

/* After the runtime has failed: a filter that it was given is not given to the next, whoever's
 * fault it was. */
void system_calls_doubt(const struct system_calls *calls);

void system_calls_done(struct system_calls *calls);

#endif
