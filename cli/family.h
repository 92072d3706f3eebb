/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Units that share a rollout, and with it a text: a template and its instances, or one unit alone.
 * What auto-update asks of them.
 */
#ifndef CLI_FAMILY_H
#define CLI_FAMILY_H

#include "base/digest.h"
#include "cli/cli.h"
#include "units/auto_update.h"

struct family {
    const char *name;       /* of the rollout; borrowed, as the next */
    const json_t *members;  /* as the server lists units */
    struct unit_file *file; /* the text that they share; the template's if there is no instance */
    struct auto_update update;  /* what it says of its image */
    char *text;                 /* after family_pin() */
    char hash[DIGEST_HEX_SIZE]; /* likewise, of that text */
};

/* "web@.service" for its instances; the unit's own name for others. Caller frees; NULL if memory
 * ran out. */
char *family_name(const char *unit);

/* The server's list of units as an object, name → members. NULL if memory ran out. */
json_t *families_of(const json_t *units);

/* Of a family with nothing but name and members. As auto_update_read(); also 0: it is gone. */
int family_read(const struct cli *cli, struct family *family, struct error *err);
void family_done(struct family *family);

/* The digests of the images that are known to run; free with strv_free(). */
int family_running(const struct family *family, char ***ret, struct error *err);

/* All instances have the same text. */
bool family_is_uniform(const struct family *family);

/* Makes the text with this digest in it. */
int family_pin(struct family *family, const char *digest, struct error *err);

/* A member whose text would be another one also with that digest in it: a rollout would give it
 * what it did not have. NULL: there is none. Borrowed. */
const char *family_find_stranger(const struct cli *cli, const struct family *family,
                                 const char *digest);

/* The member whose text is taken for that of all. Borrowed. */
const char *family_model(const struct family *family);

#endif
