/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of our units on this machine, all under /run so that a reboot forgets them:
 *
 *   <run>/units/<name>                 the unit as systemd reads it
 *   <run>/containers/<name>/spec.json  what muster-container reads
 *   <run>/started/<name>               for which assignment it was last started: so that a
 *                                      restarted musterd starts nothing twice
 *   <run>/links/<name>                 which links there may be beside its own (unit_links.h)
 *   <links>/<name>                     the link by which systemd finds it
 *
 * What is not under <run>/units is not ours and never touched.
 */
#ifndef AGENT_UNIT_FILES_H
#define AGENT_UNIT_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "units/translate.h"

struct unit_dirs {
    const char *run;   /* /run/muster */
    const char *links; /* /run/systemd/system */
};

/* Makes the directories. */
int unit_files_prepare(const struct unit_dirs *dirs, struct error *err);

/* Names of what is installed; free with strv_free(). */
int unit_files_list(const struct unit_dirs *dirs, char ***ret, struct error *err);

/* Gives how many links to it there are beside its own, and those that another has, as
 * unit_links_make() does. */
int unit_files_install(const struct unit_dirs *dirs, const char *name,
                       const struct translation *translation, char **ret_taken, struct error *err);
/* Removes all of them; what is absent already is fine. */
int unit_files_remove(const struct unit_dirs *dirs, const char *name, struct error *err);

/* Whether what is installed is exactly this. */
bool unit_files_are_current(const struct unit_dirs *dirs, const char *name,
                            const struct translation *translation);

/* Whether systemd loaded the unit from our file: fragment is its FragmentPath. "" counts as ours.
 */
bool unit_files_own_fragment(const struct unit_dirs *dirs, const char *name, const char *fragment);

/* What muster-container left of the running container's network: addresses and published ports,
 * each with spaces between and owned by the caller; "" where there are none or it is no container.
 * 1, and "" of what is not known: it could not be read, so it is worth asking again. */
int unit_files_network(const struct unit_dirs *dirs, const char *name, char **ret_addresses,
                       char **ret_ports, struct error *err);

/* Likewise the digest of its image's manifest; "" where there is none. */
int unit_files_image(const struct unit_dirs *dirs, const char *name, char **ret, struct error *err);

/* The note of the last start; 0 if there is none. */
int64_t unit_files_started(const struct unit_dirs *dirs, const char *name);
int unit_files_note_started(const struct unit_dirs *dirs, const char *name,
                            int64_t assignment_revision, struct error *err);

#endif
