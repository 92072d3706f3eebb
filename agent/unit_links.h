/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Links beside a unit's own, by which other units of the machine start it or know it under another
 * name: OTHER.wants/UNIT, ALIAS (units/install.h). Each leads to <links>/UNIT, and by that we know
 * ours. Which there may be is noted in <run>/links/UNIT, so nobody has to look through all of them.
 */
#ifndef AGENT_UNIT_LINKS_H
#define AGENT_UNIT_LINKS_H

#include "agent/unit_files.h"
#include "base/error.h"

/* Makes these (NULL: none) and removes others of the unit. Left out are those to targets that the
 * machine itself has, such as multi-user.target, since what starts at boot is the cluster's to say,
 * and what another has: aliases that are names of other units, the machine's or ours. Those last
 * are told in *ret_taken, with ", " between (NULL: none, else the caller's).
 * Gives how many there are; systemd sees them when it reads its files next. */
int unit_links_make(const struct unit_dirs *dirs, const char *name, char *const *links,
                    char **ret_taken, struct error *err);
int unit_links_remove(const struct unit_dirs *dirs, const char *name, struct error *err);

#endif
