/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drop-ins: the files name.d/NAME.conf beside a unit file. systemd reads them after it, ordered by
 * file name whatever folder they are in; of one file name the most specific folder's counts alone,
 * and an empty one (or a link to /dev/null) stands for none.
 *
 * What is stored of a unit is one text, so a unit and its drop-ins become one: the main text, then
 * for each drop-in a comment with its name and its text, as "systemctl cat" prints them. That is a
 * valid unit file of the same meaning, and nobody after this needs to know of drop-ins.
 */
#ifndef UNITS_DROP_IN_H
#define UNITS_DROP_IN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct drop_in {
    char *folder; /* "web@.service.d" */
    char *file;   /* "10-limits.conf" */
    char *text;
};

/* Zero-initialise. */
struct drop_ins {
    struct drop_in *items;
    size_t count;
};

void drop_ins_done(struct drop_ins *drop_ins);

/* The folders that belong to a unit file (or to a Quadlet file such as web.container), the most
 * specific first: its own, its template's, those of its prefixes up to a dash ("web-.service.d"),
 * and the type's ("service.d"). Free with strv_free(). */
int drop_in_folders(const char *name, char ***ret, struct error *err);

/* Whether systemd would read a file of this name: it ends in .conf and is not hidden. */
bool drop_in_is_file_name(const char *file);

/* Adds one (copied). To be called in the order of the folders: where the file name is there
 * already, the one added first counts. */
int drop_ins_add(struct drop_ins *drop_ins, const char *folder, const char *file, const char *text,
                 struct error *err);

/* The one text. Caller frees *ret. -EINVAL: a drop-in does not parse by itself, begins without a
 * [Section], or is in the main text already (which is then what "musterctl cat" printed). */
int drop_ins_assemble(const struct drop_ins *drop_ins, const char *main_text, char **ret,
                      struct error *err);

#endif
