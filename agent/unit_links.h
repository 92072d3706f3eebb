/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Links beside a unit's own, by which other units of the machine start it or know it under another
 * name: OTHER.wants/UNIT, ALIAS (units/install.h). Each leads to <links>/UNIT, and by that we know
 * ours.
 */
#ifndef AGENT_UNIT_LINKS_H
#define AGENT_UNIT_LINKS_H

#include "agent/unit_files.h"
#include "base/error.h"

/* Makes these (NULL: none) and removes others of the unit. Left out are those to targets that the
 * machine itself has, such as multi-user.target, since what starts at boot is the cluster's to say,
 * and aliases that are names of the machine's own units. Gives how many there are; systemd sees
 * them when it reads its files next. */
int unit_links_make(const struct unit_dirs *dirs, const char *name, char *const *links,
                    struct error *err);
int unit_links_remove(const struct unit_dirs *dirs, const char *name, struct error *err);

#endif
