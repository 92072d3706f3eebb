/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The short form of roles: "db=3,lb=2" says how many nodes of each role the cluster wants, and
 * "db=200,*=0" how much this node wants each.
 *
 * A pair that is wrong is reported and left out; the others stand. A role defined twice is left out
 * altogether, because either number would be a guess.
 */
#ifndef CLOUD_CONFIG_ROLES_H
#define CLOUD_CONFIG_ROLES_H

#include "base/error.h"
#include "cloud-config/report.h"

enum { ROLE_MAX_NODES = 1024, ROLE_MAX_PRIORITY = 255 };

/* Both give the pairs that stand, as a list "name=value"; the line is where the text stands.
 * Negative only if memory ran out. */
int roles_read(const char *text, int line, struct report *report, char ***ret, struct error *err);

/* The roles (as roles_read() gave them) are what the priorities may name; an empty list means that
 * this file defines none, and then the names are not judged: the cluster may know them. */
int roles_read_priorities(const char *text, int line, char *const *roles, struct report *report,
                          char ***ret, struct error *err);

#endif
