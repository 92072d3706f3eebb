/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From what a person typed to a unit: fleetctl's order. The unit in the store; else the file at
 * that path; else, for an instance, its template in the store; else the template's file beside it.
 *
 * Drop-ins that lie beside the file (web.service.d/10-x.conf; see units/drop_in.h) become part of
 * the text. To a template that comes from the store only those of its instance are added, for it
 * has its own in it. A Quadlet file, web.container, is the text of web.service.
 */
#ifndef CLI_SOURCE_H
#define CLI_SOURCE_H

#include <stdbool.h>

#include "base/cleanup.h"
#include "base/error.h"

/* What the store can be asked; a test has its own. */
struct source_store {
    /* The hash of a unit's text, borrowed; NULL if there is no such unit. */
    const char *(*hash)(const char *name, void *userdata);
    /* Its text, for the caller to free. */
    int (*text)(const char *name, char **ret, struct error *err, void *userdata);
    void *userdata;
};

struct source {
    char *name;
    bool in_store;
    char *text;   /* to be submitted; NULL: nothing given beside the store's own */
    char *origin; /* the file, or the template in the store, that text is from; NULL with text */
    bool differs; /* in_store, and its text is another than ours */
};

/* -EINVAL the name is no unit's; -ENOENT it is nowhere. */
int source_find(const char *typed, const struct source_store *store, struct source *ret,
                struct error *err);
void source_done(struct source *source);

#endif
