/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client of the store that writes down all that it is told, for kv-history.py to judge. Writers
 * change keys under DRIVER_ROOT; followers (watches and mirrors) tell what they see of them.
 */
#ifndef TESTS_KV_DRIVER_H
#define TESTS_KV_DRIVER_H

#include <stdint.h>
#include <stdio.h>

#include "base/loop.h"
#include "kvclient/kv.h"

#define DRIVER_ROOT "/t/"
#define DRIVER_END  DRIVER_ROOT "end" /* put last, when every writer has ended */

enum { DRIVER_WRITERS = 4 };

struct driver {
    struct loop *loop;
    struct kv *kv;
    const char *directory; /* of the logs */
    const char *run;       /* begins every write's id, so that none is another run's */
    uint64_t random;       /* the state of driver_random() */
    bool large;            /* every write is a revision of about 1 MiB */
    bool finishing;        /* writers begin nothing any more */
};

/* A number below bound, from the seed. */
uint64_t driver_random(struct driver *driver, uint64_t bound);

/* Opens DIRECTORY/name.log for writing, or exits with the reason. */
FILE *driver_log(const struct driver *driver, const char *name);

/* Says why and exits: nothing can be concluded from a run that ended here. */
void driver_fail(const char *what, const char *why) __attribute__((noreturn));

void driver_seed(struct driver *driver, const char *seed);

struct writer;
struct writer *writer_new(struct driver *driver, int index, FILE *log);
void writer_free(struct writer *writer);
bool writer_is_idle(const struct writer *writer);

/* A watch that is taken up again by its owner, also where history was compacted away; with
 * restless set it is stopped and begun again all the time. */
struct follower;
struct follower *follower_watch(struct driver *driver, const char *name, const char *key,
                                bool prefix, bool restless);
struct follower *follower_mirror(struct driver *driver, const char *name, const char *prefix);
void follower_free(struct follower *follower); /* writes down how it ended */
const char *follower_name(const struct follower *follower);
int64_t follower_revision(const struct follower *follower); /* the newest it was told of */
bool follower_is_lost(const struct follower *follower);     /* another store answers */

#endif
