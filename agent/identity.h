/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which cluster this machine belongs to: the uuid of the store's `cluster` key, remembered on disk.
 *
 * A store with another uuid, or without one where we remember one, is not ours: a wiped or restored
 * etcd, or a wrong address. In it musterd registers, leads, starts and stops nothing; units run on,
 * and it looks again now and then.
 */
#ifndef AGENT_IDENTITY_H
#define AGENT_IDENTITY_H

#include <stddef.h>

#include "base/error.h"

enum identity_verdict {
    IDENTITY_INVALID = 0,
    IDENTITY_OURS,
    IDENTITY_NEW,   /* neither side knows a uuid yet: a cluster about to be founded */
    IDENTITY_ADOPT, /* we remember none, the store has one: remember it */
    IDENTITY_FOREIGN,
};

/* Either may be NULL: not known. Pure. */
enum identity_verdict identity_judge(const char *remembered, const char *in_store);

/* The remembered uuid, *ret NULL if there is none; caller frees. */
int identity_load(const char *path, char **ret, struct error *err);
int identity_save(const char *path, const char *uuid, struct error *err);

#endif
